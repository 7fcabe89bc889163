/**
 * Retention in short slices: each call of `step` does at most some tens of milliseconds of work and says whether
 * there is more. Whole partitions go at once, oldest first; where a partition reaches far beyond the age allowed its
 * old rows are deleted. What a living process needs for the tree is copied out before its partition goes.
 */
import type { DatabaseSync } from 'node:sqlite';
import { filledPartitions, readPartitions, type Partition } from './catalog.ts';
import { ChunkWriter, PartitionBlocks, StagedEvents, type EventBlock } from './blocks.ts';
import { packJson } from './json.ts';
import { PartitionView, type Reader } from './view.ts';
import { grow, saveZone, unionOf, zoneInsert } from './zones.ts';
import { RollupWriter, classOf } from './rollups.ts';
import { tsOf } from './row.ts';
import { Flag, HOT, partitionDrops } from './schema.ts';

export interface RetentionLimits {
  /** Events older than this go. */
  maxAgeNs?: bigint;
  /** Bytes of the database in use. */
  maxBytes?: number;
  nowNs?: bigint;
}

export interface RetentionStep {
  /** Nothing is left to do for now. */
  done: boolean;
  removedEvents: number;
  /** Oldest event that is kept; absent when there is none. */
  oldestNs?: bigint;
}

const SLICE_PROCESSES = 4000;
const MAX_HASHES = 200_000;
const MAX_PENDING = 100_000;
const VACUUM_PAGES = 512;

/** Bytes that hold data: free pages are reused before the file grows. */
export function usedBytes(db: DatabaseSync): number {
  const one = (pragma: string): number =>
    Number(Object.values(db.prepare(`PRAGMA ${pragma}`).get() ?? { v: 0 })[0]);
  return (one('page_count') - one('freelist_count')) * one('page_size');
}

/** The writer, as far as retention needs it. */
export interface Catalogued {
  /** Begins a new partition. */
  seal(): void;
  /** The catalogue has changed. */
  refresh(): void;
}

function oldestOf(partitions: readonly Partition[]): bigint | undefined {
  let oldest: bigint | undefined;
  for (const { zone } of partitions) if (oldest === undefined || zone.minTs < oldest) oldest = zone.minTs;
  return oldest;
}

type Key = { start: bigint; pid: number };

export class Retention {
  private readonly db: DatabaseSync;
  private readonly reader: Reader;
  private readonly writer: Catalogued;
  private leaving: { partition: Partition; copied: boolean; after: Key } | undefined;
  private drops: string[] = [];
  /** Next process to look at when forgetting those that are long gone; undefined: not needed. */
  private sweep: Key | undefined;

  constructor(reader: Reader, writer: Catalogued) {
    const { db } = reader;
    this.db = db;
    this.reader = reader;
    this.writer = writer;
    const row = db.prepare("SELECT value FROM meta WHERE key = 'dropping'").get() as
      | { value: number }
      | undefined;
    if (row) this.drops = partitionDrops(row.value);
  }

