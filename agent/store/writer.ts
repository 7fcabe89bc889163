/**
 * The writing side: events with their cursors in one transaction, detections and hashes that come later. One writer
 * at a time; everything it holds in memory is bounded and can be rebuilt from the database.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { EVENT_TYPES, SEVERITIES, type Detection, type ProcessInfo, type SentinelEvent } from '../event.ts';
import { readPartitions, type Actions, type Partition } from './catalog.ts';
import { GenerationCache } from './dictionary.ts';
import { packJson } from './json.ts';
import { OpenPartition } from './open-partition.ts';
import { KnownProcess, ProcessWriter } from './processes.ts';
import { RollupWriter, classOf } from './rollups.ts';
import { Flag, partitionSchema } from './schema.ts';
import { StoredEvents } from './stored-events.ts';
import { StoredIds } from './stored-ids.ts';
import { emptyZone, grow, mayHold, saveZone, zoneInsert } from './zones.ts';

export interface Cursors {
  security?: number;
  observability?: number;
}

/** Processes whose last snapshot is remembered; twice this many entries at most. */
const KNOWN_PROCESSES = 2048;
/** A partition with fewer rows than this is not closed for its age: stray times must not make one for each event. */
const MIN_ROWS_TO_AGE = 4096;

interface Late {
  seq: number;
  detections: Detection[];
}

function highest(severity: number, detections: readonly Detection[]): number {
  let rank = severity;
  for (const detection of detections) rank = Math.max(rank, SEVERITIES.indexOf(detection.level));
  return rank;
}

export class TimelineWriter {
  private readonly db: DatabaseSync;
  private readonly partitionRows: number;
  private readonly maxPartitionNs: bigint;
  private readonly actions: Actions;
  private readonly processes: ProcessWriter;
  private readonly known = new GenerationCache<number, KnownProcess>(KNOWN_PROCESSES);
  private readonly pending = new Set<number>();
  private partitions: Partition[];
  private open: OpenPartition | undefined;
  private readonly saveCursor: StatementSync;
  private readonly saveBounds: StatementSync;
  private readonly saveGap: StatementSync;
  private readonly saveDecision: StatementSync;

  constructor(db: DatabaseSync, actions: Actions, partitionRows: number, maxPartitionNs: bigint) {
    this.db = db;
    this.partitionRows = partitionRows;
    this.maxPartitionNs = maxPartitionNs;
    this.actions = actions;
    this.processes = new ProcessWriter(db);
    this.partitions = readPartitions(db);
    this.saveCursor = db.prepare('INSERT OR REPLACE INTO meta(key, value) VALUES (?, ?)');
    this.saveBounds = db.prepare(zoneInsert('part', 'n'));
    this.saveGap = db.prepare(
      'INSERT OR IGNORE INTO gap(id, from_ns, to_ns, count, info) VALUES (?, ?, ?, ?, ?)',
    );
    this.saveDecision = db.prepare('INSERT OR IGNORE INTO decision(id, of, policy, ts) VALUES (?, ?, ?, ?)');
    this.loadPending();
  }

