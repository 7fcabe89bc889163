import { expect, test } from 'vitest';
import { SentinelError } from '../errors.ts';
import { PATTERN_TYPES } from './pattern-types.ts';
import { parsePatternRules } from './rules.ts';

function problem(text: string): { message: string; remedy: string } {
  try {
    parsePatternRules(text, 'r.yml');
  } catch (error) {
    expect(error).toBeInstanceOf(SentinelError);
    return { message: (error as SentinelError).message, remedy: (error as SentinelError).remedy };
  }
  throw new Error('no error');
}

test('a rules file is read with its defaults', () => {
  const { name, rules } = parsePatternRules(
    `name: payments
rules:
  - {id: cards, kind: pattern, pattern: card, minCount: 5, context: [visa], withinTokens: 10, minConfidence: 0.7}
  - {id: falcon, words: [Project Falcon]}
  - {id: badge, regex: 'EMP-[0-9]{6}', caseInsensitive: true, wholeWord: false}
`,
    'r.yml',
  );
  expect(name).toBe('payments');
  expect(rules[0]).toEqual({
    id: 'cards',
    pattern: 'card',
    minCount: 5,
    context: ['visa'],
    withinTokens: 10,
    minConfidence: 0.7,
    caseInsensitive: false,
    wholeWord: true,
  });
  expect(rules[1]).toMatchObject({
    words: ['Project Falcon'],
    minCount: 1,
    withinTokens: 12,
    minConfidence: 0.5,
  });
  expect(rules[2]).toMatchObject({ regex: 'EMP-[0-9]{6}', caseInsensitive: true, wholeWord: false });
  expect(parsePatternRules('- {id: a, pattern: iban}', '/etc/x/own.yaml').name).toBe('own');
});

test('a mistake is told with line, column and what to do', () => {
  // § stands where the mistake is.
  const cases: [text: string, words: RegExp, remedy: RegExp][] = [
    ['rules:\n  - {id: a, pattern: §ssn}', /no such pattern: ssn/, /us_ssn/],
    ['rules:\n  - §{pattern: card}', /without an id/, /add id/],
    ['rules:\n  - §{id: a}', /nothing to look for/, /pattern, words and regex/],
    ['rules:\n  - §{id: a, pattern: card, words: [x]}', /pattern and words/, /one of/],
    ['rules:\n  - id: a\n    pattern: card\n    §minCuont: 3', /no minCuont/, /minCount/],
    ['rules:\n  - {id: a, pattern: card, minCount: §0}', /minCount/, /from 1 to 4096/],
    ['rules:\n  - {id: a, pattern: card, minConfidence: §2}', /minConfidence/, /from 0 to 1/],
    ['rules:\n  - {id: a, regex: "x§(?=y)"}', /character 2/, /bounded time/],
    ['rules:\n  - id: a\n    regex: (x)§\\1', /references/, /bounded time/],
    ["rules:\n  - {id: a, regex: 'a*§?'}", /lazy/, /longest/],
    ["rules:\n  - {id: a, regex: '§[a-'}", /\[ without/, /close it/],
    ["rules:\n  - {id: a, regex: 'x§{5,2}'}", /most is less/, /swap/],
    ["rules:\n  - {id: a, regex: '§x*'}", /empty text/, /at least one/],
    ["rules:\n  - {id: a, regex: '[§é]'}", /ASCII/, /\(é\|…\)/],
    ["rules:\n  §- {id: a, regex: '((\\w{99}){99}){99}'}", /too large/, /repeat less/],
    ['rules:\n  - {id: a, kind: §rows}', /no such kind/, /pattern, row and document/],
    ['rules:\n  - {id: a, pattern: card}\n  - §{id: a, pattern: iban}', /two rules/, /rename/],
    ['rules: §[]', /no rules/, /a list/],
    ['§rools: []', /no rools/, /name and rules/],
    ['rules:\n  - {id: a§', /./, /YAML/],
    ['§', /no rules/, /a list/],
  ];
  for (const [marked, words, remedy] of cases) {
    const text = marked.replace('§', '');
    const lines = marked.slice(0, marked.indexOf('§')).split('\n');
    const told = problem(text);
    expect(told.message, text).toMatch(words);
    expect(told.message, text).toContain(`r.yml:${lines.length}:${lines.at(-1)!.length + 1}: `);
    expect(told.remedy, text).toMatch(remedy);
  }
});

test('every pattern of the table says how sure it is and why', () => {
  for (const [id, type] of Object.entries(PATTERN_TYPES)) {
    expect(type.plain, id).toBeGreaterThan(0);
    expect(type.grouped, id).toBeGreaterThanOrEqual(type.plain);
    expect(type.inContext, id).toBeGreaterThanOrEqual(type.grouped);
    expect(type.inContext, id).toBeLessThanOrEqual(1);
    for (const word of type.context) expect(word, id).toBe(word.normalize('NFC').toLowerCase());
    for (const grouping of type.groupings) expect(grouping, id).toMatch(/^\d+(-\d+)+$/);
  }
});
