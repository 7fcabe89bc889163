/** Segment files in a lane's folder: names, listing, headers, whole images (raw or compressed). Read-only. */
import { closeSync, fstatSync, openSync, readSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type DecodedHeader, HEADER_BYTES, type SegmentHeader, decodeHeader } from './format.ts';
import { SeekableFile } from './seekable.ts';

export interface SegmentFileInfo {
  number: number;
  path: string;
  compressed: boolean;
}

const NAME = /^(\d{12})\.swal(\.zst)?$/;

export function segmentName(number: number): string {
  return `${String(number).padStart(12, '0')}.swal`;
}

/** Segments in ascending order. While both forms exist (compression was interrupted) the raw one counts. */
export function listSegments(dir: string): SegmentFileInfo[] {
  const found = new Map<number, SegmentFileInfo>();
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  for (const name of names) {
    const match = NAME.exec(name);
    if (!match) continue;
    const number = Number(match[1]);
    const compressed = match[2] !== undefined;
    if (compressed && found.has(number)) continue;
    found.set(number, { number, path: join(dir, name), compressed });
  }
  return [...found.values()].sort((a, b) => a.number - b.number);
}

/** Reads and decodes the two header copies. */
export function readHeader(file: SegmentFileInfo): DecodedHeader {
  const source = openSegment(file);
  try {
    return decodeHeader(source.read(0, HEADER_BYTES));
  } finally {
    source.close();
  }
}

/** The whole segment, uncompressed; in `reuse`, if that is large enough for a raw one. */
export function readImage(file: SegmentFileInfo, reuse?: Buffer): Buffer {
  const source = openSegment(file);
  try {
    if (reuse && source instanceof RawFile) return source.readInto(reuse);
    return source.read(0, source.size());
  } finally {
    source.close();
  }
}

/** Random access to a segment's bytes. */
export interface SegmentSource {
  /** Bytes [offset, offset + length), shorter at the end of the file. The buffer belongs to the caller. */
  read(offset: number, length: number): Buffer;
  size(): number;
  close(): void;
}

export function openSegment(file: SegmentFileInfo): SegmentSource {
  return file.compressed ? new SeekableFile(file.path) : new RawFile(file.path);
}

/** Opens a segment that can be read: undefined if it is gone, was never used, or has no valid header or seek table. */
export function tryOpen(file: SegmentFileInfo): { source: SegmentSource; header: SegmentHeader } | undefined {
  let source: SegmentSource;
  try {
    source = openSegment(file);
  } catch {
    // Removed by retention since the listing, or a compressed file whose table is damaged.
    return undefined;
  }
  const { header } = decodeHeader(source.read(0, HEADER_BYTES));
  if (header !== undefined) return { source, header };
  source.close();
  return undefined;
}

class RawFile implements SegmentSource {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = openSync(path, 'r');
  }

  /** The whole file, in `buffer` if it fits. */
  readInto(buffer: Buffer): Buffer {
    const size = this.size();
    return this.#fill(size <= buffer.length ? buffer.subarray(0, size) : Buffer.allocUnsafe(size), 0);
  }

  read(offset: number, length: number): Buffer {
    return this.#fill(Buffer.allocUnsafe(length), offset);
  }

  #fill(bytes: Buffer, offset: number): Buffer {
    const { length } = bytes;
    let have = 0;
    while (have < length) {
      const got = readSync(this.#fd, bytes, have, length - have, offset + have);
      if (got === 0) break;
      have += got;
    }
    return bytes.subarray(0, have);
  }

  size(): number {
    return fstatSync(this.#fd).size;
  }

  close(): void {
    closeSync(this.#fd);
  }
}
