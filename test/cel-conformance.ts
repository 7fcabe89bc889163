/** The CEL specification's own conformance cases, as far as they are about what conditions can use: no messages. */
import * as bufbuild from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';
import { getConformanceSuite, type IncrementalTestSuite } from '@bufbuild/cel-spec/testdata/tests.js';
import { Environment } from '@marcbachmann/cel-js';

/** Sections of the specification's core; the others are extensions. */
const CORE: ReadonlySet<string> = new Set([
  'basic',
  'comparisons',
  'conversions',
  'fields',
  'fp_math',
  'integer_math',
  'lists',
  'logic',
  'macros',
  'parse',
  'plumbing',
  'string',
  'timestamps',
]);

export interface ConformanceCase {
  section: string;
  name: string;
  expression: string;
  /** `undefined`: an error is expected. */
  expected: { value: unknown } | undefined;
}

export type Verdict = 'right' | 'refused' | 'wrong';
export type Evaluate = (expression: string) => unknown;

type CelValue = Extract<
  NonNullable<IncrementalTestSuite['tests'][number]['original']['resultMatcher']>,
  { case: 'value' }
>['value'];

class Skipped extends Error {}

function keyOf(value: unknown): string {
  return `${typeof value} ${String(value)}`;
}

/** The expected value in terms that both libraries' results are brought to. */
function expectedOf({ kind }: CelValue): unknown {
  switch (kind.case) {
    case 'int64Value':
    case 'stringValue':
    case 'boolValue':
    case 'doubleValue':
      return kind.value;
    case 'nullValue':
      return null;
    case 'uint64Value':
      return ['unsigned', kind.value];
    case 'bytesValue':
      return ['bytes', Buffer.from(kind.value).toString('hex')];
    case 'listValue':
      return kind.value.values.map(expectedOf);
    case 'mapValue':
      return new Map(
        kind.value.entries.map(({ key, value }) => {
          if (!key || !value) throw new Skipped();
          return [keyOf(expectedOf(key)), expectedOf(value)];
        }),
      );
    default:
      throw new Skipped();
  }
}

/** All cases without variables, containers and messages. */
export function conformanceCases(): ConformanceCase[] {
  const cases: ConformanceCase[] = [];
  const walk = (suite: IncrementalTestSuite, section: string): void => {
    for (const { name, original } of suite.tests) {
      const { expr, bindings, container, typeEnv, checkOnly, resultMatcher } = original;
      if (
        !CORE.has(section) ||
        Object.keys(bindings).length > 0 ||
        container !== '' ||
        typeEnv.length > 0 ||
        checkOnly
      )
        continue;
      if (/TestAllTypes|google\.protobuf|proto[23]\./.test(expr)) continue;
      try {
        let expected: ConformanceCase['expected'] = { value: true };
        if (resultMatcher.case === 'evalError') expected = undefined;
        else if (resultMatcher.case === 'value') expected = { value: expectedOf(resultMatcher.value) };
        else if (resultMatcher.case !== undefined) continue;
        cases.push({ section, name, expression: expr, expected });
      } catch (error) {
        if (!(error instanceof Skipped)) throw error;
      }
    }
    for (const below of suite.suites) walk(below, section === '' ? below.name : section);
  };
  walk(getConformanceSuite(), '');
  return cases;
}

export const evaluators: Readonly<Record<'cel-js' | 'bufbuild', () => Evaluate>> = {
  'cel-js': () => {
    const environment = new Environment({
      unlistedVariablesAreDyn: true,
      homogeneousAggregateLiterals: false,
    });
    return (expression) => environment.evaluate(expression);
  },
  bufbuild: () => {
    const environment = bufbuild.celEnv({ funcs: strings });
    return (expression) => {
      const result: unknown = bufbuild.plan(environment, bufbuild.parse(expression))({});
      if (result instanceof Error || (result as object | null)?.constructor?.name === 'CelError')
        throw new Error('error value');
      return result;
    };
  },
};

function plain(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Uint8Array) return ['bytes', Buffer.from(value).toString('hex')];
  if (Array.isArray(value)) return value.map(plain);
  const name = value.constructor?.name ?? '';
  if (name === 'UnsignedInt') return ['unsigned', (value as { valueOf(): bigint }).valueOf()];
  if ('value' in value && typeof value.value === 'bigint') return ['unsigned', value.value];
  if (value instanceof Map || name.includes('Map')) {
    const entries = [...(value as Map<unknown, unknown>).entries()];
    return new Map(entries.map(([key, item]) => [keyOf(plain(key)), plain(item)]));
  }
  if (Symbol.iterator in value) return [...(value as Iterable<unknown>)].map(plain);
  return new Map(Object.entries(value).map(([key, item]) => [keyOf(key), plain(item)]));
}

function same(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' && typeof b === 'number') return a === b || (Number.isNaN(a) && Number.isNaN(b));
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => same(item, b[index]));
  if (a instanceof Map && b instanceof Map) {
    // Objects have text keys only: a key counts by its text.
    const texts = new Map(
      [...b].map(([key, item]) => [String(key).split(' ').slice(1).join(' '), item as unknown]),
    );
    return (
      a.size === b.size &&
      [...a].every(([key, item]) => same(item, texts.get(String(key).split(' ').slice(1).join(' '))))
    );
  }
  return a === b;
}

/** `refused`: an error where the specification has a value. `wrong`: a value where it has another one, or an error. */
export function verdictOf({ expression, expected }: ConformanceCase, evaluate: Evaluate): Verdict {
  let value: unknown;
  try {
    value = plain(evaluate(expression));
  } catch {
    return expected ? 'refused' : 'right';
  }
  return expected && same(expected.value, value) ? 'right' : 'wrong';
}
