/**
 * The part of the process tree that has been asked for, and the rows it makes. Pure data and functions.
 *
 * A process is known when its parent's page of children held it, or when it is on the way down to the process that was
 * opened. Children keep the order of their start; sorting reorders only what is loaded, and a row says what is not.
 */
import type { Severity, TreeNode } from '../../../agent/api/contract.ts';
import { rank } from '../ui/severity-order.ts';

export interface Branch {
  node: TreeNode;
  /** Loaded children in order of start. */
  children: readonly string[];
  /** Direct children on record. */
  total: number;
  /** Where the next page begins; undefined before the first page and when all are loaded. */
  more: string | undefined;
  /** No page of children has been read: `children` holds at most the way down. */
  unread: boolean;
  expanded: boolean;
  loading: boolean;
  failed: string | undefined;
}

export interface Tree {
  root: string;
  /** The process that was opened. */
  focus: string;
  branches: ReadonlyMap<string, Branch>;
}

export const SORTS = ['start', 'severity', 'activity', 'user', 'name'] as const;
export type Sort = (typeof SORTS)[number];

export type TreeRow =
  | { kind: 'process'; id: string; branch: Branch; depth: number }
  /** Children that are not loaded yet. */
  | { kind: 'more'; id: string; parent: string; depth: number; left: number };

function branchOf(node: TreeNode, children: readonly string[] = []): Branch {
  return {
    node,
    children,
    total: Math.max(node.children, children.length),
    more: undefined,
    unread: true,
    expanded: children.length > 0,
    loading: false,
    failed: undefined,
  };
}

/** A tree that shows the way from the oldest ancestor (last of `ancestors`) down to `node`. */
export function openTree(node: TreeNode, ancestors: readonly TreeNode[]): Tree {
  const path = [...ancestors].reverse();
  path.push(node);
  const branches = new Map<string, Branch>();
  path.forEach((each, at) => {
    const next = path[at + 1];
    branches.set(each.entityId, branchOf(each, next ? [next.entityId] : []));
  });
  const focus = node.entityId;
  const focused = branches.get(focus);
  if (focused && node.children > 0) branches.set(focus, { ...focused, expanded: true });
  return { root: path[0]?.entityId ?? focus, focus, branches };
}

export function change(tree: Tree, id: string, with_: Partial<Branch>): Tree {
  const branch = tree.branches.get(id);
  if (!branch) return tree;
  return { ...tree, branches: new Map(tree.branches).set(id, { ...branch, ...with_ }) };
}

const byStart = (a: TreeNode, b: TreeNode): number => {
  const order = BigInt(a.process.startNs) - BigInt(b.process.startNs);
  return order === 0n ? a.process.pid - b.process.pid : order < 0n ? -1 : 1;
};

/**
 * Known children and a page of more, in order of start. Pages come in that order, so only what lies beyond the page's
 * first (a child on the way down that was known before its page) is put in its place.
 */
function merge(
  known: readonly string[],
  page: readonly TreeNode[],
  branches: ReadonlyMap<string, Branch>,
): string[] {
  const [first] = page;
  if (!first) return [...known];
  let at = known.length;
  while (at > 0) {
    const before = branches.get(known[at - 1] ?? '');
    if (!before || byStart(before.node, first) < 0) break;
    at -= 1;
  }
  const rest = new Map(page.map((node) => [node.entityId, node]));
  for (const id of known.slice(at)) {
    const branch = branches.get(id);
    if (branch) rest.set(id, branch.node);
  }
  return [...known.slice(0, at), ...[...rest.values()].sort(byStart).map((node) => node.entityId)];
}

