import { describe, expect, it } from 'vitest';
import { matchFlat } from './flat-match.ts';
import { loadRules } from './rule-set.ts';
import type { RuleSet } from './rule-set.ts';

const LOGSOURCE = { product: 'windows', category: 'process_creation' };

function ruleOf(detection: string): RuleSet {
  const text = `title: Test\nid: r1\nlogsource:\n  category: process_creation\n  product: windows\ndetection:\n${detection
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')}\n`;
  return loadRules([{ path: 'test.yml', text, source: 'test' }]);
}

function matches(detection: string, event: Record<string, unknown>): boolean {
  const set = ruleOf(detection);
  expect(set.failed).toEqual([]);
  return matchFlat(set, LOGSOURCE, event).length === 1;
}

function field(key: string, value: string, actual: unknown): boolean {
  return matches(`sel:\n  ${key}: ${value}\ncondition: sel`, actual === undefined ? {} : { F: actual });
}

function failure(detection: string): string {
  return ruleOf(detection)
    .failed.map((item) => `${item.line} ${item.reason}`)
    .join();
}

describe('escaping, as the specification lists it', () => {
  it.each([
    ["'a\\b'", 'a\\b', true],
    ["'a\\\\b'", 'a\\b', true],
    ["'a\\\\b'", 'a\\\\b', false],
    ["'a\\*b'", 'a*b', true],
    ["'a\\*b'", 'axb', false],
    ["'a\\?b'", 'a?b', true],
    ["'a\\?b'", 'axb', false],
    ["'a\\\\*b'", 'a\\xyzb', true],
    ["'a\\\\*b'", 'a*b', false],
    ["'a\\\\\\*b'", 'a\\*b', true],
    ["'a\\\\\\*b'", 'a\\xb', false],
    ["'a\\\\\\\\b'", 'a\\\\b', true],
    ["'a\\\\\\b'", 'a\\\\b', true],
    ["'C:\\Windows\\*'", 'C:\\Windows\\x', false],
    ["'C:\\Windows\\\\*'", 'C:\\Windows\\x', true],
    ["'a\\'", 'a\\', true],
  ])('%s against %j is %s', (pattern, value, expected) => {
    expect(field('F', pattern, value)).toBe(expected);
  });
});

