import { describe, expect, it } from 'vitest';
import { FlatMatcher } from './flat-match.ts';
import { loadRules } from './rule-set.ts';
import type { RuleSet } from './rule-set.ts';

const RULE = `title: r
id: 6f3e2987-db24-4c78-a860-b4f4095a7095
name: the_rule
logsource: {category: process_creation, product: windows}
detection:
  selection: {Image|endswith: '\\rar.exe'}
  condition: selection
`;

function filter(
  body: string,
  logsource = '{category: process_creation, product: windows}',
  more = '',
): string {
  const lines = body.split('\n').map((line) => `  ${line}`);
  return `title: f\nid: f\nlogsource: ${logsource}\nfilter:\n${lines.join('\n')}\n${more}`;
}

function load(...documents: string[]): RuleSet {
  const set = loadRules([{ path: 'f.yml', text: [RULE, ...documents].join('---\n'), source: 'test' }]);
  expect(set.failed).toEqual([]);
  return set;
}

const hit = (set: RuleSet, event: Record<string, unknown>): boolean =>
  new FlatMatcher(set, { category: 'process_creation', product: 'windows' }).match({
    Image: 'C:\\rar.exe',
    ...event,
  }).length > 0;

describe('filters', () => {
  const selection = "selection:\n  User|startswith: 'adm_'";

  it.each([
    ['the specification writes the selection', 'condition: selection'],
    ['the reference implementation negates it', 'condition: not selection'],
  ])('drop what they describe: %s', (_name, condition) => {
    const set = load(filter(`rules: [6f3e2987-db24-4c78-a860-b4f4095a7095]\n${selection}\n${condition}`));
    expect(hit(set, { User: 'adm_bob' })).toBe(false);
    expect(hit(set, { User: 'bob' })).toBe(true);
    expect(set.filters[0]?.hits).toBe(1);
  });

  it('name rules by id, by name, or any', () => {
    for (const rules of ['the_rule', '[the_rule]', 'any', 'all', '[]']) {
      expect(
        hit(load(filter(`rules: ${rules}\n${selection}\ncondition: selection`)), { User: 'adm_x' }),
      ).toBe(false);
    }
    const other = load(filter(`rules: [other]\n${selection}\ncondition: selection`));
    expect(hit(other, { User: 'adm_x' })).toBe(true);
    expect(other.warnings[0]?.reason).toMatch(/names no rule/);
  });

  it('apply only where the log source fits', () => {
    const body = `rules: any\n${selection}\ncondition: selection`;
    expect(hit(load(filter(body, '{product: windows}')), { User: 'adm_x' })).toBe(false);
    expect(hit(load(filter(body, '{product: linux}')), { User: 'adm_x' })).toBe(true);
  });

  it('end when they expire, and keep to their users', () => {
    const body = `rules: any\n${selection}\ncondition: selection`;
    const own = (text: string): RuleSet =>
      load(filter(body, undefined, `sentinel: {owner: ann, reason: test, ${text}}\n`));
    expect(hit(own('expires: 2020-01-01'), { User: 'adm_x' })).toBe(true);
    expect(hit(own('expires: 2999-01-01'), { User: 'adm_x' })).toBe(false);
    expect(hit(own('scope: {users: [adm_y]}'), { User: 'adm_x' })).toBe(true);
    expect(hit(own('scope: {users: [adm_x]}'), { User: 'adm_x' })).toBe(false);
    expect(own('expires: 2999-01-01').filters[0]).toMatchObject({ owner: 'ann', reason: 'test' });
  });

  it('say what is wrong with them', () => {
    const bad = loadRules([
      { path: 'f.yml', text: filter(`${selection}\ncondition: selection`), source: 'test' },
    ]);
    expect(bad.failed[0]?.reason).toMatch(/filter\.rules: is missing/);
  });
});

it('merges old-style collections', () => {
  const text = `action: global
title: g
id: g
detection:
  sel: {F: 1}
  condition: sel
---
logsource: {product: a}
---
logsource: {product: b}
detection:
  sel: {G: 2}
---
action: reset
---
title: alone
id: alone
logsource: {product: a}
detection:
  s: {F: 1}
  condition: s
`;
  const set = loadRules([{ path: 'c.yml', text, source: 'test' }]);
  expect(set.failed).toEqual([]);
  expect(new FlatMatcher(set, { product: 'a' }).match({ F: 1 })).toEqual(['g', 'alone']);
  expect(new FlatMatcher(set, { product: 'b' }).match({ F: 1 })).toEqual([]);
  expect(new FlatMatcher(set, { product: 'b' }).match({ F: 1, G: 2 })).toEqual(['g']);
});