  private transaction(work: () => void): void {
    this.db.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.db.exec('COMMIT');
    } catch (error) {
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      throw error;
    }
  }

  step(limits: RetentionLimits): RetentionStep {
    const nowNs = limits.nowNs ?? BigInt(Date.now()) * 1_000_000n;
    const cutoff = limits.maxAgeNs === undefined ? undefined : nowNs - limits.maxAgeNs;
    let removedEvents = 0;
    let done = false;
    if (this.drops.length > 0) this.dropOne();
    else if (this.leaving) removedEvents = this.leave(this.leaving);
    else {
      const partitions = filledPartitions(this.db);
      const oldest = partitions.toSorted((a, b) => (a.zone.maxTs < b.zone.maxTs ? -1 : 1))[0];
      const expired = oldest && cutoff !== undefined && oldest.zone.maxTs < cutoff;
      const tooBig =
        limits.maxBytes !== undefined && partitions.length > 1 && usedBytes(this.db) > limits.maxBytes;
      const slack = (limits.maxAgeNs ?? 0n) / 10n;
      const long = partitions.find(({ zone }) => cutoff !== undefined && zone.minTs < cutoff - slack);
      if (oldest && (expired || tooBig)) {
        // The one being filled must not go: its number would be given out again.
        if (oldest.n === readPartitions(this.db).at(-1)?.n) this.writer.seal();
        this.leaving = { partition: oldest, copied: false, after: { start: -(2n ** 63n), pid: -1 } };
      } else if (long && cutoff !== undefined) removedEvents = this.trim(long, cutoff);
      else if (this.sweep) this.forgetProcesses(this.sweep, partitions);
      else done = this.tidy(cutoff);
    }
    const oldestNs = oldestOf(filledPartitions(this.db));
    return { done, removedEvents, oldestNs };
  }

  /** Copies what living processes need, then takes the partition out of the catalogue. */
  private leave(leaving: NonNullable<Retention['leaving']>): number {
    const { partition } = leaving;
    if (!leaving.copied) {
      this.transaction(() => this.copyProcesses(leaving));
      return 0;
    }
    this.transaction(() => {
      this.db.prepare('DELETE FROM part WHERE n = ?').run(partition.n);
      this.db.prepare("INSERT OR REPLACE INTO meta(key, value) VALUES ('dropping', ?)").run(partition.n);
    });
    this.leaving = undefined;
    this.drops = partitionDrops(partition.n);
    this.sweep = { start: -(2n ** 63n), pid: -1 };
    this.writer.refresh();
    return partition.zone.rows;
  }

  private copyProcesses(leaving: NonNullable<Retention['leaving']>): void {
    const { n } = leaving.partition;
    const select = this.db.prepare(
      `SELECT start, pid, part, snap, end_ts FROM process WHERE (start, pid) > (?, ?) ORDER BY start, pid LIMIT ${SLICE_PROCESSES}`,
    );
    select.setReadBigInts(true);
    const rows = select.all(leaving.after.start, leaving.after.pid) as unknown as {
      start: bigint;
      pid: bigint;
      part: bigint | null;
      snap: bigint | null;
      end_ts: bigint | null;
    }[];
    const decoder = new PartitionView(this.reader, n);
    const save = this.db.prepare(
      'UPDATE process SET info = ?, part = NULL, snap = NULL WHERE start = ? AND pid = ?',
    );
    for (const row of rows) {
      leaving.after = { start: row.start, pid: Number(row.pid) };
      if (Number(row.part) !== n || row.snap === null || row.end_ts !== null) continue;
      const process = decoder.snapshot(Number(row.snap))?.process;
      if (process) save.run(packJson(process), row.start, row.pid);
    }
    leaving.copied = rows.length < SLICE_PROCESSES;
  }

  private dropOne(): void {
    const [statement, ...rest] = this.drops;
    this.transaction(() => {
      if (statement !== undefined) this.db.exec(statement);
      if (rest.length === 0) this.db.exec("DELETE FROM meta WHERE key = 'dropping'");
    });
    this.drops = rest;
  }

  /** Takes the rows before the cutoff out of one chunk; rollups and bounds follow in the same transaction. */
  private trim(partition: Partition, cutoff: bigint): number {
    const { n } = partition;
    let removed = 0;
    this.transaction(() => {
      const blocks = new PartitionBlocks(this.db, n);
      const heads = blocks.heads();
      const old = heads.find(({ zone }) => zone.minTs < cutoff);
      if (old) removed = this.trimChunk(n, blocks.load(old), cutoff);
      const zone = unionOf(blocks.heads().map((head) => head.zone));
      saveZone(this.db.prepare(zoneInsert('part', 'n')), n, zone);
    });
    this.writer.refresh();
    return removed;
  }

  private trimChunk(n: number, block: EventBlock, cutoff: bigint): number {
    const { k } = block.head;
    const rollups = new RollupWriter(this.db, n);
    const forget = ['x', 't'].map((table) => {
      return this.db.prepare(`DELETE FROM ${table}${n} WHERE ${table === 'x' ? 'id' : 'event'} = ?`);
    });
    const staged = new StagedEvents();
    staged.fill(block);
    staged.clear(k);
    for (let row = 0; row < block.rows; row += 1) {
      const at = (column: number): number => block.hot[column]?.at(row) ?? 0;
      const ts = tsOf(block, row);
      const { type } = this.reader.actions.get(at(HOT.action));
      if (ts >= cutoff) {
        const target = staged.zone.rows;
        for (const columns of [staged.hot, staged.cold])
          for (const column of columns) column.copyWithin(target, row, row + 1);
        grow(staged.zone, ts, at(HOT.id), type, at(HOT.severity));
        continue;
      }
      const flags = at(HOT.flags);
      rollups.add(ts, classOf(type, at(HOT.severity), (flags & Flag.observability) !== 0), -1);
      if ((flags & (Flag.more | Flag.detections)) !== 0)
        for (const statement of forget) statement.run(at(HOT.id));
    }
    rollups.flush();
    this.db.exec(`DELETE FROM r${n} WHERE n = 0; DELETE FROM m${n} WHERE n = 0`);
    const chunks = new ChunkWriter(this.db, n);
    if (staged.zone.rows === 0) chunks.remove(k);
    else staged.save(chunks);
    return block.rows - staged.zone.rows;
  }

  /** Processes that ended before anything that is still stored. */
  private forgetProcesses(after: Key, partitions: readonly Partition[]): void {
    const oldest = oldestOf(partitions);
    const select = this.db.prepare(
      `SELECT start, pid, last_ts, end_ts FROM process WHERE (start, pid) > (?, ?) ORDER BY start, pid LIMIT ${SLICE_PROCESSES}`,
    );
    select.setReadBigInts(true);
    const rows = select.all(after.start, after.pid) as unknown as {
      start: bigint;
      pid: bigint;
      last_ts: bigint;
      end_ts: bigint | null;
    }[];
    this.transaction(() => {
      const remove = this.db.prepare('DELETE FROM process WHERE start = ? AND pid = ?');
      for (const { start, pid, last_ts: last, end_ts: end } of rows) {
        if (end !== null && oldest !== undefined && last < oldest) remove.run(start, pid);
      }
    });
    const last = rows.at(-1);
    this.sweep =
      last && rows.length === SLICE_PROCESSES ? { start: last.start, pid: Number(last.pid) } : undefined;
  }

  /** Small tables and free pages; true when nothing is left to do. */
  private tidy(cutoff: bigint | undefined): boolean {
    this.transaction(() => {
      if (cutoff !== undefined) {
        this.db.prepare('DELETE FROM gap WHERE to_ns < ?').run(cutoff);
        this.db.prepare('DELETE FROM decision WHERE ts < ?').run(cutoff);
      }
      this.db.exec(`DELETE FROM hash WHERE id <= (SELECT max(id) FROM hash) - ${MAX_HASHES}`);
      this.db.exec(
        `DELETE FROM pending WHERE event < (SELECT event FROM pending ORDER BY event DESC LIMIT 1 OFFSET ${MAX_PENDING})`,
      );
    });
    const free = this.db.prepare('PRAGMA freelist_count').get() as { freelist_count: number };
    const pages = this.db.prepare('PRAGMA page_count').get() as { page_count: number };
    // A tenth of free pages is kept for the events to come.
    if (free.freelist_count <= Math.max(VACUUM_PAGES, pages.page_count / 10)) return true;
    this.db.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`);
    return false;
  }
}