describe('values', () => {
  it.each([
    ['F', 'abc', 'ABC', true],
    ['F', "'ÄÖ'", 'äö', true],
    ['F', "'ΟΔΟΣ*'", 'οδοσα', true],
    ['F|cased', 'abc', 'ABC', false],
    ['F|cased', 'abc', 'abc', true],
    ['F', "'prog?.exe'", 'progA.exe', true],
    ['F', "'prog?.exe'", 'prog.exe', false],
    ['F', "'x?z'", 'x😀z', true],
    ['F', "'a*b*c'", 'a1b2b3c', true],
    ['F', "'a*b*c'", 'a1c2b', false],
    ['F', "'ab*ba'", 'aba', false],
    ['F', "'*'", 'x', true],
    ['F', "'*'", undefined, false],
    ['F', '4688', '4688', true],
    ['F', '4688', 4688, true],
    ['F', "'4688'", 4688, true],
    ['F', '4688', 46880, false],
    ['F', '0777', '0777', true],
    ['F', '18446744073709551615', '18446744073709551615', true],
    ['F', '0x10', 16, true],
    ['F', '1.5', 1.5, true],
    ['F', 'true', true, true],
    ['F', "'true'", true, true],
    ['F', 'false', 'False', true],
    ['F', 'null', undefined, true],
    ['F', 'null', null, true],
    ['F', 'null', '', false],
    ['F', "''", '', true],
    ['F', "''", undefined, false],
    ['F', '[a, b]', 'B', true],
    ['F', 'b', ['a', 'b'], true],
    ['F|startswith', 'ab', 'abc', true],
    ['F|startswith', 'bc', 'abc', false],
    ['F|endswith', 'bc', 'aBC', true],
    ['F|contains', 'b', 'aBc', true],
    ['F|contains|all', '[a, c]', 'xAyC', true],
    ['F|contains|all', '[a, d]', 'xAyC', false],
    ['F|exists', 'true', null, true],
    ['F|exists', 'true', undefined, false],
    ['F|exists', 'false', undefined, true],
    ['F|exists', 'false', '', false],
    ['F|neq', 'a', 'b', true],
    ['F|neq', 'a', 'A', false],
    ['F|neq', '[a, b]', 'b', false],
    ['F|neq', '[a, b]', 'c', true],
    ['F|lt', '10', '9', true],
    ['F|lt', '10', 10, false],
    ['F|lte', '10', 10, true],
    ['F|gt', '1.5', '1.6', true],
    ['F|gte', '10', 'x', false],
    ['F|gte', '10', undefined, false],
    ['F|re', "'^Foo[0-9]+'", 'Foo12', true],
    ['F|re', "'^Foo[0-9]+'", 'foo12', false],
    ['F|re|i', "'^Foo[0-9]+'", 'fOO12', true],
    ['F|re', "'b.d'", 'b\nd', false],
    ['F|re|s', "'b.d'", 'b\nd', true],
    ['F|re', "'^b'", 'a\nb', false],
    ['F|re|m', "'^b$'", 'a\nb\nc', true],
    ['F|cidr', '10.0.0.0/8', '10.2.3.4', true],
    ['F|cidr', '10.0.0.0/8', '11.2.3.4', false],
    ['F|cidr', '0.0.0.0/0', '1.2.3.4', true],
    ['F|cidr', "'fe80::/10'", 'fe80::1', true],
    ['F|cidr', "'fe80::/10'", 'fec0::1', false],
    ['F|cidr', '127.0.0.0/8', '::ffff:127.0.0.1', true],
    ['F|windash', "'-param-name'", '/param-name', true],
    ['F|windash', "'-param-name'", '\u2013param-name', true],
    ['F|windash', "'-param-name'", '-param/name', false],
    ['F|contains|windash', "' -a -b'", 'x \u2014a \u2015b', true],
    ['F|windash|contains', "' /c '", 'cmd -c x', true],
    ['F|base64', 'foobar', 'Zm9vYmFy', true],
    ['F|base64offset|contains', 'foobar', 'xxxZm9vYmFyxxx', true],
    ['F|base64offset|contains', 'foobar', Buffer.from('Xfoobar!').toString('base64'), true],
    ['F|base64offset|contains', 'foobar', Buffer.from('XYfoobar').toString('base64'), true],
    ['F|wide|base64offset|contains', 'ping', Buffer.from('say ping it', 'utf16le').toString('base64'), true],
    ['F|utf16|base64', 'hi', Buffer.from('\ufeffhi', 'utf16le').toString('base64'), true],
    ['F|hour', '3', '2024-05-01T03:20:00Z', true],
    ['F|hour|gte', '22', '2024-05-01 23:20:00.123', true],
    ['F|week', '1', '2024-12-31', true],
    ['F|year', '2024', 1_714_540_000, true],
  ])('%s: %s against %j is %s', (key, pattern, value, expected) => {
    expect(field(key, pattern, value)).toBe(expected);
  });

  it('compares fields with each other', () => {
    const rule = (key: string): string => `sel:\n  ${key}: B\ncondition: sel`;
    expect(matches(rule('A|fieldref'), { A: 'x', B: 'X' })).toBe(true);
    expect(matches(rule('A|fieldref'), { A: 'x', B: 'y' })).toBe(false);
    expect(matches(rule('A|fieldref'), { A: 'x' })).toBe(false);
    expect(matches(rule('A|fieldref|startswith'), { A: 'xyz', B: 'xy' })).toBe(true);
    expect(matches(rule('A|fieldref|endswith'), { A: 'xyz', B: 'yz' })).toBe(true);
    expect(matches(rule('A|fieldref|contains'), { A: 'xyz', B: 'y' })).toBe(true);
    expect(matches(rule('A|fieldref|neq'), { A: 'xyz', B: 'y' })).toBe(true);
  });

  it('finds fields by path, and field names with dots and blanks', () => {
    expect(matches('sel:\n  a.b.c: x\ncondition: sel', { a: { 'b.c': 'X' } })).toBe(true);
    expect(matches('sel:\n  a.b: x\ncondition: sel', { a: [{ b: 'y' }, { b: 'x' }] })).toBe(true);
    expect(matches("sel:\n  'a.b': x\ncondition: sel", { 'a.b': 'x' })).toBe(true);
    expect(matches("sel:\n  'Sub Field': x\ncondition: sel", { 'Sub Field': 'x' })).toBe(true);
  });
});

