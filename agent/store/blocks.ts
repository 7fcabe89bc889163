/** Chunks of a partition: staged in memory while they fill, and read back from the file. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { prepared } from './database.ts';
import { addAction, addSnapshot, addText, BLOOM_BYTES } from './bloom.ts';
import { BlockError, packColumns, unpackColumns, type Column } from './column-pack.ts';
import {
  CHUNK_ROWS,
  COLD_COLUMNS,
  HOT,
  HOT_COLUMNS,
  SNAPSHOT_ROWS,
  SNAP_COLUMNS,
  ZONE_COLUMNS,
} from './schema.ts';
import { emptyZone, saveZone, zoneInsert, zoneOf, type Zone } from './zones.ts';

function stage(columns: number, rows: number): Float64Array[] {
  return Array.from({ length: columns }, () => new Float64Array(rows));
}

/** Columns of the hot block that hold numbers of texts. */
const TEXT_COLUMNS = [HOT.path, HOT.oldPath, HOT.dst, HOT.src, HOT.dns, HOT.message];

/** A chunk of events in memory, one number for each column and row; NaN stands for absent. */
export class StagedEvents {
  readonly hot = stage(HOT_COLUMNS, CHUNK_ROWS);
  readonly cold = stage(COLD_COLUMNS, CHUNK_ROWS);
  k = 0;
  zone: Zone = emptyZone();

  get full(): boolean {
    return this.zone.rows >= CHUNK_ROWS;
  }

  clear(k: number): void {
    this.k = k;
    this.zone = emptyZone();
  }

  /** Takes over a chunk from the file. */
  fill(block: EventBlock): void {
    const { head } = block;
    this.k = head.k;
    this.zone = structuredClone(head.zone);
    for (const [index, column] of block.hot.entries()) this.hot[index]?.set(column.numbers);
    for (const [index, column] of block.cold.entries()) this.cold[index]?.set(column.numbers);
  }

  private bloom(): Uint8Array {
    const bloom = new Uint8Array(BLOOM_BYTES);
    const { rows } = this.zone;
    for (const index of TEXT_COLUMNS) {
      const column = this.hot[index];
      for (let row = 0; row < rows; row += 1) {
        const id = column?.[row] ?? Number.NaN;
        if (id === id) addText(bloom, id);
      }
    }
    for (let row = 0; row < rows; row += 1) {
      const snap = this.hot[HOT.snap]?.[row] ?? Number.NaN;
      if (snap === snap) addSnapshot(bloom, snap);
      addAction(bloom, this.hot[HOT.action]?.[row] ?? 0);
    }
    return bloom;
  }

  save(writer: ChunkWriter): void {
    const { rows } = this.zone;
    writer.save(this.k, this.zone, this.bloom(), packColumns(this.hot, rows), packColumns(this.cold, rows));
  }
}

/** Writes the chunks of one partition. */
export class ChunkWriter {
  private readonly zones: StatementSync;
  private readonly blooms: StatementSync;
  private readonly blocks: StatementSync;
  private readonly removals: StatementSync[];

  constructor(db: DatabaseSync, n: number) {
    this.zones = db.prepare(zoneInsert(`h${n}`, 'k'));
    this.blooms = db.prepare(`INSERT OR REPLACE INTO b${n}(k, bloom) VALUES (?, ?)`);
    this.blocks = db.prepare(`INSERT OR REPLACE INTO c${n}(k, hot, cold) VALUES (?, ?, ?)`);
    this.removals = ['h', 'b', 'c'].map((table) => db.prepare(`DELETE FROM ${table}${n} WHERE k = ?`));
  }

  save(k: number, zone: Zone, bloom: Uint8Array, hot: Uint8Array, cold: Uint8Array): void {
    saveZone(this.zones, k, zone);
    this.blooms.run(k, bloom);
    this.blocks.run(k, hot, cold);
  }

  remove(k: number): void {
    for (const removal of this.removals) removal.run(k);
  }
}

/** A chunk of snapshots in memory. */
export class StagedSnapshots {
  readonly columns = stage(SNAP_COLUMNS, SNAPSHOT_ROWS);
  k = 0;
  rows = 0;

  save(statement: StatementSync): void {
    statement.run(this.k, packColumns(this.columns, this.rows));
  }
}

/** Chunk and row of a snapshot id. */
export function snapshotPlace(id: number): { k: number; row: number } {
  const index = id - 1;
  const k = Math.floor(index / SNAPSHOT_ROWS);
  return { k, row: index - k * SNAPSHOT_ROWS };
}

