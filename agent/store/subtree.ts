/**
 * Sums over subtrees of the process table. Nothing is kept per subtree: the index on the parent is walked when
 * somebody asks, breadth first and no further than a bound, so that an answer takes milliseconds however large the
 * tree is. A sum that met the bound says so and is a lower limit.
 */
import type { DatabaseSync } from 'node:sqlite';
import { EVENT_TYPES, SEVERITIES, type Severity } from '../event.ts';
import { filledPartitions } from './catalog.ts';

/** A process and everything that descends from it. */
export interface Subtree {
  processes: number;
  /** Events by type; only types that occur. */
  counts: Record<string, number>;
  severity: Severity;
  detections: number;
  /** False: there is more, the numbers are of the processes nearest to the top. */
  complete: boolean;
}

interface Key {
  start: bigint;
  pid: bigint;
}

interface Sum {
  root: number;
  processes: number;
  sev: number;
  det: number;
  [count: `n${number}`]: number;
}

/** Processes walked for one subtree; about 1 us each. */
const MAX_ONE = 60_000;
/** Processes walked for all subtrees of a page together. */
const MAX_PAGE = 20_000;

/** Sums of each root's subtree, by its place in `roots`. */
function sums(db: DatabaseSync, roots: readonly Key[], limit: number): { found: Sum[]; complete: boolean } {
  const types = filledPartitions(db).reduce((bits, { zone }) => bits | zone.types, 0);
  const counts = EVENT_TYPES.map((_, index) => index)
    .filter((index) => (types & (1 << index)) !== 0)
    .map((index) => `, sum(p.n${index}) AS n${index}`)
    .join('');
  const values = roots.map(({ start, pid }, index) => `(${index}, ${start}, ${pid})`).join(', ');
  // A child never starts before its parent; the second comparison keeps a process that is its own parent out.
  const found = db
    .prepare(
      `WITH RECURSIVE roots(root, start, pid) AS (VALUES ${values}), sub(root, start, pid) AS (
         SELECT root, start, pid FROM roots
         UNION ALL
         SELECT sub.root, c.start, c.pid FROM sub JOIN process c ON c.pstart = sub.start AND c.ppid = sub.pid
           AND (c.start > sub.start OR c.start = sub.start AND c.pid > sub.pid)
         LIMIT ${limit + 1})
       SELECT root, count(*) AS processes, max(p.sev) AS sev, sum(p.det) AS det${counts}
       FROM sub JOIN process p ON p.start = sub.start AND p.pid = sub.pid ${roots.length > 1 ? 'GROUP BY root' : ''}`,
    )
    .all() as unknown as Sum[];
  const walked = found.reduce((total, { processes }) => total + processes, 0);
  return { found, complete: walked <= limit };
}

function subtreeOf(sum: Sum, complete: boolean): Subtree {
  const counts: Record<string, number> = {};
  for (const [index, type] of EVENT_TYPES.entries()) {
    const count = sum[`n${index}`] ?? 0;
    if (count > 0) counts[type] = count;
  }
  return {
    processes: sum.processes,
    counts,
    severity: SEVERITIES[sum.sev] ?? 'info',
    detections: sum.det,
    complete,
  };
}

/** Sum over one subtree. The process must have a record. */
export function sumSubtree(db: DatabaseSync, root: Key): Subtree | undefined {
  const { found, complete } = sums(db, [root], MAX_ONE);
  return found[0] && subtreeOf(found[0], complete);
}

/** Sums over the subtrees of a page of processes, in their order. */
export function sumSubtrees(db: DatabaseSync, roots: readonly Key[]): (Subtree | undefined)[] {
  if (roots.length === 0) return [];
  const { found, complete } = sums(db, roots, MAX_PAGE);
  const out: (Subtree | undefined)[] = roots.map(() => undefined);
  for (const sum of found) out[sum.root] = subtreeOf(sum, complete);
  return out;
}

/**
 * The parent of every process below `root`, by `start.pid`; undefined for its children. `complete` is false when the tree
 * is larger than what is walked.
 */
export function subtreeParents(
  db: DatabaseSync,
  root: Key,
): { parents: Map<string, Key | undefined>; complete: boolean } {
  const select = db.prepare(
    `WITH RECURSIVE sub(start, pid, pstart, ppid) AS (
       VALUES (?, ?, NULL, NULL)
       UNION ALL
       SELECT c.start, c.pid, c.pstart, c.ppid FROM sub JOIN process c ON c.pstart = sub.start AND c.ppid = sub.pid
         AND (c.start > sub.start OR c.start = sub.start AND c.pid > sub.pid)
       LIMIT ${MAX_ONE + 1})
     SELECT * FROM sub WHERE pstart IS NOT NULL`,
  );
  select.setReadBigInts(true);
  const rows = select.all(root.start, root.pid) as unknown as (Key & { pstart: bigint; ppid: bigint })[];
  const parents = new Map<string, Key | undefined>();
  for (const { start, pid, pstart, ppid } of rows) {
    const top = pstart === root.start && ppid === root.pid;
    parents.set(`${start}.${pid}`, top ? undefined : { start: pstart, pid: ppid });
  }
  return { parents, complete: rows.length < MAX_ONE };
}
