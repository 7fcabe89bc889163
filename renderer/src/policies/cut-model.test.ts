import { expect, it } from 'vitest';
import { isOneOf } from './cut-model.ts';

it('a process that was cut off is known by its pid and its start to the clock tick, also as an ancestor', () => {
  const cut = { entityId: '4711-1234560000000' };
  const own = { pid: 4711, startNs: '1234567890123' };
  expect(isOneOf(cut, [own])).toBe(true);
  expect(isOneOf(cut, [{ pid: 4800, startNs: '2000000000000' }, own])).toBe(true);
  expect(isOneOf(cut, [{ ...own, startNs: '1234570000000' }])).toBe(false);
  expect(isOneOf(cut, [{ ...own, pid: 4712 }])).toBe(false);
  expect(isOneOf(cut, [undefined])).toBe(false);
});
