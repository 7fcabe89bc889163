/**
 * What a file can be read as. Its bytes are read beside the main thread: a disk, a medium or a share may take its time, and
 * decisions about processes must not wait for it.
 */
import { fstat, read } from 'node:fs';
import { promisify } from 'node:util';
import { ExtractError } from './extraction.ts';
import { HEAD_BYTES, identify, type Format } from './identify.ts';
import { bufferSource, fileSource, type Source } from './source.ts';

const statOf = promisify(fstat);
const readInto = promisify(read) as (
  fd: number,
  buffer: Buffer,
  offset: number,
  length: number,
  position: number,
) => Promise<{ bytesRead: number }>;

/** Places that are read one by one; a file that asks for more was made to, and is read where it stands. */
const MAX_PLACES = 16;

/** Bytes at `offset` that are not there yet. */
class Missing {
  readonly offset: number;
  readonly length: number;

  constructor(offset: number, length: number) {
    this.offset = offset;
    this.length = length;
  }
}

/** Up to `length` bytes; fewer only at the end. @throws ExtractError */
async function readAt(fd: number, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    let got: number;
    try {
      got = (await readInto(fd, buffer, filled, length - filled, offset + filled)).bytesRead;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
      throw new ExtractError('unreadable', `the file could not be read: ${code}`, true);
    }
    if (got === 0) break;
    filled += got;
  }
  return buffer.subarray(0, filled);
}

/** Everything that the file behind `fd` can be read as; empty for plain text and unknown data. @throws ExtractError */
export async function formatsOf(fd: number): Promise<Format[]> {
  const head = await readAt(fd, 0, HEAD_BYTES);
  if (head.length < HEAD_BYTES) return identify(bufferSource(head));
  const { size } = await statOf(fd);
  const places = [{ offset: 0, bytes: head }];
  const source: Source = {
    size,
    read(offset, asked) {
      const length = Math.max(0, Math.min(asked, size - offset));
      const place = places.find(
        ({ offset: start, bytes }) => start <= offset && offset + length <= start + bytes.length,
      );
      if (place === undefined) throw new Missing(offset, length);
      return place.bytes.subarray(offset - place.offset, offset - place.offset + length);
    },
  };
  while (places.length < MAX_PLACES) {
    try {
      return identify(source);
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      const bytes = await readAt(fd, error.offset, error.length);
      if (bytes.length < error.length)
        throw new ExtractError('changed', 'the file became shorter while it was read', true);
      places.push({ offset: error.offset, bytes });
    }
  }
  return identify(fileSource(fd));
}
