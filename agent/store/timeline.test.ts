import * as fc from 'fast-check';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SentinelEvent } from '../event.ts';
import { TimelineCorruptError, TimelineOpenError } from './errors.ts';
import { SAMPLE_NOW, arbitraryEvents } from './event-samples.ts';
import type { FieldFacet } from './facets.ts';
import { fieldsWithoutPlace } from './query-columns.ts';
import { FIELDS } from './query-fields.ts';
import { matches } from './query-match.ts';
import { parseQuery } from './query-parser.ts';
import { printQuery } from './query-print.ts';
import { arbitraryQuery } from './query-samples.ts';
import { openTimeline, type Timeline } from './timeline.ts';

let folder: string;
let opened = 0;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'timeline-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function fresh(options: Parameters<typeof openTimeline>[1] = {}): Timeline {
  opened += 1;
  return openTimeline(join(folder, `t${opened}.db`), options);
}

/** A process event in the security lane. */
function made(seq: number, change: Partial<SentinelEvent> = {}): SentinelEvent {
  return {
    eventId: seq * 2,
    type: 'process',
    action: 'exec',
    lane: 'security',
    tsNs: SAMPLE_NOW,
    severity: 'info',
    process: {
      pid: 100,
      startNs: 5n,
      ppid: 1,
      name: 'curl',
      executable: '/usr/bin/curl',
      argv: ['curl', 'x'],
    },
    parent: { pid: 1, startNs: 1n, name: 'bash', executable: '/bin/bash' },
    ...change,
  };
}

const newestFirst = (a: SentinelEvent, b: SentinelEvent): number =>
  a.tsNs === b.tsNs ? b.eventId - a.eventId : a.tsNs < b.tsNs ? 1 : -1;

function everything(timeline: Timeline, text: string, limit = 3): SentinelEvent[] {
  const node = parseQuery(text);
  const out: SentinelEvent[] = [];
  let before: string | undefined;
  do {
    const page = timeline.query(node, { limit, before, nowNs: SAMPLE_NOW });
    out.push(...page.events);
    before = page.older;
  } while (before !== undefined);
  return out;
}

const FACETS = FIELDS.map((field) => field.name);

/** Facets by brute force: each event counts once for each of its values; rules by id. */
function facetsOf(events: readonly SentinelEvent[]): FieldFacet[] {
  return FIELDS.map((field) => {
    const counts = new Map<string, number>();
    for (const event of events) {
      let value = field.name === 'rule' ? event.detections?.map((one) => one.ruleId) : field.get(event);
      if (field.name === 'severity') value = event.severity;
      const values = value === undefined ? [] : typeof value === 'object' ? value : [String(value)];
      for (const one of new Set(values)) counts.set(one, (counts.get(one) ?? 0) + 1);
    }
    const values = [...counts].map(([value, count]) => ({ value, count }));
    values.sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1));
    return { field: field.name, values, approximate: false };
  });
}

