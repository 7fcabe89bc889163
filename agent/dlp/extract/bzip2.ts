/**
 * Unpacks bzip2, block by block (at most 900 kB each), checksums included. Streams may follow each other, as parallel
 * packers write them. The format is described at https://github.com/dsnet/compress/blob/master/doc/bzip2-format.pdf.
 */
import { ExtractError, type Extraction } from './extraction.ts';

/** No block is longer: 900,000 symbols of 20 bits, and its tables. */
const MOST_PACKED = 2_400_000;
const PIECE_BYTES = 64 * 1024;
const GROUP = 50;
const MAX_LENGTH = 20;
/** Words up to this length are looked up at once. */
const SHORT = 10;

const BLOCK = 0x314159265359;
const END = 0x177245385090;

const CRC = new Uint32Array(256).map((_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000_0000 ? (crc << 1) ^ 0x04c1_1db7 : crc << 1;
  return crc;
});

function damaged(): ExtractError {
  return new ExtractError('malformed', 'the compressed data is damaged (bzip2)');
}

/** Bits of pieces, the highest first. */
class Bits {
  readonly #pieces: AsyncIterator<Buffer> | Iterator<Buffer>;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #ended = false;
  #hold = 0;
  #held = 0;
  /** Of the bits held, how many are not there. */
  #beyond = 0;

  constructor(input: AsyncIterable<Buffer> | Iterable<Buffer>) {
    this.#pieces = Symbol.asyncIterator in input ? input[Symbol.asyncIterator]() : input[Symbol.iterator]();
  }

