/**
 * Which mounts lead off this machine: removable media and network file systems, from /proc/self/mountinfo and sysfs.
 *
 * A mount is known by its device number, which holds in every mount namespace, and by its path, for events that name no
 * device. The table is read again when it is older than MAX_AGE_MS or when somebody mounted something.
 */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

export type MountKind = 'removable' | 'network_share' | 'local';

export interface MountInfo {
  path: string;
  fileSystem: string;
  source: string;
  /** major:minor */
  device: string;
  kind: MountKind;
  /** What made it so: usb, removable, loop, the file system's name. */
  why: string;
}

const MAX_AGE_MS = 1000;

const NETWORK: ReadonlySet<string> = new Set(
  (
    'nfs nfs4 cifs smb3 smbfs ncpfs 9p afs ceph lustre glusterfs beegfs orangefs davfs fuse.sshfs fuse.davfs2 ' +
    'fuse.rclone fuse.s3fs fuse.glusterfs fuse.gvfsd-fuse fuse.gcsfuse fuse.blobfuse fuse.smbnetfs fuse.curlftpfs'
  ).split(' '),
);

/** Undoes mountinfo's octal escapes. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

export interface MountOptions {
  /** Images mounted through a loop device count as media. */
  loopIsRemovable?: boolean;
  /** For tests. */
  mountinfo?: () => string;
  sysfs?: string;
  nowMs?: () => number;
}

/** Whether a block device can be pulled out; '' or what says so. */
function removableBy(device: string, sysfs: string, loop: boolean): string {
  let folder: string;
  try {
    folder = realpathSync(join(sysfs, 'dev', 'block', device));
  } catch {
    return '';
  }
  if (/\/loop\d+(\/|$)/.test(folder)) return loop ? 'loop' : '';
  if (/\/usb\d*\//.test(folder)) return 'usb';
  if (/\/mmc\d+\//.test(folder) && !/boot\d?$/.test(folder)) return 'card';
  // A partition has no `removable` of its own; the disk above it has.
  for (const each of [folder, dirname(folder)]) {
    try {
      if (readFileSync(join(each, 'removable'), 'utf8').trim() === '1') return 'removable';
    } catch {
      continue;
    }
  }
  return '';
}

/** Device number of a file system that hides it behind one of its own (btrfs). */
function deviceOfSource(source: string): string | undefined {
  if (!source.startsWith('/dev/')) return undefined;
  try {
    const { rdev } = statSync(source, { bigint: true });
    const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
    const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
    return `${major}:${minor}`;
  } catch {
    return undefined;
  }
}

export class MountTable {
  readonly #options: MountOptions;
  #mounts: MountInfo[] = [];
  #byDevice = new Map<string, MountInfo>();
  #readMs = Number.NEGATIVE_INFINITY;

  constructor(options: MountOptions = {}) {
    this.#options = options;
  }

  /** Removable media and network shares, longest path first. */
  leaving(): readonly MountInfo[] {
    this.#refresh();
    return this.#mounts;
  }

  /** The medium or share that a file lies on; undefined when it stays on this machine. */
  find(path: string, device: string | undefined): MountInfo | undefined {
    this.#refresh();
    if (this.#mounts.length === 0) return undefined;
    if (device !== undefined) {
      const found = this.#byDevice.get(device);
      if (found !== undefined) return found;
    }
    return this.#mounts.find((mount) => path.startsWith(mount.path) && path[mount.path.length] === '/');
  }

  /** Something was mounted or unmounted. */
  changed(): void {
    this.#readMs = Number.NEGATIVE_INFINITY;
  }

  #refresh(): void {
    const nowMs = (this.#options.nowMs ?? performance.now.bind(performance))();
    if (nowMs - this.#readMs < MAX_AGE_MS) return;
    this.#readMs = nowMs;
    const { mountinfo, sysfs = '/sys', loopIsRemovable = false } = this.#options;
    let text: string;
    try {
      text = mountinfo ? mountinfo() : readFileSync('/proc/self/mountinfo', 'utf8');
    } catch {
      return;
    }
    const mounts: MountInfo[] = [];
    for (const line of text.split('\n')) {
      const mount = parseMount(line, sysfs, loopIsRemovable);
      if (mount !== undefined) mounts.push(mount);
    }
    mounts.sort((a, b) => b.path.length - a.path.length);
    this.#mounts = mounts;
    this.#byDevice = new Map(mounts.map((mount) => [mount.device, mount]));
  }
}

function parseMount(line: string, sysfs: string, loop: boolean): MountInfo | undefined {
  const [left, right] = line.split(' - ');
  if (left === undefined || right === undefined) return undefined;
  const [, , device = '', , path = ''] = left.split(' ');
  const [fileSystem = '', source = ''] = right.split(' ');
  const common = { path: unescapeOctal(path), fileSystem, source: unescapeOctal(source), device };
  if (NETWORK.has(fileSystem)) return { ...common, kind: 'network_share', why: fileSystem };
  const block = device.startsWith('0:') ? deviceOfSource(common.source) : device;
  const why = block === undefined ? '' : removableBy(block, sysfs, loop);
  return why === '' ? undefined : { ...common, kind: 'removable', why };
}
