/** Counting for the histogram: rows of chunks one by one, and whole cells of the rollups. */
import { SEVERITIES } from '../event.ts';
import type { EventBlock } from './blocks.ts';
import { numbersOf, splitHigh, splitLow } from './column-pack.ts';
import type { Test } from './masks.ts';
import { CLASSES } from './rollups.ts';
import { HOT } from './schema.ts';
import type { PartitionView, Reader } from './view.ts';
import type { Zone } from './zones.ts';

const NS_PER_SECOND = 1_000_000_000n;
const NS_PER_MINUTE = 60n * NS_PER_SECOND;
const TWO_32 = 4_294_967_296;
/** Buckets of at least this many cells may take whole cells at their borders. */
const MIN_CELLS = 5n;

export interface Work {
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

export const STEP = SEVERITIES.length;

export const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
export const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** Counts the rows of a chunk that lie in [since, until) and pass; returns how many were looked at and passed. */
export function countBlock(
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
export class ClassCounter {
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
