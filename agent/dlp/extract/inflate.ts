/** Unpacks streams of zlib's family piece by piece, counting every byte against the budget. */
import {
  constants,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
  inflateRawSync,
  type Zlib,
} from 'node:zlib';
import type { Duplex } from 'node:stream';
import { unpackBzip2 } from './bzip2.ts';
import { ExtractError, type Extraction } from './extraction.ts';
import { chunks, type Source } from './source.ts';
import { unpackXz } from './xz.ts';

/** What zlib and zstd unpack. */
type ByLibrary = 'deflate' | 'zlib' | 'gzip' | 'zstd';
export type Packing = ByLibrary | 'bzip2' | 'xz';

/** Of an unpacked piece. */
const PIECE_BYTES = 64 * 1024;
/** Up to here a member is unpacked in one step, which costs a third. */
const ONE_STEP_BYTES = 1024 * 1024;

function unpacker(packing: ByLibrary): Duplex & Zlib {
  const options = { chunkSize: PIECE_BYTES };
  if (packing === 'gzip') return createGunzip(options);
  if (packing === 'zlib') return createInflate(options);
  if (packing === 'deflate') return createInflateRaw(options);
  // 2^23: the window of every level but the extreme ones.
  return createZstdDecompress({ ...options, params: { [constants.ZSTD_d_windowLogMax]: 23 } });
}

function meaning(error: unknown): unknown {
  if (error instanceof ExtractError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'Z_BUF_ERROR') return new ExtractError('malformed', 'the compressed data ends too early');
  if (code?.startsWith('ZSTD_error_frameParameter'))
    return new ExtractError('too_large', 'unpacking it needs more memory than it may have');
  return new ExtractError('malformed', `the compressed data is damaged (${code ?? 'unknown'})`);
}

/** Writes piece after piece. Not pipe(), which asks for the standard output of a process that may open nothing. */
async function feed(stream: Duplex, input: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<void> {
  try {
    for await (const piece of input) {
      await new Promise<void>((resolve) => {
        stream.write(piece, () => resolve());
      });
      if (stream.destroyed) return;
    }
    stream.end();
  } catch (error) {
    stream.destroy(error as Error);
  }
}

/** What comes out of `input`; `onEnd` is told how many bytes of it were used. */
export async function* unpack(
  extraction: Extraction,
  packing: Packing,
  input: Iterable<Buffer> | AsyncIterable<Buffer>,
  onEnd?: (used: number) => void,
): AsyncGenerator<Buffer> {
  if (packing === 'bzip2' || packing === 'xz') {
    yield* packing === 'xz' ? unpackXz(extraction, input) : unpackBzip2(extraction, input);
    return;
  }
  const stream = unpacker(packing);
  void feed(stream, input);
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      extraction.spend(piece.length);
      yield piece;
    }
    onEnd?.(stream.bytesWritten);
  } catch (error) {
    throw meaning(error);
  } finally {
    stream.destroy();
  }
}

/** A deflated member: in one step where it is small, else piece by piece. */
export async function* inflateMember(
  extraction: Extraction,
  source: Source,
  declared: number,
): AsyncGenerator<Buffer> {
  if (declared <= ONE_STEP_BYTES && source.size <= ONE_STEP_BYTES) {
    let whole: Buffer | undefined;
    try {
      whole = inflateRawSync(source.read(0, source.size), { maxOutputLength: ONE_STEP_BYTES });
    } catch {
      // Damaged, or longer than it says: read again, piece by piece, for as much as there is.
    }
    if (whole) {
      extraction.spend(whole.length);
      yield whole;
      return;
    }
  }
  yield* unpack(extraction, 'deflate', chunks(source, 16 * 1024));
}
