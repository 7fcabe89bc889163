/** The parts of a CEL syntax tree that this folder looks at, read from the library's nodes in one place. */

export interface Node {
  readonly op: string;
  readonly args: unknown;
  /** Offsets into the text. */
  readonly start: number;
  readonly end: number;
}

const MACROS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).op === 'string';
}

/** Nodes directly below `node`, receivers first. */
export function childrenOf(node: Node): Node[] {
  const found: Node[] = [];
  const collect = (value: unknown): void => {
    if (isNode(value)) found.push(value);
    else if (Array.isArray(value)) for (const item of value) collect(item);
  };
  collect(node.args);
  return found;
}

/** Calls back for `node` and everything below it, parents first. */
export function visit(node: Node, see: (node: Node) => void): void {
  see(node);
  for (const child of childrenOf(node)) visit(child, see);
}

export function argsOf(node: Node): Node[] {
  return node.args as Node[];
}

/** A literal's value; undefined for everything else. */
export function literal(node: Node): string | number | bigint | boolean | undefined {
  if (node.op !== 'value') return undefined;
  const { args } = node;
  return typeof args === 'string' ||
    typeof args === 'number' ||
    typeof args === 'bigint' ||
    typeof args === 'boolean'
    ? args
    : undefined;
}

/** The literal texts of a list, or undefined when it is not a list of texts. */
export function textList(node: Node): string[] | undefined {
  if (node.op !== 'list') return undefined;
  const values = argsOf(node).map(literal);
  return values.every((value) => typeof value === 'string') ? values : undefined;
}

/** The dotted path of a field access on a variable, for example `process.parent.name`. */
export function pathOf(node: Node): string | undefined {
  if (node.op === 'id') return node.args as string;
  if (node.op !== '.') return undefined;
  const [below, member] = node.args as [Node, string];
  const path = pathOf(below);
  return path === undefined ? undefined : `${path}.${member}`;
}

export interface Call {
  name: string;
  receiver: Node | undefined;
  args: Node[];
  /** `has`, `exists` and their like, which do not evaluate all arguments as values. */
  isMacro: boolean;
}

/** A function or method call, however it is written. */
export function callOf(node: Node): Call | undefined {
  if (node.op === 'call') {
    const [name, args] = node.args as [string, Node[]];
    return { name, receiver: undefined, args, isMacro: name === 'has' };
  }
  if (node.op !== 'rcall') return undefined;
  const [name, receiver, args] = node.args as [string, Node, Node[]];
  return {
    name,
    receiver,
    args,
    isMacro: MACROS.has(name) || (name === 'bind' && pathOf(receiver) === 'cel'),
  };
}

/** Renames the method of a call. The library reads the name from the node when it checks the types. */
export function renameCall(node: Node, name: string): void {
  (node.args as unknown[])[0] = name;
}
