/**
 * The process tree: learns from every decoded event and completes it with what the kernel record could not carry
 * (image, argv, parent, ancestry, user, container).
 *
 * `apply` is called once per event in log order, in the agent's main thread and again in the timeline worker, so it
 * depends on events alone: it never reads /proc itself. Events of the two lanes may interleave in any order.
 *
 * Invariants:
 * - pid + start time is the identity; a start time in whole ticks (from /proc) and one in ns within that tick are the
 *   same process, and the one seen first is written into every later event, so a process has one id in the store;
 *   start time 0 means unknown and stands for the latest process with that pid.
 * - exec changes the image, never the identity; fork shares the parent's image until the child execs.
 * - ppid, parent and ancestry name the process that forked, also after it ended and the kernel reparented the child.
 * - an exited process stays until `maxExited` newer ones exited: late events of the other lane still find it.
 * - live plus exited nodes never exceed `maxProcesses`, images never exceed `maxImageBytes` by more than one;
 *   what had to go is counted.
 */
import { entityId, type ProcessInfo, type ProcessRef, type SentinelEvent } from '../event.ts';
import { type ProcessNode, ProgramImage, TICK_NS } from './process-node.ts';
import { ProcessTable } from './process-table.ts';

/** Longest ancestry written into an event. */
export const MAX_ANCESTRY = 32;

export interface UserNames {
  nameOf(uid: number): string | undefined;
}

export interface ContainerIds {
  /** `pid` is a process of that cgroup, which may already have ended. */
  idOf(cgroupId: string, pid: number): string | undefined;
}

export interface ProcessTreeOptions {
  /** Live and exited together. Default 16,384. */
  maxProcesses?: number;
  /** Exited ones kept for late events. Default a quarter of `maxProcesses`. */
  maxExited?: number;
  /** Bytes of names, paths and arguments kept. Default 8 MiB. */
  maxImageBytes?: number;
  users?: UserNames;
  containers?: ContainerIds;
  /** Asked once for a process the tree has no event of; the answer counts if its start time fits. */
  lookup?: (pid: number) => ProcessInfo | undefined;
}

export interface ProcessTreeStats {
  live: number;
  exited: number;
  imageBytes: number;
  /** Nodes that left because a bound was reached; exited ones leave in the normal course too. */
  evictedLive: number;
  evictedExited: number;
  /** Events of processes whose start was not seen, and how many of those `lookup` answered. */
  unknown: number;
  lookedUp: number;
}

export class ProcessTree {
  readonly #table: ProcessTable;
  readonly #users: UserNames | undefined;
  readonly #containers: ContainerIds | undefined;
  readonly #lookup: ((pid: number) => ProcessInfo | undefined) | undefined;
  /** Grows when a link between known processes is found late: cached ancestries of before are rebuilt. */
  #epoch = 0;
  #unknown = 0;
  #lookedUp = 0;

