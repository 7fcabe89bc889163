/**
 * The writing side: events with their cursors in one transaction, detections and hashes that come later. One writer
 * at a time; everything it holds in memory is bounded and can be rebuilt from the database.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { EVENT_TYPES, SEVERITIES, type Detection, type ProcessInfo, type SentinelEvent } from '../event.ts';
import {
  type Actions,
  SAVE_PARTITION,
  actionCounts,
  emptyPartition,
  grow,
  mayHold,
  readPartitions,
  savePartition,
  type Partition,
} from './catalog.ts';
import { DictionaryWriter, GenerationCache } from './dictionary.ts';
import { packJson } from './json.ts';
import { KnownProcess, ProcessWriter } from './processes.ts';
import { RollupWriter, classOf } from './rollups.ts';
import { encodeRow } from './row.ts';
import { EVENT_COLUMNS, Flag, SNAPSHOT_COLUMNS, partitionSchema } from './schema.ts';
import { encodeSnapshot, insertSnapshot, type Cell } from './snapshot.ts';

export interface Cursors {
  security?: number;
  observability?: number;
}

/** Processes whose last snapshot is remembered; twice this many entries at most. */
const KNOWN_PROCESSES = 2048;

/** A partition with fewer rows than this is not closed for its age: stray times must not make one for each event. */
const MIN_ROWS_TO_AGE = 4096;

/** Statements and state of the partition that is being filled. */
interface Open {
  partition: Partition;
  words: DictionaryWriter;
  rollups: RollupWriter;
  insertRow: StatementSync;
  insertSnap: StatementSync;
  insertDetection: StatementSync;
  nextSnap: number;
  counts: Map<number, number>;
}

const marks = (count: number): string => Array.from({ length: count }, () => '?').join(', ');

