/**
 * Reads a lane's records in order, across segments raw or compressed, while a writer may be appending.
 *
 * Made for a worker that polls: file access is synchronous, a poll with nothing new costs no system call when the
 * caller passes the writer's durableSeq, and one read of at most READ_BYTES otherwise. Payloads are views of buffers
 * that belong to the caller. Holes are reported through takeGaps(), in order with the records around them.
 */
import { basename } from 'node:path';
import {
  COMMIT_HEAD,
  HEADER_BYTES,
  PAGE,
  type CommitInfo,
  type SegmentHeader,
  decodeCommit,
  decodeCommitHead,
  decodeRecord,
  recordBytes,
} from './format.ts';
import { findValid } from './scan.ts';
import { type LocatedRecord, locateRecord, scanRecords } from './locate.ts';
import { type SegmentFileInfo, type SegmentSource, listSegments, tryOpen } from './segments.ts';
import type { WalGap, WalRecord } from './types.ts';

const MIN_READ_BYTES = 16 * 1024;
const MAX_READ_BYTES = 256 * 1024;
/** Polls after which a durable record that still does not verify counts as damaged, not as "not seen yet". */
const PATIENCE = 3;

export interface WalReaderOptions {
  /** First sequence number wanted. Default: the oldest there is. */
  fromSeq?: number;
  /** Called for each hole as it is passed; without it they wait for takeGaps(). */
  onGap?: (gap: WalGap) => void;
}

interface OpenSegment {
  file: SegmentFileInfo;
  source: SegmentSource;
  header: SegmentHeader;
  offset: number;
  /** Bytes already read, starting at bufferAt. */
  buffer: Buffer;
  bufferAt: number;
}

export class WalReader {
  readonly #dir: string;
  readonly #onGap: (gap: WalGap) => void;
  #nextSeq: number;
  #segment: OpenSegment | undefined;
  #lastNumber = 0;
  #gaps: WalGap[] = [];
  #lastWallNs = 0n;
  #readBytes = MIN_READ_BYTES;
  #misses = 0;

  constructor(dir: string, options: WalReaderOptions = {}) {
    this.#dir = dir;
    this.#nextSeq = options.fromSeq ?? 0;
    this.#onGap = options.onGap ?? ((gap) => this.#gaps.push(gap));
  }

