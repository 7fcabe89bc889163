/**
 * Search identifiers: the named maps and lists of a rule's `detection` section, compiled to trees of tests.
 *
 * A map is an AND of its items, a list of maps an OR; an item's values are linked by OR, by AND under `|all`, and the
 * whole is negated under `|neq`. A list of plain values is a keyword search over every value of the event.
 */
import { DetectionError } from './rule-error.ts';
import { compileValue, parseFieldKey } from './modifiers.ts';
import type { FieldKey } from './modifiers.ts';
import { ModifierError } from './placeholders.ts';
import type { Placeholders } from './placeholders.ts';
import { OP_NULL, predicate } from './predicate.ts';
import type { Predicate } from './predicate.ts';
import { isYamlMap } from './yaml-source.ts';
import type { YamlValue } from './yaml-source.ts';

export interface FieldTest {
  kind: 'test';
  /** Empty for keywords. */
  field: string;
  /** The key as written: `CommandLine|contains|all`. */
  label: string;
  /** For each value of the rule, the predicates of which one must hold. */
  values: Predicate[][];
  /** All values must hold, not just one. */
  all: boolean;
  negated: boolean;
}

export type Search = FieldTest | { kind: 'and' | 'or'; children: Search[] };

/** Compiles one search identifier. `path` leads to it, for errors. Throws DetectionError. */
export function compileSearch(
  value: YamlValue,
  path: readonly (string | number)[],
  placeholders: Placeholders,
): Search {
  if (Array.isArray(value)) return compileList(value, path, placeholders);
  if (isYamlMap(value)) {
    const items = Object.entries(value);
    if (items.length === 0) throw empty(path);
    const children = items.map(([key, item]) => compileItem(key, item, [...path, key], placeholders));
    return children.length === 1 ? (children[0] as Search) : { kind: 'and', children };
  }
  if (value === null) throw empty(path);
  return keywords([value], '', parseFieldKey(''), path, placeholders);
}

function empty(path: readonly (string | number)[]): DetectionError {
  return new DetectionError(path, 'is empty', 'give it at least one field or keyword');
}

function compileList(
  value: YamlValue[],
  path: readonly (string | number)[],
  placeholders: Placeholders,
): Search {
  if (value.length === 0) throw empty(path);
  if (value.every((item) => typeof item !== 'object' || item === null)) {
    return keywords(value, '', parseFieldKey(''), path, placeholders);
  }
  const children = value.map((item, i) => compileSearch(item, [...path, i], placeholders));
  return children.length === 1 ? (children[0] as Search) : { kind: 'or', children };
}

function compileItem(
  label: string,
  value: YamlValue,
  path: readonly (string | number)[],
  placeholders: Placeholders,
): Search {
  const key = guarded(path, () => parseFieldKey(label));
  if (isYamlMap(value)) {
    throw new DetectionError(path, 'has a map as its value', 'write a value or a list of values');
  }
  const list = Array.isArray(value) ? value : [value];
  if (key.field === '') return keywords(list, label, key, path, placeholders);
  const values = list.map((item, i) => {
    const at = Array.isArray(value) ? [...path, i] : path;
    if (typeof item === 'object' && item !== null) {
      throw new DetectionError(at, 'has a list or map among its values', 'write plain values');
    }
    return guarded(at, () => compileValue(key, item, placeholders));
  });
  return {
    kind: 'test',
    field: key.field,
    label,
    // An empty list means "no value", as in pySigma.
    values: values.length === 0 ? [[predicate(OP_NULL, 'null')]] : values,
    all: key.modifiers.includes('all'),
    negated: key.modifiers.includes('neq'),
  };
}

function keywords(
  list: YamlValue[],
  label: string,
  key: FieldKey,
  path: readonly (string | number)[],
  placeholders: Placeholders,
): Search {
  const values = list.map((item, i) => {
    if (item === null || typeof item === 'object') {
      throw new DetectionError([...path, i], 'is not a keyword', 'write a text or a number');
    }
    return guarded([...path, i], () => compileValue(key, item, placeholders));
  });
  if (values.length === 0) throw empty(path);
  const [all, negated] = [key.modifiers.includes('all'), key.modifiers.includes('neq')];
  return { kind: 'test', field: '', label, values, all, negated };
}

function guarded<T>(path: readonly (string | number)[], run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof ModifierError) throw new DetectionError(path, error.message, error.remedy);
    throw error;
  }
}
