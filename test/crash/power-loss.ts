/**
 * What a disk may hold after the power went, derived from a trace of file operations: everything synced before, and of
 * what was not synced a random choice of 512-byte sectors, sizes and directory entries.
 */
import { mkdirSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { basename } from 'node:path';

export const Op = {
  create: 1,
  writeStart: 2,
  writeEnd: 3,
  sync: 4,
  syncDir: 5,
  truncate: 6,
  unlink: 7,
  ack: 8,
} as const;

export interface TraceEvent {
  op: number;
  /** The write was durable when it returned (O_DSYNC). */
  dsync: boolean;
  failed: boolean;
  /** Failed before anything was written. */
  untouched?: boolean;
  file: number;
  offset: number;
  length: number;
  /** Undefined for zeros. */
  bytes?: Buffer | undefined;
}

/** Parses the file that trace.c wrote. */
export function parseTrace(raw: Buffer): TraceEvent[] {
  const events: TraceEvent[] = [];
  for (let at = 0; at + 24 <= raw.length;) {
    const flags = raw[at + 1] as number;
    const length = raw.readUInt32LE(at + 16);
    const event: TraceEvent = {
      op: raw[at] as number,
      dsync: (flags & 1) !== 0,
      failed: (flags & 4) !== 0,
      untouched: (flags & 8) !== 0,
      file: raw.readUInt32LE(at + 4),
      offset: Number(raw.readBigUInt64LE(at + 8)),
      length,
    };
    at += 24;
    if (length > 0 && (flags & 2) === 0) {
      event.bytes = raw.subarray(at, at + length);
      at += length;
    }
    events.push(event);
  }
  return events;
}

interface DiskFile {
  name: string;
  content: Buffer;
  /** Not yet synced. */
  volatile: TraceEvent[];
  truncated: number | undefined;
  entry: 'maybe' | 'there' | 'maybe-gone' | 'gone';
}

export class Disk {
  acknowledged = 0;
  readonly #files = new Map<number, DiskFile>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  apply(event: TraceEvent): void {
    if (event.op === Op.ack) {
      this.acknowledged = Math.max(this.acknowledged, event.offset);
      return;
    }
    if (event.op === Op.create) {
      const name = basename((event.bytes as Buffer).toString());
      this.#files.set(event.file, {
        name,
        content: Buffer.alloc(0),
        volatile: [],
        truncated: undefined,
        entry: 'maybe',
      });
      return;
    }
    if (event.op === Op.syncDir) {
      if (event.failed) return;
      for (const file of this.#files.values()) {
        if (file.entry === 'maybe') file.entry = 'there';
        if (file.entry === 'maybe-gone') file.entry = 'gone';
      }
      return;
    }
    const file = this.#files.get(event.file);
    if (file === undefined) return;
    switch (event.op) {
      case Op.writeStart:
        file.volatile.push(event);
        break;
      case Op.writeEnd:
        if (event.untouched) file.volatile.pop();
        else if (event.dsync || event.failed)
          this.#settle(file, file.volatile.length - 1, event.failed ? 0.5 : 1);
        break;
      case Op.sync:
        // After a failed sync the pages count as clean: what did not reach the disk never will.
        while (file.volatile.length > 0) this.#settle(file, 0, event.failed ? 0.5 : 1);
        if (!event.failed && file.truncated !== undefined) {
          file.content = file.content.subarray(0, file.truncated);
          file.truncated = undefined;
        }
        break;
      case Op.truncate:
        file.truncated = event.offset;
        break;
      case Op.unlink:
        file.entry = file.entry === 'maybe' ? 'maybe' : 'maybe-gone';
        break;
      default:
    }
  }

  #settle(file: DiskFile, index: number, share: number): void {
    const [write] = file.volatile.splice(index, 1);
    if (write) file.content = this.#written(file.content, write, share);
  }

  /** Content with each sector of a write there or not. */
  #written(content: Buffer, write: TraceEvent, share: number): Buffer {
    const end = write.offset + write.length;
    const grown = content.length >= end ? Buffer.from(content) : Buffer.concat([content], end);
    let reached = content.length;
    for (let at = write.offset; at < end; at += 512) {
      if (share < 1 && this.#random() >= share) continue;
      const stop = Math.min(end, at + 512);
      if (write.bytes) write.bytes.copy(grown, at, at - write.offset, stop - write.offset);
      else grown.fill(0, at, stop);
      reached = Math.max(reached, stop);
    }
    return grown.subarray(0, reached);
  }

  /** Writes one possible state into the folder, which is emptied first. */
  materialize(dir: string): void {
    mkdirSync(dir, { recursive: true });
    for (const name of readdirSync(dir)) unlinkSync(join(dir, name));
    const share = [0, 0.5, 0.9, 1][Math.floor(this.#random() * 4)] as number;
    for (const file of this.#files.values()) {
      if (file.entry === 'gone') continue;
      if (file.entry !== 'there' && this.#random() < 0.5) continue;
      let content = file.content;
      for (const write of file.volatile) content = this.#written(content, write, share);
      if (file.truncated !== undefined && this.#random() < 0.5) content = content.subarray(0, file.truncated);
      writeFileSync(join(dir, file.name), content);
    }
  }
}

/** A reproducible source of numbers in [0, 1). */
export function seeded(seed: number): () => number {
  let x = seed >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 0x1_0000_0000;
  };
}
