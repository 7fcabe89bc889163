/** `sentinel dlp scan`: files, folders and standard input against indexes and rules. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { createEngine, type NamedSource } from '../dlp/engine.ts';
import { indexRuleProblems } from '../dlp/index-rules.ts';
import { createPatternSource } from '../dlp/patterns.ts';
import { parsePatternRules } from '../dlp/rules.ts';
import { extractorWith } from '../dlp/extract/extractor.ts';
import { openIndex } from '../dlp/index-open.ts';
import { identityOf, snippetOf } from '../dlp/snippets.ts';
import type { DlpEngine, DlpMatch, FileVerdict, IndexInfo, ScanOptions } from '../dlp/types.ts';
import { describeError, UsageError } from '../errors.ts';
import { printable } from '../printable.ts';
import { configFrom } from './config-flags.ts';
import { dataDirOf, parseCommand, positiveInt, type Command, type Output } from './command.ts';
import { findFiles, type FoundFile } from './dlp-files.ts';
import { openStandardInput } from './dlp-stdin.ts';
import { describeVerdict } from './dlp-verdict.ts';
import { readText } from './read-text.ts';
import { count, counted, duration, painter, progressLine, size } from './terminal.ts';
import { keysOf, trustOf } from './dlp-index.ts';

/** Of a file, for people; --json has all. */
const MAX_SNIPPETS = 20;
const MAX_MATCHES = 1_000_000;

/** A verdict about something that could not be opened. */
function unopened(path: string, error: unknown): FileVerdict {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? 'unknown';
  return {
    path,
    verdict: 'unscannable',
    reasonCode: 'unreadable',
    reason: `the file could not be opened: ${code}`,
    bytes: 0,
    tookMs: 0,
    matches: [],
  };
}

/** A verdict as it is shown: with masked findings where they were asked for. */
type Shown = Omit<FileVerdict, 'matches'> & { matches: (DlpMatch & { snippet?: string })[] };

async function scanPath(
  engine: DlpEngine,
  { path, raw }: FoundFile,
  options: ScanOptions,
  snippets: boolean,
): Promise<Shown> {
  let fd: number;
  if (path === '-') {
    fd = await openStandardInput(options.signal);
    try {
      return await engine.scanFd(fd, path, options);
    } finally {
      if (fd !== 0) closeSync(fd);
    }
  }
  try {
    // O_NONBLOCK: a FIFO put in the file's place must not hold the scan.
    fd = openSync(raw ?? path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    return unopened(path, error);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) {
      return {
        ...unopened(path, undefined),
        reasonCode: 'special_file',
        reason: 'not a regular file, so it is not read',
      };
    }
    const identity = snippets ? identityOf(fd) : '';
    const verdict: Shown = await engine.scanFd(fd, path, options);
    if (snippets)
      for (const match of verdict.matches) {
        const snippet = snippetOf(fd, identity, match);
        if (snippet !== undefined) match.snippet = snippet;
      }
    return verdict;
  } finally {
    closeSync(fd);
  }
}

function snippetLines({ matches }: Shown): string {
  const shown = matches.filter(({ snippet }) => snippet !== undefined).slice(0, MAX_SNIPPETS);
  return shown
    .map(({ rule, offset, snippet = '' }) => `    ${rule} at byte ${count(offset)}: ${printable(snippet)}\n`)
    .join('');
}

/** Any failure is exit code 2 here: 1 means that something matched. */
export const scanCommand: Pick<Command, 'run'> = {
  run: async (argv, output) => {
    try {
      return await scan(argv, output);
    } catch (error) {
      output.err(`sentinel: ${describeError(error)}\n`);
      return 2;
    }
  },
};

