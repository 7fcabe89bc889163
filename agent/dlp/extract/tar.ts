/** Tar archives: ustar, pax and GNU long names; from a place that can be read anywhere, or from a stream. */
import { ByteReader } from './byte-reader.ts';
import { ExtractError, inside, type Extraction } from './extraction.ts';
import { slice, type Source } from './source.ts';

const BLOCK = 512;
/** Names and pax headers are held whole. */
const MAX_HEADER_BYTES = 1024 * 1024;

interface Header {
  name: string;
  size: number;
  type: string;
}

function field(block: Buffer, start: number, length: number): string {
  const bytes = block.subarray(start, start + length);
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? length : end);
}

function number(block: Buffer, start: number, length: number): number {
  const first = block[start] ?? 0;
  if (first & 0x80) {
    // Base 256, for sizes beyond eight octal digits and more.
    let value = first & 0x7f;
    for (let i = 1; i < length; i += 1) value = value * 256 + (block[start + i] ?? 0);
    return value;
  }
  return Number.parseInt(field(block, start, length).trim() || '0', 8);
}

/** @throws ExtractError for a block that is no header; undefined for an empty one, which ends the archive. */
function parseHeader(block: Buffer): Header | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  let sum = 8 * 32;
  for (let i = 0; i < BLOCK; i += 1) if (i < 148 || i >= 156) sum += block[i] ?? 0;
  if (number(block, 148, 8) !== sum)
    throw new ExtractError('malformed', 'a header of the archive is damaged');
  const size = number(block, 124, 12);
  if (!Number.isSafeInteger(size) || size < 0)
    throw new ExtractError('malformed', 'a size in the archive is none');
  const prefix = field(block, 257, 5) === 'ustar' ? field(block, 345, 155) : '';
  const name = field(block, 0, 100);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    size,
    type: String.fromCharCode(block[156] ?? 0),
  };
}

/** `length key=value\n` again and again. */
function parsePax(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const pair = /^\d+ ([^=]{1,200})=(.*)$/s.exec(line);
    if (pair?.[1] !== undefined) values.set(pair[1], pair[2] ?? '');
  }
  return values;
}

/** Where a tar's bytes come from. */
interface Cursor {
  take(length: number): Promise<Buffer>;
  /** Reads the inside of the next `size` bytes. */
  visit(size: number, path: string, depth: number): Promise<void>;
  skip(length: number): Promise<void>;
}

class PlacedCursor implements Cursor {
  readonly #extraction: Extraction;
  readonly #source: Source;
  #at = 0;

  constructor(extraction: Extraction, source: Source) {
    this.#extraction = extraction;
    this.#source = source;
  }

  take(length: number): Promise<Buffer> {
    const bytes = this.#source.read(this.#at, length);
    this.#at += length;
    return Promise.resolve(bytes);
  }

  async visit(size: number, path: string, depth: number): Promise<void> {
    const start = this.#at;
    this.#at += size;
    const member = slice(this.#source, start, size);
    await this.#extraction.visit(this.#extraction, member, path, depth);
    if (member.size < size) throw new ExtractError('malformed', 'it is cut short');
  }

  skip(length: number): Promise<void> {
    this.#at += length;
    return Promise.resolve();
  }
}

class StreamCursor implements Cursor {
  readonly #extraction: Extraction;
  readonly #reader: ByteReader;

  constructor(extraction: Extraction, reader: ByteReader) {
    this.#extraction = extraction;
    this.#reader = reader;
  }

  take(length: number): Promise<Buffer> {
    return this.#reader.take(length);
  }

  async visit(size: number, path: string, depth: number): Promise<void> {
    let left = size;
    const reader = this.#reader;
    async function* content(): AsyncGenerator<Buffer> {
      while (left > 0) {
        const piece = await reader.some(left);
        if (!piece) throw new ExtractError('malformed', 'it is cut short');
        left -= piece.length;
        yield piece;
      }
    }
    try {
      await this.#extraction.visitStream(this.#extraction, content(), path, depth);
    } finally {
      await reader.skip(left);
    }
  }

  async skip(length: number): Promise<void> {
    await this.#reader.skip(length);
  }
}

async function read(extraction: Extraction, cursor: Cursor, outer: string, depth: number): Promise<void> {
  let longName: string | undefined;
  let pax = new Map<string, string>();
  for (;;) {
    const block = await cursor.take(BLOCK);
    if (block.length === 0) return;
    if (block.length < BLOCK) throw new ExtractError('malformed', 'the archive is cut short');
    const header = parseHeader(block);
    extraction.tick(BLOCK);
    // Programs stop at the empty block; what lies behind it is looked at all the same.
    if (!header) continue;
    const padding = (BLOCK - (header.size % BLOCK)) % BLOCK;
    if ('LKxg'.includes(header.type)) {
      if (header.size > MAX_HEADER_BYTES)
        throw new ExtractError('malformed', 'a name in the archive is too long');
      const text = (await cursor.take(header.size)).toString('utf8');
      if (header.type === 'L') longName = text.replace(/\0.*$/s, '');
      else if (header.type === 'x') pax = parsePax(text);
      await cursor.skip(padding);
      continue;
    }
    const size = pax.has('size') ? Number(pax.get('size')) : header.size;
    const path = inside(outer, pax.get('path') ?? longName ?? header.name);
    longName = undefined;
    pax = new Map();
    extraction.member();
    // Links, directories and devices have no content.
    if (!'123456'.includes(header.type) && Number.isSafeInteger(size) && size > 0) {
      try {
        await cursor.visit(size, path, depth + 1);
      } catch (error) {
        extraction.failed(error, path);
      }
      await cursor.skip((BLOCK - (size % BLOCK)) % BLOCK);
    } else await cursor.skip(header.size + padding);
  }
}

/** Reads everything in a tar that can be read at any place. */
export async function readTar(
  extraction: Extraction,
  source: Source,
  outer: string,
  depth: number,
): Promise<void> {
  await read(extraction, new PlacedCursor(extraction, source), outer, depth);
}

/** Reads everything in a tar that comes as a stream. */
export async function readTarStream(
  extraction: Extraction,
  bytes: AsyncIterable<Buffer> | Iterable<Buffer>,
  outer: string,
  depth: number,
): Promise<void> {
  await read(extraction, new StreamCursor(extraction, new ByteReader(bytes)), outer, depth);
}
