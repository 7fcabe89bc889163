import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkRulePaths, importRules, testRules } from './cli-rules.ts';
import type { TestRecord } from './cli-rules.ts';

const GOOD = (id: string): string =>
  `title: ${id}\nid: ${id}\nlogsource: {product: windows, category: process_creation}\ndetection: {s: {A: 1}, condition: s}\n`;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sentinel-rules-'));
  mkdirSync(join(root, 'in', 'deep'), { recursive: true });
  writeFileSync(join(root, 'in', 'a.yml'), GOOD('a'));
  writeFileSync(join(root, 'in', 'deep', 'b.YAML'), GOOD('b'));
  writeFileSync(join(root, 'in', 'README.md'), 'not a rule');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function all(records: AsyncIterable<TestRecord>): Promise<TestRecord[]> {
  const list: TestRecord[] = [];
  for await (const record of records) list.push(record);
  return list;
}

describe('check', () => {
  it('reads folders recursively, each file once, and lists what failed with its line', async () => {
    writeFileSync(
      join(root, 'in', 'bad.yml'),
      'title: x\nlogsource: {product: p}\ndetection:\n  s: {F|nope: 1}\n  condition: s\n',
    );
    writeFileSync(join(root, 'in', 'binary.yml'), Buffer.from([0xff, 0xfe, 0, 1, 2]));
    symlinkSync(join(root, 'in'), join(root, 'in', 'loop'));
    const report = await checkRulePaths([join(root, 'in'), join(root, 'in', 'a.yml')]);
    expect(report.loaded).toBe(2);
    expect(report.failed.map(({ file, line }) => [file.slice(root.length), line])).toEqual([
      ['/in/binary.yml', undefined],
      ['/in/bad.yml', 4],
    ]);
    expect(report.failed[0]?.reason).toMatch(/not text in UTF-8/);
    expect(report.notRunnable.map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it('says which path is missing', async () => {
    await expect(checkRulePaths([join(root, 'nowhere')])).rejects.toThrow(/cannot read rules from .*nowhere/);
  });
});

describe('test', () => {
  it('gives one record per event, goes on after a bad line, and keeps line numbers', async () => {
    const events = join(root, 'events.ndjson');
    const lines = ['\uFEFF{"A":1}', '', 'nonsense', '[1]', '{"A":"1","x":"\u2028"}\r', '{"A":2}'];
    writeFileSync(events, lines.join('\n'));
    const request = {
      paths: [join(root, 'in')],
      eventsFile: events,
      product: 'Windows',
      category: 'process_creation',
    };
    expect(await all(testRules(request))).toEqual([
      { line: 1, matches: ['a', 'b'] },
      { line: 3, error: expect.stringMatching(/^line 3 is not JSON/) as string },
      { line: 4, error: 'line 4 is not a JSON object' },
      { line: 5, matches: ['a', 'b'] },
      { line: 6, matches: [] },
    ]);
  });

  it('says which events file is missing', async () => {
    const request = { paths: [join(root, 'in')], eventsFile: join(root, 'none') };
    await expect(all(testRules(request))).rejects.toThrow(/cannot read events from/);
  });
});

it('imports what loads, keeping folders', async () => {
  writeFileSync(join(root, 'in', 'bad.yml'), 'title: x\n');
  const report = await importRules(join(root, 'in'), join(root, 'out'));
  expect(report.files.sort()).toEqual(['a.yml', 'deep/b.YAML']);
  expect(report.failed).toHaveLength(1);
  expect(readdirSync(join(root, 'out')).sort()).toEqual(['a.yml', 'deep']);
});