async function scan(argv: readonly string[], output: Output): Promise<number> {
  const { values, positionals } = parseCommand(argv, {
    index: { type: 'string', multiple: true },
    rules: { type: 'string', multiple: true },
    key: { type: 'string', multiple: true },
    trust: { type: 'string', multiple: true },
    threads: { type: 'string' },
    all: { type: 'boolean', default: false },
    snippets: { type: 'boolean' },
    config: { type: 'string' },
    timeout: { type: 'string' },
  });
  if (positionals.length === 0)
    throw new UsageError('say what to scan', 'name files or folders, or - for standard input');
  if (!values.index && !values.rules)
    throw new UsageError('say what to look for', 'give an index with --index, or rules with --rules');
  const snippets = values.snippets === true;
  if (snippets && configFrom(values).values['dlp.snippets'] !== 'masked')
    throw new UsageError(
      '--snippets shows parts of what is protected, which the settings do not allow',
      'who may decide that sets dlp.snippets to masked in the configuration',
    );
  const threads = Math.min(positiveInt(values.threads, '--threads', 1), 16);
  const seconds = values.timeout === undefined ? 0 : positiveInt(values.timeout, '--timeout', 1);
  const dataDir = dataDirOf(values);
  const sources: NamedSource[] = [];
  const keys = values.index ? keysOf(values.key, dataDir) : [];
  const files = (values.rules ?? []).map((file) => parsePatternRules(readText(file, 'read the rules'), file));
  const indexRules = files.flatMap((file) => file.indexRules);
  const allSecondaries = indexRules.some(({ kind }) => kind === 'row');
  const named = new Map<string, string>();
  const infos: IndexInfo[] = [];
  for (const path of values.index ?? []) {
    const source = await openIndex({ path, keys, allSecondaries, ...trustOf(values.trust, dataDir) });
    const info = source.info();
    const other = named.get(info.name);
    if (other !== undefined)
      output.err(
        `sentinel: ${other} and ${path} are both named ${info.name}: findings do not tell which it is\n`,
      );
    if (info.signature !== 'trusted')
      output.err(
        `sentinel: ${path} was signed by ${info.signer}, whom this device does not know; --trust names public keys\n`,
      );
    named.set(info.name, path);
    infos.push(info);
    sources.push(source);
  }
  const [problem] = indexRuleProblems(indexRules, infos);
  if (problem !== undefined)
    throw new UsageError(problem, 'change the rules file, or give the index with --index');
  for (const file of files) if (file.rules.length > 0) sources.push(createPatternSource(file));
  const engine = createEngine(sources, extractorWith(), indexRules);
  const cancel = new AbortController();
  const onSignal = (): void => cancel.abort();
  process.once('SIGINT', onSignal);
  const progress = progressLine(output);
  const paint = painter();
  const startedMs = performance.now();
  const asked = new Set(positionals);
  const total = { files: 0, bytes: 0, matched: 0, unscannable: 0, left: 0, missing: 0 };
  const tell = (verdict: Shown): void => {
    total.files += 1;
    total.bytes += verdict.bytes;
    if (verdict.verdict === 'match') total.matched += 1;
    if (verdict.verdict === 'unscannable') total.unscannable += 1;
    if (values.json) output.out(`${JSON.stringify(verdict)}\n`);
    else if (verdict.verdict !== 'clean' || asked.has(verdict.path) || values.all) {
      progress.end();
      output.out(describeVerdict(verdict, paint));
      if (snippets) output.out(snippetLines(verdict));
    }
    const tookMs = performance.now() - startedMs;
    progress.show(
      `${counted(total.files, 'file')}, ${size(total.bytes)}, ${size((total.bytes / tookMs) * 1000)}/s, ${count(total.matched)} with protected data  ${verdict.path}`,
    );
  };
  try {
    const found = findFiles(positionals);
    const worker = async (): Promise<void> => {
      for (;;) {
        const next = found.next();
        if (next.done) return;
        if (cancel.signal.aborted) total.left += 1;
        else if (next.value.skipped) {
          if (next.value.missing) total.missing += 1;
          tell(next.value.skipped);
        } else
          tell(
            await scanPath(
              engine,
              next.value,
              { signal: cancel.signal, maxMatches: MAX_MATCHES, deadlineMs: seconds * 1000 },
              snippets,
            ),
          );
      }
    };
    await Promise.all(Array.from({ length: threads }, worker));
  } finally {
    progress.end();
    process.removeListener('SIGINT', onSignal);
    engine.close();
  }
  if (!values.json)
    output.err(
      `${counted(total.files, 'file')}, ${size(total.bytes)} in ${duration(performance.now() - startedMs)}: ` +
        `${count(total.matched)} with protected data, ${count(total.files - total.matched - total.unscannable)} clean, ${count(total.unscannable)} unscannable\n`,
    );
  else if (total.unscannable > 0)
    output.err(`sentinel: ${total.unscannable} of ${total.files} unscannable\n`);
  // What the caller named and is not there is a mistake of the caller.
  if (cancel.signal.aborted) {
    output.err(`sentinel: cancelled after ${total.files} files; ${total.left} were not scanned\n`);
    return total.matched > 0 ? 1 : 2;
  }
  return total.matched > 0 ? 1 : total.missing > 0 ? 2 : 0;
}
