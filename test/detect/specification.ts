/** Cases that follow from a sentence of the Sigma specification, as tests named by that sentence. */
import { expect, it } from 'vitest';
import { FlatMatcher } from '../../agent/detect/flat-match.ts';
import type { FlatObject } from '../../agent/detect/flat-source.ts';
import { loadRules } from '../../agent/detect/rule-set.ts';
import type { LoadOptions, RuleSet } from '../../agent/detect/rule-set.ts';

export const LOGSOURCE = { product: 'windows', category: 'process_creation' };

export function load(detection: string, options: LoadOptions = {}): RuleSet {
  const indented = detection.replace(/^/gm, '  ');
  const text = `title: T\nid: r\nlogsource:\n  product: windows\n  category: process_creation\ndetection:\n${indented}\n`;
  return loadRules([{ path: 'r.yml', text, source: 'test' }], options);
}

export function matches(detection: string, event: FlatObject): boolean {
  const set = load(detection);
  if (set.failed.length > 0) throw new Error(set.failed[0]?.reason);
  return new FlatMatcher(set, LOGSOURCE).match(event).length === 1;
}

/** A selection of one item: key, value as YAML, value of F in the event (undefined: absent), expected. */
export type Item = [key: string, yaml: string, value: unknown, expected: boolean];

export function items(sentence: string, cases: Item[]): void {
  it.each(cases)(`${sentence}: %s: %s, with %j: %s`, (key, yaml, value, expected) => {
    const event = value === undefined ? { Other: 'x' } : { F: value, Other: 'x' };
    expect(matches(`sel:\n  ${key}: ${yaml}\ncondition: sel`, event)).toBe(expected);
  });
}

/** A condition over selections a, b, c, which hold for the letters in the event. */
type Logic = [condition: string, letters: string, expected: boolean];

export function logic(sentence: string, cases: Logic[]): void {
  it.each(cases)(`${sentence}: %s, with "%s": %s`, (condition, letters, expected) => {
    const names = ['sel_a', 'sel_b', 'filter_main_c', 'filter_opt_d', '_e', 'key-f'];
    const selections = names.map((name) => `${name}:\n  L|contains: ${name.at(-1)}`).join('\n');
    expect(matches(`${selections}\ncondition: ${condition}`, { L: `.${letters}` })).toBe(expected);
  });
}
