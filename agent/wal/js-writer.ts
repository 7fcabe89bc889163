/**
 * WalWriter in plain JavaScript: the same files and the same rules as the native one (native-addon/src/wal/writer.cc),
 * for machines without the addon and for fault injection. One durable write (write + fdatasync on the thread pool) is
 * in flight at a time.
 */
import { WalError, WalFailedError, WalFullError } from './errors.ts';
import {
  COMMIT_HEAD,
  COMMIT_TARGET_BYTES,
  CommitFlag,
  HEADER_BYTES,
  maxPayload,
  recordBytes,
} from './format.ts';
import { DiskUse } from './disk-use.ts';
import { FlushTimes } from './flush-times.ts';
import { JsSegments } from './js-segments.ts';
import type { ResolvedOptions } from './open.ts';
import { packRecord, packedBytes, packedSize, storedSizeOfPacked } from './packed.ts';
import type { RecoveryPoint } from './recovery.ts';
import { realFs } from './wal-fs.ts';
import {
  type WalChainHead,
  type WalRecordInput,
  type WalState,
  type WalStats,
  type WalWriter,
} from './types.ts';
import { DurableWaiters } from './waiters.ts';

const NOTIFY_EVERY_MS = 20;
const IDLE_MS = 1000;

/** One commit in the making: packed records, numbered from baseSeq. */
export interface Block {
  packed: Buffer;
  used: number;
  count: number;
  /** Bytes of body the records will take. */
  stored: number;
  baseSeq: number;
  urgent: boolean;
}

export class JsWalWriter implements WalWriter {
  readonly lane: 'security' | 'observability';
  readonly #options: ResolvedOptions;
  readonly #segments: JsSegments;
  readonly #waiters = new DurableWaiters();
  readonly #disk: DiskUse;
  readonly #flush = new FlushTimes();
  readonly #bodyLimit: number;
  readonly #ready: Block[] = [];
  #filling: Block | undefined;
  #nextSeq: number;
  #head: WalChainHead;
  #pending = 0;
  #commits = 0;
  #refusedAppends = 0;
  #refusedRecords = 0;
  #running: Promise<void> | undefined;
  #windowTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #notifyTimer: NodeJS.Timeout | undefined;
  #lastNotifyMs = 0;
  #closing: Promise<void> | undefined;

  static async open(options: ResolvedOptions, point: RecoveryPoint): Promise<WalWriter> {
    const writer = new JsWalWriter(options, point);
    await writer.#segments.start();
    return writer;
  }

