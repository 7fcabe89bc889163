/**
 * A parsed pattern as a non-deterministic program (Thompson's construction), plus the alphabet it can tell apart.
 *
 * Limits: 20,000 instructions. Repetition counts are written out, so `(a{100}){100}` reaches the limit and is refused.
 */
import { MAX_CODE_POINT, NEWLINE, WORD } from './char-set.ts';
import type { CharSet } from './char-set.ts';
import type { AssertKind, RegexNode } from './parse.ts';
import { RegexSyntaxError } from './parse.ts';

export const MAX_INSTRUCTIONS = 20_000;

export type Instruction =
  | { op: 'set'; set: number; next: number }
  | { op: 'split'; next: number; other: number }
  | { op: 'assert'; assert: AssertKind; next: number }
  | { op: 'look'; look: Look; next: number }
  | { op: 'match' };

export interface Look {
  ahead: boolean;
  negative: boolean;
  start: number;
  /** Widths in code points the body can have; only used looking behind. */
  minWidth: number;
  maxWidth: number;
}

export interface Program {
  instructions: Instruction[];
  start: number;
  sets: CharSet[];
  hasLook: boolean;
  /** Classes of code points no set distinguishes: start of each interval, and the class of that interval. */
  cuts: Uint32Array;
  classes: Uint16Array;
  classCount: number;
  /** For each class: 1 word character, 2 newline, 0 other. */
  classKind: Uint8Array;
  /** setClass[set * classCount + class]: 1 if the set holds the class. */
  setClass: Uint8Array;
}

class Builder {
  readonly instructions: Instruction[] = [];
  readonly sets: CharSet[] = [];
  hasLook = false;
  readonly #setIds = new Map<string, number>();

  emit(instruction: Instruction): number {
    if (this.instructions.length >= MAX_INSTRUCTIONS) {
      throw new RegexSyntaxError('pattern is too large once its repetitions are written out', 0);
    }
    this.instructions.push(instruction);
    return this.instructions.length - 1;
  }

  /** Emits `node` so that it continues at `next`; returns where it starts. */
  compile(node: RegexNode, next: number): number {
    switch (node.kind) {
      case 'empty':
        return next;
      case 'set':
        return this.emit({ op: 'set', set: this.#setId(node.set), next });
      case 'assert':
        return this.emit({ op: 'assert', assert: node.assert, next });
      case 'cat': {
        let start = next;
        for (let i = node.nodes.length - 1; i >= 0; i -= 1)
          start = this.compile(node.nodes[i] as RegexNode, start);
        return start;
      }
      case 'alt': {
        let start = this.compile(node.nodes.at(-1) as RegexNode, next);
        for (let i = node.nodes.length - 2; i >= 0; i -= 1) {
          start = this.emit({
            op: 'split',
            next: this.compile(node.nodes[i] as RegexNode, next),
            other: start,
          });
        }
        return start;
      }
      case 'repeat':
        return this.#repeat(node.node, node.min, node.max, next);
      case 'look': {
        this.hasLook = true;
        const start = this.compile(node.node, this.emit({ op: 'match' }));
        const [minWidth, maxWidth] = widths(node.node);
        const look = { ahead: node.ahead, negative: node.negative, start, minWidth, maxWidth };
        return this.emit({ op: 'look', look, next });
      }
    }
  }

  #repeat(node: RegexNode, min: number, max: number, next: number): number {
    let start = next;
    if (max === Infinity) {
      const loop = this.emit({ op: 'split', next: 0, other: next });
      const body = this.compile(node, loop);
      this.instructions[loop] = { op: 'split', next: body, other: next };
      start = loop;
    } else {
      for (let i = min; i < max; i += 1) {
        start = this.emit({ op: 'split', next: this.compile(node, start), other: next });
      }
    }
    for (let i = 0; i < min; i += 1) start = this.compile(node, start);
    return start;
  }

  #setId(set: CharSet): number {
    const key = set.join();
    let id = this.#setIds.get(key);
    if (id === undefined) {
      id = this.sets.length;
      this.sets.push(set);
      this.#setIds.set(key, id);
    }
    return id;
  }
}

/** Fewest and most code points a node can take. */
export function widths(node: RegexNode): [number, number] {
  switch (node.kind) {
    case 'set':
      return [1, 1];
    case 'cat':
      return node.nodes.map(widths).reduce((sum, width) => [sum[0] + width[0], sum[1] + width[1]], [0, 0]);
    case 'alt': {
      const all = node.nodes.map(widths);
      return [Math.min(...all.map((width) => width[0])), Math.max(...all.map((width) => width[1]))];
    }
    case 'repeat': {
      const [low, high] = widths(node.node);
      return [low * node.min, high === 0 ? 0 : high * node.max];
    }
    default:
      return [0, 0];
  }
}

export function compileProgram(root: RegexNode): Program {
  const builder = new Builder();
  const start = builder.compile(root, builder.emit({ op: 'match' }));
  const { instructions, sets, hasLook } = builder;
  return { instructions, start, sets, hasLook, ...alphabetOf(sets) };
}

function alphabetOf(
  sets: CharSet[],
): Pick<Program, 'cuts' | 'classes' | 'classCount' | 'classKind' | 'setClass'> {
  const points = new Set<number>([0]);
  for (const set of [...sets, WORD, NEWLINE]) {
    for (let i = 0; i < set.length; i += 2) {
      points.add(set[i] as number);
      if ((set[i + 1] as number) < MAX_CODE_POINT) points.add((set[i + 1] as number) + 1);
    }
  }
  const cuts = Uint32Array.from([...points].sort((a, b) => a - b));
  const classes = new Uint16Array(cuts.length);
  const known = new Map<string, number>();
  const kinds: number[] = [];
  const members: number[][] = [];
  // One pass per set: membership of each interval, as the list of sets it belongs to.
  const belongs: number[][] = Array.from({ length: cuts.length }, () => []);
  for (const [id, set] of [...sets, WORD, NEWLINE].entries()) {
    let range = 0;
    for (let i = 0; i < cuts.length; i += 1) {
      const cut = cuts[i] as number;
      while (range < set.length && (set[range + 1] as number) < cut) range += 2;
      if (range < set.length && (set[range] as number) <= cut) (belongs[i] as number[]).push(id);
    }
  }
  for (let i = 0; i < cuts.length; i += 1) {
    const list = belongs[i] as number[];
    const key = list.join();
    let id = known.get(key);
    if (id === undefined) {
      id = known.size;
      known.set(key, id);
      kinds.push(list.includes(sets.length) ? 1 : list.includes(sets.length + 1) ? 2 : 0);
      members.push(list);
    }
    classes[i] = id;
  }
  const classCount = known.size;
  const setClass = new Uint8Array(Math.max(1, sets.length) * classCount);
  for (const [id, list] of members.entries()) {
    for (const set of list) if (set < sets.length) setClass[set * classCount + id] = 1;
  }
  return { cuts, classes, classCount, classKind: Uint8Array.from(kinds), setClass };
}
