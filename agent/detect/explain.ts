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
  let held = 0;
  for (const group of test.values) {
    const before = clauses.length;
    for (const predicate of group) {
      const value = valueFor(predicate, test.field, context);
      if (value === undefined) continue;
      clauses.push({ selection, field: test.label, pattern: clip(predicate.pattern), value: clip(value) });
      break;
    }
    if (clauses.length > before) held += 1;
  }
  const plain = test.all ? held === test.values.length : held > 0;
  const matched = plain !== test.negated;
  const patterns = test.values.flat().map((predicate) => clip(predicate.pattern, 128));
  const value = described(test.field, context);
  if (matched && test.negated) {
    const pattern = `not ${patterns.slice(0, 8).join(', ')}`;
    return { matched, clauses: [{ selection, field: test.label, pattern, value: value ?? '' }], misses: [] };
  }
  if (matched) return { matched, clauses, misses: [] };
  const miss = {
    selection,
    field: test.label,
    patterns: patterns.slice(0, 32),
    value,
    excluded: test.negated,
  };
  return { matched, clauses: [], misses: [miss] };
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
  const texts = kind === LIST ? cache.list(id) : [cache.text(id)];
  if (predicate.op !== OP_FIELD) return texts.find((text) => testText(predicate, text, fold(text)));
  const other = fields.id(predicate.reference);
  const otherKind = cache.kind(other);
  const others = otherKind === TEXT ? [cache.text(other)] : otherKind === LIST ? cache.list(other) : [];
  const shape = (text: string): string => (predicate.cased ? text : fold(text));
  return texts.find((text) =>
    others.some((otherText) => testReference(predicate.referenceOp, shape(text), shape(otherText))),
  );
}
