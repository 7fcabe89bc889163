/**
 * A set of up to millions of keys in typed arrays: 64-bit fingerprints of the keys with a reference each, 12 bytes per
 * slot, open addressing. The keys themselves are not kept, a hit shows the event's own value.
 *
 * Fingerprints are seeded per table, so nobody outside can make two keys collide; by chance, one look-up in a set of a
 * million is wrong with a probability of 5e-14.
 */
import { randomInt } from 'node:crypto';

const MAX_LOAD = 0.8;

/** A fingerprint being made; one instance is reused, so that look-ups allocate nothing. */
export class Hasher {
  readonly #seedA: number;
  readonly #seedB: number;
  a = 0;
  b = 0;

  constructor(seedA = randomInt(2 ** 32), seedB = randomInt(2 ** 32)) {
    this.#seedA = seedA | 0;
    this.#seedB = seedB | 0;
  }

  /** Starts a key of a kind. */
  start(kind: number): this {
    this.a = this.#seedA ^ Math.imul(kind + 1, 0x9e3779b1);
    this.b = this.#seedB ^ Math.imul(kind + 1, 0x85ebca6b);
    return this;
  }

  /** Adds a 32-bit number. */
  add(value: number): void {
    this.a = Math.imul(this.a ^ value, 0xcc9e2d51);
    this.a = (this.a << 15) | (this.a >>> 17);
    this.b = Math.imul(this.b ^ value, 0x1b873593);
    this.b = (this.b << 13) | (this.b >>> 19);
  }

  /** Adds a text, last character first: every suffix of a name then costs one character more than the shorter one. */
  addReversed(text: string, from: number, to: number): void {
    for (let i = to - 1; i >= from; i -= 1) this.add(text.charCodeAt(i));
  }
}

function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export class FingerprintTable {
  #low: Uint32Array;
  #high: Uint32Array;
  /** Reference of each slot plus one, 0 = free. */
  #refs: Uint32Array;
  #capacity: number;
  #size = 0;

  constructor(expected = 16) {
    this.#capacity = Math.max(16, Math.ceil(expected / MAX_LOAD));
    this.#low = new Uint32Array(this.#capacity);
    this.#high = new Uint32Array(this.#capacity);
    this.#refs = new Uint32Array(this.#capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** Bytes of the arrays. */
  get bytes(): number {
    return this.#capacity * 12;
  }

  /** Adds the key in `hasher`; false if it was there already (the first reference stays). */
  add(hasher: Hasher, ref: number): boolean {
    if (this.#size >= this.#capacity * MAX_LOAD) this.#grow();
    return this.#insert(mix(hasher.a), mix(hasher.b ^ hasher.a), ref + 1);
  }

  #insert(low: number, high: number, stored: number): boolean {
    let slot = low % this.#capacity;
    while (this.#refs[slot] !== 0) {
      if (this.#low[slot] === low && this.#high[slot] === high) return false;
      slot += 1;
      if (slot === this.#capacity) slot = 0;
    }
    this.#low[slot] = low;
    this.#high[slot] = high;
    this.#refs[slot] = stored;
    this.#size += 1;
    return true;
  }

  /** Reference of the key in `hasher`, or -1. */
  find(hasher: Hasher): number {
    const low = mix(hasher.a);
    const high = mix(hasher.b ^ hasher.a);
    let slot = low % this.#capacity;
    for (let ref = this.#refs[slot] as number; ref !== 0; ref = this.#refs[slot] as number) {
      if (this.#low[slot] === low && this.#high[slot] === high) return ref - 1;
      slot += 1;
      if (slot === this.#capacity) slot = 0;
    }
    return -1;
  }

  #grow(): void {
    const [low, high, refs] = [this.#low, this.#high, this.#refs];
    this.#capacity = Math.ceil(this.#capacity * 1.6);
    this.#low = new Uint32Array(this.#capacity);
    this.#high = new Uint32Array(this.#capacity);
    this.#refs = new Uint32Array(this.#capacity);
    this.#size = 0;
    for (let i = 0; i < refs.length; i += 1) {
      if (refs[i] !== 0) this.#insert(low[i] as number, high[i] as number, refs[i] as number);
    }
  }
}
