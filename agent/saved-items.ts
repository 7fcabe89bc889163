/**
 * What the console saves: searches, columns, views. One small JSON file, replaced as a whole and synced, so that it is
 * the old or the new one after any crash. The agent keeps the values and does not read them.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { SavedItem } from './api/contract.ts';
import { ApiFailure } from './api/services.ts';

const MAX_ITEMS = 500;
const MAX_FILE_BYTES = 16 * 1024 * 1024;

function isItem(value: unknown): value is SavedItem {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, name, value: text, updatedNs, by } = value as Record<string, unknown>;
  return [kind, name, text, updatedNs].every((part) => typeof part === 'string') && typeof by === 'object';
}

export class SavedItems {
  readonly #path: string;
  readonly #onProblem: (message: string) => void;
  #items: Map<string, SavedItem> | undefined;

  constructor(path: string, onProblem: (message: string) => void) {
    this.#path = path;
    this.#onProblem = onProblem;
  }

  list(kind?: string): SavedItem[] {
    const items = [...this.#load().values()];
    return kind === undefined ? items : items.filter((item) => item.kind === kind);
  }

  /** @throws ApiFailure when there are too many already or the disk refuses; then nothing changed. */
  put(item: SavedItem): void {
    const next = new Map(this.#load());
    const key = `${item.kind} ${item.name}`;
    if (!next.has(key) && next.size >= MAX_ITEMS) {
      throw new ApiFailure('overloaded', `${MAX_ITEMS} items are saved already; delete some first`);
    }
    next.delete(key);
    next.set(key, item);
    this.#store(next);
  }

  delete(kind: string, name: string): boolean {
    const next = new Map(this.#load());
    if (!next.delete(`${kind} ${name}`)) return false;
    this.#store(next);
    return true;
  }

  #load(): Map<string, SavedItem> {
    if (this.#items) return this.#items;
    const items = new Map<string, SavedItem>();
    try {
      const bytes = readFileSync(this.#path);
      if (bytes.length > MAX_FILE_BYTES) throw new Error(`it is larger than ${MAX_FILE_BYTES} bytes`);
      const parsed: unknown = JSON.parse(bytes.toString('utf8'));
      if (!Array.isArray(parsed)) throw new Error('it is not a list');
      for (const item of parsed.slice(0, MAX_ITEMS)) {
        if (isItem(item)) items.set(`${item.kind} ${item.name}`, item);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#moveAside((error as Error).message);
    }
    this.#items = items;
    return items;
  }

  #moveAside(why: string): void {
    try {
      renameSync(this.#path, `${this.#path}.damaged`);
    } catch {
      // Cannot be moved: the next save says so.
    }
    this.#onProblem(`${this.#path} could not be read (${why}); saved searches begin anew beside it`);
  }

  #store(items: Map<string, SavedItem>): void {
    const temporary = `${this.#path}.tmp`;
    try {
      const fd = openSync(temporary, 'w', 0o600);
      try {
        writeFileSync(fd, JSON.stringify([...items.values()]));
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(temporary, this.#path);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
      throw new ApiFailure(
        'unavailable',
        `nothing was saved: ${this.#path} cannot be written (${code}); free some space or check its permissions`,
      );
    }
    this.#items = items;
  }
}
