/**
 * Which kinds of event a condition can hold for, so that others never reach it.
 *
 * The condition is evaluated over what is known of every event of a type and action: those two, and which branches of
 * fields such events cannot have (reading one is an error, and an error is not true). All else may be anything.
 */
import { argsOf, callOf, childrenOf, literal, pathOf, textList, type Node } from './ast.ts';
import { ALIASES, canHave } from './fields.ts';

/** Bits: what evaluating may give. */
const TRUE = 1;
const FALSE = 2;
const ERROR = 4;
const ANY = TRUE | FALSE | ERROR;

/** Whether the condition can be true for some event of this type and action. */
export function canHold(root: Node, type: string, action: string): boolean {
  return (outcomes(root, type, action) & TRUE) !== 0;
}

function outcomes(node: Node, type: string, action: string): number {
  const value = literal(node);
  if (typeof value === 'boolean') return value ? TRUE : FALSE;
  switch (node.op) {
    case '&&':
    case '||':
      return combine(node, type, action);
    case '!_': {
      const inner = outcomes(node.args as Node, type, action);
      return (inner & ERROR) | (inner & TRUE ? FALSE : 0) | (inner & FALSE ? TRUE : 0);
    }
    case '?:': {
      const [condition, yes, no] = argsOf(node) as [Node, Node, Node];
      const asked = outcomes(condition, type, action);
      return (
        (asked & ERROR) |
        (asked & TRUE ? outcomes(yes, type, action) : 0) |
        (asked & FALSE ? outcomes(no, type, action) : 0)
      );
    }
    case '==':
    case '!=':
    case 'in':
      return compare(node, type, action);
    default:
      return strict(node, type, action);
  }
}

/** CEL's `&&` and `||` absorb an error when the other side decides. */
function combine(node: Node, type: string, action: string): number {
  const [left, right] = argsOf(node).map((arg) => outcomes(arg, type, action)) as [number, number];
  const decisive = node.op === '&&' ? FALSE : TRUE;
  const other = decisive === FALSE ? TRUE : FALSE;
  let result = (left | right) & decisive;
  if (left & other && right & other) result |= other;
  if ((left & ERROR && right & ~decisive) || (right & ERROR && left & ~decisive)) result |= ERROR;
  return result;
}

function known(node: Node, type: string, action: string): string | undefined {
  const path = pathOf(node);
  if (path === 'event.type') return type;
  if (path === 'event.action') return action;
  const value = literal(node);
  return typeof value === 'string' ? value : undefined;
}

function compare(node: Node, type: string, action: string): number {
  const [left, right] = argsOf(node) as [Node, Node];
  const value = known(left, type, action);
  if (value !== undefined && node.op === 'in') {
    const list = textList(right);
    if (list) return list.includes(value) ? TRUE : FALSE;
  }
  if (value !== undefined && node.op !== 'in') {
    const other = known(right, type, action);
    if (other !== undefined) return (value === other) === (node.op === '==') ? TRUE : FALSE;
  }
  return strict(node, type, action);
}

/** Everything else needs all its parts: one that such events cannot have makes it an error. */
function strict(node: Node, type: string, action: string): number {
  const path = pathOf(node);
  if (path !== undefined) {
    const branch = (ALIASES[path] ?? path).split('.')[0] ?? '';
    return canHave(branch, type, action) ? ANY : ERROR;
  }
  const call = callOf(node);
  if (call?.name === 'has') return hasOutcome(call.args[0], type, action);
  // Of a macro only the list it runs over is needed always; its variable would look like a field.
  const needed = call?.isMacro ? [call.receiver].filter((part) => part !== undefined) : childrenOf(node);
  return needed.some((part) => strict(part, type, action) === ERROR) ? ERROR : ANY;
}

function hasOutcome(node: Node | undefined, type: string, action: string): number {
  const path = node && pathOf(node);
  if (path === undefined) return ANY;
  return canHave(path.split('.')[0] ?? '', type, action) ? ANY : FALSE;
}
