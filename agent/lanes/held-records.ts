/**
 * The records an observability lane holds, in one arena and in the packed layout of the log (agent/wal/types.ts), with
 * the columns needed to order and to evict them beside it.
 *
 * Invariants: records lie in the order of arrival, record i at `offset[i]`, without holes; `bytes` is the cost of what
 * is held (packed bytes plus COLUMN_BYTES each; the slack of a growing arena, at most as much again, is not counted).
 *
 * Times are kept as ns relative to the lane's start in a double: exact within 104 days of it, to the microsecond
 * within 250 years.
 */
import { PACKED_HEADER_BYTES, RecordFlag } from '../wal/types.ts';

export const DEBUG = 0;
export const INFO = 1;
export const WARN = 2;

/** What the columns of one record take. */
const COLUMN_BYTES = 24;
const FLAGS_AT = 8;
const INITIAL_RECORDS = 256;
const INITIAL_BYTES = 64 * 1024;
/** An emptied arena larger than this is given back. */
const KEEP_BYTES = 1024 * 1024;
/** Insertion sort gives up after this many moves a record; disorder between CPUs needs a few. */
const MOVES_PER_RECORD = 8;
const TWO_32 = 4_294_967_296;
/** Copies a range without making a view of it first, which costs more than the copy. */
const copyBytes = Buffer.prototype.copy as (
  this: Uint8Array,
  target: Uint8Array,
  targetStart: number,
  start: number,
  end: number,
) => number;

/** Packed size of a record plus its columns. */
export function costOf(payloadBytes: number): number {
  return packedSize(payloadBytes) + COLUMN_BYTES;
}

function packedSize(payloadBytes: number): number {
  return PACKED_HEADER_BYTES + ((payloadBytes + 7) & ~7);
}

export class HeldRecords {
  count = 0;
  debugCount = 0;
  /** Bytes of the arena in use. */
  used = 0;
  arena: Buffer;
  rel: Float64Array = new Float64Array(INITIAL_RECORDS);
  arrivedMs: Float64Array = new Float64Array(INITIAL_RECORDS);
  offset: Uint32Array = new Uint32Array(INITIAL_RECORDS + 1);
  stream: Uint16Array = new Uint16Array(INITIAL_RECORDS);
  level: Uint8Array = new Uint8Array(INITIAL_RECORDS);
  private view: DataView;
  /** True while arrival order is time order. */
  private ordered = true;
  private permutation = new Uint32Array(INITIAL_RECORDS);

  constructor() {
    this.arena = Buffer.allocUnsafeSlow(INITIAL_BYTES);
    this.view = new DataView(this.arena.buffer, this.arena.byteOffset, this.arena.length);
  }

  get bytes(): number {
    return this.used + this.count * COLUMN_BYTES;
  }

  /** Adds one record. The wall time is given as two 32-bit halves to stay clear of bigint on the hot path. */
  push(
    rel: number,
    arrivedMs: number,
    stream: number,
    level: number,
    wallLow: number,
    wallHigh: number,
    type: number,
    schema: number,
    flags: number,
    cpu: number,
    source: Uint8Array,
    from: number,
    to: number,
  ): void {
    const index = this.count;
    const at = this.used;
    const length = to - from;
    const end = at + packedSize(length);
    if (index >= this.rel.length) this.growColumns();
    if (end > this.arena.length) this.growArena(end);
    const view = this.view;
    view.setUint32(at, length, true);
    view.setUint16(at + 4, type, true);
    view.setUint16(at + 6, schema, true);
    view.setUint16(at + FLAGS_AT, flags, true);
    view.setUint16(at + 10, cpu, true);
    view.setUint32(at + 12, 0, true);
    view.setUint32(at + 16, wallLow, true);
    view.setUint32(at + 20, wallHigh, true);
    const arena = this.arena;
    const body = at + PACKED_HEADER_BYTES;
    copyBytes.call(source, arena, body, from, to);
    for (let i = body + length; i < end; i += 1) arena[i] = 0;
    if (index > 0 && rel < (this.rel[index - 1] ?? 0)) this.ordered = false;
    this.rel[index] = rel;
    this.arrivedMs[index] = arrivedMs;
    this.stream[index] = stream;
    this.level[index] = level;
    this.offset[index] = at;
    this.offset[index + 1] = end;
    if (level === DEBUG) this.debugCount += 1;
    this.count = index + 1;
    this.used = end;
  }

  /** Sets bits in the flags of record `index`. */
  mark(index: number, flags: number): void {
    const at = (this.offset[index] ?? 0) + FLAGS_AT;
    this.view.setUint16(at, this.view.getUint16(at, true) | flags, true);
  }

  isClockAhead(index: number): boolean {
    return (this.view.getUint16((this.offset[index] ?? 0) + FLAGS_AT, true) & RecordFlag.clockAhead) !== 0;
  }

