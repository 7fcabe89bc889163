/** Median and p99 of the last 512 durable writes, in microseconds. */
export class FlushTimes {
  readonly #samples: number[] = [];
  #at = 0;

  add(microseconds: number): void {
    this.#samples[this.#at++ % 512] = microseconds;
  }

  /** [p50, p99]; zeros before the first write. */
  percentiles(): [number, number] {
    const sorted = this.#samples.toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0;
    return [at(0.5), at(0.99)];
  }
}
