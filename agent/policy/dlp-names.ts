/** Names of indexes and rules that conditions ask for, and whether there is anything of that name. */
import { nearest } from '../config.ts';
import { argsOf, literal, pathOf, textList, visit, type Node } from './ast.ts';
import type { PolicyProblem } from './problem.ts';

/** What is in force. */
export interface DlpNames {
  indexes: readonly string[];
  rules: readonly string[];
}

interface DlpNameUse {
  field: 'dlp.index' | 'dlp.rule';
  name: string;
  /** Offset of the name in the condition. */
  start: number;
}

/** A name in a policy's file. */
export interface PlacedName extends Omit<DlpNameUse, 'start'> {
  /** 1-based. */
  line: number;
  column: number;
}

const MAX_SHOWN = 20;

/** Each use of a name that nothing in force has: what the text asks for never holds, or not yet. */
export function unknownDlpNames(
  {
    policy: { id, file },
    dlpNames,
  }: { policy: { id: string; file: string }; dlpNames: readonly PlacedName[] },
  names: DlpNames,
): PolicyProblem[] {
  return dlpNames.flatMap(({ field, name, line, column }) => {
    const known = field === 'dlp.index' ? names.indexes : names.rules;
    if (known.includes(name)) return [];
    const what = field === 'dlp.index' ? 'index' : 'rule or column';
    const meant = nearest(name, known);
    const more = known.length > MAX_SHOWN ? ` and ${known.length - MAX_SHOWN} more` : '';
    return {
      file,
      line,
      column,
      message: `when: no ${what} in force is called ${JSON.stringify(name.slice(0, 80))}, so this does not hold`,
      remedy: `${meant ? `did you mean ${meant}? ` : ''}in force: ${known.slice(0, MAX_SHOWN).join(', ') || 'none'}${more}`,
      id,
    };
  });
}

/** Names that are asked for: `"x" in dlp.index`, `dlp.rule.exists(r, r == "x")`, `dlp.rule.exists(r, r in ["x"])`. */
export function dlpNamesIn(root: Node): DlpNameUse[] {
  const uses: DlpNameUse[] = [];
  const add = (field: string | undefined, node: Node): void => {
    const name = literal(node);
    if (typeof name !== 'string' || (field !== 'dlp.index' && field !== 'dlp.rule')) return;
    uses.push({ field, name, start: node.start });
  };
  visit(root, (node) => {
    if (node.op === 'in') {
      const [left, right] = argsOf(node) as [Node, Node];
      add(pathOf(right), left);
    } else if (node.op === 'rcall') {
      const [, receiver, args] = node.args as [string, Node, Node[]];
      const field = pathOf(receiver);
      const [variable, body] = args;
      if (variable === undefined || body === undefined) return;
      const isVariable = (other: Node | undefined): boolean =>
        other !== undefined && pathOf(other) === pathOf(variable);
      visit(body, (inner) => {
        if (inner.op !== '==' && inner.op !== 'in') return;
        const [left, right] = argsOf(inner) as [Node, Node];
        if (inner.op === 'in' && isVariable(left) && textList(right) !== undefined)
          for (const each of argsOf(right)) add(field, each);
        else if (inner.op === '==' && isVariable(left)) add(field, right);
        else if (inner.op === '==' && isVariable(right)) add(field, left);
      });
    }
  });
  return uses;
}
