/**
 * What an editor of queries needs at each keystroke: is the text valid, where is the error, how to colour it, and
 * what could stand at the caret. The shape is `QueryCheck` of the Local API's contract.
 */
import { QueryError, type QueryNode } from './query-ast.ts';
import { FIELDS, TIME_FIELDS, findField, findTimeField, type Field } from './query-fields.ts';
import { tokenize, type Token } from './query-lexer.ts';
import { parseQuery } from './query-parser.ts';
import { printQuery } from './query-print.ts';
import { DURATION_UNITS } from './query-values.ts';

export interface HighlightToken {
  offset: number;
  length: number;
  /** field, operator, value, keyword or time. */
  kind: string;
}

export interface Completion {
  text: string;
  label: string;
  detail?: string;
  replaceFrom: number;
  replaceTo: number;
}

export interface QueryCheckResult {
  ok: boolean;
  error?: { code: 'bad_query'; message: string; offset: number; length: number };
  canonical?: string;
  tokens: HighlightToken[];
  completions: Completion[];
}

/** Values seen in the store for a field, best first: `Timeline.valuesOf`. */
export type ValueSource = (field: string, prefix: string, limit: number) => readonly string[];

const MAX_COMPLETIONS = 20;

/** Colours for each part of the text; works on text that does not parse. */
export function highlight(tokens: readonly Token[]): HighlightToken[] {
  const out: HighlightToken[] = [];
  let field = '';
  for (const token of tokens) {
    let kind: string = token.kind;
    if (token.kind === 'field') field = token.text;
    if (token.kind === 'open' || token.kind === 'close') kind = 'operator';
    if (token.kind === 'field' && findTimeField(token.text) !== undefined) kind = 'time';
    if (token.kind === 'value' && field !== '' && findTimeField(field) !== undefined) kind = 'time';
    out.push({ offset: token.offset, length: token.length, kind });
    if (token.kind === 'value' || token.kind === 'close') field = '';
  }
  return out;
}

/** Where the caret stands: in the value of a field, or at the start of a term. */
interface Place {
  field?: string;
  /** What has been typed of the word so far. */
  prefix: string;
  replaceFrom: number;
  replaceTo: number;
  /** A term ended before the caret, so `and`/`or` may come. */
  afterTerm: boolean;
}

function placeOf(tokens: readonly Token[], text: string, caret: number): Place {
  const lists: (string | undefined)[] = [];
  let field: Token | undefined;
  let before: Token | undefined;
  let under: Token | undefined;
  for (const token of tokens) {
    if (token.offset >= caret) break;
    const end = token.offset + token.length;
    if (token.kind === 'open') lists.push(token.list ? field?.text : undefined);
    if (token.kind === 'close') lists.pop();
    if (token.kind === 'field') field = token;
    if (end >= caret && (token.kind === 'value' || token.kind === 'keyword')) {
      under = token;
      break;
    }
    before = token;
  }
  const glued = before !== undefined && before.offset + before.length === (under?.offset ?? caret);
  const own =
    glued && before?.kind === 'operator' ? field : glued && before?.kind === 'field' ? before : undefined;
  return {
    field: own?.text ?? lists.at(-1),
    prefix: under ? text.slice(under.offset, caret) : '',
    replaceFrom: under?.offset ?? caret,
    replaceTo: under ? Math.max(caret, under.offset + under.length) : caret,
    afterTerm: before !== undefined && (before.kind === 'value' || before.kind === 'close'),
  };
}

