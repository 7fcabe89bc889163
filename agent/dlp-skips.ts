/** Files that were not looked at: counted by destination and reason, and put on record every few seconds. */
import { skippedEvent } from './dlp-events.ts';
import type { SentinelEvent } from './event.ts';

export type SkipReason = 'queue_full' | 'gone' | 'failed' | 'too_many_files';

const STATED_MS = 5000;

export class DlpSkips {
  readonly #submit: (event: SentinelEvent) => number;
  readonly #nowNs: () => bigint;
  readonly #counts = new Map<SkipReason, Map<string, number>>();
  #fromNs = 0n;
  #statedMs = Number.NEGATIVE_INFINITY;

  constructor(submit: (event: SentinelEvent) => number, nowNs: () => bigint) {
    this.#submit = submit;
    this.#nowNs = nowNs;
  }

  add(destination: string, reason: SkipReason): void {
    if (this.#counts.size === 0) this.#fromNs = this.#nowNs();
    let counts = this.#counts.get(reason);
    if (counts === undefined) this.#counts.set(reason, (counts = new Map<string, number>()));
    counts.set(destination, (counts.get(destination) ?? 0) + 1);
  }

  /** At most every STATED_MS, unless it has to be now. */
  state(now = false): void {
    if (this.#counts.size === 0) return;
    const nowMs = performance.now();
    if (!now && nowMs - this.#statedMs < STATED_MS) return;
    this.#statedMs = nowMs;
    for (const [reason, counts] of this.#counts)
      this.#submit(skippedEvent(reason, counts, this.#fromNs, this.#nowNs()));
    this.#counts.clear();
  }
}
