/** The native writer behind the WalWriter contract: appends cross as packed bytes, durability comes back as a number. */
import { loadCore, type NativeWal, type NativeWalOptions } from '../../native-addon/index.ts';
import { WalFailedError, WalFullError } from './errors.ts';
import { maxPayload } from './format.ts';
import { packRecord, packedSize, storedSizeOfPacked } from './packed.ts';
import { listSegments } from './segments.ts';
import type { WalChainHead, WalRecordInput, WalState, WalStats, WalWriter } from './types.ts';
import { DurableWaiters } from './waiters.ts';
import { statSync } from 'node:fs';

const STATES: readonly WalState[] = ['ok', 'degraded', 'failed'];
/** Bytes on disk are looked up again after this long. */
const DISK_USE_MS = 5000;

export class NativeWriter implements WalWriter {
  readonly lane: 'security' | 'observability';
  readonly #native: NativeWal;
  readonly #waiters = new DurableWaiters();
  readonly #segmentBytes: number;
  readonly #dir: string;
  #state: WalState = 'ok';
  #scratch = Buffer.alloc(64 * 1024);
  #closed = false;
  #use = { atMs: -Infinity, segments: 0, bytes: 0 };

  /** Throws when the addon is not there. */
  constructor(lane: 'security' | 'observability', options: NativeWalOptions) {
    const core = loadCore();
    if (!core.ok) throw new Error(core.reason);
    this.lane = lane;
    this.#dir = options.dir;
    this.#segmentBytes = options.segmentBytes;
    this.#native = new core.addon.NativeWal(options, () => this.#notified());
  }

  async open(): Promise<void> {
    await this.#native.open();
    this.#native.keepAlive(true);
  }

  append(records: readonly WalRecordInput[], urgent: boolean): number {
    const size = packedSize(records, maxPayload(this.#segmentBytes));
    if (size > this.#scratch.length) this.#scratch = Buffer.alloc(2 * size);
    let at = 0;
    for (const record of records) at = packRecord(this.#scratch, at, record);
    return this.#accepted(this.#native.append(this.#scratch, size, records.length, urgent));
  }

  appendPacked(packed: Uint8Array, count: number, urgent: boolean): number {
    const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
    storedSizeOfPacked(bytes, count, maxPayload(this.#segmentBytes));
    return this.#accepted(this.#native.append(bytes, bytes.length, count, urgent));
  }

  #accepted(seq: number): number {
    if (seq !== 0) return seq;
    const { state, reason, pendingBytes, durableSeq } = this.#native.stats();
    throw state === 2 ? new WalFailedError(reason, durableSeq) : new WalFullError(pendingBytes, reason);
  }

  get durableSeq(): number {
    return this.#native.durable();
  }

  async whenDurable(seq: number): Promise<void> {
    if (seq <= this.durableSeq) return;
    const { state, reason, durableSeq } = this.#native.stats();
    if (state === 2) throw new WalFailedError(reason, durableSeq);
    const waiting = this.#waiters.wait(seq);
    this.#native.waitFor(this.#waiters.lowest());
    // The commit may have ended between the first look and the registration.
    this.#waiters.settle(this.durableSeq);
    await waiting;
  }

  onDurable(listener: (durableSeq: number) => void): () => void {
    const stop = this.#waiters.onDurable(listener);
    this.#native.listen(true);
    return () => {
      stop();
      if (this.#waiters.listenerCount === 0 && !this.#closed) this.#native.listen(false);
    };
  }

  onState(listener: (state: WalState, reason: string) => void): () => void {
    return this.#waiters.onState(listener);
  }

  #notified(): void {
    const durableSeq = this.#native.durable();
    this.#waiters.settle(durableSeq);
    this.#native.waitFor(this.#waiters.lowest());
    this.#waiters.announce(durableSeq);
    const stats = this.#native.stats();
    const state = STATES[stats.state] ?? 'failed';
    if (state === this.#state) return;
    this.#state = state;
    if (state === 'failed') this.#waiters.fail(stats.reason, durableSeq);
    this.#waiters.announceState(state, stats.reason);
  }

  stats(): WalStats {
    const stats = this.#native.stats();
    const use = this.#diskUse();
    return {
      state: STATES[stats.state] ?? 'failed',
      writer: 'native',
      lastSeq: stats.lastSeq,
      durableSeq: stats.durableSeq,
      segments: use.segments,
      bytesOnDisk: use.bytes,
      pendingBytes: stats.pendingBytes,
      commits: stats.commits,
      failedWrites: stats.failedWrites,
      flushP50Us: stats.flushP50Us,
      flushP99Us: stats.flushP99Us,
      reason: stats.reason,
      refusedAppends: stats.refusedAppends,
      refusedRecords: stats.refusedRecords,
      directIo: stats.directIo,
      segmentBytes: this.#segmentBytes,
    };
  }

  #diskUse(): { segments: number; bytes: number } {
    const nowMs = performance.now();
    if (nowMs - this.#use.atMs < DISK_USE_MS) return this.#use;
    const files = listSegments(this.#dir);
    let bytes = 0;
    for (const { path } of files) bytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    this.#use = { atMs: nowMs, segments: files.length, bytes };
    return this.#use;
  }

  chainHead(): WalChainHead {
    return this.#native.head();
  }

  get nativeHandle(): unknown {
    return this.#native.appender();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const ok = await this.#native.close();
    const { durableSeq, reason } = this.#native.stats();
    this.#waiters.settle(durableSeq);
    if (ok) return;
    this.#waiters.fail(reason, durableSeq);
    throw new WalFailedError(reason, durableSeq);
  }
}