describe('selections and conditions', () => {
  it('searches keywords in every value, at any depth', () => {
    const any = "kw:\n  - 'event::clear'\n  - 'event::drop'\ncondition: kw";
    expect(matches(any, { a: { b: ['xx Event::Drop yy'] } })).toBe(true);
    expect(matches(any, { 'event::clear': 'x' })).toBe(false);
    const all = "kw:\n  '|all':\n    - 'one'\n    - 'two'\ncondition: kw";
    expect(matches(all, { a: 'ONE', b: 'xtwox' })).toBe(true);
    expect(matches(all, { a: 'one' })).toBe(false);
    expect(matches("kw:\n  - 'a*c'\ncondition: kw", { x: 'zzAbbCzz' })).toBe(true);
    expect(matches('kw:\n  - 42\ncondition: kw', { x: 1421 })).toBe(true);
    expect(matches("kw:\n  '|re': 'a[0-9]b'\ncondition: kw", { x: 'za7b' })).toBe(true);
  });

  it('joins maps by AND, lists of maps by OR', () => {
    const rule = 'sel:\n  - A: 1\n    B: 2\n  - C: 3\ncondition: sel';
    expect(matches(rule, { A: 1, B: 2 })).toBe(true);
    expect(matches(rule, { A: 1 })).toBe(false);
    expect(matches(rule, { C: 3 })).toBe(true);
  });

  it('gives not, and, or and parentheses their precedence', () => {
    const selections = 'a:\n  A: 1\nb:\n  B: 1\nc:\n  C: 1\n';
    const truth = (condition: string, event: object): boolean =>
      matches(`${selections}condition: ${condition}`, event as Record<string, unknown>);
    expect(truth('a or b and c', { A: 1 })).toBe(true);
    expect(truth('(a or b) and c', { A: 1 })).toBe(false);
    expect(truth('not a and b', { B: 1 })).toBe(true);
    expect(truth('not (a or b)', { C: 1 })).toBe(true);
    expect(truth('1 of them', { C: 1 })).toBe(true);
    expect(truth('all of them', { A: 1, B: 1 })).toBe(false);
    expect(truth('2 of them', { A: 1, B: 1 })).toBe(true);
    expect(truth('[a and b, c]', { C: 1 })).toBe(true);
    expect(truth('a and not 1 of filter_*', { A: 1 })).toBe(true);
    expect(truth('all of x*', { A: 1 })).toBe(false);
  });

  it('leaves names with an underscore in front out of "them"', () => {
    expect(matches('_a:\n  A: 1\nb:\n  B: 1\ncondition: 1 of them', { A: 1 })).toBe(false);
    expect(matches('_a:\n  A: 1\nb:\n  B: 1\ncondition: _a or b', { A: 1 })).toBe(true);
  });

  it('applies a rule only to its log source', () => {
    const set = ruleOf('sel:\n  A: 1\ncondition: sel');
    expect(matchFlat(set, LOGSOURCE, { A: 1 })).toEqual(['r1']);
    expect(matchFlat(set, { product: 'linux', category: 'process_creation' }, { A: 1 })).toEqual([]);
    expect(matchFlat(set, { product: 'windows' }, { A: 1 })).toEqual([]);
    expect(matchFlat(set, {}, { A: 1 })).toEqual(['r1']);
  });
});

describe('errors name the line, the field and the remedy', () => {
  it.each([
    ['sel:\n  F|contians: x\ncondition: sel', /^8 detection\.sel\.F\|contians: unknown modifier/],
    ["sel:\n  F|re: '('\ncondition: sel", /^8 .*unclosed group/],
    ["sel:\n  F|re: '(a)\\1'\ncondition: sel", /back-references are not supported/],
    ['sel:\n  F|cidr: 10.0.0.1/8\ncondition: sel', /host bits/],
    ['sel:\n  F|base64: a*b\ncondition: sel', /without wildcards/],
    ["sel:\n  F|expand: '%admins%'\ncondition: sel", /placeholder %admins% has no values/],
    ['sel:\n  F|lt: abc\ncondition: sel', /needs a number/],
    ['sel:\n  F: x\ncondition: sel and other', /names "other", which is not defined; use sel/],
    ['sel:\n  F: x\ncondition: sel and', /ends where a selection is expected/],
    ['sel:\n  F: x\ncondition: sel | count() by F > 5', /correlation rules/],
    ['sel:\n  F: x', /condition: is missing/],
    ['sel: {}\ncondition: sel', /is empty/],
    ['sel:\n  F:\n    a: b\ncondition: sel', /map as its value/],
  ])('%j', (detection, expected) => {
    expect(failure(detection)).toMatch(expected);
  });

  it('keeps the good documents of a file with a bad one', () => {
    const good =
      'title: G\nid: g\nlogsource:\n  product: windows\ndetection:\n  a:\n    F: x\n  condition: a\n';
    const set = loadRules([{ path: 'two.yml', text: `${good}---\ntitle: [unclosed\n`, source: 'test' }]);
    expect(set.rules.map((rule) => rule.id)).toEqual(['g']);
    expect(set.failed).toHaveLength(1);
    expect(set.failed[0]?.reason).toMatch(/not valid YAML/);
  });

  it('reports a duplicate id, an empty file and a file that is no rule', () => {
    const good =
      'title: G\nid: g\nlogsource:\n  product: windows\ndetection:\n  a:\n    F: x\n  condition: a\n';
    const set = loadRules([
      { path: 'a.yml', text: good, source: 'test' },
      { path: 'b.yml', text: good, source: 'test' },
      { path: 'c.yml', text: '', source: 'test' },
      { path: 'd.yml', text: '- 1\n', source: 'test' },
      { path: 'e.yml', text: '\u0000\u0001\u0002: [', source: 'test' },
    ]);
    expect(set.rules).toHaveLength(1);
    expect(set.failed.map((item) => item.file)).toEqual(['b.yml', 'c.yml', 'd.yml', 'e.yml']);
    expect(set.failed[0]?.reason).toMatch(/already used at a\.yml:1/);
  });
});
