import { describe, expect, it } from 'vitest';
import type { DlpMatch, FileVerdict } from '../dlp/types.ts';
import { describeVerdict } from './dlp-verdict.ts';
import { count, counted, duration, painter, size } from './terminal.ts';

const match = (more: Partial<DlpMatch>): DlpMatch => ({
  index: 'customers',
  rule: 'iban',
  kind: 'row',
  type: 'iban',
  count: 1,
  offset: 40,
  length: 22,
  confidence: 0.96,
  ...more,
});
const verdict = (more: Partial<FileVerdict>): FileVerdict => ({
  path: '/a',
  verdict: 'match',
  bytes: 9,
  tookMs: 1,
  matches: [],
  ...more,
});
const plain = painter(false);

describe('what a scan says of a file', () => {
  it('is a line for each kind, however many rows were found', () => {
    const matches = [
      ...Array.from({ length: 300 }, (_, n) =>
        match({ rowRef: String(n + 1), offset: 1000 + n, secondaries: ['name'] }),
      ),
      match({ index: 'board', rule: 'document', kind: 'document', type: 'plan.txt', containment: 0.374 }),
      match({ index: 'builds', rule: 'file', kind: 'file', type: 'a.bin', offset: 0, confidence: 1 }),
      match({ rowRef: '7', member: 'x/y.csv', offset: 3 }),
    ];
    expect(describeVerdict(verdict({ matches, unlisted: 2 }), plain)).toBe(
      [
        '/a: match',
        '  customers iban: 300 hits in 300 rows with name, first at byte 1,000, 96 % sure',
        '  board plan.txt: 37.4 % of the document, at byte 40, 96 % sure',
        '  builds a.bin: the whole file, at byte 0, 100 % sure',
        '  customers iban: 1 hit of row 7, at byte 3 of x/y.csv, 96 % sure',
        '  and 2 more hits, not listed',
        '',
      ].join('\n'),
    );
  });

  it('says why a file could not be looked at, and obeys nothing in its name', () => {
    const refused = verdict({ verdict: 'unscannable', reasonCode: 'encrypted', reason: 'it is encrypted' });
    expect(describeVerdict({ ...refused, path: '/\u001B[2Jx' }, plain)).toBe(
      '/\\x1b[2Jx: unscannable (encrypted: it is encrypted)\n',
    );
  });
});

describe('on a terminal', () => {
  it('there is colour, unless somebody wants none', () => {
    expect(painter(true, {})('x', 'red')).toBe('\u001B[31mx\u001B[0m');
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) expect(painter(true, env)('x', 'red')).toBe('x');
    expect(painter(false, {})('x', 'red')).toBe('x');
  });

  it('numbers are said with units', () => {
    expect([count(1_204_118), counted(1, 'entry', 'entries'), counted(0, 'file')]).toEqual([
      '1,204,118',
      '1 entry',
      '0 files',
    ]);
    expect([size(1), size(999), size(353_088), size(2.5e9)]).toEqual([
      '1 byte',
      '999 bytes',
      '353.1 kB',
      '2.5 GB',
    ]);
    expect([duration(12), duration(2500), duration(61_000), duration(3e8)]).toEqual([
      '12 ms',
      '2.5 s',
      '61 s',
      '3 days',
    ]);
  });
});
