/**
 * Which policies the kernel can decide alone: those whose condition is a choice among executables, files or
 * destinations. The condition is put into disjunctive form; every alternative has to be made of parts that the kernel's
 * maps can hold. If one is not, the agent decides the whole policy and the reason names that part.
 */
import { normalCidr } from './addresses.ts';
import { argsOf, callOf, literal, pathOf, textList, type Node } from './ast.ts';
import { ALIASES } from './fields.ts';
import type { Action, KernelDestination, KernelExecutable, KernelOpen } from './types.ts';

type Without<T> = Omit<T, 'policy'>;

export interface Reduced {
  executables: Without<KernelExecutable>[];
  destinations: Without<KernelDestination>[];
  opens: Without<KernelOpen>[];
}

export type Reduction = { ok: true; sets: Reduced } | { ok: false; reason: string };

/** Alternatives beyond which a condition is left to the agent. */
const MAX_ALTERNATIVES = 256;
const MAX_ENTRIES = 4096;

/** A part of an alternative, or its negation. */
interface Part {
  node: Node;
  not: boolean;
}

class Irreducible extends Error {}

/** Reduces a condition for an action; `text` is what the nodes' offsets mean. */
export function reduce(root: Node, text: string, action: Action): Reduction {
  if (action === 'alert' || action === 'kill' || action === 'freeze' || action === 'quarantine')
    return { ok: false, reason: `${action} is an act of the agent` };
  const cuts = action === 'cut_network';
  const sets: Reduced = { executables: [], destinations: [], opens: [] };
  try {
    for (const parts of alternatives(root, false)) add(sets, parts, text, action);
    if (cuts) for (const open of sets.opens) Object.assign(open, { cuts });
    const count = sets.executables.length + sets.destinations.length + sets.opens.length;
    if (count > MAX_ENTRIES)
      throw new Irreducible(`it comes to ${count} entries; the kernel's maps take ${MAX_ENTRIES}`);
    return { ok: true, sets };
  } catch (error) {
    if (error instanceof Irreducible) return { ok: false, reason: error.message };
    throw error;
  }
}

function alternatives(node: Node, not: boolean): Part[][] {
  if (node.op === '!_') return alternatives(node.args as Node, !not);
  if (node.op !== '&&' && node.op !== '||') return [[{ node, not }]];
  const [left, right] = argsOf(node).map((arg) => alternatives(arg, not)) as [Part[][], Part[][]];
  const isAnd = (node.op === '&&') !== not;
  const result = isAnd
    ? left.flatMap((one) => right.map((other) => [...one, ...other]))
    : [...left, ...right];
  if (result.length > MAX_ALTERNATIVES) throw new Irreducible('it has too many alternatives for the kernel');
  return result;
}

interface Selection {
  executables?: Without<KernelExecutable>[];
  opens?: { by: 'path' | 'directory'; value: string }[];
  except: string[];
  content?: { indexes: string[]; rules: string[]; confidence: number; count: number };
  cidrs?: string[];
  ports?: { from: number; to: number }[];
  protocol?: 'tcp' | 'udp';
}

/** The events an action is about; a part that says so adds nothing. */
const SUBJECT: Readonly<Record<string, { type: string; actions: readonly string[] }>> = {
  deny_exec: { type: 'process', actions: ['exec'] },
  deny_connect: { type: 'network', actions: ['connect', 'send'] },
  deny_open: { type: 'file', actions: ['open'] },
  cut_network: { type: 'dlp', actions: ['read'] },
};

