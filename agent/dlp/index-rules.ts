/**
 * Rules that narrow what counts of an index, in the rules file beside those of patterns:
 *
 *   rules:
 *     - {id: cust-strict, kind: row, index: customers, primary: [iban], secondaries: [name, email], atLeast: 2,
 *        minCount: 10, minConfidence: 0.9}
 *     - {id: board-third, kind: document, index: board, minContainment: 0.3}
 *
 * Of an index that a rule names only what its rules let through is reported, by the rule's id.
 */
import type { YAMLMap } from 'yaml';
import type { RuleReader } from './rule-reader.ts';
import type { DlpMatch, IndexInfo } from './types.ts';

export interface RowRule {
  kind: 'row';
  id: string;
  index: string;
  /** Columns of primaries that count; empty: all. */
  primary: readonly string[];
  /** Of these columns (empty: of all secondaries) at least so many have to be near. */
  secondaries: readonly string[];
  atLeast: number;
  /** So many different rows must be in the file. */
  minCount: number;
  minConfidence: number;
}

export interface DocumentRule {
  kind: 'document';
  id: string;
  index: string;
  minContainment: number;
  minConfidence: number;
}

export type IndexRule = RowRule | DocumentRule;

const MAX_COLUMNS = 64;
/** As many findings as are looked at for rules. */
export const MAX_JUDGED = 100_000;
const KEYS: Readonly<Record<IndexRule['kind'], readonly string[]>> = {
  row: ['id', 'kind', 'index', 'primary', 'secondaries', 'atLeast', 'minCount', 'minConfidence'],
  document: ['id', 'kind', 'index', 'minContainment', 'minConfidence'],
};

export function isIndexRuleKind(kind: string): kind is IndexRule['kind'] {
  return kind in KEYS;
}

/** Reads a rule whose kind is one of these. @throws SentinelError with the place. */
export function readIndexRule(
  reader: RuleReader,
  kind: IndexRule['kind'],
  id: string,
  map: YAMLMap,
  values: ReadonlyMap<string, unknown>,
): IndexRule {
  for (const [key, value] of values) {
    if (KEYS[kind].includes(key)) continue;
    if (key === 'withinTokens')
      reader.fail(
        'a row rule has no withinTokens: how far apart values may stand is part of the index',
        "set match.withinTokens in the index's schema and build it again",
        value,
      );
    reader.fail(`a ${kind} rule has no ${key}`, `known are ${KEYS[kind].join(', ')}`, value);
  }
  if (!values.has('index')) reader.fail(`rule ${id} names no index`, 'add index: NAME', map);
  const index = reader.text(values.get('index'), 'index');
  const share = (key: string): number =>
    values.has(key) ? reader.number(values.get(key), key, 0, 1, false) : 0;
  const minConfidence = share('minConfidence');
  if (kind === 'document') return { kind, id, index, minContainment: share('minContainment'), minConfidence };
  const columns = (key: string): string[] =>
    values.has(key) ? reader.texts(values.get(key), key, MAX_COLUMNS) : [];
  const secondaries = columns('secondaries');
  const most = secondaries.length === 0 ? MAX_COLUMNS : secondaries.length;
  return {
    kind,
    id,
    index,
    primary: columns('primary'),
    secondaries,
    atLeast: values.has('atLeast')
      ? reader.number(values.get('atLeast'), 'atLeast', 0, most, true)
      : Math.min(1, secondaries.length),
    minCount: values.has('minCount')
      ? reader.number(values.get('minCount'), 'minCount', 1, MAX_JUDGED, true)
      : 1,
    minConfidence,
  };
}

/** What keeps rules from being applied to these indexes: a name or column that is not there; with the remedy. */
export function indexRuleProblems(rules: readonly IndexRule[], indexes: readonly IndexInfo[]): string[] {
  return rules.flatMap((rule) => {
    const index = indexes.find(({ name }) => name === rule.index);
    const names = indexes.map(({ name }) => name).join(', ') || 'none';
    if (index === undefined)
      return `rule ${rule.id} names the index ${rule.index}, which is not open; open are: ${names}`;
    const kind = (index.format ?? 'rows') === 'rows' ? 'row' : 'document';
    if (kind !== rule.kind || index.format === 'files')
      return `rule ${rule.id} is of kind ${rule.kind}, but ${rule.index} is an index of ${index.format ?? 'rows'}`;
    if (rule.kind === 'document') return [];
    const columnsOf = (role: 'primary' | 'secondary'): string[] =>
      index.fields.filter((field) => field.role === role).map(({ column }) => column);
    const missing = (columns: readonly string[], role: 'primary' | 'secondary'): string[] =>
      columns
        .filter((column) => !columnsOf(role).includes(column))
        .map((column) => {
          const known = columnsOf(role).join(', ') || 'none';
          return `rule ${rule.id}: ${rule.index} has no ${role} column ${column}; it has: ${known}`;
        });
    const problems = [...missing(rule.primary, 'primary'), ...missing(rule.secondaries, 'secondary')];
    if (rule.atLeast > 0 && index.match.secondary === 0)
      problems.push(
        `rule ${rule.id} wants secondaries, but ${rule.index} was built to match without; set match.secondary in its schema and build it again`,
      );
    if (rule.atLeast > columnsOf('secondary').length)
      problems.push(
        `rule ${rule.id} wants ${rule.atLeast} secondaries; ${rule.index} has ${columnsOf('secondary').length}`,
      );
    return problems;
  });
}

/** What is left of the findings of a file, with the ids of the rules that they satisfy. */
export function applyIndexRules(rules: readonly IndexRule[], matches: readonly DlpMatch[]): DlpMatch[] {
  const named = new Set(rules.map(({ index }) => index));
  const kept = matches.filter(({ index, kind }) => kind === 'pattern' || !named.has(index));
  for (const rule of rules) {
    const held = matches.filter((match) => match.index === rule.index && satisfies(rule, match));
    if (rule.kind === 'row' && new Set(held.map(({ rowRef }) => rowRef)).size < rule.minCount) continue;
    kept.push(...held.map((match) => ({ ...match, rule: rule.id })));
  }
  return kept;
}

function satisfies(rule: IndexRule, match: DlpMatch): boolean {
  if (match.kind !== rule.kind || match.confidence < rule.minConfidence) return false;
  if (rule.kind === 'document') return (match.containment ?? 0) >= rule.minContainment;
  if (rule.primary.length > 0 && !rule.primary.includes(match.rule)) return false;
  const near = match.secondaries ?? [];
  const counted = rule.secondaries.length === 0 ? near : near.filter((one) => rule.secondaries.includes(one));
  return counted.length >= rule.atLeast;
}
