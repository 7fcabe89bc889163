/**
 * Parser for the regular expressions of Sigma rules: the PCRE syntax that rules in the field use.
 *
 * Supported: literals, `.`, classes with ranges, escapes and POSIX names, groups (plain, named, non-capturing, inline
 * flags i m s), alternation, greedy and lazy quantifiers, `^ $ \A \Z \z \b \B`, look-ahead and look-behind.
 * Refused, with the reason: back-references, atomic groups and possessive quantifiers (they need backtracking, whose
 * time an attacker's value could make exponential), conditionals, recursion, Unicode properties.
 */
import * as chars from './char-set.ts';
import type { CharSet } from './char-set.ts';

export type AssertKind =
  | 'lineStart'
  | 'lineEnd'
  | 'textStart'
  | 'textEnd'
  | 'textEndOrNewline'
  | 'word'
  | 'notWord';

export type RegexNode =
  | { kind: 'empty' }
  | { kind: 'set'; set: CharSet }
  | { kind: 'cat'; nodes: RegexNode[] }
  | { kind: 'alt'; nodes: RegexNode[] }
  | { kind: 'repeat'; node: RegexNode; min: number; max: number }
  | { kind: 'assert'; assert: AssertKind }
  | { kind: 'look'; ahead: boolean; negative: boolean; node: RegexNode };

export interface RegexFlags {
  ignoreCase: boolean;
  multiline: boolean;
  dotAll: boolean;
}

export class RegexSyntaxError extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(`${message} at position ${at + 1}`);
    this.name = 'RegexSyntaxError';
    this.at = at;
  }
}

const MAX_REPEAT = 1000;
const MAX_DEPTH = 200;
const ESCAPED_CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, a: 7, e: 27 };

/** Parses a whole pattern. Throws RegexSyntaxError. */
export function parseRegex(pattern: string, flags: RegexFlags): RegexNode {
  return new Parser(pattern, flags).parse();
}

class Parser {
  readonly #source: string;
  #flags: RegexFlags;
  #at = 0;
  #depth = 0;

  constructor(source: string, flags: RegexFlags) {
    this.#source = source;
    this.#flags = { ...flags };
  }

  parse(): RegexNode {
    const node = this.#alternatives();
    if (this.#at < this.#source.length) throw this.#error('unmatched )');
    return node;
  }

  #error(message: string, at = this.#at): RegexSyntaxError {
    return new RegexSyntaxError(message, at);
  }

  #eat(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #alternatives(): RegexNode {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw this.#error('groups are nested too deeply');
    const saved = this.#flags;
    const nodes = [this.#sequence()];
    while (this.#eat('|')) nodes.push(this.#sequence());
    this.#flags = saved;
    this.#depth -= 1;
    return nodes.length === 1 ? (nodes[0] as RegexNode) : { kind: 'alt', nodes };
  }

  #sequence(): RegexNode {
    const nodes: RegexNode[] = [];
    while (this.#at < this.#source.length) {
      const char = this.#source[this.#at];
      if (char === '|' || char === ')') break;
      const atom = this.#atom();
      if (atom) nodes.push(this.#quantified(atom));
    }
    if (nodes.length === 0) return { kind: 'empty' };
    return nodes.length === 1 ? (nodes[0] as RegexNode) : { kind: 'cat', nodes };
  }

  #quantified(atom: RegexNode): RegexNode {
    let node = atom;
    for (let count = 0; ; count += 1) {
      const start = this.#at;
      const range = this.#quantifier();
      if (!range) return node;
      if (count > 0) throw this.#error('nothing to repeat', start);
      if (node.kind === 'assert') throw this.#error('an anchor cannot be repeated', start);
      if (this.#source[this.#at] === '+') {
        throw this.#error('possessive quantifiers are not supported (use a plain one)');
      }
      this.#eat('?');
      node = { kind: 'repeat', node, min: range[0], max: range[1] };
    }
  }

