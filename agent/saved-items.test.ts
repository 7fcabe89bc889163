import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { SavedItem } from './api/contract.ts';
import { SavedItems } from './saved-items.ts';

const folder = mkdtempSync(join(tmpdir(), 'sentinel-saved-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const item = (name: string, value = '{}'): SavedItem => ({
  kind: 'search',
  name,
  value,
  updatedNs: '1',
  by: { via: 'unix', uid: 0 },
});

describe('saved items', () => {
  it('are there again after a restart, the last saved under a name only', () => {
    const path = join(folder, 'a.json');
    const first = new SavedItems(path, () => {});
    first.put(item('one'));
    first.put(item('two'));
    first.put(item('one', '{"new":true}'));
    expect(first.delete('search', 'two')).toBe(true);
    expect(first.delete('search', 'two')).toBe(false);
    expect(new SavedItems(path, () => {}).list('search')).toEqual([item('one', '{"new":true}')]);
    expect(new SavedItems(path, () => {}).list('columns')).toEqual([]);
  });

  it('are bounded, and say so', () => {
    const items = new SavedItems(join(folder, 'b.json'), () => {});
    for (let index = 0; index < 500; index++) items.put(item(String(index)));
    expect(() => items.put(item('one more'))).toThrow(/500 items are saved already; delete some/);
    items.put(item('7', 'replaced'));
    expect(items.list()).toHaveLength(500);
  });

  it.each(['{', 'null', '[1,{"kind":2}]', '\u0000\u0001', ''])('survive a damaged file: %j', (text) => {
    const path = join(folder, 'c.json');
    writeFileSync(path, text);
    const problems: string[] = [];
    const items = new SavedItems(path, (problem) => problems.push(problem));
    expect(items.list()).toEqual([]);
    items.put(item('again'));
    expect(new SavedItems(path, () => {}).list()).toHaveLength(1);
    if (text !== '[1,{"kind":2}]') {
      expect(problems[0]).toMatch(/could not be read/);
      expect(existsSync(`${path}.damaged`)).toBe(true);
    }
  });

  it('change nothing when the disk refuses', () => {
    const items = new SavedItems(join(folder, 'missing', 'd.json'), () => {});
    expect(() => items.put(item('x'))).toThrow(/nothing was saved: .* \(ENOENT\)/);
    expect(items.list()).toEqual([]);
  });
});
