/**
 * The observability lane: metrics, logs and ordinary file, network and DNS records on their way to their log.
 *
 *   offer -> admit (overload) -> hold (reorder window) -> release in batches -> log
 *
 * Promises, for every input:
 * - what is held costs at most `maxBufferBytes`;
 * - offered + synthetic = written + dropped + held, and every dropped record is counted by cause, level and stream and
 *   reported through `onShed`, once for each of these and `reportMs`;
 * - under pressure debug goes first, then info, and no info goes while a debug record is held; warn and error are never
 *   shed: they are lost, and reported, only if the log has failed, if it takes nothing more while the buffer is full of
 *   nothing but them, or if they exceed `maxRecordBytes`;
 * - within a stream records are written in order of time, or marked late; a record from a clock that runs ahead of
 *   this machine by more than the window is marked so and does not make others late;
 * - no record is held longer than `maxBatchMs`, as far as timers fire; no batch has more than `maxBatchRecords`
 *   records, nor more than `maxBatchBytes` unless it is a single record;
 * - imputed records exist only in streams that asked for them and carry RecordFlag.synthetic.
 *
 * PASSTHROUGH (95 %): what is held is written at once, in order; from then on warn and error are written straight
 * through, without window or batch, and the rest is shed. Where the log takes nothing (its own bound on what waits for
 * the disk is reached), records stay held until it does; `maxBatchMs` cannot be kept then. The level counts what the lane holds and what the log has
 * taken but not made durable, so that a slow disk shows here and not as memory of the writer.
 */
import { RecordFlag, type WalWriter } from '../wal/types.ts';
import { BatchWriter } from './batch-writer.ts';
import { type LaneClock, systemClock } from './clock.ts';
import { RateForecast } from './forecast.ts';
import { costOf, DEBUG, HeldRecords, INFO, relativeTo, WARN } from './held-records.ts';
import { type Imputation, Imputer } from './imputation.ts';
import { NORMAL, Overload, OVERLOAD_STATES, PASSTHROUGH, SHED_DEBUG } from './overload.ts';
import { type Level, type ShedCause, ShedLedger, type ShedReport } from './shed-ledger.ts';
import {
  type LaneBatch,
  type LaneRecord,
  MAX_STREAMS,
  type ObservabilityLaneOptions,
  type ObservabilityLaneStats,
  SKIP,
} from './types.ts';

const LEVEL_INDEX: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const NS_PER_MS = 1e6;

// One time in two 32-bit halves, without bigint arithmetic. All supported platforms are little-endian.
const time64 = new BigUint64Array(1);
const time32 = new Uint32Array(time64.buffer);

export class ObservabilityLane {
  private readonly writer: WalWriter;
  private readonly clock: LaneClock;
  private readonly onShed: (report: ShedReport) => void;
  private readonly maxBatchRecords: number;
  private readonly maxBatchBytes: number;
  private readonly maxBatchMs: number;
  private readonly maxRecordBytes: number;
  private readonly reportMs: number;
  private readonly tickMs: number;
  private readonly reorderNs: number;
  private readonly baseMs: number;
  private readonly baseLow: number;
  private readonly baseHigh: number;
  private readonly held = new HeldRecords();
  private readonly overload: Overload;
  private readonly forecast = new RateForecast();
  private readonly ledger: ShedLedger;
  private readonly out: BatchWriter;
  private readonly streamIds = new Map<string, number>();
  private readonly streamNames: string[] = [];
  private readonly imputers: (Imputer | undefined)[] = [];
  private readonly stopListening: () => void;
  private cancelTimer: (() => void) | undefined;
  private batchSize = 1;
  /** A full batch is looked for when this much is held; the records may not be ripe then, so it moves on. */
  private nextFlushRecords: number;
  private nextFlushBytes: number;
  private arrivals = 0;
  private lastTickMs: number;
  private lastReportMs: number;
  private offered = 0;
  private clockAhead = 0;
  private synthetic = 0;
  private closed = false;

