/**
 * The way out of the observability lane: takes held records in order of time, marks the late ones, cuts batches
 * within the hard limits and hands them to the log.
 */
import { PACKED_HEADER_BYTES, RecordFlag } from '../wal/types.ts';
import { WalFullError } from '../wal/errors.ts';
import type { WalRecordInput, WalWriter } from '../wal/types.ts';
import type { HeldRecords } from './held-records.ts';
import { UnsettledBatches } from './unsettled.ts';

export interface BatchLimits {
  maxBatchRecords: number;
  maxBatchBytes: number;
  /** From this much held and unsettled on, batches are committed at once. */
  urgentBytes: number;
  /** Stream numbers are below this. */
  streams: number;
}

export class BatchWriter {
  readonly unsettled = new UnsettledBatches();
  written = 0;
  batches = 0;
  late = 0;
  /** True while the log takes nothing more because its disk is behind; what is ripe stays held. */
  blocked = false;
  private readonly writer: WalWriter;
  private readonly held: HeldRecords;
  private readonly limits: BatchLimits;
  /** Called for each held record that the log refused for good, before it is removed. */
  private readonly onRefused: (index: number) => void;
  /** Time of the last record written of each stream. */
  private readonly lastRel: Float64Array;
  private readonly lastRelBefore: Float64Array;
  private scratch: Buffer = Buffer.alloc(0);

  constructor(writer: WalWriter, held: HeldRecords, limits: BatchLimits, onRefused: (index: number) => void) {
    this.writer = writer;
    this.held = held;
    this.limits = limits;
    this.onRefused = onRefused;
    this.lastRel = new Float64Array(limits.streams).fill(Number.NEGATIVE_INFINITY);
    this.lastRelBefore = new Float64Array(limits.streams);
  }

  /** Writes the held records with a time up to `cutoff` (ns from the lane's start), as far as the log takes them. */
  release(cutoff: number): void {
    const { held, limits } = this;
    this.blocked = false;
    if (held.count === 0) return;
    const order = held.order();
    let ripe = 0;
    while (ripe < held.count && (held.rel[order === undefined ? ripe : (order[ripe] ?? 0)] ?? 0) <= cutoff) {
      ripe += 1;
    }
    let start = 0;
    while (start < ripe) {
      let end = start;
      let bytes = 0;
      let late = 0;
      this.lastRelBefore.set(this.lastRel);
      let contiguous = true;
      let previous = -1;
      while (end < ripe && end - start < limits.maxBatchRecords) {
        const index = order === undefined ? end : (order[end] ?? 0);
        const size = (held.offset[index + 1] ?? 0) - (held.offset[index] ?? 0);
        if (end > start && bytes + size > limits.maxBatchBytes) break;
        if (previous >= 0 && index !== previous + 1) contiguous = false;
        if (this.markLate(index)) late += 1;
        bytes += size;
        previous = index;
        end += 1;
      }
      if (!this.write(start, end, bytes, contiguous, order)) {
        this.lastRel.set(this.lastRelBefore);
        this.blocked = true;
        break;
      }
      this.late += late;
      start = end;
    }
    held.removeFirst(start, order);
  }

  private markLate(index: number): boolean {
    const held = this.held;
    if (held.isClockAhead(index)) return false;
    const stream = held.stream[index] ?? 0;
    const rel = held.rel[index] ?? 0;
    if (rel >= (this.lastRel[stream] ?? 0)) {
      this.lastRel[stream] = rel;
      return false;
    }
    held.mark(index, RecordFlag.late);
    return true;
  }

  /** Hands records start..end of the order to the log. False if it takes nothing for now. */
  private write(
    start: number,
    end: number,
    bytes: number,
    contiguous: boolean,
    order: Uint32Array | undefined,
  ): boolean {
    const { held, writer } = this;
    const count = end - start;
    const urgent = held.bytes + this.unsettled.bytes >= this.limits.urgentBytes;
    const first = held.offset[order === undefined ? start : (order[start] ?? 0)] ?? 0;
    const packed = contiguous
      ? held.arena.subarray(first, first + bytes)
      : this.gather(start, end, bytes, order);
    let firstSeq: number;
    try {
      firstSeq =
        writer.appendPacked === undefined
          ? writer.append(unpack(Buffer.from(packed), count), urgent)
          : writer.appendPacked(packed, count, urgent);
    } catch (error) {
      if (error instanceof WalFullError) return false;
      for (let i = start; i < end; i += 1) this.onRefused(order?.[i] ?? i);
      return true;
    }
    this.written += count;
    this.batches += 1;
    this.unsettled.push(firstSeq + count - 1, bytes);
    return true;
  }

  private gather(start: number, end: number, bytes: number, order: Uint32Array | undefined): Buffer {
    const held = this.held;
    if (this.scratch.length < bytes) this.scratch = Buffer.allocUnsafeSlow(Math.max(bytes, 64 * 1024));
    let at = 0;
    for (let i = start; i < end; i += 1) {
      const index = order?.[i] ?? i;
      const from = held.offset[index] ?? 0;
      const to = held.offset[index + 1] ?? 0;
      held.arena.copy(this.scratch, at, from, to);
      at += to - from;
    }
    return this.scratch.subarray(0, bytes);
  }
}

/** Packed records as objects, for a log that does not take them packed. */
export function unpack(packed: Buffer, count: number): WalRecordInput[] {
  const records: WalRecordInput[] = [];
  let at = 0;
  for (let i = 0; i < count; i += 1) {
    const length = packed.readUInt32LE(at);
    const body = at + PACKED_HEADER_BYTES;
    records.push({
      type: packed.readUInt16LE(at + 4),
      schema: packed.readUInt16LE(at + 6),
      flags: packed.readUInt16LE(at + 8),
      cpu: packed.readUInt16LE(at + 10),
      wallNs: packed.readBigUInt64LE(at + 16),
      payload: packed.subarray(body, body + length),
    });
    at = body + ((length + 7) & ~7);
  }
  return records;
}
