import * as fc from 'fast-check';
import { appendFileSync, closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { identityOf, masked, snippetOf } from './snippets.ts';
import type { DlpMatch } from './types.ts';

const folder = mkdtempSync(join(tmpdir(), 'sentinel-snippets-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each([
  ['DE89 3704 0044 0532 0130 00', 'DE** **** **** **** **** 00'],
  ['4111-1111-1111-1111', '41**-****-****-**11'],
  ['078-05-1120', '0**-**-***0'],
  ['ana@b.example', 'a**@*.******e'],
  ['Ana', '***'],
  ['geheim', '*****m'],
  ['机密文件资料', '*****料'],
])('masks %s', (text, expected) => {
  expect(masked(text)).toBe(expected);
});

it('leaves at most four letters and digits, and never more than a quarter', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      const letters = /[\p{L}\p{N}]/u;
      const before = Array.from(text).filter((each) => letters.test(each)).length;
      const after = Array.from(masked(text)).filter((each) => letters.test(each)).length;
      expect(after).toBeLessThanOrEqual(Math.min(4, before / 4));
    }),
  );
});

it('reads the finding again in its encoding, unless the file has changed', () => {
  const match = (offset: number, length: number): DlpMatch => {
    const kind = 'pattern';
    return { index: 'r', rule: 'cards', kind, type: 'card', count: 1, offset, length, confidence: 1 };
  };
  const value = '4111 1111 1111 1111';
  for (const encoding of ['utf8', 'utf16le'] as const) {
    const path = join(folder, encoding);
    const head = Buffer.from('card: ', encoding);
    const body = Buffer.from(value, encoding);
    writeFileSync(path, Buffer.concat([head, body, Buffer.from(' end', encoding)]));
    const fd = openSync(path, 'r');
    const identity = identityOf(fd);
    expect(snippetOf(fd, identity, match(head.length, body.length))).toBe('41** **** **** **11');
    expect(snippetOf(fd, identity, { ...match(0, 4), kind: 'document' })).toBeUndefined();
    expect(snippetOf(fd, identity, { ...match(0, 4), member: 'a.txt' })).toBeUndefined();
    appendFileSync(path, 'more');
    expect(snippetOf(fd, identity, match(head.length, body.length))).toBeUndefined();
    closeSync(fd);
  }
});