  /** Next sequence number to be returned; 0 before the first record of a reader without fromSeq. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  /** Holes passed since the last call. */
  takeGaps(): WalGap[] {
    if (this.#gaps.length === 0) return [];
    const gaps = this.#gaps;
    this.#gaps = [];
    return gaps;
  }

  /**
   * The next records, at least one commit's worth if there is one, stopping after maxBytes of payload. `upToSeq` is the
   * writer's durableSeq; without it, or with Number.MAX_SAFE_INTEGER (no live writer), everything that verifies is
   * read. Empty: nothing new yet.
   */
  readBatch(maxBytes: number, upToSeq = Infinity): WalRecord[] {
    const records: WalRecord[] = [];
    let bytes = 0;
    while (bytes < maxBytes && this.#nextSeq <= upToSeq) {
      const segment = this.#segment ?? this.#openAt(this.#nextSeq);
      if (segment === undefined) break;
      const commit = this.#commitAt(segment, segment.offset);
      if (commit === undefined) {
        if (!this.#passHole(segment, upToSeq)) break;
        continue;
      }
      if (commit.count > 0 && commit.baseSeq + commit.count - 1 > upToSeq) break;
      this.#misses = 0;
      if (commit.baseSeq > this.#nextSeq && this.#nextSeq > 0)
        this.#gap(segment, commit, 'numbers are missing');
      bytes += this.#deliver(segment, commit, records);
      segment.offset += commit.paddedBytes;
    }
    return records;
  }

  #deliver(segment: OpenSegment, commit: CommitInfo, records: WalRecord[]): number {
    const { buffer, bufferAt } = segment;
    const start = segment.offset - bufferAt + COMMIT_HEAD;
    const end = start + commit.bodyBytes;
    let bytes = 0;
    for (let at = start; at < end;) {
      const record = decodeRecord(buffer, at);
      at += recordBytes(record.payload.length);
      // A commit whose write failed and that was written again in the next segment is met twice.
      if (record.seq < this.#nextSeq) continue;
      records.push(record);
      bytes += record.payload.length;
      this.#nextSeq = record.seq + 1;
      this.#lastWallNs = record.wallNs;
    }
    return bytes;
  }

  /** The valid, expected commit at `offset`, reading as needed. */
  #commitAt(segment: OpenSegment, offset: number): CommitInfo | undefined {
    let commit = this.#decodeAt(segment, offset);
    if (commit === undefined && segment.buffer.length > 0) {
      // What was read ahead may have been written since.
      this.#fill(segment, offset, this.#readBytes);
      commit = this.#decodeAt(segment, offset);
    }
    return commit;
  }

  #decodeAt(segment: OpenSegment, offset: number): CommitInfo | undefined {
    if (!has(segment, offset, PAGE)) this.#fill(segment, offset, this.#grow());
    const at = offset - segment.bufferAt;
    const head = decodeCommitHead(segment.buffer, at);
    if (head === undefined) {
      this.#readBytes = MIN_READ_BYTES;
      return undefined;
    }
    if (head.paddedBytes > segment.header.segmentBytes - offset) return undefined;
    if (!has(segment, offset, head.paddedBytes)) this.#fill(segment, offset, head.paddedBytes);
    const commit = decodeCommit(segment.buffer, offset - segment.bufferAt, segment.header.salt);
    if (commit === undefined || commit.baseSeq + commit.count < segment.header.baseSeq) return undefined;
    return commit;
  }

  #grow(): number {
    const bytes = this.#readBytes;
    this.#readBytes = Math.min(MAX_READ_BYTES, bytes * 2);
    return bytes;
  }

