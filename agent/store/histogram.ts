/**
 * Counts over time. Queries about type, severity, lane and time alone are answered by the rollups; others are counted
 * row by row, newest partition first, and once the time is up the rest is estimated from samples and marked so.
 */
import { EVENT_TYPES, LANES, SEVERITIES, type GapInfo, type SentinelEvent } from '../event.ts';
import { readPartitions, type Partition } from './catalog.ts';
import { isExact } from './conditions.ts';
import { BudgetError } from './errors.ts';
import { readGaps } from './gaps.ts';
import { timeBounds } from './pages.ts';
import { and, type QueryNode } from './query-ast.ts';
import { compileMatcher, type EventTest } from './query-match.ts';
import { QueryCompiler } from './query-sql.ts';
import { PartitionReader, type Reader } from './reader.ts';
import { CLASSES } from './rollups.ts';
import { EVENT_ROW } from './schema.ts';
import type { Cell } from './snapshot.ts';

const NS_PER_SECOND = 1_000_000_000n;
const MAX_BUCKETS = 5000;
const MAX_GAPS = 500;
const DEFAULT_BUDGET_MS = 300;
/** Rows looked at in each of SAMPLES places of a partition that there was no time for. */
const SAMPLE_ROWS = 32;
const SAMPLES = 4;
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
  buckets: SeverityCounts[];
  approximate: boolean;
}

function isTime(node: QueryNode): boolean {
  return node.kind === 'time';
}

/** The query without its outermost time terms, which the counting window already holds. */
function withoutTime(node: QueryNode): QueryNode {
  if (isTime(node)) return { kind: 'all' };
  if (node.kind !== 'and') return node;
  const rest = node.items.filter((item) => !isTime(item));
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
    const event: SentinelEvent = {
      eventId: 0,
      type,
      action: '',
      lane: LANES[cls & 1] ?? 'security',
      tsNs: 0n,
      severity,
    };
    return matcher(event);
  });
}

