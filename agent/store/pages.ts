/**
 * Pages of events, newest first, by key (time, id). Chunks are asked from the newest on; as soon as none that is left
 * can hold a newer event than the last of the page, the page is complete. A query that runs out of time returns what
 * is certain so far and where to go on.
 */
import type { SentinelEvent } from '../event.ts';
import type { ChunkHead, EventBlock } from './blocks.ts';
import { numbersOf, splitHigh, splitLow } from './column-pack.ts';
import type { Test } from './masks.ts';
import { Planner } from './plan.ts';
import type { QueryNode } from './query-ast.ts';
import { tsOf } from './row.ts';
import { HOT } from './schema.ts';
import {
  LAST,
  edgeOf,
  formatPosition,
  parsePosition,
  timeBounds,
  type Direction,
  type Position,
} from './time-order.ts';
import { PartitionView, partitionsWithin, type Reader } from './view.ts';
import type { Zone } from './zones.ts';

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
  view: PartitionView;
  block: EventBlock;
  row: number;
}

interface Scan {
  reader: Reader;
  node: QueryNode;
  nowNs: bigint;
  direction: Direction;
  /** Exclusive. */
  start: Position;
  limit: number;
  deadlineMs: number;
}

/** Orders by the direction; negative when a comes first. */
function compare(direction: Direction, a: Position, b: Position): number {
  const order = a.ts === b.ts ? a.id - b.id : a.ts < b.ts ? -1 : 1;
  return direction === 'older' ? -order : order;
}

/** End of a zone where a scan in the direction meets it. */
const edge = (direction: Direction, zone: Zone): bigint => (direction === 'older' ? zone.maxTs : zone.minTs);

const isBeyond = (direction: Direction, a: bigint, b: bigint): boolean =>
  direction === 'older' ? a < b : a > b;

/** Collects the first `limit` matches after `start`, kept in order. */
class Collector {
  private readonly scan: Scan;
  private readonly startHigh: number;
  private readonly startLow: number;
  found: Found[] = [];

  constructor(scan: Scan) {
    this.scan = scan;
    this.startHigh = splitHigh(scan.start.ts);
    this.startLow = splitLow();
  }

  /** Whether nothing at or beyond that moment can be among the first `limit` any more. */
  isFull(ts: bigint): boolean {
    const last = this.found[this.scan.limit - 1];
    return last !== undefined && isBeyond(this.scan.direction, ts, last.ts);
  }

  add(view: PartitionView, block: EventBlock, test: Test<EventBlock>): void {
    const mask = new Uint8Array(block.rows).fill(1);
    const { zone } = block.head;
    const { direction, start, limit } = this.scan;
    if (!isBeyond(direction, direction === 'older' ? zone.maxTs : zone.minTs, start.ts))
      this.keepAfterStart(block, mask);
    test.narrow(block, mask);
    const fresh: Found[] = [];
    for (let row = 0; row < mask.length; row += 1) {
      if (mask[row] === 0) continue;
      fresh.push({ ts: tsOf(block, row), id: block.hot[HOT.id]?.at(row) ?? 0, view, block, row });
    }
    if (fresh.length === 0) return;
    this.found = [...this.found, ...fresh].sort((a, b) => compare(direction, a, b)).slice(0, limit);
  }

  private keepAfterStart({ hot }: EventBlock, mask: Uint8Array): void {
    const { direction, start } = this.scan;
    const highs = numbersOf(hot[HOT.tsHi]);
    const lows = numbersOf(hot[HOT.tsLo]);
    const ids = numbersOf(hot[HOT.id]);
    for (let row = 0; row < mask.length; row += 1) {
      const order =
        (highs[row] ?? 0) - this.startHigh || (lows[row] ?? 0) - this.startLow || (ids[row] ?? 0) - start.id;
      if (direction === 'older' ? order >= 0 : order <= 0) mask[row] = 0;
    }
  }
}

