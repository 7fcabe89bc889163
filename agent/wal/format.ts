/**
 * SWAL1: the files of the write-ahead log.
 *
 * ## Layout
 * A lane is a folder of segments `NNNNNNNNNNNN.swal` (12 decimal digits, ascending, no holes), or `….swal.zst` once
 * sealed and compressed (seekable.ts; same bytes inside). All integers are little-endian.
 *
 *   segment  = header | header (an identical copy) | commit | commit | … | zeros
 *   header   = 4096 bytes
 *       0  8  magic "SWAL1\r\n\x1a"
 *       8  4  version, 1
 *      12  4  crc32c of the 4096 bytes with this field zero
 *      16  4  lane: 1 security, 2 observability
 *      20  4  segment size in bytes
 *      24  8  segment number, as in the file name
 *      32  8  base_seq: sequence number of the first record that will be written here
 *      40  8  first_commit: number of the first commit that will be written here
 *      48  8  epoch: number of the agent's run
 *      56  8  wall_ns: when the segment was started
 *      64  4  salt: random, seeds every checksum below, so that bytes of another segment never pass for this one's
 *      68  4  zero
 *      72 32  prev_chain: chain after commit first_commit - 1; zeros before the first commit ever
 *     104 64  device id, UTF-8, zero-padded
 *     168     zeros
 *   commit   = 80-byte head | records | zeros up to a multiple of 4096
 *       0  4  crc32c, seeded by salt, of everything after this field up to the padded end
 *       4  4  magic "SWLC"
 *       8  4  body_len: bytes of records
 *      12  4  count: records; 0 for an idle or closing commit
 *      16  8  commit_no: ascends by one over segments and epochs
 *      24  8  base_seq: sequence number of the first record, or of the next one when count is 0
 *      32 32  chain = BLAKE3(chain of commit_no - 1 | bytes 4..32 | bytes 64..80 + body_len)
 *      64  4  flags: 1 idle, 2 clean close
 *      68  4  zero
 *      72  8  wall_ns of the commit
 *   record   = 32-byte head | payload | zeros up to a multiple of 8
 *       0  4  crc32c, seeded by salt, of everything after this field up to the end of the payload
 *       4  4  len: bytes of payload
 *       8  8  seq: ascends by one over commits, segments and epochs; the first ever is 1
 *      16  8  wall_ns at collection
 *      24  2  type (RecordType)   26  2  flags   28  2  schema (Schema)   30  2  source CPU, 0xffff unknown
 *
 * ## Limits
 * Segment 64 KiB to 1 GiB, multiple of 4096. A commit fits in one segment; writers keep it within 1 MiB unless a single
 * record is larger. Sequence and commit numbers stay below 2^53.
 *
 * ## Invariants
 * 1. One durable write is in flight at a time, so at most the last commit of the last segment can be torn.
 * 2. A record is acknowledged (durableSeq) only after its whole commit is on stable storage.
 * 3. A segment is never written to again after a failed write, and never after a restart. The commit whose write failed
 *    is written again, with the same numbers, as the first of the next segment. Hence the next segment's header rules:
 *    commits of a segment with commit_no >= first_commit of the next one are superseded and do not count.
 * 4. A segment is created full of zeros, and its data, size and directory entry are durable, before its first commit;
 *    headers and first commit then go out in one write. A file whose two headers are zeros is not born yet.
 * 5. A commit that fails its checks with a valid commit of a higher number behind it (in this segment, or by the next
 *    header) is corruption. One with nothing valid behind it is a torn tail: never acknowledged, or damaged at rest,
 *    which no file can tell. That is why one idle commit follows one second after the last one with records: from then
 *    on damage to any record shows as corruption. An idle log writes nothing more.
 * 6. Every version that was ever written stays readable: a new layout is a new version number, not a change to this.
 */
import { crc32c } from './crc32c.ts';
import { blake3 } from './blake3.ts';
import type { WalRecord, WalRecordInput } from './types.ts';

export const PAGE = 4096;
export const HEADER_BYTES = 2 * PAGE;
export const COMMIT_HEAD = 80;
export const RECORD_HEAD = 32;
export const MIN_SEGMENT_BYTES = 64 * 1024;
export const MAX_SEGMENT_BYTES = 1024 * 1024 * 1024;
export const DEFAULT_SEGMENT_BYTES = 16 * 1024 * 1024;
/** A commit is closed when it reaches this size, padding included. */
export const COMMIT_TARGET_BYTES = 1024 * 1024;
export const CHAIN_BYTES = 32;
export const ZERO_CHAIN: Buffer = Buffer.alloc(CHAIN_BYTES);
export const UNKNOWN_CPU = 0xffff;

export const CommitFlag = { idle: 1, cleanClose: 2 } as const;

