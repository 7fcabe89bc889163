/** The timeline against the matcher in memory on some ten thousand events as a machine makes them: many chunks. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventSource } from '../../test/bench/timeline-events.ts';
import type { SentinelEvent } from '../event.ts';
import { findField } from './query-fields.ts';
import { compileMatcher } from './query-match.ts';
import { parseQuery } from './query-parser.ts';
import type { FieldFacet } from './facets.ts';
import type { TimeHistogram } from './histogram.ts';
import { openTimeline, type Timeline } from './timeline.ts';

const START = 1_795_000_000_000_000_000n;
const GAP_NS = 40_000_000;
let folder: string;
let timeline: Timeline;
let events: SentinelEvent[];
let endNs: bigint;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'timeline-scale-'));
  timeline = openTimeline(join(folder, 't.db'), { partitionRows: 9000 });
  const source = eventSource(11, START, GAP_NS);
  events = source.next(30_000);
  endNs = (events.at(-1)?.tsNs ?? START) + 1n;
  // The lanes arrive apart, as they do: security first, observability up to a second later.
  const late = events.map((event, index) => ({ event, at: index + (event.lane === 'security' ? 0 : 37) }));
  late.sort((a, b) => a.at - b.at);
  for (let at = 0; at < late.length; at += 777) {
    timeline.insert(
      late.slice(at, at + 777).map(({ event }) => event),
      {},
    );
  }
  const found = {
    ruleId: 'late',
    title: 'Late',
    level: 'medium' as const,
    attack: ['T1005'],
    clauses: [],
    source: 'x',
  };
  for (const at of [5, 4000, 4001, 21_000, 29_999]) {
    const event = events[at];
    if (!event) continue;
    timeline.addDetections(event.eventId, [found], 100_000 + at);
    event.detections = [...(event.detections ?? []), found];
    if (event.severity === 'info') event.severity = 'medium';
  }
  events.sort((a, b) => (a.tsNs === b.tsNs ? b.eventId - a.eventId : a.tsNs < b.tsNs ? 1 : -1));
});
afterAll(() => {
  timeline.close();
  rmSync(folder, { recursive: true, force: true });
});

const QUERIES = [
  '',
  'curl',
  'node_modules not type:file',
  'image:*/curl and not user:root',
  'zz',
  'user:(ana or www-data) action:exec',
  'parent:bash or parent:systemd',
  'ip:10.1.0.0/16 port:(22 or 443)',
  'ip:10.2.3.4 or file:*-abc*.o',
  'severity:>=low',
  'severity:>=medium or rule:late',
  'attack:T1005',
  'rule:bench-1 or dns:cdn3.example.com',
  'type:metric metric:cpu.user',
  'not has:user',
  'not (type:file or type:network)',
  'exit:1 image:git',
  'seq:100..200',
  'id:4242',
  'bytes:>90000 action:(create or write)',
  'cwd:*project7 cmd:"make -j4"',
  'since:2026-11-18T00:00Z until:2026-11-19T00:00Z name:sed',
  'lane:security pid:>2000',
  'inode:10012* or device:9:1',
  'synthetic:true',
];

