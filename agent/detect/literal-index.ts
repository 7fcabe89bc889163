/**
 * Finds which of many literals occur in a text, in one pass: each literal is filed under one three-character piece of
 * it, the text's pieces are looked up in a table of hashes, and only a hit is compared. 8 bytes per literal plus a table
 * of 8 or 64 KiB; an automaton over the same literals takes megabytes.
 */

const PIECE = 3;

/** Shortest literal the index can hold. */
export const MIN_LITERAL = PIECE;

/**
 * The hash rolls: each character shifts the ones before it, and after three more it has left. `bits` is a multiple of
 * three; letters differ in their low five bits, so 15 bits tell all lower-case pieces apart.
 */
const SMALL_BITS = 12;
const LARGE_BITS = 15;
const SMALL_COUNT = 48;

export class LiteralIndex {
  readonly #literals: readonly string[];
  /** First literal of each slot plus one, 0 if none; #next chains the others. */
  readonly #heads: Uint16Array | Uint32Array;
  readonly #next: Uint32Array;
  /** Where in the literal its piece starts. */
  readonly #offsets: Int32Array;
  readonly #shift: number;
  readonly #mask: number;
  /** Number of the scan that last found a literal. */
  readonly #found: Uint32Array;
  #scan = 0;

  /** `literals` are folded and at least MIN_LITERAL long. */
  constructor(literals: readonly string[]) {
    this.#literals = literals;
    const bits = literals.length <= SMALL_COUNT ? SMALL_BITS : LARGE_BITS;
    this.#shift = bits / PIECE;
    this.#mask = (1 << bits) - 1;
    this.#heads = literals.length < 0xffff ? new Uint16Array(1 << bits) : new Uint32Array(1 << bits);
    this.#next = new Uint32Array(literals.length);
    this.#offsets = new Int32Array(literals.length);
    this.#found = new Uint32Array(literals.length);
    this.#fill();
  }

  #fill(): void {
    // A piece that few literals share is rare in values too: file each literal under its rarest.
    const counts = new Map<string, number>();
    for (const literal of this.#literals) {
      for (let i = 0; i + PIECE <= literal.length; i += 1) {
        const piece = literal.slice(i, i + PIECE);
        counts.set(piece, (counts.get(piece) ?? 0) + 1);
      }
    }
    for (const [id, literal] of this.#literals.entries()) {
      let best = 0;
      let fewest = Infinity;
      for (let i = 0; i + PIECE <= literal.length; i += 1) {
        const count = counts.get(literal.slice(i, i + PIECE)) as number;
        if (count < fewest) {
          fewest = count;
          best = i;
        }
      }
      this.#offsets[id] = best;
      const slot = this.#hashAt(literal, best);
      this.#next[id] = this.#heads[slot] as number;
      this.#heads[slot] = id + 1;
    }
  }

  #hashAt(text: string, at: number): number {
    let hash = 0;
    for (let i = at; i < at + PIECE; i += 1) hash = ((hash << this.#shift) ^ text.charCodeAt(i)) & this.#mask;
    return hash;
  }

  /** Appends the ids of the literals found in `text` (folded) to `found`, each once. */
  scan(text: string, found: number[]): void {
    const heads = this.#heads;
    const shift = this.#shift;
    const mask = this.#mask;
    const length = text.length;
    if (length < PIECE) return;
    this.#scan += 1;
    if (this.#scan === 0xffff_ffff) {
      this.#found.fill(0);
      this.#scan = 1;
    }
    let hash = ((text.charCodeAt(0) << shift) ^ text.charCodeAt(1)) & mask;
    for (let i = 2; i < length; i += 1) {
      hash = ((hash << shift) ^ text.charCodeAt(i)) & mask;
      let entry = heads[hash] as number;
      while (entry !== 0) {
        const id = entry - 1;
        const start = i - 2 - (this.#offsets[id] as number);
        // One hit is enough: a value may repeat a literal a million times.
        if (
          start >= 0 &&
          this.#found[id] !== this.#scan &&
          text.startsWith(this.#literals[id] as string, start)
        ) {
          this.#found[id] = this.#scan;
          found.push(id);
        }
        entry = this.#next[id] as number;
      }
    }
  }

  /** True if any literal occurs in `text`. */
  any(text: string): boolean {
    const heads = this.#heads;
    const shift = this.#shift;
    const mask = this.#mask;
    const length = text.length;
    if (length < PIECE) return false;
    let hash = ((text.charCodeAt(0) << shift) ^ text.charCodeAt(1)) & mask;
    for (let i = 2; i < length; i += 1) {
      hash = ((hash << shift) ^ text.charCodeAt(i)) & mask;
      let entry = heads[hash] as number;
      while (entry !== 0) {
        const id = entry - 1;
        const start = i - 2 - (this.#offsets[id] as number);
        if (start >= 0 && text.startsWith(this.#literals[id] as string, start)) return true;
        entry = this.#next[id] as number;
      }
    }
    return false;
  }
}
