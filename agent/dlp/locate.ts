/** Where the file of an event can be opened from here: the process may have seen another tree of folders. */
import { readdirSync, type BigIntStats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SentinelEvent } from '../event.ts';
import type { MountInfo, MountTable } from './mounts.ts';
import type { ExpectedFile } from './open-file.ts';

const MAX_ANCESTORS = 4;
const MAX_SUFFIXES = 24;

/**
 * Paths to try, in order: as it was named; through the root of the process and of its ancestors, as long as they live
 * (mount namespaces, changed roots); below each place here where its device is mounted. What is opened has to be the
 * inode of the event, so that a wrong guess finds nothing.
 */
export function candidatePaths(path: string, event: SentinelEvent, mounts: readonly MountInfo[]): string[] {
  const paths = [path];
  if (event.process !== undefined) paths.push(`/proc/${event.process.pid}/root${path}`);
  for (const id of (event.ancestry ?? []).slice(0, MAX_ANCESTORS))
    paths.push(`/proc/${id.slice(0, id.indexOf('-'))}/root${path}`);
  if (event.file?.inode === undefined) return paths;
  for (const mount of mounts) {
    if (path.startsWith(`${mount.path}/`)) continue;
    let at = path.indexOf('/', 1);
    for (let count = 0; at > 0 && count < MAX_SUFFIXES; count++) {
      paths.push(mount.path + path.slice(at));
      at = path.indexOf('/', at + 1);
    }
  }
  return paths;
}

/**
 * The bytes of a path that is not valid UTF-8, whose text has the replacement character where bytes were. Undefined when
 * there is nothing that reads like it.
 */
export function bytesOfPath(path: string): Buffer | undefined {
  if (!path.includes('\ufffd')) return undefined;
  const parent = dirname(path);
  const folder = parent.includes('\ufffd') ? bytesOfPath(parent) : Buffer.from(parent);
  if (folder === undefined || parent === path) return undefined;
  const name = path.slice(parent.length).replace(/^\//, '');
  try {
    const found = readdirSync(folder, { encoding: 'buffer' }).find((entry) => entry.toString() === name);
    return found && Buffer.concat([folder, Buffer.from('/'), found]);
  } catch {
    return undefined;
  }
}

/** The file of an event, wherever it can be opened from here. */
export function expectedFile(event: SentinelEvent, mounts: MountTable): ExpectedFile {
  const { path, inode, device } = event.file as NonNullable<SentinelEvent['file']>;
  const paths = candidatePaths(path, event, device === undefined ? [] : mounts.mountsOf(device));
  const expected: ExpectedFile = { paths };
  if (inode !== undefined) expected.inode = inode;
  if (device !== undefined) expected.device = device;
  return expected;
}

const MAX_BELOW = 10_000;
const MAX_DEPTH = 32;

export interface FolderFiles {
  files: { name: string; stat: BigIntStats }[];
  /** There are more than are listed, or deeper ones. */
  more: boolean;
}

/** The plain files of the folder that is at one of `paths`, with names below it; undefined when none is a folder. */
export async function filesOfFolder(
  paths: readonly string[],
  inode: string | undefined,
): Promise<FolderFiles | undefined> {
  for (const path of paths) {
    const stat = await lstat(path, { bigint: true }).catch(() => undefined);
    if (stat?.isDirectory() !== true || (inode !== undefined && stat.ino.toString() !== inode)) continue;
    const found: FolderFiles = { files: [], more: false };
    const open: [name: string, depth: number][] = [['', 0]];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const [folder, depth] = next;
      const entries = await readdir(join(path, folder), { withFileTypes: true }).catch(() => []);
      for (const entry of entries) {
        const name = join(folder, entry.name);
        if (entry.isDirectory() && depth < MAX_DEPTH) open.push([name, depth + 1]);
        else if (entry.isDirectory() || found.files.length >= MAX_BELOW) found.more = true;
        else if (entry.isFile()) {
          const at = await lstat(join(path, name), { bigint: true }).catch(() => undefined);
          if (at?.isFile() === true && at.dev === stat.dev) found.files.push({ name, stat: at });
        }
      }
      if (found.files.length >= MAX_BELOW) break;
    }
    found.more ||= open.length > 0;
    return found;
  }
  return undefined;
}
