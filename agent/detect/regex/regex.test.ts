import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fold } from '../text.ts';
import { compileRegex } from './regex.ts';

function flagsOf(letters: string): { ignoreCase: boolean; multiline: boolean; dotAll: boolean } {
  return {
    ignoreCase: letters.includes('i'),
    multiline: letters.includes('m'),
    dotAll: letters.includes('s'),
  };
}

const compile = (source: string, letters = ''): ReturnType<typeof compileRegex> =>
  compileRegex(source, flagsOf(letters));

describe('PCRE where it differs from JavaScript', () => {
  it.each([
    ['a$', '', 'a\n', true],
    ['a$', '', 'a\nb', false],
    ['a\\z', '', 'a\n', false],
    ['a\\Z', '', 'a\n', true],
    ['\\Ab', 'm', 'a\nb', false],
    ['^b$', 'm', 'a\nb\nc', true],
    ['a.b', '', 'a\rb', true],
    ['a.b', '', 'a\nb', false],
    ['(?i)AbC', '', 'xabcx', true],
    ['x(?i:AB)c', '', 'xabc', true],
    ['x(?i:AB)c', '', 'xabC', false],
    ['(?s)a.b', '', 'a\nb', true],
    ['a(?-i)B', 'i', 'Ab', false],
    ['[[:alpha:]]+[[:digit:]]', '', '--é1', false],
    ['[[:alpha:]]+[[:digit:]]', '', 'ab1', true],
    ['[^[:^digit:]]', '', 'x', false],
    ['\\Qa.b\\E+', '', 'a.bb', true],
    ['\\x41\\x{1F600}', '', 'A😀', true],
    ['^.$', '', '😀', true],
    ['\\d', '', '٣', false],
    ['(?P<name>a)b', '', 'ab', true],
    ['(?#comment)a', '', 'a', true],
    ['[]a]', '', ']', true],
    ['[^]a]', '', 'b', true],
    ['[a\\-z]', '', '-', true],
    ['a{,2}b', '', 'aab', true],
    ['a{b', '', 'a{b', true],
    ['\\/\\"\\-\\_', '', '/"-_', true],
    ['É', 'i', 'é', true],
    ['[à-ý]', 'i', 'É', true],
    ['ÿ', 'i', 'Ÿ', true],
    ['\\bfoo\\b', '', 'a foo.', true],
    ['\\bfoo\\b', '', 'afoo', false],
    ['\\Boo', '', 'foo', true],
    ['https?://[0-9]{1,10}(?!.)', '', 'http://1359248394', true],
    ['https?://[0-9]{1,10}(?!.)', '', 'http://1359248394/a', false],
    ['(?<=a)b', '', 'ab', true],
    ['(?<!a)b', '', 'ab', false],
    ['(?<=ab|c)d', '', 'cd', true],
    ['a(?=.*z)b', '', 'ab..z', true],
    ['', '', '', true],
    ['a|', '', 'x', true],
  ])('/%s/%s on %j is %s', (source, letters, text, expected) => {
    expect(compile(source, letters).test(text)).toBe(expected);
  });

  it.each([
    ['(a', 'unclosed group at position 1'],
    ['a)', 'unmatched ) at position 2'],
    ['[a', 'unclosed [ at position 1'],
    ['*a', 'nothing to repeat at position 1'],
    ['a**', 'nothing to repeat'],
    ['(a)\\1', 'back-references are not supported'],
    ['(?>a)', 'atomic groups are not supported'],
    ['a++', 'possessive quantifiers are not supported'],
    ['(a{1000}){1000}', 'too large'],
    ['a{5,2}', 'bounds swapped'],
    ['[z-a]', 'ends swapped'],
    ['\\', 'backslash at the end'],
    ['\\y', 'unknown escape'],
    [`${'('.repeat(300)}${')'.repeat(300)}`, 'nested too deeply'],
  ])('refuses /%s/: %s', (source, message) => {
    expect(() => compile(source)).toThrow(message);
  });
});

const atom = fc.constantFrom(
  'a',
  'b',
  'C',
  'é',
  '.',
  '[ab]',
  '[^a]',
  '[a-z]',
  '\\d',
  '\\w',
  '\\s',
  '\\.',
  'ab',
  '1',
);
const { pattern } = fc.letrec<{ pattern: string }>((tie) => ({
  pattern: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    atom,
    fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => a + b),
    fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => `(?:${a}|${b})`),
    fc
      .tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '*?', '{2}', '{1,3}', '{0,2}?', '{2,}'))
      .map(([a, q]) => `(${a})${q}`),
    fc.tuple(fc.constantFrom('^', '\\b', '\\B'), tie('pattern')).map(([a, b]) => a + b),
    fc
      .tuple(fc.constantFrom('(?=', '(?!', '(?<=', '(?<!'), atom, tie('pattern'))
      .map(([a, b, c]) => `${a}${b})${c}`),
    tie('pattern').map((a) => `${a}$`),
  ),
}));
// Without newlines, where `.` and `$` mean the same in both languages, and without surrogate pairs, in whose middle
// V8 lets a match start.
const text = fc
  .array(fc.constantFrom('a', 'b', 'c', 'C', 'A', 'é', 'É', '1', ' ', '.', '_', '-'), { maxLength: 12 })
  .map((list) => list.join(''));

describe('against the JavaScript engine', () => {
  it('agrees on random patterns and texts', () => {
    let matched = 0;
    let total = 0;
    fc.assert(
      fc.property(
        pattern,
        fc.constantFrom('', 'i', 's', 'm', 'is'),
        fc.array(text, { minLength: 1, maxLength: 6 }),
        (source, flags, texts) => {
          const ours = compile(source, flags);
          const theirs = new RegExp(source, `u${flags}`);
          for (const one of texts) {
            const expected = theirs.test(one);
            expect(ours.test(one), `/${source}/${flags} on ${JSON.stringify(one)}`).toBe(expected);
            total += 1;
            if (!expected) continue;
            matched += 1;
            // Whatever matches must hold one of the required literals, or the index would lose it.
            if (ours.literals)
              expect(ours.literals.some((literal) => fold(one).includes(literal))).toBe(true);
          }
        },
      ),
      { numRuns: Number(process.env['FC_RUNS'] ?? 1500) },
    );
    expect(matched).toBeGreaterThan(total / 10);
  });
});

describe('hostile patterns and values', () => {
  it.each(['(a+)+$', '(a|a)*b', '(a|aa)+c', '(.*)*x', '^(a?){50}a{50}$', '(a*)*b|(x+x+)+y', '(.+)+\\bz'])(
    '/%s/ takes linear time on 100,000 characters',
    (source) => {
      expect(compile(source).test(`${'a'.repeat(100_000)}!`)).toBe(false);
    },
  );

  it('starts its table again instead of growing without bound', () => {
    const regex = compile('(a|b)*a(a|b){14}c');
    let state = 1;
    const bits = Array.from({ length: 60_000 }, () => {
      state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
      return state & 0x10000 ? 'a' : 'b';
    });
    expect(regex.test(bits.join(''))).toBe(false);
    expect(regex.test(`${bits.join('')}a${'b'.repeat(14)}c`)).toBe(true);
  });

  it('bounds look-around by steps', () => {
    expect(compile('(?=.*z)(?=.*y)(?=.*x)q').test('a'.repeat(20_000))).toBe(false);
  });
});
