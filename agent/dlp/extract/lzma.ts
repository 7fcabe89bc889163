/** The LZMA decoder, after the specification of 7-Zip (lzma-specification.txt), over a window that grows as it is used. */
import { ExtractError } from './extraction.ts';

/** A longer window is not held: what refers farther back cannot be read. */
const MAX_WINDOW = 32 * 1024 * 1024;
const FIRST_BYTES = 64 * 1024;
/** Room beside the window: the longest run of LZMA2. */
const SPARE_BYTES = 2 * 1024 * 1024 + 4096;

const MATCH = 0;
const REP = MATCH + 192;
const REP_G0 = REP + 12;
const REP_G1 = REP_G0 + 12;
const REP_G2 = REP_G1 + 12;
const REP_LONG = REP_G2 + 12;
const SLOT = REP_LONG + 192;
const SPECIAL = SLOT + 256;
const ALIGN = SPECIAL + 128;
/** Choice, second choice, 16 x 8 low, 16 x 8 middle, 256 high. */
const LENGTH = ALIGN + 16;
const REP_LENGTH = LENGTH + 514;
const LITERAL = REP_LENGTH + 514;

function damaged(): ExtractError {
  return new ExtractError('malformed', 'the compressed data is damaged (LZMA)');
}

export class LzmaDecoder {
  readonly #dictionaryBytes: number;
  readonly #windowBytes: number;
  /** What was unpacked: as much of the past as may be referred to, then what is new. */
  #out: Buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #at = 0;
  /** Bytes before `at` that may be referred to. */
  #past = 0;
  #probabilities = new Uint16Array(LITERAL);
  #lc = 0;
  #lpMask = 0;
  #pbMask = 0;
  #state = 0;
  #reps = new Uint32Array(4);
  #input: Buffer = Buffer.alloc(0);
  #next = 0;
  #range = 0;
  #code = 0;

  constructor(dictionaryBytes: number) {
    this.#dictionaryBytes = Math.max(dictionaryBytes, 4096);
    this.#windowBytes = Math.min(this.#dictionaryBytes, MAX_WINDOW);
  }

