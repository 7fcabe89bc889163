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
  /** Runs of alike siblings that are shown one by one, by the first of each. */
  opened: ReadonlySet<string>;
}

export const SORTS = ['start', 'severity', 'activity', 'duration', 'user', 'name'] as const;
export type Sort = (typeof SORTS)[number];

export type TreeRow =
  | { kind: 'process'; id: string; branch: Branch; depth: number }
  /** Children that are not loaded yet. */
  | { kind: 'more'; id: string; parent: string; depth: number; left: number }
  /** Siblings one after the other that ran the same program, had no children and matched nothing. */
  | { kind: 'alike'; id: string; nodes: readonly TreeNode[]; depth: number };

/** Fewer than this are shown one by one. */
const ALIKE_LEAST = 4;

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
  return { root: path[0]?.entityId ?? focus, focus, branches, opened: new Set() };
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

/** Adds the way down from `from` to a process, and opens it. */
export function addPath(tree: Tree, from: string, path: readonly TreeNode[]): Tree {
  const branches = new Map(tree.branches);
  let above = from;
  for (const node of path) {
    const parent = branches.get(above);
    if (!parent) return tree;
    const known = branches.has(node.entityId);
    if (!known) branches.set(node.entityId, branchOf(node));
    const children = known ? parent.children : merge(parent.children, [node], branches);
    branches.set(above, {
      ...parent,
      children,
      total: Math.max(parent.total, children.length),
      expanded: true,
    });
    above = node.entityId;
  }
  return { ...tree, branches };
}

/** Shows a run of alike siblings one by one. */
export function openAlike(tree: Tree, first: string): Tree {
  return { ...tree, opened: new Set(tree.opened).add(first) };
}

export function durationOf(node: TreeNode): bigint {
  return BigInt(node.endNs ?? node.lastNs) - BigInt(node.startNs);
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
    case 'duration':
      return (a, b) => Number(durationOf(b) - durationOf(a));
    case 'user':
      return (a, b) => userOf(a).localeCompare(userOf(b));
    case 'name':
      return (a, b) => a.process.name.localeCompare(b.process.name);
    default:
      return () => 0;
  }
}

/** What siblings must share to be one row; undefined for one that is to be seen by itself. */
function likeness(tree: Tree, branch: Branch | undefined, keep: ReadonlySet<string>): string | undefined {
  if (!branch || branch.total > 0) return undefined;
  const { node } = branch;
  if (node.entityId === tree.focus || keep.has(node.entityId)) return undefined;
  if (node.severity !== 'info' || node.detections > 0) return undefined;
  return `${node.process.executable ?? ''} ${node.process.name}`;
}

type Waiting =
  | { id: string; depth: number; more?: number }
  | { id: string; depth: number; alike: readonly TreeNode[] };

/** The rows of a process's children, runs of alike ones as one. */
function inRuns(
  tree: Tree,
  children: readonly string[],
  depth: number,
  keep: ReadonlySet<string>,
): Waiting[] {
  const rows: Waiting[] = [];
  const likes = children.map((id) => likeness(tree, tree.branches.get(id), keep));
  for (let at = 0; at < children.length;) {
    let end = at + 1;
    while (likes[at] !== undefined && likes[end] === likes[at] && end < children.length) end += 1;
    const id = children[at] ?? '';
    const run = children.slice(at, end);
    if (run.length >= ALIKE_LEAST && !tree.opened.has(id)) {
      const nodes = run.flatMap((each) => tree.branches.get(each)?.node ?? []);
      rows.push({ id, depth, alike: nodes });
    } else for (const each of run) rows.push({ id: each, depth });
    at = end;
  }
  return rows;
}

const NOTHING: ReadonlySet<string> = new Set();

/** Everything that is open, top down; `runs` makes one row of alike siblings, but of those in `keep`. */
export function rowsOf(tree: Tree, sort: Sort, runs = false, keep: ReadonlySet<string> = NOTHING): TreeRow[] {
  const rows: TreeRow[] = [];
  const order = compare(sort);
  // Not recursive: a chain of ancestors and a hostile fork chain can both be deep.
  const waiting: Waiting[] = [{ id: tree.root, depth: 0 }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { id, depth } = next;
    if ('alike' in next) {
      rows.push({ kind: 'alike', id: `alike-${id}`, nodes: next.alike, depth });
      continue;
    }
    const { more } = next;
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
    const below = runs
      ? inRuns(tree, children, depth + 1, keep)
      : children.map((child) => ({ id: child, depth: depth + 1 }));
    for (let at = below.length - 1; at >= 0; at -= 1) {
      const row = below[at];
      if (row) waiting.push(row);
    }
  }
  return rows;
}
