/** Conditions on chunks as masks of rows, and how they combine. */
import type { Column } from './column-pack.ts';
import type { QueryNode } from './query-ast.ts';
import { fieldNamed } from './query-fields.ts';
import { valueTest } from './query-match.ts';
import { containsTest, literalsOf } from './query-pattern.ts';
import { networkLiteral, networkTest } from './query-values.ts';
import { Kind } from './schema.ts';
import type { TextTest } from './text-set.ts';
import type { Zone } from './zones.ts';

/** One byte for each row: 1 while it may match. */
export type Mask = Uint8Array;

/** Filter of a chunk, read when it is asked for. */
export type Bloom = () => Uint8Array;

/** Condition on the rows of a chunk `B`. */
export interface Test<B> {
  /** Rough order of work, for trying cheap ones first. */
  cost: number;
  /** Bit sets of types and severities outside of which nothing matches; absent: no such limit. */
  types?: number;
  severities?: number;
  /** False only if no row of the chunk can match. */
  may: (zone: Zone, bloom: Bloom | undefined) => boolean;
  /** Leaves so few rows that others need not be asked whether they may match: they are tested on those rows. */
  sharp?: boolean;
  /** Clears rows that do not match; only looks at rows that are set. */
  narrow: (block: B, mask: Mask) => void;
}

export const always = (): boolean => true;
const never = (): boolean => false;
const FEW_ROWS = 64;

export function everything<B>(): Test<B> {
  return { cost: 0, may: always, narrow: () => {} };
}

/** All types, or all severities. */
export const ANY_BITS = 0xffff;

function meet<B>(tests: readonly Test<B>[]): { types: number; severities: number } {
  let types = ANY_BITS;
  let severities = ANY_BITS;
  for (const test of tests) {
    types &= test.types ?? ANY_BITS;
    severities &= test.severities ?? ANY_BITS;
  }
  return { types, severities };
}

function unite<B>(tests: readonly Test<B>[]): { types: number; severities: number } {
  let types = 0;
  let severities = 0;
  for (const test of tests) {
    types |= test.types ?? ANY_BITS;
    severities |= test.severities ?? ANY_BITS;
  }
  return { types, severities };
}

export function conjunction<B>(tests: readonly Test<B>[]): Test<B> {
  const ordered = tests.toSorted((a, b) => a.cost - b.cost);
  return {
    cost: ordered.reduce((sum, { cost }) => sum + cost, 0),
    ...meet(ordered),
    sharp: ordered.some((test) => test.sharp),
    may: (zone, bloom) => {
      for (const test of ordered) {
        if (!test.may(zone, bloom)) return false;
        if (test.sharp) break;
      }
      return true;
    },
    narrow: (block, mask) => {
      for (const test of ordered) {
        test.narrow(block, mask);
        if (!mask.includes(1)) return;
      }
    },
  };
}

/** `skips`: the test cannot match anything in this chunk. */
export function disjunction<B>(
  tests: readonly Test<B>[],
  skips: (test: Test<B>, block: B) => boolean = never,
): Test<B> {
  const ordered = tests.toSorted((a, b) => a.cost - b.cost);
  return {
    cost: ordered.reduce((sum, { cost }) => sum + cost, 0),
    ...unite(ordered),
    sharp: ordered.every((test) => test.sharp),
    may: (zone, bloom) => ordered.some((test) => test.may(zone, bloom)),
    narrow: (block, mask) => {
      const left = mask.slice();
      mask.fill(0);
      // For a few rows it is faster to test them.
      let rows = 0;
      for (let row = 0; row < left.length; row += 1) rows += left[row] ?? 0;
      for (const test of ordered) {
        if (rows > FEW_ROWS && skips(test, block)) continue;
        const found = left.slice();
        test.narrow(block, found);
        for (let row = 0; row < found.length; row += 1) {
          if (found[row] === 1) {
            mask[row] = 1;
            left[row] = 0;
          }
        }
      }
    },
  };
}

export function negation<B>(test: Test<B>): Test<B> {
  return {
    cost: test.cost,
    may: always,
    narrow: (block, mask) => {
      const found = mask.slice();
      test.narrow(block, found);
      for (let row = 0; row < found.length; row += 1) if (found[row] === 1) mask[row] = 0;
    },
  };
}

/** Clears rows whose value (the first of the columns that has one) fails; rows without a value fail. */
export function narrowColumns(
  columns: readonly Column[],
  mask: Mask,
  passes: (value: number) => boolean,
): void {
  const used = columns.filter((column) => !column.absent);
  const [only] = used;
  if (!only) {
    mask.fill(0);
    return;
  }
  if (used.length === 1 && !only.values) {
    if (!passes(only.base)) mask.fill(0);
    return;
  }
  const [first, ...more] = used.map((column) => column.numbers);
  for (let row = 0; row < mask.length; row += 1) {
    if (mask[row] === 0) continue;
    let value = first?.[row] ?? Number.NaN;
    for (let other = 0; value !== value && other < more.length; other += 1)
      value = more[other]?.[row] ?? Number.NaN;
    if (value !== value || !passes(value)) mask[row] = 0;
  }
}

/** What a leaf asks of texts, for a place that holds numbers of texts. */
export function textTestOf(node: QueryNode, kinds: readonly number[]): TextTest | undefined {
  switch (node.kind) {
    case 'text':
      return {
        field: '',
        kinds,
        test: containsTest(node.pattern),
        literals: literalsOf(node.pattern),
        verbatim: false,
      };
    case 'match': {
      const test = valueTest(fieldNamed(node.field).kind, node.pattern);
      return { field: node.field, kinds, test, literals: literalsOf(node.pattern), verbatim: false };
    }
    case 'cidr':
      return {
        field: node.field,
        kinds,
        test: networkTest(node),
        literals: [networkLiteral(node)],
        verbatim: true,
      };
    case 'has':
      // A row that stands for a list may stand for none.
      return kinds.some((kind) => kind >= Kind.flags)
        ? { field: node.field, kinds, test: always, literals: [], verbatim: true }
        : undefined;
    default:
      return undefined;
  }
}
