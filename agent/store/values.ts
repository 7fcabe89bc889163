/** Values for completion, from the newest rows; and totals by type. */
import { EVENT_TYPES } from '../event.ts';
import { readPartitions } from './catalog.ts';
import { storedText } from './dictionary.ts';
import { SPECIAL, eventColumn, snapshotColumn, textsOf, type Column } from './query-columns.ts';
import { findField, type Field } from './query-fields.ts';
import { fold } from './query-pattern.ts';
import type { Reader } from './reader.ts';

/** Rows looked at for completion, in each of the newest partitions. */
const RECENT = 3000;
const RECENT_PARTITIONS = 2;

/** Adds up the values of a column over the newest rows of a partition. */
function countColumn(
  reader: Reader,
  n: number,
  field: Field,
  column: Column,
  counts: Map<string, number>,
): void {
  if (column.kind === 'row') return;
  const newest = column.sql.includes('s.')
    ? `SELECT ${column.sql} AS v FROM s${n} s ORDER BY s.id DESC LIMIT ${RECENT}`
    : `SELECT ${column.sql} AS v FROM e${n} e INDEXED BY e${n}_ts ORDER BY e.ts DESC LIMIT ${RECENT}`;
  const grouped = `SELECT v, count(*) AS c FROM (${newest}) WHERE v IS NOT NULL GROUP BY v`;
  const rows =
    column.kind === 'text'
      ? reader.db
          .prepare(`SELECT v, c, d.kind AS kind, d.text AS text FROM (${grouped}) JOIN d${n} d ON d.id = v`)
          .all()
      : reader.db.prepare(grouped).all();
  for (const row of rows as { v: number | string; c: number; kind?: number; text?: string }[]) {
    const { kind, text } = row;
    const texts =
      kind === undefined || text === undefined
        ? [String(row.v)]
        : textsOf(field.name, kind, storedText(kind, text), reader.tests.hashes);
    for (const value of texts) counts.set(value, (counts.get(value) ?? 0) + row.c);
  }
}

/** Values that lie in detections. */
function countDetections(reader: Reader, n: number, field: Field, counts: Map<string, number>): void {
  const rows = reader.db
    .prepare(
      `SELECT rule, title, attack, source, count(*) AS c FROM t${n} GROUP BY rule, title, attack, source LIMIT ?`,
    )
    .all(RECENT) as { rule: string; title: string; attack: string; source: string; c: number }[];
  for (const { rule, title, attack, source, c } of rows) {
    const values =
      field.name === 'rule'
        ? [rule, title]
        : field.name === 'attack'
          ? (JSON.parse(attack) as string[])
          : [source];
    for (const value of values) counts.set(value, (counts.get(value) ?? 0) + c);
  }
}

/** Values that a field had lately and that begin with (or else contain) the prefix, most frequent first. */
export function recentValues(reader: Reader, name: string, prefix: string, limit: number): string[] {
  const field = findField(name);
  if (!field) return [];
  if (field.values)
    return field.values.filter((value) => value.startsWith(prefix.toLowerCase())).slice(0, limit);
  const counts = new Map<string, number>();
  if (field.name === 'action') {
    for (const { action } of reader.actions.all()) counts.set(action, 1);
  } else {
    const filled = readPartitions(reader.db).filter(({ rows }) => rows > 0);
    for (const { n } of filled.slice(-RECENT_PARTITIONS)) {
      if (SPECIAL.has(field.name)) countDetections(reader, n, field, counts);
      else countColumn(reader, n, field, snapshotColumn(field.name) ?? eventColumn(field.name), counts);
    }
  }
  const wanted = fold(prefix);
  const rank = (folded: string): number => {
    if (folded.startsWith(wanted)) return 0;
    return folded.slice(folded.lastIndexOf('/') + 1).startsWith(wanted) ? 1 : 2;
  };
  const found: { value: string; count: number; rank: number }[] = [];
  for (const [value, count] of counts) {
    const folded = fold(value);
    if (value !== '' && folded.includes(wanted)) found.push({ value, count, rank: rank(folded) });
  }
  found.sort((a, b) => a.rank - b.rank || b.count - a.count || (a.value < b.value ? -1 : 1));
  return found.slice(0, limit).map(({ value }) => value);
}

/** Number of events by type over all that is stored. */
export function countsByType(reader: Reader): Record<string, number> {
  const rows = reader.db
    .prepare(
      'SELECT act.type AS type, sum(rows) AS c FROM part_act JOIN act ON act.id = ta GROUP BY act.type',
    )
    .all() as { type: number; c: number }[];
  return Object.fromEntries(rows.map(({ type, c }) => [EVENT_TYPES[type] ?? 'log', c]));
}
