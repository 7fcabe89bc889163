/**
 * Processes that are cut off from the network because they read protected data: entries of a map by which the kernel's
 * connect hooks refuse. A child inherits its parent's entry before it runs, an entry leaves with its process, and all of a
 * policy leave with the policy. What is remembered here is only for telling: who, by which policy, what was read.
 */
import type { BpfAddon, BpfHandle } from '../../native-addon/index.ts';
import { entityId, type SentinelEvent } from '../event.ts';
import type { CutProcess, KernelCut } from '../policy/types.ts';
import { cutNetworkEntries } from './map-entries.ts';

/** Named at most, the latest; the kernel's map may take more processes. */
const MAX_CUT = 16_384;
const NS_PER_TICK = 10_000_000n;
const NS_PER_MINUTE = 60_000_000_000n;

/** A process by its start to the clock tick: that is how well the guard of files knows it. */
function keyOf(id: string): string {
  const [pid, startNs = '0'] = id.split('-');
  return `${pid}-${BigInt(startNs) / NS_PER_TICK}`;
}

interface Cut {
  told: CutProcess;
  handle: number;
  /** What was read, by the process that was cut off. */
  read: SentinelEvent;
}

export interface CutterParts {
  addon: Pick<BpfAddon, 'policyCut' | 'policyCuts' | 'policyUncut' | 'policyCutState' | 'policyWrite'>;
  handle: BpfHandle;
  nowMs: () => number;
  /** CLOCK_BOOTTIME. */
  bootNowNs: () => bigint;
}

export class NetworkCutter {
  readonly #parts: CutterParts;
  #policies = new Map<number, KernelCut>();
  readonly #cuts = new Map<string, Cut>();

  constructor(parts: CutterParts) {
    this.#parts = parts;
  }

  get policies(): ReadonlyMap<number, KernelCut> {
    return this.#policies;
  }

  /** Descriptor of the kernel's map. */
  get map(): number {
    return this.#parts.addon.policyCutState(this.#parts.handle).map;
  }

  /** Children of processes that are cut off for whom the map had no room: they are not cut off. */
  get lost(): number {
    return this.#parts.addon.policyCutState(this.#parts.handle).lost;
  }

  /** These policies cut off and no others; who was cut off by another is let go. Returns what the kernel refused. */
  apply(cuts: readonly KernelCut[]): { handle: number; reason: string }[] {
    const { addon, handle } = this.#parts;
    const isFirst = this.#policies.size === 0;
    this.#policies = new Map(cuts.map((cut) => [cut.policy.handle, cut]));
    if (isFirst && cuts.length === 0) return [];
    const { keys, values } = cutNetworkEntries(cuts);
    let refused: { handle: number; reason: string }[] = [];
    try {
      addon.policyWrite(handle, 'cut_net', keys, values);
    } catch (error) {
      const reason = (error as Error).message;
      refused = cuts.map(({ policy }) => ({ handle: policy.handle, reason }));
    }
    this.#let(addon.policyCuts(handle).filter((entry) => !this.#policies.has(entry.handle)));
    for (const [id, cut] of this.#cuts) if (!this.#policies.has(cut.handle)) this.#cuts.delete(id);
    return refused;
  }

  /** Cuts off the process that an event names, for a policy that is in force. '' or why not. */
  cut(event: SentinelEvent, policyHash: string): string {
    const { process } = event;
    const rule = [...this.#policies.values()].find(({ policy }) => policy.policyHash === policyHash);
    if (process === undefined || process.startNs === 0n) return 'the event names no process';
    if (rule === undefined) return 'the policy is not in force any more';
    const { addon, handle, bootNowNs } = this.#parts;
    const untilNs = bootNowNs() + BigInt(rule.minutes) * NS_PER_MINUTE;
    const isClosed = rule.policy.failMode === 'closed';
    const { pid, startNs } = process;
    const error = addon.policyCut(handle, pid, startNs, rule.policy.handle, isClosed, untilNs);
    if (error === '') this.note(event, rule.policy.handle);
    return error;
  }

  /** A process was cut off; `read` says what for. */
  note(read: SentinelEvent, handle: number): void {
    const rule = this.#policies.get(handle);
    const { process } = read;
    if (rule === undefined || process === undefined) return;
    const id = keyOf(entityId(process));
    const sinceMs = this.#parts.nowMs();
    const told = {
      pid: process.pid,
      name: process.executable ?? process.name,
      entityId: entityId(process),
      policyId: rule.policy.policyId,
      policyHash: rule.policy.policyHash,
      path: read.file?.path ?? '',
      sinceMs,
      untilMs: sinceMs + rule.minutes * 60_000,
    };
    this.#cuts.delete(id);
    this.#cuts.set(id, { told, handle, read });
    if (this.#cuts.size > MAX_CUT) this.#cuts.delete(this.#cuts.keys().next().value as string);
  }

  /** What was read by a process, or by the one it comes from, for which it was cut off. */
  readBehind(event: SentinelEvent): SentinelEvent | undefined {
    if (event.process === undefined) return undefined;
    const own = this.#cuts.get(keyOf(entityId(event.process)));
    if (own !== undefined) return own.read;
    for (const id of event.ancestry ?? []) {
      const found = this.#cuts.get(keyOf(id));
      if (found !== undefined) return found.read;
    }
    return undefined;
  }

  /** Who is cut off now; a process that has ended is named as long as something it started is cut off. */
  list(): CutProcess[] {
    if (this.#cuts.size === 0) return [];
    const alive = new Set(this.#parts.addon.policyCuts(this.#parts.handle).map(({ root }) => root));
    const nowMs = this.#parts.nowMs();
    const kept: CutProcess[] = [];
    for (const [id, { told }] of this.#cuts) {
      if (alive.has(told.pid) && told.untilMs > nowMs) kept.push(told);
      else this.#cuts.delete(id);
    }
    return kept;
  }

  /**
   * Lets a process go, with what it started since; without a pid, all. The pid of something it started stands for all of
   * them. Returns who was cut off.
   */
  release(pid?: number): CutProcess[] {
    const { addon, handle } = this.#parts;
    const entries = addon.policyCuts(handle);
    const root = pid === undefined ? undefined : entries.find((each) => each.pid === pid)?.root;
    const isMeant = (first: number): boolean => pid === undefined || first === pid || first === root;
    const which = this.list().filter((each) => isMeant(each.pid));
    this.#let(entries.filter((each) => isMeant(each.root)));
    for (const { entityId: id } of which) this.#cuts.delete(keyOf(id));
    return which;
  }

  #let(entries: readonly { pid: number }[]): void {
    const { addon, handle } = this.#parts;
    if (entries.length > 0)
      addon.policyUncut(
        handle,
        entries.map(({ pid }) => pid),
      );
  }
}
