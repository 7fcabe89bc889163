import { describe, expect, it } from 'vitest';
import type { GapJson, Histogram } from '../../../agent/api/contract.ts';
import { bucketAt, gapBox, gapsIn, spanOf, stack, ticks, totalOf } from './histogram-model.ts';

const bucket = (info: number, critical = 0) => ({ info, low: 0, medium: 0, high: 0, critical });
const histogram: Histogram = {
  fromNs: '1000',
  toNs: '2000',
  bucketNs: '100',
  buckets: Array.from({ length: 10 }, (_, at) => bucket(at)),
  gaps: [],
  approximate: false,
};
const gap = (fromNs: string, toNs: string): GapJson => ({
  lane: 'security',
  cause: 'ring_full',
  fromNs,
  toNs,
});

describe('bars', () => {
  it('show one critical event among a million', () => {
    const parts = stack(bucket(1_000_000, 1), 1_000_001, 60);
    const critical = parts.find((part) => part.severity === 'critical');
    expect(critical?.height).toBeGreaterThan(2.5);
    expect(parts.reduce((sum, part) => sum + part.height, 0)).toBeLessThanOrEqual(60.001);
    expect(totalOf(bucket(1, 2))).toBe(3);
  });
  it('are nothing when there is nothing', () => {
    expect(stack(bucket(0), 0, 60)).toEqual([]);
    expect(stack(bucket(0), 10, 60)).toEqual([]);
  });
});

describe('positions', () => {
  it('map between pixels, buckets and time', () => {
    expect(bucketAt(histogram, 55, 100)).toBe(5);
    expect(bucketAt(histogram, -4, 100)).toBe(0);
    expect(bucketAt(histogram, 400, 100)).toBe(9);
    expect(spanOf(histogram, 4, 2)).toEqual({ fromNs: 1200n, toNs: 1500n });
  });
  it('put gaps where they are, wide enough to hit', () => {
    expect(gapBox(histogram, gap('1500', '1500'), 100)).toEqual({ x: 50, width: 3 });
    expect(gapBox(histogram, gap('500', '1500'), 100)).toEqual({ x: 0, width: 50 });
    expect(gapBox(histogram, gap('2500', '2600'), 100)).toBeUndefined();
    expect(gapsIn({ ...histogram, gaps: [gap('1250', '1260')] }, 2, 2)).toHaveLength(1);
    expect(gapsIn({ ...histogram, gaps: [gap('1250', '1260')] }, 3, 5)).toHaveLength(0);
  });
  it('tick at round times, never too many', () => {
    for (const span of [50, 1000, 60_000, 3_600_000, 86_400_000 * 30, 86_400_000 * 4000]) {
      expect(ticks(1_700_000_000_123, 1_700_000_000_123 + span, 8).length).toBeLessThanOrEqual(9);
    }
    expect(ticks(1_700_000_000_123, 1_700_000_060_123, 8)[0]?.atMs).toBe(1_700_000_010_000);
  });
});
