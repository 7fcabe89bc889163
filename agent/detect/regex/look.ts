/**
 * Search for patterns with look-around, by simulating the program. Look-around bodies are simulated at the positions
 * that ask for them, so the worst case is quadratic: a budget of steps bounds it, and running out counts as "no match"
 * and is counted (rules that use look-around are rare: the specification leaves it out).
 */
import { SIDES, holds } from './dfa.ts';
import { contains, WORD } from './char-set.ts';
import type { Look, Program } from './program.ts';

const MAX_STEPS = 2_000_000;

export class LookMatcher {
  /** Searches that ran out of steps. */
  exhausted = 0;
  readonly #program: Program;
  #text: number[] = [];
  #steps = 0;

  constructor(program: Program) {
    this.#program = program;
  }

  /** True if the pattern matches anywhere in `text`. */
  test(text: string): boolean {
    this.#text = Array.from(text, (char) => char.codePointAt(0) as number);
    this.#steps = MAX_STEPS;
    const found = this.#run(this.#program.start, 0, true, -1);
    if (this.#steps <= 0) this.exhausted += 1;
    this.#text = [];
    return found && this.#steps > 0;
  }

  /** Runs from `start` at `from`; with `search`, from every later position too. `end` >= 0: must end exactly there. */
  #run(start: number, from: number, search: boolean, end: number): boolean {
    const { instructions, sets } = this.#program;
    const text = this.#text;
    let current = [start];
    for (let at = from; ; at += 1) {
      const seen = new Set<number>();
      const targets: number[] = [];
      const stack = current;
      for (let pc = stack.pop(); pc !== undefined; pc = stack.pop()) {
        if (seen.has(pc)) continue;
        seen.add(pc);
        this.#steps -= 1;
        if (this.#steps <= 0) return false;
        const instruction = instructions[pc];
        if (instruction === undefined) continue;
        if (instruction.op === 'match') {
          if (end < 0 || at === end) return true;
        } else if (instruction.op === 'split') stack.push(instruction.next, instruction.other);
        else if (instruction.op === 'assert') {
          if (holds(instruction.assert, this.#before(at), this.#after(at))) stack.push(instruction.next);
        } else if (instruction.op === 'look') {
          if (this.#look(instruction.look, at) !== instruction.look.negative) stack.push(instruction.next);
        } else if (at < text.length && contains(sets[instruction.set] ?? [], text[at] as number)) {
          targets.push(instruction.next);
        }
      }
      if (at >= text.length || (end >= 0 && at >= end)) return false;
      if (search) targets.push(start);
      else if (targets.length === 0) return false;
      current = targets;
    }
  }

  #look(look: Look, at: number): boolean {
    if (look.ahead) return this.#run(look.start, at, false, -1);
    const earliest = Math.max(0, at - look.maxWidth);
    for (let from = at - look.minWidth; from >= earliest; from -= 1) {
      if (this.#steps <= 0) return false;
      if (this.#run(look.start, from, false, at)) return true;
    }
    return false;
  }

  #side(code: number | undefined): number {
    if (code === undefined) return SIDES.EDGE;
    if (code === 10) return SIDES.NEWLINE;
    return contains(WORD, code) ? SIDES.WORD : SIDES.OTHER;
  }

  #before(at: number): number {
    return at === 0 ? SIDES.EDGE : this.#side(this.#text[at - 1]);
  }

  #after(at: number): number {
    if (at === this.#text.length - 1 && this.#text[at] === 10) return SIDES.LAST_NEWLINE;
    return this.#side(this.#text[at]);
  }
}
