/** The files a scan is asked to read: folders are walked, links and special files are told, not followed. */
import { lstatSync, opendirSync, statSync, type Dir, type Stats } from 'node:fs';
import type { FileVerdict } from '../dlp/types.ts';

export interface FoundFile {
  /** As it is told. */
  path: string;
  /** As it is opened: names are bytes, and not all of them are UTF-8. */
  raw?: Buffer;
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

/** A name that is UTF-8 is a string, as callers and messages have it. */
function below(folder: string | Buffer, name: Buffer): string | Buffer {
  const text = name.toString();
  const between = folder.at(-1) === '/' || folder.at(-1) === 0x2f ? '' : '/';
  if (typeof folder === 'string' && name.equals(Buffer.from(text))) return folder + between + text;
  return Buffer.concat([Buffer.from(folder), Buffer.from(between), name]);
}

function named(path: string | Buffer): FoundFile {
  return typeof path === 'string' ? { path } : { path: path.toString(), raw: path };
}

function skip(path: string, reasonCode: 'special_file' | 'unreadable', reason: string): FoundFile {
  return {
    path,
    skipped: { path, verdict: 'unscannable', reasonCode, reason, bytes: 0, tookMs: 0, matches: [] },
  };
}

/** One at a time, so that a folder of any size costs no memory. A link the caller names is followed, others are not. */
export function* findFiles(paths: readonly string[]): Generator<FoundFile> {
  for (const path of paths) {
    if (path === '-') yield { path };
    else yield* visit(path, true);
  }
}

function* visit(path: string | Buffer, byCaller: boolean): Generator<FoundFile> {
  const shown = path.toString();
  let stat: Stats;
  try {
    stat = byCaller ? statSync(path) : lstatSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    yield { ...skip(shown, 'unreadable', `the file could not be opened: ${code}`), missing: byCaller };
    return;
  }
  if (stat.isSymbolicLink()) return;
  if (stat.isFile()) {
    yield named(path);
    return;
  }
  if (!stat.isDirectory()) {
    const name = FAMILIAR.find(([is]) => is(stat))?.[1] ?? 'a special file';
    yield skip(shown, 'special_file', `${name}, which is not read`);
    return;
  }
  let folder: Dir;
  try {
    // Names as bytes; the declarations of Node know strings only.
    folder = opendirSync(path, { encoding: 'buffer' as BufferEncoding });
  } catch (error) {
    yield skip(
      shown,
      'unreadable',
      `the folder could not be opened: ${(error as NodeJS.ErrnoException).code}`,
    );
    return;
  }
  try {
    for (let entry = folder.readSync(); entry; entry = folder.readSync()) {
      yield* visit(below(path, entry.name as unknown as Buffer), false);
    }
  } finally {
    folder.closeSync();
  }
}
