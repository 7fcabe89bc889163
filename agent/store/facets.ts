/**
 * Most frequent values of fields among the matches, and values for completion. Work is bounded: the newest matches are
 * counted, and the answer says when there were more.
 */
import { SEVERITIES, EVENT_TYPES, type SentinelEvent } from '../event.ts';
import { readPartitions } from './catalog.ts';
import { PartitionReader, queryPage, type Reader } from './pages.ts';
import type { QueryNode } from './query-ast.ts';
import { findField, type FieldValue } from './query-fields.ts';
import { snapshotColumn, textsOf } from './query-columns.ts';
import { fold } from './query-pattern.ts';
import { EVENT_COLUMNS } from './schema.ts';
import type { Cell } from './snapshot.ts';

export interface FieldFacet {
  field: string;
  values: { value: string; count: number }[];
  approximate: boolean;
}

const PAGE = 2000;
const MAX_COUNTED = 20_000;
const DEFAULT_BUDGET_MS = 150;
const MAX_VALUES = 20_000;

function valuesIn(get: (event: SentinelEvent) => FieldValue, name: string, event: SentinelEvent): string[] {
  const value = get(event);
  if (value === undefined) return [];
  if (name === 'severity') return [SEVERITIES[Number(value)] ?? 'info'];
  return typeof value === 'object' ? [...new Set(value)] : [String(value)];
}

/** Top values of each field. Unknown fields are left out. */
export function countFacets(
  reader: Reader,
  node: QueryNode,
  fields: readonly string[],
  top: number,
  options: { budgetMs?: number; nowNs?: bigint } = {},
): FieldFacet[] {
  const wanted = fields.map(findField).filter((field) => field !== undefined);
  const counts = wanted.map(() => new Map<string, number>());
  const deadline = performance.now() + (options.budgetMs ?? DEFAULT_BUDGET_MS);
  let before: string | undefined;
  let counted = 0;
  let complete = false;
  do {
    const left = Math.max(20, deadline - performance.now());
    const page = queryPage(reader, node, { limit: PAGE, before, budgetMs: left, nowNs: options.nowNs });
    for (const event of page.events) {
      for (const [index, field] of wanted.entries()) {
        const map = counts[index];
        for (const value of valuesIn(field.get, field.name, event)) {
          if (map && (map.size < MAX_VALUES || map.has(value))) map.set(value, (map.get(value) ?? 0) + 1);
        }
      }
    }
    counted += page.events.length;
    before = page.older;
    complete = before === undefined;
  } while (!complete && counted < MAX_COUNTED && performance.now() < deadline);
  return wanted.map((field, index) => ({
    field: field.name,
    values: [...(counts[index] ?? [])]
      .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
      .slice(0, Math.max(1, top))
      .map(([value, count]) => ({ value, count })),
    approximate: !complete,
  }));
}

/** Rows looked at for completion. */
const RECENT = 3000;

/** Values that a field had lately and that begin with (or else contain) the prefix, most frequent first. */
export function recentValues(reader: Reader, name: string, prefix: string, limit: number): string[] {
  const field = findField(name);
  if (!field) return [];
  if (field.values)
    return field.values.filter((value) => value.startsWith(prefix.toLowerCase())).slice(0, limit);
  const wanted = fold(prefix);
  const counts = new Map<string, number>();
  const take = (value: string): void => {
    if (value !== '' && fold(value).includes(wanted)) counts.set(value, (counts.get(value) ?? 0) + 1);
  };
  if (field.name === 'action') {
    for (const { action } of reader.actions.all()) take(action);
  } else {
    const column = snapshotColumn(field.name);
    for (const { n, rows } of readPartitions(reader.db).toReversed().slice(0, 2)) {
      if (rows === 0) continue;
      reader.tests.enter(n);
      const decoder = new PartitionReader(reader.db, n, reader.actions, reader.tests);
      if (column && column.kind !== 'row') {
        const select = reader.db.prepare(
          `SELECT v, count(*) AS c, d.kind AS kind, d.text AS text FROM
             (SELECT ${column.sql} AS v FROM s${n} s ORDER BY s.id DESC LIMIT ${RECENT})
           LEFT JOIN d${n} d ON d.id = v WHERE v IS NOT NULL GROUP BY v`,
        );
        for (const row of select.all() as { v: number; c: number; kind: number; text: string }[]) {
          const texts =
            column.kind === 'number'
              ? [String(row.v)]
              : textsOf(field.name, row.kind, row.text, reader.tests.hashes);
          for (const text of texts) {
            if (fold(text).includes(wanted)) counts.set(text, (counts.get(text) ?? 0) + row.c);
          }
        }
      } else {
        const select = reader.db.prepare(
          `SELECT ${EVENT_COLUMNS} FROM e${n} INDEXED BY e${n}_ts ORDER BY ts DESC LIMIT ${RECENT}`,
        );
        select.setReturnArrays(true);
        select.setReadBigInts(true);
        for (const row of select.iterate() as Iterable<unknown> as Iterable<Cell[]>) {
          for (const value of valuesIn(field.get, field.name, decoder.event(row))) take(value);
        }
      }
    }
  }
  const starts = (value: string): number => {
    const folded = fold(value);
    if (folded.startsWith(wanted)) return 0;
    return folded.slice(folded.lastIndexOf('/') + 1).startsWith(wanted) ? 1 : 2;
  };
  return [...counts]
    .sort((a, b) => starts(a[0]) - starts(b[0]) || b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, limit)
    .map(([value]) => value);
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