function add(work: Work, ts: bigint, severity: number, count: number): void {
  const bucket = work.buckets[Number((ts - work.from) / work.width)];
  if (bucket) bucket[severity as 0] = (bucket[severity as 0] ?? 0) + count;
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** An index on the condition, all rows, or the index on time. */
type RowAccess = 'drive' | 'scan' | 'time';

/** Rows of [since, until) of a partition that satisfy `where`, counted by SQL. */
function countRows(work: Work, n: number, since: bigint, until: bigint, where: string, by: RowAccess): void {
  if (since >= until) return;
  const index = by === 'drive' ? '' : by === 'scan' ? 'NOT INDEXED' : `INDEXED BY e${n}_ts`;
  const ts = by === 'drive' ? '+e.ts' : 'e.ts';
  const select = work.reader.db.prepare(
    `SELECT (e.ts - ${work.from}) / ${work.width} AS b, e.sev AS sev, count(*) AS c FROM e${n} e ${index}
     WHERE ${ts} >= ${since} AND ${ts} < ${until} AND ${where} GROUP BY b, sev`,
  );
  for (const { b, sev, c } of select.all() as { b: number; sev: number; c: number }[]) {
    const bucket = work.buckets[b];
    if (bucket) bucket[sev as 0] = (bucket[sev as 0] ?? 0) + c;
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
    if (classes[cls])
      add(work, max(BigInt(Math.floor(cell / CLASSES)) * unit, work.from), (cls >> 1) & 7, count);
  }
}

/** Rollups for the whole units inside the window, finer ones or rows for its ends. */
function countClasses(work: Work, partition: Partition, classes: boolean[], node: QueryNode): void {
  const { n } = partition;
  const since = max(work.since, partition.minTs);
  const until = min(work.until, partition.maxTs + 1n);
  const aligned = (unit: bigint): boolean => work.width % unit === 0n && work.from % unit === 0n;
  const usable = (unit: bigint): boolean => aligned(unit) || work.width >= unit * MIN_CELLS;
  const inside = (unit: bigint, from: bigint, to: bigint): [bigint, bigint] => {
    const first = ((from + unit - 1n) / unit) * unit;
    return [first, max(first, (to / unit) * unit)];
  };
  const minute = NS_PER_SECOND * 60n;
  const rows = (from: bigint, to: bigint): void => {
    if (from >= to) return;
    const { upper } = new QueryCompiler(work.reader, n, 0n, true).compile(node);
    countRows(work, n, from, to, upper, 'time');
  };
  const seconds = (from: bigint, to: bigint): void => {
    if (from >= to) return;
    if (!usable(NS_PER_SECOND)) {
      rows(from, to);
      return;
    }
    if (!aligned(NS_PER_SECOND)) work.approximate = true;
    const [first, last] = inside(NS_PER_SECOND, from, to);
    if (first >= last) {
      rows(from, to);
      return;
    }
    rows(from, first);
    countCells(work, `r${n}`, NS_PER_SECOND, first, last, classes);
    rows(last, to);
  };
  // A partition that lies wholly in the window needs no exact ends: its own rollups are all of it.
  const whole = work.since <= partition.minTs && work.until > partition.maxTs;
  const unit = usable(minute) ? minute : NS_PER_SECOND;
  if (whole && usable(unit)) {
    if (!aligned(unit)) work.approximate = true;
    const [first, last] = [(since / unit) * unit, (until / unit + 1n) * unit];
    countCells(work, unit === minute ? `m${n}` : `r${n}`, unit, first, last, classes);
    return;
  }
  if (unit !== minute) {
    seconds(since, until);
    return;
  }
  if (!aligned(minute)) work.approximate = true;
  const [first, last] = inside(minute, since, until);
  if (first >= last) {
    seconds(since, until);
    return;
  }
  seconds(since, first);
  countCells(work, `m${n}`, minute, first, last, classes);
  seconds(last, until);
}

/** Share of the rows at a few places that match, times what the rollups count. */
function estimate(work: Work, partition: Partition, matcher: EventTest): void {
  const { reader } = work;
  const { n } = partition;
  work.approximate = true;
  const decoder = new PartitionReader(reader, n);
  const select = reader.db.prepare(
    `SELECT ${EVENT_ROW} FROM e${n} e INDEXED BY e${n}_ts WHERE ts >= ? AND ts < ? ORDER BY ts LIMIT ${SAMPLE_ROWS}`,
  );
  select.setReturnArrays(true);
  select.setReadBigInts(true);
  const since = max(work.since, partition.minTs);
  const until = min(work.until, partition.maxTs + 1n);
  let looked = 0;
  let matched = 0;
  for (let place = 0n; place < SAMPLES; place += 1n) {
    const from = since + ((until - since) * place) / BigInt(SAMPLES);
    for (const row of select.iterate(from, until) as Iterable<unknown> as Iterable<Cell[]>) {
      looked += 1;
      if (matcher(decoder.event(row))) matched += 1;
    }
  }
  if (matched === 0) return;
  const part: Work = { ...work, buckets: work.buckets.map((): SeverityCounts => [0, 0, 0, 0, 0]) };
  countClasses(
    part,
    partition,
    Array.from({ length: CLASSES }, () => true),
    { kind: 'all' },
  );
  for (const [index, counts] of part.buckets.entries()) {
    const bucket = work.buckets[index];
    for (const [severity, count] of counts.entries()) {
      if (bucket) bucket[severity as 0] += Math.round((count * matched) / looked);
    }
  }
}

function countMatches(
  work: Work,
  partition: Partition,
  node: QueryNode,
  matcher: EventTest,
  nowNs: bigint,
): void {
  const { reader } = work;
  const { n } = partition;
  reader.tests.enter(n);
  const condition = new QueryCompiler(reader, n, nowNs, true).compile(node);
  if (condition.upper === '0') return;
  const since = max(work.since, partition.minTs);
  const until = min(work.until, partition.maxTs + 1n);
  if (isExact(condition)) {
    const whole = since === partition.minTs && until > partition.maxTs;
    const drive = condition.drives?.[0];
    if (drive !== undefined) countRows(work, n, since, until, `${drive} AND ${condition.upper}`, 'drive');
    else countRows(work, n, since, until, condition.upper, whole ? 'scan' : 'time');
    return;
  }
  const select = reader.db.prepare(
    `SELECT ${EVENT_ROW} FROM e${n} e WHERE e.ts >= ${since} AND e.ts < ${until} AND ${condition.upper}`,
  );
  select.setReturnArrays(true);
  select.setReadBigInts(true);
  const decoder = new PartitionReader(reader, n);
  const found: [bigint, number][] = [];
  let looked = 0;
  for (const row of select.iterate() as Iterable<unknown> as Iterable<Cell[]>) {
    looked += 1;
    if (looked % 64 === 0) reader.tests.checkClock();
    if (matcher(decoder.event(row))) found.push([BigInt(row[1] ?? 0), Number(row[3])]);
  }
  for (const [ts, severity] of found) add(work, ts, severity, 1);
}

export interface HistogramOptions {
  budgetMs?: number;
  nowNs?: bigint;
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
  const count = Math.max(1, Math.min(Math.floor(buckets), MAX_BUCKETS));
  const end = to > from ? to : from + 1n;
  const width = max(1n, (end - from + BigInt(count) - 1n) / BigInt(count));
  const bounds = timeBounds(node, nowNs);
  const work: Work = {
    reader,
    from,
    since: max(from, bounds.from),
    until: min(end, bounds.to + 1n),
    width,
    buckets: Array.from({ length: count }, (): SeverityCounts => [0, 0, 0, 0, 0]),
    approximate: false,
  };
  // The rest of the time is for estimates of what could not be counted.
  const deadlineMs = performance.now() + (options.budgetMs ?? DEFAULT_BUDGET_MS) * 0.6;
  const partitions = readPartitions(reader.db)
    .filter(({ rows, minTs, maxTs }) => rows > 0 && maxTs >= work.since && minTs < work.until)
    .toReversed();
  const rest = withoutTime(node);
  if (isClassOnly(rest)) {
    const classes = classFilter(rest);
    for (const partition of partitions) countClasses(work, partition, classes, rest);
  } else {
    const matcher = compileMatcher(node, () => nowNs);
    reader.tests.setDeadline(deadlineMs);
    for (const partition of partitions) {
      if (performance.now() > deadlineMs) {
        estimate(work, partition, matcher);
        continue;
      }
      try {
        countMatches(work, partition, node, matcher, nowNs);
      } catch (error) {
        if (!(error instanceof BudgetError)) throw error;
        estimate(work, partition, matcher);
      }
    }
  }
  return {
    fromNs: from,
    toNs: end,
    bucketNs: width,
    buckets: work.buckets,
    gaps: readGaps(reader.db, from, end, MAX_GAPS),
    approximate: work.approximate,
  };
}
