/**
 * Sigma filters, and the exceptions an analyst writes, which are filters with an owner, a scope and an end.
 *
 * A filter suppresses matches of the rules it names. The specification writes `condition: selection` for "drop what
 * matches the selection", the reference implementation `condition: not selection` for "keep what does not": the same
 * intent. So a condition that is true when none of its selections match says what to keep, any other what to drop.
 *
 * Keys of our own, below `sentinel` (other tools ignore them): owner, reason, expires (date or time, UTC),
 * scope {devices: [...], users: [...]}.
 */
import type { Placeholders } from './placeholders.ts';
import { DetectionError } from './rule-error.ts';
import { parseDetection, parseLogSource } from './rule.ts';
import type { DetectionRule, LogSource, RuleMeta, RuleNode } from './rule.ts';
import { isYamlMap, yamlText } from './yaml-source.ts';
import type { YamlMap, YamlValue } from './yaml-source.ts';

export interface FilterScope {
  /** Device ids; empty = every device. */
  devices: string[];
  /** User names; empty = every user. */
  users: string[];
}

export interface FilterRule extends RuleMeta {
  logsource: LogSource;
  /** Ids or names of rules, or 'any'. */
  targets: string[] | 'any';
  conditions: string[];
  /** True for an event whose match is dropped. */
  drop: RuleNode;
  owner: string | undefined;
  reason: string | undefined;
  /** Ms since the epoch; the filter has no effect from then on. */
  expiresMs: number | undefined;
  scope: FilterScope;
  /** Matches it suppressed since it was loaded. */
  hits: number;
  /** Ms since the epoch of the last one. */
  lastHitMs: number | undefined;
}

/** Builds a filter from a document. Throws DetectionError. */
export function parseFilter(value: YamlMap, meta: RuleMeta, placeholders: Placeholders): FilterRule {
  const logsource = parseLogSource(value);
  const section = value['filter'];
  if (!isYamlMap(section))
    throw new DetectionError(['filter'], 'is not a map', 'give it rules, selections, condition');
  const { conditions, root } = parseDetection(section, ['filter'], ['rules'], placeholders);
  const drop: RuleNode = trueOfNothing(root) ? { kind: 'not', child: root } : root;
  const own = value['sentinel'] ?? {};
  if (!isYamlMap(own))
    throw new DetectionError(['sentinel'], 'is not a map', 'give it owner, expires, scope');
  return {
    ...meta,
    logsource,
    targets: parseTargets(section['rules'] ?? null),
    conditions,
    drop,
    owner: textOf(own, 'owner'),
    reason: textOf(own, 'reason'),
    expiresMs: parseExpiry(own['expires'] ?? null),
    scope: parseScope(own['scope'] ?? null),
    hits: 0,
    lastHitMs: undefined,
  };
}

function parseTargets(value: YamlValue): string[] | 'any' {
  const list = Array.isArray(value) ? value : [value];
  if (Array.isArray(value) && value.length === 0) return 'any';
  const names = list.map((item) => {
    if (typeof item !== 'string' || item === '') {
      throw new DetectionError(['filter', 'rules'], 'is missing', 'name rules by id or name, or write any');
    }
    return item;
  });
  const only = names.length === 1 ? names[0]?.toLowerCase() : undefined;
  return only === 'any' || only === 'all' ? 'any' : names;
}

function textOf(own: YamlMap, key: string): string | undefined {
  const value = own[key] ?? undefined;
  if (value !== undefined && typeof value !== 'string') {
    throw new DetectionError(['sentinel', key], 'is not a text', 'write it as a text');
  }
  return value;
}

function parseExpiry(value: YamlValue): number | undefined {
  if (value === null) return undefined;
  const text = yamlText(value);
  const ms = Date.parse(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T23:59:59.999Z` : text);
  if (Number.isNaN(ms)) {
    throw new DetectionError(
      ['sentinel', 'expires'],
      `"${text}" is not a date`,
      'write for example 2027-01-31',
    );
  }
  return ms;
}

function parseScope(value: YamlValue): FilterScope {
  if (value === null) return { devices: [], users: [] };
  if (!isYamlMap(value))
    throw new DetectionError(['sentinel', 'scope'], 'is not a map', 'give it devices or users');
  const listOf = (key: string): string[] => {
    const list = value[key] ?? [];
    if (!Array.isArray(list))
      throw new DetectionError(['sentinel', 'scope', key], 'is not a list', 'write a list');
    return list.map(String);
  };
  return { devices: listOf('devices'), users: listOf('users') };
}

function trueOfNothing(node: RuleNode): boolean {
  switch (node.kind) {
    case 'selection':
      return false;
    case 'not':
      return !trueOfNothing(node.child);
    case 'and':
      return node.children.every(trueOfNothing);
    case 'or':
      return node.children.some(trueOfNothing);
    case 'atLeast':
      return node.children.filter(trueOfNothing).length >= node.count;
  }
}

/** True if the filter is about this rule: it names it, and the rule's log source lies inside the filter's. */
export function appliesTo(filter: FilterRule, rule: DetectionRule): boolean {
  if (!covers(filter.logsource, rule.logsource)) return false;
  if (filter.targets === 'any') return true;
  return filter.targets.includes(rule.id) || (rule.name !== undefined && filter.targets.includes(rule.name));
}

/** True if everything `narrow` stands for is also in `wide`: each part `wide` names has the same value in `narrow`. */
export function covers(wide: LogSource, narrow: LogSource): boolean {
  return (
    (wide.product === undefined || wide.product === narrow.product) &&
    (wide.category === undefined || wide.category === narrow.category) &&
    (wide.service === undefined || wide.service === narrow.service)
  );
}
