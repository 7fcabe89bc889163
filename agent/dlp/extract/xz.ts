/**
 * Unpacks xz (https://tukaani.org/xz/xz-file-format.txt), and the LZMA of zip archives. LZMA2 alone among the filters, as
 * everything but executables is packed.
 */
import { crc32 } from 'node:zlib';
import { ByteReader } from './byte-reader.ts';
import { ExtractError, type Extraction } from './extraction.ts';
import { LzmaDecoder } from './lzma.ts';

const MAGIC = Buffer.from('fd377a585a00', 'hex');
const PIECE_BYTES = 256 * 1024;
/** Bytes of a check by its kind. */
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];
const LZMA2 = 0x21;

function damaged(): ExtractError {
  return new ExtractError('malformed', 'the compressed data is damaged (xz)');
}

class Packed {
  readonly #reader: ByteReader;
  /** Bytes used. */
  used = 0;

  constructor(input: AsyncIterable<Buffer> | Iterable<Buffer>) {
    this.#reader = new ByteReader(input);
  }

  async take(length: number): Promise<Buffer> {
    const bytes = await this.#reader.take(length);
    this.used += bytes.length;
    if (bytes.length < length) throw new ExtractError('malformed', 'the compressed data ends too early');
    return bytes;
  }

  /** Four bytes, or fewer at the end. */
  async four(): Promise<Buffer> {
    const bytes = await this.#reader.take(4);
    this.used += bytes.length;
    return bytes;
  }

  async number(): Promise<number> {
    let value = 0;
    for (let nth = 0; nth < 9; nth += 1) {
      const byte = (await this.take(1))[0] ?? 0;
      value += (byte & 0x7f) * 2 ** (7 * nth);
      if ((byte & 0x80) === 0) return value;
    }
    throw damaged();
  }
}

/** Bytes of the dictionary by its code. */
function dictionaryBytes(code: number): number {
  if (code > 40) throw damaged();
  return code === 40 ? 0xffff_ffff : (2 | (code & 1)) * 2 ** ((code >> 1) + 11);
}

/** The dictionary a block needs, from its header. */
function readBlockHeader(header: Buffer): number {
  if (crc32(header.subarray(0, -4)) !== header.readUInt32LE(header.length - 4)) throw damaged();
  const flags = header[1] ?? 0;
  let at = 2;
  const skipNumber = (): void => {
    while (((header[at] ?? 0) & 0x80) !== 0) at += 1;
    at += 1;
  };
  if (flags & 0x40) skipNumber();
  if (flags & 0x80) skipNumber();
  if ((flags & 3) !== 0 || header[at] !== LZMA2 || header[at + 1] !== 1)
    throw new ExtractError('unsupported', 'xz with a filter for executables');
  return dictionaryBytes(header[at + 2] ?? 0xff);
}

async function* unpackBlock(
  extraction: Extraction,
  packed: Packed,
  dictionary: number,
): AsyncGenerator<Buffer> {
  const decoder = new LzmaDecoder(dictionary);
  let fresh = true;
  let begun = false;
  for (;;) {
    const control = (await packed.take(1))[0] ?? 0;
    if (control === 0) return;
    if (control === 1 || control >= 0xe0) {
      decoder.resetWindow();
      fresh = false;
    } else if (fresh || (control > 2 && control < 0x80)) throw damaged();
    let bytes: Buffer;
    if (control < 3) bytes = decoder.copy(await packed.take((await packed.take(2)).readUInt16BE(0) + 1));
    else {
      const sizes = await packed.take(4);
      const length = ((control & 0x1f) << 16) + sizes.readUInt16BE(0) + 1;
      if (control >= 0xc0) {
        decoder.setProperties((await packed.take(1))[0] ?? 0xff);
        begun = true;
      }
      if (!begun) throw damaged();
      if (control >= 0xa0) decoder.resetState();
      decoder.begin(await packed.take(sizes.readUInt16BE(2) + 1));
      const unpacked = decoder.unpack(length);
      if (unpacked.marked || unpacked.bytes.length !== length || !decoder.ended) throw damaged();
      bytes = unpacked.bytes;
    }
    extraction.spend(bytes.length);
    yield bytes;
  }
}

/** Reads what lies behind the blocks of a stream. */
async function readIndex(packed: Packed): Promise<void> {
  const start = packed.used - 1;
  const records = await packed.number();
  for (let nth = 0; nth < records * 2; nth += 1) await packed.number();
  const length = packed.used - start;
  await packed.take((4 - (length % 4)) % 4);
  await packed.take(4);
  if ((await packed.take(12)).toString('latin1', 10) !== 'YZ') throw damaged();
}

/** What comes out of `input`: one stream after the other. */
export async function* unpackXz(
  extraction: Extraction,
  input: AsyncIterable<Buffer> | Iterable<Buffer>,
): AsyncGenerator<Buffer> {
  const packed = new Packed(input);
  for (let streams = 0; ; streams += 1) {
    const first = await packed.four();
    if (streams > 0 && first.every((byte) => byte === 0)) {
      // Padding between streams, or the end.
      if (first.length < 4) return;
      continue;
    }
    const header = Buffer.concat([first, await packed.take(8)]);
    if (!header.subarray(0, 6).equals(MAGIC) || crc32(header.subarray(6, 8)) !== header.readUInt32LE(8))
      throw damaged();
    const checkBytes = CHECK_BYTES[(header[7] ?? 0) & 15] ?? 0;
    const checked = checkBytes === 4;
    for (;;) {
      const size = (await packed.take(1))[0] ?? 0;
      if (size === 0) break;
      const rest = await packed.take(size * 4 + 3);
      const dictionary = readBlockHeader(Buffer.concat([Buffer.from([size]), rest]));
      const start = packed.used;
      let crc = 0;
      for await (const piece of unpackBlock(extraction, packed, dictionary)) {
        if (checked) crc = crc32(piece, crc);
        yield piece;
      }
      await packed.take((4 - ((packed.used - start) % 4)) % 4);
      const check = await packed.take(checkBytes);
      if (checked && check.readUInt32LE(0) !== crc) throw damaged();
    }
    await readIndex(packed);
  }
}

/** An entry that a zip archive packed by LZMA: version, properties, data of `length` bytes once unpacked. */
export async function* unpackZipLzma(
  extraction: Extraction,
  input: AsyncIterable<Buffer> | Iterable<Buffer>,
  length: number,
): AsyncGenerator<Buffer> {
  const pieces: Buffer[] = [];
  let held = 0;
  for await (const piece of input) {
    pieces.push(piece);
    held += piece.length;
    if (held > extraction.limits.maxNestedBytes)
      throw new ExtractError('too_large', 'it is too large to be held where it is');
  }
  const data = Buffer.concat(pieces);
  if (data.length < 9 || data.readUInt16LE(2) !== 5) throw damaged();
  const decoder = new LzmaDecoder(data.readUInt32LE(5));
  decoder.setProperties(data[4] ?? 0xff);
  decoder.resetState();
  decoder.begin(data.subarray(9));
  for (let left = length; left > 0;) {
    const { bytes, marked } = decoder.unpack(Math.min(left, PIECE_BYTES));
    extraction.spend(bytes.length);
    left -= bytes.length;
    yield bytes;
    if (marked) return;
  }
}