  /** Everything `work` stores is stored together or not at all; may be nested. */
  transaction(work: () => void): void {
    if (this.db.isTransaction) {
      work();
      return;
    }
    this.db.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.db.exec('COMMIT');
    } catch (error) {
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      this.reset();
      throw error;
    }
  }

  /** After a rollback, or when retention removed events: what memory says is no longer what the file says. */
  reset(): void {
    this.known.clear();
    this.processes.discard();
    this.open = undefined;
    this.partitions = readPartitions(this.db);
    this.actions.reload();
    this.loadPending();
  }

  /** Retention changed the catalogue: events left the partition being filled, or partitions went. */
  refresh(): void {
    this.partitions = readPartitions(this.db);
    const { open } = this;
    if (!open) return;
    const same = this.partitions.find(({ n }) => n === open.partition.n);
    if (!same) {
      this.reset();
      return;
    }
    Object.assign(open.partition.zone, same.zone);
    same.zone = open.partition.zone;
    this.partitions[this.partitions.indexOf(same)] = open.partition;
    open.reload(this.db);
  }

  private loadPending(): void {
    this.pending.clear();
    const rows = this.db.prepare('SELECT DISTINCT event FROM pending').all() as { event: number }[];
    for (const { event } of rows) this.pending.add(event);
  }

  /** Closes the partition being filled; the next event begins a new one. */
  seal(): void {
    this.transaction(() => this.begin());
  }

  private begin(): OpenPartition {
    const n = (this.partitions.at(-1)?.n ?? 0) + 1;
    this.db.exec(partitionSchema(n));
    const partition: Partition = { n, zone: emptyZone() };
    this.partitions.push(partition);
    saveZone(this.saveBounds, n, partition.zone);
    this.known.clear();
    this.open = new OpenPartition(this.db, partition);
    return this.open;
  }

  /** The partition for the next row; a full or old one is left behind. */
  private current(tsNs: bigint): OpenPartition {
    let { open } = this;
    if (!open) {
      const last = this.partitions.at(-1);
      open = last ? new OpenPartition(this.db, last) : this.begin();
      this.open = open;
    }
    const { rows, minTs } = open.partition.zone;
    const old = rows >= MIN_ROWS_TO_AGE && tsNs - minTs > this.maxPartitionNs;
    if (rows >= this.partitionRows || old) {
      this.finish(open);
      open = this.begin();
    }
    return open;
  }

  /** Writes what was collected for the partition during this transaction. */
  private finish(open: OpenPartition): void {
    open.flush();
    saveZone(this.saveBounds, open.partition.n, open.partition.zone);
    this.processes.flush(open.partition.n);
  }

  /** The partition that holds the event, if any does, with its stored events. */
  private find(eventId: number): { partition: Partition; stored: StoredEvents } | undefined {
    this.open?.flush();
    for (const partition of this.partitions.toReversed()) {
      if (!mayHold(partition.zone, eventId)) continue;
      const stored = new StoredEvents(this.db, partition.n);
      if (stored.find(eventId)) return { partition, stored };
    }
    return undefined;
  }

  private storedIds(): StoredIds {
    this.open?.flush();
    return new StoredIds(this.db, this.partitions);
  }

  /** Events that were stored before are ignored; cursors move in the same transaction. */
  insert(events: readonly SentinelEvent[], cursors: Cursors): void {
    this.transaction(() => {
      const newest = [0, 1].map((lane) =>
        this.partitions.reduce((max, { zone }) => Math.max(max, zone.maxId[lane] ?? 0), 0),
      );
      let stored: StoredIds | undefined;
      for (const event of events) {
        const lane = event.eventId % 2;
        // Ids grow within a lane: only one that does not can be here already.
        if (event.eventId > (newest[lane] ?? 0)) newest[lane] = event.eventId;
        else {
          stored ??= this.storedIds();
          if (stored.has(event.eventId)) continue;
        }
        // Now there is one more.
        stored = undefined;
        this.insertOne(event);
      }
      if (this.open) this.finish(this.open);
      if (cursors.security !== undefined) this.saveCursor.run('cursor.security', cursors.security);
      if (cursors.observability !== undefined)
        this.saveCursor.run('cursor.observability', cursors.observability);
    });
  }

  private insertOne(event: SentinelEvent): void {
    const open = this.current(event.tsNs);
    const { process } = event;
    const known = process && this.snapshotFor(event, process, open);
    const bare = !process && (event.parent !== undefined || event.ancestry !== undefined);
    const snap = known?.snap ?? (bare ? open.addSnapshot(event) : Number.NaN);
    const late = this.pending.has(event.eventId) ? this.takePending(event.eventId) : undefined;
    let severity = SEVERITIES.indexOf(event.severity);
    for (const { detections } of late ?? []) severity = highest(severity, detections);
    const type = EVENT_TYPES.indexOf(event.type);
    const action = this.actions.idOf(event.type, event.action);
    open.add(event, type, action, severity, late ? Flag.detections : 0, snap);
    let found = event.detections?.length ?? 0;
    if (event.detections) open.addDetections(event.eventId, 0, event.detections);
    for (const { seq, detections } of late ?? []) {
      open.addDetections(event.eventId, seq, detections);
      found += detections.length;
    }
    grow(open.partition.zone, event.tsNs, event.eventId, type, severity);
    if (known) this.processes.touch(known, event, type, severity, found);
    if (event.gap) {
      const { fromNs, toNs, count } = event.gap;
      this.saveGap.run(event.eventId, fromNs, toNs, count ?? null, packJson(event.gap));
    }
    if (event.decision) {
      const { eventId, policyId } = event.decision;
      this.saveDecision.run(event.eventId, eventId, policyId, event.tsNs);
    }
  }

  private snapshotFor(event: SentinelEvent, process: ProcessInfo, open: OpenPartition): KnownProcess {
    const last = this.known.get(process.pid);
    if (last && last.shows(event, process)) return last;
    const made = new KnownProcess(event, process, open.addSnapshot(event));
    this.known.set(process.pid, made);
    return made;
  }

  private takePending(eventId: number): Late[] {
    const rows = this.db
      .prepare('SELECT seq, json FROM pending WHERE event = ? ORDER BY seq')
      .all(eventId) as {
      seq: number;
      json: string;
    }[];
    this.db.prepare('DELETE FROM pending WHERE event = ?').run(eventId);
    this.pending.delete(eventId);
    return rows.map((row) => ({ seq: row.seq, detections: JSON.parse(row.json) as Detection[] }));
  }

  /**
   * Adds what a record at `seq` found about an event: the same record twice adds nothing. The event's severity rises
   * to the highest level and its rollup moves along. Detections of an event that is not stored yet wait for it.
   */
  addDetections(eventId: number, detections: readonly Detection[], seq: number): void {
    if (detections.length === 0) return;
    this.transaction(() => {
      const found = this.find(eventId);
      if (found) {
        this.addLate(found.partition, found.stored, eventId, detections, seq);
        return;
      }
      this.db
        .prepare('INSERT OR IGNORE INTO pending(event, seq, json) VALUES (?, ?, ?)')
        .run(eventId, seq, JSON.stringify(detections));
      this.pending.add(eventId);
    });
  }

  private addLate(
    partition: Partition,
    stored: StoredEvents,
    eventId: number,
    detections: readonly Detection[],
    seq: number,
  ): void {
    const { db } = this;
    const { n, zone } = partition;
    if (!stored.addDetections(eventId, detections, seq)) return;
    const row = stored.find(eventId);
    if (!row) return;
    const after = highest(row.severity, detections);
    stored.mark(row, after, row.flags | Flag.detections);
    if (this.open?.partition.n === n) this.open.reload(db);
    this.processes.raise(stored.processOf(row), after, detections.length);
    if (after === row.severity) return;
    zone.severities |= 1 << after;
    saveZone(this.saveBounds, n, zone);
    const { type } = this.actions.get(row.action);
    const observability = (row.flags & Flag.observability) !== 0;
    const rollups = new RollupWriter(db, n);
    rollups.add(row.tsNs, classOf(type, row.severity, observability), -1);
    rollups.add(row.tsNs, classOf(type, after, observability), 1);
    rollups.flush();
  }

  /** Hashes of a file identity, joined to processes when they are read. Known identities are kept as they are. */
  addHash(ident: string, path: string, sha256: string, blake3: string): void {
    this.db
      .prepare('INSERT OR IGNORE INTO hash(ident, path, sha256, blake3) VALUES (?, ?, ?, ?)')
      .run(ident, path, sha256, blake3);
  }
}