  private constructor(options: ResolvedOptions, point: RecoveryPoint) {
    this.lane = options.lane;
    this.#options = options;
    this.#disk = new DiskUse(options.dir);
    this.#nextSeq = point.nextSeq;
    this.#head = { seq: point.nextSeq - 1, commitNo: point.nextCommit - 1, chain: point.chain };
    this.#bodyLimit = Math.min(COMMIT_TARGET_BYTES, options.segmentBytes - HEADER_BYTES) - COMMIT_HEAD;
    if (options.onState) this.#waiters.onState(options.onState);
    this.#segments = new JsSegments(options, options.fs ?? realFs, point.nextSegment, (state, reason) =>
      this.#onSegmentState(state, reason),
    );
  }

  append(records: readonly WalRecordInput[], urgent: boolean): number {
    const limit = maxPayload(this.#options.segmentBytes);
    packedSize(records, limit);
    if (records.length === 0) return 0;
    let stored = 0;
    for (const record of records) stored += recordBytes(record.payload.length);
    this.#admit(stored, records.length);
    const first = this.#nextSeq;
    for (const record of records) {
      const block = this.#room(record.payload.length);
      block.used = packRecord(block.packed, block.used, record);
      this.#placed(block, record.payload.length);
    }
    this.#appended(stored, urgent);
    return first;
  }

  appendPacked(packed: Uint8Array, count: number, urgent: boolean): number {
    const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
    const stored = storedSizeOfPacked(bytes, count, maxPayload(this.#options.segmentBytes));
    if (count === 0) return 0;
    this.#admit(stored, count);
    const first = this.#nextSeq;
    for (let at = 0; at < bytes.length;) {
      const length = bytes.readUInt32LE(at);
      const size = packedBytes(length);
      const block = this.#room(length);
      bytes.copy(block.packed, block.used, at, at + size);
      block.used += size;
      this.#placed(block, length);
      at += size;
    }
    this.#appended(stored, urgent);
    return first;
  }

  commitNow(): void {
    if (!this.#filling || this.#segments.state === 'failed') return;
    this.#filling.urgent = true;
    this.#start();
  }

  #admit(stored: number, count: number): void {
    const failed = this.#segments.state === 'failed';
    if (
      !failed &&
      !this.#closing &&
      (this.#pending === 0 || this.#pending + stored <= this.#options.maxPendingBytes)
    ) {
      return;
    }
    this.#refusedAppends++;
    this.#refusedRecords += count;
    if (this.#closing) throw new WalFailedError('closed', this.#head.seq);
    if (failed) throw new WalFailedError(this.#segments.reason, this.#head.seq);
    throw new WalFullError(this.#pending, this.#segments.reason);
  }

  #room(payloadBytes: number): Block {
    const stored = recordBytes(payloadBytes);
    let block = this.#filling;
    if (block !== undefined && block.stored + stored > this.#bodyLimit) {
      this.#ready.push(block);
      block = undefined;
    }
    if (block === undefined) {
      block = {
        packed: Buffer.allocUnsafe(4096),
        used: 0,
        count: 0,
        stored: 0,
        baseSeq: this.#nextSeq,
        urgent: false,
      };
      this.#filling = block;
    }
    const needed = block.used + packedBytes(payloadBytes);
    if (needed > block.packed.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, block.packed.length * 2));
      block.packed.copy(grown, 0, 0, block.used);
      block.packed = grown;
    }
    return block;
  }

  #placed(block: Block, payloadBytes: number): void {
    block.stored += recordBytes(payloadBytes);
    block.count++;
    this.#nextSeq++;
  }

  #appended(stored: number, urgent: boolean): void {
    this.#pending += stored;
    if (urgent && this.#filling) this.#filling.urgent = true;
    if (urgent || this.#ready.length > 0) this.#start();
    else this.#openWindow();
  }

  #openWindow(): void {
    this.#windowTimer ??= setTimeout(() => {
      // Forgotten even if a commit is running: its end then opens the next window for what still waits.
      this.#windowTimer = undefined;
      this.#start();
    }, this.#options.commitWindowMs);
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      // What arrived while the last commit was written, without urgency, gets its window now.
      if (this.#filling && this.#segments.state !== 'failed') this.#openWindow();
    });
  }

  /** Commits until nothing is due. The first pass takes what waits for its window, later ones only what is urgent. */
  async #run(): Promise<void> {
    let due = true;
    for (;;) {
      if (this.#ready.length === 0 && this.#filling && (due || this.#filling.urgent || this.#closing)) {
        this.#ready.push(this.#filling);
        this.#filling = undefined;
        clearTimeout(this.#windowTimer);
        this.#windowTimer = undefined;
      }
      due = false;
      const block = this.#ready.shift();
      if (block === undefined) return;
      if (!(await this.#commit(block, 0))) return;
    }
  }

  async #commit(block: Block | undefined, flags: number): Promise<boolean> {
    const started = performance.now();
    const written = await this.#segments.commit(block, flags, this.#head);
    if (written === undefined) {
      this.#drop();
      return false;
    }
    this.#flush.add((performance.now() - started) * 1000);
    this.#head = written;
    this.#commits++;
    if (block === undefined) return true;
    this.#pending -= block.stored;
    this.#waiters.settle(written.seq);
    this.#announce(block.urgent);
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => this.#writeIdle(), IDLE_MS);
    this.#idleTimer.unref();
    return true;
  }

  #announce(urgent: boolean): void {
    const now = performance.now();
    if (urgent || now - this.#lastNotifyMs >= NOTIFY_EVERY_MS) {
      clearTimeout(this.#notifyTimer);
      this.#notifyTimer = undefined;
      this.#lastNotifyMs = now;
      this.#waiters.announce(this.#head.seq);
      return;
    }
    this.#notifyTimer ??= setTimeout(() => this.#announce(true), NOTIFY_EVERY_MS);
  }

  #writeIdle(): void {
    if (this.#running || this.#filling || this.#closing) return;
    this.#running = this.#commit(undefined, CommitFlag.idle).then(() => {
      this.#running = undefined;
      if (this.#filling) this.#start();
    });
  }

  /** After the log failed: what is pending was never acknowledged and never will be. */
  #drop(): void {
    this.#ready.length = 0;
    this.#filling = undefined;
    this.#pending = 0;
    clearTimeout(this.#windowTimer);
    this.#windowTimer = undefined;
    this.#waiters.fail(this.#segments.reason, this.#head.seq);
  }

  #onSegmentState(state: WalState, reason: string): void {
    if (state === 'failed') this.#drop();
    this.#waiters.announceState(state, reason);
  }

  get durableSeq(): number {
    return this.#head.seq;
  }

  whenDurable(seq: number): Promise<void> {
    if (seq <= this.#head.seq) return Promise.resolve();
    if (this.#closing || this.#segments.state === 'failed') {
      return Promise.reject(new WalFailedError(this.#segments.reason || 'closed', this.#head.seq));
    }
    return this.#waiters.wait(seq);
  }

  onDurable(listener: (durableSeq: number) => void): () => void {
    return this.#waiters.onDurable(listener);
  }

  onState(listener: (state: WalState, reason: string) => void): () => void {
    return this.#waiters.onState(listener);
  }

  stats(): WalStats {
    const [flushP50Us, flushP99Us] = this.#flush.percentiles();
    return {
      state: this.#segments.state,
      reason: this.#segments.reason,
      writer: 'js',
      lastSeq: this.#nextSeq - 1,
      durableSeq: this.#head.seq,
      ...this.#disk.get(),
      pendingBytes: this.#pending,
      commits: this.#commits,
      failedWrites: this.#segments.failedWrites,
      flushP50Us,
      flushP99Us,
      refusedAppends: this.#refusedAppends,
      refusedRecords: this.#refusedRecords,
      directIo: false,
      segmentBytes: this.#options.segmentBytes,
    };
  }

  chainHead(): WalChainHead {
    return this.#head;
  }

  close(): Promise<void> {
    this.#closing ??= Promise.resolve().then(() => this.#close());
    return this.#closing;
  }

  async #settled(): Promise<void> {
    for (let running = this.#running; running !== undefined; running = this.#running) await running;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#windowTimer);
    this.#segments.hurry();
    // A commit in flight may have left something behind it.
    await this.#settled();
    this.#start();
    await this.#settled();
    clearTimeout(this.#windowTimer);
    if (this.#commits > 0 && this.#segments.state !== 'failed')
      await this.#commit(undefined, CommitFlag.cleanClose);
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#notifyTimer);
    this.#waiters.announce(this.#head.seq);
    await this.#segments.close();
    if (this.#segments.state !== 'failed') return;
    const { reason } = this.#segments;
    this.#waiters.fail(reason, this.#head.seq);
    throw this.#nextSeq - 1 === this.#head.seq
      ? new WalError(`the log was not closed cleanly (${reason}); no record was lost`)
      : new WalFailedError(reason, this.#head.seq);
  }
}