/** Adds a page of children of `id`; those already known stay expanded as they are. */
export function addChildren(
  tree: Tree,
  id: string,
  page: { children: readonly TreeNode[]; total: number; more?: string },
): Tree {
  const parent = tree.branches.get(id);
  if (!parent) return tree;
  const branches = new Map(tree.branches);
  for (const node of page.children) {
    const known = branches.get(node.entityId);
    branches.set(
      node.entityId,
      known ? { ...known, node, total: Math.max(node.children, known.total) } : branchOf(node),
    );
  }
  const children = merge(parent.children, page.children, branches);
  branches.set(id, {
    ...parent,
    children,
    total: Math.max(page.total, children.length),
    more: page.more,
    unread: false,
    expanded: true,
    loading: false,
    failed: undefined,
  });
  return { ...tree, branches };
}

export function activity(node: TreeNode): number {
  return Object.values(node.subtree?.counts ?? node.counts).reduce((sum, n) => sum + n, 0);
}

export function worst(node: TreeNode): Severity {
  return node.subtree?.severity ?? node.severity;
}

export function userOf(node: TreeNode): string {
  return node.process.user ?? (node.process.uid === undefined ? '' : String(node.process.uid));
}

function compare(sort: Sort): (a: TreeNode, b: TreeNode) => number {
  switch (sort) {
    case 'severity':
      return (a, b) => rank(worst(b)) - rank(worst(a));
    case 'activity':
      return (a, b) => activity(b) - activity(a);
    case 'user':
      return (a, b) => userOf(a).localeCompare(userOf(b));
    case 'name':
      return (a, b) => a.process.name.localeCompare(b.process.name);
    default:
      return () => 0;
  }
}

/** Everything that is open, top down. */
export function rowsOf(tree: Tree, sort: Sort): TreeRow[] {
  const rows: TreeRow[] = [];
  const order = compare(sort);
  // Not recursive: a chain of ancestors and a hostile fork chain can both be deep.
  const waiting: { id: string; depth: number; more?: number }[] = [{ id: tree.root, depth: 0 }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { id, depth, more } = next;
    if (more !== undefined) {
      rows.push({ kind: 'more', id: `more-${id}`, parent: id, depth, left: more });
      continue;
    }
    const branch = tree.branches.get(id);
    if (!branch) continue;
    rows.push({ kind: 'process', id, branch, depth });
    if (!branch.expanded) continue;
    const left = branch.total - branch.children.length;
    if (left > 0 || branch.more !== undefined)
      waiting.push({ id, depth: depth + 1, more: Math.max(1, left) });
    const children =
      sort === 'start'
        ? branch.children
        : [...branch.children].sort((a, b) => {
            const [one, other] = [tree.branches.get(a), tree.branches.get(b)];
            return one && other ? order(one.node, other.node) : 0;
          });
    for (let at = children.length - 1; at >= 0; at -= 1) {
      waiting.push({ id: children[at] ?? '', depth: depth + 1 });
    }
  }
  return rows;
}

export interface Axis {
  fromNs: bigint;
  toNs: bigint;
}

/** The life of the opened process and of what is loaded below it; ancestors reach out of it to the left. */
export function axisOf(tree: Tree): Axis {
  const focus = tree.branches.get(tree.focus);
  const fromNs = BigInt(focus?.node.startNs ?? 0);
  let toNs = fromNs + 1_000_000n;
  const waiting = [tree.focus];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const branch = tree.branches.get(id);
    if (!branch) continue;
    const end = BigInt(branch.node.endNs ?? branch.node.lastNs);
    if (end > toNs) toNs = end;
    waiting.push(...branch.children);
  }
  return { fromNs, toNs };
}

/** Left edge and width of a life on the axis, each 0 to 1, and on which sides it goes on. */
export function lifeBox(
  axis: Axis,
  node: TreeNode,
): { left: number; width: number; before: boolean; after: boolean } | undefined {
  const span = Number(axis.toNs - axis.fromNs);
  const from = Number(BigInt(node.startNs) - axis.fromNs) / span;
  const to = node.endNs === undefined ? 1 : Number(BigInt(node.endNs) - axis.fromNs) / span;
  if (to < 0 || from > 1) return undefined;
  const left = Math.max(0, from);
  return { left, width: Math.min(1, to) - left, before: from < 0, after: to > 1 || node.endNs === undefined };
}
