/** The partition that is being filled: its staged chunks, dictionary, rollups and the statements that write them. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Detection, SentinelEvent } from '../event.ts';
import { ChunkWriter, PartitionBlocks, StagedEvents, StagedSnapshots } from './blocks.ts';
import type { Partition } from './catalog.ts';
import { detectionInsert, saveDetections } from './detections.ts';
import { DictionaryWriter } from './dictionary.ts';
import { RollupWriter, classOf } from './rollups.ts';
import { encodeRow } from './row.ts';
import { SNAPSHOT_ROWS } from './schema.ts';
import { encodeSnapshot } from './snapshot.ts';
import { grow } from './zones.ts';

export class OpenPartition {
  readonly partition: Partition;
  private readonly words: DictionaryWriter;
  private readonly rollups: RollupWriter;
  private readonly events = new StagedEvents();
  private readonly snapshots = new StagedSnapshots();
  private readonly chunks: ChunkWriter;
  private readonly saveSnapshots: StatementSync;
  private readonly saveRest: StatementSync;
  private readonly saveMore: StatementSync;
  private readonly saveDetection: StatementSync;
  private eventsChanged = false;
  private snapshotsChanged = false;

  constructor(db: DatabaseSync, partition: Partition) {
    const { n } = partition;
    this.partition = partition;
    this.words = new DictionaryWriter(db, n);
    this.rollups = new RollupWriter(db, n);
    this.chunks = new ChunkWriter(db, n);
    this.saveSnapshots = db.prepare(`INSERT OR REPLACE INTO p${n}(k, block) VALUES (?, ?)`);
    this.saveRest = db.prepare(`INSERT OR REPLACE INTO x${n}(id, json) VALUES (?, ?)`);
    this.saveMore = db.prepare(`INSERT OR REPLACE INTO y${n}(id, json) VALUES (?, ?)`);
    this.saveDetection = db.prepare(detectionInsert(n));
    this.load(new PartitionBlocks(db, n), db);
  }

  /** Goes on where the file ends. */
  private load(blocks: PartitionBlocks, db: DatabaseSync): void {
    const { n } = this.partition;
    this.loadEvents(blocks);
    const { k } = db.prepare(`SELECT max(k) AS k FROM p${n}`).get() as { k: number | null };
    const columns = k === null ? undefined : blocks.snapshots(k);
    if (k === null || !columns) return;
    this.snapshots.k = k;
    this.snapshots.rows = columns[0]?.rows ?? 0;
    for (const [index, column] of columns.entries()) {
      this.snapshots.columns[index]?.set(column.numbers);
    }
  }

  private loadEvents(blocks: PartitionBlocks): void {
    const last = blocks.lastHead();
    if (last) this.events.fill(blocks.load(last));
    else this.events.clear(0);
    if (this.events.full) this.events.clear(this.events.k + 1);
  }

  /** The partition's chunks were changed in the file; everything staged had been flushed before. */
  reload(db: DatabaseSync): void {
    this.loadEvents(new PartitionBlocks(db, this.partition.n));
  }

  /** Stores the process context of an event and returns the snapshot's id. */
  addSnapshot(event: SentinelEvent): number {
    const { snapshots } = this;
    if (snapshots.rows >= SNAPSHOT_ROWS) {
      snapshots.save(this.saveSnapshots);
      snapshots.k += 1;
      snapshots.rows = 0;
    }
    const id = snapshots.k * SNAPSHOT_ROWS + snapshots.rows + 1;
    const more = encodeSnapshot(event, this.words, snapshots);
    if (more !== undefined) this.saveMore.run(id, more);
    this.snapshotsChanged = true;
    return id;
  }

  /** Adds one event; `snap` is NaN for one without a process. */
  add(
    event: SentinelEvent,
    type: number,
    action: number,
    severity: number,
    flags: number,
    snap: number,
  ): void {
    const { events } = this;
    if (events.full) {
      events.save(this.chunks);
      events.clear(events.k + 1);
    }
    const rest = encodeRow(event, action, severity, flags, snap, this.words, events);
    if (rest !== undefined) this.saveRest.run(event.eventId, rest);
    grow(events.zone, event.tsNs, event.eventId, type, severity);
    this.rollups.add(event.tsNs, classOf(type, severity, event.lane === 'observability'), 1);
    this.eventsChanged = true;
  }

  addDetections(eventId: number, seq: number, detections: readonly Detection[]): void {
    saveDetections(this.saveDetection, eventId, seq, detections);
  }

  /** Writes what is staged; called at the end of each transaction and before anything reads the file. */
  flush(): void {
    if (this.eventsChanged) this.events.save(this.chunks);
    if (this.snapshotsChanged) this.snapshots.save(this.saveSnapshots);
    this.eventsChanged = false;
    this.snapshotsChanged = false;
    this.rollups.flush();
  }
}