function insertDetections(
  statement: StatementSync,
  eventId: number,
  seq: number,
  detections: readonly Detection[],
): void {
  for (const [index, detection] of detections.entries()) {
    const { ruleId, title, attack, source } = detection;
    const techniques = JSON.stringify(attack ?? []);
    statement.run(eventId, seq, index, ruleId, title, techniques, source ?? '', packJson(detection));
  }
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
  private open: Open | undefined;
  private readonly row: Cell[] = Array.from({ length: EVENT_COLUMNS.length }, () => null);
  private readonly cells: Cell[] = Array.from({ length: SNAPSHOT_COLUMNS.length }, () => null);
  private readonly saveCursor: StatementSync;
  private readonly saveBounds: StatementSync;
  private readonly saveCount: StatementSync;
  private readonly saveGap: StatementSync;

  constructor(db: DatabaseSync, actions: Actions, partitionRows: number, maxPartitionNs: bigint) {
    this.db = db;
    this.partitionRows = partitionRows;
    this.maxPartitionNs = maxPartitionNs;
    this.actions = actions;
    this.processes = new ProcessWriter(db);
    this.partitions = readPartitions(db);
    this.saveCursor = db.prepare('INSERT OR REPLACE INTO meta(key, value) VALUES (?, ?)');
    this.saveBounds = db.prepare(SAVE_PARTITION);
    this.saveCount = db.prepare('INSERT OR REPLACE INTO part_act(n, ta, rows) VALUES (?, ?, ?)');
    this.saveGap = db.prepare(
      'INSERT OR IGNORE INTO gap(id, from_ns, to_ns, count, info) VALUES (?, ?, ?, ?, ?)',
    );
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

  /** After a rollback, or when retention removed partitions: what memory says is no longer what the file says. */
  reset(): void {
    this.known.clear();
    this.processes.discard();
    this.open = undefined;
    this.partitions = readPartitions(this.db);
    this.actions.reload();
    this.loadPending();
  }

  /** Retention changed the catalogue: rows left the partition being filled, or partitions went. */
  refresh(): void {
    this.partitions = readPartitions(this.db);
    const { open } = this;
    if (!open) return;
    const same = this.partitions.find(({ n }) => n === open.partition.n);
    if (!same) {
      this.reset();
      return;
    }
    open.partition = same;
    open.counts = actionCounts(this.db, same.n);
  }

  private loadPending(): void {
    this.pending.clear();
    const rows = this.db.prepare('SELECT DISTINCT event FROM pending').all() as { event: number }[];
    for (const { event } of rows) this.pending.add(event);
  }

  /** Closes the partition being filled; the next event begins a new one. */
  seal(): void {
    if (this.open || this.partitions.length > 0) this.transaction(() => this.begin());
  }

  private begin(): Open {
    const n = (this.partitions.at(-1)?.n ?? 0) + 1;
    this.db.exec(partitionSchema(n));
    const partition = emptyPartition(n);
    this.partitions.push(partition);
    savePartition(this.saveBounds, partition);
    this.known.clear();
    this.open = this.attach(partition);
    return this.open;
  }

  private attach(partition: Partition): Open {
    const { db } = this;
    const { n } = partition;
    const last = db.prepare(`SELECT max(id) AS id FROM s${n}`).get() as { id: number | null };
    return {
      partition,
      words: new DictionaryWriter(db, n),
      rollups: new RollupWriter(db, n),
      insertRow: db.prepare(
        `INSERT OR IGNORE INTO e${n}(${EVENT_COLUMNS.join(', ')}) VALUES (${marks(EVENT_COLUMNS.length)})`,
      ),
      insertSnap: db.prepare(
        `INSERT INTO s${n}(id, ${SNAPSHOT_COLUMNS.join(', ')}) VALUES (${marks(SNAPSHOT_COLUMNS.length + 1)})`,
      ),
      insertDetection: db.prepare(
        `INSERT OR IGNORE INTO t${n}(event, seq, k, rule, title, attack, source, json) VALUES (${marks(8)})`,
      ),
      nextSnap: (last.id ?? 0) + 1,
      counts: actionCounts(db, n),
    };
  }

  /** The partition for the next row; a full or old one is left behind. */
  private current(tsNs: bigint): Open {
    let open = this.open;
    if (!open) {
      const last = this.partitions.at(-1);
      open = last ? this.attach(last) : this.begin();
      this.open = open;
    }
    const { rows, minTs } = open.partition;
    const old = rows >= MIN_ROWS_TO_AGE && tsNs - minTs > this.maxPartitionNs;
    if (rows >= this.partitionRows || old) {
      this.finish(open);
      open = this.begin();
    }
    return open;
  }

  /** Writes what was collected for the partition during this transaction. */
  private finish(open: Open): void {
    const { n } = open.partition;
    savePartition(this.saveBounds, open.partition);
    for (const [action, count] of open.counts) this.saveCount.run(n, action, count);
    open.rollups.flush();
    this.processes.flush(n);
  }

  /** The partition that holds the event, if any does. */
  private partitionOf(eventId: number): Partition | undefined {
    for (let index = this.partitions.length - 1; index >= 0; index -= 1) {
      const partition = this.partitions[index];
      if (!partition || !mayHold(partition, eventId)) continue;
      if (this.db.prepare(`SELECT 1 FROM e${partition.n} WHERE id = ?`).get(eventId)) return partition;
    }
    return undefined;
  }

  /** Events that were stored before are ignored; cursors move in the same transaction. */
  insert(events: readonly SentinelEvent[], cursors: Cursors): void {
    this.transaction(() => {
      const limits = [0, 1].map((lane) =>
        this.partitions.slice(0, -1).reduce((max, { maxId }) => Math.max(max, maxId[lane] ?? 0), 0),
      );
      for (const event of events) {
        const old = event.eventId <= (limits[event.eventId % 2] ?? 0);
        if (!old || !this.partitionOf(event.eventId)) this.insertOne(event);
      }
      if (this.open) this.finish(this.open);
      if (cursors.security !== undefined) this.saveCursor.run('cursor.security', cursors.security);
      if (cursors.observability !== undefined)
        this.saveCursor.run('cursor.observability', cursors.observability);
    });
  }

  private insertOne(event: SentinelEvent): void {
    const open = this.current(event.tsNs);
    const { partition } = open;
    const action = this.actions.idOf(event.type, event.action);
    const { process } = event;
    const known = process && this.snapshotFor(event, process, open);
    const bare = !process && (event.parent !== undefined || event.ancestry !== undefined);
    const snap = known?.snap ?? (bare ? this.addSnapshot(event, open) : null);
    encodeRow(event, action, snap, open.words, this.row);
    let severity = Number(this.row[3]);
    const late = this.pending.has(event.eventId) ? this.takePending(event.eventId) : undefined;
    if (late) {
      for (const { detections } of late) severity = highest(severity, detections);
      this.row[3] = severity;
      this.row[4] = Number(this.row[4]) | Flag.detections;
    }
    if (open.insertRow.run(...(this.row as (string | number | bigint | null)[])).changes === 0) return;
    if (event.detections) insertDetections(open.insertDetection, event.eventId, 0, event.detections);
    for (const { seq, detections } of late ?? []) {
      insertDetections(open.insertDetection, event.eventId, seq, detections);
    }
    const type = EVENT_TYPES.indexOf(event.type);
    open.rollups.add(event.tsNs, classOf(type, severity, event.lane === 'observability'), 1);
    open.counts.set(action, (open.counts.get(action) ?? 0) + 1);
    grow(partition, event.tsNs, event.eventId);
    if (known) this.processes.touch(known, event, type, severity);
    if (event.gap) {
      const { fromNs, toNs, count } = event.gap;
      this.saveGap.run(event.eventId, fromNs, toNs, count ?? null, packJson(event.gap));
    }
  }

  private snapshotFor(event: SentinelEvent, process: ProcessInfo, open: Open): KnownProcess {
    const last = this.known.get(process.pid);
    if (last && last.shows(event, process)) return last;
    const made = new KnownProcess(event, process, this.addSnapshot(event, open));
    this.known.set(process.pid, made);
    return made;
  }

  private addSnapshot(event: SentinelEvent, open: Open): number {
    encodeSnapshot(event, open.words, this.cells);
    const id = open.nextSnap;
    open.nextSnap = id + 1;
    insertSnapshot(open.insertSnap, id, this.cells);
    return id;
  }

  private takePending(eventId: number): { seq: number; detections: Detection[] }[] {
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
      const partition = this.partitionOf(eventId);
      if (!partition) {
        this.db
          .prepare('INSERT OR IGNORE INTO pending(event, seq, json) VALUES (?, ?, ?)')
          .run(eventId, seq, JSON.stringify(detections));
        this.pending.add(eventId);
        return;
      }
      this.addTo(partition.n, eventId, detections, seq);
    });
  }

  private addTo(n: number, eventId: number, detections: readonly Detection[], seq: number): void {
    const { db } = this;
    if (db.prepare(`SELECT 1 FROM t${n} WHERE event = ? AND seq = ?`).get(eventId, seq)) return;
    const insert = db.prepare(
      `INSERT OR IGNORE INTO t${n}(event, seq, k, rule, title, attack, source, json) VALUES (${marks(8)})`,
    );
    insertDetections(insert, eventId, seq, detections);
    const select = db.prepare(`SELECT ts, ta, sev, fl, snap FROM e${n} WHERE id = ?`);
    select.setReadBigInts(true);
    const row = select.get(eventId) as unknown as {
      ts: bigint;
      ta: bigint;
      sev: bigint;
      fl: bigint;
      snap: bigint;
    };
    const before = Number(row.sev);
    const after = highest(before, detections);
    db.prepare(`UPDATE e${n} SET sev = ?, fl = fl | ${Flag.detections} WHERE id = ?`).run(after, eventId);
    if (after === before) return;
    const { type } = this.actions.get(Number(row.ta));
    const observability = (Number(row.fl) & Flag.observability) !== 0;
    const rollups = new RollupWriter(db, n);
    rollups.add(row.ts, classOf(type, before, observability), -1);
    rollups.add(row.ts, classOf(type, after, observability), 1);
    rollups.flush();
    if (row.snap === null) return;
    db.prepare(
      `UPDATE process SET sev = max(sev, ?) WHERE (start, pid) = (SELECT start, pid FROM s${n} WHERE id = ?)`,
    ).run(after, row.snap);
  }

  /** Hashes of a file identity, joined to processes when they are read. Known identities are kept as they are. */
  addHash(ident: string, path: string, sha256: string, blake3: string): void {
    this.db
      .prepare('INSERT OR IGNORE INTO hash(ident, path, sha256, blake3) VALUES (?, ?, ?, ?)')
      .run(ident, path, sha256, blake3);
  }
}
