/**
 * The most a condition can cost, from its syntax tree alone, before it ever runs.
 *
 * CEL always ends, but a short text can still ask for a lot: nested loops over the arguments of a process, or texts that
 * double with every step. The estimate is an upper bound: lists of an event are taken to be as long as a record can make
 * them, texts likewise. What is above the budget is refused when the policy is loaded, so nothing has to be cut short on
 * the thread that decides.
 */
import { argsOf, callOf, childrenOf, literal, pathOf, type Node } from './ast.ts';
import { ALIASES, FIELDS } from './fields.ts';

/** Entries of a list of the event: 4 KiB of arguments are at most this many. */
const MAX_LIST = 2048;
/** Bytes of a text of the event. */
const MAX_TEXT = 4096;
/** Bytes that one step looks through. */
const BYTES_A_STEP = 4096;

export const MAX_STEPS = 150_000;
export const MAX_BYTES = 1024 * 1024;

interface Size {
  /** Steps to evaluate it. */
  steps: number;
  /** Bytes of a text, or of all texts in a list. */
  bytes: number;
  /** Entries of a list or map. */
  length: number;
}

export interface Cost {
  steps: number;
  bytes: number;
}

type Scope = ReadonlyMap<string, Size>;

function textStep(bytes: number): number {
  return 1 + bytes / BYTES_A_STEP;
}

/** What evaluating `root` can cost at most. */
export function costOf(root: Node): Cost {
  let mostBytes = 0;
  const estimate = (node: Node, scope: Scope): Size => {
    const size = estimateNode(node, scope, estimate);
    mostBytes = Math.max(mostBytes, size.bytes);
    return size;
  };
  const { steps } = estimate(root, new Map());
  return { steps: Math.ceil(steps), bytes: mostBytes };
}

function estimateNode(node: Node, scope: Scope, estimate: (node: Node, scope: Scope) => Size): Size {
  const value = literal(node);
  if (value !== undefined)
    return { steps: 1, bytes: typeof value === 'string' ? value.length * 4 : 8, length: 0 };
  const path = pathOf(node);
  if (path !== undefined) {
    const variable = scope.get(path.split('.')[0] ?? '');
    return variable ? { ...variable, steps: 1 } : fieldSize(path);
  }
  const call = callOf(node);
  if (call?.isMacro && call.receiver && call.name === 'bind') {
    const [name, bound, body] = call.args;
    if (!name || !bound || !body) return fallback(node, scope, estimate);
    const held = estimate(bound, scope);
    const result = estimate(body, new Map(scope).set(pathOf(name) ?? '', held));
    return { ...result, steps: result.steps + held.steps };
  }
  if (call?.isMacro && call.receiver) return loop(call.name, call.receiver, call.args, scope, estimate);
  if (node.op === '+') {
    const [left, right] = argsOf(node).map((arg) => estimate(arg, scope)) as [Size, Size];
    const bytes = left.bytes + right.bytes;
    return {
      steps: left.steps + right.steps + textStep(bytes) + left.length + right.length,
      bytes,
      length: left.length + right.length,
    };
  }
  return fallback(node, scope, estimate);
}

/** A loop runs its body once for each entry; what it makes is as long as the list. */
function loop(
  name: string,
  receiver: Node,
  args: readonly Node[],
  scope: Scope,
  estimate: (node: Node, scope: Scope) => Size,
): Size {
  const over = estimate(receiver, scope);
  const length = Math.max(1, over.length);
  const [variable, ...bodies] = args;
  // All entries together have `over.bytes`; a body is charged for its share, rounded up, or for a whole text of a list
  // with few entries.
  const entry = { steps: 1, bytes: Math.ceil(over.bytes / length), length: 0 };
  const inner = new Map(scope).set(variable ? (pathOf(variable) ?? '') : '', entry);
  let steps = over.steps;
  let bytes = 8;
  for (const body of bodies) {
    const size = estimate(body, inner);
    steps += length * (size.steps + 2);
    bytes = size.bytes * length;
  }
  if (name === 'map') return { steps, bytes, length };
  if (name === 'filter') return { steps, bytes: over.bytes, length };
  return { steps, bytes: 8, length: 0 };
}

function fallback(node: Node, scope: Scope, estimate: (node: Node, scope: Scope) => Size): Size {
  let steps = 1;
  let bytes = 0;
  let length = node.op === 'list' || node.op === 'map' ? childrenOf(node).length : 0;
  for (const child of childrenOf(node)) {
    const size = estimate(child, scope);
    steps += size.steps + size.bytes / BYTES_A_STEP;
    bytes += size.bytes;
    if (node.op === '?:') length = Math.max(length, size.length);
    // `x in list` looks at each entry; a map or a constant list is as dear as a list here.
    if (node.op === 'in' || node.op === '==' || node.op === '!=') steps += size.length;
  }
  const call = callOf(node);
  if (call?.name === 'split') return { steps: steps + bytes, bytes, length: bytes };
  if (call && (call.name === 'matches' || call.name === 'matchesLinear')) steps += bytes / 64;
  if (call?.name === 'join') bytes += bytes * 2 + MAX_TEXT;
  return { steps, bytes, length };
}

function fieldSize(path: string): Size {
  const type = FIELDS[ALIASES[path] ?? path]?.type;
  if (type === 'int') return { steps: 1, bytes: 8, length: 0 };
  if (type === 'string') return { steps: 1, bytes: MAX_TEXT, length: 0 };
  if (type === undefined) return { steps: 1, bytes: 8, length: 0 };
  return { steps: 1, bytes: MAX_TEXT, length: type === 'list<string>' ? MAX_LIST : 64 };
}
