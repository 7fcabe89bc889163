/**
 * Reads a lane's records in order, while its writer appends or without one. Only what is durable is read, a commit is
 * checked before its records are used, and polling costs one small read when nothing is new.
 */
import {
  COMMIT_HEAD,
  decodeCommit,
  decodeCommitHead,
  decodeRecord,
  HEADER_BYTES,
  PAGE,
  recordBytes,
  type CommitInfo,
  type SegmentHeader,
} from './format.ts';
import { findValid } from './scan.ts';
import {
  listSegments,
  openSegment,
  readHeader,
  type SegmentFileInfo,
  type SegmentSource,
} from './segments.ts';
import type { WalGap, WalRecord } from './types.ts';

export interface LocatedRecord {
  record: WalRecord;
  /** File name of the segment. */
  segment: string;
  commitNo: number;
  /** Chain value of the commit that holds the record. */
  chain: Buffer;
}

export interface WalReader {
  /** The next records up to `durableSeq`, about `maxBytes` of them; empty when there are none yet. */
  readBatch(maxBytes: number, durableSeq: number): WalRecord[];
  /** One record and its place; undefined once retention removed it, or where it is damaged. */
  locate(seq: number): LocatedRecord | undefined;
  /** Records from `fromSeq` on, at most `max`. */
  scan(fromSeq: number, max: number): Iterable<WalRecord>;
  close(): void;
}

export interface ReaderOptions {
  fromSeq: number;
  /** Called for each hole that is passed over. */
  onGap?: (gap: WalGap) => void;
}

interface Born {
  file: SegmentFileInfo;
  header: SegmentHeader;
}

/** A place in one segment. */
class SegmentCursor {
  readonly file: SegmentFileInfo;
  readonly header: SegmentHeader;
  readonly #source: SegmentSource;
  offset = HEADER_BYTES;

  constructor({ file, header }: Born) {
    this.file = file;
    this.header = header;
    this.#source = openSegment(file);
  }

  /** The commit at the offset and its bytes, and moves past it; undefined where there is no valid one. */
  next(): { commit: CommitInfo; bytes: Buffer } | undefined {
    const first = this.#source.read(this.offset, PAGE);
    const head = decodeCommitHead(first, 0);
    if (!head || head.paddedBytes > this.header.segmentBytes) return undefined;
    const bytes = head.paddedBytes <= PAGE ? first : this.#source.read(this.offset, head.paddedBytes);
    const commit = decodeCommit(bytes, 0, this.header.salt);
    if (commit) this.offset += commit.paddedBytes;
    return commit && { commit, bytes };
  }

  /** Moves to the next valid commit behind damage; false when there is none. */
  skipDamage(commitNo: number, seq: number): boolean {
    const image = this.#source.read(0, this.header.segmentBytes);
    const found = findValid(image, this.offset, commitNo, seq, this.header.salt);
    if (!found) return false;
    this.offset = found.offset;
    return true;
  }

  close(): void {
    this.#source.close();
  }
}

class LogReader implements WalReader {
  readonly #dir: string;
  readonly #onGap: ((gap: WalGap) => void) | undefined;
  #nextSeq: number;
  #nextCommit = 0;
  #cursor: SegmentCursor | undefined;
  #queue: WalRecord[] = [];
  #at = 0;

  constructor(dir: string, options: ReaderOptions) {
    this.#dir = dir;
    this.#onGap = options.onGap;
    this.#nextSeq = options.fromSeq;
  }

