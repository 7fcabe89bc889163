/** The process tree from the process table: one process, its ancestors, its children in pages, sums over subtrees. */
import type { StatementSync } from 'node:sqlite';
import { EVENT_TYPES, SEVERITIES, type ProcessInfo, type ProcessKey, type Severity } from '../event.ts';
import { readPartitions } from './catalog.ts';
import { TimelineCursorError } from './errors.ts';
import { unpackJson } from './json.ts';
import { sumSubtree, sumSubtrees, type Subtree } from './subtree.ts';
import { PartitionView, type Reader } from './view.ts';

export interface ProcessNode {
  process: ProcessInfo;
  /** Wall clock, ns: first record of the process. */
  startNs: bigint;
  /** Wall clock, ns: last record of the process. */
  lastNs: bigint;
  /** Wall clock, ns; absent while it runs (or its end was not seen). */
  endNs?: bigint;
  children: number;
  /** Number of events by type; only types that occur. */
  counts: Record<string, number>;
  severity: Severity;
  /** Of this process's own events. */
  detections: number;
  /** The process has no record of its own; this is what its child says of it. */
  told?: boolean;
  subtree?: Subtree;
}

export interface ProcessTree {
  /** From the parent upwards. */
  ancestors: ProcessNode[];
  node: ProcessNode;
  /** In order of start. */
  children: ProcessNode[];
  /** Cursor for the rest of the children. */
  more?: string;
}

/** A process by its columns. */
export interface RowKey {
  start: bigint;
  pid: bigint;
}

interface ProcessRow extends RowKey {
  pstart: bigint | null;
  ppid: bigint | null;
  first_ts: bigint;
  last_ts: bigint;
  end_ts: bigint | null;
  exit_code: bigint | null;
  exit_signal: bigint | null;
  sev: bigint;
  det: bigint;
  part: bigint | null;
  snap: bigint | null;
  info: string | null;
  [count: `n${number}`]: bigint;
}

const MAX_ANCESTORS = 64;
const MAX_CHILDREN = 1000;

/** Reads processes by key. For one answer: it keeps what it opened. */
export class TreeReader {
  private readonly reader: Reader;
  private readonly present: ReadonlySet<number>;
  private readonly decoders = new Map<number, PartitionView>();
  private readonly countChildren: StatementSync;

  constructor(reader: Reader) {
    this.reader = reader;
    this.countChildren = reader.db.prepare('SELECT count(*) AS c FROM process WHERE pstart = ? AND ppid = ?');
    this.present = new Set(readPartitions(reader.db).map(({ n }) => n));
  }

  rows(where: string, ...values: (bigint | number)[]): ProcessRow[] {
    const select = this.reader.db.prepare(`SELECT * FROM process WHERE ${where}`);
    select.setReadBigInts(true);
    return select.all(...values) as unknown as ProcessRow[];
  }

  private info(row: ProcessRow): ProcessInfo {
    const n = Number(row.part);
    if (row.info !== null) return unpackJson(row.info) as ProcessInfo;
    if (row.part !== null && row.snap !== null && this.present.has(n)) {
      let decoder = this.decoders.get(n);
      if (!decoder) {
        decoder = new PartitionView(this.reader, n);
        this.decoders.set(n, decoder);
      }
      const found = decoder.snapshot(Number(row.snap))?.process;
      if (found) return { ...found };
    }
    return { pid: Number(row.pid), startNs: BigInt.asUintN(64, row.start), name: '' };
  }

  childrenOf({ start, pid }: RowKey): number {
    return (this.countChildren.get(start, pid) as { c: number }).c;
  }

  node(row: ProcessRow): ProcessNode {
    const process = this.info(row);
    if (row.exit_code !== null) process.exitCode = Number(row.exit_code);
    if (row.exit_signal !== null) process.exitSignal = Number(row.exit_signal);
    if (process.ppid === undefined && row.ppid !== null) process.ppid = Number(row.ppid);
    const counts: Record<string, number> = {};
    for (const [index, type] of EVENT_TYPES.entries()) {
      const count = Number(row[`n${index}`] ?? 0n);
      if (count > 0) counts[type] = count;
    }
    const node: ProcessNode = {
      process,
      startNs: row.first_ts,
      lastNs: row.last_ts,
      children: this.childrenOf(row),
      counts,
      severity: SEVERITIES[Number(row.sev)] ?? 'info',
      detections: Number(row.det),
    };
    if (row.end_ts !== null) node.endNs = row.end_ts;
    return node;
  }

