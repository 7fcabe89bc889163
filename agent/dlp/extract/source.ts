/** Bytes that can be read at any place: a file, a buffer, a part of either. */
import { fstatSync, readSync } from 'node:fs';
import { ExtractError } from './extraction.ts';

export interface Source {
  readonly size: number;
  /** Up to `length` bytes; fewer only at the end. The caller may keep them. */
  read(offset: number, length: number): Buffer;
}

/** A file by its descriptor, read without moving its position. */
export function fileSource(fd: number): Source {
  const size = fstatSync(fd).size;
  return {
    size,
    read(offset, length) {
      const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(length, size - offset)));
      let filled = 0;
      while (filled < buffer.length) {
        let got: number;
        try {
          got = readSync(fd, buffer, filled, buffer.length - filled, offset + filled);
        } catch (error) {
          const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
          throw new ExtractError('unreadable', `the file could not be read: ${code}`, true);
        }
        if (got === 0) throw new ExtractError('changed', 'the file became shorter while it was read', true);
        filled += got;
      }
      return buffer;
    },
  };
}

export function bufferSource(bytes: Buffer): Source {
  return {
    size: bytes.length,
    read: (offset, length) => bytes.subarray(offset, Math.max(offset, offset + length)),
  };
}

/** A part of another source, cut at its end. */
export function slice(source: Source, start: number, length: number): Source {
  const size = Math.max(0, Math.min(length, source.size - start));
  return {
    size,
    read: (offset, wanted) =>
      offset >= size ? Buffer.alloc(0) : source.read(start + offset, Math.min(wanted, size - offset)),
  };
}

const CHUNK_BYTES = 64 * 1024;

/** All of a source in order. */
export function* chunks(source: Source, chunkBytes = CHUNK_BYTES): Generator<Buffer> {
  for (let offset = 0; offset < source.size; offset += chunkBytes) yield source.read(offset, chunkBytes);
}
