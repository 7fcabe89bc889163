/** The process tree from the process table: one process, its ancestors, its children in pages. */
import { EVENT_TYPES, SEVERITIES, type ProcessInfo, type Severity } from '../event.ts';
import { readPartitions } from './catalog.ts';
import { TimelineCursorError } from './errors.ts';
import { unpackJson } from './json.ts';
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

interface ProcessRow {
  start: bigint;
  pid: bigint;
  pstart: bigint | null;
  ppid: bigint | null;
  first_ts: bigint;
  last_ts: bigint;
  end_ts: bigint | null;
  exit_code: bigint | null;
  exit_signal: bigint | null;
  sev: bigint;
  part: bigint | null;
  snap: bigint | null;
  info: string | null;
  [count: `n${number}`]: bigint;
}

const MAX_ANCESTORS = 64;
const MAX_CHILDREN = 1000;

class TreeReader {
  private readonly reader: Reader;
  private readonly present: ReadonlySet<number>;
  private readonly decoders = new Map<number, PartitionView>();

  constructor(reader: Reader) {
    this.reader = reader;
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
    const children = this.reader.db
      .prepare('SELECT count(*) AS c FROM process WHERE pstart = ? AND ppid = ?')
      .get(row.start, row.pid) as { c: number };
    const node: ProcessNode = {
      process,
      startNs: row.first_ts,
      lastNs: row.last_ts,
      children: children.c,
      counts,
      severity: SEVERITIES[Number(row.sev)] ?? 'info',
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
      children: 1,
      counts: {},
      severity: 'info',
    };
  }
}

export interface TreeOptions {
  /** At most 1000, default 200. */
  limit?: number;
  /** `more` of the page before. */
  after?: string;
}

/** Tree around a process; without a start time the one with this pid that was seen last. */
export function processTree(
  reader: Reader,
  pid: number,
  startNs: bigint | undefined,
  options: TreeOptions = {},
): ProcessTree | undefined {
  const tree = new TreeReader(reader);
  const [row] =
    startNs === undefined
      ? tree.rows('pid = ? ORDER BY last_ts DESC LIMIT 1', pid)
      : tree.rows('pid = ? AND start = ?', pid, BigInt.asIntN(64, startNs));
  if (!row) return undefined;
  const limit = Math.max(1, Math.min(options.limit ?? 200, MAX_CHILDREN));
  const place = /^(-?\d{1,19})\.(\d{1,10})$/.exec(options.after ?? '');
  if (options.after !== undefined && !place) {
    throw new TimelineCursorError('that is not a page of children: start again without it');
  }
  const [start, child] = place ? [BigInt(place[1] ?? '0'), Number(place[2])] : [-(2n ** 63n), -1];
  const rows = tree.rows(
    `pstart = ? AND ppid = ? AND (start > ? OR (start = ? AND pid > ?)) ORDER BY start, pid LIMIT ${limit + 1}`,
    row.start,
    row.pid,
    start,
    start,
    child,
  );
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    ancestors: tree.ancestors(row),
    node: tree.node(row),
    children: shown.map((one) => tree.node(one)),
    more: rows.length > limit && last ? `${last.start}.${last.pid}` : undefined,
  };
}
