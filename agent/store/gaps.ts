/** Holes in the record, as they were written. */
import type { DatabaseSync } from 'node:sqlite';
import type { GapInfo } from '../event.ts';
import { unpackJson } from './json.ts';

/** Gaps that touch [from, to), oldest first. */
export function readGaps(db: DatabaseSync, from: bigint, to: bigint, limit: number): GapInfo[] {
  const select = db.prepare(
    'SELECT info FROM gap WHERE to_ns >= ? AND from_ns < ? ORDER BY from_ns DESC, id DESC LIMIT ?',
  );
  const rows = select.all(from, to, Math.max(0, Math.floor(limit))) as { info: string }[];
  return rows.map(({ info }) => unpackJson(info) as GapInfo).reverse();
}

/** How many gaps ended since then, and how many records they say are lost (unknown numbers count as none). */
export function summarizeGaps(db: DatabaseSync, since: bigint): { count: number; lostRecords: number } {
  const row = db
    .prepare('SELECT count(*) AS count, coalesce(sum(count), 0) AS lost FROM gap WHERE to_ns >= ?')
    .get(since) as { count: number; lost: number };
  return { count: row.count, lostRecords: row.lost };
}
