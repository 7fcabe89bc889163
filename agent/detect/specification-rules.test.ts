/** The Sigma specification 2.1, sentence by sentence: placeholders, conditions, correlations, filters, and what is refused. */
import { describe, expect, it } from 'vitest';
import { LOGSOURCE, load, logic, matches } from '../../test/detect/specification.ts';
import { FlatMatcher } from './flat-match.ts';
import type { FlatObject } from './flat-source.ts';
import { loadRules } from './rule-set.ts';

describe('placeholders', () => {
  const test = (value: string, actual: string, placeholders = { n: ['a*', 'b'] }): boolean => {
    const set = load(`sel:\n  F|expand: ${value}\ncondition: sel`, { placeholders });
    expect(set.failed).toEqual([]);
    return new FlatMatcher(set, LOGSOURCE).match({ F: actual }).length === 1;
  };
  it('Replacement of placeholders with a single, multiple or-linked values or patterns', () => {
    expect(test("'%n%'", 'axyz')).toBe(true);
    expect(test("'x%n%'", 'xb')).toBe(true);
    expect(test("'%n%'", 'c')).toBe(false);
  });
  it('\\%plain%name% handles `%plain` as plain value and `%name%` as placeholder', () => {
    expect(test("'\\%plain%n%'", '%plainb')).toBe(true);
  });
  it('`field: %name%` handles `%name%` as literal value', () => {
    expect(matches("sel:\n  F: '%name%'\ncondition: sel", { F: '%name%' })).toBe(true);
  });
  it("If the tool isn't able to handle placeholders, it must reject the rule", () => {
    expect(load("sel:\n  F|expand: '%n%'\ncondition: sel").failed).toHaveLength(1);
  });
});

describe('conditions', () => {
  logic('Operator Precedence (least to most binding): or, and, not', [
    ['sel_a or sel_b and filter_main_c', 'a', true],
    ['sel_a or sel_b and filter_main_c', 'b', false],
    ['(sel_a or sel_b) and filter_main_c', 'a', false],
    ['not sel_a and sel_b', 'b', true],
    ['not sel_a and sel_b', '', false],
    ['not sel_a or sel_b', 'ab', true],
    ['not (sel_a or sel_b)', 'b', false],
    ['not not sel_a', 'a', true],
    ['sel_a and not sel_b and not filter_main_c', 'a', true],
    ['sel_a and not sel_b and not filter_main_c', 'ac', false],
    ['sel_a AND NOT sel_b OR filter_main_c', 'c', true],
    ['not 1 of filter_*', '', true],
    ['not all of filter_*', 'c', true],
    ['key-f and sel_a', 'fa', true],
  ]);
  logic('1/all of search-identifier-pattern, matching is done with * wildcards at arbitrary positions', [
    ['1 of sel_*', 'b', true],
    ['1 of sel_*', 'c', false],
    ['all of sel_*', 'ab', true],
    ['all of sel_*', 'a', false],
    ['1 of *_c', 'c', true],
    ['1 of filter_*_d', 'c', false],
    ['1 of sel_* and not 1 of filter_*', 'a', true],
    ['1 of sel_* and not 1 of filter_*', 'ad', false],
    ['1 of sel* and not 1 of nothing_*', 'a', true],
    ['any of sel_*', 'a', true],
  ]);
  logic('across all defined search identifiers not starting with an underscore', [
    ['1 of them', 'e', false],
    ['1 of them', 'd', true],
    ['all of them', 'abcdf', true],
    ['all of them', 'abcf', false],
    ['_e', 'e', true],
  ]);
  it('The condition can be a list; they are logically linked with OR', () => {
    const rule = 'a:\n  F: 1\nb:\n  F: 2\ncondition:\n  - a\n  - b';
    expect(matches(rule, { F: 2 })).toBe(true);
    expect(matches(rule, { F: 3 })).toBe(false);
  });
});

