/**
 * The entries of the process tree: a node per process, the program image it runs (shared by its forks), and the
 * intrusive lists that order nodes by last use. No maps and no copies here, so that moving a node costs a few
 * pointer writes.
 */
import { entityId, type ProcessInfo, type ProcessRef } from '../event.ts';

/** /proc tells start times in ticks of 1/100 s (USER_HZ is 100 on every Linux ABI); the kernel records tell ns. */
export const TICK_NS = 10_000_000n;

/** Directories anybody may write to; a program that runs from there is flagged `writable_dir`. */
const WRITABLE_DIRS = [
  '/tmp/',
  '/var/tmp/',
  '/dev/shm/',
  '/run/shm/',
  '/run/lock/',
  '/var/lock/',
  '/dev/mqueue/',
];

/** File name of a path; the path itself when it has no slash. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function withFlag(flags: string[] | undefined, flag: string): string[] {
  if (flags === undefined) return [flag];
  return flags.includes(flag) ? flags : [...flags, flag];
}

/** What a process runs: replaced as a whole by exec, shared by reference with forks. */
export class ProgramImage {
  name: string;
  executable: string | undefined;
  argv: string[] | undefined;
  cwd: string | undefined;
  flags: string[] | undefined;
  /** Nodes that point here; the tree's byte count drops the image when the last one goes. */
  holders = 0;
  /** Rough heap size: characters plus a header for each string. */
  bytes = 0;

  constructor(info: ProcessInfo) {
    this.name = info.name;
    this.executable = info.executable;
    this.argv = info.argv;
    this.cwd = info.cwd;
    this.flags = info.flags;
    this.settle();
  }

  /** Derives name, flags and size after the fields were set. */
  settle(): void {
    const { executable, argv, cwd } = this;
    let bytes = 160 + (cwd?.length ?? 0);
    if (executable !== undefined) {
      bytes += executable.length;
      this.name = baseName(executable) || this.name;
      if (executable.startsWith('/memfd:')) this.flags = withFlag(this.flags, 'memfd');
      for (const directory of WRITABLE_DIRS) {
        if (executable.startsWith(directory)) this.flags = withFlag(this.flags, 'writable_dir');
      }
    }
    if (argv !== undefined) for (const argument of argv) bytes += argument.length + 24;
    this.bytes = bytes;
  }

  /** Takes over what is still unknown; returns whether anything was. */
  fill(info: ProcessInfo): boolean {
    let changed = false;
    if (this.executable === undefined && info.executable !== undefined) {
      this.executable = info.executable;
      changed = true;
    }
    if (this.argv === undefined && info.argv !== undefined) {
      this.argv = info.argv;
      changed = true;
    }
    if (this.cwd === undefined && info.cwd !== undefined) {
      this.cwd = info.cwd;
      changed = true;
    }
    if (this.name === '' && info.name !== '') {
      this.name = info.name;
      changed = true;
    }
    if (this.flags === undefined && info.flags !== undefined) {
      this.flags = info.flags;
      changed = true;
    }
    if (changed) this.settle();
    return changed;
  }
}

/** One process. `startNs` is the first start time this tree saw for it and stays its identity. */
export class ProcessNode {
  readonly pid: number;
  readonly startNs: bigint;
  readonly id: string;
  /** Another precision of the same start time (tick against ns), once seen. */
  aliasNs: bigint;
  /** The process that had this pid before, as long as it is kept. */
  older: ProcessNode | undefined = undefined;

  /** The process that forked this one, also after its end (the kernel would say 1 by then). */
  ppid: number | undefined;
  parentStartNs: bigint | undefined = undefined;
  parentRef: ProcessRef | undefined = undefined;
  /** `lookup` was asked for the parent already. */
  parentSought = false;
  parentImage: ProgramImage | undefined = undefined;
  /** Ids from the parent upwards, shared by all children of one parent; valid for `ancestryEpoch`. */
  ancestry: string[] | undefined = undefined;
  ancestryEpoch = -1;
  childAncestry: string[] | undefined = undefined;
  childAncestryEpoch = -1;