  /** Makes `length` bytes ready, or all there are; false when there are none. */
  async fill(length: number): Promise<boolean> {
    const parts = [this.#bytes.subarray(this.#at)];
    let ready = this.#bytes.length - this.#at;
    while (!this.#ended && ready < length) {
      const next = await this.#pieces.next();
      if (next.done) this.#ended = true;
      else {
        parts.push(next.value);
        ready += next.value.length;
      }
    }
    if (parts.length > 1) {
      this.#bytes = Buffer.concat(parts);
      this.#at = 0;
    }
    return ready > 0;
  }

  /** Up to 24 bits. */
  take(count: number): number {
    const bits = this.peek(count);
    this.skip(count);
    return bits;
  }

  /** The next bits without taking them; zeros stand for what is beyond the end. */
  peek(count: number): number {
    while (this.#held < count) {
      const byte = this.#bytes[this.#at];
      this.#hold = (this.#hold << 8) | (byte ?? 0);
      if (byte === undefined) this.#beyond += 8;
      else this.#at += 1;
      this.#held += 8;
    }
    return (this.#hold >>> (this.#held - count)) & ((1 << count) - 1);
  }

  /** Takes bits that were looked at. */
  skip(count: number): void {
    this.#held -= count;
    if (this.#held < this.#beyond) throw new ExtractError('malformed', 'the compressed data ends too early');
  }

  align(): void {
    this.#held -= this.#held % 8;
  }

  async close(): Promise<void> {
    await this.#pieces.return?.();
  }
}

/** A prefix code by the lengths of its words. */
class Code {
  readonly #limit = new Int32Array(MAX_LENGTH + 2);
  readonly #base = new Int32Array(MAX_LENGTH + 2);
  readonly #symbols: Uint16Array;
  /** By the next bits: symbol and length of its word; 0 where the word is longer. */
  readonly #short = new Uint16Array(1 << SHORT);

  constructor(lengths: Uint8Array) {
    this.#symbols = new Uint16Array(lengths.length);
    let code = 0;
    let index = 0;
    for (let length = 1; length <= MAX_LENGTH; length += 1) {
      this.#base[length] = index - code;
      for (let symbol = 0; symbol < lengths.length; symbol += 1) {
        if (lengths[symbol] !== length) continue;
        this.#symbols[index] = symbol;
        index += 1;
        code += 1;
      }
      this.#limit[length] = code;
      code <<= 1;
    }
    // Over-full codes are found out when they are used.
    for (let length = 1, first = 0; length <= SHORT; length += 1) {
      const end = Math.min(this.#limit[length] ?? 0, 1 << length);
      for (let word = first; word < end; word += 1) {
        const symbol = this.#symbols[word + (this.#base[length] ?? 0)] ?? 0;
        const at = word << (SHORT - length);
        this.#short.fill((symbol << 5) | length, at, at + (1 << (SHORT - length)));
      }
      first = end << 1;
    }
  }

  next(bits: Bits): number {
    const short = this.#short[bits.peek(SHORT)] ?? 0;
    if (short !== 0) {
      bits.skip(short & 31);
      return short >> 5;
    }
    let code = 0;
    for (let length = 1; length <= MAX_LENGTH; length += 1) {
      code = (code << 1) | bits.take(1);
      if (code < (this.#limit[length] ?? 0)) return this.#symbols[code + (this.#base[length] ?? 0)] ?? 0;
    }
    throw damaged();
  }
}

function readCodes(bits: Bits, count: number, symbols: number): Code[] {
  const codes: Code[] = [];
  const lengths = new Uint8Array(symbols);
  for (let nth = 0; nth < count; nth += 1) {
    let length = bits.take(5);
    for (let symbol = 0; symbol < symbols; symbol += 1) {
      while (bits.take(1) === 1) length += bits.take(1) === 1 ? -1 : 1;
      if (length < 1 || length > MAX_LENGTH) throw damaged();
      lengths[symbol] = length;
    }
    codes.push(new Code(lengths));
  }
  return codes;
}

/** Bytes that a block uses, in order. */
function readUsed(bits: Bits): Uint8Array {
  const used: number[] = [];
  const rows = bits.take(16);
  for (let row = 0; row < 16; row += 1) {
    if ((rows & (0x8000 >> row)) === 0) continue;
    const columns = bits.take(16);
    for (let column = 0; column < 16; column += 1)
      if (columns & (0x8000 >> column)) used.push(row * 16 + column);
  }
  if (used.length === 0) throw damaged();
  return Uint8Array.from(used);
}

function readSelectors(bits: Bits, groups: number): Uint8Array {
  const count = bits.take(15);
  if (groups < 2 || groups > 6 || count < 1) throw damaged();
  const recent = Array.from({ length: groups }, (_, nth) => nth);
  const selectors = new Uint8Array(count);
  for (let nth = 0; nth < count; nth += 1) {
    let place = 0;
    while (bits.take(1) === 1) if ((place += 1) >= groups) throw damaged();
    const [selector = 0] = recent.splice(place, 1);
    recent.unshift(selector);
    selectors[nth] = selector;
  }
  return selectors;
}

/** Reads the symbols of a block into the low bytes of `block`; returns how many. */
function readSymbols(bits: Bits, block: Uint32Array, most: number): number {
  const recent = readUsed(bits);
  const groups = bits.take(3);
  const selectors = readSelectors(bits, groups);
  const codes = readCodes(bits, groups, recent.length + 2);
  const last = recent.length + 1;
  let length = 0;
  let run = 0;
  let weight = 1;
  for (let read = 0; ; read += 1) {
    const code = codes[selectors[Math.floor(read / GROUP)] ?? -1];
    if (!code) throw damaged();
    const symbol = code.next(bits);
    if (symbol < 2) {
      run += weight << symbol;
      weight <<= 1;
      if (run > most) throw damaged();
      continue;
    }
    if (length + run + 1 > most && (symbol !== last || length + run > most)) throw damaged();
    if (run > 0) {
      block.fill(recent[0] ?? 0, length, length + run);
      length += run;
      run = 0;
    }
    weight = 1;
    if (symbol === last) return length;
    const byte = recent[symbol - 1] ?? 0;
    recent.copyWithin(1, 0, symbol - 1);
    recent[0] = byte;
    block[length] = byte;
    length += 1;
  }
}

/** Turns a block into chains: the next place in the high bits over each byte. */
function chain(block: Uint32Array, length: number): void {
  const starts = new Uint32Array(256);
  for (let at = 0; at < length; at += 1) starts[block[at] ?? 0] = (starts[block[at] ?? 0] ?? 0) + 1;
  let sum = 0;
  for (let byte = 0; byte < 256; byte += 1) {
    const count = starts[byte] ?? 0;
    starts[byte] = sum;
    sum += count;
  }
  for (let at = 0; at < length; at += 1) {
    const byte = (block[at] ?? 0) & 0xff;
    const to = starts[byte] ?? 0;
    starts[byte] = to + 1;
    block[to] = (block[to] ?? 0) | (at << 8);
  }
}

/** The bytes of one block. */
function* unpackBlock(extraction: Extraction, bits: Bits, block: Uint32Array): Generator<Buffer> {
  const wanted = ((bits.take(16) << 16) | bits.take(16)) >>> 0;
  if (bits.take(1) === 1) throw new ExtractError('unsupported', 'bzip2 of a version before 0.9.5');
  const origin = bits.take(24);
  const length = readSymbols(bits, block, block.length);
  if (origin >= length) throw damaged();
  chain(block, length);
  let place = (block[origin] ?? 0) >>> 8;
  let crc = 0xffff_ffff;
  let out = Buffer.allocUnsafe(PIECE_BYTES);
  let filled = 0;
  let before = -1;
  let same = 0;
  for (let left = length; left > 0; left -= 1) {
    const entry = block[place] ?? 0;
    place = entry >>> 8;
    const byte = entry & 0xff;
    // Four of a kind are followed by how many more there are.
    let count = 1;
    let value = byte;
    if (same === 4) {
      count = byte;
      value = before;
      same = 0;
      before = -1;
    } else if (byte === before) same += 1;
    else {
      before = byte;
      same = 1;
    }
    for (; count > 0; count -= 1) {
      crc = (crc << 8) ^ (CRC[(crc >>> 24) ^ value] ?? 0);
      out[filled] = value;
      filled += 1;
      if (filled < PIECE_BYTES) continue;
      extraction.spend(filled);
      yield out;
      out = Buffer.allocUnsafe(PIECE_BYTES);
      filled = 0;
    }
  }
  extraction.spend(filled);
  yield out.subarray(0, filled);
  if (~crc >>> 0 !== wanted) throw damaged();
}

/** What comes out of `input`. */
export async function* unpackBzip2(
  extraction: Extraction,
  input: AsyncIterable<Buffer> | Iterable<Buffer>,
): AsyncGenerator<Buffer> {
  const bits = new Bits(input);
  let block: Uint32Array | undefined;
  try {
    for (let streams = 0; await bits.fill(4); streams += 1) {
      if (bits.take(16) !== 0x425a || bits.take(8) !== 0x68) {
        // Programs ignore what follows the last stream; so do we where it is no stream.
        if (streams > 0) return;
        throw damaged();
      }
      const level = bits.take(8) - 48;
      if (level < 1 || level > 9) throw damaged();
      if (!block || block.length !== level * 100_000) block = new Uint32Array(level * 100_000);
      for (;;) {
        await bits.fill(MOST_PACKED);
        const mark = bits.take(24) * 0x100_0000 + bits.take(24);
        if (mark === END) break;
        if (mark !== BLOCK) throw damaged();
        extraction.tick(PIECE_BYTES);
        yield* unpackBlock(extraction, bits, block);
      }
      bits.take(16);
      bits.take(16);
      bits.align();
    }
  } finally {
    await bits.close();
  }
}
