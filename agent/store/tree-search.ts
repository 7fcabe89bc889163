/**
 * Finds the processes below a process whose events match a query. The answer holds the way down to each, so that a
 * reader of the tree can go there without the pages of children between.
 */
import type { ProcessKey } from '../event.ts';
import { queryPage } from './pages.ts';
import { and, type QueryNode } from './query-ast.ts';
import { subtreeParents } from './subtree.ts';
import { TreeReader, rowKey, rowOf, type ProcessNode, type RowKey } from './tree.ts';
import type { Reader } from './view.ts';

export interface TreeSearch {
  /** For each process that was found, newest match first: the nodes from a child of the process asked for down to it. */
  paths: ProcessNode[][];
  /** False: there are more, or the search ran out of time, or the tree is larger than what is walked. */
  complete: boolean;
}

export interface TreeSearchOptions {
  /** At most 200, default 100. */
  limit?: number;
  budgetMs?: number;
}

const MAX_FOUND = 200;
const PAGE = 500;
const BUDGET_MS = 400;

const keyText = ({ start, pid }: RowKey): string => `${start}.${pid}`;

/** Searches the subtree of a process, itself left out; undefined when it has no record. */
export function searchTree(
  reader: Reader,
  key: ProcessKey,
  query: QueryNode,
  { limit = 100, budgetMs = BUDGET_MS }: TreeSearchOptions = {},
): TreeSearch | undefined {
  const tree = new TreeReader(reader);
  const top = rowKey(key);
  const row = rowOf(tree, top);
  if (!row) return undefined;
  const deadline = performance.now() + budgetMs;
  const { parents, complete: walked } = subtreeParents(reader.db, top);
  const most = Math.max(1, Math.min(limit, MAX_FOUND));
  const node = and(query, { kind: 'time', op: 'ge', at: { kind: 'at', ns: row.first_ts } });
  const found = new Map<string, RowKey>();
  let before: string | undefined;
  let more = false;
  do {
    const page = queryPage(reader, node, { limit: PAGE, before });
    for (const { process } of page.events) {
      if (!process) continue;
      const own = rowKey(process);
      const text = keyText(own);
      if (!parents.has(text) || found.has(text)) continue;
      if (found.size === most) {
        more = true;
        break;
      }
      found.set(text, own);
    }
    before = page.older;
  } while (before !== undefined && !more && performance.now() < deadline);
  const nodes = new Map<string, ProcessNode>();
  const nodeOf = (at: RowKey): ProcessNode | undefined => {
    const text = keyText(at);
    let known = nodes.get(text);
    if (!known) {
      const each = rowOf(tree, at);
      if (each) nodes.set(text, (known = tree.node(each)));
    }
    return known;
  };
  const paths = [...found.values()].map((end) => {
    const path: ProcessNode[] = [];
    for (let at: RowKey | undefined = end; at; at = parents.get(keyText(at))) {
      const each = nodeOf(at);
      if (each) path.unshift(each);
    }
    return path;
  });
  return { paths, complete: walked && !more && before === undefined };
}
