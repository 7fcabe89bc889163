/** Values for completion, from the newest rows; and totals by type. */
import { EVENT_TYPES } from '../event.ts';
import { filledPartitions } from './catalog.ts';
import { countFacets } from './facets.ts';
import { ALL } from './query-ast.ts';
import { findField } from './query-fields.ts';
import { fold } from './query-pattern.ts';
import { CLASSES } from './rollups.ts';
import { finish } from './slices.ts';
import type { Reader } from './view.ts';

/** Time to look for values; typing goes on meanwhile. */
const BUDGET_MS = 15;
const MAX_VALUES = 5000;

/** Distinct rule ids, titles, techniques or sources of the newest detections. */
function detectionValues(reader: Reader, field: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { n } of filledPartitions(reader.db).slice(-4)) {
    const rows = reader.db
      .prepare(`SELECT rule, title, attack, source FROM t${n} ORDER BY event DESC LIMIT 500`)
      .all() as { rule: string; title: string; attack: string; source: string }[];
    for (const { rule, title, attack, source } of rows) {
      const values =
        field === 'rule' ? [rule, title] : field === 'attack' ? (JSON.parse(attack) as string[]) : [source];
      for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
  }
  return counts;
}

function newestValues(reader: Reader, field: string): Map<string, number> {
  const [facet] = finish(countFacets(reader, ALL, [field], MAX_VALUES, { budgetMs: BUDGET_MS }));
  return new Map(facet?.values.map(({ value, count }) => [value, count]));
}

/** Values that a field had lately and that begin with (or else contain) the prefix, most frequent first. */
export function recentValues(reader: Reader, name: string, prefix: string, limit: number): string[] {
  const field = findField(name);
  if (!field) return [];
  if (field.values)
    return field.values.filter((value) => value.startsWith(prefix.toLowerCase())).slice(0, limit);
  const known =
    field.name === 'action'
      ? new Map(reader.actions.all().map(({ action }) => [action, 1]))
      : field.name === 'attack' || field.kind === 'rule' || field.name === 'rule.source'
        ? detectionValues(reader, field.name)
        : newestValues(reader, field.name);
  const wanted = fold(prefix);
  const rank = (folded: string): number => {
    if (folded.startsWith(wanted)) return 0;
    return folded.slice(folded.lastIndexOf('/') + 1).startsWith(wanted) ? 1 : 2;
  };
  const found: { value: string; count: number; rank: number }[] = [];
  for (const [value, count] of known) {
    const folded = fold(value);
    if (value !== '' && folded.includes(wanted)) found.push({ value, count, rank: rank(folded) });
  }
  found.sort((a, b) => a.rank - b.rank || b.count - a.count || (a.value < b.value ? -1 : 1));
  return found.slice(0, limit).map(({ value }) => value);
}

/** Number of events by type over all that is stored. */
export function countsByType(reader: Reader): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { n } of filledPartitions(reader.db)) {
    const rows = reader.db
      .prepare(`SELECT (cell % ${CLASSES}) >> 4 AS type, sum(n) AS c FROM m${n} GROUP BY 1`)
      .all() as { type: number; c: number }[];
    for (const { type, c } of rows) {
      const name = EVENT_TYPES[type] ?? 'log';
      if (c > 0) counts[name] = (counts[name] ?? 0) + c;
    }
  }
  return counts;
}
