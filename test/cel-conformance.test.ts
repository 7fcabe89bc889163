/** How far the CEL library keeps to the specification, and that its departures are out of reach of conditions. */
import { describe, expect, it } from 'vitest';
import { policyCompiler } from '../agent/policy-compiler.ts';
import { conformanceCases, evaluators, verdictOf, type ConformanceCase } from './cel-conformance.ts';

const cases = conformanceCases();
const wrong = (evaluate: (expression: string) => unknown): ConformanceCase[] =>
  cases.filter((each) => verdictOf(each, evaluate) === 'wrong');

/** Odd keys of maps that are written out, and the one integer without a counterpart: no condition has a use for them. */
const KNOWN = ['map_key_null', 'map_value_repeat_key', 'int64_min_negate', 'int64_min_negate_div'];

describe('the specification’s conformance cases', () => {
  it('are as many as were counted when the library was chosen', () => {
    expect(cases.length).toBeGreaterThanOrEqual(1000);
  });

  it.each([
    ['cel-js', 910],
    ['bufbuild', 1010],
  ] as const)('%s is right in at least %i of them', (library, least) => {
    const evaluate = evaluators[library]();
    expect(cases.filter((each) => verdictOf(each, evaluate) === 'right').length).toBeGreaterThanOrEqual(
      least,
    );
  });

  it('that the library in use answers wrongly are refused as conditions', () => {
    const compile = policyCompiler();
    const reachable = wrong(evaluators['cel-js']()).filter(({ expression }) => {
      // As part of a condition, whatever the type of its value.
      return [expression, `dyn(${expression}) == dyn(1)`].some((text) => {
        try {
          compile(text);
          return true;
        } catch {
          return false;
        }
      });
    });
    expect(reachable.map(({ name }) => name).sort()).toEqual([...KNOWN].sort());
  });

  it('tell a library that answers wrongly', () => {
    expect(wrong((expression) => expression.length).length).toBeGreaterThan(900);
  });
});