function add(sets: Reduced, parts: readonly Part[], text: string, action: Action): void {
  const selection: Selection = { except: [] };
  const subject = SUBJECT[action];
  // Who reads is found at the same place as who may not open.
  if (action === 'cut_network') {
    selection.content = { indexes: [], rules: [], confidence: 0, count: 1 };
    action = 'deny_open';
  }
  for (const part of parts) {
    if (!take(selection, part, action, subject)) {
      const said = text.slice(part.node.start, part.node.end).slice(0, 120);
      throw new Irreducible(`the kernel cannot decide ${part.not ? 'not ' : ''}\`${said}\``);
    }
  }
  if (action === 'deny_exec') {
    if (!selection.executables) throw new Irreducible('an alternative names no executable by path or hash');
    sets.executables.push(...selection.executables);
  } else if (action === 'deny_open') {
    if (!selection.opens) throw new Irreducible('an alternative names no file.path');
    const content = selection.content === undefined ? {} : { content: selection.content };
    for (const open of selection.opens)
      sets.opens.push({ ...open, exceptExecutables: selection.except, ...content });
  } else {
    if (!selection.cidrs && !selection.ports) throw new Irreducible('an alternative names no destination');
    for (const cidr of selection.cidrs ?? ['0.0.0.0/0', '::/0'].map((any) => normalCidr(any) as string))
      sets.destinations.push({ cidr, ports: selection.ports ?? [], protocol: selection.protocol ?? 'any' });
  }
}

/** Adds one part to the selection; false if the kernel cannot hold it. A second part on one subject is not combined. */
function take(
  selection: Selection,
  { node, not }: Part,
  action: Action,
  subject: (typeof SUBJECT)[string] | undefined,
): boolean {
  const call = callOf(node);
  if (call?.receiver) return !not && takeCall(selection, action, call.name, call.receiver, call.args[0]);
  const [left, right] = ['==', '!=', 'in', '<', '<=', '>', '>='].includes(node.op)
    ? (argsOf(node) as [Node, Node])
    : [];
  if (!left || !right) return false;
  const written = pathOf(left) ?? '';
  const path = ALIASES[written] ?? written;
  const equal = node.op === '==' ? literal(right) : undefined;
  const values = node.op === 'in' ? textList(right) : typeof equal === 'string' ? [equal] : undefined;
  if (node.op === '!=' && path === 'process.executable' && action === 'deny_open') {
    const value = literal(right);
    if (typeof value !== 'string' || not) return false;
    selection.except.push(value);
    return true;
  }
  if (not) {
    if (path !== 'process.executable' || action !== 'deny_open' || !values) return false;
    selection.except.push(...values);
    return true;
  }
  if (action === 'deny_open' && takeContent(selection, node, path, left, right)) return true;
  if (path === 'event.type') return values?.length === 1 && values[0] === subject?.type;
  if (path === 'event.action') {
    if (!values || !subject || !values.every((value) => subject.actions.includes(value))) return false;
    return action !== 'deny_connect' || takeTransport(selection, values);
  }
  if (path === 'destination.port') return takePort(selection, node, right, action);
  if (!values) return false;
  return takeValues(selection, path, values, action);
}

/** What a look into the file has to find: `dlp.verdict == "match"`, `"x" in dlp.index`, `dlp.confidence >= 90`. */
function takeContent(selection: Selection, node: Node, path: string, left: Node, right: Node): boolean {
  const content = selection.content ?? { indexes: [], rules: [], confidence: 0, count: 1 };
  const value = literal(right);
  if (node.op === '==' && path === 'dlp.verdict' && value === 'match') {
    selection.content = content;
    return true;
  }
  if (node.op === 'in') {
    const name = literal(left);
    const list = { 'dlp.index': content.indexes, 'dlp.rule': content.rules }[pathOf(right) ?? ''];
    if (list === undefined || typeof name !== 'string') return false;
    list.push(name);
    selection.content = content;
    return true;
  }
  if (node.op !== '>=' || (typeof value !== 'bigint' && typeof value !== 'number')) return false;
  if (path === 'dlp.confidence') content.confidence = Math.max(content.confidence, Number(value));
  else if (path === 'dlp.count') content.count = Math.max(content.count, Number(value));
  else return false;
  selection.content = content;
  return true;
}

/** Connections are TCP, datagrams are `send`: naming one of them says which. */
function takeTransport(selection: Selection, actions: readonly string[]): boolean {
  if (actions.includes('connect') && actions.includes('send')) return true;
  return takeProtocol(selection, actions[0] === 'connect' ? 'tcp' : 'udp');
}

