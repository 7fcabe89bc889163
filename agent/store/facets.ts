/**
 * Most frequent values of fields among the matches. Work is bounded: the newest matches are counted, and the answer
 * says when there were more. Rows are counted by number, and only distinct numbers are looked up.
 */
import { EVENT_TYPES, LANES, SEVERITIES } from '../event.ts';
import { readPartitions } from './catalog.ts';
import { isExact, type Condition } from './conditions.ts';
import { storedText } from './dictionary.ts';
import { queryPage, timeBounds } from './pages.ts';
import type { QueryNode } from './query-ast.ts';
import { SPECIAL, eventColumn, snapshotColumn, textsOf } from './query-columns.ts';
import { findField, type Field } from './query-fields.ts';
import { QueryCompiler } from './query-sql.ts';
import type { Reader } from './reader.ts';
import { Flag } from './schema.ts';

export interface FieldFacet {
  field: string;
  values: { value: string; count: number }[];
  approximate: boolean;
}

const MAX_COUNTED = 50_000;
/** Matches that are decoded, for fields that have no column and queries that columns cannot decide. */
const MAX_DECODED = 2000;
const DEFAULT_BUDGET_MS = 100;
/** Rows between two looks at the clock. */
const CLOCK_EVERY = 1024;

type Counts = Map<string, number>;
/** What stands in a row for a field's value: a number into the dictionary, or the value. */
type Key = number | string | null;

