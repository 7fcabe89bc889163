/** `sentinel dlp index build` and `info`. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { buildIndex, BuildRefused, type BuildProgress } from '../dlp/index-build.ts';
import { defaultKeyPath, readKey, readOrMakeKey } from '../dlp/keys.ts';
import { openIndex } from '../dlp/index-open.ts';
import { parseSchema } from '../dlp/schema.ts';
import type { IndexInfo } from '../dlp/types.ts';
import { SentinelError, UsageError } from '../errors.ts';
import { createVerifier, openIdentity } from '../identity/identity.ts';
import { dataDirOf, parseCommand, type Command, type Output } from './command.ts';
import { buildDocuments } from './dlp-documents.ts';
import { printable } from '../printable.ts';
import { readText } from './read-text.ts';
import { count, counted, duration, progressLine, size } from './terminal.ts';

const SHOWN_PROBLEMS = 20;

/** Keys the caller named, or the device's own. */
export function keysOf(paths: readonly string[] | undefined, dataDir: string): Buffer[] {
  if (paths && paths.length > 0) return paths.map(readKey);
  const own = defaultKeyPath(dataDir);
  try {
    return [readKey(own)];
  } catch (error) {
    if (error instanceof SentinelError && error.code === 'enoent') return [];
    throw error;
  }
}

/** Whose signatures this device believes: its own, and the named public keys. */
export function trustOf(
  paths: readonly string[] | undefined,
  dataDir: string,
): { verify: ReturnType<typeof createVerifier>; knownSigners: string[] } {
  const pems = (paths ?? []).map((path) => readText(path, 'read the public key'));
  try {
    pems.push(readFileSync(join(dataDir, 'keys', 'device.pub'), 'utf8'));
  } catch {
    // A device without an identity of its own believes only whom it is told.
  }
  return { verify: createVerifier(pems), knownSigners: pems.map(keyIdOfPem) };
}

function keyIdOfPem(pem: string): string {
  const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
  return createHash('sha256').update(der).digest('hex').slice(0, 16);
}

