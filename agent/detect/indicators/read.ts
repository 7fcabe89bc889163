/**
 * Indicator files: CSV (with or without a header), STIX 2.1 bundles and MISP events, as a stream of indicators with their line.
 *
 * CSV: a header names the columns `type` and `value` (or indicator, ioc), and may have `level`; without one, the first
 * field of each line is the value and its kind is what it looks like. A column may also be named by the kind it holds
 * (`sha256`, `dst_ip`), and `expires` or `valid_until` ends an indicator. Fields are separated by comma, semicolon or
 * tab, as in the header. Lines that start with `#` are comments; one of them may be the header.
 * Limits: 4,194,303 lines per file; a STIX file has at most 256 MiB, since JSON is read as a whole.
 */
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import type { Severity } from '../../event.ts';
import { SEVERITIES } from '../../event.ts';
import { parseStixPattern } from './stix.ts';
import { readMisp } from './misp.ts';
import { UNMATCHED, kindNamed, readIndicator } from './value.ts';
import type { Indicator } from './value.ts';

export const MAX_LINES = 4_194_303;
const MAX_STIX_BYTES = 256 * 1024 * 1024;

export type ReadResult =
  | {
      line: number;
      indicator: Indicator;
      level: Severity | undefined;
      /** Ms since the epoch from which it counts no more. */
      expiresMs?: number;
    }
  /** A line or object that is no indicator here, and why. */
  | { line: number; problem: string };

/** Reads a file by its name: .json and .stix hold STIX or MISP, anything else is CSV. Throws for a file that cannot be read. */
export async function* readIndicatorFile(path: string): AsyncGenerator<ReadResult[]> {
  if (path.endsWith('.json') || path.endsWith('.stix')) yield await readJson(path);
  else yield* readCsv(path);
}

interface Columns {
  type: number;
  value: number;
  level: number;
  expires: number;
  /** Kind of all values, if the header says it. */
  kind: Indicator['kind'] | undefined;
  separator: string;
}

