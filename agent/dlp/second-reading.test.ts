/** Values written with the escapes of JSON, JavaScript, properties files and addresses, and text that only looks like it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtIndex, scanPieces, schemaOf, told, type BuiltIndex } from '../../test/dlp/built-index.ts';
import { naiveRows } from '../../test/dlp/naive-rows.ts';
import { digits, email, iban, person, random, spell, spellName, type Random } from '../../test/dlp/tables.ts';

const FILLER = ['lorem', 'é', '漢字', 'a1b2', '😀', 'x@y', '12', 'u123', '{"k":1}'];
const GLUE = [' ', ', ', '\n', '\t', '; ', '", "', '\r\n', ' / ', '：'];

function rowOf(from: Random, nth: number): string[] {
  const ref = `${from.pick(['U', 'AB/', 'N-'])}${digits(from, 13)}`;
  return [iban(from), email(from, nth), ref, digits(from, 14), person(from), `1${digits(from, 6)}`];
}

function textOf(from: Random, rows: readonly string[][], pieces: number): string {
  const used = new Set<string>();
  let text = '';
  let row = 0;
  for (let n = 0; n < pieces; n++) {
    if (from.below(7) === 0) row = from.below(rows.length);
    const column = from.below(6);
    const value = rows[row]![column]!;
    if (from.below(3) === 0 || used.has(`${row}:${column}`)) text += from.pick(FILLER);
    else if (column === 4) text += spellName(from, value);
    else text += column === 1 ? value : spell(from, value);
    if (column < 4) used.add(`${row}:${column}`);
    text += from.pick(GLUE);
    // Sections that are read twice end and begin anew.
    if (from.below(80) === 0) text += '. '.repeat(from.below(13_000));
  }
  return text;
}

const without = (all: Set<string>, others: Set<string>): Set<string> =>
  new Set(Array.from(all).filter((one) => !others.has(one)));

const unit = (code: number): string => `\\u${code.toString(16).padStart(4, '0')}`;

/** The text as JSON has it, some more of it escaped than need be, and where each byte of the text begins in that. */
function escaped(from: Random, text: string): { json: string; places: number[] } {
  const short: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '/': '\\/', '"': '\\"' };
  const often = 1 + from.below(40);
  let json = '';
  const places: number[] = [];
  let at = 0;
  for (const character of text) {
    let written = short[character] ?? character;
    if (character > '~' ? from.below(9) > 0 : from.below(often * 6) === 0)
      written = Array.from({ length: character.length }, (_, i) => unit(character.charCodeAt(i))).join('');
    for (let n = Buffer.byteLength(character); n > 0; n--) places.push(at);
    json += written;
    at += Buffer.byteLength(written);
  }
  places.push(at);
  return { json, places };
}

/** The same as an address has it; what follows a plain letter is sometimes twice encoded. */
function encoded(from: Random, text: string): { json: string; places: number[] } {
  let json = '';
  const places: number[] = [];
  const often = 1 + from.below(40);
  for (const character of text) {
    let written = encodeURIComponent(character);
    if (written === character && /[a-z0-9]/i.test(character) && from.below(often * 6) === 0)
      written = `%${character.charCodeAt(0).toString(16)}`;
    if (from.below(9) === 0) written = written.replaceAll('%', '%25');
    for (let n = Buffer.byteLength(character); n > 0; n--) places.push(json.length);
    json += written;
  }
  places.push(json.length);
  return { json, places };
}

const FIELDS = [
  { column: 'iban', role: 'primary', type: 'iban' },
  { column: 'mail', role: 'primary', type: 'email' },
  { column: 'ref', role: 'primary', type: 'id' },
  { column: 'customer', role: 'primary', type: 'number' },
  { column: 'name', role: 'secondary', type: 'words' },
  { column: 'number', role: 'secondary', type: 'number' },
] as const;

