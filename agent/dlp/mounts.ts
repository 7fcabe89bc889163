/**
 * Which mounts lead off this machine: removable media and network file systems, from /proc/self/mountinfo and sysfs.
 *
 * A mount is known by its device number, which holds in every mount namespace, and by its path, for events that name no
 * device. The table is read again when it is older than MAX_AGE_MS or when somebody mounted something.
 */
import { readFileSync } from 'node:fs';
import { deviceOfSource, removableBy, type BlockOptions } from './block-devices.ts';

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
/** So long a medium that was unmounted is still known, for the records of what was written to it before. */
const REMEMBERED_MS = 10_000;
const MAX_DEVICES = 1024;

const NETWORK: ReadonlySet<string> = new Set(
  (
    'nfs nfs4 cifs smb3 smbfs ncpfs 9p virtiofs vboxsf afs ceph lustre glusterfs beegfs orangefs davfs coda ' +
    'fuse.sshfs fuse.davfs fuse.davfs2 fuse.rclone fuse.s3fs fuse.goofys fuse.glusterfs fuse.gvfsd-fuse fuse.gcsfuse ' +
    'fuse.blobfuse fuse.blobfuse2 fuse.smbnetfs fuse.curlftpfs fuse.ceph-fuse fuse.juicefs fuse.mfs fuse.s3ql ' +
    'fuse.seaweedfs fuse.google-drive-ocamlfuse fuse.onedriver fuse.kio-fuse fuse.vmhgfs-fuse'
  ).split(' '),
);
/** Telephones and cameras. */
const PHONE: ReadonlySet<string> = new Set(
  'fuse.jmtpfs fuse.simple-mtpfs fuse.go-mtpfs fuse.aft-mtp-mount fuse.ifuse'.split(' '),
);
/** What file systems in user space name as their source when it is another machine. */
const REMOTE = /^[^/:]+:[/~]|^[^/:]+@[^/:]+:|^\/\/[^/]|[a-z]:\/\//;

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

export class MountTable {
  readonly #options: MountOptions;
  #mounts: MountInfo[] = [];
  #staying: MountInfo[] = [];
  #byDevice = new Map<string, MountInfo>();
  /** Unmounted a moment ago. */
  #gone: { mount: MountInfo; untilMs: number }[] = [];
  /** By device number: what makes it removable, '' for what stays. */
  readonly #devices = new Map<string, string>();
  readonly #block: BlockOptions;
  #readMs = Number.NEGATIVE_INFINITY;

