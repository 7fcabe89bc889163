// What office programs, browsers, mail libraries and archivers write: `sentinel dlp scan` finds in each file the values
// that were planted in it, and no others. How the files were made: test/fixtures/dlp-producers/README.md.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileVerdict } from '../../agent/dlp/types.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const fixtures = join(root, 'test/fixtures/dlp-producers');
const expected = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8')) as Record<
  string,
  string[]
>;

const PRIMARY = ['iban', 'email', 'card'].map(
  (type) => `  - {column: ${type}, role: primary, type: ${type}}`,
);
const SCHEMAS = {
  one: [...PRIMARY, '  - {column: number, role: primary, type: number}'],
  two: [
    ...PRIMARY,
    '  - {column: name, role: secondary, type: words}',
    '  - {column: born, role: secondary, type: date}',
    'match: {secondary: 1, withinTokens: 24}',
  ],
};

describe('files by real programs', () => {
  let directory = '';
  let found = new Map<string, FileVerdict>();

  const sentinel = (...args: string[]): string => {
    const child = spawnSync(process.execPath, [join(root, 'out/agent/sentinel.mjs'), ...args], {
      cwd: directory,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    });
    // 1: something was found.
    if (child.status !== 0 && child.status !== 1) throw new Error(`${args.join(' ')}: ${child.stderr}`);
    return child.stdout;
  };

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'producers-'));
    for (const [name, lines] of Object.entries(SCHEMAS)) {
      writeFileSync(join(directory, `${name}.yml`), [`name: ${name}`, 'fields:', ...lines, ''].join('\n'));
      const table = join(fixtures, 'table.csv');
      sentinel(
        'dlp',
        'index',
        'build',
        '--schema',
        `${name}.yml`,
        '--csv',
        table,
        '--out',
        name,
        '--data',
        'd',
      );
    }
    const files = join(fixtures, 'files');
    const told = sentinel('dlp', 'scan', '--index', 'one', '--index', 'two', '--data', 'd', '--json', files);
    const verdicts = told.split('\n').filter((line) => line !== '');
    found = new Map(
      verdicts.map((line) => {
        const verdict = JSON.parse(line) as FileVerdict;
        return [basename(verdict.path), verdict];
      }),
    );
  }, 240_000);
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('are all in the list', () => {
    expect(readdirSync(join(fixtures, 'files')).toSorted()).toEqual(Object.keys(expected).toSorted());
  });

  it.each(Object.keys(expected))('%s holds what was planted', (name) => {
    const listed = expected[name] ?? [];
    const matches = (found.get(name)?.matches ?? []).map(
      ({ index, rule, rowRef }) => `${index}:${rule}:${rowRef}`,
    );
    const of = (index: string, list: readonly string[]): string[] =>
      [...new Set(list.filter((one) => one.startsWith(`${index}:`)))].toSorted();
    expect.soft(of('one', matches)).toEqual(of('one', listed));
    expect.soft(of('two', matches)).toEqual(expect.arrayContaining(of('two', listed)));
    // A name stands near more values than those it was planted for, which are in the other list.
    const rows = of('two', matches).map((one) => one.replace('two', 'one'));
    expect(of('one', listed)).toEqual(expect.arrayContaining(rows));
  });
});