function takeProtocol(selection: Selection, protocol: 'tcp' | 'udp'): boolean {
  if (selection.protocol !== undefined && selection.protocol !== protocol) return false;
  selection.protocol = protocol;
  return true;
}

function takeValues(selection: Selection, path: string, values: readonly string[], action: Action): boolean {
  if (action === 'deny_exec' && !selection.executables) {
    const by = {
      'process.executable': 'path',
      'process.hash.sha256': 'sha256',
      'process.hash.blake3': 'blake3',
    } as const;
    const kind = by[path as keyof typeof by];
    if (kind === undefined) return false;
    selection.executables = values.map((value) => ({
      by: kind,
      value: kind === 'path' ? value : value.toLowerCase(),
    }));
    return true;
  }
  if (action === 'deny_open' && path === 'file.path' && !selection.opens) {
    selection.opens = values.map((value) => ({ by: 'path', value }));
    return true;
  }
  if (action !== 'deny_connect') return false;
  if (path === 'network.direction') return values.length === 1 && values[0] === 'outbound';
  if (path === 'network.transport') {
    const [protocol] = values;
    return (
      values.length === 1 && (protocol === 'tcp' || protocol === 'udp') && takeProtocol(selection, protocol)
    );
  }
  if (path !== 'destination.ip' || selection.cidrs) return false;
  const cidrs = values.map(normalCidr);
  if (!cidrs.every((cidr) => cidr !== undefined)) return false;
  selection.cidrs = cidrs;
  return true;
}

function takeCall(
  selection: Selection,
  action: Action,
  name: string,
  receiver: Node,
  argument: Node | undefined,
): boolean {
  const written = pathOf(receiver) ?? '';
  const path = ALIASES[written] ?? written;
  const value = argument && literal(argument);
  if (name === 'startsWith' && typeof value === 'string' && value.startsWith('/') && value.endsWith('/')) {
    if (action === 'deny_exec' && path === 'process.executable' && !selection.executables) {
      selection.executables = [{ by: 'directory', value }];
      return true;
    }
    if (action === 'deny_open' && path === 'file.path' && !selection.opens) {
      selection.opens = [{ by: 'directory', value }];
      return true;
    }
    return false;
  }
  if (
    name !== 'inCidr' ||
    action !== 'deny_connect' ||
    path !== 'destination.ip' ||
    selection.cidrs ||
    !argument
  )
    return false;
  const list = typeof value === 'string' ? [value] : textList(argument);
  const cidrs = list?.map(normalCidr);
  if (!cidrs?.every((cidr) => cidr !== undefined)) return false;
  selection.cidrs = cidrs;
  return true;
}

function takePort(selection: Selection, node: Node, right: Node, action: Action): boolean {
  if (action !== 'deny_connect') return false;
  const values = node.op === 'in' && right.op === 'list' ? argsOf(right).map(literal) : [literal(right)];
  if (!values.every((value) => typeof value === 'bigint' || typeof value === 'number')) return false;
  const ports = values.map(Number);
  if (!ports.every((port) => Number.isInteger(port) && port >= 0 && port <= 65_535)) return false;
  const [port = 0] = ports;
  if (node.op === '==' || node.op === 'in') {
    if (selection.ports) return false;
    selection.ports = ports.map((each) => ({ from: each, to: each }));
    return true;
  }
  const bounds: Record<string, [number, number]> = {
    '<': [0, port - 1],
    '<=': [0, port],
    '>': [port + 1, 65_535],
    '>=': [port, 65_535],
  };
  const bound = bounds[node.op];
  if (!bound) return false;
  const [held] = selection.ports ?? [{ from: 0, to: 65_535 }];
  if ((selection.ports?.length ?? 0) > 1 || !held) return false;
  const from = Math.max(held.from, bound[0]);
  const to = Math.min(held.to, bound[1]);
  if (from > to) return false;
  selection.ports = [{ from, to }];
  return true;
}
