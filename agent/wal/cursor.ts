/**
 * How far a sink has read a log: 64-byte file of two 32-byte slots, written in turn.
 *   slot = 8 magic "SWALCUR1" | 8 generation | 8 seq | 4 zero | 4 crc32c of the first 28 bytes   (little-endian)
 * The valid slot with the higher generation counts, so a torn write leaves the one before. Written lazily, never
 * synced: a stale cursor causes duplicates, never loss.
 */
import { closeSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { crc32c } from './crc32c.ts';

const SLOT = 32;
const MAGIC = Buffer.from('SWALCUR1', 'latin1');

export class CursorFile {
  readonly path: string;
  #generation = 0n;
  #seq = 0;
  #known = false;

  constructor(path: string) {
    this.path = path;
  }

  /** Last position that was written; 0 when there is none. */
  read(): number {
    this.#known = true;
    const bytes = Buffer.alloc(2 * SLOT);
    try {
      const fd = openSync(this.path, 'r');
      try {
        readSync(fd, bytes, 0, bytes.length, 0);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
      throw error;
    }
    for (const start of [0, SLOT]) {
      const slot = bytes.subarray(start, start + SLOT);
      if (!slot.subarray(0, 8).equals(MAGIC) || crc32c(0, slot, 0, 28) !== slot.readUInt32LE(28)) continue;
      const generation = slot.readBigUInt64LE(8);
      if (generation < this.#generation) continue;
      this.#generation = generation;
      this.#seq = Number(slot.readBigUInt64LE(16));
    }
    return this.#seq;
  }

  /** Writes the position into the older slot. */
  write(seq: number): void {
    // A generation below the one in the file would never be read back.
    if (!this.#known) this.read();
    if (seq === this.#seq && this.#generation > 0n) return;
    const generation = this.#generation + 1n;
    const slot = Buffer.alloc(SLOT);
    MAGIC.copy(slot);
    slot.writeBigUInt64LE(generation, 8);
    slot.writeBigUInt64LE(BigInt(seq), 16);
    slot.writeUInt32LE(crc32c(0, slot, 0, 28), 28);
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o750 });
    const fd = openSync(this.path, openFlags(this.path), 0o640);
    try {
      writeSync(fd, slot, 0, SLOT, Number(generation % 2n) * SLOT);
    } finally {
      closeSync(fd);
    }
    // Only now: a write that failed (full disk) is tried again with the next call.
    this.#generation = generation;
    this.#seq = seq;
  }
}

/** Opens for writing without truncating. */
function openFlags(path: string): string {
  try {
    closeSync(openSync(path, 'r+'));
    return 'r+';
  } catch {
    return 'w+';
  }
}