describe('timeline', () => {
  it('has a place for every field', () => {
    expect(fieldsWithoutPlace()).toEqual([]);
  });

  it('gives every event back as it was', () => {
    fc.assert(
      fc.property(arbitraryEvents(12), (events) => {
        const timeline = fresh({ partitionRows: 5 });
        timeline.insert(events, { security: 9 });
        for (const event of events) expect(timeline.get(event.eventId)).toEqual(event);
        expect(everything(timeline, '')).toEqual(events.toSorted(newestFirst));
        timeline.close();
      }),
      { numRuns: 30 },
    );
  });

  it('finds what the matcher in memory finds, for any query over any events', () => {
    fc.assert(
      fc.property(
        arbitraryEvents(30),
        fc.array(arbitraryQuery(), { minLength: 10, maxLength: 10 }),
        (events, queries) => {
          const timeline = fresh({ partitionRows: 11 });
          timeline.insert(events, {});
          for (const query of queries) {
            const expected = events
              .filter((event) => matches(query, event, SAMPLE_NOW))
              .toSorted(newestFirst);
            const page = timeline.query(query, { limit: 100, nowNs: SAMPLE_NOW, budgetMs: 60_000 });
            const text = printQuery(query);
            expect([text, page.events.map((event) => event.eventId)]).toEqual([
              text,
              expected.map((event) => event.eventId),
            ]);
            const histogram = timeline.histogram(query, SAMPLE_NOW - 400_000_000_000n, SAMPLE_NOW + 1n, 7, {
              nowNs: SAMPLE_NOW,
              budgetMs: 60_000,
            });
            const total = histogram.buckets.flat().reduce((sum, count) => sum + count, 0);
            expect([text, total]).toEqual([text, expected.length]);
            const facets = timeline.facets(query, FACETS, 1000, { nowNs: SAMPLE_NOW, budgetMs: 60_000 });
            const plain = facets.map((facet) => ({
              ...facet,
              values: facet.values.map(({ value, count }) => ({ value, count })),
            }));
            expect([text, plain]).toEqual([text, facetsOf(expected)]);
          }
          expect(timeline.integrityCheck()).toEqual([]);
          timeline.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  it('pages both ways without loss or repetition, also through equal times', () => {
    const timeline = fresh({ partitionRows: 4 });
    const events = Array.from({ length: 23 }, (_, index) =>
      made(index + 1, { tsNs: SAMPLE_NOW - BigInt(index % 5) }),
    );
    timeline.insert(events, {});
    const all = events.toSorted(newestFirst).map((event) => event.eventId);
    expect(everything(timeline, '').map((event) => event.eventId)).toEqual(all);
    const first = timeline.query(parseQuery(''), { limit: 20 });
    expect(first.newer).toBeUndefined();
    const last = timeline.query(parseQuery(''), { limit: 20, before: first.older });
    expect(last.older).toBeUndefined();
    const back = timeline.query(parseQuery(''), { limit: 5, after: last.newer });
    expect(back.events.map((event) => event.eventId)).toEqual(all.slice(15, 20));
    const up = timeline.query(parseQuery(''), { limit: 100, after: back.newer });
    expect(up.events.map((event) => event.eventId)).toEqual(all.slice(0, 15));
    expect(up.newer).toBeUndefined();
    const around = timeline.around(all[10] ?? 0, 2, 3);
    expect(around?.events.map((event) => event.eventId)).toEqual(all.slice(7, 13));
    expect(() => timeline.query(parseQuery(''), { limit: 5, before: 'x' })).toThrow(/not a page/);
  });

  it('stores an event once and moves cursors with it', () => {
    const timeline = fresh({ partitionRows: 3 });
    const events = Array.from({ length: 8 }, (_, index) => made(index + 1));
    timeline.insert(events, { security: 8 });
    timeline.insert(events.slice(2), { security: 8, observability: 4 });
    expect(everything(timeline, '')).toHaveLength(8);
    expect(timeline.cursors()).toEqual({ security: 8, observability: 4 });
    const broken = {
      ...made(9),
      process: null as unknown as undefined,
      file: { path: 5 as unknown as string, op: '' },
    };
    expect(() => timeline.insert([made(10), broken], { security: 10 })).toThrow(TypeError);
    expect(timeline.cursors().security).toBe(8);
    timeline.insert([made(9), made(10)], { security: 10 });
    expect(timeline.counts()).toMatchObject({ events: 10, byType: { process: 10 } });
    expect(timeline.integrityCheck()).toEqual([]);
  });

  it('raises severity and its rollup when a detection comes late, before its event, or twice', () => {
    const timeline = fresh({ partitionRows: 3 });
    const found = {
      ruleId: 'r',
      title: 'Rule',
      level: 'high' as const,
      attack: ['T1059.004'],
      clauses: [],
      source: 'bundled',
    };
    timeline.addDetections(10, [found], 77);
    timeline.insert(
      Array.from({ length: 8 }, (_, index) => made(index + 1)),
      {},
    );
    timeline.addDetections(4, [found], 78);
    timeline.addDetections(4, [found], 78);
    timeline.addDetections(4, [{ ...found, ruleId: 'r2', level: 'low' }], 79);
    expect(everything(timeline, 'severity:>=high').map((event) => event.eventId)).toEqual([10, 4]);
    expect(timeline.get(4)?.detections?.map((one) => one.ruleId)).toEqual(['r', 'r2']);
    expect(everything(timeline, 'attack:T1059').map((event) => event.eventId)).toEqual([10, 4]);
    expect(everything(timeline, 'rule:r2').map((event) => event.eventId)).toEqual([4]);
    const { buckets } = timeline.histogram(parseQuery(''), SAMPLE_NOW - 1000n, SAMPLE_NOW + 1000n, 1);
    expect(buckets).toEqual([[6, 0, 0, 2, 0]]);
    expect(timeline.integrityCheck()).toEqual([]);
  });

  it('joins hashes by the identity of the executable', () => {
    const timeline = fresh();
    const identity = { dev: 1, inode: 2n, mtimeNs: 3n, ctimeNs: 4n, size: 5 };
    const event = made(1);
    timeline.insert([{ ...event, process: { ...event.process!, exeIdentity: identity } }], {});
    expect(everything(timeline, 'has:sha256')).toEqual([]);
    timeline.addHash({ ...identity, path: '/usr/bin/curl', sha256: 'ab', blake3: 'cd' });
    expect(everything(timeline, 'sha256:AB blake3:cd')).toHaveLength(1);
    expect(timeline.get(2)?.process?.hashes).toEqual({ sha256: 'ab', blake3: 'cd' });
  });

  it('keeps gaps and sums them up', () => {
    const timeline = fresh();
    const gap = (seq: number, count: number | undefined, to: bigint): SentinelEvent => ({
      ...made(seq),
      type: 'integrity_gap',
      action: 'gap',
      gap: { lane: 'security', cause: 'ring_full', count, fromNs: to - 10n, toNs: to },
    });
    timeline.insert([gap(1, 5, 100n), gap(2, undefined, 200n), gap(3, 7, 300n)], {});
    expect(timeline.gapSummary(150n)).toEqual({ count: 2, lostRecords: 7 });
    expect(timeline.gaps(0n, 295n, 10).map((one) => one.toNs)).toEqual([100n, 200n, 300n]);
    expect(timeline.gaps(0n, 290n, 10)).toHaveLength(2);
  });

  it('shows a process with its ancestors, lifetime, counts and pages of children', () => {
    const timeline = fresh({ partitionRows: 7 });
    const events: SentinelEvent[] = [made(1, { action: 'exec' })];
    for (let child = 0; child < 30; child += 1) {
      const process = {
        pid: 1000 + child,
        startNs: BigInt(10 + child),
        ppid: 100,
        parentStartNs: 5n,
        name: `c${child}`,
      };
      events.push(made(2 + child * 2, { action: 'fork', process }));
      events.push(made(3 + child * 2, { action: 'exit', process: { ...process, exitCode: child } }));
    }
    timeline.insert(events, {});
    const tree = timeline.tree(100, undefined, { limit: 20 });
    expect(tree?.node).toMatchObject({ children: 30, counts: { process: 1 }, process: { name: 'curl' } });
    expect(tree?.node.endNs).toBeUndefined();
    expect(tree?.ancestors.map((node) => node.process.name)).toEqual(['bash']);
    expect(tree?.children).toHaveLength(20);
    const rest = timeline.tree(100, 5n, { limit: 20, after: tree?.more });
    expect(rest?.children.map((node) => node.process.name)).toEqual(
      Array.from({ length: 10 }, (_, i) => `c${i + 20}`),
    );
    expect(rest?.more).toBeUndefined();
    expect(rest?.children[9]).toMatchObject({ counts: { process: 2 }, process: { exitCode: 29 } });
    expect(rest?.children[9]?.endNs).toBe(SAMPLE_NOW);
    expect(timeline.tree(4242)).toBeUndefined();
  });

  it('forgets by age and size in slices and keeps what living processes need', () => {
    const timeline = fresh({ partitionRows: 50 });
    const second = 1_000_000_000n;
    timeline.insert(
      Array.from({ length: 400 }, (_, index) => {
        const process =
          index === 0
            ? made(1).process!
            : { pid: 2000 + index, startNs: 9n, ppid: 100, parentStartNs: 5n, name: 'x' };
        return made(index + 1, {
          tsNs: SAMPLE_NOW - BigInt(400 - index) * second,
          action: index % 2 ? 'exit' : 'exec',
          process,
        });
      }),
      {},
    );
    const run = (limits: Parameters<Timeline['prune']>[0]): number => {
      let removed = 0;
      for (let step = 0; step < 1000; step += 1) {
        const slice = timeline.prune({ ...limits, nowNs: SAMPLE_NOW });
        removed += slice.removedEvents;
        if (slice.done) return removed;
      }
      throw new Error('never done');
    };
    expect(run({ maxAgeNs: 210n * second })).toBe(190);
    expect(everything(timeline, '', 1000)).toHaveLength(210);
    expect(timeline.integrityCheck()).toEqual([]);
    expect(timeline.tree(100)?.node.process.executable).toBe('/usr/bin/curl');
    expect(timeline.tree(2001)).toBeUndefined();
    run({ maxBytes: 1 });
    expect(timeline.counts()).toMatchObject({ events: 50, partitions: 1 });
    timeline.insert([made(500)], { security: 500 });
    expect(everything(timeline, 'seq:500')).toHaveLength(1);
    expect(timeline.integrityCheck()).toEqual([]);
  });

  it('counts facets and offers values', () => {
    const timeline = fresh();
    timeline.insert(
      Array.from({ length: 30 }, (_, index) =>
        made(index + 1, { process: { ...made(1).process!, user: index < 20 ? 'root' : 'ana' } }),
      ),
      {},
    );
    expect(timeline.facets(parseQuery('image:curl'), ['user', 'type', 'severity', 'nosuch'], 5)).toEqual([
      {
        field: 'user',
        values: [
          { value: 'root', count: 20 },
          { value: 'ana', count: 10 },
        ],
        approximate: false,
      },
      { field: 'type', values: [{ value: 'process', count: 30 }], approximate: false },
      { field: 'severity', values: [{ value: 'info', count: 30 }], approximate: false },
    ]);
    const found = { title: 'Curl used', level: 'low' as const, attack: [], clauses: [], source: 'bundled' };
    timeline.addDetections(2, [{ ...found, ruleId: 'r-1' }], 90);
    timeline.addDetections(4, [{ ...found, ruleId: 'r-1' }], 91);
    timeline.addDetections(4, [{ ...found, ruleId: 'r-2', title: 'bash' }], 92);
    expect(timeline.facets(parseQuery(''), ['rule'], 5)[0]?.values).toEqual([
      { value: 'r-1', count: 2, label: 'Curl used' },
      { value: 'r-2', count: 1, label: 'bash' },
    ]);
    expect(everything(timeline, 'rule:r-1')).toHaveLength(2);
    expect(timeline.valuesOf('image', 'cur', 5)).toEqual(['/usr/bin/curl']);
    expect(timeline.valuesOf('type', 'net', 5)).toEqual(['network']);
    expect(timeline.valuesOf('action', '', 5)).toEqual(['exec']);
    expect(timeline.valuesOf('pid', '1', 5)).toEqual(['100']);
  });

  it('holds a megabyte, NUL, newlines and lone surrogates', () => {
    const timeline = fresh();
    const argv = ['x'.repeat(1_000_000), 'a\0b', 'line\nnext', '\ud800', '😀needle'];
    const event = made(1, { process: { ...made(1).process!, argv } });
    timeline.insert([event, made(2)], {});
    expect(timeline.get(2)).toEqual(event);
    expect(everything(timeline, '😀needle').map((one) => one.eventId)).toEqual([2]);
    expect(everything(timeline, 'cmd:"line\nnext"').map((one) => one.eventId)).toEqual([2]);
  });

  it('moves a damaged file aside and starts anew', () => {
    const path = join(folder, 'damaged.db');
    const first = openTimeline(path);
    first.insert(
      Array.from({ length: 500 }, (_, index) => made(index + 1)),
      {},
    );
    first.close();
    const bytes = readFileSync(path);
    bytes.fill(0xa5, 100, 9000);
    writeFileSync(path, bytes);
    expect(() => openTimeline(path)).toThrow(TimelineCorruptError);
    const again = openTimeline(path);
    expect(again.counts().events).toBe(0);
    again.close();
    writeFileSync(path, 'this is no database at all, but long enough to be looked at as one'.repeat(100));
    expect(() => openTimeline(path)).toThrow(/damaged/);
    expect(() => openTimeline(join(folder, 'nowhere', 'x.db'))).toThrow(TimelineOpenError);
    expect(() => openTimeline(join(folder, 'none.db'), { readOnly: true })).toThrow(/no timeline/);
  });

  it('is read by another process while it is written', () => {
    const path = join(folder, 'shared.db');
    const writer = openTimeline(path, { partitionRows: 10 });
    writer.insert([made(1)], {});
    const reader = openTimeline(path, { readOnly: true });
    writer.insert(
      Array.from({ length: 40 }, (_, index) => made(index + 2, { action: `a${index}` })),
      {},
    );
    expect(everything(reader, '')).toHaveLength(41);
    expect(everything(reader, 'action:a7')).toHaveLength(1);
    expect(() => reader.insert([], {})).toThrow(/reading only/);
    reader.close();
    writer.close();
  });
});
