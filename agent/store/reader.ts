/** Reading rows of one partition back as events. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Detection, SentinelEvent } from '../event.ts';
import type { Actions, Partition } from './catalog.ts';
import { DictionaryReader } from './dictionary.ts';
import type { LeafTests } from './leaf-tests.ts';
import { decodeRow } from './row.ts';
import { EVENT_ROW, Flag, SNAPSHOT_COLUMNS } from './schema.ts';
import { decodeSnapshot, type Cell, type Snapshot } from './snapshot.ts';

/** What every answer needs of an open timeline. */
export interface Reader {
  db: DatabaseSync;
  actions: Actions;
  tests: LeafTests;
}

/** Reads rows of one partition as events. */
export class PartitionReader {
  readonly n: number;
  private readonly actions: Actions;
  private readonly tests: LeafTests;
  readonly words: DictionaryReader;
  private readonly selectSnap: StatementSync;
  private readonly selectDetections: StatementSync;
  private readonly snaps = new Map<number, Snapshot>();

  constructor({ db, actions, tests }: Reader, n: number) {
    this.n = n;
    this.actions = actions;
    this.tests = tests;
    this.words = new DictionaryReader(db, n);
    this.selectSnap = db.prepare(`SELECT id, ${SNAPSHOT_COLUMNS.join(', ')} FROM s${n} WHERE id = ?`);
    this.selectSnap.setReturnArrays(true);
    this.selectSnap.setReadBigInts(true);
    this.selectDetections = db.prepare(`SELECT json FROM t${n} WHERE event = ? ORDER BY seq, k`);
  }

  snapshot(id: number): Snapshot | undefined {
    const known = this.snaps.get(id);
    if (known) return known;
    const row = this.selectSnap.get(id) as unknown as Cell[] | undefined;
    if (!row) return undefined;
    const made = decodeSnapshot(row, this.words, this.tests.hashes);
    if (this.snaps.size >= 1024) this.snaps.clear();
    this.snaps.set(id, made);
    return made;
  }

  /** The event of a row of EVENT_ROW. */
  event(row: readonly Cell[]): SentinelEvent {
    const snap = row[5] === null ? undefined : this.snapshot(Number(row[5]));
    const detections =
      (Number(row[4]) & Flag.detections) === 0
        ? []
        : (this.selectDetections.all(Number(row[0])) as { json: string }[]).map(
            ({ json }) => JSON.parse(json) as Detection,
          );
    return decodeRow(row, this.actions.get(Number(row[2])), snap, this.words, detections);
  }
}

/** An event by id. */
export function rowOf(
  reader: Reader,
  partitions: readonly Partition[],
  eventId: number,
): { event: SentinelEvent; partition: Partition } | undefined {
  const lane = eventId % 2 === 1 ? 1 : 0;
  for (const partition of partitions.toReversed()) {
    if (eventId < partition.minId[lane] || eventId > partition.maxId[lane]) continue;
    const select = reader.db.prepare(`SELECT ${EVENT_ROW} FROM e${partition.n} e WHERE id = ?`);
    select.setReturnArrays(true);
    select.setReadBigInts(true);
    const row = select.get(eventId) as unknown as Cell[] | undefined;
    if (row)
      return {
        event: new PartitionReader(reader, partition.n).event(row),
        partition,
      };
  }
  return undefined;
}
