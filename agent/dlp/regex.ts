/**
 * Words and regular expressions of a rules file as a Thompson automaton over bytes of UTF-8, forwards and backwards.
 *
 * What is understood: literals, . [classes] \d \w \s and their opposites, escapes, ( ) (?: ) | ? * + {m,n}. What would
 * need backtracking or looking around (references, look-ahead, anchors, lazy quantifiers) is refused, with its place.
 */

type Part =
  | { kind: 'set'; bytes: Uint8Array }
  | { kind: 'cat' | 'alt'; parts: Part[] }
  | { kind: 'repeat'; part: Part; min: number; max: number | undefined };

/** Nodes are triples: 0 set next | 1 next next | 2 rule 0. Sets are 32 bytes each. */
export interface CompiledAutomaton {
  nodes: Uint32Array<ArrayBuffer>;
  sets: Uint8Array<ArrayBuffer>;
  starts: Uint32Array<ArrayBuffer>;
}

/** What is wrong with an expression, and where in it, from 0. */
export class RegexError extends Error {
  readonly at: number;
  readonly remedy: string;
  constructor(message: string, at: number, remedy: string) {
    super(message);
    this.name = 'RegexError';
    this.at = at;
    this.remedy = remedy;
  }
}

const MAX_REPEAT = 100;
/** The native side refuses more. */
const MAX_NODES = 20_000;
const MAX_DEPTH = 50;

function setOf(has: (byte: number) => boolean): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let byte = 0; byte < 256; byte++) if (has(byte)) bytes[byte >> 3]! |= 1 << (byte & 7);
  return bytes;
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
const isWord = (byte: number): boolean =>
  isDigit(byte) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x5f;
const isSpace = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
const CLASSES: Readonly<Record<string, (byte: number) => boolean>> = {
  d: isDigit,
  D: (byte) => byte < 0x80 && !isDigit(byte),
  w: isWord,
  W: (byte) => byte < 0x80 && !isWord(byte),
  s: isSpace,
  S: (byte) => !isSpace(byte),
};
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f', v: '\v' };

function literal(character: string, anyCase: boolean): Part {
  const forms = new Set([character]);
  if (anyCase)
    for (const form of [character.toLowerCase(), character.toUpperCase()])
      if (Array.from(form).length === 1) forms.add(form);
  const parts = [...forms].map((form): Part => {
    const bytes = Buffer.from(form, 'utf8');
    return {
      kind: 'cat',
      parts: [...bytes].map((byte) => ({ kind: 'set', bytes: setOf((other) => other === byte) })),
    };
  });
  return parts.length === 1 ? parts[0]! : { kind: 'alt', parts };
}

/** Words as people write them: any case, and any white space where there is a space. */
export function parseWords(text: string): Part {
  const parts: Part[] = [];
  for (const piece of text.normalize('NFC').trim().split(/\s+/u)) {
    if (parts.length > 0)
      parts.push({ kind: 'repeat', part: { kind: 'set', bytes: setOf(isSpace) }, min: 1, max: 4 });
    for (const character of piece) parts.push(literal(character, true));
  }
  return { kind: 'cat', parts };
}

class Parser {
  readonly #text: string;
  readonly #anyCase: boolean;
  #at = 0;

  constructor(text: string, anyCase: boolean) {
    this.#text = text;
    this.#anyCase = anyCase;
  }

  parse(): Part {
    const part = this.#alternatives(0);
    if (this.#at < this.#text.length) this.#fail('a ) without its (', 'write \\) for the character');
    return part;
  }

  #fail(message: string, remedy: string, at = this.#at): never {
    throw new RegexError(message, at, remedy);
  }

