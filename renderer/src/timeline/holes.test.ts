import { describe, expect, it } from 'vitest';
import type { EventJson, GapJson } from '../../../agent/api/contract.ts';
import { holesIn } from './holes.ts';

const row = (id: number, tsNs: number, gap?: GapJson): EventJson => ({
  eventId: String(id),
  eventVersion: 1,
  type: gap ? 'gap' : 'process',
  action: gap ? 'gap' : 'exec',
  lane: 'security',
  tsNs: String(tsNs),
  severity: 'info',
  ...(gap ? { gap } : {}),
});
const gap = (fromNs: number, toNs: number, count = '12'): GapJson => ({
  lane: 'security',
  cause: 'ring_full',
  count,
  fromNs: String(fromNs),
  toNs: String(toNs),
});

describe('holes between rows', () => {
  const rows = [row(4, 400), row(3, 300), row(2, 200), row(1, 100)];
  it('are said below the row that follows them in time', () => {
    const found = holesIn(rows, [gap(250, 260)]);
    expect([...found.keys()]).toEqual(['3']);
    expect(found.get('3')).toContain('12 records lost');
  });
  it('are not said where no row stands on one side', () => {
    expect(holesIn(rows, [gap(500, 600), gap(10, 20)]).size).toBe(0);
  });
  it('share a place, and are not said twice beside their own row', () => {
    expect(holesIn(rows, [gap(210, 220), gap(230, 240, '7')]).get('3')).toMatch(/12.*·.*7/);
    const own = gap(250, 260);
    expect(holesIn([row(4, 400), row(9, 250, own), row(1, 100)], [own]).size).toBe(0);
  });
});
