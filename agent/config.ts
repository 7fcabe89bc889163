/**
 * Configuration: defaults < YAML file < SENTINEL_* environment < command line. Every problem names where it is
 * (file and line, variable or flag), what is allowed, and the nearest known name; all problems are reported at once.
 */
import { readFileSync } from 'node:fs';
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node } from 'yaml';
import {
  environmentName,
  OPTIONS,
  type ConfigValues,
  type Option,
  type OptionName,
} from './config-options.ts';
import { fromSystemError, UsageError } from './errors.ts';

export interface Config {
  readonly values: ConfigValues;
  /** Where each value came from: `default`, `FILE:LINE`, `$NAME` or `--flag`. */
  readonly origins: Readonly<Record<OptionName, string>>;
  /** The file that was read, if any. */
  readonly file?: string;
}

export interface ConfigSources {
  file?: string;
  environment?: Readonly<Record<string, string | undefined>>;
  /** Option name to text, from the command line; the key is the option, the origin its flag. */
  flags?: ReadonlyMap<OptionName, { text: string; origin: string }>;
}

const MAX_CONFIG_BYTES = 1024 * 1024;
const NAMES = Object.keys(OPTIONS) as OptionName[];
/** Environment names that are not settings. */
const RESERVED_ENVIRONMENT = /^SENTINEL_(DATA|CONFIG|NATIVE_DIR|CRASH_.*|BENCH_.*|TEST_.*|ELECTRON_.*)$/;

function allowedText(option: Option): string {
  switch (option.kind) {
    case 'int':
      return `a whole number from ${option.min} to ${option.max}`;
    case 'choice':
      return option.values.join(', ');
    case 'flag':
      return 'true or false';
    case 'list':
      return 'a list of paths';
    case 'text':
      return option.allowed ?? 'text';
  }
}

function checked(option: Option, value: unknown): unknown {
  switch (option.kind) {
    case 'int':
      return typeof value === 'number' &&
        Number.isSafeInteger(value) &&
        value >= option.min &&
        value <= option.max
        ? value
        : undefined;
    case 'flag':
      return typeof value === 'boolean' ? value : undefined;
    case 'choice':
      return typeof value === 'string' && option.values.includes(value) ? value : undefined;
    case 'list':
      return Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '')
        ? value
        : undefined;
    case 'text':
      return typeof value === 'string' && (option.pattern?.test(value) ?? true) ? value : undefined;
  }
}

function fromText(option: Option, text: string): unknown {
  if (option.kind === 'int') return /^-?[0-9]+$/.test(text) ? Number(text) : undefined;
  if (option.kind === 'flag')
    return { true: true, false: false, 1: true, 0: false, on: true, off: false }[text];
  if (option.kind === 'list') return text === '' ? [] : text.split(',');
  return text;
}

/** Levenshtein distance, for "did you mean". */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The nearest of `names` to a misspelt one, when it is near enough to be meant. */
export function nearest(wrong: string, names: readonly string[]): string | undefined {
  const scored = names
    .map((name) => [distance(wrong.toLowerCase(), name.toLowerCase()), name] as const)
    .sort((a, b) => a[0] - b[0]);
  const best = scored[0];
  return best && best[0] <= Math.max(2, Math.floor(wrong.length / 3)) ? best[1] : undefined;
}

class Collector {
  readonly values = new Map<OptionName, unknown>();
  readonly origins = new Map<OptionName, string>();
  readonly problems: string[] = [];

  set(name: OptionName, value: unknown, shown: string, where: string): void {
    const option = OPTIONS[name] as Option;
    const good = checked(option, value);
    if (good === undefined) {
      this.problems.push(`${where}: ${name} is ${shown}; allowed: ${allowedText(option)}`);
      return;
    }
    this.values.set(name, good);
    this.origins.set(name, where);
  }
}

