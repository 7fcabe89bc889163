/** The schema of a protected table: which columns there are, what they hold, and what makes a match. */
import { LineCounter, parseDocument, type Document } from 'yaml';
import { SentinelError } from '../errors.ts';
import { FIELD_TYPES, type FieldType } from './types.ts';

export interface IndexSchema {
  name: string;
  fields: { column: string; role: 'primary' | 'secondary'; type: FieldType }[];
  /** How many secondaries of the row must stand near, 0 for none. */
  secondary: number;
  /** Tokens before and after in which they are looked for; 0 with sameRow: the whole line. */
  withinTokens: number;
  sameRow: boolean;
  delimiter: string;
  dates: 'auto' | 'day-first' | 'month-first';
}

const MAX_FIELDS = 16;
const MAX_TOKENS = 512;
const DEFAULT_TOKENS = 24;
const DELIMITERS: Readonly<Record<string, string>> = {
  comma: ',',
  semicolon: ';',
  tab: '\t',
  pipe: '|',
  space: ' ',
};

/**
 * Reads a schema; `file` is for messages.
 * @throws SentinelError `bad_schema` that names file, line and what is allowed.
 */
export function parseSchema(file: string, text: string): IndexSchema {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const fail = (path: readonly (string | number)[], message: string, remedy = ''): never => {
    throw new SentinelError(
      'bad_schema',
      `${file}:${lineOf(document, lines, path)}: ${[path.join('.'), message].filter(Boolean).join(' ')}`,
      remedy,
    );
  };
  const broken = document.errors[0];
  if (broken) {
    const line = broken.linePos?.[0].line ?? 1;
    throw new SentinelError(
      'bad_schema',
      `${file}:${line}: ${broken.message.split('\n')[0]}`,
      'correct the YAML',
    );
  }
  let root: unknown;
  try {
    root = document.toJS();
  } catch (error) {
    // Aliases that would grow without end.
    return fail([], (error as Error).message, 'write it without aliases');
  }
  if (!isRecord(root)) return fail([], 'is no schema', 'it needs name, fields and match');
  allowOnly(root, ['name', 'fields', 'match', 'delimiter', 'dates'], [], fail);
  const { name, fields, match, delimiter, dates } = root;
  if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name)) {
    return fail(
      ['name'],
      'must be a name',
      'use 1 to 64 letters, digits, dots, dashes or underscores, such as customers',
    );
  }
  if (!Array.isArray(fields) || fields.length === 0 || fields.length > MAX_FIELDS)
    return fail(
      ['fields'],
      `must list 1 to ${MAX_FIELDS} columns`,
      'for example - {column: iban, role: primary, type: iban}',
    );
  const seen = new Set<string>();
  const parsed = fields.map((field: unknown, at): IndexSchema['fields'][number] => {
    const path = ['fields', at];
    if (!isRecord(field))
      return fail(path, 'must be a map', 'for example {column: iban, role: primary, type: iban}');
    allowOnly(field, ['column', 'role', 'type'], path, fail);
    const { column, role, type } = field;
    if (typeof column !== 'string' || column === '')
      return fail([...path, 'column'], 'must name a column of the table');
    if (seen.has(column)) return fail([...path, 'column'], `${JSON.stringify(column)} is listed twice`);
    seen.add(column);
    if (role !== 'primary' && role !== 'secondary')
      return fail([...path, 'role'], 'must be primary or secondary');
    if (!isFieldType(type)) return fail([...path, 'type'], `must be one of ${FIELD_TYPES.join(', ')}`);
    if (role === 'primary' && type === 'words') {
      return fail(
        path,
        `makes words (${column}) a primary: words are in every text, and whoever holds the index could try a dictionary`,
        'make it a secondary, beside a number, an IBAN, a card, an e-mail address or an id',
      );
    }
    if (role === 'primary' && type === 'date') {
      return fail(
        path,
        `makes a date (${column}) a primary: a century has only 36,525 of them`,
        'make it a secondary, beside a number, an IBAN, a card, an e-mail address or an id',
      );
    }
    return { column, role, type };
  });
  if (!parsed.some(({ role }) => role === 'primary'))
    return fail(['fields'], 'has no primary column', 'give the column that identifies a row role: primary');
  const secondaries = parsed.filter(({ role }) => role === 'secondary').length;
  return {
    name,
    fields: parsed,
    ...parseMatch(match, secondaries, fail),
    delimiter: parseDelimiter(delimiter, fail),
    dates: parseDates(dates, fail),
  };
}

type Fail = (path: readonly (string | number)[], message: string, remedy?: string) => never;

function parseMatch(
  match: unknown,
  secondaries: number,
  fail: Fail,
): Pick<IndexSchema, 'secondary' | 'withinTokens' | 'sameRow'> {
  if (match === undefined) return { secondary: 0, withinTokens: DEFAULT_TOKENS, sameRow: false };
  if (!isRecord(match))
    return fail(['match'], 'must be a map', 'for example {secondary: 1, withinTokens: 24}');
  allowOnly(match, ['secondary', 'withinTokens', 'sameRow'], ['match'], fail);
  const { secondary = 0, withinTokens, sameRow = false } = match;
  if (!isWhole(secondary, 0, MAX_FIELDS))
    return fail(['match', 'secondary'], `must be a whole number from 0`);
  if (secondary > secondaries)
    return fail(['match', 'secondary'], `asks for ${secondary} secondaries, and there are ${secondaries}`);
  if (withinTokens !== undefined && !isWhole(withinTokens, 1, MAX_TOKENS))
    return fail(['match', 'withinTokens'], `must be a whole number from 1 to ${MAX_TOKENS}`);
  if (typeof sameRow !== 'boolean') return fail(['match', 'sameRow'], 'must be true or false');
  return {
    secondary,
    withinTokens: isWhole(withinTokens, 1, MAX_TOKENS) ? withinTokens : sameRow ? 0 : DEFAULT_TOKENS,
    sameRow,
  };
}

function parseDelimiter(value: unknown, fail: Fail): string {
  if (value === undefined) return ',';
  if (typeof value === 'string') {
    const char = DELIMITERS[value] ?? value;
    if (char.length === 1 && char.charCodeAt(0) < 128 && !'"\r\n'.includes(char)) return char;
  }
  return fail(['delimiter'], `must be one character, or ${Object.keys(DELIMITERS).join(', ')}`);
}

function parseDates(value: unknown, fail: Fail): IndexSchema['dates'] {
  if (value === undefined) return 'auto';
  if (value === 'day-first' || value === 'month-first' || value === 'auto') return value;
  return fail(['dates'], 'must be day-first or month-first', 'it says how the table writes 03/04/2024');
}

function isFieldType(value: unknown): value is FieldType {
  return (FIELD_TYPES as readonly unknown[]).includes(value);
}

function isWhole(value: unknown, from: number, to: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function allowOnly(
  value: Record<string, unknown>,
  names: readonly string[],
  path: readonly (string | number)[],
  fail: Fail,
): void {
  const unknown = Object.keys(value).find((key) => !names.includes(key));
  if (unknown !== undefined) fail([...path, unknown], 'is not known here', `there are: ${names.join(', ')}`);
}

function lineOf(document: Document.Parsed, lines: LineCounter, path: readonly (string | number)[]): number {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
    const range = (node as { range?: [number, number, number] } | null | undefined)?.range;
    if (range) return lines.linePos(range[0]).line;
  }
  return 1;
}