async function* readCsv(path: string): AsyncGenerator<ReadResult[]> {
  let rest = '';
  let line = 0;
  let columns: Columns | undefined;
  let header: Columns | undefined;
  const input = createReadStream(path, { encoding: 'utf8', highWaterMark: 1 << 16 });
  const take = (lines: string[]): ReadResult[] => {
    const results: ReadResult[] = [];
    for (const text of lines) {
      line += 1;
      if (line > MAX_LINES) {
        if (line === MAX_LINES + 1)
          results.push({ line, problem: `has more than ${MAX_LINES} lines; split the file` });
        continue;
      }
      if (columns === undefined) {
        const trimmed = text.replace(/^\uFEFF/, '');
        if (trimmed.trim() === '') continue;
        if (trimmed.startsWith('#')) {
          // A comment of one word is hardly a header.
          if (/[,;\t]/.test(trimmed)) header = headerOf(trimmed.replace(/^#+\s*/, '')) ?? header;
          continue;
        }
        columns = headerOf(trimmed);
        if (columns) continue;
        columns = header ?? NO_HEADER;
      }
      const result = csvLine(text, line, columns);
      if (result) results.push(result);
    }
    return results;
  };
  for await (const chunk of input) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    yield take(lines);
  }
  if (rest !== '') yield take([rest]);
}

const NO_HEADER: Columns = { type: -1, value: 0, level: -1, expires: -1, kind: undefined, separator: ',' };
const VALUE_NAMES = ['value', 'indicator', 'ioc', 'pattern', 'ioc_value', 'indicator_value', 'observable'];
const TYPE_NAMES = ['type', 'kind', 'indicator_type', 'ioc_type', 'observable_type'];
const EXPIRY_NAMES = ['expires', 'expiry', 'expiration', 'expires_at', 'valid_until', 'expiration_date'];

function headerOf(text: string): Columns | undefined {
  const separator = [',', ';', '\t'].find((mark) => text.includes(mark)) ?? ',';
  const names = splitCsv(text, separator).map((name) => name.trim().toLowerCase().replaceAll(' ', '_'));
  let kind: Indicator['kind'] | undefined;
  let value = names.findIndex((name) => VALUE_NAMES.includes(name));
  if (value === -1) {
    value = names.findIndex((name) => kindNamed(name) !== undefined);
    // A line such as `198.51.100.7,ip` is no header.
    if (value === -1 || names.some((name) => typeof readIndicator(name) !== 'string')) return undefined;
    kind = kindNamed(names[value] as string);
  }
  const column = (known: readonly string[]): number => names.findIndex((name) => known.includes(name));
  return {
    value,
    kind,
    type: column(TYPE_NAMES),
    level: column(['level', 'severity']),
    expires: column(EXPIRY_NAMES),
    separator,
  };
}

function csvLine(text: string, line: number, columns: Columns): ReadResult | undefined {
  if (text.trim() === '' || text.startsWith('#')) return undefined;
  const { separator } = columns;
  const fields = text.includes(separator) || text.includes('"') ? splitCsv(text, separator) : [text];
  const value = fields[columns.value] ?? '';
  const type = columns.type === -1 ? '' : (fields[columns.type] ?? '').trim().toLowerCase();
  const unmatched = UNMATCHED[type];
  if (unmatched !== undefined) return { line, problem: unmatched };
  const ends = columns.expires === -1 ? '' : (fields[columns.expires] ?? '').trim();
  const expiresMs = ends === '' ? undefined : Date.parse(ends);
  if (Number.isNaN(expiresMs)) return { line, problem: `"${ends.slice(0, 40)}" is not a date` };
  if (expiresMs !== undefined && expiresMs <= Date.now())
    return { line, problem: `is no longer valid since ${ends.slice(0, 40)}` };
  // A type that is not ours (`md5`, `botnet_cc`) leaves the kind to the value.
  const indicator = readIndicator(value, type === '' ? columns.kind : kindNamed(type));
  if (typeof indicator === 'string') return { line, problem: indicator };
  const level = levelNamed(columns.level === -1 ? undefined : fields[columns.level]);
  return { line, indicator, level, expiresMs };
}

function levelNamed(text: string | undefined): Severity | undefined {
  return SEVERITIES.find((level) => level === text?.trim().toLowerCase());
}

/** Fields of one CSV line (RFC 4180, no line breaks inside quotes). */
export function splitCsv(text: string, separator = ','): string[] {
  const fields: string[] = [];
  let at = 0;
  while (at <= text.length) {
    if (text[at] === '"') {
      let field = '';
      at += 1;
      for (;;) {
        const end = text.indexOf('"', at);
        if (end === -1) {
          field += text.slice(at);
          at = text.length;
          break;
        }
        field += text.slice(at, end);
        at = end + 1;
        if (text[at] !== '"') break;
        field += '"';
        at += 1;
      }
      fields.push(field);
      const comma = text.indexOf(separator, at);
      if (comma === -1) break;
      at = comma + 1;
    } else {
      const comma = text.indexOf(separator, at);
      fields.push(text.slice(at, comma === -1 ? undefined : comma).replace(/\r$/, ''));
      if (comma === -1) break;
      at = comma + 1;
    }
  }
  return fields;
}

interface StixObject {
  type?: unknown;
  id?: unknown;
  pattern?: unknown;
  pattern_type?: unknown;
  valid_until?: unknown;
  revoked?: unknown;
}

async function readJson(path: string): Promise<ReadResult[]> {
  const { size } = await stat(path);
  if (size > MAX_STIX_BYTES)
    return [{ line: 1, problem: `is larger than ${MAX_STIX_BYTES >> 20} MiB; split the bundle` }];
  const text = await readFile(path, 'utf8');
  let bundle: unknown;
  try {
    bundle = JSON.parse(text);
  } catch (error) {
    return [{ line: 1, problem: `is not JSON: ${(error as Error).message.split('\n')[0]}` }];
  }
  const lineOf = lineFinder(text);
  const misp = readMisp(bundle, lineOf);
  if (misp) return misp;
  const objects = (bundle as { objects?: unknown } | null)?.objects ?? bundle;
  const list = (Array.isArray(objects) ? objects : [objects]) as (StixObject | null)[];
  return list.flatMap((object) =>
    object?.type === 'indicator' ? stixObject(object, lineOf(object.id)) : [],
  );
}

function stixObject(object: StixObject, line: number): ReadResult[] {
  if (object.revoked === true) return [{ line, problem: 'is revoked' }];
  if (typeof object.valid_until === 'string' && Date.parse(object.valid_until) < Date.now()) {
    return [{ line, problem: `is no longer valid since ${object.valid_until.slice(0, 40)}` }];
  }
  if (typeof object.pattern !== 'string' || (object.pattern_type ?? 'stix') !== 'stix') {
    return [{ line, problem: 'has no STIX pattern' }];
  }
  const values = parseStixPattern(object.pattern);
  if (typeof values === 'string') return [{ line, problem: `pattern ${values}` }];
  const expiresMs = typeof object.valid_until === 'string' ? Date.parse(object.valid_until) : undefined;
  return values.map(({ kind, value }) => {
    const indicator = readIndicator(value, kind);
    return typeof indicator === 'string'
      ? { line, problem: indicator }
      : { line, indicator, level: undefined, expiresMs };
  });
}

/** Line of an object's id in the text; objects come in order, so the search goes forward. */
function lineFinder(text: string): (id: unknown) => number {
  let at = 0;
  let line = 1;
  return (id) => {
    if (typeof id !== 'string') return line;
    const found = text.indexOf(`"${id}"`, at);
    if (found === -1) return line;
    for (let i = at; i < found; i += 1) if (text.charCodeAt(i) === 10) line += 1;
    at = found;
    return line;
  };
}
