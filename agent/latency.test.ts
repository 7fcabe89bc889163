import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { LatencyHistogram } from './latency.ts';

it('is within 7 % of exact percentiles', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 100_000_000 }), { minLength: 1, maxLength: 300 }),
      (values) => {
        const histogram = new LatencyHistogram(() => 0);
        for (const value of values) histogram.record(value);
        const sorted = values.toSorted((a, b) => a - b);
        const exact = (share: number): number =>
          sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
        const got = histogram.percentiles();
        expect(got.count).toBe(values.length);
        for (const [share, value] of [
          [0.5, got.p50Us],
          [0.99, got.p99Us],
        ] as const) {
          expect(value).toBeGreaterThanOrEqual(exact(share));
          expect(value).toBeLessThanOrEqual(Math.ceil(exact(share) * 1.07) + 1);
        }
      },
    ),
  );
});

it('forgets values older than two minutes', () => {
  let now = 0;
  const histogram = new LatencyHistogram(() => now);
  histogram.record(5_000_000);
  now = 61_000;
  expect(histogram.percentiles().count).toBe(1);
  histogram.record(10);
  now = 122_000;
  expect(histogram.percentiles()).toMatchObject({ count: 1, p99Us: 10 });
});
