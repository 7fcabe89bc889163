/** Holes in the record, as they were written. */
import type { DatabaseSync } from 'node:sqlite';
import type { GapInfo, Lane } from '../event.ts';
import { unpackJson } from './json.ts';

/** Gaps that touch [from, to), oldest first. */
export function readGaps(db: DatabaseSync, from: bigint, to: bigint, limit: number): GapInfo[] {
  const select = db.prepare(
    'SELECT info FROM gap WHERE to_ns >= ? AND from_ns < ? ORDER BY from_ns DESC, id DESC LIMIT ?',
  );
  const rows = select.all(from, to, Math.max(0, Math.floor(limit))) as { info: string }[];
  return rows.map(({ info }) => unpackJson(info) as GapInfo).reverse();
}

export interface GapTotals {
  lane: Lane;
  cause: string;
  hook?: string;
  cpu?: number;
  gaps: number;
  /** Records stated as lost; gaps of unknown size add nothing. */
  records: number;
  /** Gaps whose size is not known. */
  unknown: number;
  fromNs: bigint;
  toNs: bigint;
}

/** Gaps that touch [from, to) summed by lane, cause, hook and CPU, most records first. */
export function totalGaps(db: DatabaseSync, from: bigint, to: bigint): GapTotals[] {
  const totals = new Map<string, GapTotals>();
  const select = db.prepare('SELECT info FROM gap WHERE to_ns >= ? AND from_ns < ?');
  for (const { info } of select.iterate(from, to) as Iterable<{ info: string }>) {
    const { lane, cause, hook, cpu, count, fromNs, toNs } = unpackJson(info) as GapInfo;
    const key = [lane, cause, hook, cpu].join('\0');
    let total = totals.get(key);
    if (!total) {
      total = { lane, cause, gaps: 0, records: 0, unknown: 0, fromNs, toNs };
      if (hook !== undefined) total.hook = hook;
      if (cpu !== undefined) total.cpu = cpu;
      totals.set(key, total);
    }
    total.gaps += 1;
    total.records += count ?? 0;
    if (count === undefined) total.unknown += 1;
    if (fromNs < total.fromNs) total.fromNs = fromNs;
    if (toNs > total.toNs) total.toNs = toNs;
  }
  return [...totals.values()].sort((a, b) => b.records - a.records || b.gaps - a.gaps);
}

/** How many gaps ended since then, and how many records they say are lost (unknown numbers count as none). */
export function summarizeGaps(db: DatabaseSync, since: bigint): { count: number; lostRecords: number } {
  const row = db
    .prepare('SELECT count(*) AS count, coalesce(sum(count), 0) AS lost FROM gap WHERE to_ns >= ?')
    .get(since) as { count: number; lost: number };
  return { count: row.count, lostRecords: row.lost };
}