  #peek(): string {
    const point = this.#text.codePointAt(this.#at);
    return point === undefined ? '' : String.fromCodePoint(point);
  }

  #take(): string {
    const character = this.#peek();
    this.#at += character.length;
    return character;
  }

  #alternatives(depth: number): Part {
    if (depth > MAX_DEPTH) this.#fail('groups are nested too deep', `at most ${MAX_DEPTH}`);
    const parts: Part[] = [];
    for (;;) {
      parts.push(this.#sequence(depth));
      if (this.#peek() !== '|') return parts.length === 1 ? parts[0]! : { kind: 'alt', parts };
      this.#at++;
    }
  }

  #sequence(depth: number): Part {
    const parts: Part[] = [];
    for (let next = this.#peek(); next !== '' && next !== '|' && next !== ')'; next = this.#peek())
      parts.push(this.#repeated(this.#atom(depth)));
    return { kind: 'cat', parts };
  }

  #repeated(part: Part): Part {
    for (;;) {
      const at = this.#at;
      const next = this.#peek();
      let range: [min: number, max: number | undefined];
      if (next === '?') range = [0, 1];
      else if (next === '*') range = [0, undefined];
      else if (next === '+') range = [1, undefined];
      else if (next === '{') {
        const match = /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(this.#text.slice(at));
        if (!match) this.#fail('not a repetition', 'write {2}, {2,} or {2,5}, or \\{ for the character');
        const min = Number(match[1]);
        range = [min, match[2] === undefined ? min : match[3] === '' ? undefined : Number(match[3])];
        if (Math.max(...range.map((bound) => bound ?? 0)) > MAX_REPEAT)
          this.#fail(`repeated more than ${MAX_REPEAT} times`, `use at most ${MAX_REPEAT}`);
        if (range[1] !== undefined && range[1] < min)
          this.#fail('the most is less than the least', 'swap them');
        this.#at += match[0].length - 1;
      } else return part;
      this.#at++;
      if (this.#peek() === '?')
        this.#fail('lazy repetitions are not known', 'leave the ? out: the longest match counts');
      part = { kind: 'repeat', part, min: range[0], max: range[1] };
    }
  }

  #atom(depth: number): Part {
    const at = this.#at;
    const character = this.#take();
    switch (character) {
      case '(': {
        if (this.#peek() === '?') {
          if (this.#text.slice(this.#at, this.#at + 2) !== '?:')
            this.#fail(
              'only plain groups are known',
              'look-around and named groups cannot run in bounded time: use (?: ) or ( )',
              at,
            );
          this.#at += 2;
        }
        const inner = this.#alternatives(depth + 1);
        if (this.#take() !== ')')
          this.#fail('a ( without its )', 'close it, or write \\( for the character', at);
        return inner;
      }
      case '[':
        return this.#charClass(at);
      case '.':
        return { kind: 'set', bytes: setOf((byte) => byte !== 0x0a) };
      case '^':
      case '$':
        return this.#fail(
          `${character} is not known`,
          'matches stand alone as words: leave it out, or write it with \\',
          at,
        );
      case '*':
      case '+':
      case '?':
      case '{':
        return this.#fail(
          `nothing to repeat before ${character}`,
          `write \\${character} for the character`,
          at,
        );
      case '\\':
        return this.#escape(at);
      default:
        return literal(character, this.#anyCase);
    }
  }

  #escape(at: number): Part {
    const character = this.#take();
    if (character === '') this.#fail('a \\ at the end', 'write \\\\ for the character', at);
    const known = CLASSES[character];
    if (known) return { kind: 'set', bytes: setOf(known) };
    if (/[1-9]/.test(character))
      this.#fail('references to groups are not known', 'they cannot run in bounded time', at);
    if (ESCAPES[character] !== undefined) return literal(ESCAPES[character], false);
    if (/[A-Za-z0-9]/.test(character))
      this.#fail(
        `\\${character} is not known`,
        'known are \\d \\w \\s \\D \\W \\S \\n \\r \\t; words stand alone without \\b',
        at,
      );
    return literal(character, this.#anyCase);
  }

  #classMember(at: number): number | ((byte: number) => boolean) {
    const character = this.#take();
    if (character === '') this.#fail('a [ without its ]', 'close it, or write \\[ for the character', at);
    if (character === '\\') {
      const escaped = this.#take();
      const known = CLASSES[escaped];
      if (known) return known;
      if (ESCAPES[escaped] !== undefined) return ESCAPES[escaped].codePointAt(0)!;
      if (!/^[^A-Za-z0-9]$/.test(escaped))
        this.#fail(`\\${escaped} is not known here`, 'write the character itself');
      return escaped.codePointAt(0)!;
    }
    const point = character.codePointAt(0)!;
    if (point > 0x7f)
      this.#fail(
        'only ASCII may stand between [ and ]',
        `write (${character}|…) for other characters`,
        this.#at - character.length,
      );
    return point;
  }

  #charClass(at: number): Part {
    const negated = this.#peek() === '^';
    if (negated) this.#at++;
    const has = new Set<number>();
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      const low = this.#classMember(at);
      if (typeof low === 'function') {
        for (let byte = 0; byte < 128; byte++) if (low(byte)) has.add(byte);
        continue;
      }
      let high = low;
      if (this.#peek() === '-' && this.#text[this.#at + 1] !== ']') {
        this.#at++;
        const end = this.#classMember(at);
        if (typeof end === 'function' || end < low)
          this.#fail('a range that goes nowhere', 'write it from the lower character to the higher', at);
        high = end;
      }
      for (let byte = low; byte <= high; byte++) {
        has.add(byte);
        const letter = String.fromCodePoint(byte);
        if (this.#anyCase && /[A-Za-z]/.test(letter)) has.add(byte ^ 0x20);
      }
    }
    this.#at++;
    return { kind: 'set', bytes: setOf((byte) => has.has(byte) !== negated) };
  }
}

