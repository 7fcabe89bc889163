/**
 * Literals a rule cannot match without. A rule's anchors are a set of (field, literal) pairs such that every event it
 * matches has at least one of them: of the parts of an AND the best set is taken, those of an OR are joined.
 */
import { MIN_LITERAL } from './literal-index.ts';
import { MIN_END } from './literal-set.ts';
import { OP_CONTAINS, OP_ENDS, OP_EQUALS, OP_GLOB, OP_REGEX, OP_STARTS } from './predicate.ts';
import type { Predicate } from './predicate.ts';
import { testsOf } from './rule.ts';
import type { RuleNode } from './rule.ts';
import type { FieldTest, Search } from './search.ts';
import { fold } from './text.ts';

export interface Anchor {
  field: string;
  /** Folded. */
  text: string;
  /** The field's value is the text, ends with it, or holds it somewhere. */
  where: 'whole' | 'end' | 'part';
}

const MAX_ANCHORS = 512;

type Weigh = (anchors: readonly Anchor[]) => number;
type Anchors = Anchor[] | undefined;

/** Anchors of each rule; undefined for a rule that has none. */
export function anchorsOf(roots: readonly RuleNode[]): Anchors[] {
  // How many rules use a literal says how often it will occur: `type: EXECVE` is in every event of its log source.
  const uses = new Map<string, number>();
  for (const root of roots) {
    for (const test of testsOf(root)) {
      for (const { field, text } of test.values
        .flat()
        .flatMap((value) => ofPredicate(test.field, value) ?? [])) {
        const key = `${field}\u0000${text}`;
        uses.set(key, (uses.get(key) ?? 0) + 1);
      }
    }
  }
  const weigh: Weigh = (anchors) => {
    let weakest = Infinity;
    for (const { field, text, where } of anchors) {
      const often = uses.get(`${field}\u0000${text}`) ?? 1;
      weakest = Math.min(
        weakest,
        (Math.min(text.length, 12) + (where === 'part' ? 0 : 4)) / (1 + Math.log2(often)),
      );
    }
    return weakest - anchors.length / 100;
  };
  return roots.map((root) => ofNode(root, weigh));
}

function best(candidates: readonly Anchors[], weigh: Weigh): Anchors {
  let chosen: Anchors;
  let highest = -Infinity;
  for (const candidate of candidates) {
    if (!candidate) continue;
    const weight = weigh(candidate);
    if (weight > highest) {
      highest = weight;
      chosen = candidate;
    }
  }
  return chosen;
}

function union(candidates: readonly Anchors[]): Anchors {
  const all: Anchor[] = [];
  for (const candidate of candidates) {
    if (!candidate) return undefined;
    all.push(...candidate);
  }
  // An OR of nothing never matches: no anchor is needed, and none will be found.
  return all.length <= MAX_ANCHORS ? all : undefined;
}

function ofNode(node: RuleNode, weigh: Weigh): Anchors {
  switch (node.kind) {
    case 'selection':
      return ofSearch(node.search, weigh);
    case 'not':
      return undefined;
    case 'and':
      return best(
        node.children.map((child) => ofNode(child, weigh)),
        weigh,
      );
    default:
      return union(node.children.map((child) => ofNode(child, weigh)));
  }
}

function ofSearch(search: Search, weigh: Weigh): Anchors {
  if (search.kind === 'test') return ofTest(search, weigh);
  const children = search.children.map((child) => ofSearch(child, weigh));
  return search.kind === 'and' ? best(children, weigh) : union(children);
}

function ofTest(test: FieldTest, weigh: Weigh): Anchors {
  if (test.negated) return undefined;
  const groups = test.values.map((group) =>
    union(group.map((predicate) => ofPredicate(test.field, predicate))),
  );
  return test.all ? best(groups, weigh) : union(groups);
}

function ofPredicate(field: string, predicate: Predicate): Anchors {
  const text = predicate.cased ? fold(predicate.text) : predicate.text;
  switch (predicate.op) {
    case OP_EQUALS:
      return [{ field, text, where: 'whole' }];
    case OP_ENDS:
      return text.length >= MIN_END ? [{ field, text, where: 'end' }] : undefined;
    case OP_CONTAINS:
    case OP_STARTS:
      return text.length >= MIN_LITERAL ? [{ field, text, where: 'part' }] : undefined;
    case OP_GLOB: {
      let longest = '';
      for (const segment of predicate.glob?.segments ?? []) {
        for (const item of segment.items)
          if (typeof item === 'string' && item.length > longest.length) longest = item;
      }
      return longest.length >= MIN_LITERAL ? [{ field, text: fold(longest), where: 'part' }] : undefined;
    }
    case OP_REGEX: {
      const literals = predicate.regex?.literals;
      if (!literals || literals.some((literal) => literal.length < MIN_LITERAL)) return undefined;
      return literals.map((literal) => ({ field, text: literal, where: 'part' }));
    }
    default:
      return undefined;
  }
}