describe('correlations', () => {
  const base = (name: string, id: number): string =>
    `title: ${name}\nname: ${name}\nlogsource: {product: windows, service: security}\ndetection: {sel: {EventID: ${id}}, condition: sel}\n`;
  const correlation = (name: string, body: string): string =>
    `title: ${name}\nname: ${name}\ncorrelation:\n${body.replace(/^/gm, '  ')}\n`;
  const at = (second: number, event: FlatObject): FlatObject => ({
    ...event,
    '@timestamp': new Date(1.7e12 + second * 1000).toISOString(),
  });
  const run = (documents: string[], events: FlatObject[]): string[][] => {
    const set = loadRules([{ path: 'c.yml', text: documents.join('---\n'), source: 'test' }]);
    expect(set.failed).toEqual([]);
    const matcher = new FlatMatcher(set, { product: 'windows', service: 'security' });
    return events.map((event) => matcher.match(event));
  };
  const failed = base('failed_login', 4625);
  const success = base('successful_login', 4624);
  const many = correlation(
    'many',
    'type: event_count\nrules: [failed_login]\ngroup-by: [User]\ntimespan: 10m\ncondition:\n  gte: 3',
  );

  it('the example: multiple failed logins followed by successful login, in any order of documents', () => {
    const chain = correlation(
      'chain',
      'type: temporal_ordered\nrules: [many, successful_login]\ngroup-by: [User]\ntimespan: 10m',
    );
    const fail = (second: number, User: string) => at(second, { EventID: 4625, User });
    const login = (second: number, User: string) => at(second, { EventID: 4624, User });
    const events = [
      login(0, 'a'),
      fail(1, 'a'),
      fail(2, 'a'),
      fail(3, 'b'),
      fail(4, 'a'),
      login(5, 'b'),
      login(6, 'a'),
    ];
    const hits = run([chain, many, failed, success], events);
    expect(hits.map((ids) => ids.length)).toEqual([0, 0, 0, 0, 0, 0, 1]);
  });
  it('The resulting query must count events for each group specified by group-by separately', () => {
    const hits = run(
      [many, failed],
      [
        at(0, { EventID: 4625, User: 'a' }),
        at(1, { EventID: 4625, User: 'b' }),
        at(2, { EventID: 4625, User: 'a' }),
        at(3, { EventID: 4624, User: 'a' }),
        at(599, { EventID: 4625, User: 'a' }),
        at(1300, { EventID: 4625, User: 'a' }),
      ],
    );
    expect(hits.map((ids) => ids.length)).toEqual([0, 0, 0, 0, 1, 0]);
  });
  it('value_count: the count of distinct values contained in the field', () => {
    const rule = correlation(
      'values',
      'type: value_count\nrules: [failed_login]\ngroup-by: [Host]\ntimespan: 1h\ncondition:\n  field: User\n  gt: 2',
    );
    const hits = run(
      [rule, failed],
      ['a', 'b', 'b', 'c'].map((User, i) => at(i, { EventID: 4625, Host: 'h', User })),
    );
    expect(hits.map((ids) => ids.length)).toEqual([0, 0, 0, 1]);
  });
  it("To define a range, you can use the conjunction 'AND' in the mapping", () => {
    const rule = correlation(
      'range',
      'type: event_count\nrules: [failed_login]\ngroup-by: [Host]\ntimespan: 1h\ncondition:\n  gt: 1\n  lte: 3',
    );
    const hits = run(
      [rule, failed],
      [0, 1, 2, 3].map((i) => at(i, { EventID: 4625, Host: 'h' })),
    );
    expect(hits.map((ids) => ids.length)).toEqual([0, 1, 1, 0]);
  });
  it('temporal, with aliases: only matches if the events appear with the same address in the respective fields', () => {
    const rule = correlation(
      'both',
      'type: temporal\nrules: [failed_login, successful_login]\ngroup-by: [ip]\ntimespan: 10s\naliases:\n  ip:\n    failed_login: src\n    successful_login: dst',
    );
    const hits = run(
      [rule, failed, success],
      [
        at(0, { EventID: 4624, dst: '1.1.1.1', src: '2.2.2.2' }),
        at(1, { EventID: 4625, src: '2.2.2.2', dst: '1.1.1.1' }),
        at(2, { EventID: 4625, src: '1.1.1.1' }),
        at(13, { EventID: 4625, src: '1.1.1.1' }),
      ],
    );
    expect(hits.map((ids) => ids.length)).toEqual([0, 0, 1, 0]);
  });
  it('generate: the referred rules are stand-alone rules too', () => {
    const rule = (generate: string): string =>
      correlation(
        'g',
        `type: event_count\nrules: [failed_login]\ngroup-by: [U]\ntimespan: 1m\n${generate}condition: {gte: 1}`,
      );
    const event = [at(0, { EventID: 4625, U: 'x' })];
    expect(run([rule('generate: true\n'), failed], event)).toEqual([['failed_login', 'g']]);
    expect(run([rule(''), failed], event)).toEqual([['g']]);
  });
});

