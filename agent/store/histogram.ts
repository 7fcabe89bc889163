/**
 * Counts over time. Queries about type, severity, lane and time alone are answered by the rollups; others are counted
 * chunk by chunk, newest first, and once the time is up the rest is estimated from samples and marked so.
 */
import { EVENT_TYPES, LANES, SEVERITIES, type GapInfo, type SentinelEvent } from '../event.ts';
import type { ChunkHead, EventBlock } from './blocks.ts';
import { numbersOf, splitHigh, splitLow } from './column-pack.ts';
import { readGaps } from './gaps.ts';
import { everything, type Test } from './masks.ts';
import { Planner } from './plan.ts';
import { and, type QueryNode } from './query-ast.ts';
import { compileMatcher } from './query-match.ts';
import { CLASSES } from './rollups.ts';
import { HOT } from './schema.ts';
import { timeBounds } from './time-order.ts';
import { PartitionView, partitionsWithin, type Reader } from './view.ts';
import type { Zone } from './zones.ts';

const NS_PER_SECOND = 1_000_000_000n;
const NS_PER_MINUTE = 60n * NS_PER_SECOND;
const TWO_32 = 4_294_967_296;
const MAX_BUCKETS = 5000;
const MAX_GAPS = 500;
const DEFAULT_BUDGET_MS = 300;
/** Share of the budget for counting; the rest is for estimates of what could not be counted. */
const COUNTING = 0.7;
/** Time for estimates after the budget; what is older than the last estimate is left out. */
const HARD_LIMIT_MS = 1000;
/** Chunks looked at in a partition that there was no time for. */
const SAMPLES = 3;
/** Buckets of at least this many cells may take whole cells at their borders. */
const MIN_CELLS = 5n;

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

interface Work {
  reader: Reader;
  from: bigint;
  /** Counting window, within the histogram and the query's own bounds; `until` is exclusive. */
  since: bigint;
  until: bigint;
  width: bigint;
  /** Bucket * SEVERITIES.length + severity. */
  counts: Float64Array;
  approximate: boolean;
}

const STEP = SEVERITIES.length;

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

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** Counts the rows of a chunk that lie in [since, until) and pass; returns how many were looked at and passed. */
function countBlock(
  work: Work,
  block: EventBlock,
  test: Test<EventBlock>,
  since: bigint,
  until: bigint,
): { looked: number; passed: number } {
  const mask = new Uint8Array(block.rows).fill(1);
  const { hot } = block;
  const highs = numbersOf(hot[HOT.tsHi]);
  const lows = numbersOf(hot[HOT.tsLo]);
  const sinceHigh = splitHigh(since);
  const sinceLow = splitLow();
  const untilHigh = splitHigh(until);
  const untilLow = splitLow();
  let looked = block.rows;
  const { zone } = block.head;
  if (zone.minTs < since || zone.maxTs >= until) {
    looked = 0;
    for (let row = 0; row < mask.length; row += 1) {
      const high = highs[row] ?? 0;
      const low = lows[row] ?? 0;
      const early = (high - sinceHigh || low - sinceLow) < 0;
      const late = (high - untilHigh || low - untilLow) >= 0;
      if (early || late) mask[row] = 0;
      else looked += 1;
    }
  }
  test.narrow(block, mask);
  const fromHigh = splitHigh(work.from);
  const fromLow = splitLow();
  const width = Number(work.width);
  const severities = numbersOf(hot[HOT.severity]);
  let passed = 0;
  for (let row = 0; row < mask.length; row += 1) {
    if (mask[row] === 0) continue;
    // Exact below 2^53 ns, 104 days; beyond, a bucket's border is off by some nanoseconds.
    const offset = ((highs[row] ?? 0) - fromHigh) * TWO_32 + ((lows[row] ?? 0) - fromLow);
    const at = Math.floor(offset / width) * STEP + (severities[row] ?? 0);
    work.counts[at] = (work.counts[at] ?? 0) + 1;
    passed += 1;
  }
  return { looked, passed };
}

/** Rows of [since, until) of a partition, counted from its chunks. */
function countRows(
  work: Work,
  view: PartitionView,
  test: Test<EventBlock>,
  since: bigint,
  until: bigint,
): void {
  if (since >= until) return;
  for (const head of view.heads(test, since, until - 1n)) {
    if (!test.may(head.zone, head.bloom)) continue;
    countBlock(work, view.blocks.load(head), test, since, until);
  }
}

/** Cells of [since, until) of one rollup table, both multiples of `unit`. */
function countCells(
  work: Work,
  table: string,
  unit: bigint,
  since: bigint,
  until: bigint,
  classes: boolean[],
): void {
  if (since >= until) return;
  const select = work.reader.db.prepare(`SELECT cell, n FROM ${table} WHERE cell >= ? AND cell < ?`);
  select.setReturnArrays(true);
  const [low, high] = [Number(since / unit) * CLASSES, Number(until / unit) * CLASSES];
  for (const [cell = 0, count = 0] of select.iterate(low, high) as Iterable<unknown> as Iterable<number[]>) {
    const cls = cell % CLASSES;
    if (!classes[cls]) continue;
    const ts = max(BigInt(Math.floor(cell / CLASSES)) * unit, work.from);
    const at = Number((ts - work.from) / work.width) * STEP + ((cls >> 1) & 7);
    work.counts[at] = (work.counts[at] ?? 0) + count;
  }
}

/** Whole units within [from, to). */
function inside(unit: bigint, from: bigint, to: bigint): [first: bigint, last: bigint] {
  const first = ((from + unit - 1n) / unit) * unit;
  return [first, max(first, (to / unit) * unit)];
}

