/**
 * Filling in samples that were due and did not come (a stalled loop, a suspended machine), for streams that ask for
 * it. What is filled in is marked synthetic and was never measured; a hole longer than the cap is left as it is,
 * because a straight line over it would claim knowledge nobody has.
 */

export interface Imputation {
  /** The stream's sampling interval. */
  intervalMs: number;
  /** Longest hole that is filled, in samples. */
  maxPerGap: number;
  /**
   * Payload of the sample at `tsNs`, `fraction` (0 to 1) of the way between two measured ones. It must mark itself
   * synthetic; undefined to leave the hole.
   */
  interpolate(before: Uint8Array, after: Uint8Array, fraction: number, tsNs: bigint): Uint8Array | undefined;
}

export interface ImputedSample {
  tsNs: bigint;
  payload: Uint8Array;
}

/** A hole counts from 1.5 intervals on, so that an ordinary late timer is not one. */
const HOLE_FROM_INTERVALS = 1.5;
/** No configuration may fill more than this. */
const MAX_PER_GAP = 60;

export class Imputer {
  readonly rules: Imputation;
  /** Holes too long to fill. */
  refused = 0;
  private lastNs: bigint | undefined;
  private last: Uint8Array = new Uint8Array(0);

  constructor(rules: Imputation) {
    this.rules = rules;
  }

  /** Takes note of a measured sample and returns those missing before it, oldest first. */
  missingBefore(tsNs: bigint, payload: Uint8Array): ImputedSample[] {
    const from = this.lastNs;
    const before = this.last;
    if (from !== undefined && tsNs <= from) return [];
    this.lastNs = tsNs;
    this.last = Uint8Array.from(payload);
    if (from === undefined) return [];
    const { intervalMs, maxPerGap } = this.rules;
    const intervals = Number(tsNs - from) / (intervalMs * 1e6);
    if (intervals < HOLE_FROM_INTERVALS) return [];
    const missing = Math.round(intervals) - 1;
    if (missing > Math.min(maxPerGap, MAX_PER_GAP)) {
      this.refused += 1;
      return [];
    }
    const samples: ImputedSample[] = [];
    for (let i = 1; i <= missing; i += 1) {
      const fraction = i / (missing + 1);
      const at = from + BigInt(Math.round(Number(tsNs - from) * fraction));
      const made = this.rules.interpolate(before, payload, fraction, at);
      if (made !== undefined) samples.push({ tsNs: at, payload: made });
    }
    return samples;
  }
}