describe.each([
  { name: 'primaries alone', secondary: 0, withinTokens: 24, sameRow: false },
  { name: 'with one secondary within 8 tokens', secondary: 1, withinTokens: 8, sameRow: false },
  { name: 'with both secondaries on the line', secondary: 2, withinTokens: 0, sameRow: true },
])('escaped rows, $name', ({ secondary, withinTokens, sameRow }) => {
  const from = random(secondary + 40);
  const rows = Array.from({ length: 40 }, (_, nth) => rowOf(from, nth));
  const schema = schemaOf({ fields: [...FIELDS], secondary, withinTokens, sameRow });
  let built: BuiltIndex;
  beforeAll(async () => {
    built = await builtIndex(schema, rows);
  });
  afterAll(() => built.remove());

  it('are those a naive matcher finds in either reading, wherever the text is cut', async () => {
    expect(built.report.bad).toEqual([]);
    const rowsOf = (hits: Set<string>): Set<string> =>
      new Set(Array.from(hits, (hit) => hit.split(':').slice(0, 2).join(':')));
    let onlyEscaped = 0;
    for (let round = 0; round < 8; round++) {
      const text = textOf(from, rows, 20 + from.below(160));
      const { json, places } = round % 2 === 0 ? escaped(from, text) : encoded(from, text);
      const bytes = Buffer.from(json);
      const raw = naiveRows(schema, rows, json);
      const moved = new Set(
        Array.from(naiveRows(schema, rows, text), (hit) => {
          const [row, column, at, length] = hit.split(':');
          const begin = places[Number(at)]!;
          return `${row}:${column}:${begin}:${places[Number(at) + Number(length)]! - begin}`;
        }),
      );
      const cuts: number[] = [];
      for (let at = 0; at < bytes.length; at += 1 + from.below(from.below(3) ? 40 : 6000)) cuts.push(at);
      const whole = told(built, await scanPieces(built.scanner, bytes));
      const expected = new Set([...raw, ...moved]);
      expect(without(rowsOf(expected), rowsOf(whole)), json).toEqual(new Set());
      // What stands around a primary is read in more ways than these two.
      if (secondary === 0) expect(without(whole, expected), json).toEqual(new Set());
      onlyEscaped += without(moved, raw).size;
      expect(told(built, await scanPieces(built.scanner, bytes, cuts)), json).toEqual(whole);
      expect(told(built, await scanPieces(built.scanner, bytes, cuts, true)), json).toEqual(whole);
    }
    expect(onlyEscaped).toBeGreaterThan(10);
  }, 90_000);
});

describe('escapes', () => {
  const rows = [
    ['U12345678901234', 'Jürgen Müller'],
    ['40070001121234567', '山田太郎'],
    ['AB/12-77/12345678901', 'O"Neil'],
    ['90010020030040050', 'Žofie'],
  ];
  let alone: BuiltIndex;
  let named: BuiltIndex;
  const fields = [
    { column: 'ref', role: 'primary', type: 'id' },
    { column: 'name', role: 'secondary', type: 'words' },
  ] as const;
  beforeAll(async () => {
    alone = await builtIndex(schemaOf({ fields: [...fields] }), rows);
    named = await builtIndex(schemaOf({ fields: [...fields], secondary: 1, withinTokens: 8 }), rows);
  });
  afterAll(() => {
    alone.remove();
    named.remove();
  });
  const found = async (built: BuiltIndex, bytes: Buffer): Promise<Set<string>> =>
    told(built, await scanPieces(built.scanner, bytes));

  it.each([
    ['a user who looks like an escape', 'CORP\\u12345678901234', '1:ref:5:15'],
    ['a path', 'C:\\users\\U12345678901234\\x', '1:ref:9:15'],
    ['a line break in a string', '{"t":"x\\n40070001121234567"}', '2:ref:9:17'],
    ['a solidus', '["AB\\/12-77\\/12345678901"]', '3:ref:2:22'],
    ['JSON within JSON', '{"a":"{\\"b\\":\\"\\\\u0034\\\\u0030070001121234567\\"}"}', '2:ref:15:29'],
    ['digits beyond the first plane', '"\\ud835\\udfd20070001121234567"', '2:ref:1:28'],
    ['broken escapes around', '\\u12 \\ud835 \\u00 \\ud835\\n90010020030040050', '4:ref:25:17'],
  ])('%s', async (_, text, expected) => {
    expect(await found(alone, Buffer.from(text))).toEqual(new Set([expected]));
  });

  it('in UTF-16 and in an eight-bit properties file', async () => {
    const text = '{"ref": "U12345678901234", "name": "J\\u00fcrgen M\\u00FCller", "x": "ä"}';
    expect(await found(named, Buffer.from(text))).toEqual(new Set(['1:ref:9:15']));
    expect(await found(named, Buffer.from(text, 'latin1'))).toEqual(new Set(['1:ref:9:15']));
    expect(await found(named, Buffer.from(text, 'utf16le'))).toEqual(new Set(['1:ref:18:30']));
  });

  it('counts a value once that both readings find', async () => {
    const text = 'x\\u0020 U12345678901234 \\n7';
    const { hits } = await scanPieces(alone.scanner, Buffer.from(text));
    expect(hits.map(({ count }) => count)).toEqual([1]);
  });
});
