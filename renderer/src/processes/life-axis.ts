/** Lifetimes on one time axis. */
import type { TreeNode } from '../../../agent/api/contract.ts';
import type { Tree } from './tree-model.ts';

export interface Axis {
  fromNs: bigint;
  toNs: bigint;
}

/** Whether a number of nanoseconds is later than another, both as decimal text: parsing tens of thousands takes long. */
const isLater = (a: string, b: string): boolean => (a.length === b.length ? a > b : a.length > b.length);

/** The life of the opened process and of what is loaded below it; ancestors reach out of it to the left. */
export function axisOf(tree: Tree): Axis {
  const focus = tree.branches.get(tree.focus);
  const fromNs = BigInt(focus?.node.startNs ?? 0);
  let latest = String(fromNs + 1_000_000n);
  const waiting = [tree.focus];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const branch = tree.branches.get(id);
    if (!branch) continue;
    const end = branch.node.endNs ?? branch.node.lastNs;
    if (isLater(end, latest)) latest = end;
    // As arguments of one call, the children of a large build would be too many.
    for (const child of branch.children) waiting.push(child);
  }
  return { fromNs, toNs: BigInt(latest) };
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