const VERSION = 1;
const HEADER_MAGIC = Buffer.from('SWAL1\r\n\x1a', 'latin1');
const COMMIT_MAGIC = 0x434c5753; // "SWLC"
const DEVICE_OFFSET = 104;
const DEVICE_BYTES = 64;
const LANE_CODES = { security: 1, observability: 2 } as const;

export interface SegmentHeader {
  lane: 'security' | 'observability';
  segmentBytes: number;
  segment: number;
  baseSeq: number;
  firstCommit: number;
  epoch: number;
  wallNs: bigint;
  salt: number;
  prevChain: Buffer;
  deviceId: string;
}

/** One commit as found in a segment image; `offset` is where it starts. */
export interface CommitInfo {
  offset: number;
  paddedBytes: number;
  bodyBytes: number;
  count: number;
  commitNo: number;
  baseSeq: number;
  flags: number;
  wallNs: bigint;
  chain: Buffer;
}

export function padTo(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit;
}

/** Bytes a record with this payload takes inside a commit. */
export function recordBytes(payloadBytes: number): number {
  return padTo(RECORD_HEAD + payloadBytes, 8);
}

/** Largest payload that a segment of this size can hold. */
export function maxPayload(segmentBytes: number): number {
  return segmentBytes - HEADER_BYTES - COMMIT_HEAD - RECORD_HEAD - 8;
}

export function readU64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset) + bytes.readUInt32LE(offset + 4) * 0x1_0000_0000;
}

export function writeU64(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32LE(value % 0x1_0000_0000, offset);
  bytes.writeUInt32LE(Math.floor(value / 0x1_0000_0000), offset + 4);
}

/** The two header copies, 8192 bytes. */
export function encodeHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  HEADER_MAGIC.copy(bytes, 0);
  bytes.writeUInt32LE(VERSION, 8);
  bytes.writeUInt32LE(LANE_CODES[header.lane], 16);
  bytes.writeUInt32LE(header.segmentBytes, 20);
  writeU64(bytes, header.segment, 24);
  writeU64(bytes, header.baseSeq, 32);
  writeU64(bytes, header.firstCommit, 40);
  writeU64(bytes, header.epoch, 48);
  bytes.writeBigUInt64LE(header.wallNs, 56);
  bytes.writeUInt32LE(header.salt, 64);
  header.prevChain.copy(bytes, 72);
  bytes.write(header.deviceId, DEVICE_OFFSET, DEVICE_BYTES, 'utf8');
  bytes.writeUInt32LE(crc32c(0, bytes, 0, PAGE), 12);
  bytes.copy(bytes, PAGE, 0, PAGE);
  return bytes;
}

/** Decodes the header copy at `offset`; undefined if its checksum, magic or version is wrong. */
function decodeHeaderCopy(bytes: Buffer, offset: number): SegmentHeader | undefined {
  if (bytes.length < offset + PAGE) return undefined;
  if (bytes.compare(HEADER_MAGIC, 0, 8, offset, offset + 8) !== 0) return undefined;
  const copy = Buffer.from(bytes.subarray(offset, offset + PAGE));
  const crc = copy.readUInt32LE(12);
  copy.writeUInt32LE(0, 12);
  if (crc32c(0, copy, 0, PAGE) !== crc || copy.readUInt32LE(8) !== VERSION) return undefined;
  const device = copy.subarray(DEVICE_OFFSET, DEVICE_OFFSET + DEVICE_BYTES);
  const end = device.indexOf(0);
  return {
    lane: copy.readUInt32LE(16) === LANE_CODES.security ? 'security' : 'observability',
    segmentBytes: copy.readUInt32LE(20),
    segment: readU64(copy, 24),
    baseSeq: readU64(copy, 32),
    firstCommit: readU64(copy, 40),
    epoch: readU64(copy, 48),
    wallNs: copy.readBigUInt64LE(56),
    salt: copy.readUInt32LE(64),
    prevChain: Buffer.from(copy.subarray(72, 72 + CHAIN_BYTES)),
    deviceId: device.toString('utf8', 0, end < 0 ? DEVICE_BYTES : end),
  };
}

export interface DecodedHeader {
  /** Undefined when neither copy is valid. */
  header: SegmentHeader | undefined;
  /** Copies that failed: 0, 1 or both. */
  badCopies: number[];
  /** Both copies are all zeros (or the file is shorter): a segment that was prepared and never used. */
  unborn: boolean;
}

/** Decodes the first 8192 bytes of a segment. */
export function decodeHeader(bytes: Buffer): DecodedHeader {
  const copies = [decodeHeaderCopy(bytes, 0), decodeHeaderCopy(bytes, PAGE)];
  const header = copies[0] ?? copies[1];
  const badCopies = [0, 1].filter((index) => copies[index] === undefined);
  return { header, badCopies, unborn: header === undefined && isZero(bytes, 0, HEADER_BYTES) };
}