interface Collected {
  found: Found[];
  /** Where the search stopped before the end, when time ran out. */
  stopped?: Position;
}

function chunksOf(
  view: PartitionView,
  scan: Scan,
  test: Test<EventBlock>,
  from: bigint,
  to: bigint,
): ChunkHead[] {
  const { direction, start } = scan;
  const first = direction === 'newer' && start.ts > from ? start.ts : from;
  const last = direction === 'older' && start.ts < to ? start.ts : to;
  return view
    .heads(test, first, last)
    .toSorted((a, b) => (isBeyond(direction, edge(direction, a.zone), edge(direction, b.zone)) ? 1 : -1));
}

function collect(scan: Scan): Collected {
  const { reader, direction, start } = scan;
  const bounds = timeBounds(scan.node, scan.nowNs);
  const ahead = partitionsWithin(reader, bounds.from, bounds.to).filter(
    ({ zone }) => !isBeyond(direction, start.ts, direction === 'older' ? zone.minTs : zone.maxTs),
  );
  ahead.sort((a, b) => (isBeyond(direction, edge(direction, a.zone), edge(direction, b.zone)) ? 1 : -1));
  const collector = new Collector(scan);
  for (const [index, { n, zone }] of ahead.entries()) {
    if (collector.isFull(edge(direction, zone))) break;
    const late = performance.now() > scan.deadlineMs ? stopBefore(scan, zone) : undefined;
    if (late) return certain(scan, collector.found, late);
    const view = new PartitionView(reader, n);
    const test = new Planner(view, scan.nowNs).plan(scan.node);
    if (!test.may(zone, undefined)) continue;
    const next = ahead[index + 1];
    const chunks = chunksOf(view, scan, test, bounds.from, bounds.to);
    for (const [at, head] of chunks.entries()) {
      if (collector.isFull(edge(direction, head.zone))) break;
      if (test.may(head.zone, head.bloom)) collector.add(view, view.blocks.load(head), test);
      const stop =
        performance.now() > scan.deadlineMs ? stopBefore(scan, chunks[at + 1]?.zone, next?.zone) : undefined;
      if (stop) return certain(scan, collector.found, stop);
    }
  }
  return { found: collector.found };
}

/** Where to stop before the two zones that come next; undefined when there is nothing left or no step was made. */
function stopBefore(scan: Scan, ...next: (Zone | undefined)[]): Position | undefined {
  const { direction, start } = scan;
  let first: bigint | undefined;
  for (const zone of next) {
    const ts = zone && edge(direction, zone);
    if (ts !== undefined && (first === undefined || isBeyond(direction, first, ts))) first = ts;
  }
  return first !== undefined && isBeyond(direction, first, start.ts) ? edgeOf(direction, first) : undefined;
}

/** What cannot be preceded by anything found later. */
function certain(scan: Scan, found: readonly Found[], stopped: Position): Collected {
  const kept = found.filter((item) => compare(scan.direction, item, stopped) < 0);
  return { found: kept, stopped: kept.length >= scan.limit ? undefined : stopped };
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
  // One more tells whether there is anything beyond the page.
  const { found, stopped } = collect({ reader, node, nowNs, direction, start, limit: limit + 1, deadlineMs });
  const shown = found.slice(0, limit);
  const end = shown.at(-1);
  const next =
    found.length > limit && end ? formatPosition(end) : stopped ? formatPosition(stopped) : undefined;
  const events = shown.map(({ view, block, row }) => view.event(block, row));
  if (direction === 'older') {
    const page: Page = { events, older: next, partial: stopped !== undefined };
    if (given !== undefined) page.newer = formatPosition(shown[0] ?? start);
    return page;
  }
  const older = formatPosition(shown[0] ?? { ts: start.ts, id: start.id + 1 });
  return { events: events.reverse(), older, newer: next, partial: stopped !== undefined };
}