describe('timeline with many chunks', () => {
  it.each(QUERIES)('agrees with the matcher: %s', (text) => {
    const node = parseQuery(text);
    const matcher = compileMatcher(node, () => endNs);
    const expected = events.filter((event) => matcher(event));
    const options = { nowNs: endNs, budgetMs: 60_000 };
    const ids: number[] = [];
    let before: string | undefined;
    do {
      const page = timeline.query(node, { limit: 1700, before, ...options });
      ids.push(...page.events.map((event) => event.eventId));
      before = page.older;
    } while (before !== undefined);
    expect(ids).toEqual(expected.map((event) => event.eventId));
    const upwards: number[] = [];
    let after: string | undefined = '1.0';
    do {
      const page = timeline.query(node, { limit: 4100, after, ...options });
      upwards.unshift(...page.events.map((event) => event.eventId));
      after = page.newer;
    } while (after !== undefined);
    expect(upwards).toEqual(ids);
    const [facet] = timeline.facets(node, ['user'], 100, options);
    const users = findField('user');
    const counts = new Map<string, number>();
    for (const event of expected) {
      const user = users?.get(event);
      if (typeof user === 'string') counts.set(user, (counts.get(user) ?? 0) + 1);
    }
    expect(new Map(facet?.values.map(({ value, count }) => [value, count]))).toEqual(counts);
    const spanNs = (endNs - START) / 40n;
    const from = START + spanNs * 3n;
    const histogram = timeline.histogram(node, from, from + spanNs * 30n, 30, options);
    const buckets = histogram.buckets.map((severities) => severities.reduce((sum, count) => sum + count, 0));
    const wanted = Array.from({ length: 30 }, () => 0);
    for (const { tsNs } of expected) {
      const bucket = Number((tsNs - from) / spanNs);
      if (tsNs >= from && bucket < 30) wanted[bucket] = (wanted[bucket] ?? 0) + 1;
    }
    if (histogram.approximate) expect(sum(buckets)).toBe(sum(wanted));
    else expect(buckets).toEqual(wanted);
  });

  it('estimates what there is no time to count, over all of the record', () => {
    const node = parseQuery('not user:root');
    const matcher = compileMatcher(node, () => endNs);
    const exact = Array.from({ length: 6 }, () => 0);
    const spanNs = (endNs - START) / 6n + 1n;
    for (const event of events) if (matcher(event)) exact[Number((event.tsNs - START) / spanNs)]! += 1;
    const { approximate, buckets } = timeline.histogram(node, START, START + spanNs * 6n, 6, { budgetMs: 0 });
    expect(approximate).toBe(true);
    for (const [at, counts] of buckets.entries()) {
      expect(sum(counts)).toBeGreaterThan(exact[at]! * 0.7);
      expect(sum(counts)).toBeLessThan(exact[at]! * 1.4);
    }
  });

  it('counts in slices what it counts at once, whatever is stored or removed meanwhile', () => {
    const path = join(folder, 'slices.db');
    const own = openTimeline(path, { partitionRows: 9000 });
    const source = eventSource(12, START, GAP_NS);
    own.insert(source.next(20_000), {});
    const { oldestNs = 0n, newestNs = 0n } = own.bounds();
    const node = parseQuery('usr/lib');
    const whole = own.histogram(node, oldestNs, newestNs + 1n, 10, { budgetMs: 60_000 });
    const slices = own.histogramInSlices(node, oldestNs, newestNs + 1n, 10);
    const facets = own.facetsInSlices(node, ['type'], 10);
    const ofTypes = own.facets(node, ['type'], 10, { budgetMs: 60_000 });
    let steps = 0;
    let counted: { value: TimeHistogram } | undefined;
    let faceted: { value: FieldFacet[] } | undefined;
    while (!counted || !faceted) {
      faceted ??= facets(0);
      counted ??= slices(0);
      steps += 1;
      if (steps < 4) own.insert(source.next(500), {});
      else if (steps === 4) own.releaseMemory();
    }
    expect(steps).toBeGreaterThan(4);
    // On a machine that is busy the time may be up before all are counted; then it says so.
    if (!counted.value.approximate) expect(counted.value.buckets).toEqual(whole.buckets);
    if (!faceted.value[0]?.approximate) {
      const [found, before] = [faceted.value, ofTypes].map(([facet]) =>
        sum(facet!.values.map((v) => v.count)),
      );
      expect(found).toBeGreaterThanOrEqual(before!);
    }
    const cut = own.histogramInSlices(node, oldestNs, newestNs + 1n, 10);
    cut(0);
    while (!own.prune({ maxBytes: 1, nowNs: newestNs }).done);
    let rest: { value: TimeHistogram } | undefined;
    while (!rest) rest = cut(0);
    expect(own.counts().events).toBeLessThan(9000);
    own.close();
  });

  it('stores an event once, also when all are given again with those that are missing between them', () => {
    const own = openTimeline(join(folder, 'again.db'), { partitionRows: 3000 });
    const all = eventSource(13, START, GAP_NS).next(7000);
    own.insert(
      all.filter((_, index) => index < 4000 || index % 40 > 0),
      {},
    );
    for (let at = 0; at < all.length; at += 3000) {
      const some = all.slice(at, at + 3000);
      // Twice in one call, too.
      own.insert([...some, ...some.slice(0, 200)], {});
    }
    expect(own.counts().events).toBe(all.length);
    expect(own.integrityCheck()).toEqual([]);
    own.close();
  });

  it('finds all events of a process, wherever they lie', () => {
    const pids = new Set(events.map(({ process }) => process?.pid).filter((pid) => pid !== undefined));
    for (const pid of [...pids].filter((_, index) => index % 60 === 0)) {
      const page = timeline.query(parseQuery(`pid:${pid}`), { limit: 5000, budgetMs: 60_000 });
      const wanted = events.filter(({ process }) => process?.pid === pid);
      expect(page.events.map(({ eventId }) => eventId)).toEqual(wanted.map(({ eventId }) => eventId));
    }
  });

  it('gives events back as they were, and is sound', () => {
    for (const event of [events[0], events[777], events[20_000], events.at(-1)]) {
      expect(timeline.get(event?.eventId ?? 0)).toEqual(event);
    }
    expect(timeline.integrityCheck()).toEqual([]);
  });
});

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
