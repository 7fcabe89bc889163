import { describe, expect, it } from 'vitest';
import type { SavedItem } from './api/contract.ts';
import { expandTags } from './process-tags.ts';
import { matches } from './store/query-match.ts';
import { parseQuery } from './store/query-parser.ts';
import type { SentinelEvent } from './event.ts';

const item = (name: string, value: unknown, kind = 'tag'): SavedItem => ({
  kind,
  name,
  value: typeof value === 'string' ? value : JSON.stringify(value),
  updatedNs: '1',
  by: { via: 'unix' },
});
const ITEMS = [
  item('7-70', { pid: 7, tags: ['build', 'mine'], fromNs: '1000', toNs: '2000' }),
  item('9-90', { pid: 9, tags: ['Build'], fromNs: '500' }),
  item('3-30', 'not json'),
  item('4-40', { pid: 'x', tags: [] }),
  item('tag', { pid: 5, tags: ['build'], fromNs: '0' }, 'search'),
];
const at = (pid: number, tsNs: bigint): SentinelEvent => ({
  eventId: 2,
  type: 'process',
  action: 'exec',
  lane: 'security',
  tsNs,
  severity: 'info',
  process: { pid, startNs: 1n, name: 'x' },
});
/** Which of these the query finds: in the life of 7, after it (its pid again), of 9, of another. */
function found(query: string): boolean[] {
  const node = parseQuery(expandTags(query, () => ITEMS));
  return [at(7, 1500n), at(7, 2500n), at(9, 1500n), at(5, 1500n)].map((event) => matches(node, event));
}

describe('tags in queries', () => {
  it('stand for the processes that have them, within their lives', () => {
    expect(found('tag:build')).toEqual([true, false, true, false]);
    expect(found('tag:mine')).toEqual([true, false, false, false]);
    expect(found('tag:mi* or pid:5')).toEqual([true, false, false, true]);
    expect(found('not tag:mine and type:process')).toEqual([false, true, true, true]);
    expect(found('has:tag')).toEqual([true, false, true, false]);
  });
  it('find nothing when nobody has them, and leave other queries as they are', () => {
    expect(found('tag:unknown')).toEqual([false, false, false, false]);
    expect(expandTags('image:*/tag and "has tag"', () => ITEMS)).toBe('image:*/tag and "has tag"');
    expect(() => expandTags('tag:(', () => ITEMS)).toThrow(/./);
  });
  it('say so when too many processes have one', () => {
    const many = Array.from({ length: 400 }, (_, n) =>
      item(`${n}-1`, { pid: n, tags: ['all'], fromNs: '1' }),
    );
    expect(() => expandTags('tag:all', () => many)).toThrow(/too many processes/);
  });
});