  /** Nodes upwards; where a parent left no record, what its child says of it. */
  ancestors(row: ProcessRow): ProcessNode[] {
    const found: ProcessNode[] = [];
    let child = row;
    while (found.length < MAX_ANCESTORS && child.ppid !== null) {
      const [parent] =
        child.pstart === null ? [] : this.rows('start = ? AND pid = ?', child.pstart, child.ppid);
      if (!parent || (parent.start === child.start && parent.pid === child.pid)) {
        const told = parent ? undefined : this.told(child);
        if (told) found.push(told);
        break;
      }
      found.push(this.node(parent));
      child = parent;
    }
    return found;
  }

  private told(child: ProcessRow): ProcessNode | undefined {
    const n = Number(child.part);
    if (child.part === null || child.snap === null || !this.present.has(n)) return undefined;
    const decoder = new PartitionView(this.reader, n);
    const parent = decoder.snapshot(Number(child.snap))?.parent;
    if (!parent) return undefined;
    return {
      process: { ...parent },
      startNs: child.first_ts,
      lastNs: child.first_ts,
      children:
        child.pstart === null || child.ppid === null
          ? 1
          : this.childrenOf({ start: child.pstart, pid: child.ppid }),
      counts: {},
      severity: 'info',
      detections: 0,
      told: true,
    };
  }
}

export interface TreeOptions {
  /** At most 1000, default 200. */
  limit?: number;
  /** `more` of the page before. */
  after?: string;
}

interface ChildRows {
  rows: ProcessRow[];
  more?: string;
}

/** One page of children in order of start. */
function childRows(tree: TreeReader, parent: RowKey, options: TreeOptions): ChildRows {
  const limit = Math.max(1, Math.min(options.limit ?? 200, MAX_CHILDREN));
  const place = /^(-?\d{1,19})\.(\d{1,10})$/.exec(options.after ?? '');
  if (options.after !== undefined && !place) {
    throw new TimelineCursorError('that is not a page of children: start again without it');
  }
  const [start, child] = place ? [BigInt(place[1] ?? '0'), Number(place[2])] : [-(2n ** 63n), -1];
  const rows = tree.rows(
    `pstart = ? AND ppid = ? AND (start, pid) > (?, ?) ORDER BY start, pid LIMIT ${limit + 1}`,
    parent.start,
    parent.pid,
    start,
    child,
  );
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { rows: shown, more: rows.length > limit && last ? `${last.start}.${last.pid}` : undefined };
}

/** Columns of a process's identity. */
export const rowKey = (key: ProcessKey): RowKey => ({
  start: BigInt.asIntN(64, key.startNs),
  pid: BigInt(key.pid),
});

/** The record of a process. */
export function rowOf(tree: TreeReader, { start, pid }: RowKey): ProcessRow | undefined {
  return tree.rows('start = ? AND pid = ?', start, pid)[0];
}

/** Tree around a process; without a start time the one with this pid that was seen last. */
export function processTree(
  reader: Reader,
  pid: number,
  startNs: bigint | undefined,
  options: TreeOptions = {},
): ProcessTree | undefined {
  const tree = new TreeReader(reader);
  const row =
    startNs === undefined
      ? tree.rows('pid = ? ORDER BY last_ts DESC LIMIT 1', pid)[0]
      : rowOf(tree, rowKey({ pid, startNs }));
  if (!row) return undefined;
  const { rows, more } = childRows(tree, row, options);
  return {
    ancestors: tree.ancestors(row),
    node: tree.node(row),
    children: rows.map((one) => tree.node(one)),
    more,
  };
}

/** A process with its subtree, and its ancestors from the parent upwards; undefined when it has no record. */
export function treeAncestors(
  reader: Reader,
  key: ProcessKey,
): { node: ProcessNode; ancestors: ProcessNode[] } | undefined {
  const tree = new TreeReader(reader);
  const row = rowOf(tree, rowKey(key));
  if (!row) return undefined;
  const node = tree.node(row);
  node.subtree = sumSubtree(reader.db, row);
  return { node, ancestors: tree.ancestors(row) };
}

export interface ChildrenPage {
  /** In order of start, each with its subtree. */
  children: ProcessNode[];
  /** Of all pages. */
  total: number;
  more?: string;
}

/** One page of the children of a process, which need not have a record of its own; undefined when it is not known. */
export function treeChildren(
  reader: Reader,
  key: ProcessKey,
  options: TreeOptions = {},
): ChildrenPage | undefined {
  const tree = new TreeReader(reader);
  const parent = rowKey(key);
  const { rows, more } = childRows(tree, parent, options);
  if (rows.length === 0 && !rowOf(tree, parent)) return undefined;
  const subtrees = sumSubtrees(reader.db, rows);
  const children = rows.map((row, index) => {
    const node = tree.node(row);
    node.subtree = subtrees[index];
    return node;
  });
  return { children, total: tree.childrenOf(parent), more };
}
