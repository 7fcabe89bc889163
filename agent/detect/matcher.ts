/**
 * Rules compiled for one log source: which of them match the event in the cache.
 *
 * Most rules need some literal to be present in some field. Those literals are indexed, so that an event only pays for
 * the rules one of whose literals it has, plus those that have none (`always`). Equal tests of different rules are
 * evaluated once per event.
 */
import { anchorsOf } from './anchors.ts';
import type { Anchor } from './anchors.ts';
import { LIST, MISSING, NULL, TEXT } from './field-cache.ts';
import type { FieldCache, FieldNames } from './field-cache.ts';
import { LiteralIndex } from './literal-index.ts';
import { LiteralSet, MIN_END, endKey } from './literal-set.ts';
import { OP_EXISTS, OP_FIELD, OP_NULL, predicateKey, testReference, testText } from './predicate.ts';
import type { Predicate } from './predicate.ts';
import type { RuleNode } from './rule.ts';
import type { FieldTest, Search } from './search.ts';

const LEAF = 0;
const AND = 1;
const OR = 2;
const NOT = 3;
const AT_LEAST = 4;

interface Node {
  op: number;
  children: Node[];
  /** LEAF: index into tests. */
  test: number;
  /** AT_LEAST. */
  count: number;
}

interface BoundPredicate {
  predicate: Predicate;
  /** OP_FIELD: id of the other field. */
  reference: number;
}

interface Test {
  field: number;
  negated: boolean;
  /** Each group must hold (one group unless `all`); a group holds if its set or one of its predicates does. */
  groups: { set: LiteralSet | undefined; rest: BoundPredicate[] }[];
}

/** Literals of one field that make rules candidates. */
interface FieldAnchors {
  field: number;
  equal: Map<string, Int32Array>;
  /** By the last two characters. */
  ends: Map<number, { text: string; rules: Int32Array }[]>;
  index: LiteralIndex | undefined;
  /** Rules of each literal of the index. */
  rules: Int32Array[];
}

export class Matcher {
  /** Positions (in the list given) of the rules that matched last, ascending; valid up to `run`'s result. */
  readonly matched: number[] = [];
  /** Rules without a usable literal, evaluated for every event. */
  readonly always: number[] = [];
  /** Candidate evaluations so far, for the bench and health. */
  evaluations = 0;
  readonly #roots: Node[] = [];
  readonly #tests: Test[] = [];
  readonly #anchors: FieldAnchors[] = [];
  readonly #fields: FieldNames;
  #memo: Int32Array;
  #seen: Int32Array;
  #generation = 0;
  readonly #hits: number[] = [];

  constructor(roots: readonly RuleNode[], fields: FieldNames) {
    this.#fields = fields;
    const known = new Map<string, number>();
    for (const root of roots) this.#roots.push(this.#bindNode(root, known));
    this.#memo = new Int32Array(this.#tests.length);
    this.#seen = new Int32Array(roots.length);
    this.#buildAnchors(roots);
  }

  /** Number of rules that match the event in `cache`; their positions are in `matched`. */
  run(cache: FieldCache): number {
    this.#nextGeneration();
    let count = 0;
    for (const rule of this.always) {
      if (this.#evaluate(this.#roots[rule] as Node, cache)) this.matched[count++] = rule;
    }
    this.evaluations += this.always.length;
    for (const anchors of this.#anchors) {
      const kind = cache.kind(anchors.field);
      if (kind === TEXT) count = this.#candidates(anchors, cache.foldedText(anchors.field), cache, count);
      else if (kind === LIST) {
        for (const text of cache.foldedList(anchors.field))
          count = this.#candidates(anchors, text, cache, count);
      }
    }
    if (count > 1) this.#sort(count);
    return count;
  }

  /** Evaluates one rule without its anchors. */
  matches(rule: number, cache: FieldCache): boolean {
    this.#nextGeneration();
    return this.#evaluate(this.#roots[rule] as Node, cache);
  }

  #nextGeneration(): void {
    this.#generation += 1;
    if (this.#generation === 0x3fff_ffff) {
      this.#memo.fill(0);
      this.#seen.fill(0);
      this.#generation = 1;
    }
  }