  /**
   * Indices in time order, equal times in order of arrival; undefined when arrival order is that already. Valid until
   * the next change.
   */
  order(): Uint32Array | undefined {
    if (this.ordered) return undefined;
    const { count, rel } = this;
    if (this.permutation.length < count) this.permutation = new Uint32Array(this.rel.length);
    const order = this.permutation.subarray(0, count);
    for (let i = 0; i < count; i += 1) order[i] = i;
    let moves = count * MOVES_PER_RECORD;
    for (let i = 1; i < count; i += 1) {
      const time = rel[i] ?? 0;
      let j = i;
      while (j > 0 && (rel[order[j - 1] ?? 0] ?? 0) > time) {
        order[j] = order[j - 1] ?? 0;
        j -= 1;
      }
      order[j] = i;
      moves -= i - j;
      if (moves < 0) {
        order.sort((a, b) => (rel[a] ?? 0) - (rel[b] ?? 0) || a - b);
        break;
      }
    }
    return order;
  }

  /** Removes the first `n` of `order` (of arrival order when undefined); the rest keeps its order of arrival. */
  removeFirst(n: number, order: Uint32Array | undefined): void {
    if (n === 0) return;
    if (n === this.count) this.clear();
    else if (order === undefined) this.dropPrefix(n);
    else {
      const gone = new Uint8Array(this.count);
      for (let i = 0; i < n; i += 1) gone[order[i] ?? 0] = 1;
      this.compact(gone);
    }
  }

  /** Removes every record of a level, calling `each` for it first. */
  evict(level: number, each: (index: number) => void): void {
    const gone = new Uint8Array(this.count);
    for (let i = 0; i < this.count; i += 1) {
      if (this.level[i] !== level) continue;
      gone[i] = 1;
      each(i);
    }
    this.compact(gone);
  }

  private clear(): void {
    this.count = 0;
    this.debugCount = 0;
    this.used = 0;
    this.ordered = true;
    if (this.arena.length > KEEP_BYTES) this.replaceArena(Buffer.allocUnsafeSlow(INITIAL_BYTES));
  }

  private dropPrefix(n: number): void {
    const rest = this.count - n;
    const shift = this.offset[n] ?? 0;
    for (let i = 0; i < n; i += 1) if (this.level[i] === DEBUG) this.debugCount -= 1;
    this.arena.copyWithin(0, shift, this.used);
    this.rel.copyWithin(0, n, this.count);
    this.arrivedMs.copyWithin(0, n, this.count);
    this.stream.copyWithin(0, n, this.count);
    this.level.copyWithin(0, n, this.count);
    for (let i = 0; i <= rest; i += 1) this.offset[i] = (this.offset[i + n] ?? 0) - shift;
    this.count = rest;
    this.used -= shift;
  }

  private compact(gone: Uint8Array): void {
    let kept = 0;
    let at = 0;
    let debug = 0;
    let ordered = true;
    for (let i = 0; i < this.count; i += 1) {
      if (gone[i] === 1) continue;
      const from = this.offset[i] ?? 0;
      const to = this.offset[i + 1] ?? 0;
      if (from !== at) this.arena.copyWithin(at, from, to);
      const rel = this.rel[i] ?? 0;
      if (kept > 0 && rel < (this.rel[kept - 1] ?? 0)) ordered = false;
      this.rel[kept] = rel;
      this.arrivedMs[kept] = this.arrivedMs[i] ?? 0;
      this.stream[kept] = this.stream[i] ?? 0;
      const level = this.level[i] ?? INFO;
      this.level[kept] = level;
      if (level === DEBUG) debug += 1;
      this.offset[kept] = at;
      at += to - from;
      kept += 1;
      this.offset[kept] = at;
    }
    this.count = kept;
    this.used = at;
    this.debugCount = debug;
    this.ordered = ordered;
    if (kept === 0) this.clear();
  }

  private growArena(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.arena.length * 2));
    larger.set(this.arena.subarray(0, this.used));
    this.replaceArena(larger);
  }

  private replaceArena(arena: Buffer): void {
    this.arena = arena;
    this.view = new DataView(arena.buffer, arena.byteOffset, arena.length);
  }

  private growColumns(): void {
    const size = this.rel.length * 2;
    const rel = new Float64Array(size);
    rel.set(this.rel);
    this.rel = rel;
    const arrived = new Float64Array(size);
    arrived.set(this.arrivedMs);
    this.arrivedMs = arrived;
    const offset = new Uint32Array(size + 1);
    offset.set(this.offset);
    this.offset = offset;
    const stream = new Uint16Array(size);
    stream.set(this.stream);
    this.stream = stream;
    const level = new Uint8Array(size);
    level.set(this.level);
    this.level = level;
  }
}

/** Nanoseconds from one time to another, both given as two 32-bit halves. */
export function relativeTo(baseLow: number, baseHigh: number, low: number, high: number): number {
  return (high - baseHigh) * TWO_32 + (low - baseLow);
}