  /** @throws ExtractError for a byte that stands for no properties. */
  setProperties(byte: number): void {
    if (byte >= 9 * 5 * 5) throw damaged();
    this.#lc = byte % 9;
    const rest = Math.floor(byte / 9);
    this.#lpMask = (1 << (rest % 5)) - 1;
    this.#pbMask = (1 << Math.floor(rest / 5)) - 1;
    const size = LITERAL + (0x300 << (this.#lc + (rest % 5)));
    if (this.#probabilities.length !== size) this.#probabilities = new Uint16Array(size);
  }

  resetState(): void {
    this.#probabilities.fill(1024);
    this.#state = 0;
    this.#reps.fill(0);
  }

  resetWindow(): void {
    this.#past = 0;
  }

  /** Takes over bytes that were not packed, and returns them. */
  copy(bytes: Buffer): Buffer {
    this.#makeRoom(bytes.length);
    bytes.copy(this.#out, this.#at);
    this.#at += bytes.length;
    this.#past += bytes.length;
    return bytes;
  }

  /** Begins to read packed bytes. */
  begin(input: Buffer): void {
    if (input.length < 5 || input[0] !== 0) throw damaged();
    this.#input = input;
    this.#code = input.readUInt32BE(1);
    this.#range = 0xffff_ffff;
    this.#next = 5;
  }

  /** Whether the packed bytes were used up, and ended as they should. */
  get ended(): boolean {
    return this.#next === this.#input.length && this.#code === 0;
  }

  /**
   * Unpacks `length` bytes, and what the last of them came with (up to 272 more); fewer when a mark ends the data.
   * The bytes are the caller's.
   */
  unpack(length: number): { bytes: Buffer; marked: boolean } {
    this.#makeRoom(length + 273);
    const start = this.#at;
    const end = start + length;
    let marked = false;
    while (this.#at < end) {
      if (this.#symbol()) continue;
      marked = true;
      break;
    }
    // The coder may not have been given all it asked for.
    if (this.#next > this.#input.length)
      throw new ExtractError('malformed', 'the compressed data ends too early');
    return { bytes: Buffer.from(this.#out.subarray(start, this.#at)), marked };
  }

  #makeRoom(length: number): void {
    if (this.#at + length <= this.#out.length) return;
    const keep = Math.min(this.#past, this.#windowBytes);
    const needed = keep + length;
    if (needed * 2 <= this.#out.length || this.#out.length >= this.#windowBytes + SPARE_BYTES) {
      this.#out.copyWithin(0, this.#at - keep, this.#at);
    } else {
      const size = Math.min(needed * 2, this.#windowBytes + SPARE_BYTES);
      const larger = Buffer.allocUnsafe(Math.max(size, needed));
      this.#out.copy(larger, 0, this.#at - keep, this.#at);
      this.#out = larger;
    }
    this.#at = keep;
  }

  #bit(index: number): number {
    const probability = this.#probabilities[index] ?? 0;
    const bound = (this.#range >>> 11) * probability;
    let bit = 0;
    if (this.#code < bound) {
      this.#range = bound;
      this.#probabilities[index] = probability + ((2048 - probability) >> 5);
    } else {
      this.#range -= bound;
      this.#code -= bound;
      this.#probabilities[index] = probability - (probability >> 5);
      bit = 1;
    }
    if (this.#range < 0x100_0000) this.#normalize();
    return bit;
  }

  #normalize(): void {
    this.#range = (this.#range << 8) >>> 0;
    this.#code = ((this.#code << 8) | (this.#input[this.#next] ?? 0)) >>> 0;
    this.#next += 1;
  }

  #direct(count: number): number {
    let value = 0;
    for (let nth = 0; nth < count; nth += 1) {
      this.#range >>>= 1;
      const one = this.#code >= this.#range ? 1 : 0;
      if (one === 1) this.#code -= this.#range;
      value = value * 2 + one;
      if (this.#range < 0x100_0000) this.#normalize();
    }
    return value;
  }

  #tree(base: number, bits: number): number {
    let node = 1;
    for (let nth = 0; nth < bits; nth += 1) node = (node << 1) | this.#bit(base + node);
    return node - (1 << bits);
  }

  #reverseTree(base: number, bits: number): number {
    let node = 1;
    let value = 0;
    for (let nth = 0; nth < bits; nth += 1) {
      const bit = this.#bit(base + node);
      node = (node << 1) | bit;
      value |= bit << nth;
    }
    return value;
  }

  #length(base: number, position: number): number {
    if (this.#bit(base) === 0) return this.#tree(base + 2 + position * 8, 3);
    if (this.#bit(base + 1) === 0) return 8 + this.#tree(base + 130 + position * 8, 3);
    return 16 + this.#tree(base + 258, 8);
  }

  #literal(): void {
    const before = this.#past > 0 ? (this.#out[this.#at - 1] ?? 0) : 0;
    const place = ((this.#past & this.#lpMask) << this.#lc) + (before >> (8 - this.#lc));
    const base = LITERAL + 0x300 * place;
    let symbol = 1;
    if (this.#state >= 7) {
      let match = this.#out[this.#at - (this.#reps[0] ?? 0) - 1] ?? 0;
      while (symbol < 0x100) {
        const expected = (match >> 7) & 1;
        match <<= 1;
        const bit = this.#bit(base + ((1 + expected) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (bit !== expected) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(base + symbol);
    this.#out[this.#at] = symbol;
    this.#at += 1;
    this.#past += 1;
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6;
  }

  #distance(length: number): number {
    const slot = this.#tree(SLOT + Math.min(length, 3) * 64, 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const high = (2 | (slot & 1)) * 2 ** bits;
    if (slot < 14) return high + this.#reverseTree(SPECIAL + high - slot, bits);
    return high + this.#direct(bits - 4) * 16 + this.#reverseTree(ALIGN, 4);
  }

  /** Reads a literal or a match; false for the mark of the end. */
  #symbol(): boolean {
    const position = this.#past & this.#pbMask;
    const reps = this.#reps;
    if (this.#bit(MATCH + this.#state * 16 + position) === 0) {
      this.#literal();
      return true;
    }
    let length: number;
    if (this.#bit(REP + this.#state) === 0) {
      length = this.#length(LENGTH, position);
      reps.copyWithin(1, 0, 3);
      reps[0] = this.#distance(length);
      if (reps[0] === 0xffff_ffff) return false;
      this.#state = this.#state < 7 ? 7 : 10;
    } else {
      if (this.#bit(REP_G0 + this.#state) === 0) {
        if (this.#bit(REP_LONG + this.#state * 16 + position) === 0) {
          this.#state = this.#state < 7 ? 9 : 11;
          this.#match(reps[0] ?? 0, 1);
          return true;
        }
      } else {
        let nth = 1;
        if (this.#bit(REP_G1 + this.#state) === 1) nth = 2 + this.#bit(REP_G2 + this.#state);
        const distance = reps[nth] ?? 0;
        reps.copyWithin(1, 0, nth);
        reps[0] = distance;
      }
      length = this.#length(REP_LENGTH, position);
      this.#state = this.#state < 7 ? 8 : 11;
    }
    this.#match(reps[0] ?? 0, length + 2);
    return true;
  }

  #match(distance: number, length: number): void {
    if (distance >= Math.min(this.#past, this.#windowBytes)) {
      if (distance < this.#past && distance < this.#dictionaryBytes)
        throw new ExtractError('too_large', 'unpacking it needs more memory than it may have');
      throw damaged();
    }
    const out = this.#out;
    let at = this.#at;
    for (let left = length; left > 0; left -= 1) {
      out[at] = out[at - distance - 1] ?? 0;
      at += 1;
    }
    this.#at = at;
    this.#past += length;
  }
}
