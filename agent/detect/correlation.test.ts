import { describe, expect, it } from 'vitest';
import { FlatMatcher } from './flat-match.ts';
import { loadRules } from './rule-set.ts';
import type { RuleSet } from './rule-set.ts';

const rule = (name: string, value: string): string =>
  `title: ${name}\nid: id-${name}\nname: ${name}\nlogsource: {product: p}\ndetection:\n  s: {kind: ${value}}\n  condition: s\n`;
const correlation = (body: string, more = ''): string =>
  `title: c\nid: corr\n${more}correlation:\n${body
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')}\n`;

function load(...documents: string[]): RuleSet {
  const set = loadRules([{ path: 'c.yml', text: documents.join('---\n'), source: 'test' }]);
  expect(set.failed).toEqual([]);
  return set;
}

/** Feeds [seconds, kind, fields] and returns the seconds at which something was reported. */
function run(set: RuleSet, events: [number, string, Record<string, unknown>?][]): [number, ...string[]][] {
  const matcher = new FlatMatcher(set, { product: 'p' });
  return events.flatMap(([second, kind, more]) => {
    const ids = matcher.match({ kind, timestamp: 1_700_000_000 + second, ...more });
    return ids.length > 0 ? [[second, ...ids] as [number, ...string[]]] : [];
  });
}

describe('event_count', () => {
  const set = (): RuleSet =>
    load(
      rule('login', 'fail'),
      correlation('type: event_count\nrules: [login]\ngroup-by: [host]\ntimespan: 10s\ncondition: {gte: 3}'),
    );

  it('counts per group inside a sliding window', () => {
    const events: [number, string, Record<string, unknown>][] = [
      [0, 'fail', { host: 'a' }],
      [1, 'fail', { host: 'b' }],
      [4, 'fail', { host: 'a' }],
      [9, 'fail', { host: 'a' }],
      [11, 'fail', { host: 'a' }],
      [30, 'fail', { host: 'a' }],
    ];
    expect(run(set(), events)).toEqual([
      [9, 'corr'],
      [11, 'corr'],
    ]);
  });

  it('takes ranges, and reports the base rule only if asked to', () => {
    const body = 'type: event_count\nrules: login\ntimespan: 1m\ncondition: {gt: 1, lte: 2}\ngenerate: true';
    expect(
      run(load(rule('login', 'fail'), correlation(body)), [
        [0, 'fail'],
        [1, 'fail'],
        [2, 'fail'],
      ]),
    ).toEqual([
      [0, 'id-login'],
      [1, 'id-login', 'corr'],
      [2, 'id-login'],
    ]);
  });
});

it('value_count counts distinct values of a field', () => {
  const body =
    'type: value_count\nrules: [login]\ngroup-by: [host]\ntimespan: 1h\ncondition: {field: user, gte: 3}';
  const set = load(rule('login', 'fail'), correlation(body));
  const users = ['ann', 'bob', 'ann', undefined, 'cid'];
  expect(
    run(
      set,
      users.map((user, i) => [i, 'fail', { host: 'h', user }]),
    ),
  ).toEqual([[4, 'corr']]);
});

it.each([
  ['value_sum', '{field: bytes, gte: 100}', [[2, 'corr']]],
  [
    'value_avg',
    '{field: bytes, gt: 30}',
    [
      [1, 'corr'],
      [2, 'corr'],
    ],
  ],
  ['value_median', '{field: bytes, eq: 20}', [[2, 'corr']]],
  ['value_percentile', '{field: bytes, percentile: 50, eq: 20}', [[2, 'corr']]],
])('%s %s', (type, condition, expected) => {
  const body = `type: ${type}\nrules: [login]\ntimespan: 1h\ncondition: ${condition}`;
  const set = load(rule('login', 'send'), correlation(body));
  const sizes = [10, 70, '20', undefined, 'many'];
  const hits = run(
    set,
    sizes.slice(0, 3).map((bytes, i) => [i, 'send', { bytes }]),
  );
  expect(hits).toEqual(expected);
});

