/**
 * Which protected files a process opened, so that a copy can be told from its source.
 *
 * A file counts as read by a process when it or an ancestor opened it, else when another child of its parent did in the
 * last minute (`cat file | gzip > stick`). Bounded: MAX_PROCESSES, the least recent leaves; MAX_FILES each.
 */
import { entityId, type DlpSource, type SentinelEvent } from '../event.ts';

const MAX_PROCESSES = 2048;
const MAX_FILES = 16;
const NEAR_NS = 60_000_000_000n;

interface Reads {
  parent: string | undefined;
  files: Map<string, DlpSource>;
}

export class ProtectedReads {
  readonly #byProcess = new Map<string, Reads>();
  evictions = 0;

  get size(): number {
    return this.#byProcess.size;
  }

  /** True when it is the first time that this process opened this file. */
  add(event: SentinelEvent, path: string, rules: readonly string[]): boolean {
    if (event.process === undefined) return false;
    const id = entityId(event.process);
    const reads = this.#byProcess.get(id) ?? { parent: event.ancestry?.[0], files: new Map() };
    this.#byProcess.delete(id);
    this.#byProcess.set(id, reads);
    const isNew = !reads.files.delete(path);
    reads.files.set(path, {
      path,
      rules: [...rules],
      entityId: id,
      name: event.process.name,
      tsNs: event.tsNs,
    });
    if (reads.files.size > MAX_FILES) reads.files.delete(reads.files.keys().next().value as string);
    if (this.#byProcess.size <= MAX_PROCESSES) return isNew;
    this.#byProcess.delete(this.#byProcess.keys().next().value as string);
    this.evictions += 1;
    return isNew;
  }

  /** Protected files read by the process of an event or close to it, latest first. */
  near(event: SentinelEvent): DlpSource[] {
    if (event.process === undefined || this.#byProcess.size === 0) return [];
    const own = entityId(event.process);
    const line = new Set([own, ...(event.ancestry ?? []).slice(0, 8)]);
    const parent = event.ancestry?.[0];
    const found: DlpSource[] = [];
    const beside: DlpSource[] = [];
    for (const [id, reads] of this.#byProcess) {
      const isLine = line.has(id);
      if (!isLine && (parent === undefined || reads.parent !== parent)) continue;
      for (const source of reads.files.values())
        if (id === own || event.tsNs - source.tsNs < NEAR_NS) (isLine ? found : beside).push(source);
    }
    // What others beside it read counts where it read nothing itself, as at the end of a pipe.
    if (found.length === 0) found.push(...beside);
    return found.sort((a, b) => (a.tsNs < b.tsNs ? 1 : -1)).slice(0, MAX_FILES);
  }
}