  #fill(segment: OpenSegment, offset: number, bytes: number): void {
    segment.buffer = segment.source.read(offset, Math.max(PAGE, bytes));
    segment.bufferAt = offset;
  }

  /** At a place without a valid commit. True if reading goes on elsewhere, false if this is the end for now. */
  #passHole(segment: OpenSegment, upToSeq: number): boolean {
    const next = this.#openAfter(segment.file.number);
    if (next !== undefined && next.header.baseSeq <= this.#nextSeq) {
      this.#replace(next);
      return true;
    }
    // A live writer said it is durable, so it must be there; give the page cache a moment, then believe the bytes.
    const live = upToSeq < Number.MAX_SAFE_INTEGER;
    if (live && next === undefined && ++this.#misses < PATIENCE) return false;
    this.#misses = 0;
    const commit = this.#findFurther(segment, next?.header.firstCommit ?? Infinity);
    if (commit !== undefined && commit.baseSeq <= upToSeq) {
      next?.source.close();
      segment.offset = commit.offset;
      segment.buffer = Buffer.alloc(0);
      if (commit.baseSeq > this.#nextSeq) this.#gap(segment, commit, 'commits do not verify');
      return true;
    }
    if (next === undefined) return false;
    this.#gapTo(
      next.header.baseSeq,
      segment.file.number + 1 < next.file.number ? 'missing_segment' : 'wal_corruption',
      segment.file.number + 1 < next.file.number ? segment.file.number + 1 : segment.file.number,
      next.header.wallNs,
      `from byte ${segment.offset} of ${basename(segment.file.path)} on nothing verifies`,
    );
    this.#replace(next);
    return true;
  }

  #findFurther(segment: OpenSegment, stopAt: number): CommitInfo | undefined {
    const size = segment.source.size();
    if (size <= segment.offset) return undefined;
    const rest = segment.source.read(segment.offset, size - segment.offset);
    const found = findValid(rest, 0, segment.header.firstCommit, this.#nextSeq, segment.header.salt);
    if (found === undefined || found.commitNo >= stopAt) return undefined;
    return { ...found, offset: found.offset + segment.offset };
  }

  #gap(segment: OpenSegment, commit: CommitInfo, what: string): void {
    const place = `${what} at byte ${segment.offset} of ${basename(segment.file.path)}`;
    this.#gapTo(commit.baseSeq, 'wal_corruption', segment.file.number, commit.wallNs, place);
  }

  #gapTo(nextSeq: number, cause: WalGap['cause'], segment: number, toWallNs: bigint, detail: string): void {
    this.#onGap({
      fromSeq: this.#nextSeq,
      toSeq: nextSeq - 1,
      cause,
      segment,
      fromWallNs: this.#lastWallNs === 0n ? toWallNs : this.#lastWallNs,
      toWallNs,
      detail,
    });
    this.#nextSeq = nextSeq;
  }

  #replace(next: OpenSegment): void {
    this.#segment?.source.close();
    this.#segment = next;
    this.#lastNumber = next.file.number;
    this.#readBytes = MIN_READ_BYTES;
    this.#misses = 0;
  }

  /** One record and where it is; undefined where it is damaged or no longer there. Does not move the reader. */
  locate(seq: number): LocatedRecord | undefined {
    return locateRecord(this.#dir, seq);
  }

  /** Records from `fromSeq` on, at most `max`, up to the first damage. Does not move the reader. */
  scan(fromSeq: number, max: number): Iterable<WalRecord> {
    return scanRecords(this.#dir, fromSeq, max);
  }

  /** Opens the segment that holds `seq`, or the oldest one behind it (a gap). */
  #openAt(seq: number): OpenSegment | undefined {
    const files = listSegments(this.#dir).filter((file) => file.number > this.#lastNumber);
    let best: OpenSegment | undefined;
    let skipped: SegmentFileInfo | undefined;
    // From the newest back: readers mostly start near the end.
    for (let index = files.length - 1; index >= 0; index--) {
      const file = files[index] as SegmentFileInfo;
      const segment = start(file);
      if (segment === undefined) {
        skipped = file;
        continue;
      }
      best?.source.close();
      best = segment;
      if (segment.header.baseSeq <= seq) break;
    }
    if (best === undefined) return undefined;
    if (seq === 0) this.#nextSeq = best.header.baseSeq;
    else if (best.header.baseSeq > seq) {
      const damaged = skipped !== undefined && skipped.number < best.file.number ? skipped : undefined;
      this.#gapTo(
        best.header.baseSeq,
        damaged ? 'wal_corruption' : 'retention',
        damaged?.number ?? best.file.number - 1,
        best.header.wallNs,
        damaged ? `${basename(damaged.path)} has no valid header` : 'older segments are gone',
      );
    }
    this.#replace(best);
    return best;
  }

  /** The first segment with a valid header after `number`, if there is one. */
  #openAfter(number: number): OpenSegment | undefined {
    for (const file of listSegments(this.#dir)) {
      if (file.number <= number) continue;
      const segment = start(file);
      if (segment !== undefined) return segment;
    }
    return undefined;
  }

  close(): void {
    this.#segment?.source.close();
    this.#segment = undefined;
  }
}

function start(file: SegmentFileInfo): OpenSegment | undefined {
  const opened = tryOpen(file);
  if (opened === undefined) return undefined;
  return { file, ...opened, offset: HEADER_BYTES, buffer: Buffer.alloc(0), bufferAt: 0 };
}

function has(segment: OpenSegment, offset: number, bytes: number): boolean {
  const at = offset - segment.bufferAt;
  return at >= 0 && at + bytes <= segment.buffer.length;
}

/** A reader from `fromSeq` on. Nothing is opened before the first readBatch; a folder that is not there reads as empty. */
export function openWalReader(dir: string, options: WalReaderOptions = {}): WalReader {
  return new WalReader(dir, options);
}
