/** Correlation rules, parsed: which rules' matches are counted or put in order, by which fields, in what time. */
import { ConditionError, parseCondition } from './condition.ts';
import type { Condition } from './condition.ts';
import { DetectionError } from './rule-error.ts';
import type { RuleMeta } from './rule.ts';
import { isYamlMap, yamlText } from './yaml-source.ts';
import type { YamlMap, YamlValue } from './yaml-source.ts';

export const CORRELATION_TYPES = [
  'event_count',
  'value_count',
  'value_sum',
  'value_avg',
  'value_median',
  'value_percentile',
  'temporal',
  'temporal_ordered',
] as const;
export type CorrelationType = (typeof CORRELATION_TYPES)[number];

const BOUNDS = ['gt', 'gte', 'lt', 'lte', 'eq', 'neq'] as const;
export interface Bound {
  op: (typeof BOUNDS)[number];
  count: number;
}

export interface CorrelationRule extends RuleMeta {
  type: CorrelationType;
  /** Ids or names of rules or other correlations. */
  references: string[];
  groupBy: string[];
  timespanNs: bigint;
  /** All must hold. */
  bounds: Bound[];
  /** value_…: the fields whose values are counted or summed up. */
  fields: string[];
  /** value_percentile. */
  percentile: number;
  /** Temporal types: boolean expression over references instead of "all of them". */
  expression: Condition | undefined;
  /** alias -> reference -> field. */
  aliases: Record<string, Record<string, string>>;
  /** The referenced rules are reported too. */
  generate: boolean;
  /** False if another correlation consumes it. */
  standalone: boolean;
}

// As pySigma: months and years are means.
const UNIT_SECONDS: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  M: 2_629_746,
  y: 31_556_952,
};

/** Builds a correlation rule from a document. Throws DetectionError. */
export function parseCorrelation(value: YamlMap, meta: RuleMeta): CorrelationRule {
  const section = value['correlation'];
  const at = (key: string): string[] => ['correlation', key];
  if (!isYamlMap(section))
    throw new DetectionError(['correlation'], 'is not a map', 'give it type, rules, timespan');
  const type = CORRELATION_TYPES.find((name) => name === section['type']);
  if (!type) {
    const reason = `"${yamlText(section['type'] ?? '')}" is not a correlation type`;
    throw new DetectionError(at('type'), reason, `use ${CORRELATION_TYPES.join(', ')}`);
  }
  const temporal = type === 'temporal' || type === 'temporal_ordered';
  const condition = section['condition'] ?? null;
  const expression =
    typeof condition === 'string' ? parseExpression(condition, temporal, at('condition')) : undefined;
  let references = texts(section['rules'] ?? null, at('rules'));
  if (references.length === 0 && expression) references = [...new Set(namesIn(expression))];
  if (references.length === 0)
    throw new DetectionError(at('rules'), 'is missing', 'name rules by id or name');
  const unknown = expression && namesIn(expression).find((name) => !references.includes(name));
  if (unknown)
    throw new DetectionError(at('condition'), `names "${unknown}", which is not in rules`, 'add it');
  const generate = section['generate'] ?? false;
  if (typeof generate !== 'boolean')
    throw new DetectionError(at('generate'), 'is not true or false', 'write true');
  const { bounds, fields, percentile } = expression
    ? { bounds: [], fields: [], percentile: 0 }
    : parseBounds(condition, type, temporal ? new Set(references).size : undefined);
  return {
    ...meta,
    type,
    references,
    groupBy: texts(section['group-by'] ?? null, at('group-by')),
    timespanNs: parseTimespan(section['timespan'] ?? section['timeframe'] ?? null),
    bounds,
    fields,
    percentile,
    expression,
    aliases: parseAliases(section['aliases'] ?? null),
    generate,
    standalone: true,
  };
}

