/**
 * Why a rule matched or did not: the clauses that held with the values they held for, and the tests that were false.
 * Runs only after a match or on request, so it walks the rule as written instead of the compiled form.
 */
import type { MatchedClause } from '../event.ts';
import { LIST, MISSING, NULL, OTHER, TEXT } from './field-cache.ts';
import type { FieldCache, FieldNames } from './field-cache.ts';
import { OP_EXISTS, OP_FIELD, OP_NULL, testReference, testText } from './predicate.ts';
import type { Predicate } from './predicate.ts';
import type { RuleNode } from './rule.ts';
import type { FieldTest, Search } from './search.ts';
import { clip, fold } from './text.ts';

/** A test that was false and kept the rule from matching. */
export interface NearMiss {
  selection: string;
  /** Field with modifiers; empty for keywords. */
  field: string;
  /** Patterns of which one (or, under `all`, each) had to match. */
  patterns: string[];
  /** What the event has; undefined if the field is absent. */
  value: string | undefined;
  /** The selection had to be false, and was true. */
  excluded: boolean;
}

export interface Explanation {
  matched: boolean;
  clauses: MatchedClause[];
  misses: NearMiss[];
}

interface Context {
  cache: FieldCache;
  fields: FieldNames;
}

/** Explains a rule on the event that `cache` was reset to. */
export function explainNode(node: RuleNode, cache: FieldCache, fields: FieldNames): Explanation {
  return ofNode(node, { cache, fields });
}

function ofNode(node: RuleNode, context: Context): Explanation {
  switch (node.kind) {
    case 'selection':
      return ofSearch(node.search, node.name, context);
    case 'not': {
      const inner = ofNode(node.child, context);
      if (!inner.matched) return { matched: true, clauses: [], misses: [] };
      const misses = inner.clauses.map(({ selection, field, pattern, value }) => ({
        selection,
        field,
        patterns: [pattern],
        value,
        excluded: true,
      }));
      return { matched: false, clauses: [], misses };
    }
    case 'and':
      return all(node.children.map((child) => ofNode(child, context)));
    case 'or':
      return any(node.children.map((child) => ofNode(child, context)));
    case 'atLeast': {
      const parts = node.children.map((child) => ofNode(child, context));
      const matched = parts.filter((part) => part.matched).length >= node.count;
      return { ...any(parts), matched };
    }
  }
}

function ofSearch(search: Search, selection: string, context: Context): Explanation {
  if (search.kind === 'test') return ofTest(search, selection, context);
  const parts = search.children.map((child) => ofSearch(child, selection, context));
  return search.kind === 'and' ? all(parts) : any(parts);
}

function all(parts: Explanation[]): Explanation {
  const matched = parts.every((part) => part.matched);
  return {
    matched,
    clauses: parts.flatMap((part) => part.clauses),
    misses: matched ? [] : parts.flatMap((part) => part.misses),
  };
}

function any(parts: Explanation[]): Explanation {
  const matched = parts.some((part) => part.matched);
  return {
    matched,
    clauses: parts.filter((part) => part.matched).flatMap((part) => part.clauses),
    misses: matched ? [] : parts.flatMap((part) => part.misses),
  };
}

function ofTest(test: FieldTest, selection: string, context: Context): Explanation {
  const clauses: MatchedClause[] = [];
  if (testHolds(test, selection, context, clauses)) return { matched: true, clauses, misses: [] };
  const patterns = patternsOf(test).slice(0, 32);
  const value = described(test.field, context);
  return {
    matched: false,
    clauses: [],
    misses: [{ selection, field: test.label, patterns, value, excluded: test.negated }],
  };
}

function patternsOf(test: FieldTest): string[] {
  return test.values.flat().map((predicate) => clip(predicate.pattern, 128));
}