/** @throws RegexError */
export function parseRegex(text: string, anyCase: boolean): Part {
  const part = new Parser(text, anyCase).parse();
  if (matchesNothing(part))
    throw new RegexError('it matches the empty text', 0, 'require at least one character');
  return part;
}

function matchesNothing(part: Part): boolean {
  if (part.kind === 'set') return false;
  if (part.kind === 'repeat') return part.min === 0 || matchesNothing(part.part);
  return part.kind === 'cat' ? part.parts.every(matchesNothing) : part.parts.some(matchesNothing);
}

/** Puts patterns into the two automata the scanner runs. */
export class AutomatonBuilder {
  readonly #nodes: number[] = [];
  readonly #sets: Uint8Array[] = [];
  readonly #setNumbers = new Map<string, number>();
  readonly #starts: number[] = [];
  readonly #backward: boolean;

  constructor(backward: boolean) {
    this.#backward = backward;
  }

  /** @throws RegexError when there is no room for it. */
  add(part: Part, rule: number): void {
    this.#starts.push(this.#build(part, this.#node(2, rule, 0)));
  }

  finish(): CompiledAutomaton {
    const sets = new Uint8Array(this.#sets.length * 32);
    for (const [index, bytes] of this.#sets.entries()) sets.set(bytes, index * 32);
    return { nodes: Uint32Array.from(this.#nodes), sets, starts: Uint32Array.from(this.#starts) };
  }

  #node(kind: number, a: number, b: number): number {
    if (this.#nodes.length / 3 >= MAX_NODES)
      throw new RegexError('the patterns are too large together', 0, 'repeat less, or split the rules file');
    this.#nodes.push(kind, a, b);
    return this.#nodes.length / 3 - 1;
  }

  /** Number of the first node of what matches `part` and goes on at `next`. */
  #build(part: Part, next: number): number {
    switch (part.kind) {
      case 'set': {
        const key = Buffer.from(part.bytes).toString('latin1');
        let number = this.#setNumbers.get(key);
        if (number === undefined) {
          number = this.#sets.push(part.bytes) - 1;
          this.#setNumbers.set(key, number);
        }
        return this.#node(0, number, next);
      }
      case 'cat': {
        const parts = this.#backward ? part.parts : part.parts.toReversed();
        for (const one of parts) next = this.#build(one, next);
        return next;
      }
      case 'alt':
        return part.parts
          .map((one) => this.#build(one, next))
          .reduceRight((other, first) => this.#node(1, first, other));
      case 'repeat': {
        let at = next;
        if (part.max === undefined) {
          const loop = this.#node(1, 0, next);
          this.#nodes[loop * 3 + 1] = this.#build(part.part, loop);
          at = loop;
        } else {
          for (let count = part.min; count < part.max; count++)
            at = this.#node(1, this.#build(part.part, at), next);
        }
        for (let count = 0; count < part.min; count++) at = this.#build(part.part, at);
        return at;
      }
    }
  }
}