  readBatch(maxBytes: number, durableSeq: number): WalRecord[] {
    const batch: WalRecord[] = [];
    let bytes = 0;
    while (bytes < maxBytes && this.#nextSeq <= durableSeq) {
      const record = this.#queue[this.#at];
      if (record === undefined) {
        if (!this.#load()) break;
        continue;
      }
      if (record.seq > durableSeq) break;
      this.#at += 1;
      if (record.seq < this.#nextSeq) continue;
      if (record.seq > this.#nextSeq) this.#report(record.seq - 1);
      this.#nextSeq = record.seq + 1;
      bytes += record.payload.length;
      batch.push(record);
    }
    return batch;
  }

  /** Queues the records of the next commit; false when there is none yet. */
  #load(): boolean {
    this.#cursor ??= this.#open(bornAt(this.#dir, this.#nextSeq));
    const cursor = this.#cursor;
    if (!cursor) return false;
    const found = cursor.next();
    if (found) {
      this.#nextCommit = found.commit.commitNo + 1;
      this.#queue = recordsOf(found.bytes, found.commit);
      this.#at = 0;
      return true;
    }
    // The end of what this segment has so far, its real end, or damage: the next segment's header tells.
    const next = bornAfter(this.#dir, cursor.file.number);
    if (!next && !cursor.skipDamage(this.#nextCommit, this.#nextSeq)) return false;
    if (
      next &&
      (this.#nextCommit >= next.header.firstCommit || !cursor.skipDamage(this.#nextCommit, this.#nextSeq))
    ) {
      cursor.close();
      this.#cursor = this.#open(next);
    }
    return true;
  }

  #open(born: Born | undefined): SegmentCursor | undefined {
    if (!born) return undefined;
    this.#nextCommit = born.header.firstCommit;
    return new SegmentCursor(born);
  }

  #report(toSeq: number): void {
    this.#onGap?.({
      fromSeq: this.#nextSeq,
      toSeq,
      cause: 'wal_corruption',
      segment: this.#cursor?.file.number ?? 0,
      fromWallNs: 0n,
      toWallNs: 0n,
      detail: 'records are missing from the files',
    });
  }

  locate(seq: number): LocatedRecord | undefined {
    for (const { record, commit, file } of walk(this.#dir, seq)) {
      if (record.seq < seq) continue;
      if (record.seq > seq) return undefined;
      return {
        record,
        segment: file.path.slice(file.path.lastIndexOf('/') + 1),
        commitNo: commit.commitNo,
        chain: commit.chain,
      };
    }
    return undefined;
  }

  *scan(fromSeq: number, max: number): Iterable<WalRecord> {
    let left = max;
    for (const { record } of walk(this.#dir, fromSeq)) {
      if (record.seq < fromSeq) continue;
      if (left-- <= 0) return;
      yield record;
    }
  }

  close(): void {
    this.#cursor?.close();
    this.#cursor = undefined;
  }
}

function recordsOf(bytes: Buffer, commit: CommitInfo): WalRecord[] {
  const records: WalRecord[] = [];
  let offset = COMMIT_HEAD;
  for (let index = 0; index < commit.count; index++) {
    const record = decodeRecord(bytes, offset);
    offset += recordBytes(record.payload.length);
    records.push(record);
  }
  return records;
}

/** Header of a segment, undefined while it is only prepared. */
function born(file: SegmentFileInfo): Born | undefined {
  try {
    const { header } = readHeader(file);
    return header && { file, header };
  } catch (error) {
    // Retention or compression may have taken it away since it was listed.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The segment that holds `seq`, or the oldest after it. */
function bornAt(dir: string, seq: number): Born | undefined {
  const files = listSegments(dir);
  let low = 0;
  let high = files.length - 1;
  let best: Born | undefined;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = born(files[middle] as SegmentFileInfo);
    if (found && found.header.baseSeq <= seq) {
      best = found;
      low = middle + 1;
    } else high = middle - 1;
  }
  return best ?? (files[0] && born(files[0]));
}

function bornAfter(dir: string, number: number): Born | undefined {
  for (const file of listSegments(dir)) {
    if (file.number <= number) continue;
    const found = born(file);
    if (found) return found;
  }
  return undefined;
}

/** Commits and records from the segment that holds `seq` on; stops at damage. */
function* walk(
  dir: string,
  seq: number,
): Generator<{ record: WalRecord; commit: CommitInfo; file: SegmentFileInfo }> {
  let at = bornAt(dir, seq);
  while (at) {
    const cursor = new SegmentCursor(at);
    try {
      for (let found = cursor.next(); found; found = cursor.next()) {
        if (found.commit.baseSeq + found.commit.count <= seq) continue;
        for (const record of recordsOf(found.bytes, found.commit))
          yield { record, commit: found.commit, file: at.file };
      }
    } finally {
      cursor.close();
    }
    at = bornAfter(dir, at.file.number);
  }
}

/** Opens a reader that starts at `fromSeq`, or at the oldest record after it. */
export function openWalReader(dir: string, options: ReaderOptions): WalReader {
  return new LogReader(dir, options);
}
