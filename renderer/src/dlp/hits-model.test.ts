import { describe, expect, it } from 'vitest';
import type { EventJson } from '../../../agent/api/contract.ts';
import { groupHits, policyFor, ruleName, scanQuery, sortGroups, whatText } from './hits-model.ts';

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
  it('are put together by rule, each counting its own hits', () => {
    expect(groupHits(EVENTS, 'rule')).toMatchObject([
      { key: 'customers', files: 1, hits: 7 },
      { key: 'contracts', files: 2, hits: 2, containment: 0.9 },
    ]);
  });

  it('are put together by file and by process, a scan by hand apart', () => {
    expect(groupHits(EVENTS, 'file').map(({ key, hits }) => [key, hits])).toEqual([
      ['/media/a', 8],
      ['/srv/b', 1],
    ]);
    expect(groupHits(EVENTS, 'process').map(({ key, files }) => [key, files])).toEqual([
      ['/usr/bin/cp', 1],
      ['', 1],
    ]);
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

  it('are sorted by any column, both ways', () => {
    const groups = groupHits(EVENTS, 'rule');
    const order = (...by: Parameters<typeof sortGroups> extends [unknown, ...infer R] ? R : never) =>
      sortGroups(groups, ...by).map(({ key }) => key);
    expect(order('hits', true)).toEqual(['customers', 'contracts']);
    expect(order('hits', false)).toEqual(['contracts', 'customers']);
    expect(order('title', false)).toEqual(['contracts', 'customers']);
    expect(order('containment', true)).toEqual(['contracts', 'customers']);
    expect(order('last', true)).toEqual(['customers', 'contracts']);
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