  image: ProgramImage;
  /** What ran before the last exec: late events from before `imageSinceNs` belong to it. */
  previousImage: ProgramImage | undefined = undefined;
  imageSinceNs = 0n;

  uid: number | undefined;
  euid: number | undefined;
  gid: number | undefined;
  loginuid: number | undefined;
  sessionId: number | undefined;
  cgroupId: string | undefined;
  containerId: string | undefined;
  /** uid is not 0, but the process was seen to hold capabilities of root. */
  elevated: boolean;
  /** Built when a child or a target needs it; dropped when what it says changes. */
  ref: ProcessRef | undefined = undefined;

  exited = false;
  /** Its start, exec or a snapshot was seen, so it is not the shadow that a late event of an evicted process cast. */
  confirmed = false;
  /** Ended by assumption (agent restart), not by an exit event: a snapshot may revive it. */
  stale = false;
  list: NodeList | undefined = undefined;
  before: ProcessNode | undefined = undefined;
  after: ProcessNode | undefined = undefined;

  constructor(info: ProcessInfo, image: ProgramImage) {
    this.pid = info.pid;
    this.startNs = info.startNs;
    this.aliasNs = info.startNs;
    this.id = entityId(info);
    this.ppid = info.ppid;
    this.image = image;
    this.uid = info.uid;
    this.euid = info.euid;
    this.gid = info.gid;
    this.loginuid = info.loginuid;
    this.sessionId = info.sessionId;
    this.cgroupId = info.cgroupId;
    this.containerId = info.containerId;
    this.elevated = info.integrityLevel === 'elevated';
  }

  /** Same process? A start time in whole ticks (from /proc) stands for the tick it lies in. */
  startedAt(startNs: bigint): boolean {
    if (startNs === this.startNs || startNs === this.aliasNs) return true;
    if (startNs % TICK_NS !== 0n && this.startNs % TICK_NS !== 0n) return false;
    if (startNs / TICK_NS !== this.startNs / TICK_NS) return false;
    this.aliasNs = startNs;
    return true;
  }

  /** What ran at `tsNs`: late events may be older than the last exec. */
  imageAt(tsNs: bigint): ProgramImage {
    if (tsNs >= this.imageSinceNs || this.previousImage === undefined) return this.image;
    return this.previousImage;
  }

  /** Writes onto `info` what it lacks, and the identity as this tree knows it. */
  describe(info: ProcessInfo, image: ProgramImage): void {
    info.startNs = this.startNs;
    if (this.ppid !== undefined) info.ppid = this.ppid;
    if (this.parentStartNs !== undefined) info.parentStartNs = this.parentStartNs;
    if (image.executable !== undefined || info.name === '') info.name = image.name;
    info.executable ??= image.executable;
    info.argv ??= image.argv;
    info.cwd ??= image.cwd;
    info.uid ??= this.uid;
    info.euid ??= this.euid;
    info.gid ??= this.gid;
    info.loginuid ??= this.loginuid;
    info.sessionId ??= this.sessionId;
    info.cgroupId ??= this.cgroupId;
    if (info.cgroupId === this.cgroupId) info.containerId ??= this.containerId;
    info.flags ??= image.flags;
  }
}

/** Nodes by last use, oldest first. A node is in one list at a time. */
export class NodeList {
  oldest: ProcessNode | undefined = undefined;
  newest: ProcessNode | undefined = undefined;
  size = 0;

  remove(node: ProcessNode): void {
    if (node.before === undefined) this.oldest = node.after;
    else node.before.after = node.after;
    if (node.after === undefined) this.newest = node.before;
    else node.after.before = node.before;
    node.before = undefined;
    node.after = undefined;
    node.list = undefined;
    this.size -= 1;
  }

  /** Makes `node` the newest here, taking it out of the list it was in. */
  touch(node: ProcessNode): void {
    if (this.newest === node) return;
    node.list?.remove(node);
    node.list = this;
    node.before = this.newest;
    if (this.newest === undefined) this.oldest = node;
    else this.newest.after = node;
    this.newest = node;
    this.size += 1;
  }
}
