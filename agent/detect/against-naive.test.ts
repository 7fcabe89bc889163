/** The compiled engine against the naive evaluator, on random rules and events. */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { naiveMatch } from '../../test/detect/naive-sigma.ts';
import type { NaiveRule } from '../../test/detect/naive-sigma.ts';
import { FlatMatcher } from './flat-match.ts';
import { loadRules } from './rule-set.ts';

const FIELDS = ['Image', 'CommandLine', 'a.b', 'Port'];
const PIECES = [
  'a',
  'b',
  'C',
  'cmd',
  'Exe',
  ' ',
  '.',
  '/',
  '-',
  ' -x',
  '/y',
  '\u2013z',
  '10',
  '.0',
  'é',
  'É',
  '\n',
  '😀',
];
const text = (pieces: readonly string[]): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...pieces), { maxLength: 7 }).map((list) => list.join(''));

const plain = text([...PIECES, '\\']);
const wild = text([...PIECES, '*', '?', '\\', '\\*', '\\?', '\\\\']);
const number = fc.integer({ min: -2, max: 120 });
const regex = fc.constantFrom(
  'a.*b',
  '^cmd',
  '[a-c]+x?$',
  '(a|Exe)\\s',
  'b{2,3}',
  'cmd|exe',
  '\\.0$',
  '[^ab]-x',
  'a??c',
);

const value = fc.oneof(wild, wild, number, fc.boolean(), fc.constant(null));
const listOf = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | T[]> =>
  fc.oneof(one, fc.array(one, { minLength: 1, maxLength: 9 }));

/** `field|modifiers` with values that the modifiers take. */
const fieldItem: fc.Arbitrary<[string, unknown]> = fc
  .tuple(
    fc.constantFrom(...FIELDS),
    fc.oneof(
      fc.tuple(fc.constantFrom('', '|neq'), listOf(value)),
      fc.tuple(
        fc.constantFrom(
          '|contains',
          '|startswith',
          '|endswith',
          '|contains|all',
          '|cased',
          '|contains|cased',
          '|windash',
          '|windash|contains',
          '|contains|neq',
        ),
        listOf(wild),
      ),
      fc.tuple(
        fc.constantFrom('|base64', '|base64offset|contains', '|wide|base64offset|contains'),
        listOf(plain.map((t) => t.replaceAll(/[\\*?]/g, 'q'))),
      ),
      fc.tuple(fc.constantFrom('|re', '|re|i', '|re|m', '|re|s'), listOf(regex)),
      fc.tuple(fc.constantFrom('|lt', '|lte', '|gt', '|gte'), number),
      fc.tuple(fc.constant('|exists'), fc.boolean()),
      fc.tuple(
        fc.constant('|cidr'),
        listOf(fc.constantFrom('10.0.0.0/8', '10.0.0.0/31', '0.0.0.0/0', '1.2.3.4/32')),
      ),
      fc.tuple(
        fc.constantFrom('|fieldref', '|fieldref|contains', '|fieldref|startswith', '|fieldref|endswith'),
        fc.constantFrom(...FIELDS),
      ),
    ),
  )
  .map(([field, [modifiers, values]]) => [field + modifiers, values]);

const map = fc.array(fieldItem, { minLength: 1, maxLength: 3 }).map((items) => Object.fromEntries(items));
const keyword = fc.oneof(
  wild.filter((t) => t !== ''),
  number,
);
const selection = fc.oneof(
  { weight: 5, arbitrary: map },
  { weight: 2, arbitrary: fc.array(map, { minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.array(keyword, { minLength: 1, maxLength: 4 }) },
  {
    weight: 1,
    arbitrary: fc.array(keyword, { minLength: 1, maxLength: 3 }).map((list) => ({ '|all': list })),
  },
);

const NAMES = ['sel_a', 'sel_b', '_hidden', 'filter_x'];
const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(
      ...NAMES,
      '1 of sel_*',
      'all of sel_*',
      '1 of them',
      'all of them',
      '2 of them',
      'not 1 of filter_*',
      'any of *_a',
    ),
    tie('expression').map((inner) => `not (${inner})`),
    fc
      .tuple(tie('expression'), fc.constantFrom('and', 'or'), tie('expression'))
      .map(([a, op, b]) => `(${a}) ${op} (${b})`),
    fc
      .tuple(fc.constantFrom(...NAMES), fc.constantFrom('and', 'or', 'and not'), fc.constantFrom(...NAMES))
      .map((list) => list.join(' ')),
  ),
}));

const rule = fc
  .tuple(
    fc.tuple(selection, selection, selection, selection),
    fc.oneof(expression, fc.array(expression, { minLength: 1, maxLength: 2 })),
  )
  .map(([selections, condition]) => ({
    detection: { ...Object.fromEntries(NAMES.map((name, i) => [name, selections[i]])), condition },
  }));

const eventValue = fc.oneof(
  { weight: 4, arbitrary: plain },
  { weight: 1, arbitrary: number },
  { weight: 1, arbitrary: fc.constantFrom('10.0.0.1', '10.1.2.3', '1.2.3.4', '11.0.0.1') },
  { weight: 1, arbitrary: plain.map((t) => Buffer.from(`x${t}`).toString('base64')) },
  { weight: 1, arbitrary: fc.constantFrom(true, false, null) },
  { weight: 1, arbitrary: fc.array(plain, { maxLength: 3 }) },
);
const event = fc.dictionary(fc.constantFrom(...FIELDS), eventValue, { maxKeys: 4 });

it('matches exactly the rules that the naive evaluator matches', () => {
  let found = 0;
  let checked = 0;
  fc.assert(
    fc.property(
      fc.array(rule, { minLength: 1, maxLength: 6 }),
      fc.array(event, { minLength: 1, maxLength: 5 }),
      (rules, events) => {
        const documents = rules.map((detection, i) =>
          JSON.stringify({ title: `r${i}`, id: `r${i}`, logsource: { product: 'x' }, ...detection }),
        );
        const set = loadRules([{ path: 'random.yml', text: documents.join('\n---\n'), source: 'test' }]);
        expect(set.failed).toEqual([]);
        const matcher = new FlatMatcher(set, { product: 'x' });
        for (const one of events) {
          const expected = rules.flatMap((detection, i) =>
            naiveMatch(detection as unknown as NaiveRule, one) ? [`r${i}`] : [],
          );
          expect(matcher.match(one)).toEqual(expected);
          found += expected.length;
          checked += rules.length;
        }
      },
    ),
    { numRuns: Number(process.env['FC_RUNS'] ?? 600) },
  );
  // A generator that never or always matches would prove nothing.
  expect(found).toBeGreaterThan(checked / 20);
  expect(found).toBeLessThan((checked * 19) / 20);
});
