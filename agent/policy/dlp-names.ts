/** Names of indexes and rules that a condition asks for, and whether there is anything of that name. */
import { argsOf, literal, pathOf, textList, visit, type Node } from './ast.ts';

/** What is in force. */
export interface DlpNames {
  indexes: readonly string[];
  rules: readonly string[];
}

export interface DlpNameUse {
  field: 'dlp.index' | 'dlp.rule';
  name: string;
  /** Offset of the name in the condition. */
  start: number;
}

/** Uses of names that nothing has: `"x" in dlp.index`, `dlp.rule.exists(r, r == "x")`, `dlp.rule.exists(r, r in ["x"])`. */
export function unknownDlpNames(root: Node, names: DlpNames): DlpNameUse[] {
  const uses: DlpNameUse[] = [];
  const add = (field: string | undefined, node: Node): void => {
    const name = literal(node);
    if (typeof name !== 'string' || (field !== 'dlp.index' && field !== 'dlp.rule')) return;
    const known = field === 'dlp.index' ? names.indexes : names.rules;
    if (!known.includes(name)) uses.push({ field, name, start: node.start });
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
