/** What `sentinel rules check | test | import` do, without the command line. */
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, readFile, readdir, realpath, stat } from 'node:fs/promises';
import { basename, extname, join, relative } from 'node:path';
import { SentinelError, fromSystemError } from '../errors.ts';
import { FlatMatcher } from './flat-match.ts';
import { isYamlMap } from './yaml-source.ts';
import { loadRules } from './rule-set.ts';
import type { LoadFailure, LoadOptions, RuleSet, RuleSource } from './rule-set.ts';

const EXTENSIONS = new Set(['.yml', '.yaml']);

/** Rule files at or below the paths, each once, in order of name. Throws SentinelError for a path that is not there. */
export async function findRuleFiles(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  const seen = new Set<string>();
  const visit = async (path: string, given: boolean): Promise<void> => {
    let info;
    let real;
    try {
      info = await stat(path);
      real = await realpath(path);
    } catch (error) {
      if (given) throw fromSystemError(error, 'read rules from', path);
      return;
    }
    if (seen.has(real)) return;
    seen.add(real);
    if (info.isDirectory()) {
      const names = await readdir(path);
      for (const name of names.sort()) await visit(join(path, name), false);
    } else if (info.isFile() && (given || EXTENSIONS.has(extname(path).toLowerCase()))) files.push(path);
  };
  for (const path of paths) await visit(path, true);
  return files;
}

/** Reads rule files; one that cannot be read is a failure of its own. */
export async function readRuleFiles(
  paths: readonly string[],
  source: string,
): Promise<{ sources: RuleSource[]; failed: LoadFailure[] }> {
  const sources: RuleSource[] = [];
  const failed: LoadFailure[] = [];
  for (const path of await findRuleFiles(paths)) {
    try {
      const bytes = await readFile(path);
      const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
      sources.push({ path, text, source });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      const reason =
        code === 'ERR_ENCODING_INVALID_ENCODED_DATA'
          ? 'is not text in UTF-8; save it as UTF-8'
          : `cannot be read (${code ?? String(error)}); check its permissions`;
      failed.push({ file: path, reason });
    }
  }
  return { sources, failed };
}

/** Loads every rule at or below the paths. */
export async function loadRulePaths(
  paths: readonly string[],
  source = 'imported',
  options: LoadOptions = {},
): Promise<RuleSet> {
  const { sources, failed } = await readRuleFiles(paths, source);
  const set = loadRules(sources, options);
  set.failed.unshift(...failed);
  return set;
}

export interface CheckReport {
  /** Rules, correlations and filters that loaded. */
  loaded: number;
  failed: { file: string; line?: number; reason: string }[];
  /** Loaded, but cannot match what the sensor of this machine sees; other log sources can be tested with events. */
  notRunnable: { id: string; file: string; reason: string }[];
  warnings: { file: string; line?: number; reason: string }[];
}

/** `sentinel rules check PATH...` */
export async function checkRulePaths(
  paths: readonly string[],
  options: LoadOptions = {},
): Promise<CheckReport> {
  const set = await loadRulePaths(paths, 'imported', options);
  return {
    loaded: set.rules.length + set.correlations.length + set.filters.length,
    failed: set.failed,
    notRunnable: set.notRunnable,
    warnings: set.warnings,
  };
}

export interface TestRequest {
  /** Rule files and folders. */
  paths: readonly string[];
  /** One JSON object per line. */
  eventsFile: string;
  product?: string;
  category?: string;
  service?: string;
  options?: LoadOptions;
}

/** One for each line with an event, in order; `error` instead of matches for a line that is not a JSON object. */
export type TestRecord = { line: number; matches: string[] } | { line: number; error: string };

/** `sentinel rules test`: evaluates the events as they are read. Throws SentinelError for unreadable paths. */
export async function* testRules(request: TestRequest): AsyncGenerator<TestRecord> {
  const set = await loadRulePaths(request.paths, 'imported', request.options);
  const { product, category, service } = request;
  const matcher = new FlatMatcher(set, { product, category, service });
  let number = 0;
  try {
    await stat(request.eventsFile);
  } catch (error) {
    throw fromSystemError(error, 'read events from', request.eventsFile);
  }
  for await (const text of readLines(request.eventsFile)) {
    number += 1;
    const line = number === 1 ? text.replace(/^\uFEFF/, '') : text;
    if (line.trim() === '') continue;
    let event: unknown;
    try {
      event = JSON.parse(line);
    } catch (error) {
      yield { line: number, error: `line ${number} is not JSON: ${(error as Error).message.split('\n')[0]}` };
      continue;
    }
    if (!isYamlMap(event)) yield { line: number, error: `line ${number} is not a JSON object` };
    else yield { line: number, matches: matcher.match(event) };
  }
}

/** Lines of a file, split at LF only: JSON texts may hold U+2028, at which node:readline splits too. */
async function* readLines(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(path, { encoding: 'utf8', highWaterMark: 1 << 18 })) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

export interface ImportReport extends CheckReport {
  /** Files copied, relative to the target. */
  files: string[];
}

/**
 * `sentinel rules import DIR`: copies the rule files that hold at least one rule that loads, keeping their folders.
 * Files already there are replaced. Throws SentinelError if the target cannot be written.
 */
export async function importRules(directory: string, target: string): Promise<ImportReport> {
  const set = await loadRulePaths([directory]);
  const good = new Set([...set.rules, ...set.correlations, ...set.filters].map((rule) => rule.file));
  const isFile = (await stat(directory)).isFile();
  const files: string[] = [];
  for (const file of good) {
    const name = isFile ? basename(file) : relative(directory, file);
    if (name.startsWith('..'))
      throw new SentinelError('rule', `${file} lies outside of ${directory}`, 'import its folder');
    const destination = join(target, name);
    try {
      await mkdir(join(destination, '..'), { recursive: true });
      await copyFile(file, destination);
    } catch (error) {
      throw fromSystemError(error, 'import rules into', target);
    }
    files.push(name);
  }
  return {
    files,
    loaded: set.rules.length + set.correlations.length + set.filters.length,
    failed: set.failed,
    notRunnable: set.notRunnable,
    warnings: set.warnings,
  };
}
