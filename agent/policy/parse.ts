/**
 * Policy files: YAML, one policy a document. Everything that is wrong is reported at once, each with its place and a
 * remedy; a document with a mistake gives no policy and takes none of the others with it.
 *
 * Limits: a file has at most 256 KiB and 1,000 documents, a policy 64 exceptions.
 */
import { isScalar, isSeq, type Document, type YAMLMap } from 'yaml';
import { normalCidr } from './addresses.ts';
import { nearest } from '../config.ts';
import { dlpNamesIn, type PlacedName } from './dlp-names.ts';
import { SEVERITIES, type Severity } from '../event.ts';
import { ExpressionError, type Expression, type ExpressionCompiler } from './expression.ts';
import { documentText } from './edit.ts';
import { hashText } from './hash.ts';
import type { PolicyProblem } from './problem.ts';
import {
  ACTIONS,
  POLICY_STATES,
  type Action,
  type FailMode,
  type Policy,
  type PolicyException,
} from './types.ts';
import { isMap, offsetInside, pairsOf, parseYaml, startOf, type YamlFile } from './yaml.ts';

export const MAX_FILE_BYTES = 256 * 1024;
const MAX_EXCEPTIONS = 64;
const MAX_TEXT_CHARS = 4096;
const ID = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const KEYS = [
  'id',
  'version',
  'title',
  'description',
  'severity',
  'scope',
  'when',
  'action',
  'exceptions',
  'canaryPercent',
  'failMode',
  'cut',
  'state',
];
const CUT_KEYS = ['minutes', 'except'];
const CUT_MINUTES = 60;
const MAX_CUT_MINUTES = 10_080;
const SCOPE_KEYS = ['devices', 'users', 'containers'];
const EXCEPTION_KEYS = ['when', 'owner', 'reason', 'expires'];

/** A policy with its conditions compiled. */
export interface LoadedPolicy {
  policy: Policy;
  when: Expression;
  exceptions: Expression[];
  /** Indexes and rules of protected data that its conditions name. */
  dlpNames: readonly PlacedName[];
}

export interface ParsedFile {
  policies: LoadedPolicy[];
  problems: PolicyProblem[];
  /** Not mistakes: what is without effect. */
  warnings: PolicyProblem[];
}

/** Reads all policies of one file. */
export function parsePolicies(file: string, text: string, compile: ExpressionCompiler): ParsedFile {
  const result: ParsedFile = { policies: [], problems: [], warnings: [] };
  const bytes = Buffer.byteLength(text);
  const whole = (message: string, remedy: string): ParsedFile => {
    result.problems.push({ file, line: 1, column: 1, message, remedy });
    return result;
  };
  if (bytes > MAX_FILE_BYTES)
    return whole(`the file has ${bytes} bytes; ${MAX_FILE_BYTES} are allowed`, 'split it into several files');
  if (text.includes('\0')) return whole('the file is not text', 'write YAML in UTF-8');
  let yaml: YamlFile;
  try {
    yaml = parseYaml(text);
  } catch (error) {
    return whole(`the file is not YAML: ${firstLine(error)}`, 'check indentation, quotes and colons');
  }
  const filled = yaml.documents.filter(
    (document) => document.contents !== null || document.errors.length > 0,
  );
  if (filled.length === 0)
    return whole('the file holds no policy', 'write at least id, version, severity, when and action');
  for (const document of filled) new Reader(file, text, yaml, compile, result).read(document);
  return result;
}

function firstLine(error: unknown): string {
  const message = error instanceof RangeError ? 'it is nested too deeply' : (error as Error).message;
  return (message.split('\n')[0] ?? '').replace(/[\u0000-\u001f\u007f-\u009f]/g, '?').slice(0, 200);
}

function shown(value: unknown): string {
  return (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).slice(0, 40);
}

class Reader {
  readonly #file: string;
  readonly #source: string;
  readonly #yaml: YamlFile;
  readonly #compile: ExpressionCompiler;
  readonly #result: ParsedFile;
  #id: string | undefined;
  #failed = false;
  #dlpNames: PlacedName[] = [];

  constructor(file: string, source: string, yaml: YamlFile, compile: ExpressionCompiler, result: ParsedFile) {
    this.#file = file;
    this.#source = source;
    this.#yaml = yaml;
    this.#compile = compile;
    this.#result = result;
  }

