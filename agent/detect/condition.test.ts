import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConditionError, namesMatching, parseCondition, printCondition } from './condition.ts';
import type { Condition } from './condition.ts';
import { matchFlat } from './flat-match.ts';
import { loadRules } from './rule-set.ts';

const name = fc.constantFrom(
  'selection',
  'selection_img',
  'filter_main_x',
  '_hidden',
  'a-b',
  'keywords',
  'of1',
  'notx',
  'x.y',
);
const { tree } = fc.letrec<{ tree: Condition }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    name.map((text): Condition => ({ kind: 'name', name: text })),
    fc
      .tuple(
        fc.constantFrom<number | 'all'>(1, 2, 7, 'all'),
        fc.option(fc.constantFrom('sel*', '*_x', 'a*b*', 'one'), { nil: undefined }),
      )
      .map(([count, pattern]): Condition => ({ kind: 'of', count, pattern })),
    tie('tree').map((operand): Condition => ({ kind: 'not', operand })),
    fc
      .tuple(
        fc.constantFrom<'and' | 'or'>('and', 'or'),
        fc.array(tie('tree'), { minLength: 2, maxLength: 3 }),
      )
      .map(([kind, operands]): Condition => ({ kind, operands })),
  ),
}));

describe('parse and print', () => {
  it('gives back the tree that was printed', () => {
    fc.assert(
      fc.property(tree, (condition) => {
        expect(parseCondition(printCondition(condition))).toEqual(condition);
      }),
      { numRuns: 3000 },
    );
  });

  it('never throws anything but a ConditionError with a column inside the text', () => {
    const token = fc.constantFrom(
      'and',
      'or',
      'not',
      '(',
      ')',
      '1',
      'all',
      'of',
      'them',
      'sel*',
      'x',
      '|',
      'AND',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
        const source = tokens.join(' ');
        try {
          const printed = printCondition(parseCondition(source));
          expect(printCondition(parseCondition(printed))).toBe(printed);
        } catch (error) {
          if (!(error instanceof ConditionError)) throw error;
          expect(error.column).toBeGreaterThan(0);
          expect(error.column).toBeLessThanOrEqual(source.length + 1);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['a or b and not c', 'a or b and not c'],
    ['(a or b) and c', '(a or b) and c'],
    ['not (a)', 'not a'],
    ['NOT a AND 1 OF sel*', 'not a and 1 of sel*'],
    ['any of them', '1 of them'],
    ['((a))', 'a'],
    ['not not a', 'not not a'],
  ])('%s is read as %s', (source, printed) => {
    expect(printCondition(parseCondition(source))).toBe(printed);
  });

  it.each([
    ['', 'ends where a selection is expected (column 1)'],
    ['a b', '"b" is not expected here (column 3)'],
    ['(a', 'closing parenthesis is missing (column 3)'],
    ['a and or b', '"or" stands where a selection is expected (column 7)'],
    ['0 of them', '"0 of" needs 1, all, any or a number (column 1)'],
    ['1 of', 'needs a name pattern or "them"'],
    ['('.repeat(600), 'nested too deeply'],
  ])('%j: %s', (source, message) => {
    expect(() => parseCondition(source)).toThrow(message);
  });
});

it('expands patterns over whole names, without hidden ones', () => {
  const names = ['selection', 'selection_a', '_sel', 'filter_main_x', 'a.b'];
  expect(namesMatching('selection*', names)).toEqual(['selection', 'selection_a']);
  expect(namesMatching('selection', names)).toEqual(['selection']);
  expect(namesMatching('*_x', names)).toEqual(['filter_main_x']);
  expect(namesMatching('a.b', names)).toEqual(['a.b']);
  expect(namesMatching('a?b', names)).toEqual([]);
  expect(namesMatching(undefined, names)).toEqual(['selection', 'selection_a', 'filter_main_x', 'a.b']);
});

/** The meaning of a condition, straight from the specification. */
function truth(condition: Condition, values: ReadonlyMap<string, boolean>): boolean {
  switch (condition.kind) {
    case 'name':
      return values.get(condition.name) ?? false;
    case 'not':
      return !truth(condition.operand, values);
    case 'and':
      return condition.operands.every((operand) => truth(operand, values));
    case 'or':
      return condition.operands.some((operand) => truth(operand, values));
    case 'of': {
      const shape = (condition.pattern ?? '*').split('*').join('.*');
      const chosen = [...values].filter(
        ([key]) => !key.startsWith('_') && new RegExp(`^${shape}$`).test(key),
      );
      const met = chosen.filter(([, value]) => value).length;
      return condition.count === 'all' ? chosen.length > 0 && met === chosen.length : met >= condition.count;
    }
  }
}

it('evaluates every row of the truth table', () => {
  const names = [
    'selection',
    'selection_img',
    'filter_main_x',
    '_hidden',
    'a-b',
    'keywords',
    'of1',
    'notx',
    'x.y',
  ];
  fc.assert(
    fc.property(tree, fc.integer({ min: 0, max: 511 }), (condition, bits) => {
      const values = new Map(names.map((key, i) => [key, ((bits >> i) & 1) === 1]));
      const detection = Object.fromEntries(names.map((key, i) => [key, { [`F${i}`]: 1 }]));
      const event = Object.fromEntries(names.flatMap((_key, i) => ((bits >> i) & 1 ? [[`F${i}`, 1]] : [])));
      const rule = {
        title: 't',
        id: 't',
        logsource: { product: 'p' },
        detection: { ...detection, condition: printCondition(condition) },
      };
      const set = loadRules([{ path: 't.yml', text: JSON.stringify(rule), source: 'test' }]);
      expect(set.failed).toEqual([]);
      expect(matchFlat(set, { product: 'p' }, event)).toEqual(truth(condition, values) ? ['t'] : []);
    }),
    { numRuns: 1000 },
  );
});