  constructor(writer: WalWriter, options: ObservabilityLaneOptions) {
    this.writer = writer;
    this.clock = options.clock ?? systemClock;
    this.onShed = options.onShed;
    this.maxBatchRecords = options.maxBatchRecords ?? 4096;
    this.maxBatchBytes = options.maxBatchBytes ?? 1024 * 1024;
    this.maxBatchMs = options.maxBatchMs ?? 200;
    this.reportMs = options.reportMs ?? 1000;
    const reorderMs = Math.min(options.reorderMs ?? 50, this.maxBatchMs * 0.4);
    this.reorderNs = reorderMs * NS_PER_MS;
    // A record is ripe at most two windows after it came, and a tick sees it at most one tick later.
    this.tickMs = Math.max(1, Math.floor(this.maxBatchMs - 2 * reorderMs));
    const maxBufferBytes = options.maxBufferBytes ?? 16 * 1024 * 1024;
    this.maxRecordBytes = Math.min(options.maxRecordBytes ?? 1024 * 1024, maxBufferBytes / 4);
    this.overload = new Overload(maxBufferBytes);
    this.nextFlushRecords = this.maxBatchRecords;
    this.nextFlushBytes = this.maxBatchBytes;
    this.baseMs = Math.floor(this.clock.wallMs());
    const baseNs = BigInt(this.baseMs) * 1_000_000n;
    time64[0] = baseNs;
    this.baseLow = time32[0] ?? 0;
    this.baseHigh = time32[1] ?? 0;
    this.ledger = new ShedLedger(baseNs, (stream) => this.streamNames[stream] ?? 'other');
    const held = this.held;
    this.out = new BatchWriter(
      writer,
      held,
      {
        maxBatchRecords: this.maxBatchRecords,
        maxBatchBytes: this.maxBatchBytes,
        urgentBytes: this.overload.calmBytes,
        streams: MAX_STREAMS + 1,
      },
      (index) =>
        this.drop('wal_failed', held.level[index] ?? INFO, held.stream[index] ?? 0, held.rel[index] ?? 0),
    );
    this.lastTickMs = this.clock.monoMs();
    this.lastReportMs = this.lastTickMs;
    this.stopListening = writer.onDurable((durableSeq) => this.onDurable(durableSeq));
  }

  /** Lets missing samples of a stream be filled in. For regularly sampled streams only. */
  allowImputation(stream: string, imputation: Imputation): void {
    this.imputers[this.streamId(stream)] = new Imputer(imputation);
  }

  /** Takes one record. False if it was dropped (and counted). */
  offer(record: LaneRecord): boolean {
    const stream = this.streamId(record.stream);
    this.offered += 1;
    const imputer = this.imputers[stream];
    if (imputer !== undefined) this.impute(imputer, stream, record);
    const kept = this.take(stream, LEVEL_INDEX[record.level], record.tsNs, record, record.bytes, 0);
    this.arm();
    return kept;
  }

  /** Takes the records of a native batch; returns how many were kept. The rest was dropped and counted. */
  offerBatch(batch: LaneBatch): number {
    const stream = this.streamId(batch.stream);
    const { bytes, offsets, count, levels, type, schema, tsAt, cpuAt } = batch;
    const level = LEVEL_INDEX[batch.level];
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    time64[0] = batch.wallOffsetNs;
    const addLow = time32[0] ?? 0;
    const addHigh = time32[1] ?? 0;
    const nowMs = this.clock.monoMs();
    const nowRel = this.nowRel();
    let kept = 0;
    for (let i = 0; i < count; i += 1) {
      const recordLevel = levels === undefined ? level : (levels[i] ?? level);
      if (recordLevel === SKIP) continue;
      const from = offsets[i] ?? 0;
      const to = offsets[i + 1] ?? from;
      const sum = view.getUint32(from + tsAt, true) + addLow;
      const low = sum >>> 0;
      const high = (view.getUint32(from + tsAt + 4, true) + addHigh + (sum > 0xffffffff ? 1 : 0)) >>> 0;
      this.offered += 1;
      const rel = relativeTo(this.baseLow, this.baseHigh, low, high);
      if (!this.admit(recordLevel, to - from, stream, rel)) continue;
      const cpu = cpuAt < 0 ? 0xffff : view.getUint16(from + cpuAt, true);
      this.hold(rel, nowRel, nowMs, stream, recordLevel, low, high, type, schema, 0, cpu, bytes, from, to);
      kept += 1;
    }
    this.arm();
    return kept;
  }

  /** Writes everything that is held, whatever its age. */
  flush(): void {
    this.release(Number.POSITIVE_INFINITY);
  }

