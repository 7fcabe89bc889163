/** How much a lane's folder holds; asked often, so counted at most every 10 s. */
import { statSync } from 'node:fs';
import { listSegments } from './segments.ts';

const MAX_AGE_MS = 10_000;

export class DiskUse {
  readonly #dir: string;
  #at = -Infinity;
  #value = { segments: 0, bytesOnDisk: 0 };

  constructor(dir: string) {
    this.#dir = dir;
  }

  get(): { segments: number; bytesOnDisk: number } {
    const now = performance.now();
    if (now - this.#at < MAX_AGE_MS) return this.#value;
    this.#at = now;
    const files = listSegments(this.#dir);
    let bytesOnDisk = 0;
    // A file that retention removed meanwhile counts as nothing.
    for (const file of files) bytesOnDisk += statSync(file.path, { throwIfNoEntry: false })?.size ?? 0;
    this.#value = { segments: files.length, bytesOnDisk };
    return this.#value;
  }
}
