/**
 * Pages of events, newest first, by key (time, id). Partitions are asked from the newest on; as soon as none that is
 * left can hold a newer event than the last of the page, the page is complete. A query that runs out of time returns
 * what is certain so far and where to go on.
 */
import type { SentinelEvent } from '../event.ts';
import { readPartitions, type Partition } from './catalog.ts';
import { isExact, type Condition } from './conditions.ts';
import { TimelineCursorError } from './errors.ts';
import type { QueryNode } from './query-ast.ts';
import { compileMatcher, type EventTest } from './query-match.ts';
import { QueryCompiler } from './query-sql.ts';
import { resolveMoment } from './query-values.ts';
import { PartitionReader, type Reader } from './reader.ts';
import { EVENT_ROW } from './schema.ts';
import type { Cell } from './snapshot.ts';

/** A place between events in the order (time, id). */
export interface Position {
  ts: bigint;
  id: number;
}

export function formatPosition(position: Position): string {
  return `${position.ts}.${position.id}`;
}

export function parsePosition(text: string): Position {
  const match = /^(-?\d{1,19})\.(\d{1,16})$/.exec(text);
  if (!match)
    throw new TimelineCursorError(
      `${text.slice(0, 60)} is not a page of this timeline: start again without it`,
    );
  return { ts: BigInt(match[1] ?? '0'), id: Number(match[2]) };
}

const LAST: Position = { ts: 9_223_372_036_854_775_807n, id: Number.MAX_SAFE_INTEGER };
const FIRST: Position = { ts: -9_223_372_036_854_775_807n, id: -1 };

export interface Page {
  events: SentinelEvent[];
  /** Cursors; absent at that end of the record. */
  older?: string;
  newer?: string;
  /** Time ran out: go on with `older` (or `newer`) for the rest. */
  partial: boolean;
}

interface Found {
  ts: bigint;
  id: number;
  event: SentinelEvent;
}

/** Bounds on time, both inclusive, that every match of the query lies within. */
export function timeBounds(node: QueryNode, nowNs: bigint): { from: bigint; to: bigint } {
  let from = FIRST.ts;
  let to = LAST.ts;
  for (const part of node.kind === 'and' ? node.items : [node]) {
    if (part.kind !== 'time') continue;
    const moment = resolveMoment(part.at, nowNs);
    const first = part.op === 'gt' ? moment + 1n : moment;
    const last = part.op === 'lt' ? moment - 1n : moment;
    if ((part.op === 'ge' || part.op === 'gt') && first > from) from = first;
    if ((part.op === 'le' || part.op === 'lt') && last < to) to = last;
  }
  return { from, to };
}

/** Share of a page that the rows before gave; below it later partitions are scanned rather than walked. */
const SPARSE = 0.1;
/** Rows that a walk tests between two looks at the clock. */
const STRETCH_ROWS = 4096;
/** A driven condition with at least this many rows is common enough to walk by time instead. */
const COMMON_ROWS = 20_000;

type Direction = 'older' | 'newer';

interface Scan {
  reader: Reader;
  node: QueryNode;
  nowNs: bigint;
  matcher: EventTest;
  direction: Direction;
  /** Exclusive. */
  start: Position;
  limit: number;
  deadlineMs: number;
}

interface Plan {
  from: string;
  order: string;
  /** '+' keeps SQLite from using the index on time. */
  plus: string;
  drive?: string;
  /** Few rows are looked at. */
  few: boolean;
}

/** How rows are reached: by an index that drives, by time, or by a scan with a sort. */
function planOf(scan: Scan, n: number, condition: Condition, sparse: boolean): Plan {
  const { db } = scan.reader;
  const descending = scan.direction === 'older' ? ' DESC' : '';
  const sorted = { order: `+e.ts${descending}, e.id${descending}`, plus: '+' };
  const walk = {
    from: `e${n} e INDEXED BY e${n}_ts`,
    order: `e.ts${descending}, e.id${descending}`,
    plus: '',
    few: false,
  };
  const rowsOf = (from: string, limit: number): number =>
    Number(db.prepare(`SELECT count(*) AS c FROM (SELECT 1 ${from} LIMIT ${limit})`).get()?.['c']);
  let best: Plan | undefined;
  let least = COMMON_ROWS;
  if (condition.raised) {
    least = rowsOf(`FROM e${n} INDEXED BY e${n}_sev WHERE sev >= 1`, COMMON_ROWS);
    best = { ...walk, from: `e${n} e INDEXED BY e${n}_sev`, few: least < COMMON_ROWS };
  }
  for (const drive of condition.drives ?? []) {
    if (least === 0) break;
    const rows = rowsOf(`FROM e${n} e WHERE ${drive}`, least);
    if (rows < least) best = { from: `e${n} e`, ...sorted, drive, few: true };
    least = Math.min(least, rows);
  }
  if (best) return best;
  if (condition.drives) return walk;
  return sparse ? { from: `e${n} e NOT INDEXED`, ...sorted, few: false } : walk;
}

