/** The data folder: where it is, what is in it, and the lock that lets only one agent write to it. */
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fromSystemError, SentinelError } from './errors.ts';

/** Where the service keeps its data. */
export const SYSTEM_DATA_DIR =
  process.platform === 'win32'
    ? join(process.env['PROGRAMDATA'] ?? 'C:\\ProgramData', 'Sentinel')
    : '/var/lib/sentinel';

/** /var/lib/sentinel for root and the service, else the user's state folder (XDG_STATE_HOME, LOCALAPPDATA). */
export function defaultDataDir(): string {
  if (process.platform === 'win32') {
    return join(process.env['PROGRAMDATA'] ?? process.env['LOCALAPPDATA'] ?? homedir(), 'Sentinel');
  }
  if (process.getuid?.() === 0) return SYSTEM_DATA_DIR;
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'sentinel');
}

/** Paths inside a data folder. */
export function dataPaths(dataDir: string) {
  return {
    securityLog: join(dataDir, 'wal', 'security'),
    observabilityLog: join(dataDir, 'wal', 'observability'),
    cursors: join(dataDir, 'cursors'),
    timeline: join(dataDir, 'timeline.db'),
    rarity: join(dataDir, 'rarity.json'),
    saved: join(dataDir, 'saved.json'),
    exceptions: join(dataDir, 'rules', 'exceptions'),
    publicKey: join(dataDir, 'keys', 'device.pub'),
    socket: process.platform === 'win32' ? pipeName(dataDir) : join(dataDir, 'agent.sock'),
    lock: join(dataDir, 'agent.lock'),
    /** Who holds the lock: {pid}, for messages only. */
    owner: join(dataDir, 'agent.json'),
    epoch: join(dataDir, 'epoch'),
    log: join(dataDir, 'logs', 'agent.log'),
  };
}

function pipeName(dataDir: string): string {
  return `\\\\.\\pipe\\sentinel-${resolve(dataDir).replace(/[^A-Za-z0-9]/g, '-')}`;
}

/** Like a recursive mkdir, which for ever tries again where a file system (/proc) has no place for a new folder. */
function makeFolder(path: string): boolean {
  if (existsSync(path)) return false;
  const parent = dirname(path);
  if (parent !== path) makeFolder(parent);
  mkdirSync(path, { mode: 0o750 });
  return true;
}

/**
 * Nobody but the agent's user reads what is stored; `groupGid` may pass through the folder to the socket, and cannot
 * list it. A folder that was there before keeps its mode (it may be anybody's), what Sentinel has in it does not.
 */
export function protectDataDir(dataDir: string, groupGid: number | undefined, isOurs: boolean): void {
  if (process.platform === 'win32') return;
  const uid = process.getuid?.();
  const { socket, publicKey: _, ...stored } = dataPaths(dataDir);
  const folders = new Set([join(dataDir, 'wal'), join(dataDir, 'keys'), dirname(stored.log)]);
  for (const path of [
    ...folders,
    ...Object.values(stored),
    `${stored.timeline}-wal`,
    `${stored.timeline}-shm`,
  ]) {
    const stat = path === socket ? undefined : lstatSync(path, { throwIfNoEntry: false });
    if (!stat || stat.uid !== uid || (stat.mode & 0o077) === 0) continue;
    if (stat.isDirectory()) chmodSync(path, 0o700);
    else if (stat.isFile()) chmodSync(path, 0o600);
  }
  if (!isOurs) return;
  if (uid === 0 && groupGid !== undefined) chownSync(dataDir, 0, groupGid);
  chmodSync(dataDir, uid === 0 && groupGid !== undefined ? 0o710 : 0o700);
}

export interface DataLock {
  /** The folder was made now, or is the service's own. */
  readonly isOurs: boolean;
  release(): void;
}

function ownerOf(path: string): string {
  try {
    const owner = JSON.parse(readFileSync(path, 'utf8')) as { pid?: unknown };
    return typeof owner.pid === 'number' ? ` (pid ${owner.pid})` : '';
  } catch {
    return '';
  }
}

/**
 * Makes the folder if need be and takes its lock. The lock is SQLite's own file lock, so the system releases it when
 * the process ends, however it ends.
 * @throws SentinelError `in_use` when another agent has it, or what the system said when it cannot be written.
 */
export function lockDataDir(dataDir: string): DataLock {
  const paths = dataPaths(dataDir);
  let isOurs = resolve(dataDir) === SYSTEM_DATA_DIR;
  try {
    isOurs = makeFolder(resolve(dataDir)) || isOurs;
    if (!statSync(dataDir).isDirectory()) throw new SentinelError('enotdir', `${dataDir} is not a folder`);
    writeFileSync(join(dataDir, '.write-test'), '');
    rmSync(join(dataDir, '.write-test'));
  } catch (error) {
    throw fromSystemError(error, 'write to the data folder', dataDir);
  }
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(paths.lock);
    database.exec('PRAGMA journal_mode=DELETE; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    if (/locked|busy/i.test((error as Error).message)) {
      throw new SentinelError(
        'in_use',
        `another Sentinel agent${ownerOf(paths.owner)} is using ${dataDir}`,
        'stop it first, or give this one another folder with --data',
        { cause: error },
      );
    }
    throw new SentinelError(
      'lock',
      `cannot lock ${paths.lock}: ${(error as Error).message}`,
      'check the folder and its permissions',
      {
        cause: error,
      },
    );
  }
  writeFileSync(paths.owner, `${JSON.stringify({ pid: process.pid })}\n`, { mode: 0o644 });
  const held = database;
  return {
    isOurs,
    release: () => {
      rmSync(paths.owner, { force: true });
      held.close();
    },
  };
}

/** Number of this run of the agent on this folder: one more than the last, durable before it is used. */
export function nextEpoch(dataDir: string): number {
  const path = dataPaths(dataDir).epoch;
  let last = 0;
  try {
    last = Number.parseInt(readFileSync(path, 'utf8'), 10) || 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw fromSystemError(error, 'read', path);
  }
  writeFileSync(`${path}.tmp`, `${last + 1}\n`, { flush: true });
  renameSync(`${path}.tmp`, path);
  return last + 1;
}
