import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtIndex, scanPieces, schemaOf, type BuiltIndex } from '../../test/dlp/built-index.ts';
import { digits, random } from '../../test/dlp/tables.ts';

const VALUES = 600;

/** What stands in UTF-16 files beside letters of one plane, each between values and inside them. */
const SPELLINGS: Readonly<Record<string, (value: string) => string>> = {
  'digits beyond the first plane': (value) =>
    Array.from(value, (digit) => String.fromCodePoint(0x1d7ce + Number(digit))).join(''),
  emoji: (value) => `😀😀😀😀😀😀😀😀😀😀 ${value} 👍🏽`,
  'a table drawn with lines': (value) => `┌──────┐│ ${value} │└──┘`,
  'byte order marks as joiners': (value) => value.match(/.{1,2}/g)!.join('\uFEFF'),
  'zeros around values': (value) => `é\0${value}\0`,
  'Devanagari digits between zeros': (value) =>
    `\0${Array.from(value, (digit) => String.fromCodePoint(0x966 + Number(digit))).join('')}\0`,
};

describe('UTF-16 of any script', () => {
  const from = random(16);
  const rows = Array.from({ length: VALUES }, () => [digits(from, 13)]);
  let built: BuiltIndex;
  beforeAll(async () => {
    built = await builtIndex(
      schemaOf({ fields: [{ column: 'number', role: 'primary', type: 'number' }] }),
      rows,
    );
  });
  afterAll(() => built.remove());

  it.each(Object.keys(SPELLINGS))('is read in blocks that begin anywhere: %s', async (name) => {
    const spell = SPELLINGS[name]!;
    const text = rows
      .map(([value]) => `${'a word or two '.slice(from.below(12))}; ${spell(value!)}`)
      .join(';');
    const little = Buffer.from(text, 'utf16le');
    const mark = Buffer.from('\uFEFF', 'utf16le');
    for (const bytes of [
      little,
      Buffer.concat([mark, little]),
      Buffer.from(little).swap16(),
      Buffer.concat([mark, little]).swap16(),
    ]) {
      const { hits } = await scanPieces(built.scanner, bytes);
      const found = new Set(hits.map(({ ref }) => ref));
      const missed = rows.flatMap(([value], nth) => (found.has(nth + 1) ? [] : [bytes.indexOf(value!)]));
      expect(missed).toEqual([]);
    }
  });
});
