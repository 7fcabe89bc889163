/** fast-check arbitraries of query trees and events, for the property tests of this folder. */
import * as fc from 'fast-check';
import { SEVERITIES } from '../event.ts';
import {
  ALL,
  ANY,
  ONE,
  and,
  not,
  or,
  pattern,
  type Pattern,
  type QueryNode,
  type TimePoint,
} from './query-ast.ts';
import { FIELDS, type Field } from './query-fields.ts';
import { parseNetwork } from './query-values.ts';

const WORDS = [
  'curl',
  'bash',
  '/usr/bin/',
  'usr',
  'a',
  'tmp',
  'é',
  'ΟΔΟΣ',
  'x y',
  '\\',
  '"',
  '*',
  'and',
  ':',
  '..',
  'T1059',
  '.so',
  '\n',
  '😀',
];

function arbitraryPattern(): fc.Arbitrary<Pattern> {
  const part = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...WORDS) },
    { weight: 2, arbitrary: fc.string({ maxLength: 4, unit: 'grapheme' }) },
    { weight: 3, arbitrary: fc.constantFrom(ANY, ONE) },
  );
  return fc
    .array(part, { maxLength: 4 })
    .map((parts) => pattern(parts as Pattern))
    .filter((parts) => !(parts.length === 1 && parts[0] === ANY));
}

const DAY_NS = 86_400_000_000_000n;

function arbitraryMoment(): fc.Arbitrary<TimePoint> {
  const ns = fc.oneof(
    fc.bigInt(0n, 7_000_000_000_000_000_000n),
    fc.bigInt(0n, 7_000_000_000n).map((seconds) => seconds * 1_000_000_000n),
  );
  return fc.oneof(
    ns.map((value): TimePoint => ({ kind: 'at', ns: value })),
    fc.bigInt(0n, 1_000_000n).map((seconds): TimePoint => ({ kind: 'ago', ns: seconds * 1_000_000_000n })),
    fc.constantFrom<TimePoint>({ kind: 'day', days: 0 }, { kind: 'day', days: 1 }),
    fc.bigInt(0n, DAY_NS).map((value): TimePoint => ({ kind: 'clock', ns: value })),
  );
}

function numberLeaf(field: Field): fc.Arbitrary<QueryNode> {
  const value = field.kind === 'severity' ? fc.nat(SEVERITIES.length - 1) : fc.oneof(fc.nat(5), fc.integer());
  const op = fc.constantFrom('eq' as const, 'gt' as const, 'ge' as const, 'lt' as const, 'le' as const);
  return fc.oneof(
    fc.record({ kind: fc.constant('compare' as const), field: fc.constant(field.name), op, value }),
    fc.tuple(value, value).map(([a, b]): QueryNode => {
      return { kind: 'range', field: field.name, low: Math.min(a, b), high: Math.max(a, b) };
    }),
  );
}

function ipLeaf(field: Field): fc.Arbitrary<QueryNode> {
  const network = fc.oneof(
    fc.tuple(fc.ipV4(), fc.nat(32)).map(([ip, bits]) => `${ip}/${bits}`),
    fc.tuple(fc.ipV6(), fc.nat(128)).map(([ip, bits]) => `${ip}/${bits}`),
    fc.ipV4(),
    fc.ipV6(),
  );
  return fc.oneof(
    network
      .map(parseNetwork)
      .filter((found) => found !== undefined)
      .map((found): QueryNode => {
        return { kind: 'cidr', field: field.name, ...found };
      }),
    fc.constantFrom('10.', '192.168', 'fe80').map((text): QueryNode => {
      return { kind: 'match', field: field.name, pattern: [text, ANY] };
    }),
  );
}

function leafOf(field: Field): fc.Arbitrary<QueryNode> {
  if (field.kind === 'number' || field.kind === 'severity') return numberLeaf(field);
  if (field.kind === 'ip') return ipLeaf(field);
  if (field.kind === 'enum') {
    return fc.constantFrom(...(field.values ?? [])).map((value): QueryNode => {
      return { kind: 'match', field: field.name, pattern: [value] };
    });
  }
  return arbitraryPattern().map((parts): QueryNode => ({ kind: 'match', field: field.name, pattern: parts }));
}

/** Any leaf: a test of one field, free text, a time. `extra` adds leaves of the caller's making. */
function arbitraryLeaf(extra: readonly fc.Arbitrary<QueryNode>[]): fc.Arbitrary<QueryNode> {
  const field = fc.constantFrom(...FIELDS);
  return fc.oneof(
    { weight: 8, arbitrary: field.chain(leafOf) },
    {
      weight: 3,
      arbitrary: arbitraryPattern().map((parts): QueryNode => ({ kind: 'text', pattern: parts })),
    },
    { weight: 1, arbitrary: field.map((one): QueryNode => ({ kind: 'has', field: one.name })) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('time' as const),
        op: fc.constantFrom('gt' as const, 'ge' as const, 'lt' as const, 'le' as const),
        at: arbitraryMoment(),
      }),
    },
    { weight: 1, arbitrary: fc.constant(ALL) },
    ...extra.map((arbitrary) => ({ weight: 8, arbitrary })),
  );
}

/** Any tree in normal form. */
export function arbitraryQuery(extra: readonly fc.Arbitrary<QueryNode>[] = []): fc.Arbitrary<QueryNode> {
  return fc.letrec<{ node: QueryNode }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      arbitraryLeaf(extra),
      fc.array(tie('node'), { minLength: 2, maxLength: 3 }).map((items) => and(...items)),
      fc.array(tie('node'), { minLength: 2, maxLength: 3 }).map((items) => or(...items)),
      tie('node').map(not),
    ),
  })).node;
}
