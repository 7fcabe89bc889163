/**
 * Which events are stored already, for many that are asked for in about the order in which they were stored: that is
 * how a log is read again after its position was lost. Sees the file as it was when made.
 */
import type { DatabaseSync } from 'node:sqlite';
import { PartitionBlocks, type ChunkHead } from './blocks.ts';
import type { Partition } from './catalog.ts';
import { numbersOf } from './column-pack.ts';
import { HOT } from './schema.ts';
import { mayHold } from './zones.ts';

/** Chunks whose ids are held at a time; the lanes are read side by side, and each lies in a chunk or two. */
const MAX_CHUNKS = 8;

interface Chunks {
  n: number;
  blocks: PartitionBlocks;
  heads: readonly ChunkHead[];
}

export class StoredIds {
  private readonly db: DatabaseSync;
  private readonly partitions: readonly Partition[];
  private readonly chunks = new Map<number, Chunks>();
  /** The one used longest ago first. */
  private readonly ids = new Map<string, ReadonlySet<number>>();

  constructor(db: DatabaseSync, partitions: readonly Partition[]) {
    this.db = db;
    this.partitions = partitions.toReversed();
  }

  has(eventId: number): boolean {
    for (const { n, zone } of this.partitions) {
      if (!mayHold(zone, eventId)) continue;
      const chunks = this.chunksOf(n);
      for (const head of chunks.heads) {
        if (mayHold(head.zone, eventId) && this.idsOf(chunks, head).has(eventId)) return true;
      }
    }
    return false;
  }

  private chunksOf(n: number): Chunks {
    const known = this.chunks.get(n);
    if (known) return known;
    const blocks = new PartitionBlocks(this.db, n);
    const made = { n, blocks, heads: blocks.heads() };
    this.chunks.set(n, made);
    return made;
  }

  private idsOf({ n, blocks }: Chunks, head: ChunkHead): ReadonlySet<number> {
    const key = `${n}/${head.k}`;
    const ids = this.ids.get(key) ?? new Set(numbersOf(blocks.load(head).hot[HOT.id]));
    this.ids.delete(key);
    this.ids.set(key, ids);
    const [oldest] = this.ids.keys();
    if (this.ids.size > MAX_CHUNKS && oldest !== undefined) this.ids.delete(oldest);
    return ids;
  }
}
