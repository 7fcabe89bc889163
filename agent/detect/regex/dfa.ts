/**
 * Linear-time search with a lazily built automaton: each state is a set of program positions, each character costs
 * one table look-up once its transition is known, and one pass over the program while it is not. Values come from
 * attackers, so no pattern may take more than (length x program size) steps, whatever the value holds.
 *
 * Assertions are decided when the next character is known: a state keeps its positions before the assertions, and
 * remembers what kind of character came last.
 *
 * Limits: 1,000 states per pattern (about 60 KiB at 16 classes); a full table starts again, and that is counted.
 */
import type { AssertKind } from './parse.ts';
import type { Program } from './program.ts';

const MAX_STATES = 1000;
const UNKNOWN = 0;
const ACCEPT = -1;
const DEAD = -2;

// What stands on either side of a position.
const OTHER = 0;
const WORD = 1;
const NEWLINE = 2;
/** A newline with nothing after it. */
const LAST_NEWLINE = 3;
const EDGE = 4;

interface State {
  /** Program positions before their assertions, sorted. */
  positions: number[];
  previous: number;
}

export class Dfa {
  /** Times the table was full and started again. */
  restarts = 0;
  readonly #program: Program;
  readonly #ascii = new Uint16Array(128);
  readonly #symbols: number;
  readonly #lastNewline: number;
  readonly #end: number;
  #table: Int32Array;
  #states: State[] = [];
  #byKey = new Map<string, number>();
  readonly #seen: Uint32Array;
  #generation = 0;

  constructor(program: Program) {
    this.#program = program;
    this.#lastNewline = program.classCount;
    this.#end = program.classCount + 1;
    this.#symbols = program.classCount + 2;
    for (let code = 0; code < 128; code += 1) this.#ascii[code] = this.#classOf(code);
    this.#seen = new Uint32Array(program.instructions.length);
    this.#table = new Int32Array(8 * this.#symbols);
    this.#reset();
  }

  /** True if the pattern matches anywhere in `text`. */
  test(text: string): boolean {
    const ascii = this.#ascii;
    const symbols = this.#symbols;
    const length = text.length;
    let state = 1;
    for (let i = 0; i < length; i += 1) {
      let code = text.charCodeAt(i);
      let symbol: number;
      if (code < 128) symbol = code === 10 && i === length - 1 ? this.#lastNewline : (ascii[code] as number);
      else {
        if ((code & 0xfc00) === 0xd800 && i + 1 < length) {
          code = text.codePointAt(i) as number;
          if (code > 0xffff) i += 1;
        }
        symbol = this.#classOf(code);
      }
      let next = this.#table[state * symbols + symbol] as number;
      if (next === UNKNOWN) next = this.#step(state, symbol);
      if (next < 0) return next === ACCEPT;
      state = next;
    }
    let last = this.#table[state * symbols + this.#end] as number;
    if (last === UNKNOWN) last = this.#step(state, this.#end);
    return last === ACCEPT;
  }

  #classOf(code: number): number {
    const { cuts, classes } = this.#program;
    let low = 0;
    let high = cuts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((cuts[middle] as number) <= code) low = middle;
      else high = middle - 1;
    }
    return classes[low] as number;
  }

  #reset(): void {
    this.#states = [{ positions: [], previous: OTHER }];
    this.#byKey = new Map();
    this.#table.fill(UNKNOWN);
    // State 0 is never used: 0 in the table means "not computed yet". State 1 is the start of a text.
    this.#stateOf([this.#program.start], EDGE);
  }

  #stateOf(positions: number[], previous: number): number {
    const key = `${previous}:${positions.join()}`;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const id = this.#states.length;
    this.#states.push({ positions, previous });
    this.#byKey.set(key, id);
    if ((id + 1) * this.#symbols > this.#table.length) {
      const grown = new Int32Array(this.#table.length * 2);
      grown.set(this.#table);
      this.#table = grown;
    }
    return id;
  }

  /** Computes one transition and remembers it. */
  #step(from: number, symbol: number): number {
    const { instructions, setClass, classCount, classKind } = this.#program;
    const state = this.#states[from] as State;
    const atEnd = symbol === this.#end;
    const newline = this.#ascii[10] as number;
    const charClass = symbol === this.#lastNewline ? newline : symbol;
    const next = atEnd
      ? EDGE
      : symbol === this.#lastNewline
        ? LAST_NEWLINE
        : (classKind[charClass] as number);

    this.#generation += 1;
    const stack = [...state.positions];
    const targets = new Set<number>();
    let asserts = false;
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (this.#seen[at] === this.#generation) continue;
      this.#seen[at] = this.#generation;
      const instruction = instructions[at];
      if (instruction === undefined) continue;
      if (instruction.op === 'match') return this.#remember(from, symbol, ACCEPT);
      if (instruction.op === 'split') stack.push(instruction.next, instruction.other);
      else if (instruction.op === 'assert') {
        if (holds(instruction.assert, state.previous, next)) stack.push(instruction.next);
      } else if (
        instruction.op === 'set' &&
        !atEnd &&
        setClass[instruction.set * classCount + charClass] === 1
      ) {
        targets.add(instruction.next);
      }
    }
    if (atEnd) return this.#remember(from, symbol, DEAD);
    // A search may start at every position.
    targets.add(this.#program.start);
    const positions = [...targets].sort((a, b) => a - b);
    for (const position of positions) asserts ||= this.#reachesAssert(position);
    const kind = classKind[charClass] as number;
    if (this.#states.length >= MAX_STATES) {
      this.restarts += 1;
      this.#reset();
      // The caller goes on from the new state; the transition itself is not kept.
      return this.#stateOf(positions, asserts ? kind : OTHER);
    }
    return this.#remember(from, symbol, this.#stateOf(positions, asserts ? kind : OTHER));
  }

  #remember(from: number, symbol: number, to: number): number {
    this.#table[from * this.#symbols + symbol] = to;
    return to;
  }

  readonly #assertCache = new Map<number, boolean>();

  /** True if an assertion can follow `position` before the next character: only then does the last one matter. */
  #reachesAssert(position: number): boolean {
    const known = this.#assertCache.get(position);
    if (known !== undefined) return known;
    const { instructions } = this.#program;
    const seen = new Set<number>();
    const stack = [position];
    let found = false;
    for (let at = stack.pop(); at !== undefined && !found; at = stack.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      const instruction = instructions[at];
      if (instruction?.op === 'assert') found = true;
      else if (instruction?.op === 'split') stack.push(instruction.next, instruction.other);
    }
    this.#assertCache.set(position, found);
    return found;
  }
}

/** `previous` and `next` say what stands before and after the position. */
export function holds(assert: AssertKind, previous: number, next: number): boolean {
  switch (assert) {
    case 'textStart':
      return previous === EDGE;
    case 'textEnd':
      return next === EDGE;
    case 'textEndOrNewline':
      return next === EDGE || next === LAST_NEWLINE;
    case 'lineStart':
      return previous === EDGE || previous === NEWLINE;
    case 'lineEnd':
      return next === EDGE || next === NEWLINE || next === LAST_NEWLINE;
    case 'word':
      return (previous === WORD) !== (next === WORD);
    case 'notWord':
      return (previous === WORD) === (next === WORD);
  }
}

export const SIDES = { OTHER, WORD, NEWLINE, LAST_NEWLINE, EDGE } as const;
