// What the start of an extraction child consists of, in counts: files it opens, processes that a scan starts.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { samples } from '../../build/reader-samples.ts';

const root = join(import.meta.dirname, '..', '..');
const directory = mkdtempSync(join(tmpdir(), 'dlp-start-'));
const rules = join(directory, 'rules.yml');
const hasStrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;
if (!hasStrace) console.warn('SKIPPED: what a scan starts: strace is not installed, or may not trace');

beforeAll(() => {
  writeFileSync(rules, 'rules: [{id: cards, kind: pattern, pattern: card}]\n');
  for (const [kind, bytes] of Object.entries(samples())) writeFileSync(join(directory, `a.${kind}`), bytes);
  writeFileSync(join(directory, 'a.txt'), '4111 1111 1111 1111');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Scans under strace: of each process that was started, the files of the agent that it opened and the threads it made. */
function traced(names: readonly string[]): { opened: Set<string>[]; threads: number[]; verdicts: string[] } {
  const log = mkdtempSync(join(directory, 'trace-'));
  const scan = spawnSync(
    'strace',
    [
      '-ff',
      '-s',
      '4096',
      '-e',
      'trace=execve,openat,clone,clone3',
      '-o',
      join(log, 't'),
      process.execPath,
      join(root, 'out/agent/sentinel.mjs'),
      'dlp',
      'scan',
      '--rules',
      rules,
      '--data',
      join(directory, 'data'),
      '--json',
      ...names.map((name) => join(directory, name)),
    ],
    { encoding: 'utf8' },
  );
  expect(scan.error).toBeUndefined();
  const verdicts = scan.stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { verdict: string }).verdict);
  const children = readdirSync(log)
    .map((name) => readFileSync(join(log, name), 'utf8'))
    .filter((text) => /^execve\(.*dlp-extract/m.test(text));
  const opened = children.map((text) => {
    const paths = text.matchAll(/^openat\([^"]*"[^"]*\/out\/agent\/([^"]*)".* = \d+$/gm);
    return new Set([...paths].map(([, name = '']) => name));
  });
  const threads = children.map((text) => [...text.matchAll(/^clone3?\(.* = \d+$/gm)].length);
  return { opened, threads, verdicts };
}

describe('what a scan starts', { timeout: 300_000 }, () => {
  it.skipIf(!hasStrace)(
    'one process per container, none for text, and each loads only the readers it needs',
    () => {
      const { opened, threads, verdicts } = traced(['a.docx', 'a.txt', 'a.zip', 'a.txt', 'a.pdf']);
      expect(verdicts).toEqual(['clean', 'match', 'clean', 'match', 'clean']);
      const pdf = opened.filter((names) => names.has('dlp-extract-pdf.cjs'));
      expect(opened).toHaveLength(3);
      expect(pdf).toHaveLength(1);
      // The program, three scripts and what V8 compiled of each.
      for (const names of opened) expect([...names]).toHaveLength(pdf.includes(names) ? 9 : 7);
      // One of V8's, one for Node's delayed tasks and one of libuv's pool, and room for one that a later Node may add.
      for (const count of threads) expect(count).toBeLessThanOrEqual(4);
    },
  );
});

/** Loads the built scripts from `folder`, and says whether V8 took what it had compiled of them. */
function rejections(folder: string): Record<string, boolean | undefined> {
  const program = `
    import { loadScript, loadedScripts } from ${JSON.stringify(join(root, 'agent/dlp/extract/cached-script.ts'))};
    for (const name of ['reader', 'pdf']) loadScript(${JSON.stringify(folder)}, 'dlp-extract-' + name + '.cjs');
    console.log(JSON.stringify([...loadedScripts].map(([path, { script }]) => [path, script.cachedDataRejected])));`;
  const flags = ['--max-old-space-size=64', '--max-semi-space-size=4', '--v8-pool-size=1', '--no-warnings'];
  const run = spawnSync(process.execPath, [...flags, '--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  expect(run.stderr).toBe('');
  const pairs = JSON.parse(run.stdout) as [string, boolean | undefined | null][];
  return Object.fromEntries(pairs.map(([path, rejected]) => [basename(path), rejected ?? undefined]));
}

describe('what V8 compiled when the agent was built', { timeout: 120_000 }, () => {
  it('is taken for every script of the child', () => {
    const told = rejections(join(root, 'out/agent'));
    expect(Object.keys(told).length).toBeGreaterThan(2);
    expect(new Set(Object.values(told))).toEqual(new Set([false]));
  });

  it('is passed over when it is of another script, damaged or gone', () => {
    const folder = join(directory, 'out/agent');
    mkdirSync(folder, { recursive: true });
    cpSync(join(root, 'out/agent'), folder, { recursive: true, filter: (path) => !path.endsWith('.map') });
    cpSync(join(root, 'out/native'), join(directory, 'out/native'), { recursive: true });
    const visit = join(folder, 'dlp-extract-visit.cjs');
    // As long as before: V8 itself compares lengths only.
    writeFileSync(visit, readFileSync(visit, 'utf8').replace('\n', ' '));
    const damaged = join(folder, 'dlp-extract-pdf.cjs.cache');
    const bytes = readFileSync(damaged);
    bytes.writeUInt8(bytes.readUInt8(50_000) ^ 1, 50_000);
    writeFileSync(damaged, bytes);
    const cut = join(folder, 'dlp-extract-source.cjs.cache');
    writeFileSync(cut, readFileSync(cut).subarray(0, 6));
    rmSync(join(folder, 'dlp-extract-reader.cjs.cache'));
    const told = rejections(folder);
    expect(told['dlp-extract-visit.cjs']).toBeUndefined();
    expect(told['dlp-extract-pdf.cjs']).toBeUndefined();
    expect(told['dlp-extract-source.cjs']).toBeUndefined();
    expect(told['dlp-extract-reader.cjs']).toBeUndefined();
  });
});