  /** Writes what is held, reports what was dropped and takes nothing more. The log stays open. */
  close(): void {
    this.closed = true;
    this.flush();
    this.dropHeld();
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.stopListening();
    this.ledger.report(this.onShed);
  }

  stats(): ObservabilityLaneStats {
    let imputationRefused = 0;
    for (const imputer of this.imputers) imputationRefused += imputer?.refused ?? 0;
    return {
      state: OVERLOAD_STATES[this.overload.state] ?? 'NORMAL',
      bufferedRecords: this.held.count,
      bufferedBytes: this.held.bytes,
      unsettledBytes: this.out.unsettled.bytes,
      maxBufferBytes: this.overload.maxBytes,
      offered: this.offered,
      written: this.out.written,
      batches: this.out.batches,
      late: this.out.late,
      clockAhead: this.clockAhead,
      synthetic: this.synthetic,
      imputationRefused,
      droppedTotal: this.ledger.total,
      dropped: this.ledger.totals(),
      batchSize: this.batchSize,
      forecastPerSecond: this.forecast.perSecond,
      entered: Object.fromEntries(
        OVERLOAD_STATES.map((state, i) => [state, this.overload.entered[i] ?? 0]),
      ) as ObservabilityLaneStats['entered'],
    };
  }

  /** What the log would not take at the very end. */
  private dropHeld(): void {
    const held = this.held;
    for (let i = 0; i < held.count; i += 1) {
      this.drop('wal_full', held.level[i] ?? INFO, held.stream[i] ?? 0, held.rel[i] ?? 0);
    }
    held.removeFirst(held.count, undefined);
  }

  private take(
    stream: number,
    level: number,
    tsNs: bigint,
    record: LaneRecord,
    payload: Uint8Array,
    flags: number,
  ): boolean {
    time64[0] = tsNs;
    const low = time32[0] ?? 0;
    const high = time32[1] ?? 0;
    const rel = relativeTo(this.baseLow, this.baseHigh, low, high);
    const size = payload.length;
    if (!this.admit(level, size, stream, rel)) return false;
    const { type, schema, cpu } = record;
    const nowMs = this.clock.monoMs();
    const nowRel = this.nowRel();
    this.hold(rel, nowRel, nowMs, stream, level, low, high, type, schema, flags, cpu, payload, 0, size);
    return true;
  }

  /** Whether there is room for a record; makes it by evicting debug records where that helps. */
  private admit(level: number, size: number, stream: number, rel: number): boolean {
    this.arrivals += 1;
    if (size > this.maxRecordBytes) return this.drop('oversize', level, stream, rel);
    if (this.closed) return this.drop('shed', level, stream, rel);
    const { overload, held } = this;
    const cost = costOf(size);
    let state = overload.state;
    let bytes = held.bytes + this.out.unsettled.bytes + cost;
    if (state === NORMAL && bytes < overload.calmBytes) return true;
    this.settle(this.writer.durableSeq);
    bytes = held.bytes + this.out.unsettled.bytes + cost;
    state = overload.update(bytes);
    if (state === NORMAL) return true;
    if (level >= WARN) {
      this.passThrough();
      return this.makeRoom(cost) || this.drop('wal_full', level, stream, rel);
    }
    if (level === INFO) {
      if (state > SHED_DEBUG && held.debugCount > 0) {
        this.evict(DEBUG);
        state = overload.update(held.bytes + this.out.unsettled.bytes + cost);
      }
      if (state <= SHED_DEBUG) return true;
    }
    this.passThrough();
    return this.drop('shed', level, stream, rel);
  }

  /** In PASSTHROUGH nothing is held, unless the log takes nothing; then it is asked again when its disk moves. */
  private passThrough(): void {
    if (this.overload.state === PASSTHROUGH && !this.out.blocked) this.flush();
  }

  /** For a record that is not shed, when the log takes nothing: what may be shed gives way. */
  private makeRoom(cost: number): boolean {
    const { held, overload } = this;
    for (const level of [DEBUG, INFO]) {
      if (held.bytes + cost <= overload.maxBytes) return true;
      this.evict(level);
    }
    return held.bytes + cost <= overload.maxBytes;
  }

  private evict(level: number): void {
    const held = this.held;
    held.evict(level, (index) => this.drop('shed', level, held.stream[index] ?? 0, held.rel[index] ?? 0));
  }

