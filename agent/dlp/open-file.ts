/** Opens what an event named, and nothing else: no link is followed at its end, no device or pipe is waited for. */
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { deviceName } from './block-devices.ts';
import { bytesOfPath } from './locate.ts';

/** What an event said of a file. Absent members are not compared. */
export interface ExpectedFile {
  /** Tried in order: the path as the process knew it, then through its root while it lives. */
  paths: readonly string[];
  inode?: string;
  /** major:minor, as the kernel's records name it. */
  device?: string;
}

export interface OpenedFile {
  handle: FileHandle;
  path: string;
  /** One string for each state of its content. */
  identity: string;
  /** `dev:inode` */
  key: string;
  inode: string;
  size: number;
  mtimeNs: bigint;
  ctimeNs: bigint;
}

/** gone: nothing there, or another file; special_file: not a regular one; unreadable: the system's words. */
export class NotOpened extends Error {
  readonly code: 'gone' | 'special_file' | 'unreadable';
  constructor(code: NotOpened['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** The identity of a file's content as far as the kernel tells: an edit changes ctime. */
export function contentIdentity(stat: {
  dev: bigint;
  ino: bigint;
  size: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
}): string {
  return `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
}

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** False when it is surely another device; file systems with device numbers of their own (btrfs) show different ones. */
function mayBeOn(device: string | undefined, dev: bigint): boolean {
  if (device === undefined || device.startsWith('0:')) return true;
  const actual = deviceName(dev);
  return actual === device || actual.startsWith('0:');
}

/** @throws NotOpened */
export async function openExpected({ paths, inode, device }: ExpectedFile): Promise<OpenedFile> {
  let refusal = new NotOpened('gone', 'it is no longer there');
  for (const path of paths) {
    let handle: FileHandle;
    try {
      handle = await open(bytesOfPath(path) ?? path, FLAGS);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ELOOP' || code === 'ENXIO')
        refusal = new NotOpened('special_file', 'it is not a regular file');
      // Of a guess that does not lead there nothing is told.
      else if (path === paths[0] && code !== 'ENOENT' && code !== 'ENOTDIR')
        refusal = new NotOpened('unreadable', `it cannot be read (${code ?? 'unknown'})`);
      continue;
    }
    const stat = await handle.stat({ bigint: true });
    const isIt = (inode === undefined || stat.ino.toString() === inode) && mayBeOn(device, stat.dev);
    if (stat.isFile() && isIt)
      return {
        handle,
        path,
        identity: contentIdentity(stat),
        key: `${stat.dev}:${stat.ino}`,
        inode: stat.ino.toString(),
        size: Number(stat.size),
        mtimeNs: stat.mtimeNs,
        ctimeNs: stat.ctimeNs,
      };
    await handle.close();
    if (isIt) refusal = new NotOpened('special_file', 'it is not a regular file');
    else if (refusal.code === 'gone') refusal = new NotOpened('gone', 'another file has taken its place');
  }
  throw refusal;
}
