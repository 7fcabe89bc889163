import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { SentinelEvent } from '../event.ts';
import { Detector } from './detector.ts';
import { draftException } from './draft-exception.ts';
import { loadRules } from './rule-set.ts';
import type { LoadedRule } from './rule-set.ts';
import { mergeText, parseSigmaString, printParts } from './sigma-string.ts';

const RULE = `title: r
id: r
logsource: {product: linux, category: process_creation}
detection: {s: {Image|endswith: /curl, CommandLine|contains: http}, condition: s}
`;

function curl(argument: string, user: string): SentinelEvent {
  const process = {
    pid: 1,
    startNs: 1n,
    name: 'curl',
    executable: '/usr/bin/curl',
    argv: ['curl', argument],
    user,
  };
  return {
    eventId: 2,
    type: 'process',
    action: 'exec',
    lane: 'security',
    tsNs: 1n,
    severity: 'info',
    process,
  };
}

it('drops what it was drafted from and nothing else', () => {
  const first = loadRules([{ path: 'r.yml', text: RULE, source: 'x' }]);
  const odd = String.raw`http://x/?q=*\*\\`;
  const detection = new Detector(first).evaluate(curl(odd, 'ann'))?.[0];
  const draft = { owner: 'ann', reason: 'build server', expires: '2999-12-31', fields: { User: 'ann' } };
  const text = draftException(first.rules[0] as LoadedRule, { clauses: detection?.clauses ?? [] }, draft);
  const set = loadRules([
    { path: 'r.yml', text: RULE, source: 'x' },
    { path: 'e.yml', text, source: 'x' },
  ]);
  expect(set.failed).toEqual([]);
  const detector = new Detector(set);
  expect(detector.evaluate(curl(odd, 'ann'))).toBeUndefined();
  expect(detector.evaluate(curl(odd, 'bob'))).toHaveLength(1);
  expect(detector.evaluate(curl('http://x/?q=yz', 'ann'))).toHaveLength(1);
  expect(set.filters[0]).toMatchObject({ hits: 1, owner: 'ann', reason: 'build server' });
});

it('keeps blanks before a line break', () => {
  const first = loadRules([{ path: 'r.yml', text: RULE, source: 'x' }]);
  for (const user of [' \n', 'a \n b\n ', '\t\n']) {
    const event = curl('http', user);
    const clauses = new Detector(first).evaluate(event)?.[0]?.clauses ?? [];
    const draft = { owner: 'a', reason: 'b', expires: '2999-12-31', fields: { User: user } };
    const text = draftException(first.rules[0] as LoadedRule, { clauses }, draft);
    const set = loadRules([
      { path: 'r.yml', text: RULE, source: 'x' },
      { path: 'e.yml', text, source: 'x' },
    ]);
    expect(new Detector(set).evaluate(event), JSON.stringify(user)).toBeUndefined();
  }
});

it('drops any event it was drafted from, and keeps one with another value', () => {
  const text = fc.string({ unit: 'binary', maxLength: 40 }).filter((value) => value.isWellFormed());
  const nasty = fc
    .array(
      fc.constantFrom(
        '\\',
        '*',
        '?',
        ' ',
        '\n',
        '\r',
        "'",
        '"',
        ': ',
        '#',
        '%',
        '\u0085',
        '\u2028',
        '\0',
        'é',
        '😀',
      ),
      {
        maxLength: 8,
      },
    )
    .map((list) => list.join(''));
  const first = loadRules([{ path: 'r.yml', text: RULE, source: 'x' }]);
  const plain = new Detector(first);
  fc.assert(
    fc.property(fc.oneof(text, nasty), fc.oneof(text, nasty), (tail, user) => {
      const event = curl(`http${tail}`, user);
      const clauses = plain.evaluate(event)?.[0]?.clauses ?? [];
      const draft = { owner: 'a', reason: 'b', expires: '2999-12-31', fields: { User: user } };
      const exception = draftException(first.rules[0] as LoadedRule, { clauses }, draft);
      const set = loadRules([
        { path: 'r.yml', text: RULE, source: 'x' },
        { path: 'e.yml', text: exception, source: 'x' },
      ]);
      expect(set.failed).toEqual([]);
      const detector = new Detector(set);
      expect(detector.evaluate(event)).toBeUndefined();
      expect(detector.evaluate(curl(`http${tail}1`, user))).toHaveLength(1);
      expect(detector.evaluate(curl(`http${tail}`, `${user}1`))).toHaveLength(1);
    }),
    { numRuns: 300 },
  );
});

it('refuses to silence a rule altogether', () => {
  const rule = { id: 'r', title: 'r', logsource: { product: 'linux' } };
  expect(() =>
    draftException(rule, { clauses: [] }, { owner: 'a', reason: 'b', expires: '2999-01-01' }),
  ).toThrow(/names no field/);
});

it('prints values so that they are read back as they were', () => {
  const part = fc.oneof(
    fc.constantFrom<1 | 2>(1, 2),
    fc
      .array(fc.constantFrom('a', '\\', '*', '?', '/'), { minLength: 1, maxLength: 4 })
      .map((list) => list.join('')),
  );
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 5 }).map((parts) => mergeText(parts)),
      (parts) => {
        expect(mergeText(parseSigmaString(printParts(parts)))).toEqual(parts);
      },
    ),
    { numRuns: 3000 },
  );
});
