/** A Sigma detection rule, parsed and checked: metadata, log source, and the tree of tests its condition describes. */
import type { Severity } from '../event.ts';
import { ConditionError, namesMatching, parseCondition } from './condition.ts';
import type { Condition } from './condition.ts';
import type { Placeholders } from './placeholders.ts';
import { DetectionError } from './rule-error.ts';
import { compileSearch } from './search.ts';
import type { FieldTest, Search } from './search.ts';
import { clip } from './text.ts';
import { isYamlMap, yamlText } from './yaml-source.ts';
import type { YamlMap, YamlValue } from './yaml-source.ts';

export interface LogSource {
  product?: string;
  category?: string;
  service?: string;
}

/** What a rule tests: a tree whose leaves belong to named selections. */
export type RuleNode =
  | { kind: 'selection'; name: string; search: Search }
  | { kind: 'and' | 'or'; children: RuleNode[] }
  | { kind: 'not'; child: RuleNode }
  /** At least `count` of the children. */
  | { kind: 'atLeast'; count: number; children: RuleNode[] };

export interface RuleMeta {
  /** The rule's id, else its name, else its file and position. */
  id: string;
  name: string | undefined;
  title: string;
  level: Severity;
  status: string | undefined;
  attack: string[];
  tags: string[];
  description: string;
  file: string;
  line: number;
  /** bundled, imported, … as given to the loader. */
  source: string;
}

export interface DetectionRule extends RuleMeta {
  logsource: LogSource;
  /** The conditions as written. */
  conditions: string[];
  root: RuleNode;
}

const LEVELS: Readonly<Record<string, Severity>> = {
  informational: 'info',
  low: 'low',
  medium: 'medium',
  high: 'high',
  critical: 'critical',
};
const STATUSES = ['stable', 'test', 'experimental', 'deprecated', 'unsupported'];

/** Reads the metadata rules, filters and correlations share. Throws DetectionError. */
export function parseMeta(
  value: YamlMap,
  file: string,
  line: number,
  index: number,
  source: string,
): RuleMeta {
  const title = value['title'];
  if (typeof title !== 'string' || title.trim() === '') {
    throw new DetectionError(['title'], 'is missing', 'give the rule a title');
  }
  const level = value['level'] ?? 'medium';
  const severity = typeof level === 'string' ? LEVELS[level.toLowerCase()] : undefined;
  if (!severity) {
    throw new DetectionError(
      ['level'],
      `"${yamlText(level)}" is not a level`,
      `use ${Object.keys(LEVELS).join(', ')}`,
    );
  }
  const status = value['status'] ?? undefined;
  if (status !== undefined && (typeof status !== 'string' || !STATUSES.includes(status.toLowerCase()))) {
    throw new DetectionError(
      ['status'],
      `"${yamlText(status)}" is not a status`,
      `use ${STATUSES.join(', ')}`,
    );
  }
  const id = scalarText(value, 'id');
  const name = scalarText(value, 'name');
  const tags = value['tags'] ?? [];
  if (!Array.isArray(tags)) throw new DetectionError(['tags'], 'is not a list', 'write a list of tags');
  const texts = tags.map(String);
  return {
    id: id ?? name ?? `${file}#${index + 1}`,
    name,
    title: title.trim(),
    level: severity,
    status: status?.toLowerCase(),
    attack: texts.flatMap(techniqueOf),
    tags: texts,
    description: typeof value['description'] === 'string' ? value['description'].trim() : '',
    file,
    line,
    source,
  };
}

function scalarText(value: YamlMap, key: string): string | undefined {
  const found = value[key] ?? undefined;
  if (found === undefined) return undefined;
  if (typeof found === 'object' || String(found).trim() === '') {
    throw new DetectionError([key], 'is not a text', 'write it as a text');
  }
  return String(found).trim();
}

/** `attack.t1059.004` -> T1059.004; other tags name no technique. */
function techniqueOf(tag: string): string[] {
  const found = /^attack\.(t\d{4}(?:\.\d{3})?)$/i.exec(tag.trim());
  return found ? [(found[1] as string).toUpperCase()] : [];
}

/** Reads a `logsource` section. Throws DetectionError. */
export function parseLogSource(value: YamlMap): LogSource {
  const section = value['logsource'];
  if (!isYamlMap(section)) {
    throw new DetectionError(['logsource'], 'is missing', 'give product, category or service');
  }
  const logsource: LogSource = {};
  for (const key of ['product', 'category', 'service'] as const) {
    const part = section[key] ?? undefined;
    if (part === undefined) continue;
    if (typeof part !== 'string' && typeof part !== 'number') {
      throw new DetectionError(['logsource', key], 'is not a text', 'write one name');
    }
    logsource[key] = String(part).toLowerCase();
  }
  if (Object.keys(logsource).length === 0) {
    throw new DetectionError(['logsource'], 'is empty', 'give product, category or service');
  }
  return logsource;
}

