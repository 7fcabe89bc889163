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
const MAX_PRIORITY = Math.max(...Object.values(PRIORITY));

export class ScanQueue<T> {
  readonly #options: QueueOptions;
  readonly #entries = new Map<string, Entry<T>>();
  /** By priority, each in the order in which they are due. */
  readonly #lines: Map<string, Entry<T>>[] = [];
  /** Same inode, same mtime and size, already waiting. */
  duplicates = 0;

  constructor(options: QueueOptions) {
    this.#options = options;
    for (let at = 0; at <= MAX_PRIORITY; at++) this.#lines.push(new Map());
  }

  get size(): number {
    return this.#entries.size;
  }

  add(file: QueuedFile<T>): void {
    const { settleMs, maxFiles, nowMs, onSkipped } = this.#options;
    const now = nowMs();
    const known = this.#entries.get(file.key);
    if (known !== undefined) {
      this.#again(known, file, now);
      return;
    }
    if (this.#entries.size >= maxFiles) {
      const worst = this.#worst(PRIORITY[file.destination]);
      if (worst === undefined) {
        onSkipped(file, 'queue_full');
        return;
      }
      this.#remove(worst);
      onSkipped(worst, 'queue_full');
    }
    const entry = { ...file, firstMs: now, dueMs: now + settleMs };
    this.#entries.set(file.key, entry);
    this.#line(entry).set(file.key, entry);
  }

  /** The most urgent file that is due; undefined when none is. */
  take(): QueuedFile<T> | undefined {
    const now = this.#options.nowMs();
    for (const line of this.#lines) {
      const first = line.values().next().value;
      if (first === undefined || first.dueMs > now) continue;
      this.#remove(first);
      return first;
    }
    return undefined;
  }

  /** Milliseconds until something is due; undefined when nothing waits. */
  dueInMs(): number | undefined {
    let least: number | undefined;
    for (const line of this.#lines) {
      const first = line.values().next().value;
      if (first !== undefined && (least === undefined || first.dueMs < least)) least = first.dueMs;
    }
    return least === undefined ? undefined : Math.max(0, least - this.#options.nowMs());
  }

  #again(known: Entry<T>, file: QueuedFile<T>, now: number): void {
    const { settleMs } = this.#options;
    this.duplicates += 1;
    const lastMs = known.firstMs + MAX_SETTLE * settleMs;
    // What is overdue keeps its place: it would never be its turn.
    const waits = known.version !== file.version && now < lastMs;
    if (waits || PRIORITY[file.destination] < PRIORITY[known.destination])
      this.#line(known).delete(known.key);
    if (waits) known.dueMs = Math.min(now + settleMs, lastMs);
    // A rename onto a medium outranks the write before it.
    if (PRIORITY[file.destination] <= PRIORITY[known.destination]) {
      known.destination = file.destination;
      known.cause = file.cause;
    }
    known.version = file.version;
    this.#line(known).set(known.key, known);
  }

  #line({ destination }: Entry<T>): Map<string, Entry<T>> {
    return this.#lines[PRIORITY[destination]] as Map<string, Entry<T>>;
  }

  #remove(entry: Entry<T>): void {
    this.#entries.delete(entry.key);
    this.#line(entry).delete(entry.key);
  }

  /** The newest of the least urgent, if they are less urgent than `priority`. */
  #worst(priority: number): Entry<T> | undefined {
    for (let at = this.#lines.length - 1; at > priority; at--) {
      let worst: Entry<T> | undefined;
      for (const entry of (this.#lines[at] as Map<string, Entry<T>>).values()) worst = entry;
      if (worst !== undefined) return worst;
    }
    return undefined;
  }
}