/** Evaluates a test and appends what held to `clauses`; leaves them as they were if the test is false. */
function testHolds(test: FieldTest, selection: string, context: Context, clauses: MatchedClause[]): boolean {
  const before = clauses.length;
  let held = 0;
  for (const group of test.values) {
    for (const predicate of group) {
      const value = valueFor(predicate, test.field, context);
      if (value === undefined) continue;
      held += 1;
      clauses.push({ selection, field: test.label, pattern: clip(predicate.pattern), value: clip(value) });
      break;
    }
  }
  const plain = test.all ? held === test.values.length : held > 0;
  if (!plain || test.negated) clauses.length = before;
  if (plain !== test.negated && test.negated) {
    const pattern = `not ${patternsOf(test).slice(0, 8).join(', ')}`;
    clauses.push({ selection, field: test.label, pattern, value: described(test.field, context) ?? '' });
  }
  return plain !== test.negated;
}

/** The clauses of a rule that is known to match: `explainNode` without what did not hold, for the hot path. */
export function clausesOf(node: RuleNode, cache: FieldCache, fields: FieldNames): MatchedClause[] {
  const clauses: MatchedClause[] = [];
  nodeHolds(node, { cache, fields }, clauses);
  return clauses;
}

function nodeHolds(node: RuleNode, context: Context, clauses: MatchedClause[]): boolean {
  switch (node.kind) {
    case 'selection':
      return searchHolds(node.search, node.name, context, clauses);
    case 'not':
      return !nodeHolds(node.child, context, []);
    default: {
      const before = clauses.length;
      let held = 0;
      for (const child of node.children) {
        if (nodeHolds(child, context, clauses)) held += 1;
        else if (node.kind === 'and') break;
      }
      const needed = node.kind === 'and' ? node.children.length : node.kind === 'atLeast' ? node.count : 1;
      if (held < needed) clauses.length = before;
      return held >= needed;
    }
  }
}

function searchHolds(search: Search, selection: string, context: Context, clauses: MatchedClause[]): boolean {
  if (search.kind === 'test') return testHolds(search, selection, context, clauses);
  const before = clauses.length;
  let held = 0;
  for (const child of search.children) {
    if (searchHolds(child, selection, context, clauses)) held += 1;
    else if (search.kind === 'and') break;
  }
  const matched = search.kind === 'and' ? held === search.children.length : held > 0;
  if (!matched) clauses.length = before;
  return matched;
}

/** What the event has in a field, for display. */
function described(field: string, { cache, fields }: Context): string | undefined {
  if (field === '') return undefined;
  const id = fields.id(field);
  const kind = cache.kind(id);
  if (kind === TEXT) return clip(cache.text(id));
  if (kind === LIST) return clip(cache.list(id).join(', '));
  return kind === NULL ? 'null' : undefined;
}

/** The value a predicate holds for, as text; undefined if it does not hold. */
function valueFor(predicate: Predicate, field: string, { cache, fields }: Context): string | undefined {
  const id = fields.id(field);
  const kind = cache.kind(id);
  if (predicate.op === OP_EXISTS)
    return (kind !== MISSING) === predicate.expected ? String(kind !== MISSING) : undefined;
  if (predicate.op === OP_NULL) return kind === MISSING || kind === NULL ? 'null' : undefined;
  if (kind === MISSING || kind === NULL || kind === OTHER) return undefined;
  if (predicate.op !== OP_FIELD) {
    if (kind === TEXT)
      return testText(predicate, cache.text(id), cache.foldedText(id)) ? cache.text(id) : undefined;
    const folded = cache.foldedList(id);
    return cache.list(id).find((text, i) => testText(predicate, text, folded[i] as string));
  }
  const texts = kind === LIST ? cache.list(id) : [cache.text(id)];
  const other = fields.id(predicate.reference);
  const otherKind = cache.kind(other);
  const others = otherKind === TEXT ? [cache.text(other)] : otherKind === LIST ? cache.list(other) : [];
  const shape = (text: string): string => (predicate.cased ? text : fold(text));
  return texts.find((text) =>
    others.some((otherText) => testReference(predicate.referenceOp, shape(text), shape(otherText))),
  );
}
