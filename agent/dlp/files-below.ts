/** Regular files below a folder, one at a time. Links are not followed. */
import { type Dirent } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Why something was left out: a folder that cannot be opened, another file system, or no regular file. */
export type LeftOut = 'refused' | 'file_system' | 'special';

export interface FilesBelowOptions {
  signal: AbortSignal;
  /** Not into what is mounted below: proc and sys are never files, a share may be another machine's. */
  oneFileSystem?: boolean;
  onLeft?: (why: LeftOut) => void;
}

/** A file is below itself. @throws the system's error when `path` is not there. */
export async function* filesBelow(path: string, options: FilesBelowOptions): AsyncGenerator<string> {
  const { signal, oneFileSystem = false, onLeft } = options;
  const root = await lstat(path);
  if (!root.isDirectory()) {
    if (root.isFile()) yield path;
    else onLeft?.('special');
    return;
  }
  const folders = [path];
  for (let folder = folders.pop(); folder !== undefined && !signal.aborted; folder = folders.pop()) {
    let entries: AsyncIterable<Dirent>;
    try {
      if (oneFileSystem && folder !== path && (await lstat(folder)).dev !== root.dev) {
        onLeft?.('file_system');
        continue;
      }
      entries = await opendir(folder);
    } catch {
      onLeft?.('refused');
      continue;
    }
    for await (const entry of entries) {
      if (signal.aborted) return;
      const below = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(below);
      else if (entry.isFile()) yield below;
      else onLeft?.('special');
    }
  }
}

const MAX_FOLDERS = 50;
const MAX_LISTED = 5000;

/** Folders whose paths begin with `prefix`, hidden ones only when it says so; none where it cannot be read. */
export async function foldersLike(prefix: string): Promise<string[]> {
  const isFolder = prefix.endsWith('/');
  const parent = isFolder ? prefix : dirname(prefix);
  const begin = isFolder ? '' : basename(prefix);
  const found: string[] = [];
  try {
    let listed = 0;
    for await (const entry of await opendir(parent)) {
      if (++listed > MAX_LISTED || found.length >= MAX_FOLDERS) break;
      if (!entry.isDirectory() || !entry.name.startsWith(begin)) continue;
      if (begin === '' && entry.name.startsWith('.')) continue;
      found.push(join(parent, entry.name));
    }
  } catch {
    return [];
  }
  return found.sort();
}