  read(document: Document.Parsed): void {
    for (const error of document.errors)
      this.#problem(
        error.pos[0],
        `not valid YAML: ${firstLine(error)}`,
        'check indentation, quotes and colons',
      );
    if (this.#failed) return;
    const map = document.contents;
    if (!isMap(map)) {
      this.#problem(
        startOf(map),
        'a policy is a map of fields',
        'write id: …, version: …, when: …, action: …',
      );
      return;
    }
    const id = this.#text(map, 'id', true);
    if (id !== undefined && ID.test(id)) this.#id = id;
    else if (id !== undefined)
      this.#at(
        map,
        'id',
        `"${id.slice(0, 80)}" is not an id`,
        'use lower-case letters, digits, dots, hyphens, at most 64',
      );
    this.#unknownKeys(map, KEYS, 'a policy');
    const version = this.#integer(map, 'version', 1, 1_000_000_000, undefined);
    const severity = this.#choice<Severity>(map, 'severity', SEVERITIES);
    const action = this.#choice<Action>(map, 'action', ACTIONS);
    const failMode = this.#has(map, 'failMode')
      ? this.#choice<FailMode>(map, 'failMode', ['open', 'closed'])
      : 'open';
    const canaryPercent = this.#integer(map, 'canaryPercent', 1, 100, 10);
    const title = this.#text(map, 'title', false) ?? id ?? '';
    const description = this.#text(map, 'description', false) ?? '';
    const scope = this.#scope(map);
    if (action === 'freeze' && scope.containers.length === 0)
      this.#at(map, 'action', 'freeze needs containers', 'name in scope.containers which may be frozen');
    const cut = action === 'cut_network' ? this.#cut(map) : undefined;
    if (action !== 'cut_network' && this.#has(map, 'cut'))
      this.#at(map, 'cut', 'belongs to action: cut_network', 'leave it out');
    const when = this.#condition(map);
    const { exceptions, compiled } = this.#exceptions(map);
    this.#state(map);
    if (action === 'deny_open' && failMode === 'closed')
      this.#warn(
        map,
        'failMode',
        'an agent that is killed lets everybody open the file, also with failMode closed',
        'closed decides what becomes of an open that could not be judged in time; set the file’s own permissions too',
      );
    if (this.#failed || !id || !version || !severity || !action || !failMode || !canaryPercent || !when)
      return;
    const text = documentText(this.#source, document);
    this.#result.policies.push({
      policy: {
        id,
        version,
        title,
        description,
        severity,
        scope,
        when: when.text,
        action,
        exceptions,
        canaryPercent,
        failMode,
        ...(cut && { cut }),
        hash: hashText(text),
        text,
        file: this.#file,
      },
      when,
      exceptions: compiled,
      dlpNames: this.#dlpNames,
    });
  }

  #problem(offset: number, message: string, remedy: string): void {
    this.#failed = true;
    const id = this.#id === undefined ? {} : { id: this.#id };
    this.#result.problems.push({ file: this.#file, ...this.#yaml.placeOf(offset), message, remedy, ...id });
  }

  #at(map: YAMLMap, key: string, message: string, remedy: string): void {
    const pair = pairsOf(map).get(key);
    this.#problem(startOf(pair?.value ?? pair?.key ?? map), `${key}: ${message}`, remedy);
  }

  #has(map: YAMLMap, key: string): boolean {
    return pairsOf(map).has(key);
  }

  #unknownKeys(map: YAMLMap, known: readonly string[], what: string): void {
    for (const [key, pair] of pairsOf(map)) {
      if (known.includes(key)) continue;
      const meant = nearest(key, known);
      this.#problem(
        startOf(pair.key),
        `${what} has no field ${JSON.stringify(key.slice(0, 80))}`,
        meant ? `did you mean ${meant}?` : `there are ${known.join(', ')}`,
      );
    }
  }

  /** A scalar's value; reports what is not one. */
  #scalar(map: YAMLMap, key: string, required: boolean): unknown {
    const pair = pairsOf(map).get(key);
    if (!pair || pair.value === null || (isScalar(pair.value) && pair.value.value === null)) {
      if (required) this.#problem(startOf(pair?.key ?? map), `${key} is missing`, `add ${key}: …`);
      return undefined;
    }
    if (isScalar(pair.value)) return pair.value.value;
    this.#at(map, key, 'is not a single value', 'write one value behind the colon');
    return undefined;
  }

  #text(map: YAMLMap, key: string, required: boolean): string | undefined {
    const value = this.#scalar(map, key, required);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') {
      this.#at(map, key, 'is not a text', `put it in quotes: "${shown(value)}"`);
      return undefined;
    }
    if (value.length <= MAX_TEXT_CHARS || key === 'when') return value;
    this.#at(map, key, `has ${value.length} characters; ${MAX_TEXT_CHARS} are allowed`, 'shorten it');
    return undefined;
  }

  #integer(
    map: YAMLMap,
    key: string,
    min: number,
    max: number,
    fallback: number | undefined,
  ): number | undefined {
    const value = this.#scalar(map, key, fallback === undefined);
    if (value === undefined) return fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    this.#at(
      map,
      key,
      `${JSON.stringify(value)} is not a whole number from ${min} to ${max}`,
      'write it without quotes',
    );
    return undefined;
  }

  #choice<T extends string>(map: YAMLMap, key: string, allowed: readonly T[]): T | undefined {
    const value = this.#scalar(map, key, true);
    if (value === undefined) return undefined;
    const found = allowed.find((each) => each === value);
    if (found !== undefined) return found;
    const meant = nearest(shown(value), allowed);
    const remedy = `${meant ? `did you mean ${meant}? ` : ''}allowed: ${allowed.join(', ')}`;
    this.#at(map, key, `${JSON.stringify(value)} is not known`, remedy);
    return undefined;
  }

  #condition(map: YAMLMap): Expression | undefined {
    const text = this.#text(map, 'when', true);
    if (text === undefined) return undefined;
    try {
      const compiled = this.#compile(text.trimEnd());
      this.#noteNames(map, compiled);
      return compiled;
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      const node = pairsOf(map).get('when')?.value;
      this.#problem(offsetInside(this.#source, node, error.offset), `when: ${error.message}`, error.remedy);
      return undefined;
    }
  }

  #noteNames(map: YAMLMap, when: Expression): void {
    const node = pairsOf(map).get('when')?.value;
    for (const { field, name, start } of dlpNamesIn(when.root)) {
      const place = this.#yaml.placeOf(offsetInside(this.#source, node, start));
      this.#dlpNames.push({ field, name, ...place });
    }
  }

  #scope(map: YAMLMap): Policy['scope'] {
    const scope: Record<string, string[]> = { devices: [], users: [], containers: [] };
    const node = pairsOf(map).get('scope')?.value;
    if (isMap(node)) {
      this.#unknownKeys(node, SCOPE_KEYS, 'scope');
      for (const key of SCOPE_KEYS) scope[key] = this.#texts(node, key);
    } else if (node !== undefined && !(isScalar(node) && node.value === null)) {
      this.#at(map, 'scope', 'is not a map', 'give it devices, users or containers, each a list');
    }
    return scope as unknown as Policy['scope'];
  }

  #cut(map: YAMLMap): NonNullable<Policy['cut']> {
    const node = pairsOf(map).get('cut')?.value;
    if (!isMap(node)) {
      if (node !== undefined)
        this.#at(map, 'cut', 'is not a map', 'give it minutes, or except: a list of networks');
      return { minutes: CUT_MINUTES, except: [] };
    }
    this.#unknownKeys(node, CUT_KEYS, 'cut');
    const minutes = this.#integer(node, 'minutes', 1, MAX_CUT_MINUTES, CUT_MINUTES) ?? CUT_MINUTES;
    const except = this.#texts(node, 'except').flatMap((text) => {
      const cidr = normalCidr(text);
      if (cidr === undefined)
        this.#at(
          node,
          'except',
          `${shown(text)} is not a network`,
          'write for example 127.0.0.0/8 or ::1/128',
        );
      return cidr ?? [];
    });
    return { minutes, except };
  }

  #texts(map: YAMLMap, key: string): string[] {
    const node = pairsOf(map).get(key)?.value;
    if (node === undefined) return [];
    const items = isSeq(node) ? node.items : undefined;
    if (items?.every((item) => isScalar(item) && typeof item.value === 'string'))
      return items.map((item) => String((item as { value: unknown }).value));
    this.#at(map, key, 'is not a list of texts', 'write ["one", "two"]');
    return [];
  }

  #exceptions(map: YAMLMap): { exceptions: PolicyException[]; compiled: Expression[] } {
    const exceptions: PolicyException[] = [];
    const compiled: Expression[] = [];
    const node = pairsOf(map).get('exceptions')?.value;
    if (node === undefined || (isScalar(node) && node.value === null)) return { exceptions, compiled };
    if (!isSeq(node) || node.items.length > MAX_EXCEPTIONS) {
      this.#at(map, 'exceptions', `is not a list of at most ${MAX_EXCEPTIONS}`, 'begin each with a hyphen');
      return { exceptions, compiled };
    }
    for (const item of node.items) {
      if (!isMap(item)) {
        this.#problem(startOf(item), 'an exception is a map', 'give it when, owner, reason and expires');
        continue;
      }
      this.#unknownKeys(item, EXCEPTION_KEYS, 'an exception');
      const when = this.#condition(item);
      const owner = this.#text(item, 'owner', true);
      const reason = this.#text(item, 'reason', false) ?? '';
      const expiresMs = this.#expiry(item);
      if (!when || owner === undefined || expiresMs === undefined) continue;
      exceptions.push({ when: when.text, owner, reason, expiresMs });
      compiled.push(when);
    }
    return { exceptions, compiled };
  }

  #expiry(map: YAMLMap): number | undefined {
    const text = this.#text(map, 'expires', true);
    if (text === undefined) return undefined;
    const ms = Date.parse(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T23:59:59.999Z` : text);
    if (!Number.isNaN(ms)) return ms;
    this.#at(map, 'expires', `"${text}" is not a date`, 'write for example 2027-01-31');
    return undefined;
  }

  /** A state in the text has no effect: what is in force is decided by the lifecycle, not by whoever edits a file. */
  #state(map: YAMLMap): void {
    if (!this.#has(map, 'state')) return;
    if (this.#choice(map, 'state', POLICY_STATES) === undefined) return;
    this.#warn(
      map,
      'state',
      'state in the text has no effect',
      'use sentinel policy simulate, canary, activate or rollback',
    );
  }

  #warn(map: YAMLMap, key: string, message: string, remedy: string): void {
    const place = this.#yaml.placeOf(startOf(pairsOf(map).get(key)?.key));
    this.#result.warnings.push({ file: this.#file, ...place, message, remedy });
  }
}
