import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtBeside, scanPieces, type BuiltIndex } from '../../test/dlp/built-index.ts';
import { digits, random } from '../../test/dlp/tables.ts';

const NAMES = [
  'José García',
  "Seán O'Neill",
  'Jean-Luc Müller-Lüdenscheid',
  'Nguyễn Văn Đức',
  'Ångström, Björk',
  'İbrahim Çelik',
  'Παπαδόπουλος Γιώργος',
  'Юрий Ёлкин',
  'محمد العربي',
  '김철수',
  '남궁 민수',
  'ひらがな ガンダム',
  '佐藤 花子',
  'สมชาย ใจดี',
];

describe('a name beside a number', () => {
  const from = random(7);
  const rows = NAMES.map((name) => [digits(from, 13), name]);
  let built: BuiltIndex;
  beforeAll(async () => {
    built = await builtBeside({ column: 'name', type: 'words' }, 24, rows);
  });
  afterAll(() => built.remove());

  async function missed(write: (number: string, name: string) => string): Promise<string[]> {
    const text = rows.map(([number, name]) => `${write(number!, name!)}\n${'; and so on'.repeat(30)}\n`);
    const { hits } = await scanPieces(built.scanner, Buffer.from(text.join('')));
    const refs = new Set(hits.map(({ ref }) => ref));
    return NAMES.filter((_, nth) => !refs.has(nth + 1));
  }

  it.each(['NFC', 'NFD', 'NFKC', 'NFKD'])('is found in the Unicode form %s', async (form) => {
    expect(await missed((number, name) => `${name.normalize(form)}: ${number}`)).toEqual([]);
    expect(await missed((number, name) => `${number} "${name.normalize(form)}"`)).toEqual([]);
  });

  it('is found in any case', async () => {
    expect(await missed((number, name) => `${name.toUpperCase()}; ${number}`)).toEqual([]);
    expect(await missed((number, name) => `${name.toLowerCase()}; ${number}`)).toEqual([]);
  });

  it('is not found beside the number of another', async () => {
    const next = (name: string): string => NAMES[(NAMES.indexOf(name) + 1) % NAMES.length]!;
    expect(await missed((number, name) => `${number}; ${next(name)}`)).toEqual(NAMES);
  });
});