function texts(value: YamlValue, path: string[]): string[] {
  if (value === null) return [];
  return (Array.isArray(value) ? value : [value]).map((item) => {
    if (item === null || typeof item === 'object')
      throw new DetectionError(path, 'is not a list of names', 'write one');
    return String(item);
  });
}

function parseExpression(text: string, temporal: boolean, path: string[]): Condition {
  if (!temporal) throw new DetectionError(path, 'is a text', 'write for example gte: 10');
  try {
    return parseCondition(text);
  } catch (error) {
    if (error instanceof ConditionError)
      throw new DetectionError(path, error.message, 'correct the condition');
    throw error;
  }
}

function namesIn(condition: Condition): string[] {
  switch (condition.kind) {
    case 'name':
      return [condition.name];
    case 'not':
      return namesIn(condition.operand);
    case 'of':
      return [];
    default:
      return condition.operands.flatMap(namesIn);
  }
}

function parseTimespan(value: YamlValue): bigint {
  const found = /^(\d{1,9})([smhdwMy])$/.exec(yamlText(value));
  const seconds = found ? Number(found[1]) * (UNIT_SECONDS[found[2] as string] as number) : 0;
  if (seconds <= 0) {
    const reason = value === null ? 'is missing' : `"${yamlText(value)}" is not a time span`;
    throw new DetectionError(['correlation', 'timespan'], reason, 'write for example 30s, 5m, 1h or 1d');
  }
  return BigInt(seconds) * 1_000_000_000n;
}

function parseBounds(
  value: YamlValue,
  type: CorrelationType,
  fallback: number | undefined,
): { bounds: Bound[]; fields: string[]; percentile: number } {
  const path = ['correlation', 'condition'];
  if (value === null && fallback !== undefined)
    return { bounds: [{ op: 'gte', count: fallback }], fields: [], percentile: 0 };
  if (!isYamlMap(value)) throw new DetectionError(path, 'is missing', 'write for example gte: 10');
  const bounds: Bound[] = [];
  let fields: string[] = [];
  let percentile = 95;
  for (const [key, item] of Object.entries(value)) {
    if (key === 'field') {
      fields = texts(item, [...path, key]);
      continue;
    }
    if (key === 'percentile') {
      percentile = Number(item);
      if (!(percentile > 0 && percentile <= 100)) {
        throw new DetectionError([...path, key], 'is not a percentile', 'write a number from 1 to 100');
      }
      continue;
    }
    const op = BOUNDS.find((name) => name === key);
    if (!op)
      throw new DetectionError([...path, key], 'is unknown', `use ${BOUNDS.join(', ')}, field or percentile`);
    const count = typeof item === 'string' && item.trim() !== '' ? Number(item) : item;
    if (typeof count !== 'number' || !Number.isFinite(count)) {
      throw new DetectionError([...path, key], 'is not a number', 'write a number');
    }
    bounds.push({ op, count });
  }
  if (bounds.length === 0) throw new DetectionError(path, 'has no bound', 'write for example gte: 10');
  if (type.startsWith('value_') && fields.length === 0) {
    throw new DetectionError([...path, 'field'], 'is missing', 'name the field whose values count');
  }
  return { bounds, fields, percentile };
}

function parseAliases(value: YamlValue): Record<string, Record<string, string>> {
  const aliases = Object.create(null) as Record<string, Record<string, string>>;
  if (value === null) return aliases;
  const path = ['correlation', 'aliases'];
  if (!isYamlMap(value)) throw new DetectionError(path, 'is not a map', 'write alias: {rule: field}');
  for (const [alias, mapping] of Object.entries(value)) {
    if (!isYamlMap(mapping)) throw new DetectionError([...path, alias], 'is not a map', 'write rule: field');
    const fields = Object.create(null) as Record<string, string>;
    for (const [reference, field] of Object.entries(mapping)) fields[reference] = yamlText(field);
    aliases[alias] = fields;
  }
  return aliases;
}
