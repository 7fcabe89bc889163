/** Files that a process names in its arguments: what `cp` and its like read, when the sensor does not tell of reads. */
import { resolve } from 'node:path';
import type { SentinelEvent } from '../event.ts';

const MAX_FILES = 4;

/** At most MAX_FILES absolute paths, in order; `except` is left out. */
export function argumentFiles(event: SentinelEvent, except: string): string[] {
  const { argv, cwd } = event.process ?? {};
  if (argv === undefined) return [];
  const found: string[] = [];
  for (const argument of argv.slice(1)) {
    if (argument === '' || argument.length > 4096 || argument.startsWith('-') || argument.includes('://'))
      continue;
    const name = /^[a-z]+=(\/.+)$/.exec(argument)?.[1] ?? argument;
    if (!name.startsWith('/') && cwd === undefined) continue;
    const path = resolve(cwd ?? '/', name);
    if (path === except || found.includes(path)) continue;
    found.push(path);
    if (found.length === MAX_FILES) break;
  }
  return found;
}
