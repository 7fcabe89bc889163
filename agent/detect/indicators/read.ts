/**
 * Indicator files: CSV (with or without a header) and STIX 2.1 bundles, as a stream of indicators with their line.
 *
 * CSV: a header names the columns `type` and `value` (or indicator, ioc), and may have `level`; without one, the first
 * field of each line is the value and its kind is what it looks like. Lines that start with `#` are comments.
 * Limits: 4,194,303 lines per file; a STIX file has at most 256 MiB, since JSON is read as a whole.
 */
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import type { Severity } from '../../event.ts';
import { SEVERITIES } from '../../event.ts';
import { parseStixPattern } from './stix.ts';
import { kindNamed, readIndicator } from './value.ts';
import type { Indicator } from './value.ts';

export const MAX_LINES = 4_194_303;
const MAX_STIX_BYTES = 256 * 1024 * 1024;

export type ReadResult =
  | { line: number; indicator: Indicator; level: Severity | undefined }
  /** A line or object that is no indicator here, and why. */
  | { line: number; problem: string };

/** Reads a file by its contents: JSON is STIX, anything else CSV. Throws for a file that cannot be read. */
export async function* readIndicatorFile(path: string): AsyncGenerator<ReadResult[]> {
  if (path.endsWith('.json') || path.endsWith('.stix')) yield await readStix(path);
  else yield* readCsv(path);
}

interface Columns {
  type: number;
  value: number;
  level: number;
}

async function* readCsv(path: string): AsyncGenerator<ReadResult[]> {
  let rest = '';
  let line = 0;
  let columns: Columns | undefined;
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
        if (trimmed.trim() === '' || trimmed.startsWith('#')) continue;
        columns = headerOf(trimmed);
        if (columns) continue;
        columns = { type: -1, value: 0, level: -1 };
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

function headerOf(text: string): Columns | undefined {
  const names = splitCsv(text).map((name) => name.trim().toLowerCase());
  const value = names.findIndex((name) => ['value', 'indicator', 'ioc', 'pattern'].includes(name));
  if (value === -1) return undefined;
  const type = names.findIndex((name) => ['type', 'kind', 'indicator_type', 'ioc_type'].includes(name));
  return { value, type, level: names.findIndex((name) => name === 'level' || name === 'severity') };
}

function csvLine(text: string, line: number, columns: Columns): ReadResult | undefined {
  if (text.trim() === '' || text.startsWith('#')) return undefined;
  const fields = text.includes(',') || text.includes('"') ? splitCsv(text) : [text];
  const value = fields[columns.value] ?? '';
  const type = columns.type === -1 ? '' : (fields[columns.type] ?? '');
  // A type that is not ours (`md5`, `botnet_cc`) leaves the kind to the value.
  const indicator = readIndicator(value, type === '' ? undefined : kindNamed(type));
  if (typeof indicator === 'string') return { line, problem: indicator };
  return { line, indicator, level: levelNamed(columns.level === -1 ? undefined : fields[columns.level]) };
}

function levelNamed(text: string | undefined): Severity | undefined {
  return SEVERITIES.find((level) => level === text?.trim().toLowerCase());
}

/** Fields of one CSV line (RFC 4180, no line breaks inside quotes). */
export function splitCsv(text: string): string[] {
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
      const comma = text.indexOf(',', at);
      if (comma === -1) break;
      at = comma + 1;
    } else {
      const comma = text.indexOf(',', at);
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

async function readStix(path: string): Promise<ReadResult[]> {
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
  const objects = (bundle as { objects?: unknown } | null)?.objects ?? bundle;
  const list = (Array.isArray(objects) ? objects : [objects]) as (StixObject | null)[];
  const lineOf = lineFinder(text);
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
  return values.map(({ kind, value }) => {
    const indicator = readIndicator(value, kind);
    return typeof indicator === 'string'
      ? { line, problem: indicator }
      : { line, indicator, level: undefined };
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
