import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtIndex, scanPieces, schemaOf, type BuiltIndex } from '../../test/dlp/built-index.ts';
import { card, digits, email, iban, random } from '../../test/dlp/tables.ts';

const ROWS = 200;
const NAMES = ['José Núñez', "Seán O'Neill", 'Müller', '山田太郎', 'Anna Smith', 'Юрий Ёлкин'];

/** JSON as writers make it that stay in ASCII. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\u0080-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const sql = (text: string): string => `'${text.replaceAll("'", "''").replaceAll('\n', '\\n')}'`;

describe('values in text that is written with escapes', () => {
  const from = random(92);
  const rows = Array.from({ length: ROWS }, (_, nth) => [
    iban(from),
    card(from),
    email(from, nth),
    digits(from, 13),
    `AB-${digits(from, 12)}`,
    from.pick(NAMES),
    `19${from.below(90) + 10}-0${1 + from.below(9)}-1${from.below(10)}`,
  ]);
  const columns = ['iban', 'card', 'email', 'number', 'id'] as const;
  let alone: BuiltIndex;
  let beside: BuiltIndex;
  beforeAll(async () => {
    const fields = columns.map((type) => ({ column: type, role: 'primary' as const, type }));
    alone = await builtIndex(
      schemaOf({ fields }),
      rows.map((cells) => cells.slice(0, 5)),
    );
    beside = await builtIndex(
      schemaOf({
        fields: [
          ...fields,
          { column: 'name', role: 'secondary', type: 'words' },
          { column: 'born', role: 'secondary', type: 'date' },
        ],
        secondary: 2,
        withinTokens: 24,
      }),
      rows,
    );
  });
  afterAll(() => {
    alone.remove();
    beside.remove();
  });

  async function found(built: BuiltIndex, text: string): Promise<number> {
    const [vectors, portable] = [
      await scanPieces(built.scanner, Buffer.from(text), [text.length >> 1]),
      await scanPieces(built.scanner, Buffer.from(text), [], true),
    ];
    expect(portable.hits).toEqual(vectors.hits);
    for (const { count } of vectors.hits) expect(count).toBe(1);
    return new Set(vectors.hits.map(({ ref, field }) => `${ref}:${field}`)).size;
  }

  it.each<[string, (value: string) => string]>([
    ['after a line break in JSON', (value) => JSON.stringify(`seen\n${value}\nthen`)],
    ['after a tab in JSON', (value) => JSON.stringify(`seen\t${value}\t`)],
    ['after a Windows line break', (value) => `"seen\\r\\n${value}\\r\\n"`],
    ['in a dump of SQL', (value) => `INSERT INTO t VALUES (1,${sql(`seen\n${value}`)});`],
    ['in lower case', (value) => `"\\n${value.toLowerCase()}\\n"`],
    ['in an address', (value) => `GET /find?q=${encodeURIComponent(value)}&n=1 HTTP/1.1`],
    ['in groups', (value) => `q=${encodeURIComponent(value.replace(/^(\w{4})(\d{4})/, '$1 $2'))}&`],
    ['behind an encoded sign', (value) => `https://a.example/?to=${encodeURIComponent(`/x?v=${value}`)}`],
    ['in an address twice encoded', (value) => `u=${encodeURIComponent(encodeURIComponent(`x=${value}`))}`],
    [
      'with every byte encoded',
      (value) =>
        Buffer.from(` ${value}`)
          .toString('hex')
          .replaceAll(/../g, (hex) => `%${hex}`),
    ],
    ['in colour', (value) => `\u001B[1;31m${value}\u001B[0m`],
    ['in any of 16 million colours', (value) => `\u001B[1;38;2;255;128;100m${value}\u001B[0m`],
    [
      'in colour and full-width digits',
      (value) =>
        `\u001B[48;2;255;255;255m${value.replaceAll(/[0-9]/g, (digit) => String.fromCodePoint(0xff10 + Number(digit)))}`,
    ],
    ['on a bright ground', (value) => `\u001B[107m${value}\u001B[0m`],
    ['in one colour', (value) => `\u001B[1m${value}\u001B[0m`],
  ])('are found %s', async (_, write) => {
    const text = rows.flatMap((cells) => cells.slice(0, 5).map((cell) => `${write(cell)},\n`)).join('');
    expect(await found(alone, text)).toBe(ROWS * columns.length);
  });

  it.each<[string, (cells: Record<string, string>) => string]>([
    ['JSON', (cells) => JSON.stringify(cells)],
    ['JSON in ASCII', asciiJson],
    [
      'JSON with escaped slashes',
      (cells) => JSON.stringify({ ...cells, born: cells.born!.replaceAll('-', '/') }).replaceAll('/', '\\/'),
    ],
    ['a form', (cells) => new URLSearchParams(cells).toString()],
    ['an address', (cells) => `/${Object.values(cells).map(encodeURIComponent).join('/')}`],
    ['one string with line breaks', (cells) => asciiJson(Object.values(cells).join('\n'))],
    ['a dump of SQL', (cells) => `(${Object.values(cells).map(sql).join(',')}),`],
    [
      'colours',
      (cells) =>
        Object.values(cells)
          .map((cell) => `\u001B[32m${cell}\u001B[0m`)
          .join(' '),
    ],
  ])('are found with their secondaries in %s', async (_, write) => {
    const text = rows
      .map(([ibanCell, , , number, id, name, born]) =>
        write({ iban: ibanCell!, number: number!, id: id!, name: name!, born: born! }),
      )
      .join(`\n${'; and so on'.repeat(30)}\n`);
    expect(await found(beside, text)).toBe(ROWS * 3);
  });

  it.each(['\n', '\r\n'])('are found in groups with %j between them in JSON', async (between) => {
    const text = rows
      .flatMap((cells) => [cells[0]!, cells[1]!, cells[3]!])
      .map((cell) => `${JSON.stringify(`seen ${cell.match(/.{1,4}/g)!.join(between)}`)},\n`)
      .join('');
    expect(await found(alone, text)).toBe(ROWS * 3);
  });

  it('are not found behind a letter that is no escape', async () => {
    const glued = rows.flatMap((cells) => cells.slice(0, 5).map((cell) => `n${cell}, [1m${cell}\n`)).join('');
    expect(await found(alone, glued)).toBe(0);
  });

  // Looking for the end of the section again at each of them would take minutes.
  it('are found behind a megabyte of backslashes in a row', async () => {
    const behind = rows.map(([cell]) => `"\\n${cell}"\n`).join('');
    for (const between of ['\\'.repeat(1 << 20), '\\x'.repeat(1 << 19)])
      expect(await found(alone, `{"a":"\\n1${between}"}\n${behind}`)).toBe(ROWS);
  });

  it('are found behind a megabyte of percent signs', async () => {
    const behind = rows.map(([, , mail]) => `to=${encodeURIComponent(mail!)}\n`).join('');
    for (const between of [
      '%'.repeat(1 << 20),
      '%25'.repeat(1 << 18),
      '%2'.repeat(1 << 19),
      '%C3'.repeat(1 << 18),
    ])
      expect(await found(alone, `a%40b${between}\n${behind}`)).toBe(ROWS);
  });

  it('keep to what a percent sign says', async () => {
    const [, , mail] = rows[0]!;
    const split = mail!.split('@');
    for (const wrong of ['%4', '%4g', '%400', '%2540'.repeat(2), '%', '100%', '%00'])
      expect(await found(alone, `to=${split.join(wrong)} `), wrong).toBe(0);
  });
});
