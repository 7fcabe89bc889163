/** The public Linux rules: all load, all that cannot run say why, and both evaluators agree on them. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { naiveMatch } from '../../test/detect/naive-sigma.ts';
import type { NaiveRule } from '../../test/detect/naive-sigma.ts';
import {
  PUBLIC_RULES,
  eventFor,
  havePublicRules,
  parseRules,
  randomOf,
} from '../../test/detect/public-rules.ts';
import { findRuleFiles, loadRulePaths } from './cli-rules.ts';
import { Detector } from './detector.ts';
import { FlatMatcher } from './flat-match.ts';
import type { RuleSet } from './rule-set.ts';

if (!havePublicRules) console.warn(`SKIPPED: no public Sigma rules at ${PUBLIC_RULES}`);

describe.skipIf(!havePublicRules)('public Sigma rules (skipped: needs ../shared/sigma-rules)', () => {
  let set: RuleSet;
  let raw: Map<string, NaiveRule>;

  beforeAll(async () => {
    set = await loadRulePaths([PUBLIC_RULES]);
    raw = new Map();
    for (const file of await findRuleFiles([PUBLIC_RULES])) {
      for (const rule of parseRules(readFileSync(file, 'utf8'))) raw.set(rule['id'] as string, rule);
    }
  });

  it('load without an unexplained failure', () => {
    expect(set.failed).toEqual([]);
    expect(set.rules).toHaveLength(raw.size);
    expect(raw.size).toBeGreaterThan(200);
  });

  it('mostly run on this sensor, and the rest say what they need', () => {
    new Detector(set);
    expect(set.notRunnable.length).toBeLessThan(set.rules.length / 10);
    for (const { reason } of set.notRunnable) expect(reason).toMatch(/^cannot run here: needs \S+/);
  });

  it('match what the naive evaluator matches, each on events made from its values', () => {
    const random = randomOf(42);
    let matched = 0;
    for (const logsource of [
      { product: 'linux', category: 'process_creation' },
      { product: 'linux', category: 'file_event' },
      { product: 'linux', category: 'network_connection' },
      { product: 'linux', service: 'auditd' },
      { product: 'linux', service: 'sshd' },
    ]) {
      const matcher = new FlatMatcher(set, logsource);
      const applicable = set.rules.filter((rule) =>
        Object.entries(rule.logsource).every(([key, value]) => logsource[key as 'product'] === value),
      );
      expect(matcher.ruleCount).toBe(applicable.length);
      for (const rule of applicable) {
        for (let i = 0; i < 3; i += 1) {
          const event = eventFor(raw.get(rule.id) as NaiveRule, random);
          const expected = applicable
            .filter((other) => naiveMatch(raw.get(other.id) as NaiveRule, event))
            .map((other) => other.id);
          expect(matcher.match(event)).toEqual(expected);
          matched += expected.includes(rule.id) ? 1 : 0;
        }
      }
    }
    expect(matched).toBeGreaterThan(150);
  });
});