/** Builds a detection rule from a document. Throws DetectionError with the path of the fault. */
export function parseRule(value: YamlMap, meta: RuleMeta, placeholders: Placeholders): DetectionRule {
  const logsource = parseLogSource(value);
  const detection = value['detection'];
  if (!isYamlMap(detection)) {
    throw new DetectionError(['detection'], 'is missing', 'give it selections and a condition');
  }
  const { conditions, root } = parseDetection(detection, ['detection'], ['timeframe'], placeholders);
  return { ...meta, logsource, conditions, root };
}

/** Compiles selections and condition of a `detection` or `filter` section. */
export function parseDetection(
  section: YamlMap,
  path: readonly (string | number)[],
  reserved: readonly string[],
  placeholders: Placeholders,
): { conditions: string[]; root: RuleNode } {
  const searches = new Map<string, Search>();
  const given = section['condition'] ?? undefined;
  if (given === undefined)
    throw new DetectionError([...path, 'condition'], 'is missing', 'say which selections must match');
  const conditions = (Array.isArray(given) ? given : [given]).map((item: YamlValue) => {
    if (typeof item !== 'string' || item.trim() === '') {
      throw new DetectionError(
        [...path, 'condition'],
        'is not a text',
        'write for example "selection and not filter"',
      );
    }
    return item;
  });
  if (conditions.length === 0) throw new DetectionError([...path, 'condition'], 'is empty', 'write one');
  for (const [name, search] of Object.entries(section)) {
    if (name === 'condition' || reserved.includes(name)) continue;
    searches.set(name, compileSearch(search, [...path, name], placeholders));
  }
  if (searches.size === 0) throw new DetectionError(path, 'has no selection', 'add one');
  const roots = conditions.map((text, i) =>
    resolve(
      parseOne(text, Array.isArray(given) ? [...path, 'condition', i] : [...path, 'condition']),
      searches,
      path,
    ),
  );
  return { conditions, root: roots.length === 1 ? (roots[0] as RuleNode) : { kind: 'or', children: roots } };
}

function parseOne(text: string, path: readonly (string | number)[]): Condition {
  if (text.includes('|')) {
    const what = /\|\s*near\b/.test(text) ? '"near"' : 'an aggregation';
    throw new DetectionError(
      path,
      `uses ${what} behind "|", which Sigma replaced by correlation rules`,
      'write a correlation of type event_count, value_count or temporal',
    );
  }
  try {
    return parseCondition(text);
  } catch (error) {
    if (error instanceof ConditionError) {
      throw new DetectionError(path, `"${clip(text, 200)}": ${error.message}`, 'correct the condition');
    }
    throw error;
  }
}

function resolve(
  condition: Condition,
  searches: Map<string, Search>,
  path: readonly (string | number)[],
): RuleNode {
  switch (condition.kind) {
    case 'name': {
      const search = searches.get(condition.name);
      if (!search) {
        const known = [...searches.keys()].join(', ');
        throw new DetectionError(
          [...path, 'condition'],
          `names "${condition.name}", which is not defined`,
          `use ${known}`,
        );
      }
      return { kind: 'selection', name: condition.name, search };
    }
    case 'of': {
      const names = namesMatching(condition.pattern, [...searches.keys()]);
      const children = names.map((name): RuleNode => ({
        kind: 'selection',
        name,
        search: searches.get(name) as Search,
      }));
      // A pattern that fits no selection is never true, "all of" included: nothing was found.
      if (condition.count === 'all')
        return children.length === 0 ? { kind: 'or', children } : { kind: 'and', children };
      if (condition.count === 1) return { kind: 'or', children };
      return { kind: 'atLeast', count: condition.count, children };
    }
    case 'not':
      return { kind: 'not', child: resolve(condition.operand, searches, path) };
    default:
      return {
        kind: condition.kind,
        children: condition.operands.map((operand) => resolve(operand, searches, path)),
      };
  }
}

/** Every leaf below a node. */
export function* testsOf(node: RuleNode): Generator<FieldTest> {
  if (node.kind === 'selection') yield* searchTests(node.search);
  else if (node.kind === 'not') yield* testsOf(node.child);
  else for (const child of node.children) yield* testsOf(child);
}

function* searchTests(search: Search): Generator<FieldTest> {
  if (search.kind === 'test') yield search;
  else for (const child of search.children) yield* searchTests(child);
}
