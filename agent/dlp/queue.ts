/**
 * Files that wait to be looked at.
 *
 * Bounded; one entry for each inode, whose latest state counts (a file that is written again while it waits is looked at
 * once); nothing is taken before it has been left alone for `settleMs`, but after MAX_SETTLE times that it is taken
 * anyway. Smaller priority first, then who waited longest. When it is full, what is least urgent goes, and is counted by
 * its destination: nothing leaves in silence.
 */
import type { Destination } from './destination.ts';
import { PRIORITY } from './destination.ts';

export interface QueuedFile<T> {
  /** One for each inode. */
  key: string;
  /** mtime and size: the same again changes nothing. */
  version: string;
  destination: Destination;
  /** The latest reason it is here. */
  cause: T;
}

interface Entry<T> extends QueuedFile<T> {
  firstMs: number;
  dueMs: number;
}

export interface QueueOptions {
  maxFiles: number;
  settleMs: number;
  nowMs: () => number;
  /** Called once for each file that will not be looked at. */
  onSkipped: (file: QueuedFile<unknown>, reason: 'queue_full') => void;
}

const MAX_SETTLE = 10;

export class ScanQueue<T> {
  readonly #options: QueueOptions;
  readonly #entries = new Map<string, Entry<T>>();
  /** Same inode, same mtime and size, already waiting. */
  duplicates = 0;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  add(file: QueuedFile<T>): void {
    const { settleMs, maxFiles, nowMs, onSkipped } = this.#options;
    const now = nowMs();
    const known = this.#entries.get(file.key);
    if (known !== undefined) {
      this.duplicates += 1;
      if (known.version !== file.version)
        known.dueMs = Math.min(now + settleMs, known.firstMs + MAX_SETTLE * settleMs);
      // A rename onto a medium outranks the write before it.
      if (PRIORITY[file.destination] <= PRIORITY[known.destination]) {
        known.destination = file.destination;
        known.cause = file.cause;
      }
      known.version = file.version;
      return;
    }
    if (this.#entries.size >= maxFiles) {
      const worst = this.#worst();
      if (worst === undefined || PRIORITY[worst.destination] <= PRIORITY[file.destination]) {
        onSkipped(file, 'queue_full');
        return;
      }
      this.#entries.delete(worst.key);
      onSkipped(worst, 'queue_full');
    }
    this.#entries.set(file.key, { ...file, firstMs: now, dueMs: now + settleMs });
  }

  /** The most urgent file that is due; undefined when none is. */
  take(): QueuedFile<T> | undefined {
    const now = this.#options.nowMs();
    let best: Entry<T> | undefined;
    for (const entry of this.#entries.values()) {
      if (entry.dueMs > now) continue;
      if (best === undefined || PRIORITY[entry.destination] < PRIORITY[best.destination]) best = entry;
      if (PRIORITY[best.destination] === 0) break;
    }
    if (best !== undefined) this.#entries.delete(best.key);
    return best;
  }

  /** Milliseconds until something is due; undefined when nothing waits. */
  dueInMs(): number | undefined {
    let least: number | undefined;
    for (const { dueMs } of this.#entries.values()) if (least === undefined || dueMs < least) least = dueMs;
    return least === undefined ? undefined : Math.max(0, least - this.#options.nowMs());
  }

  /** The newest of the least urgent. */
  #worst(): Entry<T> | undefined {
    let worst: Entry<T> | undefined;
    for (const entry of this.#entries.values())
      if (worst === undefined || PRIORITY[entry.destination] >= PRIORITY[worst.destination]) worst = entry;
    return worst;
  }
}
