/**
 * Drives an observability lane with a clock and a log that the test controls, and checks its promises from outside:
 * everything is judged by what went in, what the log received and what was reported, never by the lane's insides.
 */
import { WalFullError } from '../wal/errors.ts';
import {
  PACKED_HEADER_BYTES,
  RecordFlag,
  type WalChainHead,
  type WalStats,
  type WalWriter,
} from '../wal/types.ts';
import { unpack } from './batch-writer.ts';
import type { LaneClock } from './clock.ts';
import type { ObservabilityLane } from './observability.ts';
import type { ObservabilityLaneStats } from './types.ts';
import { LEVELS, type Level, type ShedReport } from './shed-ledger.ts';

export class ManualClock implements LaneClock {
  mono = 1000;
  /** Wall minus monotonic. */
  wallOffset = 1_700_000_000_000;
  private timers: { at: number; callback: () => void }[] = [];

  wallMs(): number {
    return this.mono + this.wallOffset;
  }

  monoMs(): number {
    return this.mono;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.mono + delayMs, callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  advance(ms: number): void {
    const end = this.mono + ms;
    for (;;) {
      const due = this.timers.toSorted((a, b) => a.at - b.at)[0];
      if (due === undefined || due.at > end) break;
      this.timers = this.timers.filter((other) => other !== due);
      this.mono = Math.max(this.mono, due.at);
      due.callback();
    }
    this.mono = end;
  }
}

export interface Written {
  id: number;
  tsNs: bigint;
  flags: number;
  atMs: number;
  payload: Buffer;
  cpu: number;
}

/** A log in memory: what was appended, durable only up to where the test says. */
export class MemoryLog implements WalWriter {
  readonly lane = 'observability' as const;
  readonly written: Written[] = [];
  readonly batches: { count: number; bytes: number; urgent: boolean }[] = [];
  durableSeq = 0;
  failed = false;
  /** Most bytes that may wait to become durable. */
  maxPendingBytes = Infinity;
  /** Packed size of each record. */
  private readonly sizes: number[] = [];
  private listeners: ((durableSeq: number) => void)[] = [];
  private readonly clock: ManualClock;

  constructor(clock: ManualClock) {
    this.clock = clock;
  }

  append(): number {
    throw new Error('not used: appendPacked is there');
  }

  appendPacked(packed: Uint8Array, count: number, urgent: boolean): number {
    if (this.failed) throw new Error('the log has failed');
    let pending = packed.length;
    for (let i = this.durableSeq; i < this.sizes.length; i += 1) pending += this.sizes[i] ?? 0;
    if (pending > this.maxPendingBytes) throw new WalFullError(pending, '');
    const first = this.written.length + 1;
    for (const record of unpack(Buffer.from(packed), count)) {
      const payload = Buffer.from(record.payload);
      this.sizes.push(PACKED_HEADER_BYTES + Math.ceil(payload.length / 8) * 8);
      this.written.push({
        id: payload.readUInt32LE(0),
        tsNs: record.wallNs,
        flags: record.flags ?? 0,
        atMs: this.clock.mono,
        payload,
        cpu: record.cpu ?? 0,
      });
    }
    this.batches.push({ count, bytes: packed.length, urgent });
    return first;
  }

  commitNow(): void {}

  settle(records: number): void {
    this.durableSeq = Math.min(this.written.length, this.durableSeq + records);
    for (const listener of this.listeners) listener(this.durableSeq);
  }

  onDurable(listener: (durableSeq: number) => void): () => void {
    this.listeners.push(listener);
    return () => {
      this.listeners = this.listeners.filter((other) => other !== listener);
    };
  }

  whenDurable(): Promise<void> {
    return Promise.resolve();
  }

  stats(): WalStats {
    throw new Error('not used');
  }

  onState(): () => void {
    return () => {};
  }

