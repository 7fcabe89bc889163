import { describe, expect, it } from 'vitest';
import type { EventJson } from '../../../agent/api/contract.ts';
import { groupHits } from './hits-model.ts';

function hit(
  id: number,
  path: string,
  rules: Record<string, [count: number, containment?: number]>,
  exe?: string,
) {
  const matches = Object.entries(rules).map(([rule, [count, containment]]) => ({
    index: rule,
    rule,
    kind: 'row',
    type: 'iban',
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
});
