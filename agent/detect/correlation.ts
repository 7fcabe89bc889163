/**
 * Correlations at run time: sliding windows over the matches of other rules, in event time.
 *
 * State is bounded: per correlation at most MAX_GROUPS groups (the one that was idle longest goes first) of at most
 * MAX_ENTRIES matches (the oldest go first); both evictions are counted. Events may arrive a little out of order: a
 * window holds what lies within the time span before the newest event it has seen.
 */
import type { CompiledRules } from './compiled-rules.ts';
import type { Condition } from './condition.ts';
import type { Bound, CorrelationRule } from './correlation-rule.ts';
import { LIST, TEXT } from './field-cache.ts';
import { toNumber } from './predicate.ts';
import { named } from './rule-set.ts';
import type { LoadedRule, RuleSet } from './rule-set.ts';

const MAX_GROUPS = 4096;
const MAX_ENTRIES = 1024;

export interface CorrelationHit {
  rule: CorrelationRule;
  /** Values of the group-by fields. */
  group: Record<string, string>;
  /** Matches in the window. */
  count: number;
}

interface Entry {
  timeNs: bigint;
  /** Index into the correlation's references. */
  reference: number;
  /** Text of the counted fields; undefined if one is absent. */
  value: string | undefined;
}

interface Group {
  entries: Entry[];
  newestNs: bigint;
}

interface State {
  rule: CorrelationRule;
  /** In order of last use. */
  groups: Map<string, Group>;
  groupFields: number[];
  countedFields: number[];
}

/** One reference of one correlation that a rule feeds. */
interface Feed {
  state: number;
  reference: number;
  /** Ids of the group-by fields in this rule's events, aliases resolved. */
  groupFields: number[];
}

export class CorrelationEngine {
  evictedGroups = 0;
  evictedEntries = 0;
  readonly #states: State[];
  readonly #byRule: Feed[][] = [];
  readonly #byCorrelation: Feed[][] = [];
  readonly #compiled: CompiledRules;

  constructor(set: RuleSet, compiled: CompiledRules) {
    this.#compiled = compiled;
    this.#states = set.correlations.map((rule) => ({
      rule,
      groups: new Map(),
      groupFields: rule.groupBy.map((name) => compiled.fields.id(name)),
      countedFields: rule.fields.map((name) => compiled.fields.id(name)),
    }));
    for (const [state, { rule }] of this.#states.entries()) {
      for (const [reference, name] of rule.references.entries()) {
        const feed = (target: { id: string; name: string | undefined }): Feed => ({
          state,
          reference,
          groupFields: rule.groupBy.map((field) => compiled.fields.id(aliased(rule, field, target))),
        });
        for (const base of set.rules) {
          if (named(name)(base)) (this.#byRule[base.index] ??= []).push(feed(base));
        }
        for (const base of set.correlations) {
          if (named(name)(base)) (this.#byCorrelation[this.#positionOf(base)] ??= []).push(feed(base));
        }
      }
    }
  }

  #positionOf(rule: CorrelationRule): number {
    return this.#states.findIndex((state) => state.rule === rule);
  }

  get size(): number {
    return this.#states.length;
  }

  /** Takes the rules that matched the event now in the cache; returns the correlations this completes. */
  feed(matched: readonly LoadedRule[], timeNs: bigint): CorrelationHit[] {
    const hits: CorrelationHit[] = [];
    for (const rule of matched) {
      for (const feed of this.#byRule[rule.index] ?? []) this.#take(feed, timeNs, hits, 0);
    }
    return hits;
  }

  #take(feed: Feed, timeNs: bigint, hits: CorrelationHit[], depth: number): void {
    const state = this.#states[feed.state] as State;
    const values = feed.groupFields.map((field) => this.#text(field));
    const group = this.#group(state, values.map((value) => value ?? '\u0000').join('\u0001'));
    const counted = state.countedFields.map((field) => this.#text(field));
    insert(group, {
      timeNs,
      reference: feed.reference,
      value: counted.includes(undefined) ? undefined : counted.join('\u0001'),
    });
    const oldest = group.newestNs - state.rule.timespanNs;
    let stale = 0;
    while (stale < group.entries.length && (group.entries[stale] as Entry).timeNs < oldest) stale += 1;
    if (stale > 0) group.entries.splice(0, stale);
    if (group.entries.length > MAX_ENTRIES) {
      this.evictedEntries += group.entries.length - MAX_ENTRIES;
      group.entries.splice(0, group.entries.length - MAX_ENTRIES);
    }
    if (!satisfied(state.rule, group.entries)) return;
    const { rule } = state;
    if (!hits.some((hit) => hit.rule === rule)) {
      const named = Object.fromEntries(rule.groupBy.map((name, i) => [name, values[i] ?? '']));
      hits.push({ rule, group: named, count: group.entries.length });
    }
    // Correlations of correlations; the depth is bounded because a chain may be circular.
    if (depth < 8) {
      for (const next of this.#byCorrelation[feed.state] ?? []) this.#take(next, timeNs, hits, depth + 1);
    }
  }

  #text(field: number): string | undefined {
    const { cache } = this.#compiled;
    const kind = cache.kind(field);
    if (kind === TEXT) return cache.text(field);
    return kind === LIST ? cache.list(field).join('\u0002') : undefined;
  }

  #group(state: State, key: string): Group {
    let group = state.groups.get(key);
    if (group) state.groups.delete(key);
    else {
      group = { entries: [], newestNs: 0n };
      if (state.groups.size >= MAX_GROUPS) {
        state.groups.delete(state.groups.keys().next().value as string);
        this.evictedGroups += 1;
      }
    }
    state.groups.set(key, group);
    return group;
  }
}