  constructor(options: ProcessTreeOptions = {}) {
    const maxProcesses = Math.max(2, options.maxProcesses ?? 16_384);
    this.#table = new ProcessTable({
      maxProcesses,
      maxExited: Math.min(options.maxExited ?? maxProcesses >> 2, maxProcesses - 1),
      maxImageBytes: options.maxImageBytes ?? 8 * 1024 * 1024,
    });
    this.#users = options.users;
    this.#containers = options.containers;
    this.#lookup = options.lookup;
  }

  /** Learns from `event` and completes it in place. Never throws, never blocks. */
  apply(event: SentinelEvent): void {
    const info = event.process;
    if (info === undefined) return;
    if (info.pid === 0) {
      // The idle task: nobody did it, or the sensor does not know who.
      event.process = undefined;
      return;
    }
    let node = this.#table.find(info.pid, info.startNs);
    if (event.type === 'process') {
      switch (event.action) {
        case 'fork':
          node = this.#forked(node, info, event);
          break;
        case 'exec':
          node = this.#executed(node, info, event.tsNs);
          break;
        case 'snapshot':
          node = this.#snapshot(node, info, event.tsNs);
          break;
        case 'exit':
          node ??= this.#create(info, event.tsNs);
          node.exited = true;
          node.stale = false;
          break;
        case 'capset':
          if (node !== undefined) node.elevated = (event.details?.['effective'] ?? '0x0') !== '0x0';
          break;
      }
    }
    node ??= this.#create(info, event.tsNs);
    if (event.lane === 'security') this.#credentials(node, info);
    if (node.parentRef === undefined && node.ppid !== undefined && node.ppid !== 0) {
      this.#seek(node, event.tsNs, info.parentStartNs);
    }
    const toldCwd = info.cwd;
    this.#enrich(event, info, node);
    // The working directory is known of the moment of the exec only: a program may have left it since.
    if (event.action !== 'exec' && event.action !== 'snapshot' && event.action !== 'fork') info.cwd = toldCwd;
    if (event.target !== undefined) this.#completeRef(event.target, event.tsNs);
    this.#table.keep(node);
  }

  /** Notes that a process is alive, for an event that is not looked at further: it stays known. */
  touch(pid: number, startNs: bigint): void {
    const node = this.#table.find(pid, startNs);
    if (node !== undefined) this.#table.keep(node);
  }

  /** What is known of a process: a fresh object. Without `startNs`, of the latest process with that pid. */
  get(pid: number, startNs = 0n): ProcessInfo | undefined {
    const node = this.#table.find(pid, startNs);
    if (node === undefined) return undefined;
    const info: ProcessInfo = { pid, startNs: node.startNs, name: '' };
    node.describe(info, node.image);
    if (info.uid !== undefined) info.user = this.#users?.nameOf(info.uid);
    return info;
  }

  /**
   * A sensor started anew. After a reboot (`sameBoot` false) nothing stays; otherwise every live process counts as
   * ended until the snapshot that follows names it.
   */
  newEpoch(sameBoot: boolean): void {
    if (sameBoot) this.#table.expireLive();
    else this.#table.clear();
  }

  stats(): ProcessTreeStats {
    const { live, exited, imageBytes, evictedLive, evictedExited } = this.#table;
    return {
      live: live.size,
      exited: exited.size,
      imageBytes,
      evictedLive,
      evictedExited,
      unknown: this.#unknown,
      lookedUp: this.#lookedUp,
    };
  }

  #forked(known: ProcessNode | undefined, info: ProcessInfo, event: SentinelEvent): ProcessNode {
    const { tsNs } = event;
    // A thread: same process, nothing new.
    if (info.ppid === info.pid) return known ?? this.#create(info, tsNs);
    const parent = info.ppid === undefined ? undefined : this.#parentFor(info, tsNs);
    let node = known;
    if (node === undefined) {
      const image = this.#creator(event, parent)?.imageAt(tsNs);
      node = this.#table.add(info, image ?? new ProgramImage(info));
    } else if (parent !== undefined && node.image.executable === undefined && node.image.argv === undefined) {
      this.#table.release(node.image);
      node.image = this.#table.hold((this.#creator(event, parent) ?? parent).imageAt(tsNs));
      node.ref = undefined;
    }
    node.confirmed = true;
    if (node.parentRef !== undefined) return node;
    node.ppid = info.ppid;
    if (parent === undefined) return node;
    this.#link(node, parent, tsNs);
    node.uid ??= parent.uid;
    node.euid ??= parent.euid;
    node.gid ??= parent.gid;
    node.loginuid ??= parent.loginuid;
    node.sessionId ??= parent.sessionId;
    node.cgroupId ??= parent.cgroupId;
    if (node.cgroupId === parent.cgroupId) node.containerId ??= parent.containerId;
    node.elevated = parent.elevated;
    return node;
  }

  /** Who called fork: its image is the child's. Under CLONE_PARENT it is not the parent but the child's sibling. */
  #creator(event: SentinelEvent, parent: ProcessNode | undefined): ProcessNode | undefined {
    const pid = event.details?.['creatorPid'];
    if (pid === undefined) return parent;
    return this.#table.find(Number(pid), BigInt(event.details?.['creatorStartNs'] ?? 0));
  }

  #executed(known: ProcessNode | undefined, info: ProcessInfo, tsNs: bigint): ProcessNode {
    const image = new ProgramImage(info);
    if (known === undefined) return this.#adopt(info, image, tsNs);
    if (known.ppid === undefined) known.ppid = info.ppid;
    image.cwd ??= known.image.cwd;
    if (known.previousImage !== undefined) this.#table.release(known.previousImage);
    known.previousImage = known.image;
    known.image = this.#table.hold(image);
    known.imageSinceNs = tsNs;
    known.confirmed = true;
    known.ref = undefined;
    return known;
  }

  #snapshot(known: ProcessNode | undefined, info: ProcessInfo, tsNs: bigint): ProcessNode {
    if (known === undefined) return this.#adopt(info, new ProgramImage(info), 0n);
    if (known.stale) {
      known.stale = false;
      known.exited = false;
      // It may have exec'd while nobody looked: what the snapshot says is newer than what is remembered.
      if (known.image.executable !== info.executable) return this.#executed(known, info, tsNs);
    }
    this.#fill(known, info);
    known.confirmed = true;
    known.ppid ??= info.ppid;
    return known;
  }

  /** A node for a process whose start was not seen, completed by `lookup` if that knows it. */
  #create(info: ProcessInfo, tsNs: bigint): ProcessNode {
    this.#unknown += 1;
    const node = this.#table.add(info, new ProgramImage(info));
    const found = this.#lookup?.(info.pid);
    if (found === undefined || (info.startNs !== 0n && !node.startedAt(found.startNs))) return node;
    this.#lookedUp += 1;
    node.confirmed = true;
    this.#fill(node, found);
    node.ppid ??= found.ppid;
    this.#seek(node, tsNs);
    return node;
  }

  #adopt(info: ProcessInfo, image: ProgramImage, imageSinceNs: bigint): ProcessNode {
    const node = this.#table.add(info, image);
    node.imageSinceNs = imageSinceNs;
    node.confirmed = true;
    return node;
  }

  #parentFor(info: ProcessInfo, tsNs: bigint): ProcessNode | undefined {
    const ppid = info.ppid ?? 0;
    if (ppid === 0 || ppid === info.pid) return undefined;
    const parent = this.#table.findParent(ppid, info.parentStartNs, info.startNs);
    return parent ?? this.#lookUpParent(ppid, info.parentStartNs, info.startNs, tsNs, MAX_ANCESTRY);
  }

  /** Links a node that has no parent yet, if its parent is known by now; asks `lookup` the first time only. */
  #seek(node: ProcessNode, tsNs: bigint, parentStartNs?: bigint): void {
    const ppid = node.ppid;
    if (node.parentRef !== undefined || ppid === undefined || ppid === 0 || ppid === node.pid) return;
    let parent = this.#table.findParent(ppid, parentStartNs, node.startNs);
    if (parent === undefined && !node.parentSought) {
      node.parentSought = true;
      parent = this.#lookUpParent(ppid, parentStartNs, node.startNs, tsNs, MAX_ANCESTRY);
    }
    if (parent !== undefined && parent !== node) this.#link(node, parent, tsNs);
  }

  /** Makes nodes for a parent and its ancestors from `lookup`, at most `depth` of them. */
  #lookUpParent(
    pid: number,
    startNs: bigint | undefined,
    childStartNs: bigint,
    tsNs: bigint,
    depth: number,
  ): ProcessNode | undefined {
    if (this.#lookup === undefined || depth === 0) return undefined;
    const found = this.#lookup(pid);
    if (found === undefined) return undefined;
    if (childStartNs !== 0n && found.startNs > childStartNs + TICK_NS) return undefined;
    const known = this.#table.find(pid, found.startNs);
    if (known !== undefined) return known;
    this.#lookedUp += 1;
    const node = this.#adopt(found, new ProgramImage(found), 0n);
    if (startNs !== undefined && startNs !== 0n && !node.startedAt(startNs)) node.exited = true;
    this.#table.keep(node);
    const ppid = node.ppid ?? 0;
    if (ppid !== 0) {
      const grand =
        this.#table.findParent(ppid, undefined, node.startNs) ??
        this.#lookUpParent(ppid, undefined, node.startNs, tsNs, depth - 1);
      if (grand !== undefined && grand !== node) this.#link(node, grand, tsNs);
    }
    return node;
  }

  #link(node: ProcessNode, parent: ProcessNode, tsNs: bigint): void {
    const image = parent.imageAt(tsNs);
    node.parentStartNs = parent.startNs;
    node.parentRef = image === parent.image ? this.#refOf(parent) : this.#makeRef(parent, image);
    node.parentImage = this.#table.hold(image);
    node.ancestryEpoch = -1;
    if (node.childAncestry !== undefined) this.#epoch += 1;
  }

  #credentials(node: ProcessNode, info: ProcessInfo): void {
    if (info.uid !== undefined && info.uid !== node.uid) {
      node.uid = info.uid;
      node.ref = undefined;
    }
    if (info.euid !== undefined) node.euid = info.euid;
    if (info.gid !== undefined) node.gid = info.gid;
    if (info.loginuid !== undefined) node.loginuid = info.loginuid;
    if (info.sessionId !== undefined) node.sessionId = info.sessionId;
    if (info.cgroupId !== undefined && info.cgroupId !== node.cgroupId) {
      node.cgroupId = info.cgroupId;
      node.containerId = info.containerId;
    } else if (info.containerId !== undefined) node.containerId = info.containerId;
    if (info.integrityLevel !== undefined) node.elevated = info.integrityLevel === 'elevated';
  }

  #enrich(event: SentinelEvent, info: ProcessInfo, node: ProcessNode): void {
    const image = node.imageAt(event.tsNs);
    if (event.type === 'process' && image.flags !== undefined) info.flags = image.flags;
    node.describe(info, image);
    const { uid, cgroupId } = info;
    if (uid !== undefined) {
      info.user ??= this.#users?.nameOf(uid);
      info.integrityLevel ??= uid === 0 ? 'system' : info.euid === 0 || node.elevated ? 'elevated' : 'user';
    }
    if (cgroupId !== undefined) info.containerId ??= this.#containers?.idOf(cgroupId, info.pid);
    event.parent ??= node.parentRef;
    event.ancestry ??= this.#ancestryOf(node);
  }

  #ancestryOf(node: ProcessNode): string[] | undefined {
    if (node.ancestryEpoch === this.#epoch) return node.ancestry;
    node.ancestryEpoch = this.#epoch;
    if (node.parentRef === undefined) return undefined;
    const parent = this.#table.find(node.parentRef.pid, node.parentRef.startNs);
    if (parent !== undefined) node.ancestry = this.#childAncestryOf(parent);
    else node.ancestry ??= [entityId(node.parentRef)];
    return node.ancestry;
  }

  #childAncestryOf(parent: ProcessNode): string[] {
    if (parent.childAncestry !== undefined && parent.childAncestryEpoch === this.#epoch)
      return parent.childAncestry;
    const ids = [parent.id];
    let node: ProcessNode | undefined = parent;
    while (ids.length < MAX_ANCESTRY && node?.parentRef !== undefined) {
      const { parentRef }: ProcessNode = node;
      const next = this.#table.find(parentRef.pid, parentRef.startNs);
      if (next === undefined || node.ancestryEpoch === this.#epoch) {
        const rest = node.ancestry ?? [entityId(parentRef)];
        for (let i = 0; i < rest.length && ids.length < MAX_ANCESTRY; i++) ids.push(rest[i] as string);
        break;
      }
      ids.push(next.id);
      node = next;
    }
    parent.childAncestry = ids;
    parent.childAncestryEpoch = this.#epoch;
    return ids;
  }

  #refOf(node: ProcessNode): ProcessRef {
    node.ref ??= this.#makeRef(node, node.image);
    return node.ref;
  }

  #makeRef(node: ProcessNode, image: ProgramImage): ProcessRef {
    return {
      pid: node.pid,
      startNs: node.startNs,
      name: image.name,
      executable: image.executable,
      argv: image.argv,
      cwd: image.cwd,
      uid: node.uid,
      user: node.uid === undefined ? undefined : this.#users?.nameOf(node.uid),
    };
  }

  #completeRef(ref: ProcessRef, tsNs: bigint): void {
    const node = this.#table.find(ref.pid, ref.startNs);
    if (node === undefined) return;
    const image = node.imageAt(tsNs);
    ref.startNs = node.startNs;
    if (image.executable !== undefined || ref.name === '') ref.name = image.name;
    ref.executable ??= image.executable;
    ref.argv ??= image.argv;
    ref.cwd ??= image.cwd;
    ref.uid ??= node.uid;
    if (ref.uid !== undefined) ref.user ??= this.#users?.nameOf(ref.uid);
  }

  /** Adds late knowledge to an image; references that children hold learn it too. */
  #fill(node: ProcessNode, info: ProcessInfo): void {
    const before = node.image.bytes;
    if (node.image.fill(info)) {
      this.#table.imageBytes += node.image.bytes - before;
      if (node.ref !== undefined) Object.assign(node.ref, this.#makeRef(node, node.image));
    }
    node.uid ??= info.uid;
    node.euid ??= info.euid;
    node.gid ??= info.gid;
    node.loginuid ??= info.loginuid;
    node.sessionId ??= info.sessionId;
    node.cgroupId ??= info.cgroupId;
  }
}
