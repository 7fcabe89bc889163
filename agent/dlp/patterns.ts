/** Pattern rules as a source of the scanner. */
import { loadDlp } from '../../native-addon/index.ts';
import { SentinelError } from '../errors.ts';
import type { NamedSource } from './engine.ts';
import { PATTERN_TYPES } from './pattern-types.ts';
import { compilePatterns, type PatternRule, type PatternRules } from './rules.ts';

/** Words and expressions of the user's own are as sure as the user says. */
const OWN = {
  what: 'automaton',
  plain: 0.8,
  grouped: 0.8,
  inContext: 0.95,
  groupings: [],
  context: [],
} as const;

/**
 * A word near a match, in the spellings people use: composed or not, without accents, in full-width letters, in any case.
 * (The scanner itself folds the case of ASCII, Latin-1, Greek and Cyrillic only.)
 */
function spellings(word: string): string[] {
  const plain = word.normalize('NFC').toLowerCase();
  const apart = plain.normalize('NFD');
  const wide = plain.replaceAll(/[!-~]/g, (sign) => String.fromCodePoint(sign.codePointAt(0)! + 0xfee0));
  const forms = [
    plain,
    apart,
    apart.replaceAll(/\p{M}/gu, '').replaceAll('ß', 'ss').replaceAll('ł', 'l'),
    wide,
  ];
  return forms.flatMap((form) => [form, form.toUpperCase(), form.charAt(0).toUpperCase() + form.slice(1)]);
}

function nativeRule(rule: PatternRule) {
  const type = rule.pattern === undefined ? OWN : PATTERN_TYPES[rule.pattern]!;
  return {
    what: type.what,
    kind: rule.pattern ?? '',
    plain: type.plain,
    grouped: type.grouped,
    inContext: Math.max(type.inContext, type.plain),
    groupings: type.groupings.map((grouping) => grouping.split('-').map(Number)),
    context: [...new Set([...type.context, ...rule.context].flatMap(spellings))],
    withinTokens: rule.withinTokens,
    minCount: rule.minCount,
    minConfidence: rule.minConfidence,
    wholeWord: rule.wholeWord,
  };
}

/**
 * A source that reports each rule at most once per file, with how often and how sure.
 * @throws SentinelError when the native scanner is not there.
 */
export function createPatternSource({ name, rules }: PatternRules): NamedSource {
  const native = loadDlp();
  if (!native.ok)
    throw new SentinelError(
      'no_scanner',
      `the DLP scanner is not available: ${native.reason}`,
      'run npm run build',
    );
  const { forward, backward } = compilePatterns(rules);
  return {
    source: native.addon.patternSource(rules.map(nativeRule), forward, backward),
    names: { index: name, rules: rules.map(({ id }) => id) },
    toMatch: (hit) => {
      const rule = rules[hit.field];
      if (!rule) return undefined;
      return {
        index: name,
        rule: rule.id,
        kind: 'pattern',
        type: rule.pattern ?? (rule.words ? 'words' : 'regex'),
        count: hit.count,
        offset: hit.offset,
        length: hit.length,
        confidence: Math.round(hit.confidence * 100) / 100,
      };
    },
  };
}
