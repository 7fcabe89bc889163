/**
 * What was found in files, by the identity of their content (device, inode, size, mtime, ctime): the same bytes are not
 * looked at twice while the same indexes are in force. Least recently used leaves.
 */
import type { FileVerdict } from './types.ts';

export class VerdictCache {
  readonly #entries = new Map<string, { generation: number; verdict: FileVerdict }>();
  readonly #max: number;
  #generation = 0;
  hits = 0;
  evictions = 0;

  constructor(max = 8192) {
    this.#max = max;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(identity: string): FileVerdict | undefined {
    const found = this.#entries.get(identity);
    if (found === undefined || found.generation !== this.#generation) return undefined;
    this.#entries.delete(identity);
    this.#entries.set(identity, found);
    this.hits += 1;
    return found.verdict;
  }

  set(identity: string, verdict: FileVerdict): void {
    this.#entries.delete(identity);
    this.#entries.set(identity, { generation: this.#generation, verdict });
    if (this.#entries.size <= this.#max) return;
    this.#entries.delete(this.#entries.keys().next().value as string);
    this.evictions += 1;
  }

  /** Other indexes or rules are in force. */
  forget(): void {
    this.#generation += 1;
  }
}
