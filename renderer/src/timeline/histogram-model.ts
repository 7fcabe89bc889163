/** Geometry of the histogram: pure, so that what is drawn, hovered and zoomed can be tested without a canvas. */
import type { GapJson, Histogram, Severity } from '../../../agent/api/contract.ts';

export const STACK: readonly Severity[] = ['info', 'low', 'medium', 'high', 'critical'];
/** The least height of a bar part in pixels: one critical event among a million others must show. */
const LEAST_PX: Record<Severity, number> = { info: 1, low: 2, medium: 2, high: 3, critical: 3 };

export interface BarPart {
  severity: Severity;
  y: number;
  height: number;
}

export type Bucket = Histogram['buckets'][number];

export function totalOf(bucket: Bucket): number {
  return bucket.info + bucket.low + bucket.medium + bucket.high + bucket.critical;
}

export function highest(buckets: readonly Bucket[]): number {
  return buckets.reduce((most, bucket) => Math.max(most, totalOf(bucket)), 0);
}

/** Stacked parts of one bar, bottom up, within `height` pixels; severe parts are never less than visible. */
export function stack(bucket: Bucket, most: number, height: number): BarPart[] {
  if (most === 0) return [];
  const parts = STACK.filter((severity) => bucket[severity] > 0).map((severity) => ({
    severity,
    height: Math.max(LEAST_PX[severity], (bucket[severity] / most) * height),
  }));
  const total = parts.reduce((sum, part) => sum + part.height, 0);
  const scale = total > height ? height / total : 1;
  let y = height;
  return parts.map((part) => {
    const scaled = part.height * scale;
    y -= scaled;
    return { severity: part.severity, y, height: scaled };
  });
}

export interface Span {
  fromNs: bigint;
  toNs: bigint;
}

/** Start and end of buckets `a` to `b`, in either order, both included. */
export function spanOf(histogram: Histogram, a: number, b: number): Span {
  const from = BigInt(histogram.fromNs);
  const step = BigInt(histogram.bucketNs);
  const [low, high] = a <= b ? [a, b] : [b, a];
  return { fromNs: from + BigInt(low) * step, toNs: from + BigInt(high + 1) * step };
}

export function bucketAt(histogram: Histogram, x: number, width: number): number {
  const count = histogram.buckets.length;
  return Math.min(count - 1, Math.max(0, Math.floor((x / Math.max(1, width)) * count)));
}

/** Left edge and width in pixels of a gap, at least 3 wide, or undefined when it lies outside. */
export function gapBox(
  histogram: Histogram,
  gap: GapJson,
  width: number,
): { x: number; width: number } | undefined {
  const from = BigInt(histogram.fromNs);
  const length = Number(BigInt(histogram.bucketNs)) * histogram.buckets.length;
  if (length <= 0) return undefined;
  const start = (Number(BigInt(gap.fromNs) - from) / length) * width;
  const end = (Number(BigInt(gap.toNs) - from) / length) * width;
  if (end < 0 || start > width) return undefined;
  const x = Math.max(0, start);
  return { x: Math.min(x, width - 3), width: Math.max(3, Math.min(width, end) - x) };
}

/** Gaps that touch buckets `a` to `b`. */
export function gapsIn(histogram: Histogram, a: number, b: number): GapJson[] {
  const { fromNs, toNs } = spanOf(histogram, a, b);
  return histogram.gaps.filter((gap) => BigInt(gap.fromNs) < toNs && BigInt(gap.toNs) >= fromNs);
}

const TICK_MS = [
  1, 5, 10, 50, 100, 500, 1000, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000,
  10_800_000, 21_600_000, 43_200_000, 86_400_000, 604_800_000, 2_592_000_000,
];

/** Round local times between two moments, at most `most` of them. */
export function ticks(fromMs: number, toMs: number, most: number): { atMs: number; stepMs: number }[] {
  const span = toMs - fromMs;
  if (span <= 0 || most < 1) return [];
  const stepMs = TICK_MS.find((step) => span / step <= most) ?? span;
  const offsetMs = new Date(fromMs).getTimezoneOffset() * 60_000;
  const found: { atMs: number; stepMs: number }[] = [];
  let atMs = Math.ceil((fromMs - offsetMs) / stepMs) * stepMs + offsetMs;
  for (; atMs <= toMs; atMs += stepMs) found.push({ atMs, stepMs });
  return found;
}