/** The place `rows` rows further on from a moment, where a stretch of a walk ends; undefined at the partition's end. */
function stretchEnd(scan: Scan, n: number, from: bigint, rows: number): bigint | undefined {
  const [side, descending] = scan.direction === 'older' ? ['<=', ' DESC'] : ['>=', ''];
  const select = scan.reader.db.prepare(
    `SELECT ts FROM e${n} INDEXED BY e${n}_ts WHERE ts ${side} ? ORDER BY ts${descending} LIMIT 1 OFFSET ?`,
  );
  select.setReadBigInts(true);
  const row = select.get(from, rows) as { ts: bigint } | undefined;
  return row && row.ts !== from ? row.ts : undefined;
}

/** Position before all events of that moment, in the direction. */
function edgeOf(direction: Direction, ts: bigint): Position {
  return { ts, id: direction === 'older' ? Number.MAX_SAFE_INTEGER : -1 };
}

/** Up to `limit` matches of one partition, in order. Returns the place to go on from when time ran out. */
function scanPartition(
  scan: Scan,
  partition: Partition,
  sparse: boolean,
  into: Found[],
): Position | undefined {
  const { reader, direction } = scan;
  const { n } = partition;
  reader.tests.enter(n);
  const condition = new QueryCompiler(reader, n, scan.nowNs, false).compile(scan.node);
  if (condition.upper === '0') return undefined;
  // A condition that calls back may be slow and may match nothing: it is tried stretch by stretch.
  const calls = /\b(leaf|value)\(/.test(condition.upper);
  const plan = planOf(scan, n, condition, sparse && isExact(condition) && !calls);
  const decoder = new PartitionReader(reader, n);
  let wanted = scan.limit;
  let { start } = scan;
  const first = direction === 'older' ? partition.maxTs : partition.minTs;
  if (direction === 'older' ? start.ts > first : start.ts < first) start = edgeOf(direction, first);
  for (;;) {
    const end = calls && !plan.few ? stretchEnd(scan, n, start.ts, STRETCH_ROWS) : undefined;
    const before = into.length;
    const stopped = scanStretch({ ...scan, start, limit: wanted }, n, condition, plan, end, decoder, into);
    wanted -= into.length - before;
    if (stopped || end === undefined || wanted <= 0) return stopped;
    start = edgeOf(direction, end);
    if (performance.now() > scan.deadlineMs) return start;
  }
}

function scanStretch(
  scan: Scan,
  n: number,
  condition: Condition,
  plan: Plan,
  end: bigint | undefined,
  decoder: PartitionReader,
  into: Found[],
): Position | undefined {
  const { start, limit } = scan;
  const exact = isExact(condition);
  const [side, back] = scan.direction === 'older' ? ['<', '>'] : ['>', '<'];
  const ts = `${plan.plus}e.ts`;
  const where = [
    `${ts} ${side}= ${start.ts}`,
    `(${ts} ${side} ${start.ts} OR e.id ${side} ${start.id})`,
    ...(end === undefined ? [] : [`${ts} ${back} ${end}`]),
    ...(plan.drive === undefined ? [] : [plan.drive]),
    ...(condition.raised ? ['e.sev >= 1'] : []),
    condition.upper,
  ];
  const select = scan.reader.db.prepare(
    `SELECT ${EVENT_ROW} FROM ${plan.from} WHERE ${where.join(' AND ')}
     ORDER BY ${plan.order} ${exact ? `LIMIT ${limit}` : ''}`,
  );
  select.setReturnArrays(true);
  select.setReadBigInts(true);
  let taken = 0;
  let looked = 0;
  for (const row of select.iterate() as Iterable<unknown> as Iterable<Cell[]>) {
    const event = decoder.event(row);
    looked += 1;
    if (exact || scan.matcher(event)) {
      into.push({ ts: event.tsNs, id: event.eventId, event });
      taken += 1;
      if (taken >= limit) break;
    }
    if (!exact && looked % 64 === 0 && performance.now() > scan.deadlineMs) {
      return { ts: event.tsNs, id: event.eventId };
    }
  }
  return undefined;
}

function order(direction: Direction): (a: Found, b: Found) => number {
  const sign = direction === 'older' ? -1 : 1;
  return (a, b) => (a.ts === b.ts ? (a.id - b.id) * sign : a.ts < b.ts ? -sign : sign);
}

interface Collected {
  found: Found[];
  /** Where the search stopped before the end, when time ran out. */
  stopped?: Position;
}

/** First `limit` matches from `start` in the direction. */
function collect(scan: Scan): Collected {
  const older = scan.direction === 'older';
  const bounds = timeBounds(scan.node, scan.nowNs);
  const ahead = readPartitions(scan.reader.db).filter(
    ({ rows, minTs, maxTs }) =>
      rows > 0 &&
      maxTs >= bounds.from &&
      minTs <= bounds.to &&
      (older ? minTs <= scan.start.ts : maxTs >= scan.start.ts),
  );
  ahead.sort((a, b) => {
    const [left, right] = older ? [b.maxTs, a.maxTs] : [a.minTs, b.minTs];
    return left < right ? -1 : left > right ? 1 : 0;
  });
  let found: Found[] = [];
  const compare = order(scan.direction);
  /** Nothing beyond this place is certain: an earlier partition was left unfinished there. */
  let stopped: Position | undefined;
  const stopAt = (place: Position): void => {
    if (!stopped || (older ? place.ts > stopped.ts : place.ts < stopped.ts)) stopped = place;
  };
  for (const [index, partition] of ahead.entries()) {
    const last = found[scan.limit - 1];
    const edge = older ? partition.maxTs : partition.minTs;
    if (last && (older ? last.ts > edge : last.ts < edge)) break;
    if (stopped && (older ? stopped.ts > edge : stopped.ts < edge)) break;
    if (index > 0 && performance.now() > scan.deadlineMs) {
      stopAt(edgeOf(scan.direction, edge));
      break;
    }
    const sparse = index > 0 && found.length < scan.limit * SPARSE * index;
    const place = scanPartition(scan, partition, sparse, found);
    if (place) stopAt(place);
    found = found.sort(compare).slice(0, scan.limit);
  }
  if (stopped) {
    const { ts, id } = stopped;
    const certain = (item: Found): boolean =>
      older
        ? item.ts > ts || (item.ts === ts && item.id >= id)
        : item.ts < ts || (item.ts === ts && item.id <= id);
    found = found.filter(certain);
    if (found.length >= scan.limit) stopped = undefined;
  }
  return { found, stopped };
}

export interface PageOptions {
  limit: number;
  /** Events older than this cursor (the default: than the end), newest first. */
  before?: string;
  /** The events right after this cursor, also newest first. */
  after?: string;
  /** Time after which a partial page is returned. */
  budgetMs?: number;
  nowNs?: bigint;
}

const DEFAULT_BUDGET_MS = 150;
const MAX_LIMIT = 5000;

/** One page. Throws TimelineCursorError for a cursor that is not one. */
export function queryPage(reader: Reader, node: QueryNode, options: PageOptions): Page {
  const nowNs = options.nowNs ?? BigInt(Date.now()) * 1_000_000n;
  const direction: Direction = options.after === undefined ? 'older' : 'newer';
  const given = options.after ?? options.before;
  const start = given === undefined ? LAST : parsePosition(given);
  const limit = Math.max(1, Math.min(Math.floor(options.limit), MAX_LIMIT));
  const deadlineMs = performance.now() + (options.budgetMs ?? DEFAULT_BUDGET_MS);
  const scan: Scan = {
    reader,
    node,
    nowNs,
    matcher: compileMatcher(node, () => nowNs),
    direction,
    start,
    // One more tells whether there is anything beyond the page.
    limit: limit + 1,
    deadlineMs,
  };
  const { found, stopped } = collect(scan);
  const beyond = found.length > limit;
  const shown = found.slice(0, limit);
  const end = shown.at(-1);
  const next = beyond && end ? formatPosition(end) : stopped ? formatPosition(stopped) : undefined;
  const page: Page = { events: shown.map(({ event }) => event), partial: stopped !== undefined };
  if (direction === 'older') {
    page.older = next;
    if (given !== undefined) page.newer = formatPosition(shown[0] ?? start);
  } else {
    page.events.reverse();
    page.newer = next;
    page.older = formatPosition(shown[0] ?? { ts: start.ts, id: start.id + 1 });
  }
  return page;
}
