import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ProcessInfo, SentinelEvent } from '../event.ts';
import { parseQuery } from './query-parser.ts';
import { openTimeline, type Timeline } from './timeline.ts';

const NOW = 1_795_000_000_000_000_000n;
let folder: string;
let timeline: Timeline;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tree-search-'));
  timeline = openTimeline(join(folder, 't.db'));
});
afterEach(() => {
  timeline.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Pids are used again and again, start times are not. */
const processOf = (index: number, parent: number | undefined): ProcessInfo => ({
  pid: 100 + (index % 5),
  startNs: BigInt(1000 + index),
  name: index % 3 === 0 ? 'cc1' : 'sh',
  ...(parent === undefined ? {} : { ppid: 100 + (parent % 5), parentStartNs: BigInt(1000 + parent) }),
});

let first = 0;
function store(parents: readonly number[]): (number | undefined)[] {
  const above = parents.map((parent, index) => (index === 0 ? undefined : parent % index));
  const base = first;
  first += above.length;
  const events = above.map((parent, index): SentinelEvent => ({
    eventId: (base + index + 1) * 2,
    type: 'process',
    action: 'exec',
    lane: 'security',
    tsNs: NOW + BigInt(base + index),
    severity: 'info',
    process: processOf(base + index, parent === undefined ? undefined : base + parent),
  }));
  timeline.insert(events, {});
  return above;
}

it('finds what a walk over the tree finds, and the way down to each', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { minLength: 1, maxLength: 60 }), fc.nat(), (parents, pick) => {
      const base = first;
      const above = store(parents);
      const root = pick % above.length;
      const wayDown = (index: number): number[] => {
        const way: number[] = [];
        for (let at: number | undefined = index; at !== undefined; at = above[at]) {
          if (at === root) return way;
          way.unshift(at);
        }
        return [];
      };
      const wanted = above
        .map((_, index) => wayDown(index))
        .filter((way) => way.length > 0 && (base + (way.at(-1) ?? 0)) % 3 === 0)
        .toReversed();
      const key = processOf(base + root, undefined);
      const found = timeline.searchTree(key, parseQuery('name:cc1'), 200);
      expect(found?.complete).toBe(true);
      const ways = found?.paths.map((path) => path.map((node) => Number(node.process.startNs) - 1000 - base));
      expect(ways).toEqual(wanted);
    }),
    { numRuns: 60 },
  );
});

it('stops at its limit and says so, and knows no process that left no record', () => {
  const base = first;
  store(Array.from({ length: 500 }, () => 0));
  const found = timeline.searchTree(processOf(base, undefined), parseQuery('name:sh'), 10);
  expect(found?.paths).toHaveLength(10);
  expect(found?.complete).toBe(false);
  expect(timeline.searchTree({ pid: 1, startNs: 1n }, parseQuery('name:sh'))).toBeUndefined();
});
