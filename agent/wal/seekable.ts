/**
 * Compressed segments: zstd's "seekable format", which every zstd tool can decompress as one stream.
 *
 *   file  = frame | frame | … | seek table
 *   frame = an independent zstd frame of FRAME_BYTES of the segment (the last one shorter)
 *   table = skippable frame: 4 magic 0x184d2a5e, 4 length, per frame 4 compressed size + 4 uncompressed size,
 *           then 4 number of frames, 1 descriptor (0), 4 magic 0x8f92eab1. Little-endian.
 *
 * Limits: 2^31 bytes per file. A table that does not add up makes the constructor throw WalFormatError.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompressSync } from 'node:zlib';
import { WalFormatError } from './errors.ts';

export const FRAME_BYTES = 1024 * 1024;
const SKIPPABLE_MAGIC = 0x184d2a5e;
const FOOTER_MAGIC = 0x8f92eab1;
const FOOTER_BYTES = 9;
const MAX_FRAMES = 2048;
const compress = promisify(zstdCompress);

/**
 * Compresses a segment frame by frame on the thread pool, handing each piece to `write` in order. At most one frame and
 * its compressed form are in memory.
 */
export async function compressSeekable(
  source: { size(): number; read(offset: number, length: number): Buffer },
  level: number,
  write: (bytes: Buffer) => Promise<void>,
): Promise<void> {
  const entries: number[] = [];
  for (let at = 0, size = source.size(); at < size; at += FRAME_BYTES) {
    const piece = source.read(at, Math.min(FRAME_BYTES, size - at));
    const frame = await compress(piece, { params: { [constants.ZSTD_c_compressionLevel]: level } });
    entries.push(frame.length, piece.length);
    await write(frame);
  }
  const frames = entries.length / 2;
  const table = Buffer.alloc(8 + frames * 8 + FOOTER_BYTES);
  table.writeUInt32LE(SKIPPABLE_MAGIC, 0);
  table.writeUInt32LE(table.length - 8, 4);
  entries.forEach((value, index) => table.writeUInt32LE(value, 8 + index * 4));
  table.writeUInt32LE(frames, table.length - FOOTER_BYTES);
  table.writeUInt32LE(FOOTER_MAGIC, table.length - 4);
  await write(table);
}

interface Frame {
  at: number;
  bytes: number;
  start: number;
  length: number;
}

/** Random access to a compressed segment; keeps the last frame it expanded. */
export class SeekableFile {
  readonly #fd: number;
  readonly #path: string;
  readonly #frames: Frame[] = [];
  readonly #size: number;
  #cached = -1;
  #cache: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    this.#path = path;
    this.#fd = openSync(path, 'r');
    try {
      this.#size = this.#readTable();
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  #readTable(): number {
    const fileBytes = fstatSync(this.#fd).size;
    const bad = (offset: number, what: string): WalFormatError =>
      new WalFormatError(this.#path, offset, `compressed segment: ${what}`);
    if (fileBytes < FOOTER_BYTES + 8) throw bad(0, 'too short');
    const footer = this.#pread(fileBytes - FOOTER_BYTES, FOOTER_BYTES);
    const frames = footer.readUInt32LE(0);
    if (footer.readUInt32LE(5) !== FOOTER_MAGIC || footer[4] !== 0 || frames > MAX_FRAMES) {
      throw bad(fileBytes - FOOTER_BYTES, 'no seek table at the end');
    }
    const tableBytes = 8 + frames * 8 + FOOTER_BYTES;
    const tableAt = fileBytes - tableBytes;
    if (tableAt < 0) throw bad(0, 'seek table longer than the file');
    const table = this.#pread(tableAt, tableBytes);
    if (table.readUInt32LE(0) !== SKIPPABLE_MAGIC || table.readUInt32LE(4) !== tableBytes - 8) {
      throw bad(tableAt, 'seek table is damaged');
    }
    let at = 0;
    let start = 0;
    for (let index = 0; index < frames; index++) {
      const bytes = table.readUInt32LE(8 + index * 8);
      const length = table.readUInt32LE(12 + index * 8);
      const last = index === frames - 1;
      if (length === 0 || length > FRAME_BYTES || (!last && length !== FRAME_BYTES)) {
        throw bad(tableAt, 'seek table is damaged');
      }
      this.#frames.push({ at, bytes, start, length });
      at += bytes;
      start += length;
    }
    if (at !== tableAt) throw bad(tableAt, 'seek table does not match the frames');
    return start;
  }

  #pread(offset: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    const got = readSync(this.#fd, bytes, 0, length, offset);
    return bytes.subarray(0, got);
  }

  #frame(index: number): Buffer {
    if (this.#cached === index) return this.#cache;
    const frame = this.#frames[index] as Frame;
    let bytes: Buffer;
    try {
      bytes = zstdDecompressSync(this.#pread(frame.at, frame.bytes), { maxOutputLength: frame.length });
    } catch {
      // A frame that does not expand reads as zeros: the commits in it then fail their checks, one by one, as they
      // would in a raw segment with damaged sectors, and the frames behind it stay readable.
      bytes = Buffer.alloc(frame.length);
    }
    if (bytes.length !== frame.length) bytes = Buffer.concat([bytes], frame.length);
    this.#cached = index;
    this.#cache = bytes;
    return bytes;
  }

  read(offset: number, length: number): Buffer {
    const end = Math.min(this.#size, offset + length);
    const out = Buffer.allocUnsafe(Math.max(0, end - offset));
    let have = 0;
    while (have < out.length) {
      const index = Math.floor((offset + have) / FRAME_BYTES);
      const frame = this.#frame(index);
      const from = offset + have - index * FRAME_BYTES;
      have += frame.copy(out, have, from);
    }
    return out;
  }

  size(): number {
    return this.#size;
  }

  close(): void {
    closeSync(this.#fd);
    this.#cache = Buffer.alloc(0);
  }
}
