import { describe, expect, it } from 'vitest';
import type { EventJson, RuleSummary, Severity } from '../../../agent/api/contract.ts';
import { filterRules, groupByChain, groupByRule } from './group.ts';

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

describe('chains', () => {
  const ref = (pid: number, name: string) => ({ pid, startNs: String(pid), name });
  const by = (id: number, pid: number, parent: number, level: Severity): EventJson => ({
    ...hit(id, `r${id}`, level),
    process: ref(pid, `p${pid}`),
    parent: ref(parent, `p${parent}`),
  });
  it('put what one shell started together, with the worst level and what is still open', () => {
    const events = [
      by(4, 33, 20, 'low'),
      by(3, 32, 20, 'high'),
      by(2, 31, 20, 'low'),
      by(1, 50, 40, 'medium'),
    ];
    const groups = groupByChain(events, (_, rule) => rule !== 'r3');
    expect(groups.map((group) => [group.process.name, group.level, group.events.length, group.open])).toEqual(
      [
        ['p20', 'high', 3, 2],
        ['p40', 'medium', 1, 1],
      ],
    );
    expect(groups[0]?.latest.eventId).toBe('4');
  });
});

describe('longer chains', () => {
  const ref = (pid: number, rest = {}) => ({ pid, startNs: String(pid), name: `p${pid}`, ...rest });
  /** `line`: the process and those above it. */
  const by = (id: number, session: number | undefined, ...line: number[]): EventJson => ({
    ...hit(id, `r${id}`, 'low'),
    process: ref(line[0] ?? 0, session === undefined ? {} : { sessionId: session }),
    ...(line[1] === undefined ? {} : { parent: ref(line[1]) }),
    ancestry: line.slice(1).map((pid) => `${pid}-${pid}`),
  });
  const chains = (events: EventJson[]): [number, string[]][] =>
    groupByChain(events, () => true).map(({ process, events: own }) => [
      process.pid,
      own.map(({ eventId }) => eventId),
    ]);

  it('put what one session did under its leader, however far below, and not under what all descends from', () => {
    const events = [
      by(4, 50, 90, 50, 1),
      by(3, 10, 22, 21, 20, 10, 1),
      by(2, 10, 30, 10, 1),
      by(1, 10, 10, 1),
    ];
    expect(chains(events)).toEqual([
      [50, ['4']],
      [10, ['3', '2', '1']],
    ]);
    expect(chains([by(2, 1, 30, 1), by(1, 1, 31, 1)])).toHaveLength(2);
  });
  it('join what was sent into a session of its own to the chain it came from', () => {
    const events = [by(2, 40, 41, 40, 12, 10, 1), by(1, 10, 11, 10, 1)];
    expect(chains(events)).toEqual([[10, ['2', '1']]]);
  });
  it('name a leader that only its descendants tell of by its number', () => {
    const [group] = groupByChain([by(1, 10, 22, 21, 10, 1)], () => true);
    expect(group?.process).toEqual({ pid: 10, startNs: '10', name: '' });
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
