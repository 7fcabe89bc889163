/**
 * Counts over time. Queries about type, severity, lane and time alone are answered by the rollups; others are counted
 * chunk by chunk, newest first, and once the time is up the rest is estimated from samples and marked so: first from
 * samples of the partitions themselves, in an order that spreads over all of them, and in the end from those sampled.
 */
import { EVENT_TYPES, LANES, SEVERITIES, type GapInfo, type SentinelEvent } from '../event.ts';
import type { ChunkHead, EventBlock } from './blocks.ts';
import { readGaps } from './gaps.ts';
import { ClassCounter, STEP, countBlock, max, min, type Work } from './histogram-counts.ts';
import { everything, type Test } from './masks.ts';
import { Planner } from './plan.ts';
import { and, type QueryNode } from './query-ast.ts';
import { compileMatcher } from './query-match.ts';
import { CLASSES } from './rollups.ts';
import { timeBounds } from './time-order.ts';
import { PartitionView, partitionsWithin, type Reader } from './view.ts';
import type { Zone } from './zones.ts';

const MAX_BUCKETS = 5000;
const MAX_GAPS = 500;
const DEFAULT_BUDGET_MS = 200;
/** Share of the budget for counting; the rest is for estimates of what could not be counted. */
const COUNTING = 0.7;
/** Chunks looked at in a partition that there was no time for. */
const SAMPLES = 3;

export type SeverityCounts = [info: number, low: number, medium: number, high: number, critical: number];

export interface TimeHistogram {
  fromNs: bigint;
  /** Exclusive. */
  toNs: bigint;
  bucketNs: bigint;
  /** Oldest first. */
  buckets: SeverityCounts[];
  gaps: GapInfo[];
  /** Some counts are estimates, or whole seconds or minutes were put into one bucket. */
  approximate: boolean;
}

/** The query without its outermost time terms, which the counting window already holds. */
function withoutTime(node: QueryNode): QueryNode {
  if (node.kind === 'time') return { kind: 'all' };
  if (node.kind !== 'and') return node;
  const rest = node.items.filter((item) => item.kind !== 'time');
  return rest.length === 0 ? { kind: 'all' } : and(...rest);
}

function isClassOnly(node: QueryNode): boolean {
  switch (node.kind) {
    case 'all':
      return true;
    case 'and':
    case 'or':
      return node.items.every(isClassOnly);
    case 'not':
      return isClassOnly(node.item);
    case 'match':
    case 'has':
    case 'compare':
    case 'range':
      return node.field === 'type' || node.field === 'severity' || node.field === 'lane';
    default:
      return false;
  }
}

/** Which classes of the rollups match. */
function classFilter(node: QueryNode): boolean[] {
  const matcher = compileMatcher(node);
  return Array.from({ length: CLASSES }, (_, cls) => {
    const type = EVENT_TYPES[cls >> 4];
    const severity = SEVERITIES[(cls >> 1) & 7];
    if (!type || !severity) return false;
    const lane = LANES[cls & 1] ?? 'security';
    const event: SentinelEvent = { eventId: 0, type, action: '', lane, tsNs: 0n, severity };
    return matcher(event);
  });
}

/** What estimates found so far: matches among all events of some partitions. */
interface Known {
  matches: number;
  events: number;
}

/** All events of a part of the record by bucket, from its rollups. */
function shapeOf(work: Work, view: PartitionView, zone: Zone, until: bigint): Float64Array {
  const whole: Work = {
    ...work,
    until: min(work.until, until),
    counts: new Float64Array(work.counts.length),
  };
  const classes = Array.from({ length: CLASSES }, () => true);
  new ClassCounter(whole, view, zone, classes, everything()).count();
  return whole.counts;
}

function addShare(work: Work, shape: Float64Array, share: number): void {
  for (const [at, count] of shape.entries()) {
    if (count > 0) work.counts[at] = (work.counts[at] ?? 0) + Math.round(count * share);
  }
}

/** Share of the rows of some chunks that match, times what the rollups count of the rest. */
function estimate(
  work: Work,
  view: PartitionView,
  zone: Zone,
  test: Test<EventBlock>,
  left: readonly ChunkHead[],
  known: Known,
): void {
  if (left.length === 0) return;
  const sampled: Work = { ...work, counts: new Float64Array(work.counts.length) };
  let looked = 0;
  let passed = 0;
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    const head = left[Math.floor(((sample + 0.5) * left.length) / SAMPLES)];
    if (!head) continue;
    if (!test.may(head.zone, head.bloom)) {
      looked += head.zone.rows;
      continue;
    }
    const counted = countBlock(sampled, view.blocks.load(head), test, work.since, work.until);
    looked += counted.looked;
    passed += counted.passed;
  }
  const until = left.reduce((last, head) => max(last, head.zone.maxTs + 1n), 0n);
  const shape = shapeOf(work, view, zone, until);
  const events = sumOf(shape);
  known.events += events;
  if (passed === 0 || looked === 0) return;
  // The shape over time is that of all events; the amount is that of the chunks that may match.
  const matches = (passed / looked) * left.reduce((total, head) => total + head.zone.rows, 0);
  known.matches += matches;
  addShare(work, shape, matches / Math.max(1, events));
}

