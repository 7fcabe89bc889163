/**
 * The file in which an index grows: beside the one in force, under a name of its own, so that builds to one place do not
 * meddle with each other and the last to end is in force. What a killed build leaves, the next one removes.
 */
import {
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { SentinelError } from '../errors.ts';

export interface Building {
  readonly fd: number;
  /** Takes the place of what is in force. */
  put(): void;
  /** After a failure; does nothing after `put`. */
  discard(): void;
}

let builds = 0;

/** What begins like an index may be replaced, and an empty file; anything else is somebody's work. */
function mayReplace(path: string): boolean {
  const bytes = Buffer.alloc(4);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const read = readSync(fd, bytes, 0, bytes.length, 0);
    return read === 0 || bytes.toString('latin1') === 'SDLP';
  } finally {
    closeSync(fd);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function removeLeftovers(outPath: string): void {
  const start = `${basename(outPath)}.`;
  for (const name of readdirSync(dirname(outPath))) {
    if (!name.startsWith(start)) continue;
    const pid = /^(\d+)-\d+\.building$/.exec(name.slice(start.length))?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) rmSync(join(dirname(outPath), name), { force: true });
  }
}

/**
 * Begins a file that is to become `out`.
 * @throws SentinelError when something else than an index is there; an error of the system when it cannot be made.
 */
export function startBuilding(out: string): Building {
  const outPath = resolve(out);
  const target = lstatSync(outPath, { throwIfNoEntry: false });
  if (target && !target.isFile())
    throw new SentinelError(
      'not_a_file',
      `${outPath} is there and is not a file`,
      'choose another name with --out',
    );
  if (target && !mayReplace(outPath))
    throw new SentinelError(
      'not_an_index',
      `${outPath} is there and is no index, so it is not replaced`,
      'choose another name with --out, or remove it first',
    );
  removeLeftovers(outPath);
  builds += 1;
  const path = `${outPath}.${process.pid}-${builds}.building`;
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  let put = false;
  return {
    fd,
    put: () => {
      fsyncSync(fd);
      renameSync(path, outPath);
      put = true;
      const folder = openSync(dirname(outPath), 'r');
      try {
        fsyncSync(folder);
      } finally {
        closeSync(folder);
      }
    },
    discard: () => {
      if (!put) rmSync(path, { force: true });
    },
  };
}
