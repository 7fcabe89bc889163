/**
 * Finds which of many literals occur in a text, in one pass: each literal is filed under one three-character piece of
 * it, the text's pieces are looked up in a table of hashes, and only a hit is compared. About 12 bytes per literal
 * plus the table; an automaton over the same literals takes megabytes.
 */

const PIECE = 3;

/** Shortest literal the index can hold. */
export const MIN_LITERAL = PIECE;

function hash(a: number, b: number, c: number): number {
  return (Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35)) >>> 0;
}

export class LiteralIndex {
  readonly #literals: readonly string[];
  /** First literal of each slot, -1 if none; #next chains the others. */
  readonly #heads: Int32Array;
  readonly #next: Int32Array;
  /** Where in the literal its piece starts. */
  readonly #offsets: Int32Array;
  readonly #shift: number;

  /** `literals` are folded and at least MIN_LITERAL long. */
  constructor(literals: readonly string[]) {
    this.#literals = literals;
    let bits = 8;
    while (1 << bits < literals.length * 4 && bits < 18) bits += 1;
    this.#shift = 32 - bits;
    this.#heads = new Int32Array(1 << bits).fill(-1);
    this.#next = new Int32Array(literals.length).fill(-1);
    this.#offsets = new Int32Array(literals.length);
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
      const slot =
        hash(literal.charCodeAt(best), literal.charCodeAt(best + 1), literal.charCodeAt(best + 2)) >>>
        this.#shift;
      this.#next[id] = this.#heads[slot] as number;
      this.#heads[slot] = id;
    }
  }

  /** Appends the ids of the literals found in `text` (folded) to `found`; an id may come more than once. */
  scan(text: string, found: number[]): void {
    const heads = this.#heads;
    const shift = this.#shift;
    const length = text.length;
    if (length < PIECE) return;
    let a = text.charCodeAt(0);
    let b = text.charCodeAt(1);
    for (let i = 2; i < length; i += 1) {
      const c = text.charCodeAt(i);
      let id = heads[hash(a, b, c) >>> shift] as number;
      while (id >= 0) {
        const start = i - 2 - (this.#offsets[id] as number);
        if (start >= 0 && text.startsWith(this.#literals[id] as string, start)) found.push(id);
        id = this.#next[id] as number;
      }
      a = b;
      b = c;
    }
  }

  /** True if any literal occurs in `text`. */
  any(text: string): boolean {
    const heads = this.#heads;
    const shift = this.#shift;
    const length = text.length;
    if (length < PIECE) return false;
    let a = text.charCodeAt(0);
    let b = text.charCodeAt(1);
    for (let i = 2; i < length; i += 1) {
      const c = text.charCodeAt(i);
      let id = heads[hash(a, b, c) >>> shift] as number;
      while (id >= 0) {
        const start = i - 2 - (this.#offsets[id] as number);
        if (start >= 0 && text.startsWith(this.#literals[id] as string, start)) return true;
        id = this.#next[id] as number;
      }
      a = b;
      b = c;
    }
    return false;
  }
}
