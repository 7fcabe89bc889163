/** The files a scan is asked to read: folders are walked, links and special files are told, not followed. */
import { lstatSync, opendirSync, type Dir, type Stats } from 'node:fs';
import { join } from 'node:path';
import type { FileVerdict } from '../dlp/types.ts';

export interface FoundFile {
  path: string;
  /** Set when there is nothing to read, with the reason. */
  skipped?: FileVerdict;
  /** The caller named something that is not there. */
  missing?: boolean;
}

const FAMILIAR: readonly (readonly [is: (stat: Stats) => boolean, name: string])[] = [
  [(stat) => stat.isFIFO(), 'a FIFO'],
  [(stat) => stat.isSocket(), 'a socket'],
  [(stat) => stat.isBlockDevice(), 'a block device'],
  [(stat) => stat.isCharacterDevice(), 'a character device'],
];

function skip(path: string, reasonCode: 'special_file' | 'unreadable', reason: string): FoundFile {
  return {
    path,
    skipped: { path, verdict: 'unscannable', reasonCode, reason, bytes: 0, tookMs: 0, matches: [] },
  };
}

/** One at a time, so that a folder of any size costs no memory. A link named by the caller is followed, others not. */
export function* findFiles(paths: readonly string[]): Generator<FoundFile> {
  for (const path of paths) {
    if (path === '-') yield { path };
    else yield* visit(path, true);
  }
}

function* visit(path: string, named: boolean): Generator<FoundFile> {
  let stat: Stats;
  try {
    stat = lstatSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    yield { ...skip(path, 'unreadable', `the file could not be opened: ${code}`), missing: named };
    return;
  }
  if (stat.isSymbolicLink()) {
    if (named) yield { path };
    return;
  }
  if (stat.isFile()) {
    yield { path };
    return;
  }
  if (!stat.isDirectory()) {
    const name = FAMILIAR.find(([is]) => is(stat))?.[1] ?? 'a special file';
    yield skip(path, 'special_file', `${name}, which is not read`);
    return;
  }
  let folder: Dir;
  try {
    folder = opendirSync(path);
  } catch (error) {
    yield skip(
      path,
      'unreadable',
      `the folder could not be opened: ${(error as NodeJS.ErrnoException).code}`,
    );
    return;
  }
  try {
    for (let entry = folder.readSync(); entry; entry = folder.readSync()) {
      yield* visit(join(path, entry.name), false);
    }
  } finally {
    folder.closeSync();
  }
}