  #sort(count: number): void {
    // Insertion sort: an event matches a handful of rules, and this keeps the array's length.
    const { matched } = this;
    for (let i = 1; i < count; i += 1) {
      const value = matched[i] as number;
      let at = i - 1;
      while (at >= 0 && (matched[at] as number) > value) {
        matched[at + 1] = matched[at] as number;
        at -= 1;
      }
      matched[at + 1] = value;
    }
  }

  #candidates(anchors: FieldAnchors, folded: string, cache: FieldCache, matched: number): number {
    let count = matched;
    if (anchors.equal.size > 0) {
      const rules = anchors.equal.get(folded);
      if (rules) count = this.#try(rules, cache, count);
    }
    if (anchors.ends.size > 0 && folded.length >= MIN_END) {
      const ends = anchors.ends.get(endKey(folded));
      if (ends) {
        for (let i = 0; i < ends.length; i += 1) {
          const end = ends[i] as { text: string; rules: Int32Array };
          if (folded.endsWith(end.text)) count = this.#try(end.rules, cache, count);
        }
      }
    }
    if (anchors.index) {
      const hits = this.#hits;
      hits.length = 0;
      anchors.index.scan(folded, hits);
      for (let i = 0; i < hits.length; i += 1) {
        count = this.#try(anchors.rules[hits[i] as number] as Int32Array, cache, count);
      }
    }
    return count;
  }

  #try(rules: Int32Array, cache: FieldCache, matched: number): number {
    let count = matched;
    for (let i = 0; i < rules.length; i += 1) {
      const rule = rules[i] as number;
      if (this.#seen[rule] === this.#generation) continue;
      this.#seen[rule] = this.#generation;
      this.evaluations += 1;
      if (this.#evaluate(this.#roots[rule] as Node, cache)) this.matched[count++] = rule;
    }
    return count;
  }

  #evaluate(node: Node, cache: FieldCache): boolean {
    const { children } = node;
    switch (node.op) {
      case LEAF:
        return this.#test(node.test, cache);
      case AND:
        for (let i = 0; i < children.length; i += 1) {
          if (!this.#evaluate(children[i] as Node, cache)) return false;
        }
        return true;
      case OR:
        for (let i = 0; i < children.length; i += 1) {
          if (this.#evaluate(children[i] as Node, cache)) return true;
        }
        return false;
      case NOT:
        return !this.#evaluate(children[0] as Node, cache);
      default: {
        let left = node.count;
        for (let i = 0; i < children.length && left > 0; i += 1) {
          if (this.#evaluate(children[i] as Node, cache)) left -= 1;
        }
        return left <= 0;
      }
    }
  }

  #test(id: number, cache: FieldCache): boolean {
    const memo = this.#memo[id] as number;
    if (memo >> 1 === this.#generation) return (memo & 1) === 1;
    const test = this.#tests[id] as Test;
    const { groups } = test;
    let result = true;
    for (let i = 0; i < groups.length && result; i += 1) {
      const group = groups[i] as Test['groups'][number];
      result = group.set !== undefined && setHolds(group.set, test.field, cache);
      for (let j = 0; j < group.rest.length && !result; j += 1) {
        result = holds(group.rest[j] as BoundPredicate, test.field, cache);
      }
    }
    if (test.negated) result = !result;
    this.#memo[id] = (this.#generation << 1) | (result ? 1 : 0);
    return result;
  }

  #bindNode(node: RuleNode, known: Map<string, number>): Node {
    if (node.kind === 'selection') return this.#bindSearch(node.search, known);
    if (node.kind === 'not')
      return { op: NOT, children: [this.#bindNode(node.child, known)], test: 0, count: 0 };
    const op = node.kind === 'and' ? AND : node.kind === 'or' ? OR : AT_LEAST;
    const children = node.children.map((child) => this.#bindNode(child, known));
    return { op, children, test: 0, count: node.kind === 'atLeast' ? node.count : 0 };
  }

  #bindSearch(search: Search, known: Map<string, number>): Node {
    if (search.kind === 'test')
      return { op: LEAF, children: [], test: this.#testId(search, known), count: 0 };
    const op = search.kind === 'and' ? AND : OR;
    return {
      op,
      children: search.children.map((child) => this.#bindSearch(child, known)),
      test: 0,
      count: 0,
    };
  }

  #testId(test: FieldTest, known: Map<string, number>): number {
    const values = test.values.map((group) => group.map(predicateKey).join('\u0001')).join('\u0002');
    const key = `${test.field}\u0003${test.all}${test.negated}\u0003${values}`;
    let id = known.get(key);
    if (id === undefined) {
      id = this.#tests.length;
      this.#tests.push(this.#bindTest(test));
      known.set(key, id);
    }
    return id;
  }

  #bindTest(test: FieldTest): Test {
    const groups = (test.all ? test.values : [test.values.flat()]).map((predicates) => {
      const { set, rest } = LiteralSet.split(predicates);
      const bound = rest.map((predicate) => ({
        predicate,
        reference: predicate.op === OP_FIELD ? this.#fields.id(predicate.reference) : -1,
      }));
      return { set, rest: bound };
    });
    return { field: this.#fields.id(test.field), negated: test.negated, groups };
  }

  #buildAnchors(roots: readonly RuleNode[]): void {
    const byField = new Map<string, Record<Anchor['where'], Map<string, Set<number>>>>();
    for (const [rule, anchors] of anchorsOf(roots).entries()) {
      if (!anchors) this.always.push(rule);
      for (const { field, text, where } of anchors ?? []) {
        let maps = byField.get(field);
        if (!maps) byField.set(field, (maps = { whole: new Map(), end: new Map(), part: new Map() }));
        const rules = maps[where].get(text);
        if (rules) rules.add(rule);
        else maps[where].set(text, new Set([rule]));
      }
    }
    for (const [name, { whole, end, part }] of byField) {
      const ends: FieldAnchors['ends'] = new Map();
      for (const [text, rules] of end) {
        const entry = { text, rules: Int32Array.from(rules) };
        const list = ends.get(endKey(text));
        if (list) list.push(entry);
        else ends.set(endKey(text), [entry]);
      }
      this.#anchors.push({
        field: this.#fields.id(name),
        equal: new Map([...whole].map(([text, rules]) => [text, Int32Array.from(rules)])),
        ends,
        index: part.size > 0 ? new LiteralIndex([...part.keys()]) : undefined,
        rules: [...part.values()].map((rules) => Int32Array.from(rules)),
      });
    }
  }
}

function setHolds(set: LiteralSet, field: number, cache: FieldCache): boolean {
  const kind = cache.kind(field);
  if (kind === TEXT) return set.test(cache.foldedText(field));
  if (kind === LIST) for (const text of cache.foldedList(field)) if (set.test(text)) return true;
  return false;
}

function holds(bound: BoundPredicate, field: number, cache: FieldCache): boolean {
  const { predicate } = bound;
  const kind = cache.kind(field);
  switch (predicate.op) {
    case OP_EXISTS:
      return (kind !== MISSING) === predicate.expected;
    case OP_NULL:
      return kind === MISSING || kind === NULL;
    case OP_FIELD:
      return referenceHolds(bound, field, cache);
  }
  if (kind === TEXT) return testText(predicate, cache.text(field), cache.foldedText(field));
  if (kind === LIST) {
    const list = cache.list(field);
    const folded = cache.foldedList(field);
    for (let i = 0; i < list.length; i += 1) {
      if (testText(predicate, list[i] as string, folded[i] as string)) return true;
    }
  }
  return false;
}

function referenceHolds(bound: BoundPredicate, field: number, cache: FieldCache): boolean {
  const { predicate } = bound;
  for (const subject of texts(field, cache, predicate.cased)) {
    for (const other of texts(bound.reference, cache, predicate.cased)) {
      if (testReference(predicate.referenceOp, subject, other)) return true;
    }
  }
  return false;
}

function texts(field: number, cache: FieldCache, cased: boolean): readonly string[] {
  const kind = cache.kind(field);
  if (kind === TEXT) return [cased ? cache.text(field) : cache.foldedText(field)];
  if (kind === LIST) return cased ? cache.list(field) : cache.foldedList(field);
  return [];
}
