/**
 * The security lane: everything goes straight to the log, nothing is buffered, sampled, imputed or dropped here. What
 * it adds is the gate between durability and release: a verdict computed beside the flush is let go once its record
 * is durable, or at the deadline, and then it says that it ran ahead of its record.
 *
 * If the log fails or its disk falls hopelessly behind, records cannot be kept and memory must stay bounded, so they are counted with the span of time
 * they cover, an alarm is raised once, and the gap is handed over as soon as a log takes records again.
 *
 * Invariants: every release calls back exactly once, in order of release among those with the same fate; a pending
 * release is at most `deadlineMs` old. Timers come late, so they are set earlier by what the clock says of itself.
 */
import { WalFullError } from '../wal/errors.ts';
import { RecordFlag, type WalRecordInput, type WalWriter } from '../wal/types.ts';
import { type LaneClock, systemClock } from './clock.ts';

export interface ReleaseOutcome {
  /** True when the deadline came before the disk: the decision takes effect, its record is not yet durable. */
  aheadOfRecord: boolean;
  waitedUs: number;
}

/** What the log could not take while it had failed. */
export interface UnrecordedGap {
  /** wal_failed: it stopped for good; wal_full: the disk is so far behind that its bound on waiting bytes is reached. */
  cause: 'wal_failed' | 'wal_full';
  count: number;
  fromNs: bigint;
  toNs: bigint;
}

export interface SecurityLaneOptions {
  /** Longest wait for the disk. Default 8. */
  deadlineMs?: number;
  clock?: LaneClock;
  /** The log takes nothing: records are being lost. Called once until it takes records again. */
  onAlarm: (error: Error) => void;
  /** A log takes records again: append this gap to it. */
  onGap: (gap: UnrecordedGap) => void;
}

export interface SecurityLaneStats {
  appended: number;
  /** Records the log refused, ever. */
  unrecorded: number;
  released: number;
  aheadOfRecord: number;
  pending: number;
  maxWaitedUs: number;
  failed: boolean;
}

/** Imputed data offered to the lane that must hold only what was observed: a fault in the caller. */
export class SyntheticRecordError extends Error {
  constructor(type: number) {
    super(
      `a synthetic record (type ${type}) was offered to the security lane; imputation belongs to the ` +
        'observability lane only',
    );
    this.name = 'SyntheticRecordError';
  }
}

class Pending {
  readonly seq: number;
  readonly startMs: number;
  readonly callback: (outcome: ReleaseOutcome, token: unknown) => void;
  readonly token: unknown;

  constructor(
    seq: number,
    startMs: number,
    callback: (outcome: ReleaseOutcome, token: unknown) => void,
    token: unknown,
  ) {
    this.seq = seq;
    this.startMs = startMs;
    this.callback = callback;
    this.token = token;
  }
}

export class SecurityLane {
  private writer: WalWriter;
  /** When the timer is set for, and the least age at which an entry is not worth another timer. */
  private readonly timerMs: number;
  private readonly dueMs: number;
  private readonly clock: LaneClock;
  private readonly onAlarm: (error: Error) => void;
  private readonly onGap: (gap: UnrecordedGap) => void;
  private stopListening: () => void;
  /** Ring in order of release, so deadlines ascend. A settled entry in its middle is undefined. */
  private ring: (Pending | undefined)[] = Array.from<Pending | undefined>({ length: 64 });
  private head = 0;
  private size = 0;
  /** Entries of the ring that still wait. */
  private waiting = 0;
  private lastSeq = 0;
  /** False once a release came with a smaller seq than one before it; true again when nothing waits. */
  private ascending = true;
  private cancelTimer: (() => void) | undefined;
  private appended = 0;
  private released = 0;
  private aheadOfRecord = 0;
  private maxWaitedUs = 0;
  private failed = false;
  private unrecorded = 0;
  private gapCause: UnrecordedGap['cause'] = 'wal_failed';
  private gapCount = 0;
  private gapFromNs = 0n;
  private gapToNs = 0n;

  constructor(writer: WalWriter, options: SecurityLaneOptions) {
    this.writer = writer;
    this.clock = options.clock ?? systemClock;
    const deadlineMs = options.deadlineMs ?? 8;
    const toleranceMs = Math.min(this.clock.toleranceMs ?? 0, deadlineMs / 2);
    this.timerMs = deadlineMs - toleranceMs;
    this.dueMs = this.timerMs - toleranceMs / 2;
    this.onAlarm = options.onAlarm;
    this.onGap = options.onGap;
    this.stopListening = writer.onDurable((durableSeq) => this.onDurable(durableSeq));
  }

  /**
   * Appends records and returns the sequence number of the first, or 0 when the log has failed and they are counted as
   * a gap instead. `urgent` commits at once. Throws SyntheticRecordError.
   */
  append(records: readonly WalRecordInput[], urgent: boolean): number {
    for (const record of records) {
      if (((record.flags ?? 0) & RecordFlag.synthetic) !== 0) throw new SyntheticRecordError(record.type);
    }
    let seq: number;
    try {
      seq = this.writer.append(records, urgent);
    } catch (error) {
      this.gapCause = error instanceof WalFullError ? 'wal_full' : 'wal_failed';
      for (const record of records) this.countUnrecorded(1, record.wallNs, record.wallNs);
      this.fail(error as Error);
      return 0;
    }
    this.appended += records.length;
    if (this.failed || this.gapCount > 0) this.recover();
    return seq;
  }