describe('temporal', () => {
  const rules = [rule('one', '1'), rule('two', '2'), rule('three', '3')];

  it('needs every rule, in any order', () => {
    const set = load(
      ...rules,
      correlation('type: temporal\nrules: [one, two, three]\ngroup-by: [user]\ntimespan: 5m'),
    );
    expect(
      run(set, [
        [0, '3', { user: 'u' }],
        [1, '1', { user: 'u' }],
        [2, '2', { user: 'v' }],
        [3, '2', { user: 'u' }],
      ]),
    ).toEqual([[3, 'corr']]);
    const late = load(...rules, correlation('type: temporal\nrules: [one, two]\ntimespan: 5s'));
    expect(
      run(late, [
        [0, '1'],
        [6, '2'],
      ]),
    ).toEqual([]);
  });

  it('ordered, needs them in the order given', () => {
    const set = load(...rules, correlation('type: temporal_ordered\nrules: [one, two, three]\ntimespan: 5m'));
    expect(
      run(set, [
        [0, '2'],
        [1, '1'],
        [2, '3'],
      ]),
    ).toEqual([]);
    expect(
      run(set, [
        [0, '2'],
        [1, '1'],
        [2, '3'],
        [3, '2'],
        [4, '3'],
      ]),
    ).toEqual([[4, 'corr']]);
  });

  it('takes a boolean condition over rules', () => {
    const set = load(
      ...rules,
      correlation(
        'type: temporal\nrules: [one, two, three]\ntimespan: 5m\ncondition: one and (two or three)',
      ),
    );
    expect(
      run(set, [
        [0, '2'],
        [1, '3'],
        [2, '1'],
      ]),
    ).toEqual([[2, 'corr']]);
  });

  it('resolves aliases per rule', () => {
    const body = [
      'type: temporal',
      'rules: [one, two]',
      'group-by: [ip]',
      'timespan: 10s',
      'aliases:',
      '  ip: {one: source, two: destination}',
    ].join('\n');
    const set = load(...rules.slice(0, 2), correlation(body));
    expect(
      run(set, [
        [0, '1', { source: 'x' }],
        [1, '2', { source: 'x', destination: 'y' }],
      ]),
    ).toEqual([]);
    expect(
      run(set, [
        [0, '1', { source: 'x' }],
        [1, '2', { destination: 'x' }],
      ]),
    ).toEqual([[1, 'corr']]);
  });

  it('chains: many failures, then a success, as in the specification', () => {
    const many = correlation(
      'type: event_count\nrules: [one]\ngroup-by: [user, host]\ntimespan: 5m\ncondition: {gte: 3}',
      'name: many\n',
    );
    const chain = correlation(
      'type: temporal_ordered\nrules: [many, two]\ngroup-by: [user]\ntimespan: 1h',
    ).replace('id: corr', 'id: chain');
    const set = load(...rules.slice(0, 2), many, chain);
    const fail = (second: number): [number, string, Record<string, unknown>] => [
      second,
      '1',
      { user: 'u', host: 'h' },
    ];
    expect(run(set, [fail(0), fail(1), [2, '2', { user: 'u' }], fail(3), [4, '2', { user: 'u' }]])).toEqual([
      [4, 'chain'],
    ]);
  });
});

it('keeps its state bounded and counts what it forgets', () => {
  const set = load(
    rule('login', 'fail'),
    correlation('type: event_count\nrules: [login]\ngroup-by: [host]\ntimespan: 1d\ncondition: {gte: 2}'),
  );
  const events = Array.from({ length: 5000 }, (_, i): [number, string, Record<string, unknown>] => [
    i,
    'fail',
    { host: `h${i}` },
  ]);
  // The first host was forgotten, a recent one was not.
  expect(run(set, [...events, [5000, 'fail', { host: 'h0' }], [5001, 'fail', { host: 'h4999' }]])).toEqual([
    [5001, 'corr'],
  ]);
});

it('takes events a little out of order', () => {
  const set = load(
    rule('login', 'fail'),
    correlation('type: event_count\nrules: [login]\ntimespan: 10s\ncondition: {gte: 3}'),
  );
  expect(
    run(set, [
      [5, 'fail'],
      [3, 'fail'],
      [4, 'fail'],
    ]),
  ).toEqual([[4, 'corr']]);
});

it.each([
  ['type: x', /"x" is not a correlation type; use event_count/],
  [
    'type: event_count\nrules: [login]\ntimespan: 5x\ncondition: {gte: 1}',
    /timespan: "5x" is not a time span/,
  ],
  ['type: event_count\nrules: [login]\ntimespan: 5m', /condition: is missing/],
  ['type: value_count\nrules: [login]\ntimespan: 5m\ncondition: {gte: 1}', /field: is missing/],
  [
    'type: event_count\nrules: [other]\ntimespan: 5m\ncondition: {gte: 1}',
    /no rule has the id or name "other"/,
  ],
])('refuses %j', (body, reason) => {
  const text = [rule('login', 'fail'), correlation(body)].join('---\n');
  const set = loadRules([{ path: 'c.yml', text, source: 'test' }]);
  expect(set.failed.map((item) => item.reason).join()).toMatch(reason);
});
