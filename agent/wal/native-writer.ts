/** WalWriter over the addon's writer thread. Everything that matters happens in native-addon/src/wal/writer.cc. */
import type { CoreAddon } from '../../native-addon/index.ts';
import type { NativeWal, NativeWalStats } from '../../native-addon/wal.ts';
import { WalError, WalFailedError, WalFullError } from './errors.ts';
import { maxPayload } from './format.ts';
import type { ResolvedOptions } from './open.ts';
import { packRecord, packedSize, storedSizeOfPacked } from './packed.ts';
import type { RecoveryPoint } from './recovery.ts';
import { DiskUse } from './disk-use.ts';
import {
  type WalChainHead,
  type WalRecordInput,
  type WalState,
  WalStates,
  type WalStats,
  type WalWriter,
} from './types.ts';
import { DurableWaiters } from './waiters.ts';

const KEEP_PACK_BYTES = 256 * 1024;

export class NativeWalWriter implements WalWriter {
  readonly lane: 'security' | 'observability';
  readonly nativeHandle: unknown;
  readonly #options: ResolvedOptions;
  readonly #native: NativeWal;
  readonly #waiters = new DurableWaiters();
  #pack: Buffer = Buffer.allocUnsafe(16 * 1024);
  #announced = 0;
  #state: WalState = 'ok';
  #reason = '';
  #stateChanges = 0;
  readonly #disk: DiskUse;
  #closing: Promise<void> | undefined;

  static async open(addon: CoreAddon, options: ResolvedOptions, point: RecoveryPoint): Promise<WalWriter> {
    const writer = new NativeWalWriter(addon, options, point);
    await writer.#native.open();
    return writer;
  }

  private constructor(addon: CoreAddon, options: ResolvedOptions, point: RecoveryPoint) {
    this.lane = options.lane;
    this.#options = options;
    this.#announced = point.nextSeq - 1;
    this.#disk = new DiskUse(options.dir);
    if (options.onState) this.#waiters.onState(options.onState);
    this.#native = new addon.NativeWal(
      {
        dir: options.dir,
        deviceId: options.deviceId,
        lane: options.lane === 'security' ? 1 : 2,
        epoch: options.epoch,
        segmentBytes: options.segmentBytes,
        maxSegmentAgeMs: options.maxSegmentAgeMs,
        commitWindowMs: options.commitWindowMs,
        maxPendingBytes: options.maxPendingBytes,
        minFreeBytes: options.minFreeBytes,
        directIo: options.directIo ?? true,
        segment: point.nextSegment,
        nextSeq: point.nextSeq,
        nextCommit: point.nextCommit,
        chain: point.chain,
      },
      () => this.#onSignal(),
    );
    this.nativeHandle = this.#native.appender();
  }

  append(records: readonly WalRecordInput[], urgent: boolean): number {
    const limit = maxPayload(this.#options.segmentBytes);
    const bytes = packedSize(records, limit);
    if (records.length === 0) return 0;
    if (bytes > this.#pack.length) this.#pack = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (let index = 0; index < records.length; index++) {
      at = packRecord(this.#pack, at, records[index] as WalRecordInput);
    }
    const first = this.#native.append(this.#pack, bytes, records.length, urgent);
    if (this.#pack.length > KEEP_PACK_BYTES) this.#pack = Buffer.allocUnsafe(KEEP_PACK_BYTES);
    return first > 0 ? first : this.#refused();
  }

  appendPacked(packed: Uint8Array, count: number, urgent: boolean): number {
    const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
    storedSizeOfPacked(bytes, count, maxPayload(this.#options.segmentBytes));
    if (count === 0) return 0;
    const first = this.#native.append(bytes, bytes.length, count, urgent);
    return first > 0 ? first : this.#refused();
  }

  commitNow(): void {
    this.#native.append(this.#pack, 0, 0, true);
  }

  #refused(): never {
    const stats = this.#native.stats();
    if (this.#closing !== undefined) throw new WalFailedError('closed', stats.durableSeq);
    if (stats.state === 2) throw new WalFailedError(stats.reason, stats.durableSeq);
    throw new WalFullError(stats.pendingBytes, stats.reason);
  }

  get durableSeq(): number {
    return this.#native.durable();
  }

  whenDurable(seq: number): Promise<void> {
    const durable = this.#native.durable();
    if (seq <= durable) return Promise.resolve();
    if (this.#closing !== undefined || this.#state === 'failed') {
      return Promise.reject(new WalFailedError(this.#reason || 'closed', durable));
    }
    const promise = this.#waiters.wait(seq);
    this.#setWaiting();
    // The commit may have happened between the first look and the registration.
    if (this.#native.durable() >= this.#waiters.lowest()) this.#onSignal();
    return promise;
  }

  #setWaiting(): void {
    const lowest = this.#waiters.lowest();
    this.#native.waitFor(lowest);
    this.#native.keepAlive(lowest > 0);
  }

  #onSignal(): void {
    const durable = this.#native.durable();
    const hadWaiters = this.#waiters.lowest() > 0;
    this.#waiters.settle(durable);
    if (hadWaiters) this.#setWaiting();
    if (durable > this.#announced) {
      this.#announced = durable;
      this.#waiters.announce(durable);
    }
    const changes = this.#native.stateChanges();
    if (changes === this.#stateChanges) return;
    this.#stateChanges = changes;
    this.#noteState(this.#native.stats());
  }

  #noteState(stats: NativeWalStats): void {
    const state = WalStates[stats.state] ?? 'failed';
    if (state === this.#state && stats.reason === this.#reason) return;
    this.#state = state;
    this.#reason = stats.reason;
    if (state === 'failed') {
      this.#waiters.fail(stats.reason, stats.durableSeq);
      this.#setWaiting();
    }
    this.#waiters.announceState(state, stats.reason);
  }

  onDurable(listener: (durableSeq: number) => void): () => void {
    const remove = this.#waiters.onDurable(listener);
    this.#native.listen(true);
    return () => {
      remove();
      this.#native.listen(this.#waiters.listenerCount > 0);
    };
  }

  onState(listener: (state: WalState, reason: string) => void): () => void {
    return this.#waiters.onState(listener);
  }

  stats(): WalStats {
    const stats = this.#native.stats();
    return {
      state: WalStates[stats.state] ?? 'failed',
      reason: stats.reason,
      writer: 'native',
      lastSeq: stats.lastSeq,
      durableSeq: stats.durableSeq,
      ...this.#disk.get(),
      pendingBytes: stats.pendingBytes,
      commits: stats.commits,
      failedWrites: stats.failedWrites,
      flushP50Us: stats.flushP50Us,
      flushP99Us: stats.flushP99Us,
      refusedAppends: stats.refusedAppends,
      refusedRecords: stats.refusedRecords,
      directIo: stats.directIo,
      segmentBytes: this.#options.segmentBytes,
    };
  }

  chainHead(): WalChainHead {
    return this.#native.head();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const ok = await this.#native.close();
    this.#onSignal();
    if (ok) return;
    const stats = this.#native.stats();
    const reason = stats.reason || 'closed';
    this.#waiters.fail(reason, stats.durableSeq);
    throw stats.lastSeq === stats.durableSeq
      ? new WalError(`the log was not closed cleanly (${reason}); no record was lost`)
      : new WalFailedError(reason, stats.durableSeq);
  }
}