  /** Records that someone else (the native reader) could not append because the log has failed. */
  countUnrecorded(count: number, fromNs: bigint, toNs: bigint): void {
    if (this.gapCount === 0 || fromNs < this.gapFromNs) this.gapFromNs = fromNs;
    if (this.gapCount === 0 || toNs > this.gapToNs) this.gapToNs = toNs;
    this.gapCount += count;
    this.unrecorded += count;
  }

  /**
   * Calls back once `seq` is durable or the deadline has passed, whichever is first; at once, before it returns, when
   * the record is durable already or (seq 0) will never be. `token` is handed through, so that callers need no closure.
   */
  release<T>(seq: number, callback: (outcome: ReleaseOutcome, token: T) => void, token: T): void {
    if (seq === 0 || seq <= this.writer.durableSeq) {
      this.finish(callback as Pending['callback'], token, 0, seq === 0);
      return;
    }
    if (this.size === this.ring.length) this.grow();
    if (this.waiting === 0) this.ascending = true;
    else if (seq < this.lastSeq) this.ascending = false;
    this.lastSeq = seq;
    const entry = new Pending(seq, this.clock.monoMs(), callback as Pending['callback'], token);
    this.ring[(this.head + this.size) & (this.ring.length - 1)] = entry;
    this.size += 1;
    this.waiting += 1;
    this.cancelTimer ??= this.clock.after(this.timerMs, () => this.onTimer());
  }

  /** Continues on another log after a failure; the gap is handed over with the first record it takes. */
  resume(writer: WalWriter): void {
    this.stopListening();
    // Sequence numbers of the failed log say nothing about this one.
    this.settle(() => true, true);
    this.writer = writer;
    this.stopListening = writer.onDurable((durableSeq) => this.onDurable(durableSeq));
  }

  /** Releases what waits (ahead of its record if it is not durable) and stops listening. The log stays open. */
  close(): void {
    this.onDurable(this.writer.durableSeq);
    this.settle(() => true, true);
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.stopListening();
  }

  stats(): SecurityLaneStats {
    return {
      appended: this.appended,
      unrecorded: this.unrecorded,
      released: this.released,
      aheadOfRecord: this.aheadOfRecord,
      pending: this.waiting,
      maxWaitedUs: this.maxWaitedUs,
      failed: this.failed,
    };
  }

  private onDurable(durableSeq: number): void {
    if (this.waiting === 0) return;
    if (!this.ascending) {
      this.settle((entry) => entry.seq <= durableSeq, false);
      return;
    }
    const nowMs = this.clock.monoMs();
    while (this.size > 0) {
      const entry = this.ring[this.head];
      if (entry !== undefined && entry.seq > durableSeq) return;
      this.pop();
      if (entry !== undefined) {
        this.waiting -= 1;
        this.finish(entry.callback, entry.token, nowMs - entry.startMs, false);
      }
    }
  }

  private onTimer(): void {
    this.cancelTimer = undefined;
    // The loop may have been busy while the disk was not.
    this.onDurable(this.writer.durableSeq);
    const nowMs = this.clock.monoMs();
    while (this.size > 0) {
      const entry = this.ring[this.head];
      if (entry !== undefined && nowMs - entry.startMs < this.dueMs) {
        const left = this.timerMs - (nowMs - entry.startMs);
        this.cancelTimer ??= this.clock.after(left, () => this.onTimer());
        return;
      }
      this.pop();
      if (entry !== undefined) {
        this.waiting -= 1;
        this.finish(entry.callback, entry.token, nowMs - entry.startMs, true);
      }
    }
  }

  /** Finishes every waiting entry that `which` picks, wherever it is in the ring. */
  private settle(which: (entry: Pending) => boolean, ahead: boolean): void {
    const nowMs = this.clock.monoMs();
    const mask = this.ring.length - 1;
    const done: Pending[] = [];
    for (let i = 0; i < this.size; i += 1) {
      const at = (this.head + i) & mask;
      const entry = this.ring[at];
      if (entry === undefined || !which(entry)) continue;
      this.ring[at] = undefined;
      this.waiting -= 1;
      done.push(entry);
    }
    while (this.size > 0 && this.ring[this.head] === undefined) this.pop();
    for (const entry of done) this.finish(entry.callback, entry.token, nowMs - entry.startMs, ahead);
  }

  private pop(): void {
    this.ring[this.head] = undefined;
    this.head = (this.head + 1) & (this.ring.length - 1);
    this.size -= 1;
  }

  private finish(callback: Pending['callback'], token: unknown, waitedMs: number, ahead: boolean): void {
    const waitedUs = waitedMs * 1000;
    this.released += 1;
    if (ahead) this.aheadOfRecord += 1;
    if (waitedUs > this.maxWaitedUs) this.maxWaitedUs = waitedUs;
    callback({ aheadOfRecord: ahead, waitedUs }, token);
  }

  private fail(error: Error): void {
    if (this.failed) return;
    this.failed = true;
    this.onAlarm(error);
  }

  private recover(): void {
    this.failed = false;
    if (this.gapCount === 0) return;
    const gap: UnrecordedGap = {
      cause: this.gapCause,
      count: this.gapCount,
      fromNs: this.gapFromNs,
      toNs: this.gapToNs,
    };
    this.gapCount = 0;
    this.onGap(gap);
  }

  private grow(): void {
    const old = this.ring;
    const ring = Array.from<Pending | undefined>({ length: old.length * 2 });
    for (let i = 0; i < this.size; i += 1) ring[i] = old[(this.head + i) & (old.length - 1)];
    this.ring = ring;
    this.head = 0;
  }
}
