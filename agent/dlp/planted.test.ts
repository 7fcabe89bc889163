import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtIndex, scanPieces, schemaOf, type BuiltIndex } from '../../test/dlp/built-index.ts';
import { card, digits, email, iban, random, spell } from '../../test/dlp/tables.ts';

const ROWS = 26_000;
const WORDS = [
  'however;',
  'between,',
  '"quoted"',
  'über,',
  'line;',
  '漢字',
  '<b>',
  'end:',
  '[1,2]',
  '12:30;',
];

describe('a hundred thousand planted values', () => {
  const from = random(4);
  const rows = Array.from({ length: ROWS }, (_, nth) => [
    iban(from),
    email(from, nth),
    card(from),
    digits(from, 13),
  ]);
  let built: BuiltIndex;
  beforeAll(async () => {
    built = await builtIndex(
      schemaOf({
        fields: [
          { column: 'iban', role: 'primary', type: 'iban' },
          { column: 'mail', role: 'primary', type: 'email' },
          { column: 'card', role: 'primary', type: 'card' },
          { column: 'number', role: 'primary', type: 'number' },
        ],
      }),
      rows,
    );
  }, 60_000);
  afterAll(() => built.remove());

  /** Every value once, in some spelling, with what is expected of it. */
  function plant(): { text: string; expected: Map<string, number> } {
    const parts: string[] = [];
    const expected = new Map<string, number>();
    let at = 0;
    const put = (text: string): void => {
      parts.push(text);
      at += Buffer.byteLength(text);
    };
    for (const [row, cells] of rows.entries()) {
      for (const [column, cell] of cells.entries()) {
        put(` ${from.pick(WORDS)}${from.below(40) === 0 ? 'x'.repeat(from.below(900)) : ''};`);
        expected.set(`${row + 1}:${column}`, at);
        put(column === 1 ? (from.below(2) ? cell : cell.toUpperCase()) : spell(from, cell));
        put(',');
      }
    }
    return { text: parts.join(''), expected };
  }

  it('are all found, each where it is, in UTF-8 and in UTF-16, whatever the pieces', async () => {
    const { text, expected } = plant();
    expect(expected.size).toBeGreaterThan(100_000);
    const utf8 = Buffer.from(text);
    const cuts: number[] = [];
    for (let at = 0; at < utf8.length; at += 1 + from.below(90_000)) cuts.push(at);
    const { hits, unlisted } = await scanPieces(built.scanner, utf8, cuts);
    expect(unlisted).toBe(0);
    const found = new Map(hits.map(({ ref, field, offset }) => [`${ref}:${field}`, offset]));
    const missed = [...expected].filter(([value, at]) => found.get(value) !== at);
    expect(missed.map(([, at]) => utf8.toString('utf8', at - 10, at + 60))).toEqual([]);
    expect(found.size).toBe(expected.size);

    const utf16 = Buffer.from(text, 'utf16le');
    const wide = await scanPieces(built.scanner, utf16);
    expect(new Set(wide.hits.map(({ ref, field }) => `${ref}:${field}`)).size).toBe(expected.size);
    const big = await scanPieces(built.scanner, Buffer.from(utf16).swap16());
    expect(new Set(big.hits.map(({ ref, field }) => `${ref}:${field}`)).size).toBe(expected.size);
  }, 60_000);

  it('are not there where they were not put', async () => {
    const noise = Buffer.allocUnsafe(8 << 20);
    let state = 12345n;
    for (let at = 0; at < noise.length; at += 8) {
      state = (state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) & 0xffff_ffff_ffff_ffffn;
      noise.writeBigUInt64LE(state ^ (state >> 29n), at);
    }
    expect((await scanPieces(built.scanner, noise)).hits).toEqual([]);
    const others = random(99);
    const text = Array.from(
      { length: 60_000 },
      () => `${iban(others)}, ${card(others)}, ${digits(others, 13)}`,
    ).join('\n');
    expect((await scanPieces(built.scanner, Buffer.from(text))).hits).toEqual([]);
  }, 60_000);
});
