/** Finding and changing single events of a partition in the file. */
import type { DatabaseSync } from 'node:sqlite';
import type { Detection, ProcessKey } from '../event.ts';
import { ChunkWriter, PartitionBlocks, StagedEvents, snapshotPlace, type EventBlock } from './blocks.ts';
import { joinHalves, numbersOf } from './column-pack.ts';
import { detectionInsert, saveDetections } from './detections.ts';
import { HOT, SNAP } from './schema.ts';
import { tsOf } from './row.ts';
import { mayHold } from './zones.ts';

export interface StoredRow {
  block: EventBlock;
  row: number;
  tsNs: bigint;
  action: number;
  severity: number;
  flags: number;
  snap: number | undefined;
}

/** Half a megabyte, made when first needed and used again. */
let scratch: StagedEvents | undefined;

/** Row of the event in a chunk, -1 when it is not there. */
function rowOfId(block: EventBlock, eventId: number): number {
  return numbersOf(block.hot[HOT.id]).indexOf(eventId);
}

export class StoredEvents {
  private readonly db: DatabaseSync;
  private readonly n: number;
  private readonly blocks: PartitionBlocks;

  constructor(db: DatabaseSync, n: number) {
    this.db = db;
    this.n = n;
    this.blocks = new PartitionBlocks(db, n);
  }

  find(eventId: number): StoredRow | undefined {
    for (const head of this.blocks.heads()) {
      if (!mayHold(head.zone, eventId)) continue;
      const block = this.blocks.load(head);
      const row = rowOfId(block, eventId);
      if (row < 0) continue;
      return {
        block,
        row,
        tsNs: tsOf(block, row),
        action: block.hot[HOT.action]?.at(row) ?? 0,
        severity: block.hot[HOT.severity]?.at(row) ?? 0,
        flags: block.hot[HOT.flags]?.at(row) ?? 0,
        snap: block.hot[HOT.snap]?.get(row),
      };
    }
    return undefined;
  }

  /** False when the record at `seq` was added before. */
  addDetections(eventId: number, detections: readonly Detection[], seq: number): boolean {
    const { db, n } = this;
    if (db.prepare(`SELECT 1 FROM t${n} WHERE event = ? AND seq = ?`).get(eventId, seq)) return false;
    saveDetections(db.prepare(detectionInsert(n)), eventId, seq, detections);
    return true;
  }

  /** Changes severity and flags of a row and writes its chunk again. */
  mark({ block, row }: StoredRow, severity: number, flags: number): void {
    scratch ??= new StagedEvents();
    const staged = scratch;
    staged.fill(block);
    const severities = staged.hot[HOT.severity];
    const allFlags = staged.hot[HOT.flags];
    if (severities) severities[row] = severity;
    if (allFlags) allFlags[row] = flags;
    staged.zone.severities |= 1 << severity;
    staged.save(new ChunkWriter(this.db, this.n));
  }

  /** The process of a row, if it has one. */
  processOf({ snap }: StoredRow): ProcessKey | undefined {
    if (snap === undefined) return undefined;
    const { k, row } = snapshotPlace(snap);
    const columns = this.blocks.snapshots(k);
    const pid = columns?.[SNAP.pid]?.get(row);
    if (!columns || pid === undefined) return undefined;
    const startNs = joinHalves(columns[SNAP.startHi]?.at(row) ?? 0, columns[SNAP.startLo]?.at(row) ?? 0);
    return { pid, startNs };
  }
}