/** Rollups for the whole units inside the window, finer ones or rows for its ends. */
class ClassCounter {
  private readonly work: Work;
  private readonly view: PartitionView;
  private readonly zone: Zone;
  private readonly classes: boolean[];
  private readonly test: Test<EventBlock>;

  constructor(work: Work, view: PartitionView, zone: Zone, classes: boolean[], test: Test<EventBlock>) {
    this.work = work;
    this.view = view;
    this.zone = zone;
    this.classes = classes;
    this.test = test;
  }

  private isAligned(unit: bigint): boolean {
    return this.work.width % unit === 0n && this.work.from % unit === 0n;
  }

  private isUsable(unit: bigint): boolean {
    return this.isAligned(unit) || this.work.width >= unit * MIN_CELLS;
  }

  private cells(unit: bigint, since: bigint, until: bigint): void {
    if (since >= until) return;
    if (!this.isAligned(unit)) this.work.approximate = true;
    const table = `${unit === NS_PER_MINUTE ? 'm' : 'r'}${this.view.n}`;
    countCells(this.work, table, unit, since, until, this.classes);
  }

  private rows(since: bigint, until: bigint): void {
    countRows(this.work, this.view, this.test, since, until);
  }

  private seconds(since: bigint, until: bigint): void {
    const [first, last] = inside(NS_PER_SECOND, since, until);
    if (!this.isUsable(NS_PER_SECOND) || first >= last) {
      this.rows(since, until);
      return;
    }
    this.rows(since, first);
    this.cells(NS_PER_SECOND, first, last);
    this.rows(last, until);
  }

  count(): void {
    const { work, zone } = this;
    const since = max(work.since, zone.minTs);
    const until = min(work.until, zone.maxTs + 1n);
    const unit = this.isUsable(NS_PER_MINUTE) ? NS_PER_MINUTE : NS_PER_SECOND;
    // A partition that lies wholly in the window needs no exact ends: its own rollups are all of it.
    if (since === zone.minTs && until > zone.maxTs && this.isUsable(unit)) {
      this.cells(unit, (since / unit) * unit, (until / unit + 1n) * unit);
      return;
    }
    const [first, last] = inside(NS_PER_MINUTE, since, until);
    if (unit !== NS_PER_MINUTE || first >= last) {
      this.seconds(since, until);
      return;
    }
    this.seconds(since, first);
    this.cells(NS_PER_MINUTE, first, last);
    this.seconds(last, until);
  }
}

/** Share of the rows of some chunks that match, times what the rollups count of the rest. */
function estimate(
  work: Work,
  view: PartitionView,
  zone: Zone,
  test: Test<EventBlock>,
  left: readonly ChunkHead[],
): void {
  if (left.length === 0) return;
  work.approximate = true;
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
  if (passed === 0 || looked === 0) return;
  const until = left.reduce((last, head) => max(last, head.zone.maxTs + 1n), 0n);
  const whole: Work = {
    ...work,
    until: min(work.until, until),
    counts: new Float64Array(work.counts.length),
  };
  const classes = Array.from({ length: CLASSES }, () => true);
  new ClassCounter(whole, view, zone, classes, everything()).count();
  // The shape over time is that of all events; the amount is that of the chunks that may match.
  const rows = left.reduce((total, head) => total + head.zone.rows, 0);
  const share = ((passed / looked) * rows) / Math.max(1, sumOf(whole.counts));
  for (const [at, count] of whole.counts.entries()) {
    if (count > 0) work.counts[at] = (work.counts[at] ?? 0) + Math.round(count * share);
  }
}

const sumOf = (numbers: Float64Array): number => numbers.reduce((total, one) => total + one, 0);

export interface HistogramOptions {
  budgetMs?: number;
  nowNs?: bigint;
}

function countAll(work: Work, node: QueryNode, nowNs: bigint, deadlineMs: number): void {
  const { reader } = work;
  const rest = withoutTime(node);
  const classes = isClassOnly(rest) ? classFilter(rest) : undefined;
  for (const { n, zone } of partitionsWithin(reader, work.since, work.until - 1n)) {
    if (performance.now() > deadlineMs + HARD_LIMIT_MS) {
      work.approximate = true;
      return;
    }
    const view = new PartitionView(reader, n);
    const test = new Planner(view, nowNs).plan(rest);
    if (!test.may(zone, undefined)) continue;
    if (classes) {
      new ClassCounter(work, view, zone, classes, test).count();
      continue;
    }
    const heads = view.heads(test, work.since, work.until - 1n);
    for (let at = heads.length - 1; at >= 0; at -= 1) {
      if (performance.now() > deadlineMs) {
        estimate(work, view, zone, test, heads.slice(0, at + 1));
        break;
      }
      const head = heads[at];
      if (!head || !test.may(head.zone, head.bloom)) continue;
      countBlock(work, view.blocks.load(head), test, work.since, work.until);
    }
  }
}

/** Counts matches of [from, to) in `buckets` equal spans, with the gaps of that time. */
export function countByTime(
  reader: Reader,
  node: QueryNode,
  from: bigint,
  to: bigint,
  buckets: number,
  options: HistogramOptions = {},
): TimeHistogram {
  const nowNs = options.nowNs ?? BigInt(Date.now()) * 1_000_000n;
  const deadlineMs = performance.now() + (options.budgetMs ?? DEFAULT_BUDGET_MS) * COUNTING;
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
  if (work.since < work.until) countAll(work, node, nowNs, deadlineMs);
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
