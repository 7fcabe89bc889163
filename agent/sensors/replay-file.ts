/**
 * Replay files: recorded sensor records, for tests, demos and benches.
 *
 * Layout, little-endian: a 64-byte header, then records as in native-addon/src/linux/events.h back to back, both
 * lanes mixed, in the order in which they were recorded.
 *
 *   0 magic "SNREPLAY"   8 version u32 = 1   12 header bytes u32 = 64   16 records u64   24 record bytes u64
 *  32 boot ns u64, stamp of the first record   40 wall ns u64, the same moment since the epoch   48 crc32 u32
 *
 * The CRC (zlib's, over all records) and the counts are written last; a file whose writer died has count 0 and is
 * refused. Limit: 4 GiB of records, because the reader keeps them in memory.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { recordBootNs, recordLane, recordLength } from './decode.ts';

const MAGIC = 'SNREPLAY';
const HEADER_BYTES = 64;
const MAX_BYTES = 4 * 1024 ** 3;
const CHUNK_BYTES = 1024 * 1024;

export class ReplayFileError extends Error {
  override name = 'ReplayFileError';
}

/** Records of a replay, parted by lane so that a batch is one copy. */
export interface ReplayRecords {
  bootNs: bigint;
  wallNs: bigint;
  count: number;
  /** 1 = security, 0 = observability, for each record in recorded order. */
  lanes: Uint8Array;
  security: LaneRecords;
  observability: LaneRecords;
}

export interface LaneRecords {
  bytes: Buffer;
  /** Where each record begins, and one entry more for the end. */
  offsets: Float64Array;
}

/**
 * Writes `records` to `path` (replaced if it exists). `wallOffsetNs` turns their boot stamps into ns since the epoch.
 * @throws ReplayFileError when there is no record or one is malformed.
 */
export function writeReplayFile(
  path: string,
  records: Iterable<Buffer>,
  wallOffsetNs = 0n,
): { records: number; bytes: number } {
  const fd = openSync(path, 'w', 0o600);
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    writeSync(fd, header);
    let chunk: Buffer[] = [];
    let chunkBytes = 0;
    let bytes = 0;
    let count = 0;
    let crc = 0;
    const flush = (): void => {
      const data = Buffer.concat(chunk);
      crc = crc32(data, crc);
      for (let written = 0; written < data.length;) written += writeSync(fd, data, written);
      chunk = [];
      chunkBytes = 0;
    };
    for (const record of records) {
      if (recordLength(record, 0) !== record.length) {
        throw new ReplayFileError(
          `${path}: record ${count} is not one whole sensor record; nothing usable was written`,
        );
      }
      if (count === 0) {
        const bootNs = recordBootNs(record, 0);
        header.writeBigUInt64LE(bootNs, 32);
        header.writeBigUInt64LE(BigInt.asUintN(64, bootNs + wallOffsetNs), 40);
      }
      chunk.push(record);
      chunkBytes += record.length;
      bytes += record.length;
      count += 1;
      if (bytes > MAX_BYTES) throw new ReplayFileError(`${path}: more than 4 GiB of records; record fewer`);
      if (chunkBytes >= CHUNK_BYTES) flush();
    }
    if (count === 0) throw new ReplayFileError(`${path}: there is no record to write`);
    flush();
    header.write(MAGIC, 0, 'latin1');
    header.writeUInt32LE(1, 8);
    header.writeUInt32LE(HEADER_BYTES, 12);
    header.writeBigUInt64LE(BigInt(count), 16);
    header.writeBigUInt64LE(BigInt(bytes), 24);
    header.writeUInt32LE(crc, 48);
    writeSync(fd, header, 0, HEADER_BYTES, 0);
    return { records: count, bytes };
  } finally {
    closeSync(fd);
  }
}

/** Parts records that stand back to back in `bytes` by lane. @throws ReplayFileError naming the malformed one. */
export function splitRecords(bytes: Buffer, wallOffsetNs: bigint, where = 'records'): ReplayRecords {
  let count = 0;
  let securityCount = 0;
  let securityBytes = 0;
  for (let offset = 0; offset < bytes.length;) {
    const length = recordLength(bytes, offset);
    if (length === 0) throw new ReplayFileError(`${where}: record ${count} at byte ${offset} is malformed`);
    if (recordLane(bytes, offset) === 'security') {
      securityCount += 1;
      securityBytes += length;
    }
    count += 1;
    offset += length;
  }
  const lane = (size: number, records: number): LaneRecords => ({
    bytes: Buffer.allocUnsafeSlow(size),
    offsets: new Float64Array(records + 1),
  });
  const security = lane(securityBytes, securityCount);
  const observability = lane(bytes.length - securityBytes, count - securityCount);
  const lanes = new Uint8Array(count);
  const filled = [0, 0];
  const at = [0, 0];
  for (let offset = 0, index = 0; index < count; index++) {
    const length = recordLength(bytes, offset);
    const isSecurity = recordLane(bytes, offset) === 'security' ? 1 : 0;
    const target = isSecurity === 1 ? security : observability;
    const end = at[isSecurity] as number;
    bytes.copy(target.bytes, end, offset, offset + length);
    target.offsets[(filled[isSecurity] as number) + 1] = end + length;
    filled[isSecurity] = (filled[isSecurity] as number) + 1;
    at[isSecurity] = end + length;
    lanes[index] = isSecurity;
    offset += length;
  }
  const bootNs = count === 0 ? 0n : recordBootNs(bytes, 0);
  return { bootNs, wallNs: bootNs + wallOffsetNs, count, lanes, security, observability };
}

/** Reads and checks a whole file. @throws ReplayFileError saying what is wrong with it. */
export function readReplayFile(path: string): ReplayRecords {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw new ReplayFileError(`${path}: cannot be read (${(error as Error).message})`, { cause: error });
  }
  try {
    const { size } = fstatSync(fd);
    const header = Buffer.alloc(HEADER_BYTES);
    const got = readSync(fd, header, 0, HEADER_BYTES, 0);
    if (got < HEADER_BYTES || header.toString('latin1', 0, 8) !== MAGIC) {
      throw new ReplayFileError(`${path}: not a replay file`);
    }
    const version = header.readUInt32LE(8);
    if (version !== 1) throw new ReplayFileError(`${path}: format version ${version}, this build reads 1`);
    const count = Number(header.readBigUInt64LE(16));
    const bytes = Number(header.readBigUInt64LE(24));
    if (size !== HEADER_BYTES + bytes || bytes > MAX_BYTES) {
      throw new ReplayFileError(
        `${path}: ${size} bytes long, its header says ${HEADER_BYTES + bytes}; record it again`,
      );
    }
    const data = Buffer.allocUnsafeSlow(bytes);
    for (let filled = 0; filled < bytes;) {
      const more = readSync(fd, data, filled, Math.min(bytes - filled, 1 << 30), HEADER_BYTES + filled);
      if (more === 0) throw new ReplayFileError(`${path}: became shorter while it was read`);
      filled += more;
    }
    if (crc32(data) !== header.readUInt32LE(48))
      throw new ReplayFileError(`${path}: checksum does not match; the file is damaged`);
    const wallOffsetNs = header.readBigUInt64LE(40) - header.readBigUInt64LE(32);
    const records = splitRecords(data, wallOffsetNs, path);
    if (records.count !== count)
      throw new ReplayFileError(`${path}: holds ${records.count} records, its header says ${count}`);
    return records;
  } finally {
    closeSync(fd);
  }
}
