/** The order of events (time, then id), bounds of a query in time, and page cursors. */
import { TimelineCursorError } from './errors.ts';
import type { QueryNode } from './query-ast.ts';
import { resolveMoment } from './query-values.ts';

/** A place between events. */
export interface Position {
  ts: bigint;
  id: number;
}

export type Direction = 'older' | 'newer';

export function formatPosition(position: Position): string {
  return `${position.ts}.${position.id}`;
}

export function parsePosition(text: string): Position {
  const match = /^(\d{1,19})\.(\d{1,16})$/.exec(text);
  if (!match) {
    throw new TimelineCursorError(
      `${text.slice(0, 60)} is not a page of this timeline: start again without it`,
    );
  }
  return { ts: BigInt(match[1] ?? '0'), id: Number(match[2]) };
}

/** After all events. */
export const LAST: Position = { ts: 9_223_372_036_854_775_807n, id: Number.MAX_SAFE_INTEGER };

/** Position before all events of that moment, in the direction. */
export function edgeOf(direction: Direction, ts: bigint): Position {
  return { ts, id: direction === 'older' ? Number.MAX_SAFE_INTEGER : 0 };
}

/** Bounds on time, both inclusive, that every match of the query lies within. */
export function timeBounds(node: QueryNode, nowNs: bigint): { from: bigint; to: bigint } {
  let from = 0n;
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
