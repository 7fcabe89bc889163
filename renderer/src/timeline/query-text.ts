/**
 * Edits to the text of a query, and its colours. The language is the agent's (`query.check` says what is valid);
 * here only enough is known to add, replace and remove whole clauses without touching the rest.
 */
export interface Clause {
  offset: number;
  length: number;
  field: string;
  value: string;
  negated: boolean;
}

/** Fields that bound time. */
const TIME_FIELDS = new Set([
  'last',
  'since',
  'until',
  'ts',
  'after',
  'before',
  'from',
  'to',
  'time',
  '@timestamp',
]);
const WORD = /(?:"(?:[^"\\]|\\.)*"?|\\.|[^\s()"\\])+|[()\\]/gs;

/** Words of the text with their place; a quoted value belongs to its field. */
export function words(text: string): { offset: number; text: string }[] {
  return Array.from(text.matchAll(WORD), (match) => ({ offset: match.index, text: match[0] }));
}

/** A value as the language wants it: bare when it is plain, else quoted with wildcards, " and \ escaped. */
export function quoteValue(value: string): string {
  if (value !== '' && !/[\s()",*?\\]|^[<>]|^(and|or|not)$/i.test(value)) return value;
  return `"${value.replace(/[*?"\\]/g, String.raw`\$&`)}"`;
}

export function clauseText(field: string, value: string, negate = false): string {
  return `${negate ? 'not ' : ''}${field}:${quoteValue(value)}`;
}

/** True when adding `and …` would bind tighter than what is there. */
function hasTopLevelOr(text: string): boolean {
  let depth = 0;
  for (const word of words(text)) {
    if (word.text === '(') depth += 1;
    else if (word.text === ')') depth -= 1;
    else if (depth === 0 && /^or$/i.test(word.text)) return true;
  }
  return false;
}

/** The query narrowed by one clause; removes the opposite clause if it is there, and never adds one twice. */
export function addClause(text: string, field: string, value: string, negate = false): string {
  const clause = clauseText(field, value, negate);
  const base = removeClause(text, field, value, !negate).trim();
  if (base === '') return clause;
  if (findClause(base, field, value, negate)) return base;
  return `${hasTopLevelOr(base) ? `(${base})` : base} and ${clause}`;
}

/** Top-level clauses `field:value`, with `not` where it stands before. */
function clauses(text: string): Clause[] {
  const found: Clause[] = [];
  const list = words(text);
  list.forEach((word, at) => {
    const colon = word.text.indexOf(':');
    if (colon <= 0) return;
    const before = list[at - 1];
    const negated = before !== undefined && /^not$/i.test(before.text);
    const offset = negated ? before.offset : word.offset;
    const raw = word.text.slice(colon + 1);
    const value = raw.startsWith('"')
      ? raw.slice(1, raw.endsWith('"') ? -1 : undefined).replace(/\\(.)/g, '$1')
      : raw;
    found.push({
      offset,
      length: word.offset + word.text.length - offset,
      field: word.text.slice(0, colon).toLowerCase(),
      value,
      negated,
    });
  });
  return found;
}

function findClause(text: string, field: string, value: string, negated: boolean): Clause | undefined {
  return clauses(text).find((c) => c.field === field && c.value === value && c.negated === negated);
}

/** True when the query already asks for exactly this. */
export function hasClause(text: string, field: string, value: string): boolean {
  return findClause(text, field, value, false) !== undefined;
}

/** Cuts a span together with the `and` that joined it. */
function cut(text: string, offset: number, length: number): string {
  const before = text.slice(0, offset).replace(/\s+$/, '');
  const after = text.slice(offset + length).replace(/^\s+/, '');
  const withoutAnd = before.replace(/(^|[\s)])and$/i, '$1').trimEnd();
  if (withoutAnd !== before) return `${withoutAnd} ${after}`.trim();
  return `${before} ${after.replace(/^and\b\s*/i, '')}`.trim();
}

export function removeClause(text: string, field: string, value: string, negated = false): string {
  const found = findClause(text, field, value, negated);
  return found ? cut(text, found.offset, found.length) : text;
}

/** The query without any bound on time. */
export function withoutTime(text: string): string {
  let rest = text;
  for (;;) {
    const bound = clauses(rest).find((clause) => TIME_FIELDS.has(clause.field));
    if (!bound) return rest.trim();
    rest = cut(rest, bound.offset, bound.length);
  }
}

/** Clauses that bound time, as they are written. */
export function timeOf(text: string): string {
  return clauses(text)
    .filter((clause) => TIME_FIELDS.has(clause.field))
    .map((clause) => text.slice(clause.offset, clause.offset + clause.length))
    .join(' and ');
}

/** The query with its time bound replaced; an empty bound means the whole record. */
export function withTime(text: string, bound: string): string {
  const base = withoutTime(text);
  if (bound === '') return base;
  if (base === '') return bound;
  return `${hasTopLevelOr(base) ? `(${base})` : base} and ${bound}`;
}

const ENDS = new Set(['until', 'before', 'to']);

/** True when the query has an end in the past, so that nothing new can match. */
export function endsInPast(text: string): boolean {
  return clauses(text).some((clause) => !clause.negated && ENDS.has(clause.field) && clause.value !== 'now');
}

export interface Painted {
  text: string;
  /** field, operator, value, keyword, time; empty for plain text. */
  kind: string;
}

/**
 * Colours `text` by tokens that were computed for `checked`, possibly a moment ago: tokens before the first
 * difference stay, those after the last move with the text, those across it wait for the next answer.
 */
export function paint(
  text: string,
  checked: string,
  tokens: readonly { offset: number; length: number; kind: string }[],
): Painted[] {
  let same = 0;
  while (same < text.length && same < checked.length && text[same] === checked[same]) same += 1;
  let tail = 0;
  const most = Math.min(text.length, checked.length) - same;
  while (tail < most && text[text.length - 1 - tail] === checked[checked.length - 1 - tail]) tail += 1;
  const shift = text.length - checked.length;
  const painted: Painted[] = [];
  let at = 0;
  for (const token of tokens) {
    const inHead = token.offset + token.length <= same;
    const inTail = token.offset >= checked.length - tail;
    if (!inHead && !inTail) continue;
    const offset = inHead ? token.offset : token.offset + shift;
    if (offset < at || offset + token.length > text.length) continue;
    if (offset > at) painted.push({ text: text.slice(at, offset), kind: '' });
    painted.push({ text: text.slice(offset, offset + token.length), kind: token.kind });
    at = offset + token.length;
  }
  if (at < text.length) painted.push({ text: text.slice(at), kind: '' });
  return painted;
}
