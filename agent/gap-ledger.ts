/**
 * Every hole in the record ends up here and leaves as a signed gap record of the security lane. The first loss
 * is written at once (an agent that is killed can no longer state it), further ones of its kind within a second become
 * one gap. While the security log cannot take them, they are kept (merged by kind, so
 * memory is bounded by the number of kinds) and written as soon as it can.
 */
import { gapRecord } from './audit/gap.ts';
import type { GapInfo } from './event.ts';
import type { Identity } from './identity/identity.ts';
import type { WalWriter } from './wal/types.ts';

const FLUSH_MS = 1000;
/** Losses found together (one for each CPU) are written together. */
const GATHER_MS = 20;
const MAX_KINDS = 4096;

export class GapLedger {
  /** Gaps written since start. */
  written = 0;
  readonly #identity: Identity;
  readonly #writer: WalWriter;
  readonly #nowNs: () => bigint;
  readonly #onFailure: (error: unknown) => void;
  readonly #pending = new Map<string, GapInfo>();
  #timer: NodeJS.Timeout | undefined;
  #flushedMs = -FLUSH_MS;

  constructor(options: {
    identity: Identity;
    writer: WalWriter;
    nowNs: () => bigint;
    onFailure: (error: unknown) => void;
  }) {
    this.#identity = options.identity;
    this.#writer = options.writer;
    this.#nowNs = options.nowNs;
    this.#onFailure = options.onFailure;
  }

  /** States a gap; it is written within a second. */
  record(gap: GapInfo): void {
    let key = [gap.lane, gap.cause, gap.hook, gap.cpu, gap.detail, gap.fromSeq].join('\0');
    if (!this.#pending.has(key) && this.#pending.size >= MAX_KINDS) key = `${gap.lane}\0${gap.cause}`;
    const known = this.#pending.get(key);
    if (known) {
      known.count =
        known.count === undefined || gap.count === undefined ? undefined : known.count + gap.count;
      if (gap.fromNs < known.fromNs) known.fromNs = gap.fromNs;
      if (gap.toNs > known.toNs) known.toNs = gap.toNs;
    } else this.#pending.set(key, { ...gap });
    this.#timer ??= setTimeout(
      () => this.flush(),
      Math.max(GATHER_MS, this.#flushedMs + FLUSH_MS - performance.now()),
    );
  }

  /** Gaps stated and not yet accepted by the log. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Writes what is pending now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending.size === 0) return;
    this.#flushedMs = performance.now();
    const nowNs = this.#nowNs();
    const records = [...this.#pending.values()].map((gap) => gapRecord(gap, this.#identity, nowNs));
    try {
      this.#writer.append(records, true);
      this.written += records.length;
      this.#pending.clear();
    } catch (error) {
      this.#onFailure(error);
      this.#timer = setTimeout(() => this.flush(), FLUSH_MS);
      this.#timer.unref();
    }
  }
}