  constructor(options: MountOptions = {}) {
    this.#options = options;
    this.#block = {
      sysfs: options.sysfs ?? '/sys',
      loop: options.loopIsRemovable ?? false,
      leaves: (path) => this.#below(path) !== undefined,
    };
  }

  /** Removable media and network shares, longest path first. */
  leaving(): readonly MountInfo[] {
    this.#refresh();
    return this.#mounts;
  }

  /** Disks whose files stay on this machine, each once, at the shortest path. `why`: disk, or loop for an image. */
  staying(): readonly MountInfo[] {
    this.#refresh();
    return this.#staying;
  }

  /**
   * The medium or share that a file lies on; undefined when it stays on this machine. One that was unmounted a moment ago
   * counts; one that only another mount namespace has is told by its device, with the path ''.
   */
  find(path: string, device: string | undefined): MountInfo | undefined {
    this.#refresh();
    if (device === undefined || device.startsWith('0:')) {
      const known = this.#below(path);
      if (device === undefined || known?.device === device) return known ?? this.#goneFrom(path, device);
      return this.#byDevice.get(device) ?? known ?? this.#goneFrom(path, device);
    }
    const found = this.#byDevice.get(device);
    if (found !== undefined) {
      const below = this.#below(path);
      return below?.device === device ? below : found;
    }
    const gone = this.#goneFrom(path, device);
    if (gone !== undefined) return gone;
    const why = this.#whyRemovable(device);
    return why === '' ? undefined : { path: '', fileSystem: '', source: '', device, kind: 'removable', why };
  }

  /** Whether it is there now, by what `find` gave. */
  isMounted({ device, path }: MountInfo): boolean {
    this.#refresh();
    return this.#byDevice.has(device) || (path !== '' && this.#mounts.some((mount) => mount.path === path));
  }

  /** Where a device is mounted that leads off this machine. */
  mountsOf(device: string): readonly MountInfo[] {
    this.#refresh();
    return this.#mounts.filter((mount) => mount.device === device);
  }

  /** Something was mounted or unmounted. */
  changed(): void {
    this.#readMs = Number.NEGATIVE_INFINITY;
  }

  #below(path: string): MountInfo | undefined {
    return this.#mounts.find((mount) => isBelow(path, mount.path));
  }

  #goneFrom(path: string, device: string | undefined): MountInfo | undefined {
    for (const { mount } of this.#gone)
      if (device === undefined ? isBelow(path, mount.path) : mount.device === device) return mount;
    return undefined;
  }

  #whyRemovable(device: string): string {
    const known = this.#devices.get(device);
    if (known !== undefined) return known;
    const why = removableBy(device, this.#block);
    if (this.#devices.size >= MAX_DEVICES) this.#devices.clear();
    this.#devices.set(device, why);
    return why;
  }

  #refresh(): void {
    const nowMs = (this.#options.nowMs ?? performance.now.bind(performance))();
    if (nowMs - this.#readMs < MAX_AGE_MS) return;
    this.#readMs = nowMs;
    const { mountinfo } = this.#options;
    let text: string;
    try {
      text = mountinfo ? mountinfo() : readFileSync('/proc/self/mountinfo', 'utf8');
    } catch {
      return;
    }
    const before = this.#mounts;
    // What can be pulled out may be another disk by now, and keeps its number.
    this.#devices.clear();
    this.#mounts = [];
    const staying = new Map<string, MountInfo>();
    const lines = text.split('\n').flatMap((line) => parseMount(line) ?? []);
    // In the order they were mounted in: an image or a layer on a medium comes after the medium.
    for (const line of lines) {
      const mount = this.#judge(line);
      if (mount === undefined) {
        const { path, fileSystem, source, device } = line;
        const shortest = staying.get(device)?.path.length ?? Number.POSITIVE_INFINITY;
        const why = /^\/dev\/loop\d/.test(source) ? 'loop' : 'disk';
        if (source.startsWith('/dev/') && path.length < shortest)
          staying.set(device, { path, fileSystem, source, device, kind: 'local', why });
        continue;
      }
      this.#mounts.push(mount);
      this.#mounts.sort((a, b) => b.path.length - a.path.length);
    }
    this.#staying = [...staying.values()];
    this.#byDevice = new Map(this.#mounts.map((mount) => [mount.device, mount]));
    this.#remember(before, nowMs);
  }

  #remember(before: readonly MountInfo[], nowMs: number): void {
    const isThere = (mount: MountInfo): boolean =>
      this.#mounts.some(({ path, device }) => path === mount.path && device === mount.device);
    this.#gone = this.#gone.filter(({ mount, untilMs }) => untilMs > nowMs && !isThere(mount));
    for (const mount of before)
      if (!isThere(mount)) this.#gone.push({ mount, untilMs: nowMs + REMEMBERED_MS });
  }

  #judge({ upper, ...common }: ParsedMount): MountInfo | undefined {
    const { fileSystem, source, device } = common;
    const type = fileSystem.startsWith('fuse') ? 'fuse' : fileSystem;
    if (NETWORK.has(fileSystem) || (type === 'fuse' && REMOTE.test(source)))
      return { ...common, kind: 'network_share', why: fileSystem };
    if (PHONE.has(fileSystem)) return { ...common, kind: 'removable', why: fileSystem };
    const under = this.#below(upper ?? source);
    if (under !== undefined && (upper !== undefined || device.startsWith('0:')))
      return { ...common, kind: under.kind, why: `${fileSystem} on ${under.why}` };
    const block = device.startsWith('0:') ? deviceOfSource(source) : device;
    const why = block === undefined ? '' : this.#whyRemovable(block);
    return why === '' ? undefined : { ...common, kind: 'removable', why };
  }
}

/** Whether a file can change there and keep all its times (FAT has one time for both, servers and programs say what they like). */
export function hasWeakTimes({ fileSystem, kind }: MountInfo): boolean {
  return kind === 'network_share' || /^(v?fat|msdos|exfat|ntfs3?|hfs|hfsplus|udf|fuse.*|)$/.test(fileSystem);
}

type ParsedMount = Omit<MountInfo, 'kind' | 'why'> & { upper?: string };

function isBelow(path: string, folder: string): boolean {
  return path === folder || (path.startsWith(folder) && path[folder.length] === '/');
}

function parseMount(line: string): ParsedMount | undefined {
  const [left, right] = line.split(' - ');
  if (left === undefined || right === undefined) return undefined;
  const [, , device = '', , path = ''] = left.split(' ');
  const [fileSystem = '', source = '', options = ''] = right.split(' ');
  const common = { path: unescapeOctal(path), fileSystem, source: unescapeOctal(source), device };
  // What is written to a union of folders lies in its upper one.
  const upper = fileSystem === 'overlay' ? /(?:^|,)upperdir=([^,]*)/.exec(options)?.[1] : undefined;
  return upper === undefined ? common : { ...common, upper: unescapeOctal(upper) };
}
