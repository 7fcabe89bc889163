/**
 * Rule files as YAML 1.2 documents that still know the line of every key.
 *
 * Limits: a file has at most 4 MiB and 10,000 documents; aliases expand at most 100 times (no "billion laughs").
 * `<<` merges maps, which YAML 1.1 readers such as the one of pySigma do. Numbers keep their value; an integer that a double cannot hold, or with leading zeros, keeps its text as a string.
 */
import { LineCounter, isMap, isScalar, isSeq, parseAllDocuments, visit } from 'yaml';
import type { Document, Node, ParsedNode } from 'yaml';
import { RuleError } from './rule-error.ts';

const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_DOCUMENTS = 10_000;
const MAX_ALIASES = 100;

/** A JSON-like value; maps have no prototype, so a key such as `__proto__` is only a key. */
export type YamlValue = string | number | boolean | null | YamlValue[] | YamlMap;
export interface YamlMap {
  [key: string]: YamlValue;
}

export interface SourceDocument {
  file: string;
  /** Line where the document's content starts. */
  line: number;
  value: YamlValue;
  /** Line of the deepest key of `path` that exists. */
  lineOf(path: readonly (string | number)[]): number;
}

export function isYamlMap(value: unknown): value is YamlMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value for a message: a scalar as it is, lists and maps as JSON. */
export function yamlText(value: YamlValue): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}

function plain(value: unknown): YamlValue {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value.toString();
  }
  if (value === undefined || value === null) return null;
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'object') {
    const map = Object.create(null) as YamlMap;
    const entries = value instanceof Map ? value.entries() : Object.entries(value);
    for (const [key, item] of entries) map[String(key)] = plain(item);
    return map;
  }
  return value as string | number | boolean;
}

function offsetOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}

function deepestOffset(root: ParsedNode | null, path: readonly (string | number)[]): number | undefined {
  let node: unknown = root;
  let offset = offsetOf(root);
  for (const key of path) {
    let next: unknown;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
      if (!pair) return offset;
      offset = offsetOf(pair.key) ?? offset;
      next = pair.value;
    } else if (isSeq(node)) {
      next = node.items[Number(key)];
      if (next === undefined) return offset;
      offset = offsetOf(next) ?? offset;
    } else return offset;
    node = next;
  }
  return offset;
}

/** Parses every document of a file; documents that do not parse become errors, the others still count. */
export function readDocuments(
  file: string,
  text: string,
): { documents: SourceDocument[]; errors: RuleError[] } {
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) {
    const reason = `is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB`;
    return { documents: [], errors: [new RuleError({ file }, reason, 'split it into several files')] };
  }
  const lines = new LineCounter();
  const documents: SourceDocument[] = [];
  const errors: RuleError[] = [];
  let parsed: Document.Parsed[];
  try {
    parsed = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      intAsBigInt: true,
      uniqueKeys: true,
      merge: true,
      logLevel: 'silent',
    }) as Document.Parsed[];
  } catch (error) {
    const reason = `is not YAML: ${firstLine(error)}`;
    return { documents, errors: [new RuleError({ file }, reason, 'check that the file is text in UTF-8')] };
  }
  const lineAt = (offset: number | undefined): number => Math.max(1, lines.linePos(offset ?? 0).line);
  for (const document of parsed.slice(0, MAX_DOCUMENTS)) {
    const problem = document.errors[0];
    if (problem) {
      const line = lineAt(problem.pos[0]);
      errors.push(
        new RuleError({ file, line }, `is not valid YAML: ${firstLine(problem)}`, yamlRemedy(problem.code)),
      );
      continue;
    }
    if (document.contents === null) continue;
    keepLeadingZeros(document);
    try {
      const root = document.contents;
      documents.push({
        file,
        line: lineAt(offsetOf(root)),
        value: plain(document.toJS({ maxAliasCount: MAX_ALIASES })),
        lineOf: (path) => lineAt(deepestOffset(root, path)),
      });
    } catch (error) {
      const line = lineAt(offsetOf(document.contents));
      errors.push(new RuleError({ file, line }, `is not valid YAML: ${firstLine(error)}`, 'write it out'));
    }
  }
  return { documents, errors };
}

/** `0777` is what a command line holds; as a number it would be 777. */
function keepLeadingZeros(document: Document.Parsed): void {
  visit(document, {
    Scalar(_key, node) {
      const integer = typeof node.value === 'bigint' || typeof node.value === 'number';
      if (integer && node.source !== undefined && /^[-+]?0\d+$/.test(node.source)) node.value = node.source;
    },
  });
}

function firstLine(error: unknown): string {
  if (error instanceof RangeError) return 'it is nested too deeply or contains itself';
  // Control characters would reach a terminal: a file may be binary garbage.
  const message = error instanceof Error ? error.message : String(error);
  return (message.split('\n')[0] ?? '').replace(/[\u0000-\u001f\u007f-\u009f]/g, '?').slice(0, 200);
}

function yamlRemedy(code: string): string {
  if (code === 'DUPLICATE_KEY') return 'give the key once, with a list of values';
  if (code === 'TAB_AS_INDENT') return 'indent with spaces';
  return 'check indentation, quotes and colons';
}
