import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SEVERITIES, type Detection, type ProcessInfo, type SentinelEvent } from '../event.ts';
import { openTimeline, type Timeline } from './timeline.ts';
import type { ProcessNode } from './tree.ts';

const NOW = 1_795_000_000_000_000_000n;
const FOUND: Detection = {
  ruleId: 'r',
  title: 't',
  level: 'high',
  attack: [],
  clauses: [],
  source: 'bundled',
};

let folder: string;
let timeline: Timeline;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tree-'));
  timeline = openTimeline(join(folder, 't.db'), { partitionRows: 20_000 });
});
afterEach(() => {
  timeline.close();
  rmSync(folder, { recursive: true, force: true });
});

let seq = 0;
function event(process: ProcessInfo, change: Partial<SentinelEvent> = {}): SentinelEvent {
  seq += 1;
  return {
    eventId: seq * 2,
    type: 'process',
    action: 'fork',
    lane: 'security',
    tsNs: NOW + BigInt(seq),
    severity: 'info',
    process,
    ...change,
  };
}

/** Process `index` under `parent`; pids are used again and again, start times are not. */
const processOf = (index: number, parent: number | undefined): ProcessInfo => ({
  pid: 100 + (index % 7),
  startNs: BigInt(1000 + index),
  name: `p${index}`,
  ...(parent === undefined ? {} : { ppid: 100 + (parent % 7), parentStartNs: BigInt(1000 + parent) }),
});

const indexOf = (node: ProcessNode): number => Number(node.process.startNs) - 1000;

describe('process tree', () => {
  it('sums subtrees, finds ancestors and pages children as a walk over the events does', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            parent: fc.nat(),
            events: fc.array(
              fc.record({
                type: fc.constantFrom('file' as const, 'network' as const, 'process' as const),
                severity: fc.constantFrom(...SEVERITIES),
                detected: fc.constantFrom('no', 'inline', 'late'),
              }),
              { maxLength: 3 },
            ),
          }),
          { minLength: 1, maxLength: 25 },
        ),
        fc.integer({ min: 1, max: 4 }),
        (processes, limit) => {
          timeline.close();
          rmSync(join(folder, 't.db'), { force: true });
          timeline = openTimeline(join(folder, 't.db'));
          const parents = processes.map(({ parent }, index) => (index === 0 ? undefined : parent % index));
          const stored: SentinelEvent[] = [];
          const late: number[] = [];
          for (const [index, { events }] of processes.entries()) {
            const process = processOf(index, parents[index]);
            stored.push(event(process));
            for (const { type, severity, detected } of events) {
              const change = detected === 'inline' ? { detections: [FOUND, FOUND] } : {};
              const one = event(process, { type, action: 'x', severity, ...change });
              if (detected === 'late') late.push(one.eventId);
              stored.push(one);
            }
          }
          for (const half of [stored.slice(0, stored.length >> 1), stored.slice(stored.length >> 1)])
            timeline.insert(half, {});
          for (const id of [...late, ...late]) timeline.addDetections(id, [FOUND], 99);

          const isUnder = (index: number, root: number): boolean => {
            for (let at: number | undefined = index; at !== undefined; at = parents[at])
              if (at === root) return true;
            return false;
          };
          for (const root of processes.keys()) {
            const key = processOf(root, undefined);
            const seen = timeline.ancestors(key);
            const chain: number[] = [];
            for (let at = parents[root]; at !== undefined; at = parents[at]) chain.push(at);
            expect(seen?.ancestors.map(indexOf)).toEqual(chain);

            const counts: Record<string, number> = {};
            let worst = 0;
            let detections = 0;
            for (const one of stored) {
              if (!isUnder(Number(one.process!.startNs) - 1000, root)) continue;
              counts[one.type] = (counts[one.type] ?? 0) + 1;
              const isLate = late.includes(one.eventId);
              worst = Math.max(worst, SEVERITIES.indexOf(one.severity), isLate ? 3 : 0);
              detections += (one.detections?.length ?? 0) + (isLate ? 1 : 0);
            }
            expect(seen?.node.subtree).toEqual({
              processes: processes.filter((_, index) => isUnder(index, root)).length,
              counts,
              severity: SEVERITIES[worst],
              detections,
              complete: true,
            });

            const children: ProcessNode[] = [];
            let after: string | undefined;
            do {
              const page = timeline.children(key, { limit, after });
              expect(page?.total).toBe(parents.filter((parent) => parent === root).length);
              children.push(...(page?.children ?? []));
              after = page?.more;
            } while (after !== undefined);
            expect(children.map(indexOf)).toEqual(
              [...parents.keys()].filter((index) => parents[index] === root),
            );
            for (const child of children) {
              expect(child.subtree).toEqual(timeline.ancestors(child.process)?.node.subtree);
            }
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('answers for a parent that left no record, and not for a process nobody knows', () => {
    const child = { ...processOf(1, 0), ppid: 100, parentStartNs: 1000n };
    const parent = { pid: 100, startNs: 1000n, name: 'make', executable: '/usr/bin/make', user: 'ana' };
    timeline.insert([event(child, { parent })], {});
    const [told] = timeline.ancestors(child)?.ancestors ?? [];
    expect(told).toMatchObject({ told: true, children: 1, process: { name: 'make', user: 'ana' } });
    expect(timeline.ancestors(parent)).toBeUndefined();
    expect(timeline.children(parent)).toMatchObject({ total: 1, children: [{ process: { name: 'p1' } }] });
    expect(timeline.children({ pid: 5, startNs: 5n })).toBeUndefined();
    expect(timeline.children(child)).toMatchObject({ total: 0, children: [] });
  });

  it('ends also when a process is named as its own parent', () => {
    const strange = { ...processOf(0, 0) };
    timeline.insert([event(strange)], {});
    expect(timeline.ancestors(strange)?.node.subtree?.processes).toBe(1);
    expect(timeline.ancestors(strange)?.ancestors).toEqual([]);
  });

  it('counts all 50,000 processes of a build, and says so when it stops at its bound', () => {
    const build = 50_000;
    const grow = (from: number, to: number): void => {
      for (let at = from; at < to; at += 5000) {
        const events = Array.from({ length: Math.min(5000, to - at) }, (_, offset) => {
          const index = at + offset;
          // Every tenth is a compiler driver under make; the others run under the driver before them.
          const parent = index === 0 ? undefined : index % 10 === 0 ? 0 : index - (index % 10);
          return event(processOf(index, parent));
        });
        timeline.insert(events, {});
      }
    };
    grow(0, build);
    const top = processOf(0, undefined);
    expect(timeline.ancestors(top)?.node.subtree).toMatchObject({
      processes: build,
      counts: { process: build },
      complete: true,
    });
    const page = timeline.children(top, { limit: 1000 });
    expect(page?.total).toBe(9 + build / 10 - 1);
    expect(page?.children).toHaveLength(1000);
    expect(page?.children[500]?.subtree).toMatchObject({ processes: 10, complete: true });
    grow(build, 65_000);
    expect(timeline.ancestors(top)?.node.subtree).toMatchObject({ processes: 60_001, complete: false });
  });
});
