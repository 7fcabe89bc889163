/**
 * Freezing containers: every process of the control group stops until it is thawed, by a person or by the end of the
 * agent. Only the group of a container is frozen, and none in which a protected process is; the container is one that
 * the policy's scope names, or there would be no decision.
 *
 * What is frozen is kept in a file, so that the next agent thaws what one that was killed left frozen and fails open;
 * where the kernel's hooks are held by a process of their own, that process does so at once.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { FailMode, FrozenCgroup } from '../policy/types.ts';
import { startOf } from './running.ts';

const MAX_FROZEN = 64;
const MAX_GROUPS = 4096;
/** What the holder of the hooks reads as a word of a shell. */
const PATH = /^\/[\w.@:+/\\-]{1,500}$/;
/** A clock tick of /proc in ns. */
const TICK_NS = 10_000_000n;

export interface FreezerParts {
  /** Where the cgroup v2 hierarchy is mounted. */
  mount: string;
  stateFile: string;
  containerOf: (cgroup: string) => string | undefined;
  /** Why no policy may touch a process; '' when one may. */
  protectedReason: (pid: number) => string;
  nowMs: () => number;
  /** Files into which 0 is to be written when the agent is killed. */
  onFrozen?: (files: readonly string[]) => void;
}

/** Why containers cannot be frozen on this machine; undefined when they can: a group is made and removed to see. */
export function whyNoFreezer(mount: string | undefined): string | undefined {
  if (mount === undefined) return 'there is no cgroup v2 hierarchy';
  const trial = join(mount, `sentinel-trial-${process.pid}`);
  try {
    mkdirSync(trial);
    try {
      accessSync(join(trial, 'cgroup.freeze'), constants.W_OK);
      return undefined;
    } finally {
      rmdirSync(trial);
    }
  } catch (error) {
    return `control groups cannot be frozen here (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`;
  }
}

export class CgroupFreezer {
  readonly #parts: FreezerParts;
  #frozen: FrozenCgroup[];

  constructor(parts: FreezerParts) {
    this.#parts = parts;
    const left = readState(parts.stateFile);
    this.#frozen = left.filter(({ cgroup }) => this.#exists(cgroup));
    // Left by an agent that was killed.
    this.thaw(({ failMode }) => failMode === 'open');
  }

  get frozen(): readonly FrozenCgroup[] {
    return this.#frozen;
  }

  /** Freezes the container of a process; '' or why not. */
  freeze(
    process: { pid: number; startNs: bigint; containerId?: string | undefined },
    { policyId, policyHash }: { policyId: string; policyHash: string },
    failMode: FailMode,
  ): string {
    const { pid, startNs, containerId } = process;
    if (containerId === undefined) return 'protected: it is in no container that the policy names';
    const start = startOf(pid);
    if (start === undefined) return 'it had ended';
    if (start !== startNs - (startNs % TICK_NS)) return "it had ended, and its number is another process's";
    const cgroup = this.#groupOf(pid, containerId);
    if (cgroup === undefined) return 'protected: it is in no container that the policy names';
    if (this.#frozen.some((each) => each.cgroup === cgroup)) return '';
    if (this.#frozen.length >= MAX_FROZEN) return `${MAX_FROZEN} containers are frozen already`;
    try {
      const before = this.#protectedIn(cgroup);
      if (before !== '') return before;
      this.#write(cgroup, '1');
      // Somebody may have come in meanwhile.
      const after = this.#protectedIn(cgroup);
      if (after !== '') {
        this.#write(cgroup, '0');
        return after;
      }
    } catch (error) {
      return `it could not be frozen (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`;
    }
    const sinceMs = this.#parts.nowMs();
    const frozen = { cgroup, containerId, policyId, policyHash, failMode, sinceMs };
    this.#frozen = [...this.#frozen, frozen];
    this.#save();
    return '';
  }

  /** Thaws what `which` picks; returns it. */
  thaw(which: (frozen: FrozenCgroup) => boolean): FrozenCgroup[] {
    const thawed = this.#frozen.filter(which);
    if (thawed.length === 0) return [];
    const stuck: FrozenCgroup[] = [];
    for (const each of thawed) {
      try {
        if (this.#exists(each.cgroup)) this.#write(each.cgroup, '0');
      } catch {
        stuck.push(each);
      }
    }
    this.#frozen = this.#frozen.filter((each) => !thawed.includes(each) || stuck.includes(each));
    this.#save();
    return thawed.filter((each) => !stuck.includes(each));
  }

  /** The agent ends in order: what fails open does not stay frozen without it. */
  close(): void {
    this.thaw(({ failMode }) => failMode === 'open');
  }

  /** The group of the container itself, above those that it made for itself. */
  #groupOf(pid: number, containerId: string): string | undefined {
    let own: string | undefined;
    try {
      own = /^0::(\/.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1];
    } catch {
      return undefined;
    }
    if (own === undefined || !PATH.test(own)) return undefined;
    for (let end = own.indexOf('/', 1); ; end = own.indexOf('/', end + 1)) {
      const path = end < 0 ? own : own.slice(0, end);
      if (this.#parts.containerOf(path) === containerId) return path;
      if (end < 0) return undefined;
    }
  }

  #protectedIn(cgroup: string): string {
    let groups = 0;
    const look = (directory: string): string => {
      if (++groups > MAX_GROUPS) throw new Error('it has too many control groups');
      for (const line of readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n')) {
        const reason = line === '' ? '' : this.#parts.protectedReason(Number(line));
        if (reason !== '') return `protected: process ${line} in it: ${reason}`;
      }
      for (const entry of readdirSync(directory, { withFileTypes: true })) {
        const reason = entry.isDirectory() ? look(join(directory, entry.name)) : '';
        if (reason !== '') return reason;
      }
      return '';
    };
    return look(this.#directory(cgroup));
  }

  #directory(cgroup: string): string {
    return join(this.#parts.mount, cgroup);
  }

  #exists(cgroup: string): boolean {
    return existsSync(join(this.#directory(cgroup), 'cgroup.freeze'));
  }

  #write(cgroup: string, value: '0' | '1'): void {
    writeFileSync(join(this.#directory(cgroup), 'cgroup.freeze'), value);
  }

  #save(): void {
    const { stateFile, onFrozen } = this.#parts;
    const open = this.#frozen.filter(({ failMode }) => failMode === 'open');
    onFrozen?.(open.map(({ cgroup }) => join(this.#directory(cgroup), 'cgroup.freeze')));
    try {
      mkdirSync(dirname(stateFile), { recursive: true, mode: 0o700 });
      writeFileSync(`${stateFile}.tmp`, JSON.stringify(this.#frozen), { mode: 0o600 });
      renameSync(`${stateFile}.tmp`, stateFile);
    } catch {
      // A full disk: what is frozen is known to this agent and to the holder of the hooks all the same.
    }
  }
}

function readState(path: string): FrozenCgroup[] {
  try {
    const list = JSON.parse(readFileSync(path, 'utf8')) as unknown;
    if (!Array.isArray(list)) return [];
    return (list as FrozenCgroup[]).filter(
      ({ cgroup }) => typeof cgroup === 'string' && PATH.test(cgroup) && !cgroup.split('/').includes('..'),
    );
  } catch {
    return []; // There is none, or it is damaged: then a person thaws, with the command or by hand.
  }
}
