import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtIndex, scanPieces, schemaOf, told, type BuiltIndex } from '../../test/dlp/built-index.ts';
import { naiveRows } from '../../test/dlp/naive-rows.ts';
import {
  card,
  digits,
  email,
  iban,
  person,
  random,
  spell,
  spellName,
  type Random,
} from '../../test/dlp/tables.ts';

const COLUMNS = ['iban', 'mail', 'card', 'ref', 'customer', 'name', 'phone'] as const;

function rowOf(from: Random, nth: number): string[] {
  return [
    iban(from),
    email(from, nth),
    card(from),
    `${from.pick(['AB-', 'CUST', 'X.'])}${digits(from, 12)}${from.pick(['', 'K', '-ZZ'])}`,
    digits(from, 14),
    person(from),
    `+49 ${digits(from, 3)} ${digits(from, 7)}`,
  ];
}

const FILLER = [
  'lorem',
  'ipsum',
  '12',
  '2024-03-05',
  'é',
  '漢字',
  'x@y',
  'a1b2',
  '(555)',
  ',',
  ';',
  '"',
  ':',
  '|',
  '７',
  '\n',
  '—',
];
const GLUE = [' ', ' ', ' ', ', ', '\n', '\t', '; ', '', '"', '\r\n', '：'];

/** Text with values of the table among others, each value in some spelling, at most once. */
function textOf(from: Random, rows: readonly string[][], pieces: number): string {
  let text = '';
  const used = new Set<string>();
  let row = 0;
  for (let n = 0; n < pieces; n++) {
    // Values of a row stand together, as in a letter or a table.
    if (from.below(6) === 0) row = from.below(rows.length);
    const column = from.below(COLUMNS.length);
    const value = rows[row]![column]!;
    const key = `${row}:${column}`;
    if (from.below(3) === 0 || (column < 5 && used.has(key))) text += from.pick(FILLER);
    else if (column === 5) text += spellName(from, value);
    else if (column === 1) text += from.below(2) ? value.toUpperCase() : value;
    else text += spell(from, value);
    used.add(key);
    text += from.pick(GLUE);
  }
  return text;
}

describe.each([
  { name: 'primaries alone', secondary: 0, withinTokens: 24, sameRow: false },
  { name: 'with one secondary within 6 tokens', secondary: 1, withinTokens: 6, sameRow: false },
  { name: 'with both secondaries on the line', secondary: 2, withinTokens: 0, sameRow: true },
])('rows, $name', ({ secondary, withinTokens, sameRow }) => {
  const from = random(secondary + 1);
  const rows = Array.from({ length: 60 }, (_, nth) => rowOf(from, nth));
  const schema = schemaOf({
    fields: [
      { column: 'iban', role: 'primary', type: 'iban' },
      { column: 'mail', role: 'primary', type: 'email' },
      { column: 'card', role: 'primary', type: 'card' },
      { column: 'ref', role: 'primary', type: 'id' },
      { column: 'customer', role: 'primary', type: 'number' },
      { column: 'name', role: 'secondary', type: 'words' },
      { column: 'phone', role: 'secondary', type: 'phone' },
    ],
    secondary,
    withinTokens,
    sameRow,
  });
  let built: BuiltIndex;
  beforeAll(async () => {
    built = await builtIndex(schema, rows);
  });
  afterAll(() => built.remove());

  it('are those a naive matcher finds, however the text is cut and on whatever processor', async () => {
    expect(built.report.bad).toEqual([]);
    let all = 0;
    for (let round = 0; round < 25; round++) {
      const text = textOf(from, rows, 20 + from.below(400));
      const bytes = Buffer.from(text);
      const expected = naiveRows(schema, rows, text);
      all += expected.size;
      const cuts = Array.from({ length: from.below(12) }, () => from.below(bytes.length)).sort(
        (a, b) => a - b,
      );
      expect(told(built, await scanPieces(built.scanner, bytes)), text).toEqual(expected);
      expect(told(built, await scanPieces(built.scanner, bytes, cuts)), text).toEqual(expected);
      expect(told(built, await scanPieces(built.scanner, bytes, cuts, true)), text).toEqual(expected);
    }
    expect(all).toBeGreaterThan(50);
  }, 90_000);
});

describe('values that are only stored in combination', () => {
  const from = random(77);
  const rows = Array.from({ length: 200 }, (_, nth) => [
    `${100 + nth}-${10 + from.below(80)}-${1000 + from.below(8000)}`,
    person(from),
    `19${40 + from.below(59)}-0${1 + from.below(9)}-1${from.below(9)}`,
  ]);
  const schema = schemaOf({
    fields: [
      { column: 'ssn', role: 'primary', type: 'ssn' },
      { column: 'name', role: 'secondary', type: 'words' },
      { column: 'born', role: 'secondary', type: 'date' },
    ],
    secondary: 1,
    withinTokens: 10,
  });
  let built: BuiltIndex;
  beforeAll(async () => {
    built = await builtIndex(schema, rows);
  });
  afterAll(() => built.remove());

  it('are found beside a secondary of their row, and not alone or beside another row', async () => {
    expect(built.source.info().fields[0]).toMatchObject({ combined: true });
    const [ssn, name, born] = rows[17]!;
    const other = rows.find((row) => row[1] !== name && row[2] !== born)!;
    const [year, month, day] = born!.split('-');
    const found = [
      `${ssn} belongs to ${name!.toUpperCase()}`,
      `${name}, born somewhere, has ${ssn!.replaceAll('-', ' ')}`,
      `${born} ${ssn!.replaceAll('-', '')}`,
      `${Number(day)}.${Number(month)}.${year} ${ssn}`,
    ];
    const not = [
      ssn!,
      `${ssn} ${other[1]} ${other[2]}`,
      `${ssn} ${'x '.repeat(11)} ${born}`,
      `${name} ${born}`,
    ];
    for (const text of found) {
      const { hits } = await scanPieces(built.scanner, Buffer.from(text));
      expect(
        hits.map(({ ref, field }) => [ref, field]),
        text,
      ).toEqual([[18, 0]]);
    }
    for (const text of not)
      expect((await scanPieces(built.scanner, Buffer.from(text))).hits, text).toEqual([]);
  });
});

describe('a row is the whole line', () => {
  it('of however many cells', async () => {
    const from = random(6);
    const rows = [[digits(from, 14), '7481203']];
    const fields = [
      { column: 'customer', role: 'primary', type: 'number' },
      { column: 'account', role: 'secondary', type: 'number' },
    ] as const;
    const built = await builtIndex(
      schemaOf({ fields: [...fields], secondary: 1, withinTokens: 0, sameRow: true }),
      rows,
    );
    try {
      const [customer, account] = rows[0]!;
      for (const [text, found] of [
        [`${customer};${'y;'.repeat(3900)}${account}\n`, 1],
        [`${account};${'y;'.repeat(3900)}${customer}\n`, 1],
        [`${account};${'y;'.repeat(39)}\n${customer}\n`, 0],
      ] as const)
        expect((await scanPieces(built.scanner, Buffer.from(text))).hits).toHaveLength(found);
    } finally {
      built.remove();
    }
  });
});
