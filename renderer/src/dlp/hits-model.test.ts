import { describe, expect, it } from 'vitest';
import type { DlpGroupJson, EventJson } from '../../../agent/api/contract.ts';
import { groupQuery, groupTitle, isOf, policyFor, ruleName, scanQuery, whatText } from './hits-model.ts';

function hit(
  id: number,
  path: string,
  rules: Record<string, [count: number, containment?: number]>,
  exe?: string,
) {
  const matches = Object.entries(rules).map(([rule, [count, containment]]) => ({
    index: rule,
    rule,
    kind: containment === undefined ? 'row' : 'document',
    type: containment === undefined ? 'iban' : rule,
    count: String(count),
    offset: '0',
    length: '22',
    confidence: 0.9,
    containment,
  }));
  const process = exe === undefined ? undefined : { pid: 1, startNs: '1', name: 'x', executable: exe };
  return {
    eventId: String(id),
    file: { path, op: 'write' },
    process,
    dlp: { matches },
  } as unknown as EventJson;
}

const EVENTS = [
  hit(3, '/media/a', { customers: [5], contracts: [1, 0.4] }, '/usr/bin/cp'),
  hit(2, '/media/a', { customers: [2] }, '/usr/bin/cp'),
  hit(1, '/srv/b', { contracts: [1, 0.9] }),
];

describe('findings', () => {
  it('of a group are told from others, and asked for in the language of queries', () => {
    const [both, one, byHand] = EVENTS as [EventJson, EventJson, EventJson];
    const row = { index: 'customers', rule: 'customers', kind: 'row', type: 'iban' };
    const plan = { index: 'board', rule: 'document', kind: 'document', type: 'plan *.txt' };
    const card = { index: '', rule: 'cards', kind: 'pattern', type: 'card' };
    const cases: [Partial<DlpGroupJson>, title: string, query: string, EventJson[]][] = [
      [{ rule: row }, 'customers', 'dlp.index:customers dlp.rule:customers', [both, one]],
      [{ rule: plan }, 'board · plan *.txt', String.raw`dlp.index:board dlp.type:"plan \*.txt"`, []],
      [{ rule: card }, 'cards', 'dlp.rule:cards', []],
      [{ path: '/srv/b' }, '/srv/b', 'file:/srv/b', [byHand]],
      [
        { process: { name: 'cp', executable: '/usr/bin/cp' } },
        '/usr/bin/cp',
        'image:/usr/bin/cp',
        [both, one],
      ],
      [{ process: { name: 'cp' } }, 'cp', 'name:cp', []],
      [{}, '', 'not has:pid', [byHand]],
    ];
    for (const [part, title, query, own] of cases) {
      const group = part as DlpGroupJson;
      expect([groupTitle(group), groupQuery(group)]).toEqual([title, query]);
      expect(EVENTS.filter((event) => isOf(group, event))).toEqual(own);
    }
  });

  it('are named by the document that was found, a table by its rule', () => {
    expect(ruleName({ index: 'board', rule: 'document', kind: 'document', type: 'plan.txt' })).toBe(
      'board · plan.txt',
    );
    expect(ruleName({ index: 'customers', rule: 'iban', kind: 'row', type: 'iban' })).toBe(
      'customers · iban',
    );
    expect(whatText(EVENTS[0]!)).toBe('customers ×5, contracts');
  });

  it('of a scan are asked for by its path and time, whatever the path is made of', () => {
    expect(scanQuery({ path: '/srv/a "b" *', startedMs: 1000, endedMs: 5000 })).toBe(
      String.raw`type:dlp dlp.trigger:scan (file:"/srv/a \"b\" \*" or file:"/srv/a \"b\" \*/*") since:1970-01-01T00:00:00.000Z until:1970-01-01T00:00:10.000Z`,
    );
  });

  it('become the draft of a policy that only tells', () => {
    const event = { ...EVENTS[0]!, dlp: { ...EVENTS[0]!.dlp!, destination: 'network_share' } };
    const text = policyFor(event);
    expect(text).toContain('id: protected-customers-to-network-share\n');
    expect(text).toContain('dlp.destination == "network_share" && "customers" in dlp.index');
    expect(text).toContain('action: alert\n');
  });
});
