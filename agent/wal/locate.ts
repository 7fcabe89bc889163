/** Single records and short runs of them, for details and proofs: found by headers and commit heads, without a scan. */
import { basename } from 'node:path';
import {
  COMMIT_HEAD,
  type CommitInfo,
  HEADER_BYTES,
  PAGE,
  decodeCommit,
  decodeCommitHead,
  decodeRecord,
  recordBytes,
} from './format.ts';
import { listSegments, tryOpen } from './segments.ts';
import type { WalRecord } from './types.ts';

export interface LocatedRecord {
  record: WalRecord;
  /** File name of the segment. */
  segment: string;
  /** Byte of the commit inside the (uncompressed) segment. */
  offset: number;
  commitNo: number;
  /** Chain after the commit that holds the record. */
  chain: Buffer;
}

/** One record with its place in the chain, or undefined if it is not there (or does not verify). */
export function locateRecord(dir: string, seq: number): LocatedRecord | undefined {
  for (const found of walk(dir, seq)) return found.record.seq === seq ? found : undefined;
  return undefined;
}

/** Records from `fromSeq` on, at most `max`, up to the first damage. */
export function* scanRecords(dir: string, fromSeq: number, max: number): Generator<WalRecord> {
  let left = max;
  for (const { record } of walk(dir, fromSeq)) {
    if (left-- <= 0) return;
    yield record;
  }
}

/** Records with at least this number, in order, from the segment that holds it on; ends at damage. */
function* walk(dir: string, seq: number): Generator<LocatedRecord> {
  const files = listSegments(dir);
  let index = files.length - 1;
  for (; index > 0; index--) {
    const opened = tryOpen(files[index] as (typeof files)[number]);
    opened?.source.close();
    if (opened !== undefined && opened.header.baseSeq <= seq) break;
  }
  let next = seq;
  for (const file of files.slice(Math.max(0, index))) {
    const opened = tryOpen(file);
    if (opened === undefined) return;
    const { source, header } = opened;
    try {
      for (const { commit, bytes } of commitsFrom(source, header.salt, next)) {
        for (let at = COMMIT_HEAD; at < COMMIT_HEAD + commit.bodyBytes;) {
          const record = decodeRecord(bytes, at);
          at += recordBytes(record.payload.length);
          if (record.seq < next) continue;
          next = record.seq + 1;
          const { offset, commitNo, chain } = commit;
          yield { record, segment: basename(file.path), offset, commitNo, chain };
        }
      }
    } finally {
      source.close();
    }
  }
}

/** Valid commits of one segment that hold records from `seq` on; those before are passed by their heads alone. */
function* commitsFrom(
  source: { read(offset: number, length: number): Buffer; size(): number },
  salt: number,
  seq: number,
): Generator<{ commit: CommitInfo; bytes: Buffer }> {
  const size = source.size();
  for (let offset = HEADER_BYTES; offset + PAGE <= size;) {
    const first = source.read(offset, PAGE);
    const head = decodeCommitHead(first, 0);
    if (head === undefined || offset + head.paddedBytes > size) return;
    if (head.baseSeq + head.count > seq) {
      const bytes = head.paddedBytes === PAGE ? first : source.read(offset, head.paddedBytes);
      const commit = decodeCommit(bytes, 0, salt);
      if (commit === undefined) return;
      yield { commit: { ...commit, offset }, bytes };
    }
    offset += head.paddedBytes;
  }
}
