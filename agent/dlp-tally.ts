/** What was looked at, what came of it, what it cost, and what was left out. */
import { DlpSkips, type SkipReason } from './dlp-skips.ts';
import type { Looked } from './dlp/looker.ts';
import type { FileVerdict } from './dlp/types.ts';
import type { SentinelEvent } from './event.ts';

export class DlpTally {
  readonly totals = {
    seen: 0,
    looked: 0,
    clean: 0,
    matched: 0,
    unscannable: 0,
    gone: 0,
    skipped: 0,
    cached: 0,
  };
  /** What looking costs, and when it was done last (ns since the epoch; 0: not yet). What the cache knew costs nothing. */
  readonly cost = { bytes: 0, tookMs: 0, lastLookNs: 0n, lastSkippedNs: 0n };
  readonly #skips: DlpSkips;
  readonly #nowNs: () => bigint;

  constructor(submit: (event: SentinelEvent) => number, nowNs: () => bigint) {
    this.#skips = new DlpSkips(submit, nowNs);
    this.#nowNs = nowNs;
  }

  /** What a look cost, whoever asked for it. */
  spent({ verdict, cached }: Pick<Looked, 'verdict' | 'cached'>): void {
    this.cost.lastLookNs = this.#nowNs();
    if (cached) return;
    this.cost.bytes += verdict.bytes;
    this.cost.tookMs += verdict.tookMs;
  }

  /** What came of a file that went where data leaves. */
  came(verdict: FileVerdict['verdict']): void {
    if (verdict === 'clean') this.totals.clean += 1;
    else if (verdict === 'match') this.totals.matched += 1;
    else this.totals.unscannable += 1;
  }

  skip(destination: string, reason: SkipReason): void {
    if (reason !== 'gone') {
      this.totals.skipped += 1;
      this.cost.lastSkippedNs = this.#nowNs();
    }
    this.#skips.add(destination, reason);
  }

  /** Puts what was left out on record, at most every few seconds unless it has to be now. */
  stateSkips(now = false): void {
    this.#skips.state(now);
  }
}