function readFile(path: string, collector: Collector): void {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw fromSystemError(error, 'read the configuration', path);
  }
  if (bytes.length > MAX_CONFIG_BYTES) {
    throw new UsageError(
      `${path} is ${bytes.length} bytes; a configuration has at most ${MAX_CONFIG_BYTES}`,
      'check that this is the right file',
    );
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(
      `${path} is not UTF-8 text`,
      'check that this is the right file; the configuration is YAML',
    );
  }
  if (text.includes('\0'))
    throw new UsageError(
      `${path} holds NUL bytes`,
      'check that this is the right file; the configuration is YAML',
    );
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  for (const problem of document.errors.slice(0, 5)) {
    collector.problems.push(
      `${path}:${lines.linePos(problem.pos[0]).line}: ${problem.message.split('\n')[0] ?? 'not YAML'}`,
    );
  }
  if (document.errors.length > 0 || document.contents === null) return;
  const visit = (node: Node | null, prefix: string): void => {
    const line = lines.linePos(node?.range?.[0] ?? 0).line;
    if (!isMap(node)) {
      collector.problems.push(
        `${path}:${line}: expected settings as \`name: value\`${prefix ? ` under ${prefix}` : ''}`,
      );
      return;
    }
    for (const pair of node.items) {
      const key = isScalar(pair.key) ? String(pair.key.value) : '?';
      const name = prefix ? `${prefix}.${key}` : key;
      const at = `${path}:${lines.linePos((pair.key as Node).range?.[0] ?? 0).line}`;
      const value = pair.value as Node | null;
      if (Object.hasOwn(OPTIONS, name)) {
        const plain: unknown = isScalar(value) ? value.value : isSeq(value) ? value.toJSON() : undefined;
        collector.set(
          name as OptionName,
          plain,
          isScalar(value) ? JSON.stringify(value.value) : 'not a plain value',
          at,
        );
      } else if (NAMES.some((known) => known.startsWith(`${name}.`))) visit(value, name);
      else {
        const meant = nearest(name, NAMES);
        collector.problems.push(
          `${at}: there is no setting ${name}${meant ? `; did you mean ${meant}?` : ''}`,
        );
      }
    }
  };
  visit(document.contents, '');
}

/**
 * Loads and validates the configuration.
 * @throws UsageError listing every problem, one a line.
 */
export function loadConfig(sources: ConfigSources): Config {
  const collector = new Collector();
  if (sources.file !== undefined) readFile(sources.file, collector);
  const byEnvironment = new Map(NAMES.map((name) => [environmentName(name), name] as const));
  for (const [variable, text] of Object.entries(sources.environment ?? {})) {
    if (!variable.startsWith('SENTINEL_') || text === undefined || RESERVED_ENVIRONMENT.test(variable))
      continue;
    const name = byEnvironment.get(variable);
    if (name) collector.set(name, fromText(OPTIONS[name], text), JSON.stringify(text), `$${variable}`);
    else {
      const meant = nearest(variable, [...byEnvironment.keys()]);
      collector.problems.push(
        `$${variable}: there is no such setting${meant ? `; did you mean ${meant}?` : ''}`,
      );
    }
  }
  for (const [name, { text, origin }] of sources.flags ?? []) {
    if (!Object.hasOwn(OPTIONS, name)) {
      const meant = nearest(name, NAMES);
      collector.problems.push(
        `${origin}: there is no setting ${name}${meant ? `; did you mean ${meant}?` : ''}`,
      );
      continue;
    }
    collector.set(name, fromText(OPTIONS[name], text), JSON.stringify(text), origin);
  }
  if (collector.problems.length > 0) {
    throw new UsageError(
      collector.problems.join('\n'),
      'nothing was changed; see `sentinel config show` for all settings',
    );
  }
  const values: Record<string, unknown> = {};
  const origins: Record<string, string> = {};
  for (const name of NAMES) {
    values[name] = collector.values.get(name) ?? OPTIONS[name].default;
    origins[name] = collector.origins.get(name) ?? 'default';
  }
  return {
    values: values as ConfigValues,
    origins: origins as Record<OptionName, string>,
    file: sources.file,
  };
}
