/**
 * Latency percentiles over the last one to two minutes in constant memory: log-linear buckets (16 per doubling, so
 * within 6 % of the true value), in microseconds, as HdrHistogram does it.
 */
const SUB_BITS = 4;
const SUB = 1 << SUB_BITS;
const BUCKETS = SUB * 32;
const WINDOW_MS = 60_000;

export class LatencyHistogram {
  #current = new Uint32Array(BUCKETS);
  #previous = new Uint32Array(BUCKETS);
  #switchedMs: number;
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#switchedMs = nowMs();
  }

  /** Records one latency; negative values (clock steps) count as 0. */
  record(us: number): void {
    const value = us < 0 ? 0 : us > 0x7fffffff ? 0x7fffffff : us | 0;
    let index = value;
    if (value >= SUB) {
      const exponent = 31 - Math.clz32(value);
      index = (exponent - SUB_BITS + 1) * SUB + ((value >>> (exponent - SUB_BITS)) & (SUB - 1));
    }
    this.#current[index] = (this.#current[index] ?? 0) + 1;
  }

  #rotate(): void {
    const elapsed = this.#nowMs() - this.#switchedMs;
    if (elapsed < WINDOW_MS) return;
    const spare = this.#previous;
    this.#previous = this.#current;
    this.#current = spare.fill(0);
    if (elapsed >= 2 * WINDOW_MS) this.#previous.fill(0);
    this.#switchedMs = this.#nowMs();
  }

  /** Microseconds below which the given shares of the recent values lie; zeros when there are none. */
  percentiles(): { p50Us: number; p99Us: number; count: number } {
    this.#rotate();
    let count = 0;
    for (let i = 0; i < BUCKETS; i++) count += (this.#current[i] ?? 0) + (this.#previous[i] ?? 0);
    return { p50Us: this.#at(count * 0.5), p99Us: this.#at(count * 0.99), count };
  }

  #at(rank: number): number {
    if (rank <= 0) return 0;
    let seen = 0;
    for (let i = 0; i < BUCKETS; i++) {
      seen += (this.#current[i] ?? 0) + (this.#previous[i] ?? 0);
      if (seen >= rank) return upperEdge(i);
    }
    return 0;
  }
}

function upperEdge(index: number): number {
  if (index < SUB) return index;
  const exponent = Math.floor(index / SUB) + SUB_BITS - 1;
  const fraction = index % SUB;
  return (SUB + fraction + 1) * 2 ** (exponent - SUB_BITS) - 1;
}