describe('filters', () => {
  const rule = (id: string): string =>
    `title: ${id}\nid: ${id}\nlogsource: {product: windows, category: process_creation}\ndetection: {sel: {F: x}, condition: sel}\n`;
  const filter = (rules: string, condition: string): string =>
    `title: f\nlogsource: {product: windows}\nfilter:\n  rules: ${rules}\n  selection:\n    User|startswith: adm_\n  condition: ${condition}\n`;
  // The specification writes the first, pySigma and its documentation the second.
  it.each(['selection', 'not selection'])(
    'suppress matches of the rules it names: condition %s',
    (condition) => {
      const documents = [rule('one'), rule('two'), filter('[one]', condition)];
      const set = loadRules([{ path: 'f.yml', text: documents.join('---\n'), source: 'test' }]);
      expect(set.failed).toEqual([]);
      const matcher = new FlatMatcher(set, LOGSOURCE);
      expect(matcher.match({ F: 'x', User: 'adm_1' })).toEqual(['two']);
      expect(matcher.match({ F: 'x', User: 'bob' })).toEqual(['one', 'two']);
      expect(matcher.match({ F: 'x' })).toEqual(['one', 'two']);
    },
  );
});

describe('YAML', () => {
  it('takes anchors, aliases and merge keys, as YAML 1.1 readers do', () => {
    const rule = 'a: &base\n  F: 1\nb:\n  <<: *base\n  G: 2\ncondition: b';
    expect(matches(rule, { F: 1, G: 2 })).toBe(true);
    expect(matches(rule, { G: 2 })).toBe(false);
  });
  it('takes folded, literal and flow values, comments, CRLF and a byte order mark', () => {
    const text =
      '\ufeff---\r\ntitle: T\r\nid: r\r\nlogsource: {product: windows}\r\ndetection:\r\n  sel: # why\r\n    F|contains:\r\n      - >-\r\n        one\r\n        two\r\n      - |\r\n        three\r\n  condition: >\r\n    sel\r\n';
    const set = loadRules([{ path: 'r.yml', text, source: 'test' }]);
    expect(set.failed).toEqual([]);
    expect(new FlatMatcher(set, { product: 'windows' }).match({ F: 'x one two y' })).toEqual(['r']);
  });
});

describe('what is refused, with the line and the reason', () => {
  it.each([
    ['sel:\n  F|foo: a\ncondition: sel', 8, /unknown modifier "foo"/],
    ["sel:\n  F|re: '('\ncondition: sel", 8, /regular expression/],
    ['sel:\n  F: a\ncondition: sel and', 9, /ends where a selection/],
    ['sel:\n  F: a\ncondition: other', 9, /not defined/],
    ['sel:\n  F: a\ncondition: sel | count() > 5', 9, /correlation/],
    ['sel:\n  F: a\ncondition: sel | near b', 9, /"near"/],
    ['sel:\n  F: a', 6, /condition.*missing/],
    ['sel:\n  F|cidr: 10.0.0.0/33\ncondition: sel', 8, /./],
    ['sel:\n  F|lt: abc\ncondition: sel', 8, /needs a number/],
    ["sel:\n  F|base64: 'a*'\ncondition: sel", 8, /wildcards/],
    ['sel:\n  F|exists: maybe\ncondition: sel', 8, /true or false/],
    ['sel:\n  F|contains: null\ncondition: sel', 8, /null takes no modifiers/],
    ['sel:\n  F:\n    a: b\ncondition: sel', 8, /map/],
    ['sel: {}\ncondition: sel', 7, /is empty/],
    ['sel:\n  F: a\n  F: b\ncondition: sel', 9, /unique|once/],
    ['sel:\n\tF: a\ncondition: sel', 8, /tab|YAML/i],
  ])('%j', (detection, line, reason) => {
    const [failure, ...more] = load(detection).failed;
    expect(more).toEqual([]);
    expect(failure?.reason).toMatch(reason);
    expect(failure?.file).toBe('r.yml');
    expect(failure?.line).toBe(line);
  });
});