function aliased(
  rule: CorrelationRule,
  field: string,
  target: { id: string; name: string | undefined },
): string {
  const mapping = rule.aliases[field];
  if (!mapping) return field;
  return mapping[target.name ?? ''] ?? mapping[target.id] ?? field;
}

function insert(group: Group, entry: Entry): void {
  let at = group.entries.length;
  while (at > 0 && (group.entries[at - 1] as Entry).timeNs > entry.timeNs) at -= 1;
  group.entries.splice(at, 0, entry);
  if (entry.timeNs > group.newestNs) group.newestNs = entry.timeNs;
}

function within(bounds: readonly Bound[], count: number): boolean {
  return bounds.every(({ op, count: bound }) => {
    switch (op) {
      case 'gt':
        return count > bound;
      case 'gte':
        return count >= bound;
      case 'lt':
        return count < bound;
      case 'lte':
        return count <= bound;
      case 'eq':
        return count === bound;
      case 'neq':
        return count !== bound;
    }
  });
}

function satisfied(rule: CorrelationRule, entries: readonly Entry[]): boolean {
  switch (rule.type) {
    case 'event_count':
      return within(rule.bounds, entries.length);
    case 'value_count': {
      const values = new Set<string>();
      for (const { value } of entries) if (value !== undefined) values.add(value);
      return within(rule.bounds, values.size);
    }
    case 'value_sum':
    case 'value_avg':
    case 'value_median':
    case 'value_percentile': {
      const numbers = entries.flatMap(({ value }) => (value === undefined ? [] : [toNumber(value)]));
      const figure = summary(
        rule,
        numbers.filter((number) => !Number.isNaN(number)),
      );
      return figure !== undefined && within(rule.bounds, figure);
    }
    case 'temporal': {
      const seen = new Set(entries.map((entry) => entry.reference));
      if (rule.expression)
        return evaluate(rule.expression, (name) => seen.has(rule.references.indexOf(name)));
      return within(rule.bounds, seen.size);
    }
    case 'temporal_ordered': {
      const inOrder = longestOrder(entries);
      if (rule.expression) {
        const seen = new Set(entries.map((entry) => entry.reference));
        if (!evaluate(rule.expression, (name) => seen.has(rule.references.indexOf(name)))) return false;
        return inOrder >= seen.size;
      }
      return within(rule.bounds, inOrder);
    }
  }
}

/** The figure a value_… correlation compares; undefined without any number. Percentiles as pySigma counts them. */
function summary(rule: CorrelationRule, numbers: number[]): number | undefined {
  if (numbers.length === 0) return undefined;
  const sum = numbers.reduce((total, number) => total + number, 0);
  if (rule.type === 'value_sum') return sum;
  if (rule.type === 'value_avg') return sum / numbers.length;
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (index: number): number => sorted[Math.min(index, sorted.length - 1)] as number;
  const middle = Math.floor(sorted.length / 2);
  if (rule.type === 'value_median')
    return sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
  return at(Math.floor((sorted.length * rule.percentile) / 100));
}

/** Most references that occur in the order of the rule: longest strictly increasing subsequence. */
function longestOrder(entries: readonly Entry[]): number {
  const tails: number[] = [];
  for (const { reference } of entries) {
    let at = tails.findIndex((tail) => tail >= reference);
    if (at === -1) at = tails.length;
    tails[at] = reference;
  }
  return tails.length;
}

function evaluate(condition: Condition, seen: (name: string) => boolean): boolean {
  switch (condition.kind) {
    case 'name':
      return seen(condition.name);
    case 'not':
      return !evaluate(condition.operand, seen);
    case 'and':
      return condition.operands.every((operand) => evaluate(operand, seen));
    case 'or':
      return condition.operands.some((operand) => evaluate(operand, seen));
    case 'of':
      return false;
  }
}