function quoted(value: string): string {
  if (value !== '' && !/[\s()",*?\\]|^[<>]|^(and|or|not)$/i.test(value)) return value;
  return `"${value.replaceAll(/[*?"\\]/g, String.raw`\$&`)}"`;
}

function valueCompletions(name: string, place: Place, values?: ValueSource): Completion[] {
  const { replaceFrom, replaceTo } = place;
  const typed = place.prefix.replace(/^"/, '').toLowerCase();
  const make = (text: string, detail?: string): Completion => ({
    text,
    label: text,
    detail,
    replaceFrom,
    replaceTo,
  });
  const time = findTimeField(name);
  if (time === 'last') {
    const digits = /^\d+/.exec(typed)?.[0];
    const units = DURATION_UNITS.filter((unit) => unit.length === 1);
    const texts = digits === undefined ? ['15m', '1h', '24h', '7d'] : units.map((unit) => digits + unit);
    return texts.filter((text) => text.startsWith(typed)).map((text) => make(text, 'duration'));
  }
  if (time !== undefined) {
    return ['today', 'yesterday', '1h', '24h']
      .filter((text) => text.startsWith(typed))
      .map((text) => make(text));
  }
  if (name.toLowerCase() === 'has') {
    return FIELDS.filter((field) => field.name.startsWith(typed)).map((field) =>
      make(field.name, field.about),
    );
  }
  const field: Field | undefined = findField(name);
  if (!field) return [];
  const out: Completion[] = [];
  if (field.kind === 'severity') {
    const bare = typed.replace(/^[<>]=?/, '');
    for (const value of field.values ?? []) if (value.startsWith(bare)) out.push(make(value));
    if (typed === '') out.push(make('>=medium', 'medium and above'), make('>=high', 'high and above'));
    return out;
  }
  for (const value of field.values ?? []) if (value.startsWith(typed)) out.push(make(value));
  if (!field.values && values) {
    for (const value of values(field.name, typed.replaceAll(/[*?]/g, ''), MAX_COMPLETIONS)) {
      out.push({ text: quoted(value), label: value, replaceFrom, replaceTo });
    }
  }
  return out;
}

function termCompletions(place: Place): Completion[] {
  const { replaceFrom, replaceTo } = place;
  const typed = place.prefix.toLowerCase();
  const out: Completion[] = [];
  const offer = (text: string, detail: string): void => {
    out.push({ text, label: text, detail, replaceFrom, replaceTo });
  };
  const keywords = place.afterTerm ? ['and', 'or', 'not'] : ['not'];
  const names = FIELDS.filter((field) => field.name.startsWith(typed));
  for (const keyword of keywords) if (keyword.startsWith(typed)) offer(keyword, 'operator');
  for (const field of names) offer(`${field.name}:`, field.about);
  for (const name of TIME_FIELDS) if (name.startsWith(typed)) offer(`${name}:`, 'time');
  if ('has'.startsWith(typed)) offer('has:', 'the event has that field');
  if (typed !== '') {
    for (const field of FIELDS) {
      const alias = names.includes(field) ? undefined : field.aliases.find((name) => name.startsWith(typed));
      if (alias !== undefined)
        out.push({ text: `${field.name}:`, label: alias, detail: field.about, replaceFrom, replaceTo });
    }
  }
  return out;
}

/** Completions at the caret, best first, at most 20. */
export function complete(
  tokens: readonly Token[],
  text: string,
  caret: number,
  values?: ValueSource,
): Completion[] {
  const place = placeOf(tokens, text, caret);
  const found =
    place.field === undefined ? termCompletions(place) : valueCompletions(place.field, place, values);
  return found.slice(0, MAX_COMPLETIONS);
}

/** Checks the text and, with a caret, completes it. Never throws. */
export function checkQuery(text: string, caret?: number, values?: ValueSource): QueryCheckResult {
  const tokens = tokenize(text.slice(0, 16_384));
  const result: QueryCheckResult = {
    ok: true,
    tokens: highlight(tokens),
    completions:
      caret === undefined ? [] : complete(tokens, text, Math.max(0, Math.min(caret, text.length)), values),
  };
  try {
    const node: QueryNode = parseQuery(text);
    result.canonical = printQuery(node);
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    result.ok = false;
    result.error = { code: 'bad_query', message: error.message, offset: error.offset, length: error.length };
  }
  return result;
}
