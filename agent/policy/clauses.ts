/**
 * Why a condition held or did not: its clauses, what the event had there, and which clause alone made the difference.
 * A clause is a part between `&&`, `||` and their brackets. Only evaluated when somebody asks or something matched.
 */
import type { SentinelEvent } from '../event.ts';
import { argsOf, pathOf, visit, type Node } from './ast.ts';
import type { Expression, ExpressionCompiler } from './expression.ts';
import { ALIASES, FIELDS, readField } from './fields.ts';
import type { ClauseResult, Rationale } from './types.ts';

const MAX_VALUE_CHARS = 300;
const MAX_CLAUSES = 64;

type Tree = { kind: 'clause'; index: number } | { kind: 'and' | 'or'; parts: [Tree, Tree] };

export interface Clauses {
  /** With `near`, also which clauses alone kept the condition from holding. */
  explain(event: SentinelEvent, near: boolean): Rationale;
}

function split(root: Node): { leaves: Node[]; tree: Tree } {
  const leaves: Node[] = [];
  const build = (node: Node): Tree => {
    if ((node.op === '&&' || node.op === '||') && leaves.length < MAX_CLAUSES) {
      const [left, right] = argsOf(node) as [Node, Node];
      return { kind: node.op === '&&' ? 'and' : 'or', parts: [build(left), build(right)] };
    }
    leaves.push(node);
    return { kind: 'clause', index: leaves.length - 1 };
  };
  const tree = build(root);
  return { leaves, tree };
}

/** The clauses of a condition as written, each on one line. */
export function clauseTexts({ text, root }: Expression): string[] {
  return split(root).leaves.map((leaf) => textOf(text, leaf).replace(/\s+/g, ' ').trim());
}

/** Splits a condition into clauses. Each is compiled on its own when it is first needed. */
export function clausesOf(expression: Expression, compile: ExpressionCompiler): Clauses {
  const { leaves, tree } = split(expression.root);
  let compiled: { text: string; clause: Expression | undefined }[] | undefined;
  const paths = leaves.map(fieldsIn);

  return {
    explain: (event, near) => {
      compiled ??= leaves.map((leaf) => {
        const text = textOf(expression.text, leaf);
        return { text, clause: compiledOr(compile, text) };
      });
      const answers = compiled.map(({ clause }) => clause?.test(event));
      const clauses = compiled.map(({ text }, index): ClauseResult => {
        const answer = answers[index];
        return {
          text,
          value: (paths[index] ?? []).map((path) => `${path} = ${shown(readField(event, path))}`).join(', '),
          result:
            typeof answer === 'boolean'
              ? answer
                ? 'true'
                : 'false'
              : answer === undefined
                ? 'not evaluated'
                : 'error',
        };
      });
      const holds = answers.map((answer) => answer === true);
      const nearMisses: ClauseResult[] = [];
      if (near && !decide(tree, holds)) {
        for (const [index, clause] of clauses.entries()) {
          if (holds[index]) continue;
          holds[index] = true;
          if (decide(tree, holds)) nearMisses.push(clause);
          holds[index] = false;
        }
      }
      return { clauses, nearMisses };
    },
  };
}

/** A clause as written. The library's places leave out brackets around the end of a part: they are added again. */
function textOf(source: string, { start, end }: Node): string {
  let to = end;
  let open = openBrackets(source.slice(start, to));
  while (open > 0 && to < source.length) {
    to += 1;
    open = openBrackets(source.slice(start, to));
  }
  return source.slice(start, to);
}

/** Round brackets that are open at the end of the text, outside of quotes. */
function openBrackets(text: string): number {
  const bare = text.replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g, '');
  return (bare.match(/\(/g)?.length ?? 0) - (bare.match(/\)/g)?.length ?? 0);
}

/** Explaining never fails: a clause that cannot stand alone is shown without a result. */
function compiledOr(compile: ExpressionCompiler, text: string): Expression | undefined {
  try {
    return compile(text);
  } catch {
    return undefined;
  }
}

function decide(tree: Tree, holds: readonly boolean[]): boolean {
  if (tree.kind === 'clause') return holds[tree.index] ?? false;
  const [left, right] = tree.parts;
  return tree.kind === 'and'
    ? decide(left, holds) && decide(right, holds)
    : decide(left, holds) || decide(right, holds);
}

/** Paths of the event's fields that a clause reads. */
function fieldsIn(clause: Node): string[] {
  const found = new Set<string>();
  visit(clause, (node) => {
    const path = pathOf(node);
    if (path !== undefined && (Object.hasOwn(FIELDS, path) || Object.hasOwn(ALIASES, path))) found.add(path);
  });
  return [...found];
}

/** One value as printable text of bounded length. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return '(absent)';
  const text =
    typeof value === 'string'
      ? JSON.stringify(value)
      : JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? Number(item) : item));
  // Control and direction characters come from attackers and would reach a terminal.
  const safe = text.replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return safe.length > MAX_VALUE_CHARS ? `${safe.slice(0, MAX_VALUE_CHARS)}…` : safe;
}