/** 0 … count - 1 so that any first few of them are spread over all: by their bits in reverse. */
function spread(count: number): number[] {
  const bits = Math.ceil(Math.log2(Math.max(2, count)));
  const reversed = (index: number): number => {
    let from = index;
    let to = 0;
    for (let bit = 0; bit < bits; bit += 1, from >>= 1) to = (to << 1) | (from & 1);
    return to;
  };
  return Array.from({ length: count }, (_, index) => index).sort((a, b) => reversed(a) - reversed(b));
}

const sumOf = (numbers: Float64Array): number => numbers.reduce((total, one) => total + one, 0);

export interface HistogramOptions {
  budgetMs?: number;
  nowNs?: bigint;
}

/** The chunks of one partition, newest first, until time is up; returns those that are left. */
function* countChunks(
  work: Work,
  view: PartitionView,
  test: Test<EventBlock>,
  deadlineMs: number,
): Generator<void, ChunkHead[]> {
  const heads = view.heads(test, work.since, work.until - 1n);
  for (let at = heads.length - 1; at >= 0; at -= 1) {
    if (performance.now() > deadlineMs) return heads.slice(0, at + 1);
    const head = heads[at];
    if (!head || !test.may(head.zone, head.bloom)) continue;
    countBlock(work, view.blocks.load(head), test, work.since, work.until);
    yield;
  }
  return [];
}

function* countAll(
  work: Work,
  node: QueryNode,
  nowNs: bigint,
  countByMs: number,
  deadlineMs: number,
): Generator<void, void> {
  const { reader } = work;
  const rest = withoutTime(node);
  const classes = isClassOnly(rest) ? classFilter(rest) : undefined;
  const partitions = partitionsWithin(reader, work.since, work.until - 1n);
  const known: Known = { matches: 0, events: 0 };
  let done = 0;
  for (const { n, zone } of partitions) {
    if (!classes && performance.now() > countByMs) break;
    done += 1;
    const view = new PartitionView(reader, n);
    const test = new Planner(view, nowNs).plan(rest);
    if (!test.may(zone, undefined)) continue;
    if (classes) new ClassCounter(work, view, zone, classes, test).count();
    else {
      const before = sumOf(work.counts);
      const left = yield* countChunks(work, view, test, countByMs);
      if (left.length === 0) {
        // What lies partly outside the window says less of the others.
        if (zone.minTs < work.since || zone.maxTs >= work.until) continue;
        known.matches += sumOf(work.counts) - before;
        known.events += zone.rows;
      } else {
        work.approximate = true;
        estimate(work, view, zone, test, left, known);
      }
    }
    yield;
  }
  const left = partitions.slice(done);
  if (left.length > 0) work.approximate = true;
  const unseen: { view: PartitionView; zone: Zone }[] = [];
  for (const index of spread(left.length)) {
    const { n, zone } = left[index]!;
    const view = new PartitionView(reader, n);
    if (performance.now() > deadlineMs && known.events > 0) {
      unseen.push({ view, zone });
      continue;
    }
    const test = new Planner(view, nowNs).plan(rest);
    if (test.may(zone, undefined))
      estimate(work, view, zone, test, view.heads(test, work.since, work.until - 1n), known);
    else known.events += zone.rows;
    yield;
  }
  const share = known.matches / Math.max(1, known.events);
  for (const { view, zone } of unseen) {
    addShare(work, shapeOf(work, view, zone, zone.maxTs + 1n), share);
    yield;
  }
}

/** Counts matches of [from, to) in `buckets` equal spans, with the gaps of that time; in small steps. */
export function* countByTime(
  reader: Reader,
  node: QueryNode,
  from: bigint,
  to: bigint,
  buckets: number,
  options: HistogramOptions = {},
): Generator<void, TimeHistogram> {
  const nowNs = options.nowNs ?? BigInt(Date.now()) * 1_000_000n;
  const begunMs = performance.now();
  const budgetMs = options.budgetMs ?? DEFAULT_BUDGET_MS;
  const count = Math.max(1, Math.min(Math.floor(buckets), MAX_BUCKETS));
  const first = max(from, 0n);
  const end = to > first ? to : first + 1n;
  const width = max(1n, (end - first + BigInt(count) - 1n) / BigInt(count));
  const bounds = timeBounds(node, nowNs);
  const work: Work = {
    reader,
    from: first,
    since: max(first, bounds.from),
    until: min(end, bounds.to + 1n),
    width,
    counts: new Float64Array(count * STEP),
    approximate: false,
  };
  if (work.since < work.until)
    yield* countAll(work, node, nowNs, begunMs + budgetMs * COUNTING, begunMs + budgetMs);
  return {
    fromNs: first,
    toNs: end,
    bucketNs: width,
    buckets: Array.from({ length: count }, (_, bucket) => {
      return [...work.counts.subarray(bucket * STEP, (bucket + 1) * STEP)] as SeverityCounts;
    }),
    gaps: readGaps(reader.db, first, end, MAX_GAPS),
    approximate: work.approximate,
  };
}
