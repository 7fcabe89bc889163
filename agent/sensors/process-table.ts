/**
 * Where the process tree keeps its nodes: found by pid and start time, ordered by last use, bounded in number and in
 * bytes. Exited processes and those nobody confirmed leave first, then the live ones not heard of for longest; both
 * are counted.
 */
import type { ProcessInfo } from '../event.ts';
import { NodeList, ProcessNode, type ProgramImage, TICK_NS } from './process-node.ts';

export interface TableLimits {
  maxProcesses: number;
  maxExited: number;
  maxImageBytes: number;
}

export class ProcessTable {
  readonly live = new NodeList();
  readonly exited = new NodeList();
  imageBytes = 0;
  evictedLive = 0;
  evictedExited = 0;
  readonly #byPid = new Map<number, ProcessNode>();
  readonly #limits: TableLimits;

  constructor(limits: TableLimits) {
    this.#limits = limits;
  }

  /** Start time 0 finds the latest process with that pid. */
  find(pid: number, startNs: bigint): ProcessNode | undefined {
    let node = this.#byPid.get(pid);
    if (node === undefined || startNs === 0n) return node;
    while (node !== undefined && !node.startedAt(startNs)) node = node.older;
    return node;
  }

  /** The process that could be the parent of one started at `childStartNs`: the newest that is not younger. */
  findParent(ppid: number, startNs: bigint | undefined, childStartNs: bigint): ProcessNode | undefined {
    if (startNs !== undefined && startNs !== 0n) return this.find(ppid, startNs);
    let node = this.#byPid.get(ppid);
    if (childStartNs === 0n) return node;
    while (node !== undefined && node.startNs > childStartNs + TICK_NS) node = node.older;
    return node;
  }

  /** Makes a node; the caller must `keep` it before the next one is made. */
  add(info: ProcessInfo, image: ProgramImage): ProcessNode {
    const node = new ProcessNode(info, this.hold(image));
    const head = this.#byPid.get(node.pid);
    if (head !== undefined && node.startNs !== 0n && node.startNs < head.startNs) {
      // A late event of an earlier process with this pid, long evicted: it takes its place in time.
      let younger = head;
      while (younger.older !== undefined && younger.older.startNs > node.startNs) younger = younger.older;
      node.older = younger.older;
      younger.older = node;
      node.exited = true;
      return node;
    }
    if (head !== undefined) {
      // The pid is taken anew, so its former holder ended, whether or not its exit was seen.
      node.older = head;
      head.exited = true;
      this.exited.touch(head);
    }
    this.#byPid.set(node.pid, node);
    return node;
  }

  hold(image: ProgramImage): ProgramImage {
    if (image.holders === 0) this.imageBytes += image.bytes;
    image.holders += 1;
    return image;
  }

  release(image: ProgramImage): void {
    image.holders -= 1;
    if (image.holders === 0) this.imageBytes -= image.bytes;
  }

  /** Marks `node` as used just now and brings the table back within its bounds, never at the cost of `node`. */
  keep(node: ProcessNode): void {
    (node.exited || !node.confirmed ? this.exited : this.live).touch(node);
    const { maxExited, maxImageBytes, maxProcesses } = this.#limits;
    if (
      this.exited.size > maxExited ||
      this.imageBytes > maxImageBytes ||
      this.live.size + this.exited.size > maxProcesses
    ) {
      this.#shrink(node);
    }
  }

  /** Every live process counts as ended, until a snapshot says otherwise. */
  expireLive(): void {
    let node = this.live.oldest;
    while (node !== undefined) {
      const { after } = node;
      node.exited = true;
      node.stale = true;
      this.exited.touch(node);
      node = after;
    }
  }

  clear(): void {
    for (const list of [this.live, this.exited]) {
      while (list.oldest !== undefined) this.#drop(list.oldest);
    }
  }

  #shrink(current: ProcessNode): void {
    while (this.exited.size > this.#limits.maxExited) {
      this.evictedExited += 1;
      this.#drop(this.exited.oldest as ProcessNode);
    }
    while (
      this.live.size + this.exited.size > this.#limits.maxProcesses ||
      this.imageBytes > this.#limits.maxImageBytes
    ) {
      const exited = this.exited.oldest;
      const victim = exited !== undefined && exited !== current ? exited : this.live.oldest;
      if (victim === undefined || victim === current) return;
      if (victim === exited) this.evictedExited += 1;
      else this.evictedLive += 1;
      this.#drop(victim);
    }
  }

  #drop(node: ProcessNode): void {
    node.list?.remove(node);
    const head = this.#byPid.get(node.pid);
    if (head === node) {
      if (node.older === undefined) this.#byPid.delete(node.pid);
      else this.#byPid.set(node.pid, node.older);
    } else {
      let younger = head;
      while (younger !== undefined && younger.older !== node) younger = younger.older;
      if (younger !== undefined) younger.older = node.older;
    }
    this.release(node.image);
    if (node.previousImage !== undefined) this.release(node.previousImage);
    if (node.parentImage !== undefined) this.release(node.parentImage);
  }
}
