/**
 * Regular expressions for rules: PCRE syntax, searched in time linear in the value, with the literals a match needs.
 *
 * V8's own RegExp backtracks: a pattern such as `(a+)+$` on a command line that an attacker chose would stop the
 * decision thread for minutes. Hence an automaton of our own; look-around runs under a step budget.
 */
import { soleFold } from './char-set.ts';
import { Dfa } from './dfa.ts';
import { LookMatcher } from './look.ts';
import { parseRegex } from './parse.ts';
import type { RegexFlags, RegexNode } from './parse.ts';
import { compileProgram } from './program.ts';

export interface CompiledRegex {
  source: string;
  flags: string;
  /** True if the pattern matches anywhere in the text. */
  test(text: string): boolean;
  /** Folded texts of which at least one is in every match; undefined if there is no such set. */
  literals: string[] | undefined;
}

interface Engine {
  test(text: string): boolean;
}

class LazyRegex implements CompiledRegex {
  readonly source: string;
  readonly flags: string;
  readonly literals: string[] | undefined;
  readonly #build: () => Engine;
  #engine: Engine | undefined;

  constructor(source: string, flags: string, literals: string[] | undefined, build: () => Engine) {
    this.source = source;
    this.flags = flags;
    this.literals = literals;
    this.#build = build;
  }

  test(text: string): boolean {
    // Most patterns of a large rule set never meet an event of theirs: tables are made on first use.
    this.#engine ??= this.#build();
    return this.#engine.test(text);
  }
}

/** Compiles a pattern. Throws RegexSyntaxError, whose message names the position. */
export function compileRegex(source: string, flags: RegexFlags): CompiledRegex {
  const root = parseRegex(source, flags);
  const program = compileProgram(root);
  const letters = `${flags.ignoreCase ? 'i' : ''}${flags.multiline ? 'm' : ''}${flags.dotAll ? 's' : ''}`;
  const build = (): Engine => (program.hasLook ? new LookMatcher(program) : new Dfa(program));
  return new LazyRegex(source, letters, requiredLiterals(root), build);
}

const MAX_ALTERNATIVES = 64;

/** The best set of folded literals such that every match holds at least one of them. */
function requiredLiterals(node: RegexNode): string[] | undefined {
  switch (node.kind) {
    case 'set': {
      const sole = soleFold(node.set);
      return sole === undefined ? undefined : [sole];
    }
    case 'alt': {
      const all: string[] = [];
      for (const child of node.nodes) {
        const literals = requiredLiterals(child);
        if (!literals) return undefined;
        all.push(...literals);
      }
      return all.length <= MAX_ALTERNATIVES ? all : undefined;
    }
    case 'repeat':
      return node.min >= 1 ? requiredLiterals(node.node) : undefined;
    case 'cat': {
      let best: string[] | undefined;
      let run = '';
      const consider = (candidate: string[] | undefined): void => {
        if (candidate && candidate.length > 0 && (!best || shortest(candidate) > shortest(best)))
          best = candidate;
      };
      for (const child of node.nodes) {
        const sole = child.kind === 'set' ? soleFold(child.set) : undefined;
        if (sole !== undefined) {
          run += sole;
          continue;
        }
        // An assertion takes no character, so the run goes on behind it.
        if (child.kind === 'assert' || child.kind === 'empty') continue;
        if (run !== '') consider([run]);
        run = '';
        if (child.kind !== 'set') consider(requiredLiterals(child));
      }
      if (run !== '') consider([run]);
      return best;
    }
    default:
      return undefined;
  }
}

function shortest(texts: readonly string[]): number {
  return Math.min(...texts.map((text) => text.length));
}