/** The folder that the agent takes indexes from is made when the first is built into it. */
function makeIndexFolder(out: string, dataDir: string): void {
  const folder = resolve(dataDir, 'dlp', 'indexes');
  if (dirname(resolve(out)) === folder) mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/** Rows, rate and time left: on one line of a terminal, or a line every ten seconds elsewhere. */
function progressTeller(output: Output): { show(progress: BuildProgress): void; end(): void } {
  const live = process.stderr.isTTY;
  const line = progressLine(output);
  const startedMs = performance.now();
  let toldMs = startedMs;
  return {
    show({ rows, done }) {
      const nowMs = performance.now();
      if (!live && nowMs - toldMs < 10_000) return;
      toldMs = nowMs;
      const tookMs = Math.max(1, nowMs - startedMs);
      const left = done > 0.01 ? `, ${duration((tookMs * (1 - done)) / done)} left` : '';
      const text = `${counted(rows, 'row')}, ${count(Math.round((rows / tookMs) * 1000))} rows/s, ${Math.round(done * 100)} %${left}`;
      if (live) line.show(text);
      else output.err(`${text}\n`);
    },
    end: () => line.end(),
  };
}

async function build(argv: readonly string[], output: Output): Promise<number> {
  const { values, positionals } = parseCommand(argv, {
    documents: { type: 'string', multiple: true },
    boilerplate: { type: 'string', multiple: true },
    hashes: { type: 'string' },
    schema: { type: 'string' },
    csv: { type: 'string' },
    out: { type: 'string' },
    key: { type: 'string' },
    strict: { type: 'boolean', default: false },
  });
  if (positionals.length > 0)
    throw new UsageError(`unexpected ${JSON.stringify(positionals[0])}`, 'see sentinel dlp index --help');
  if (values.out && (values.documents || values.hashes)) {
    if (values.schema || values.csv || (values.documents && values.hashes))
      throw new UsageError('an index is built from one kind of thing', 'give --csv, --documents or --hashes');
    makeIndexFolder(values.out, dataDirOf(values));
    return await buildDocuments({ ...values, out: values.out }, dataDirOf(values), output);
  }
  if (!values.schema || !values.csv || !values.out)
    throw new UsageError(
      values.out ? 'an index needs what it protects' : 'say where the index is to be written: --out I.sdlp',
      'sentinel dlp index build --schema S.yml --csv T.csv --out I.sdlp; see sentinel dlp index --help',
    );
  const dataDir = dataDirOf(values);
  const schema = parseSchema(values.schema, readText(values.schema, 'read the schema'));
  const key = readOrMakeKey(values.key ?? defaultKeyPath(dataDir));
  makeIndexFolder(values.out, dataDir);
  const progress = progressTeller(output);
  const cancel = new AbortController();
  const onSignal = (): void => cancel.abort();
  process.once('SIGINT', onSignal);
  const tellBad = (bad: BuildRefused['report']['bad'], badRows: number): void => {
    for (const { line, column, problem, remedy } of bad.slice(0, SHOWN_PROBLEMS))
      output.err(`${values.csv}:${line}: ${column} ${problem}; ${remedy}\n`);
    if (badRows > Math.min(bad.length, SHOWN_PROBLEMS)) output.err(`${badRows} rows with problems in all\n`);
  };
  try {
    const report = await buildIndex({
      schema,
      csvPath: values.csv,
      outPath: values.out,
      key,
      signer: openIdentity(dataDir),
      strict: values.strict,
      signal: cancel.signal,
      onProgress: (now) => progress.show(now),
    });
    progress.end();
    if (values.json) {
      output.out(`${JSON.stringify({ out: values.out, name: schema.name, ...report })}\n`);
      return 0;
    }
    tellBad(report.bad, report.badRows);
    const notes = [
      [report.badRows, 'with a bad value'],
      [report.rowsWithoutPrimary, 'without a primary'],
      [report.rowsWithoutSecondary, 'without enough secondaries'],
    ] as const;
    const left = notes.filter(([n]) => n > 0).map(([n, why]) => `${count(n)} ${why}`);
    const again = report.duplicateRows > 0 ? ` (${count(report.duplicateRows)} the same as another)` : '';
    output.out(
      `${printable(values.out)}: ${count(report.indexedRows)} of ${counted(report.rows, 'row')} protected${again}, ` +
        `${counted(report.entries + report.combinations, 'entry', 'entries')}, ${size(report.bytes)}` +
        `${left.length > 0 ? `\nnot protected: ${left.join(', ')}` : ''}\n`,
    );
    if (report.droppedOverLimit > 0)
      output.err(`${report.droppedOverLimit} rows share a value with 255 others and are not told apart\n`);
    return 0;
  } catch (error) {
    progress.end();
    if (error instanceof BuildRefused) {
      if (values.json)
        output.out(`${JSON.stringify({ error: error.message, remedy: error.remedy, ...error.report })}\n`);
      else if (!values.strict) tellBad(error.report.bad, error.report.badRows);
    }
    throw error;
  } finally {
    process.removeListener('SIGINT', onSignal);
  }
}

/** What of the index has to be in a text. */
function matching(info: IndexInfo): string {
  if (info.format === 'documents')
    return 'letters and digits of a document: 111 in a row always, fewer perhaps';
  if (info.format === 'files') return 'a whole file, byte for byte';
  const { secondary, sameRow, withinTokens } = info.match;
  if (secondary === 0) return 'a primary value alone';
  const values = secondary === 1 ? '1 secondary value' : `${secondary} secondary values`;
  return `a primary value with ${values} of its row ${sameRow ? 'on the same line' : `within ${withinTokens} words`}`;
}

const SIGNATURES: Readonly<Record<IndexInfo['signature'], string>> = {
  trusted: 'trusted',
  unknown_signer: 'nobody this device knows; --trust names public keys',
  invalid: 'the signature is false',
};

function describe(info: IndexInfo): string {
  const { format = 'rows' } = info;
  const protects = {
    rows: counted(info.rows, 'row'),
    documents: counted(info.rows, 'document'),
    files: counted(info.rows, 'whole file'),
  };
  const facts: [string, string][] = [
    ['name', info.name],
    ['protects', `${protects[format]}, ${counted(info.entries, 'entry', 'entries')}`],
    [
      'size',
      `${size(info.bytes)}${info.entries > 0 && format !== 'files' ? `, ${(info.bytes / info.entries).toFixed(1)} bytes an entry` : ''}`,
    ],
    ['built', `${new Date(info.createdMs).toISOString()}, ${duration(info.ageMs)} ago`],
    ['key', info.keyId],
    ['signed by', `${info.signer} (${SIGNATURES[info.signature]})`],
  ];
  if (format !== 'files')
    facts.push(['prefilter', `lets ${(info.prefilterRate * 100).toFixed(2)} % of unrelated values through`]);
  facts.push(['found by', matching(info)]);
  for (const { column, role, type, combined } of info.fields)
    facts.push([role, `${column} (${type}${combined ? ', only in combination' : ''})`]);
  const lines = facts.map(([name, value]) => `  ${name.padEnd(10)}${printable(value)}`);
  return `${printable(info.path)}\n${lines.join('\n')}\n`;
}

async function info(argv: readonly string[], output: Output): Promise<number> {
  const { values, positionals } = parseCommand(argv, {
    key: { type: 'string', multiple: true },
    trust: { type: 'string', multiple: true },
  });
  if (positionals.length === 0) throw new UsageError('name an index', 'sentinel dlp index info I.sdlp');
  const dataDir = dataDirOf(values);
  for (const path of positionals) {
    const opened = await openIndex({
      path,
      keys: keysOf(values.key, dataDir),
      ...trustOf(values.trust, dataDir),
    });
    output.out(values.json ? `${JSON.stringify(opened.info())}\n` : describe(opened.info()));
  }
  return 0;
}

export const indexCommand: Pick<Command, 'run'> = {
  run: async (argv, output) => {
    const [name, ...rest] = argv;
    if (name === 'build') return await build(rest, output);
    if (name === 'info') return await info(rest, output);
    throw new UsageError(
      name === undefined
        ? 'say what: dlp index build or info'
        : `there is no command ${JSON.stringify(`dlp index ${name}`)}`,
      'there are: dlp index build, dlp index info',
    );
  },
};
