/** One partition as a query sees it: its chunks, texts and snapshots, and its rows as events. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Detection, Hashes, SentinelEvent } from '../event.ts';
import { PartitionBlocks, snapshotPlace, type ChunkHead, type EventBlock } from './blocks.ts';
import { numbersOf } from './column-pack.ts';
import { filledPartitions, type Actions, type Partition } from './catalog.ts';
import { prepared } from './database.ts';
import { DictionaryReader } from './dictionary.ts';
import { ANY_BITS, type Test } from './masks.ts';
import { decodeRow, type RowContext } from './row.ts';
import { HOT } from './schema.ts';
import { decodeSnapshot, type Snapshot } from './snapshot.ts';
import { Texts } from './text-set.ts';
import { LAST } from './time-order.ts';
import { mayHold } from './zones.ts';

/** What every answer needs of an open timeline. */
export interface Reader {
  db: DatabaseSync;
  actions: Actions;
  /** Hashes of a file identity. */
  hashes: (identity: string) => Hashes | undefined;
}

/** Snapshots kept decoded; a page meets few. */
const MAX_SNAPSHOTS = 1024;

export class PartitionView {
  readonly n: number;
  readonly db: DatabaseSync;
  readonly actions: Actions;
  readonly blocks: PartitionBlocks;
  readonly texts: Texts;
  private readonly words: DictionaryReader;
  private readonly hashes: Reader['hashes'];
  private readonly selectRest: () => StatementSync;
  private readonly selectDetections: () => StatementSync;
  private readonly snaps = new Map<number, Snapshot>();
  private readonly context: RowContext;

  constructor({ db, actions, hashes }: Reader, n: number) {
    this.n = n;
    this.db = db;
    this.actions = actions;
    this.hashes = hashes;
    this.blocks = new PartitionBlocks(db, n);
    this.texts = new Texts(db, n, hashes);
    this.words = new DictionaryReader(db, n);
    this.selectRest = prepared(db, `SELECT json FROM x${n} WHERE id = ?`);
    this.selectDetections = prepared(db, `SELECT json FROM t${n} WHERE event = ? ORDER BY seq, k`);
    this.context = {
      words: this.words,
      action: (id) => actions.get(id),
      snapshot: (id) => this.snapshot(id),
      rest: (id) => this.rest(id),
      detections: (id) => this.detections(id),
    };
  }

  /** Chunks by number; with a test those in [from, to] that it does not rule out by their kind. */
  heads(test?: Test<EventBlock>, from = 0n, to = LAST.ts): readonly ChunkHead[] {
    if (!test) return this.blocks.heads();
    const { types = ANY_BITS, severities = ANY_BITS } = test;
    return this.blocks.heads({ from, to, types, severities });
  }

  snapshot(id: number): Snapshot | undefined {
    const known = this.snaps.get(id);
    if (known) return known;
    const { k, row } = snapshotPlace(id);
    const columns = this.blocks.snapshots(k);
    if (!columns) return undefined;
    const made = decodeSnapshot(columns, row, this.words, this.hashes, () => {
      const found = this.db.prepare(`SELECT json FROM y${this.n} WHERE id = ?`).get(id);
      return found?.['json'] as string | undefined;
    });
    if (this.snaps.size >= MAX_SNAPSHOTS) this.snaps.clear();
    this.snaps.set(id, made);
    return made;
  }

  /** JSON of what a row has beyond its columns. */
  rest(eventId: number): string | undefined {
    return this.selectRest().get(eventId)?.['json'] as string | undefined;
  }

  private detections(eventId: number): Detection[] {
    return this.selectDetections()
      .all(eventId)
      .map((row) => JSON.parse(row['json'] as string) as Detection);
  }

  event(block: EventBlock, row: number): SentinelEvent {
    return decodeRow(block, row, this.context);
  }

  /** Chunk and row of an event. */
  find(eventId: number): { block: EventBlock; row: number } | undefined {
    for (const head of this.heads()) {
      if (!mayHold(head.zone, eventId)) continue;
      const block = this.blocks.load(head);
      const row = numbersOf(block.hot[HOT.id]).indexOf(eventId);
      if (row >= 0) return { block, row };
    }
    return undefined;
  }
}

/** An event by id. */
export function eventOf(reader: Reader, eventId: number): SentinelEvent | undefined {
  for (const { n, zone } of filledPartitions(reader.db).toReversed()) {
    if (!mayHold(zone, eventId)) continue;
    const view = new PartitionView(reader, n);
    const found = view.find(eventId);
    if (found) return view.event(found.block, found.row);
  }
  return undefined;
}

/** Partitions that touch [from, to], the one with the newest events first. */
export function partitionsWithin(reader: Reader, from: bigint, to: bigint): Partition[] {
  return filledPartitions(reader.db)
    .filter(({ zone }) => zone.maxTs >= from && zone.minTs <= to)
    .sort((a, b) => (a.zone.maxTs < b.zone.maxTs ? 1 : a.zone.maxTs > b.zone.maxTs ? -1 : 0));
}