/** Bounds on the chunks to look at; both times inclusive. */
export interface HeadQuery {
  from: bigint;
  to: bigint;
  types: number;
  severities: number;
}

const ALL_HEADS: HeadQuery = { from: 0n, to: 2n ** 63n - 1n, types: 0xffff, severities: 0xffff };

/** What is known of a chunk before reading it. */
export interface ChunkHead {
  k: number;
  zone: Zone;
  bloom: () => Uint8Array;
}

/** A chunk of events as it lies in the file. */
export class EventBlock {
  readonly head: ChunkHead;
  readonly rows: number;
  readonly hot: readonly Column[];
  private readonly loadCold: () => readonly Column[];
  private coldColumns: readonly Column[] | undefined;

  constructor(head: ChunkHead, hot: readonly Column[], loadCold: () => readonly Column[]) {
    this.head = head;
    this.hot = hot;
    this.rows = hot[0]?.rows ?? 0;
    this.loadCold = loadCold;
  }

  get cold(): readonly Column[] {
    this.coldColumns ??= this.loadCold();
    return this.coldColumns;
  }
}

/** The chunks of one partition in the file. */
export class PartitionBlocks {
  private readonly selectHeads: () => StatementSync;
  private readonly selectLast: () => StatementSync;
  private readonly selectBloom: () => StatementSync;
  private readonly selectHot: () => StatementSync;
  private readonly selectCold: () => StatementSync;
  private readonly selectSnapshots: () => StatementSync;
  private readonly snapshotChunks = new Map<number, readonly Column[]>();

  constructor(db: DatabaseSync, n: number) {
    this.selectHeads = prepared(
      db,
      `SELECT k, ${ZONE_COLUMNS} FROM h${n} WHERE max_ts >= ? AND min_ts <= ? AND (types & ?) <> 0 AND (sevs & ?) <> 0
       ORDER BY k`,
      true,
    );
    this.selectLast = prepared(db, `SELECT k, ${ZONE_COLUMNS} FROM h${n} ORDER BY k DESC LIMIT 1`, true);
    this.selectBloom = prepared(db, `SELECT bloom FROM b${n} WHERE k = ?`);
    this.selectHot = prepared(db, `SELECT hot FROM c${n} WHERE k = ?`);
    this.selectCold = prepared(db, `SELECT cold FROM c${n} WHERE k = ?`);
    this.selectSnapshots = prepared(db, `SELECT block FROM p${n} WHERE k = ?`);
  }

  /** Chunks by number, of those that can hold what is asked for. */
  heads(wanted: HeadQuery = ALL_HEADS): ChunkHead[] {
    const { from, to, types, severities } = wanted;
    return this.selectHeads()
      .all(from, to, types, severities)
      .map((row) => this.headOf(row));
  }

  /** The chunk that was begun last. */
  lastHead(): ChunkHead | undefined {
    const row = this.selectLast().get();
    return row && this.headOf(row);
  }

  private headOf(row: Record<string, unknown>): ChunkHead {
    const k = Number(row['k']);
    let bloom: Uint8Array | undefined;
    return {
      k,
      zone: zoneOf(row),
      bloom: () => {
        bloom ??= this.selectBloom().get(k)?.['bloom'] as Uint8Array | undefined;
        if (bloom?.length !== BLOOM_BYTES) throw new BlockError(`the filter of chunk ${k} is damaged`);
        return bloom;
      },
    };
  }

  load(head: ChunkHead): EventBlock {
    const { k } = head;
    const row = this.selectHot().get(k);
    if (!row) throw new BlockError(`chunk ${k} is missing`);
    return new EventBlock(head, unpackColumns(row['hot'] as Uint8Array, HOT_COLUMNS), () => {
      const cold = this.selectCold().get(k);
      if (!cold) throw new BlockError(`chunk ${k} is missing`);
      return unpackColumns(cold['cold'] as Uint8Array, COLD_COLUMNS);
    });
  }

  /** Columns of one chunk of snapshots; undefined when there is none. */
  snapshots(k: number): readonly Column[] | undefined {
    const known = this.snapshotChunks.get(k);
    if (known) return known;
    const row = this.selectSnapshots().get(k);
    if (!row) return undefined;
    const columns = unpackColumns(row['block'] as Uint8Array, SNAP_COLUMNS);
    this.snapshotChunks.set(k, columns);
    return columns;
  }
}