  private hold(
    rel: number,
    nowRel: number,
    nowMs: number,
    stream: number,
    level: number,
    low: number,
    high: number,
    type: number,
    schema: number,
    flags: number,
    cpu: number,
    source: Uint8Array,
    from: number,
    to: number,
  ): void {
    let sortKey = rel;
    let bits = flags;
    if (rel > nowRel + this.reorderNs) {
      sortKey = nowRel;
      bits |= RecordFlag.clockAhead;
      this.clockAhead += 1;
    }
    this.held.push(sortKey, nowMs, stream, level, low, high, type, schema, bits, cpu, source, from, to);
    if (this.overload.state === PASSTHROUGH) this.passThrough();
    else if (this.held.count >= this.nextFlushRecords || this.held.used >= this.nextFlushBytes) {
      this.releaseRipe(nowMs);
    }
  }

  private impute(imputer: Imputer, stream: number, record: LaneRecord): void {
    for (const sample of imputer.missingBefore(record.tsNs, record.bytes)) {
      this.synthetic += 1;
      // Guesses are worth the least: they go first.
      this.take(stream, DEBUG, sample.tsNs, record, sample.payload, RecordFlag.synthetic);
    }
  }

  private nowRel(): number {
    return (this.clock.wallMs() - this.baseMs) * NS_PER_MS;
  }

  /** Releases what waited out the window; everything if one record would otherwise overstay. */
  private releaseRipe(nowMs: number): void {
    const held = this.held;
    let cutoff = this.nowRel() - this.reorderNs;
    const latest = nowMs + this.tickMs - this.maxBatchMs;
    // Only a wall clock that was set back can keep a record from ripening in time.
    for (let i = 0; i < held.count && (held.arrivedMs[i] ?? 0) < latest; i += 1) {
      if ((held.rel[i] ?? 0) > cutoff) cutoff = Number.POSITIVE_INFINITY;
    }
    this.release(cutoff);
  }

  private release(cutoff: number): void {
    this.out.release(cutoff);
    this.nextFlushRecords = this.held.count + this.maxBatchRecords;
    this.nextFlushBytes = this.held.used + this.maxBatchBytes;
  }

  private settle(durableSeq: number): void {
    this.out.unsettled.settle(durableSeq);
    if (this.overload.state !== NORMAL) this.overload.update(this.held.bytes + this.out.unsettled.bytes);
  }

  /** The disk caught up a little: what could not be written may fit now. */
  private onDurable(durableSeq: number): void {
    this.settle(durableSeq);
    if (this.out.blocked) this.releaseRipe(this.clock.monoMs());
  }

  private drop(cause: ShedCause, level: number, stream: number, rel: number): false {
    this.ledger.add(cause, level, stream, rel);
    return false;
  }

  private streamId(name: string): number {
    const known = this.streamIds.get(name);
    if (known !== undefined) return known;
    const id = this.streamNames.length;
    if (id >= MAX_STREAMS) return MAX_STREAMS;
    this.streamNames.push(name);
    this.streamIds.set(name, id);
    return id;
  }

  private arm(): void {
    if (this.cancelTimer !== undefined || this.closed) return;
    if (this.held.count === 0 && this.ledger.unreported === 0 && this.overload.state === NORMAL) return;
    this.cancelTimer = this.clock.after(this.tickMs, () => this.tick());
  }

  private tick(): void {
    this.cancelTimer = undefined;
    const nowMs = this.clock.monoMs();
    this.forecast.observe(this.arrivals, nowMs - this.lastTickMs);
    this.arrivals = 0;
    this.lastTickMs = nowMs;
    this.batchSize = this.forecast.batchSize(this.maxBatchMs, this.maxBatchRecords);
    this.settle(this.writer.durableSeq);
    const oldest = this.held.count > 0 ? (this.held.arrivedMs[0] ?? nowMs) : nowMs;
    if (this.held.count >= this.batchSize || nowMs + this.tickMs - oldest >= this.maxBatchMs) {
      this.releaseRipe(nowMs);
    }
    if (this.ledger.unreported > 0 && nowMs - this.lastReportMs >= this.reportMs) {
      this.lastReportMs = nowMs;
      this.ledger.report(this.onShed);
    }
    this.arm();
  }
}
