/**
 * Evaluates a query tree on one event in memory: for following live, and as the meaning that the SQL of the store
 * must agree with. A field that an event does not have matches nothing, so `not field:x` matches it.
 */
import type { SentinelEvent } from '../event.ts';
import { literalOf, type Pattern, type QueryNode } from './query-ast.ts';
import { TEXT_FIELDS, fieldNamed, type FieldKind, type FieldValue } from './query-fields.ts';
import { containsTest, fold, pathTest, wholeTest, type FoldedTest } from './query-pattern.ts';
import { networkTest, resolveMoment } from './query-values.ts';

export type EventTest = (event: SentinelEvent) => boolean;

/** Test on one value of a field of that kind, already folded. */
export function valueTest(kind: FieldKind, pattern: Pattern): FoldedTest {
  switch (kind) {
    case 'text':
    case 'rule':
      return containsTest(pattern);
    case 'path':
      return pathTest(pattern);
    case 'technique': {
      const whole = wholeTest(pattern);
      const literal = literalOf(pattern);
      if (literal === undefined) return whole;
      const parent = `${fold(literal)}.`;
      return (text) => whole(text) || text.startsWith(parent);
    }
    default:
      return wholeTest(pattern);
  }
}

/** Test on one number, for `compare` and `range`. */
export function numberTest(
  node: Extract<QueryNode, { kind: 'compare' | 'range' }>,
): (value: number) => boolean {
  if (node.kind === 'range') return (value) => value >= node.low && value <= node.high;
  const { value: wanted } = node;
  switch (node.op) {
    case 'eq':
      return (value) => value === wanted;
    case 'gt':
      return (value) => value > wanted;
    case 'ge':
      return (value) => value >= wanted;
    case 'lt':
      return (value) => value < wanted;
    case 'le':
      return (value) => value <= wanted;
  }
}

function someText(value: FieldValue, test: FoldedTest): boolean {
  if (value === undefined) return false;
  if (typeof value === 'object') return value.some((item) => test(fold(item)));
  return test(fold(String(value)));
}

function compile(node: QueryNode, nowNs: () => bigint): EventTest {
  switch (node.kind) {
    case 'all':
      return () => true;
    case 'and': {
      const tests = node.items.map((item) => compile(item, nowNs));
      return (event) => tests.every((test) => test(event));
    }
    case 'or': {
      const tests = node.items.map((item) => compile(item, nowNs));
      return (event) => tests.some((test) => test(event));
    }
    case 'not': {
      const test = compile(node.item, nowNs);
      return (event) => !test(event);
    }
    case 'text': {
      const test = containsTest(node.pattern);
      const getters = TEXT_FIELDS.map((name) => fieldNamed(name).get);
      return (event) => getters.some((get) => someText(get(event), test));
    }
    case 'match': {
      const { get, kind } = fieldNamed(node.field);
      const test = valueTest(kind, node.pattern);
      return (event) => someText(get(event), test);
    }
    case 'compare':
    case 'range': {
      const { get } = fieldNamed(node.field);
      const test = numberTest(node);
      return (event) => {
        const value = get(event);
        return typeof value === 'number' && test(value);
      };
    }
    case 'cidr': {
      const { get } = fieldNamed(node.field);
      const test = networkTest(node);
      return (event) => {
        const value = get(event);
        return typeof value === 'string' && test(value);
      };
    }
    case 'has': {
      const { get } = fieldNamed(node.field);
      return (event) => {
        const value = get(event);
        return value !== undefined && (typeof value !== 'object' || value.length > 0);
      };
    }
    case 'time': {
      const { op, at } = node;
      return (event) => {
        const moment = resolveMoment(at, nowNs());
        switch (op) {
          case 'gt':
            return event.tsNs > moment;
          case 'ge':
            return event.tsNs >= moment;
          case 'lt':
            return event.tsNs < moment;
          case 'le':
            return event.tsNs <= moment;
        }
      };
    }
  }
}

const wallClockNs = (): bigint => BigInt(Date.now()) * 1_000_000n;

/** A reusable test of events against the tree. `nowNs` is asked each time a relative time is compared. */
export function compileMatcher(node: QueryNode, nowNs: () => bigint = wallClockNs): EventTest {
  return compile(node, nowNs);
}

/** Whether the event matches; for many events compile once instead. */
export function matches(node: QueryNode, event: SentinelEvent, nowNs?: bigint): boolean {
  return compile(node, nowNs === undefined ? wallClockNs : () => nowNs)(event);
}
