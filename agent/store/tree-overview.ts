/**
 * Where to begin among all processes: the tops of trees (a service, a session: what the first process started, or what
 * has no recorded parent) that did most and that began last, and the processes that rules matched. Every look at the
 * process table is bounded, so that an answer takes milliseconds however many processes there were.
 */
import { sumSubtrees } from './subtree.ts';
import { TreeReader, type ProcessNode, type RowKey } from './tree.ts';
import type { Reader } from './view.ts';

export interface TreeOverview {
  /** Tops whose trees have most events. */
  busiest: ProcessNode[];
  /** Tops that started last. */
  latest: ProcessNode[];
  /** Processes that rules matched, the worst first. */
  matched: ProcessNode[];
  /** False: there are more processes than were looked at. */
  complete: boolean;
}

const SHOWN = 8;
/** Processes looked at from either end of the record. */
const LOOKED_AT = 40_000;
/** Tops whose trees are summed, of the newest and of the oldest. */
const NEWEST_TOPS = 300;
const OLDEST_TOPS = 100;

const FIRST_PROCESS = 1;
/** What the kernel runs itself descends from it. */
const KERNEL_THREADS = 2;

function topsFrom(reader: Reader, order: 'ASC' | 'DESC', most: number): RowKey[] {
  const select = reader.db.prepare(
    `SELECT start, pid FROM (SELECT * FROM process ORDER BY start ${order}, pid LIMIT ${LOOKED_AT}) p
     WHERE pid NOT IN (${FIRST_PROCESS}, ${KERNEL_THREADS}) AND ifnull(ppid, 0) <> ${KERNEL_THREADS}
       AND (ppid = ${FIRST_PROCESS} OR pstart IS NULL
         OR NOT EXISTS (SELECT 1 FROM process q WHERE q.start = p.pstart AND q.pid = p.ppid))
     ORDER BY start ${order} LIMIT ${most}`,
  );
  select.setReadBigInts(true);
  return select.all() as unknown as RowKey[];
}

function matchedRows(reader: Reader): RowKey[] {
  const select = reader.db.prepare(
    `SELECT start, pid FROM (SELECT * FROM process ORDER BY start DESC, pid LIMIT ${LOOKED_AT})
     WHERE det > 0 ORDER BY sev DESC, last_ts DESC LIMIT ${SHOWN}`,
  );
  select.setReadBigInts(true);
  return select.all() as unknown as RowKey[];
}

const activity = (node: ProcessNode): number =>
  Object.values(node.subtree?.counts ?? node.counts).reduce((sum, n) => sum + n, 0);

/** Finds where to begin. */
export function treeOverview(reader: Reader): TreeOverview {
  const tree = new TreeReader(reader);
  const keys = new Map<string, RowKey>();
  for (const key of [...topsFrom(reader, 'DESC', NEWEST_TOPS), ...topsFrom(reader, 'ASC', OLDEST_TOPS)])
    keys.set(`${key.start}.${key.pid}`, key);
  const tops = [...keys.values()];
  const sums = sumSubtrees(reader.db, tops);
  const nodeOf = (key: RowKey, at = -1): ProcessNode[] => {
    const [row] = tree.rows('start = ? AND pid = ?', key.start, key.pid);
    if (!row) return [];
    const node = tree.node(row);
    node.subtree = sums[at];
    return [node];
  };
  const weights = tops.map((_, at) => ({
    at,
    weight: Object.values(sums[at]?.counts ?? {}).reduce((sum, n) => sum + n, 0),
  }));
  const busiest = weights
    .toSorted((a, b) => b.weight - a.weight)
    .slice(0, SHOWN)
    .flatMap(({ at }) => (tops[at] ? nodeOf(tops[at], at) : []));
  const latest = tops.slice(0, SHOWN).flatMap((key, at) => nodeOf(key, at));
  const { c } = reader.db.prepare('SELECT count(*) AS c FROM process').get() as { c: number };
  return {
    busiest: busiest.filter((node) => activity(node) > 0),
    latest,
    matched: matchedRows(reader).flatMap((key) => nodeOf(key)),
    complete: c <= LOOKED_AT,
  };
}