function addTo<K>(counts: Map<K, number>, key: K, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

/** Where the counting of one field takes its keys from. */
interface Source {
  field: Field;
  counts: Counts;
  /** Column of the event's row; undefined: of the snapshot, or made of action, severity and flags. */
  column?: string;
  /** Keys seen in the current partition. */
  keys: Map<Key, number>;
}

function sourceOf(field: Field): Source | undefined {
  const counts: Counts = new Map();
  const keys = new Map<Key, number>();
  if (SPECIAL.has(field.name) || field.name === 'severity') return { field, counts, keys };
  if (snapshotColumn(field.name)) return { field, counts, keys };
  const column = eventColumn(field.name);
  return column.kind === 'row' ? undefined : { field, counts, keys, column: column.sql };
}

/** Texts of the keys of a dictionary column, added to the field's counts. */
function resolveTexts(reader: Reader, n: number, source: Source, keys: ReadonlyMap<Key, number>): void {
  const select = reader.db.prepare(`SELECT kind, text FROM d${n} WHERE id = ?`);
  for (const [key, count] of keys) {
    const row = select.get(key) as { kind: number; text: string } | undefined;
    if (!row) continue;
    const texts = textsOf(source.field.name, row.kind, storedText(row.kind, row.text), reader.tests.hashes);
    for (const text of new Set(texts)) addTo(source.counts, text, count);
  }
}

function resolveColumn(
  reader: Reader,
  n: number,
  source: Source,
  isText: boolean,
  keys: ReadonlyMap<Key, number>,
): void {
  if (isText) resolveTexts(reader, n, source, keys);
  else for (const [key, count] of keys) addTo(source.counts, String(key), count);
}

/** Turns the keys of one partition into values. */
function settle(reader: Reader, n: number, source: Source, snaps: ReadonlyMap<number, number>): void {
  const { name } = source.field;
  const place = snapshotColumn(name);
  if (place && place.kind !== 'row') {
    const select = reader.db.prepare(`SELECT ${place.sql} AS v FROM s${n} s WHERE s.id = ?`);
    const keys = new Map<Key, number>();
    for (const [snap, count] of snaps) {
      const { v } = (select.get(snap) ?? { v: null }) as { v: Key };
      if (v !== null) addTo(keys, v, count);
    }
    resolveColumn(reader, n, source, place.kind === 'text', keys);
  } else if (source.column !== undefined) {
    resolveColumn(reader, n, source, eventColumn(name).kind === 'text', source.keys);
  }
  source.keys.clear();
}

function countDetections(reader: Reader, n: number, source: Source, ids: readonly number[]): void {
  const select = reader.db.prepare(`SELECT rule, title, attack, source FROM t${n} WHERE event = ?`);
  for (const id of ids) {
    const values = new Set<string>();
    for (const row of select.all(id) as { rule: string; title: string; attack: string; source: string }[]) {
      if (source.field.name === 'rule') values.add(row.title);
      else if (source.field.name === 'rule.source') values.add(row.source);
      else for (const technique of JSON.parse(row.attack) as string[]) values.add(technique);
    }
    for (const value of values) addTo(source.counts, value, 1);
  }
}

/** Value of a field that is made of the row's action, severity and flags. */
function classValue(
  reader: Reader,
  field: string,
  ta: number,
  severity: number,
  flags: number,
): string | undefined {
  switch (field) {
    case 'type':
      return EVENT_TYPES[reader.actions.get(ta).type];
    case 'action':
      return reader.actions.get(ta).action;
    case 'severity':
      return SEVERITIES[severity];
    case 'lane':
      return LANES[flags & Flag.observability];
    case 'synthetic':
      return (flags & Flag.synthetic) === 0 ? 'false' : 'true';
    default:
      return undefined;
  }
}

const CLASS_FIELDS: ReadonlySet<string> = new Set(['type', 'action', 'severity', 'lane', 'synthetic']);

/** Counts up to `limit` matches of a partition, newest first; returns how many there were. */
function countPartition(
  reader: Reader,
  n: number,
  condition: Condition,
  sources: readonly Source[],
  limit: number,
  deadlineMs: number,
): { counted: number; complete: boolean } {
  const columns = sources.filter(({ column }) => column !== undefined);
  const others = sources.filter(({ field }) => CLASS_FIELDS.has(field.name));
  const detections = sources.filter(({ field }) => SPECIAL.has(field.name) && !CLASS_FIELDS.has(field.name));
  const drive = condition.drives?.[0];
  const from =
    drive === undefined ? `e${n} e INDEXED BY e${n}_${condition.raised ? 'sev' : 'ts'}` : `e${n} e`;
  const where = [
    ...(drive === undefined ? [] : [drive]),
    ...(condition.raised ? ['e.sev >= 1'] : []),
    condition.upper,
  ];
  const select = reader.db.prepare(
    `SELECT e.id, e.snap, e.ta, e.sev, e.fl${columns.map(({ column }) => `, ${column}`).join('')} FROM ${from}
     WHERE ${where.join(' AND ')} ORDER BY ${drive === undefined ? '' : '+'}e.ts DESC LIMIT ${limit + 1}`,
  );
  select.setReturnArrays(true);
  const snaps = new Map<number, number>();
  const classes = new Map<number, number>();
  const detected: number[] = [];
  let counted = 0;
  let complete = true;
  for (const row of select.iterate() as Iterable<unknown> as Iterable<(number | null)[]>) {
    if (counted >= limit || (counted % CLOCK_EVERY === 0 && performance.now() > deadlineMs)) {
      complete = false;
      break;
    }
    counted += 1;
    const [id, snap, ta = 0, severity = 0, flags = 0] = row;
    if (snap !== null && snap !== undefined) addTo(snaps, snap, 1);
    addTo(classes, ((ta ?? 0) * 8 + (severity ?? 0)) * 4 + ((flags ?? 0) & 3), 1);
    if (((flags ?? 0) & Flag.detections) !== 0) detected.push(id ?? 0);
    for (const [index, source] of columns.entries()) {
      const key = row[index + 5] ?? null;
      if (key !== null) addTo(source.keys, key, 1);
    }
  }
  for (const source of others) {
    for (const [key, count] of classes) {
      const value = classValue(reader, source.field.name, key >> 5, (key >> 2) & 7, key & 3);
      if (value !== undefined) addTo(source.counts, value, count);
    }
  }
  for (const source of detections) countDetections(reader, n, source, detected);
  for (const source of sources) if (!CLASS_FIELDS.has(source.field.name)) settle(reader, n, source, snaps);
  return { counted, complete };
}

/** Counts by decoding the newest matches; returns whether those were all. */
function countDecoded(reader: Reader, node: QueryNode, sources: readonly Source[], nowNs: bigint): boolean {
  const page = queryPage(reader, node, { limit: MAX_DECODED, nowNs, budgetMs: DEFAULT_BUDGET_MS });
  for (const event of page.events) {
    for (const { field, counts } of sources) {
      const value = field.get(event);
      if (value === undefined) continue;
      if (field.name === 'severity') addTo(counts, event.severity, 1);
      else if (field.name === 'rule') for (const title of titles(event.detections)) addTo(counts, title, 1);
      else
        for (const one of typeof value === 'object' ? new Set(value) : [String(value)]) addTo(counts, one, 1);
    }
  }
  return page.older === undefined;
}

function titles(detections: readonly { title: string }[] | undefined): ReadonlySet<string> {
  return new Set((detections ?? []).map(({ title }) => title));
}

function topOf(field: string, counts: Counts, top: number, approximate: boolean): FieldFacet {
  const values = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return {
    field,
    values: values.slice(0, Math.max(1, top)).map(([value, count]) => ({ value, count })),
    approximate,
  };
}

/** Top values of each field. Unknown fields are left out. */
export function countFacets(
  reader: Reader,
  node: QueryNode,
  fields: readonly string[],
  top: number,
  options: { budgetMs?: number; nowNs?: bigint } = {},
): FieldFacet[] {
  const nowNs = options.nowNs ?? BigInt(Date.now()) * 1_000_000n;
  const deadlineMs = performance.now() + (options.budgetMs ?? DEFAULT_BUDGET_MS);
  const wanted = fields.map(findField).filter((field) => field !== undefined);
  const sources = wanted.map((field) => ({ field, source: sourceOf(field) }));
  const counting = sources.map(({ source }) => source).filter((source) => source !== undefined);
  const decoded: Source[] = sources
    .filter(({ source }) => !source)
    .map(({ field }) => ({ field, counts: new Map(), keys: new Map() }));
  const bounds = timeBounds(node, nowNs);
  const partitions = readPartitions(reader.db)
    .filter(({ rows, minTs, maxTs }) => rows > 0 && maxTs >= bounds.from && minTs <= bounds.to)
    .sort((a, b) => (a.maxTs < b.maxTs ? 1 : -1));
  let left = MAX_COUNTED;
  let complete = true;
  let exact = true;
  for (const { n } of counting.length > 0 ? partitions : []) {
    if (left <= 0 || performance.now() > deadlineMs) {
      complete = false;
      break;
    }
    reader.tests.enter(n);
    const condition = new QueryCompiler(reader, n, nowNs, false).compile(node);
    if (condition.upper === '0') continue;
    exact = isExact(condition);
    if (!exact) break;
    const found = countPartition(reader, n, condition, counting, left, deadlineMs);
    left -= found.counted;
    complete &&= found.complete;
  }
  if (!exact) {
    for (const { counts } of counting) counts.clear();
    decoded.push(...counting);
  }
  const whole = decoded.length === 0 || countDecoded(reader, node, decoded, nowNs);
  return wanted.map((field) => {
    const slow = decoded.find((source) => source.field === field);
    const source = slow ?? counting.find((one) => one.field === field);
    return topOf(field.name, source?.counts ?? new Map(), top, slow ? !whole : !complete);
  });
}
