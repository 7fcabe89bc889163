import { describe, expect, it } from 'vitest';
import type { EventJson, RuleSummary, Severity } from '../../../agent/api/contract.ts';
import { filterRules, groupByRule } from './group.ts';

const hit = (id: number, ruleId: string, level: Severity): EventJson => ({
  eventId: String(id),
  eventVersion: 1,
  type: 'process',
  action: 'exec',
  lane: 'security',
  tsNs: String(id),
  severity: level,
  detections: [{ ruleId, title: ruleId.toUpperCase(), level, attack: [], source: 'bundled', clauses: [] }],
});

describe('groups', () => {
  it('put the worst first and count by the larger of what was read and what the agent counted', () => {
    const events = [hit(9, 'a', 'low'), hit(8, 'b', 'critical'), hit(7, 'a', 'low')];
    const groups = groupByRule(events, new Map([['a', 40]]), false);
    expect(groups.map((group) => [group.id, group.count, group.atLeast, group.latest?.eventId])).toEqual([
      ['b', 1, true, '8'],
      ['a', 40, false, '9'],
    ]);
    expect(groupByRule(events, new Map(), true)[0]?.atLeast).toBe(false);
  });
});

describe('rules', () => {
  const rule = (id: string, hits: number): RuleSummary => ({
    id,
    title: `Rule ${id}`,
    level: 'low',
    attack: ['T1059.004'],
    type: 'detection',
    logsource: 'linux/process_creation',
    source: 'bundled',
    hits,
  });
  it('are found by every word, hits first', () => {
    const rules = [rule('qq', 0), rule('y', 3)];
    expect(filterRules(rules, '').map(({ id }) => id)).toEqual(['y', 'qq']);
    expect(filterRules(rules, 't1059 qq').map(({ id }) => id)).toEqual(['qq']);
  });
});
