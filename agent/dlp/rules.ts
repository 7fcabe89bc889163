/**
 * The rules file of the scanner: which patterns count, how often and how sure.
 *
 *   name: payments
 *   rules:
 *     - {id: cards, kind: pattern, pattern: card, minCount: 5, context: [visa, mastercard], withinTokens: 10}
 *     - {id: falcon, kind: pattern, words: [Project Falcon, Operation Heron]}
 *     - {id: badge, kind: pattern, regex: 'EMP-[0-9]{6}', caseInsensitive: true, minConfidence: 0.8}
 *
 * Rules of other kinds narrow indexes: see index-rules.ts.
 */
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Pair, type YAMLMap } from 'yaml';
import { isIndexRuleKind, readIndexRule, type IndexRule } from './index-rules.ts';
import { PATTERN_TYPES } from './pattern-types.ts';
import { RuleReader } from './rule-reader.ts';
import { AutomatonBuilder, parseRegex, parseWords, RegexError } from './regex.ts';

/** One rule, complete. Exactly one of pattern, words and regex is there. */
export interface PatternRule {
  id: string;
  /** A key of PATTERN_TYPES. */
  pattern?: string;
  words?: readonly string[];
  regex?: string;
  caseInsensitive: boolean;
  /** Letters and digits beside a match make it none. */
  wholeWord: boolean;
  /** So many different values must be in a file. */
  minCount: number;
  /** Words near that make a hit sure; for a pattern, in addition to its own. */
  context: readonly string[];
  withinTokens: number;
  minConfidence: number;
}

export interface PatternRules {
  name: string;
  rules: readonly PatternRule[];
  /** Those that narrow an index. */
  indexRules: readonly IndexRule[];
}

export const MAX_RULES = 255;
const MAX_WORDS = 2000;
const MAX_COUNT = 4096;
const MAX_TOKENS = 200;
const DEFAULTS = { minCount: 1, withinTokens: 12, minConfidence: 0.5 };
const KEYS = new Set([
  'id',
  'kind',
  'pattern',
  'words',
  'regex',
  'caseInsensitive',
  'wholeWord',
  'minCount',
  'context',
  'withinTokens',
  'minConfidence',
]);

function nearest(name: string): string {
  const known = Object.keys(PATTERN_TYPES);
  const close = known.filter((one) => one.includes(name) || name.includes(one) || one.endsWith(`_${name}`));
  return close.length > 0 ? `perhaps ${close.join(' or ')}` : `known are ${known.join(', ')}`;
}

function readRule(reader: RuleReader, map: YAMLMap): PatternRule | IndexRule {
  const values = new Map<string, unknown>();
  const kindNode = map.get('kind', true);
  const kind = kindNode === undefined ? 'pattern' : reader.text(kindNode, 'kind');
  if (kind !== 'pattern' && !isIndexRuleKind(kind))
    reader.fail(`no such kind of rule: ${kind}`, 'known are pattern, row and document', kindNode);
  for (const pair of map.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : '';
    if (!KEYS.has(key) && !isIndexRuleKind(kind))
      reader.fail(`a rule has no ${key || 'such key'}`, `known are ${[...KEYS].join(', ')}`, pair.key);
    values.set(key, pair.value);
  }
  if (!values.has('id')) reader.fail('a rule without an id', 'add id: NAME', map);
  const id = reader.text(values.get('id'), 'id');
  if (!/^[\w.-]{1,64}$/.test(id))
    reader.fail('an id has letters, digits, _ - and . only, at most 64', 'rename the rule', values.get('id'));
  if (isIndexRuleKind(kind)) return readIndexRule(reader, kind, id, map, values);
  const ways = ['pattern', 'words', 'regex'].filter((way) => values.has(way));
  if (ways.length !== 1)
    reader.fail(
      `rule ${id} has ${ways.length === 0 ? 'nothing to look for' : ways.join(' and ')}`,
      'give one of pattern, words and regex',
      map,
    );
  const has = (key: string): boolean => values.has(key);
  const rule: PatternRule = {
    id,
    caseInsensitive: has('caseInsensitive') && reader.flag(values.get('caseInsensitive'), 'caseInsensitive'),
    wholeWord: !has('wholeWord') || reader.flag(values.get('wholeWord'), 'wholeWord'),
    minCount: has('minCount')
      ? reader.number(values.get('minCount'), 'minCount', 1, MAX_COUNT, true)
      : DEFAULTS.minCount,
    context: has('context') ? reader.texts(values.get('context'), 'context', MAX_WORDS) : [],
    withinTokens: has('withinTokens')
      ? reader.number(values.get('withinTokens'), 'withinTokens', 1, MAX_TOKENS, true)
      : DEFAULTS.withinTokens,
    minConfidence: has('minConfidence')
      ? reader.number(values.get('minConfidence'), 'minConfidence', 0, 1, false)
      : DEFAULTS.minConfidence,
  };
  if (has('pattern')) {
    rule.pattern = reader.text(values.get('pattern'), 'pattern');
    if (!Object.hasOwn(PATTERN_TYPES, rule.pattern))
      reader.fail(`no such pattern: ${rule.pattern}`, nearest(rule.pattern), values.get('pattern'));
  } else if (has('words')) {
    rule.words = reader.texts(values.get('words'), 'words', MAX_WORDS);
  } else {
    const node = values.get('regex');
    rule.regex = reader.text(node, 'regex');
    try {
      parseRegex(rule.regex, rule.caseInsensitive);
    } catch (error) {
      if (!(error instanceof RegexError)) throw error;
      // Quotes come before the first character; folded texts are only told by their beginning.
      const quoted = isScalar(node) && (node.type === 'QUOTE_SINGLE' || node.type === 'QUOTE_DOUBLE') ? 1 : 0;
      reader.fail(
        `regex: ${error.message} (character ${error.at + 1})`,
        error.remedy,
        node,
        error.at + quoted,
      );
    }
  }
  return rule;
}

