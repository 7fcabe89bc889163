/** The catalogue of partitions and of actions, held in memory by the writer and read afresh by readers. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { EVENT_TYPES, type EventType } from '../event.ts';
import { RARE_ACTIONS } from './schema.ts';

export interface Partition {
  n: number;
  minTs: bigint;
  maxTs: bigint;
  rows: number;
  /** Smallest and largest event id of each lane (security, observability); min > max when it has none. */
  minId: [number, number];
  maxId: [number, number];
}

export function emptyPartition(n: number): Partition {
  return { n, minTs: 0n, maxTs: 0n, rows: 0, minId: [1, 1], maxId: [0, 0] };
}

/** Widens the partition's bounds to a row that was added. */
export function grow(partition: Partition, tsNs: bigint, eventId: number): void {
  const lane = eventId % 2 === 1 ? 1 : 0;
  if (partition.rows === 0 || tsNs < partition.minTs) partition.minTs = tsNs;
  if (partition.rows === 0 || tsNs > partition.maxTs) partition.maxTs = tsNs;
  const none = partition.minId[lane] > partition.maxId[lane];
  if (none || eventId < partition.minId[lane]) partition.minId[lane] = eventId;
  if (none || eventId > partition.maxId[lane]) partition.maxId[lane] = eventId;
  partition.rows += 1;
}

/** Whether the event can be in the partition. */
export function mayHold(partition: Partition, eventId: number): boolean {
  const lane = eventId % 2 === 1 ? 1 : 0;
  return eventId >= partition.minId[lane] && eventId <= partition.maxId[lane];
}

export function savePartition(statement: StatementSync, partition: Partition): void {
  const { n, minTs, maxTs, rows, minId, maxId } = partition;
  statement.run(n, minTs, maxTs, rows, minId[0], maxId[0], minId[1], maxId[1]);
}
export const SAVE_PARTITION =
  'INSERT OR REPLACE INTO part(n, min_ts, max_ts, rows, min0, max0, min1, max1) VALUES (?, ?, ?, ?, ?, ?, ?, ?)';

export interface Action {
  id: number;
  /** Index into EVENT_TYPES. */
  type: number;
  action: string;
}

/** Actions so common that an index on them costs more than it saves. */
const COMMON: ReadonlySet<string> = new Set(['exec', 'fork', 'exit', 'snapshot']);

function isCommon(type: EventType, action: string): boolean {
  return type === 'file' || type === 'network' || (type === 'process' && COMMON.has(action));
}

interface PartitionRow {
  n: bigint;
  min_ts: bigint;
  max_ts: bigint;
  rows: bigint;
  min0: bigint;
  max0: bigint;
  min1: bigint;
  max1: bigint;
}

/** All partitions, oldest first by number. */
export function readPartitions(db: DatabaseSync): Partition[] {
  const select = db.prepare('SELECT n, min_ts, max_ts, rows, min0, max0, min1, max1 FROM part ORDER BY n');
  select.setReadBigInts(true);
  return (select.all() as unknown as PartitionRow[]).map((row) => ({
    n: Number(row.n),
    minTs: row.min_ts,
    maxTs: row.max_ts,
    rows: Number(row.rows),
    minId: [Number(row.min0), Number(row.min1)],
    maxId: [Number(row.max0), Number(row.max1)],
  }));
}

export class Actions {
  private readonly db: DatabaseSync;
  private readonly byName = new Map<string, number>();
  private byId = new Map<number, Action>();
  private nextCommon = 0;
  private nextRare = RARE_ACTIONS;

  constructor(db: DatabaseSync) {
    this.db = db;
    this.reload();
  }

  reload(): void {
    this.byName.clear();
    this.byId.clear();
    this.nextCommon = 0;
    this.nextRare = RARE_ACTIONS;
    const rows = this.db.prepare('SELECT id, type, action FROM act').all() as unknown as Action[];
    for (const row of rows) this.remember({ id: row.id, type: row.type, action: row.action });
  }

  private remember(action: Action): void {
    this.byName.set(`${EVENT_TYPES[action.type]}:${action.action}`, action.id);
    this.byId.set(action.id, action);
    if (action.id >= RARE_ACTIONS) this.nextRare = Math.max(this.nextRare, action.id + 1);
    else this.nextCommon = Math.max(this.nextCommon, action.id + 1);
  }

  /** Number of a type and action, given out at first sight. */
  idOf(type: EventType, action: string): number {
    const known = this.byName.get(`${type}:${action}`);
    if (known !== undefined) return known;
    const common = isCommon(type, action) && this.nextCommon < RARE_ACTIONS;
    const made = { id: common ? this.nextCommon : this.nextRare, type: EVENT_TYPES.indexOf(type), action };
    this.db
      .prepare('INSERT INTO act(id, type, action) VALUES (?, ?, ?)')
      .run(made.id, made.type, made.action);
    this.remember(made);
    return made.id;
  }

  /** A reader may meet a number that the writer gave out since it looked. */
  get(id: number): Action {
    let found = this.byId.get(id);
    if (!found) {
      this.reload();
      found = this.byId.get(id);
    }
    return found ?? { id, type: EVENT_TYPES.indexOf('log'), action: '' };
  }

  all(): Action[] {
    return [...this.byId.values()];
  }
}

/** Numbers of rows by action in one partition. */
export function actionCounts(db: DatabaseSync, n: number): Map<number, number> {
  const rows = db.prepare('SELECT ta, rows FROM part_act WHERE n = ?').all(n) as {
    ta: number;
    rows: number;
  }[];
  return new Map(rows.map((row) => [row.ta, row.rows]));
}