/** True if bytes[start, end) (cut at the buffer's end) are all zero. */
export function isZero(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start, stop = Math.min(end, bytes.length); at < stop; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** Writes a record with a checksum and returns the offset after it. The target must be zero there. */
export function encodeRecord(
  target: Buffer,
  offset: number,
  record: WalRecordInput,
  seq: number,
  salt: number,
): number {
  const { payload } = record;
  target.writeUInt32LE(payload.length, offset + 4);
  writeU64(target, seq, offset + 8);
  target.writeBigUInt64LE(record.wallNs, offset + 16);
  target.writeUInt16LE(record.type, offset + 24);
  target.writeUInt16LE(record.flags ?? 0, offset + 26);
  target.writeUInt16LE(record.schema, offset + 28);
  target.writeUInt16LE(record.cpu ?? UNKNOWN_CPU, offset + 30);
  target.set(payload, offset + RECORD_HEAD);
  target.writeUInt32LE(crc32c(salt, target, offset + 4, offset + RECORD_HEAD + payload.length), offset);
  return offset + recordBytes(payload.length);
}

export interface CommitHead {
  commitNo: number;
  baseSeq: number;
  count: number;
  bodyBytes: number;
  flags: number;
  wallNs: bigint;
}

/**
 * Fills in the 80-byte head at the start of `commit`, whose records are in place from byte 80 and whose length is the
 * padded length. Returns the chain after this commit.
 */
export function sealCommit(commit: Buffer, head: CommitHead, prevChain: Buffer, salt: number): Buffer {
  commit.writeUInt32LE(COMMIT_MAGIC, 4);
  commit.writeUInt32LE(head.bodyBytes, 8);
  commit.writeUInt32LE(head.count, 12);
  writeU64(commit, head.commitNo, 16);
  writeU64(commit, head.baseSeq, 24);
  commit.writeUInt32LE(head.flags, 64);
  commit.writeUInt32LE(0, 68);
  commit.writeBigUInt64LE(head.wallNs, 72);
  const chain = chainAfter(prevChain, commit, 0, head.bodyBytes);
  chain.copy(commit, 32);
  commit.writeUInt32LE(crc32c(salt, commit, 4, commit.length), 0);
  return chain;
}

/** Chain after the commit at `offset`, recomputed from its bytes. */
export function chainAfter(prevChain: Buffer, bytes: Buffer, offset: number, bodyBytes: number): Buffer {
  return blake3([
    prevChain,
    bytes.subarray(offset + 4, offset + 32),
    bytes.subarray(offset + 64, offset + COMMIT_HEAD + bodyBytes),
  ]);
}

/** Decodes a commit head without checking its checksum; undefined if it cannot be one. */
export function decodeCommitHead(bytes: Buffer, offset: number): CommitInfo | undefined {
  if (offset + COMMIT_HEAD > bytes.length || bytes.readUInt32LE(offset + 4) !== COMMIT_MAGIC)
    return undefined;
  const bodyBytes = bytes.readUInt32LE(offset + 8);
  return {
    offset,
    paddedBytes: padTo(COMMIT_HEAD + bodyBytes, PAGE),
    bodyBytes,
    count: bytes.readUInt32LE(offset + 12),
    commitNo: readU64(bytes, offset + 16),
    baseSeq: readU64(bytes, offset + 24),
    chain: Buffer.from(bytes.subarray(offset + 32, offset + 64)),
    flags: bytes.readUInt32LE(offset + 64),
    wallNs: bytes.readBigUInt64LE(offset + 72),
  };
}

/** Decodes and checks the commit at `offset`; undefined if anything about it is wrong. */
export function decodeCommit(bytes: Buffer, offset: number, salt: number): CommitInfo | undefined {
  const info = decodeCommitHead(bytes, offset);
  if (info === undefined || offset + info.paddedBytes > bytes.length) return undefined;
  if (crc32c(salt, bytes, offset + 4, offset + info.paddedBytes) !== bytes.readUInt32LE(offset)) {
    return undefined;
  }
  return info;
}

/** Decodes the record at `offset`, whose payload becomes a view of `bytes`. The caller has checked the commit. */
export function decodeRecord(bytes: Buffer, offset: number): WalRecord {
  const length = bytes.readUInt32LE(offset + 4);
  return {
    seq: readU64(bytes, offset + 8),
    type: bytes.readUInt16LE(offset + 24),
    schema: bytes.readUInt16LE(offset + 28),
    flags: bytes.readUInt16LE(offset + 26),
    cpu: bytes.readUInt16LE(offset + 30),
    wallNs: bytes.readBigUInt64LE(offset + 16),
    payload: bytes.subarray(offset + RECORD_HEAD, offset + RECORD_HEAD + length),
  };
}