/**
 * The rules of a file.
 * @throws SentinelError with file, line and column, and what to do.
 */
export function parsePatternRules(text: string, file: string): PatternRules {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    logLevel: 'silent',
  });
  const reader = new RuleReader(file, lines);
  const [broken] = document.errors;
  if (broken) reader.fail(broken.message.split('\n')[0]!, 'mend the YAML', { range: [broken.pos[0]] });
  const top = document.contents;
  let name = file.replace(/^.*\//, '').replace(/\.ya?ml$/, '');
  let list: unknown = top;
  if (isMap(top)) {
    list = undefined;
    for (const pair of top.items as Pair[]) {
      const key = isScalar(pair.key) ? pair.key.value : undefined;
      if (key === 'name') name = reader.text(pair.value, 'name');
      else if (key === 'rules') list = pair.value;
      else reader.fail(`a rules file has no ${String(key)}`, 'known are name and rules', pair.key);
    }
  }
  if (!isSeq(list) || list.items.length === 0)
    return reader.fail('there are no rules', 'write rules: and a list of them', list ?? top);
  if (list.items.length > MAX_RULES) reader.fail(`more than ${MAX_RULES} rules`, 'use several files', list);
  const seen = new Set<string>();
  const all = list.items.map((item) => {
    if (!isMap(item)) return reader.fail('a rule is not a map', 'write - id: NAME and its keys', item);
    const rule = readRule(reader, item);
    if (seen.has(rule.id)) reader.fail(`two rules have the id ${rule.id}`, 'rename one', item);
    seen.add(rule.id);
    return rule;
  });
  const indexRules = all.filter((rule) => 'index' in rule);
  const rules = all.filter((rule): rule is PatternRule => !('index' in rule));
  try {
    compilePatterns(rules);
  } catch (error) {
    if (error instanceof RegexError) reader.fail(error.message, error.remedy, list);
    throw error;
  }
  return { name, rules, indexRules };
}

/** The two automata of the rules that have words or a regex. */
export function compilePatterns(rules: readonly PatternRule[]) {
  const forward = new AutomatonBuilder(false);
  const backward = new AutomatonBuilder(true);
  for (const [index, rule] of rules.entries()) {
    const parts = rule.words
      ? rule.words.map((word) => parseWords(word))
      : rule.regex === undefined
        ? []
        : [parseRegex(rule.regex, rule.caseInsensitive)];
    for (const part of parts) {
      forward.add(part, index);
      backward.add(part, index);
    }
  }
  return { forward: forward.finish(), backward: backward.finish() };
}