  chainHead(): WalChainHead {
    throw new Error('not used');
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export interface Limits {
  maxBufferBytes: number;
  maxBatchRecords: number;
  maxBatchBytes: number;
  maxBatchMs: number;
  reorderMs: number;
  reportMs: number;
  /** Bound of what the log lets wait for its disk; none when absent. */
  maxLogBytes?: number;
}

export type Step =
  | { kind: 'offer'; stream: number; level: number; ageMs: number; size: number }
  | {
      kind: 'batch';
      stream: number;
      level: number;
      records: { ageMs: number; size: number; level: number }[];
    }
  | { kind: 'advance'; ms: number }
  | { kind: 'settle'; records: number }
  | { kind: 'clockBack'; ms: number };

interface Offered {
  level: Level;
  stream: string;
  tsNs: bigint;
  arrivedMs: number;
  inWindow: boolean;
}

type LaneClass = typeof ObservabilityLane;

function fail(promise: string): never {
  throw new Error(`broken: ${promise}`);
}

/** Runs `steps` against a lane, throws at the first broken promise, and returns what the lane says of itself. */
export function drive(Lane: LaneClass, limits: Limits, steps: readonly Step[]): ObservabilityLaneStats {
  const clock = new ManualClock();
  const log = new MemoryLog(clock);
  log.maxPendingBytes = limits.maxLogBytes ?? Infinity;
  const bounded = limits.maxLogBytes !== undefined;
  const reports: (ShedReport & { atMs: number })[] = [];
  const lane = new Lane(log, {
    ...limits,
    clock,
    onShed: (report) => reports.push({ ...report, atMs: clock.mono }),
  });
  const offered: Offered[] = [];
  let wallWasSet = false;

  const register = (stream: string, level: Level, ageMs: number, size: number): Buffer => {
    const payload = Buffer.alloc(Math.max(20, size), offered.length & 0xff);
    const tsNs = BigInt(Math.round((clock.wallMs() - ageMs) * 1000)) * 1000n;
    payload.writeUInt32LE(offered.length, 0);
    payload.writeBigUInt64LE(tsNs - 7_000_000_000n, 8);
    payload.writeUInt16LE(offered.length % 5, 16);
    offered.push({
      level,
      stream,
      tsNs,
      arrivedMs: clock.mono,
      inWindow: ageMs <= limits.reorderMs && ageMs >= -limits.reorderMs,
    });
    return payload;
  };

  const countOffered = (level: Level): number => offered.filter((record) => record.level === level).length;
  const countWritten = (level: Level): number =>
    log.written.filter((record) => offered[record.id]?.level === level).length;
  const countDropped = (level: Level): number =>
    Object.entries(lane.stats().dropped)
      .filter(([key]) => key.split('/')[1] === level)
      .reduce((sum, [, count]) => sum + count, 0);
  const heldOf = (level: Level): number => countOffered(level) - countWritten(level) - countDropped(level);

  for (const step of steps) {
    const infoDropped = countDropped('info');
    const urgentDropped = countDropped('warn') + countDropped('error');
    switch (step.kind) {
      case 'offer': {
        const stream = `s${step.stream}`;
        const level = LEVELS[step.level] ?? 'info';
        const bytes = register(stream, level, step.ageMs, step.size);
        const { tsNs } = offered.at(-1) ?? fail('registered');
        lane.offer({ stream, level, tsNs, bytes, type: 2, schema: 2, cpu: bytes.readUInt16LE(16) });
        break;
      }
      case 'batch': {
        const stream = `s${step.stream}`;
        const payloads = step.records.map((record) =>
          register(stream, LEVELS[record.level] ?? 'info', record.ageMs, record.size),
        );
        const offsets = new Uint32Array(payloads.length + 1);
        for (const [i, payload] of payloads.entries()) offsets[i + 1] = (offsets[i] ?? 0) + payload.length;
        lane.offerBatch({
          stream,
          type: 1,
          schema: 1,
          bytes: Buffer.concat(payloads),
          offsets,
          count: payloads.length,
          levels: Uint8Array.from(step.records, (record) => record.level),
          level: 'info',
          tsAt: 8,
          wallOffsetNs: 7_000_000_000n,
          cpuAt: 16,
        });
        break;
      }
      case 'advance':
        clock.advance(step.ms);
        break;
      case 'settle':
        log.settle(step.records);
        break;
      case 'clockBack':
        wallWasSet = true;
        clock.wallOffset -= step.ms;
        break;
    }
    const stats = lane.stats();
    if (stats.bufferedBytes > limits.maxBufferBytes) fail('held bytes <= maxBufferBytes');
    if (offered.length !== stats.offered) fail('every record offered is counted');
    if (log.written.length !== stats.written) fail('every record written is counted');
    if (stats.offered !== stats.written + stats.droppedTotal + stats.bufferedRecords) {
      fail('in = out + dropped + buffered');
    }
    if (!bounded && stats.bufferedBytes + unsettledBytes(log, offered) > limits.maxBufferBytes) {
      fail('a slow disk does not make debug and info pile up in the log');
    }
    // What gives way to warn in the middle of a batch leaves room for what comes later in it.
    const isExact = !bounded || step.kind !== 'batch';
    if (isExact && countDropped('info') > infoDropped && heldOf('debug') > 0)
      fail('no info dropped while debug is held');
    const urgentLost = countDropped('warn') + countDropped('error');
    if (urgentLost > 0 && !bounded) fail('warn and above never lost');
    if (isExact && urgentLost > urgentDropped && heldOf('debug') + heldOf('info') > 0) {
      fail('warn and above are refused only when nothing else is left to give way');
    }
    if (!bounded && stats.state === 'PASSTHROUGH' && stats.bufferedRecords > 0)
      fail('PASSTHROUGH holds nothing');
  }

  const overloaded = lane.stats().entered.PASSTHROUGH > 0;
  for (let i = 0; i < (bounded ? 100 : 0); i += 1) {
    log.settle(Infinity);
    clock.advance(limits.maxBatchMs);
  }
  clock.advance(limits.maxBatchMs + limits.reportMs * 2);
  if (lane.stats().bufferedRecords > 0) fail('nothing is held longer than maxBatchMs');
  lane.close();
  checkWritten(log, offered, limits, overloaded || wallWasSet);
  checkReports(reports, lane.stats().dropped, limits, clock.mono);
  return lane.stats();
}

/** Packed bytes of debug and info records that the log has taken and not made durable. */
function unsettledBytes(log: MemoryLog, offered: readonly Offered[]): number {
  let bytes = 0;
  for (const record of log.written.slice(log.durableSeq)) {
    const origin = offered[record.id];
    if (origin?.level === 'warn' || origin?.level === 'error') continue;
    bytes += PACKED_HEADER_BYTES + Math.ceil(record.payload.length / 8) * 8;
  }
  return bytes;
}

function checkWritten(
  log: MemoryLog,
  offered: readonly Offered[],
  limits: Limits,
  windowBroken: boolean,
): void {
  const seen = new Set<number>();
  const newest = new Map<string, bigint>();
  for (const record of log.written) {
    const origin = offered[record.id] ?? fail('only what was offered is written');
    if (seen.has(record.id)) fail('nothing is written twice');
    seen.add(record.id);
    if (record.tsNs !== origin.tsNs) fail('the time is written unchanged');
    if (record.cpu !== record.id % 5) fail('the CPU is written unchanged');
    if (record.payload.subarray(20).some((byte) => byte !== (record.id & 0xff))) fail('payload unchanged');
    const bounded = limits.maxLogBytes !== undefined;
    if (!bounded && record.atMs - origin.arrivedMs > limits.maxBatchMs) fail('age bound');
    if ((record.flags & RecordFlag.synthetic) !== 0) fail('nothing is synthetic unless asked for');
    if ((record.flags & RecordFlag.clockAhead) !== 0) continue;
    const last = newest.get(origin.stream);
    const isLate = last !== undefined && record.tsNs < last;
    const marked = (record.flags & RecordFlag.late) !== 0;
    if (isLate !== marked) fail(isLate ? 'ordered unless marked late' : 'only late records are marked late');
    if (marked && origin.inWindow && !windowBroken && !bounded)
      fail('the window puts right what comes within it');
    if (!isLate) newest.set(origin.stream, record.tsNs);
  }
  for (const [id, record] of offered.entries()) {
    const kept = record.level === 'warn' || record.level === 'error';
    if (kept && limits.maxLogBytes === undefined && !seen.has(id)) fail('warn and above never lost');
  }
  for (const batch of log.batches) {
    if (batch.count > limits.maxBatchRecords) fail('batch records limit');
    if (batch.count > 1 && batch.bytes > limits.maxBatchBytes) fail('batch bytes limit');
    if (batch.bytes < batch.count * PACKED_HEADER_BYTES) fail('batch is whole');
  }
}

function checkReports(
  reports: readonly (ShedReport & { atMs: number })[],
  dropped: Readonly<Record<string, number>>,
  limits: Limits,
  closedMs: number,
): void {
  const sums: Record<string, number> = {};
  const lastAt = new Map<string, number>();
  for (const report of reports) {
    const key = `${report.cause}/${report.level}/${report.stream}`;
    sums[key] = (sums[key] ?? 0) + report.count;
    if (report.fromNs > report.toNs) fail('a report spans from first to last');
    const last = lastAt.get(key);
    if (last !== undefined && report.atMs - last < limits.reportMs && report.atMs !== closedMs) {
      fail('one report per interval and cause');
    }
    lastAt.set(key, report.atMs);
  }
  for (const [key, count] of Object.entries(dropped)) if (sums[key] !== count) fail('every drop is reported');
}
