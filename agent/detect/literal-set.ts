/** "Field is, starts with, ends with or contains one of these": long lists of values tested at once. */
import { LiteralIndex, MIN_LITERAL } from './literal-index.ts';
import { OP_CONTAINS, OP_ENDS, OP_EQUALS, OP_STARTS } from './predicate.ts';
import type { Predicate } from './predicate.ts';

/** Shorter lists are tested one by one. */
export const MIN_SET = 6;

/** Shortest text that `endKey` and `startKey` file. */
export const MIN_END = 2;

/** Files texts by how they end. */
export function endKey(text: string): number {
  return (text.charCodeAt(text.length - 1) << 16) | text.charCodeAt(text.length - 2);
}

function startKey(text: string): number {
  return (text.charCodeAt(0) << 16) | text.charCodeAt(1);
}

function file(map: Map<number, string[]>, key: number, text: string): void {
  const list = map.get(key);
  if (list) list.push(text);
  else map.set(key, [text]);
}

export class LiteralSet {
  readonly #equal = new Set<string>();
  readonly #starts = new Map<number, string[]>();
  readonly #ends = new Map<number, string[]>();
  readonly #index: LiteralIndex | undefined;

  /** Takes what it can hold out of `predicates` and returns the others. */
  static split(predicates: readonly Predicate[]): { set: LiteralSet | undefined; rest: Predicate[] } {
    const held = predicates.filter(fits);
    if (held.length < MIN_SET) return { set: undefined, rest: [...predicates] };
    return { set: new LiteralSet(held), rest: predicates.filter((test) => !fits(test)) };
  }

  private constructor(predicates: readonly Predicate[]) {
    const contained: string[] = [];
    for (const { op, text } of predicates) {
      if (op === OP_EQUALS) this.#equal.add(text);
      else if (op === OP_STARTS) file(this.#starts, startKey(text), text);
      else if (op === OP_ENDS) file(this.#ends, endKey(text), text);
      else contained.push(text);
    }
    this.#index = contained.length > 0 ? new LiteralIndex(contained) : undefined;
  }

  /** `folded` is the folded value. */
  test(folded: string): boolean {
    if (this.#equal.size > 0 && this.#equal.has(folded)) return true;
    if (folded.length >= MIN_END) {
      if (this.#starts.size > 0) {
        const list = this.#starts.get(startKey(folded));
        if (list) for (const text of list) if (folded.startsWith(text)) return true;
      }
      if (this.#ends.size > 0) {
        const list = this.#ends.get(endKey(folded));
        if (list) for (const text of list) if (folded.endsWith(text)) return true;
      }
    }
    return this.#index !== undefined && this.#index.any(folded);
  }
}

function fits(test: Predicate): boolean {
  if (test.cased) return false;
  if (test.op === OP_EQUALS) return true;
  if (test.op === OP_STARTS || test.op === OP_ENDS) return test.text.length >= MIN_END;
  return test.op === OP_CONTAINS && test.text.length >= MIN_LITERAL;
}