  #quantifier(): [number, number] | undefined {
    if (this.#eat('*')) return [0, Infinity];
    if (this.#eat('+')) return [1, Infinity];
    if (this.#eat('?')) return [0, 1];
    const braces = /\{(\d*)(?:(,)(\d*))?\}/y;
    braces.lastIndex = this.#at;
    const found = braces.exec(this.#source);
    // `{` that starts no quantifier is a plain character.
    if (!found || (found[1] === '' && (found[3] ?? '') === '')) return undefined;
    const min = Number(found[1]);
    const max = found[2] === undefined ? min : found[3] === '' ? Infinity : Number(found[3]);
    if (max < min) throw this.#error('quantifier with its bounds swapped');
    if (min > MAX_REPEAT || (max !== Infinity && max > MAX_REPEAT)) {
      throw this.#error(`quantifier above ${MAX_REPEAT}`);
    }
    this.#at += found[0].length;
    return [min, max];
  }

  #atom(): RegexNode | undefined {
    const code = this.#source.codePointAt(this.#at) as number;
    const char = String.fromCodePoint(code);
    if (char === '(') return this.#group();
    if (char === '[') return this.#class();
    if (char === '\\') return this.#escape();
    if (char === '*' || char === '+' || char === '?') throw this.#error('nothing to repeat');
    this.#at += char.length;
    if (char === '^') return { kind: 'assert', assert: this.#flags.multiline ? 'lineStart' : 'textStart' };
    if (char === '$')
      return { kind: 'assert', assert: this.#flags.multiline ? 'lineEnd' : 'textEndOrNewline' };
    if (char === '.')
      return { kind: 'set', set: this.#flags.dotAll ? chars.invert([]) : chars.invert(chars.NEWLINE) };
    return this.#set([code, code]);
  }

  #set(ranges: readonly number[], negated = false): RegexNode {
    let set = chars.normalize(ranges);
    if (this.#flags.ignoreCase) set = chars.closeOverCase(set);
    return { kind: 'set', set: negated ? chars.invert(set) : set };
  }

  #group(): RegexNode | undefined {
    const start = this.#at;
    this.#at += 1;
    if (this.#eat('?#')) {
      const end = this.#source.indexOf(')', this.#at);
      if (end === -1) throw this.#error('unclosed comment', start);
      this.#at = end + 1;
      return undefined;
    }
    if (this.#eat('?>')) throw this.#error('atomic groups are not supported', start);
    if (this.#eat('?(')) throw this.#error('conditional groups are not supported', start);
    if (this.#eat('?R') || this.#eat('?&') || this.#eat('?P>'))
      throw this.#error('recursion is not supported', start);
    if (this.#eat('?P=')) throw this.#error('back-references are not supported', start);
    if (this.#eat('?=')) return this.#look(start, true, false);
    if (this.#eat('?!')) return this.#look(start, true, true);
    if (this.#eat('?<=')) return this.#look(start, false, false);
    if (this.#eat('?<!')) return this.#look(start, false, true);
    if (this.#eat('?')) {
      const head = /(?:P?<[A-Za-z_]\w*>|'[A-Za-z_]\w*'|([ims]*)(?:-([ims]+))?(:|\)))/y;
      head.lastIndex = this.#at;
      const found = head.exec(this.#source);
      if (!found) throw this.#error('unknown kind of group', start);
      this.#at += found[0].length;
      if (found[3] !== undefined) {
        const saved = this.#flags;
        this.#flags = withFlags(this.#flags, found[1] ?? '', found[2] ?? '');
        // `(?i)` counts up to the end of the enclosing group, which restores the flags.
        if (found[3] === ')') return undefined;
        const node = this.#closed(start);
        this.#flags = saved;
        return node;
      }
    }
    return this.#closed(start);
  }

  #closed(start: number): RegexNode {
    const node = this.#alternatives();
    if (!this.#eat(')')) throw this.#error('unclosed group', start);
    return node;
  }

  #look(start: number, ahead: boolean, negative: boolean): RegexNode {
    return { kind: 'look', ahead, negative, node: this.#closed(start) };
  }

  /** After a backslash: a class, a literal, or an assertion. */
  #escape(): RegexNode {
    const start = this.#at;
    const char = this.#source[this.#at + 1];
    if (char === undefined) throw this.#error('backslash at the end');
    const asserts: Readonly<Record<string, AssertKind>> = {
      A: 'textStart',
      Z: 'textEndOrNewline',
      z: 'textEnd',
      b: 'word',
      B: 'notWord',
    };
    const assert = asserts[char];
    if (assert) {
      this.#at += 2;
      return { kind: 'assert', assert };
    }
    if (char >= '1' && char <= '9') throw this.#error('back-references are not supported', start);
    if (char === 'k' || char === 'g') throw this.#error('back-references are not supported', start);
    if (char === 'Q') return this.#quoted();
    if (char === 'E') {
      this.#at += 2;
      return { kind: 'empty' };
    }
    if (char === 'R') {
      this.#at += 2;
      return { kind: 'set', set: [10, 13, 0x85, 0x85, 0x2028, 0x2029] };
    }
    const set = this.#escapedSet();
    return this.#set(set.ranges, set.negated);
  }

  #quoted(): RegexNode {
    const end = this.#source.indexOf('\\E', this.#at);
    const text = this.#source.slice(this.#at + 2, end === -1 ? undefined : end);
    this.#at = end === -1 ? this.#source.length : end + 2;
    const nodes = Array.from(text).map((char) =>
      this.#set([char.codePointAt(0) as number, char.codePointAt(0) as number]),
    );
    return { kind: 'cat', nodes };
  }

  /** One escape that stands for a set of characters, inside or outside of brackets. */
  #escapedSet(): { ranges: CharSet; negated: boolean } {
    const start = this.#at;
    const char = String.fromCodePoint(this.#source.codePointAt(this.#at + 1) ?? 0);
    this.#at += 1 + char.length;
    const classes: Readonly<Record<string, CharSet>> = {
      d: chars.DIGIT,
      w: chars.WORD,
      s: chars.SPACE,
      h: chars.HORIZONTAL_SPACE,
      n: chars.NEWLINE,
    };
    const ranges = classes[char.toLowerCase()];
    if (ranges && char !== 'n') return { ranges, negated: char !== char.toLowerCase() };
    const control = ESCAPED_CONTROLS[char];
    if (control !== undefined) return { ranges: [control, control], negated: false };
    if (char === 'x' || char === 'u' || char === '0') {
      const form = {
        x: /\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{1,2})/y,
        u: /\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{4})/y,
      };
      const hex = char === '0' ? /()([0-7]{0,2})/y : form[char];
      hex.lastIndex = this.#at;
      const found = hex.exec(this.#source);
      if (!found) throw this.#error(`\\${char} needs hexadecimal digits`, start);
      this.#at += found[0].length;
      const code = Number.parseInt(found[1] || found[2] || '0', char === '0' ? 8 : 16);
      if (code > chars.MAX_CODE_POINT) throw this.#error('character code too large', start);
      return { ranges: [code, code], negated: false };
    }
    if (char === 'c') {
      const code = (this.#source[this.#at] ?? '').toUpperCase().charCodeAt(0) ^ 64;
      this.#at += 1;
      if (!(code >= 0 && code < 128)) throw this.#error('\\c needs a character', start);
      return { ranges: [code, code], negated: false };
    }
    if (/[A-Za-z]/.test(char)) throw this.#error(`unknown escape \\${char}`, start);
    const code = char.codePointAt(0) as number;
    return { ranges: [code, code], negated: false };
  }

  #class(): RegexNode {
    const start = this.#at;
    this.#at += 1;
    const negated = this.#eat('^');
    const ranges: number[] = [];
    for (let first = true; ; first = false) {
      if (this.#at >= this.#source.length) throw this.#error('unclosed [', start);
      if (!first && this.#eat(']')) break;
      const low = this.#classAtom();
      const single = low.length === 2 && low[0] === low[1];
      const dash = this.#source[this.#at] === '-' && this.#source[this.#at + 1] !== ']';
      if (!single || !dash || this.#at + 1 >= this.#source.length) {
        ranges.push(...low);
        continue;
      }
      this.#at += 1;
      const high = this.#classAtom();
      if (high.length !== 2 || high[0] !== high[1]) {
        // `[a-\d]`: the dash is itself.
        ranges.push(...low, 45, 45, ...high);
        continue;
      }
      if ((high[0] as number) < (low[0] as number)) throw this.#error('range with its ends swapped', start);
      ranges.push(low[0] as number, high[0] as number);
    }
    return this.#set(ranges, negated);
  }

  #classAtom(): CharSet {
    const posix = /\[:(\^?)([a-z]+):\]/y;
    posix.lastIndex = this.#at;
    const found = posix.exec(this.#source);
    if (found) {
      const set = chars.POSIX[found[2] as string];
      if (!set) throw this.#error(`unknown class [:${found[2]}:]`);
      this.#at += found[0].length;
      return found[1] === '^' ? chars.invert(set) : set;
    }
    if (this.#source[this.#at] === '\\') {
      if (this.#source[this.#at + 1] === 'b') {
        this.#at += 2;
        return [8, 8];
      }
      if (this.#at + 1 >= this.#source.length) throw this.#error('backslash at the end');
      const set = this.#escapedSet();
      return set.negated ? chars.invert(set.ranges) : set.ranges;
    }
    const code = this.#source.codePointAt(this.#at) as number;
    this.#at += code > 0xffff ? 2 : 1;
    return [code, code];
  }
}

function withFlags(flags: RegexFlags, on: string, off: string): RegexFlags {
  return {
    ignoreCase: (flags.ignoreCase || on.includes('i')) && !off.includes('i'),
    multiline: (flags.multiline || on.includes('m')) && !off.includes('m'),
    dotAll: (flags.dotAll || on.includes('s')) && !off.includes('s'),
  };
}
