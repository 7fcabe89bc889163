/** Files that are known to hold protected data, so that who opens one can be told; the oldest leaves. */
import { dlpRuleName } from './dlp-summary.ts';
import type { DlpMatchInfo } from './event.ts';

const MAX_PROTECTED = 16_384;

/** What is remembered of a file: what is in it, by kinds. */
export interface ProtectedFile {
  path: string;
  matches: readonly DlpMatchInfo[];
  /** Findings, listed or not. */
  total: number;
}

export class ProtectedFiles {
  readonly #files = new Map<string, ProtectedFile>();

  get size(): number {
    return this.#files.size;
  }

  get(key: string): ProtectedFile | undefined {
    return this.#files.get(key);
  }

  set(key: string, file: ProtectedFile): void {
    this.#files.delete(key);
    this.#files.set(key, file);
    if (this.#files.size > MAX_PROTECTED) this.#files.delete(this.#files.keys().next().value as string);
  }

  clear(): void {
    this.#files.clear();
  }
}

/** Whose data is in a file, each once. */
export function rulesOf(matches: readonly { index: string; rule: string }[]): string[] {
  return [...new Set(matches.map(dlpRuleName))];
}
