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

/** A layer of the bars when they are divided by type; `other` is what no named type covers. */
export interface TypeLayer {
  type: string;
  counts: readonly number[];
}

/** Layers of the types that occur, in the order given, and one for the rest. */
export function typeLayers(
  whole: Histogram,
  parts: readonly { type: string; histogram: Histogram | undefined }[],
): TypeLayer[] {
  const layers = parts.map(({ type, histogram }) => ({
    type,
    counts: whole.buckets.map((_, at) => {
      const bucket = histogram?.buckets[at];
      return bucket ? totalOf(bucket) : 0;
    }),
  }));
  // Parts are counted a moment later than the whole, so the newest bar may hold more in parts than in sum.
  const other = whole.buckets.map((bucket, at) =>
    Math.max(0, totalOf(bucket) - layers.reduce((sum, layer) => sum + (layer.counts[at] ?? 0), 0)),
  );
  return [...layers, { type: 'other', counts: other }].filter((layer) => layer.counts.some((n) => n > 0));
}

/** Parts of one bar divided by type, bottom up, within `height` pixels. */
export function stackTypes(
  layers: readonly TypeLayer[],
  at: number,
  most: number,
  height: number,
): { type: string; y: number; height: number }[] {
  const counts = layers.map((layer) => ({ type: layer.type, n: layer.counts[at] ?? 0 }));
  const top = Math.max(
    most,
    counts.reduce((sum, { n }) => sum + n, 0),
  );
  let y = height;
  return counts
    .filter(({ n }) => n > 0)
    .map(({ type, n }) => {
      const part = Math.max(1, (n / top) * height);
      y = Math.max(0, y - part);
      return { type, y, height: part };
    });
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
