/**
 * Which processes came, changed their program and went, from two looks at /proc. Shared by the polling sensor, which
 * knows nothing else, and by nobody who has kernel events.
 *
 * A look costs one readdir plus, for each process not met before, about 0.2 ms of reading; processes met lately are
 * looked at again, because a fork is often seen before its exec. Reads per look are bounded: what is left over waits
 * for the next look.
 */
import { readFileSync } from 'node:fs';
import type { SentinelEvent } from '../event.ts';
import type { ProcReader, ProcStat } from './proc-reader.ts';
import { listPids } from './proc-snapshot.ts';

/** A process is watched closely for its exec this long after it was met. */
const YOUNG_MS = 2_000;
/** Older processes looked at again per look, in turn: finds a late exec and a pid that was taken over. */
const ROTATION = 16;

interface Known {
  stat: ProcStat;
  /** Its end was told; it is a zombie. */
  ended: boolean;
  /** Until when it is watched closely, performance.now(). */
  youngUntilMs: number;
  /** What was told of it last. */
  event: SentinelEvent;
}

export interface ProcChanges {
  events: SentinelEvent[];
  /** Pids there now, ascending. */
  pids: number[];
  /** New processes not read yet because of the limit. */
  deferred: number;
  /** Processes met lately, whose exec may be near. */
  young: number;
}

/** Pid given out last, from /proc/loadavg; unchanged means that nothing was forked. Undefined when unknown. */
export function lastPid(root = '/proc'): number | undefined {
  try {
    const text = readFileSync(`${root}/loadavg`, 'latin1');
    const pid = Number(text.trim().split(' ').at(-1));
    return Number.isInteger(pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}

export class ProcWatch {
  readonly #reader: ProcReader;
  readonly #known = new Map<number, Known>();
  #rotation: number[] = [];

  constructor(reader: ProcReader) {
    this.#reader = reader;
  }

  /** Learns a process from the snapshot. */
  prime(event: SentinelEvent): void {
    const stat = event.process === undefined ? undefined : this.#reader.stat(event.process.pid);
    if (stat !== undefined) this.#known.set(stat.pid, { stat, ended: false, youngUntilMs: 0, event });
  }

  /** Looks once, reading at most `maxReads` processes. */
  look(maxReads: number): ProcChanges {
    const events: SentinelEvent[] = [];
    const pids = listPids(this.#reader.root);
    const present = new Set(pids);
    for (const [pid, known] of this.#known) {
      if (!present.has(pid)) this.#gone(pid, known, events);
    }
    let reads = 0;
    let deferred = 0;
    let young = 0;
    const nowMs = performance.now();
    for (const pid of pids) {
      const known = this.#known.get(pid);
      if (known === undefined) {
        if (reads >= maxReads) deferred += 1;
        else if (this.#arrived(pid, events)) reads += 1;
      } else if (nowMs < known.youngUntilMs) {
        young += 1;
        if (reads < maxReads && this.#again(pid, known, events)) reads += 1;
      }
    }
    if (this.#rotation.length === 0) this.#rotation = pids.slice();
    for (let turn = 0; turn < ROTATION && reads < maxReads; turn++) {
      const pid = this.#rotation.pop();
      const known = pid === undefined ? undefined : this.#known.get(pid);
      if (pid !== undefined && known !== undefined && this.#again(pid, known, events)) reads += 1;
    }
    return { events, pids, deferred, young };
  }

  #gone(pid: number, known: Known, events: SentinelEvent[]): void {
    this.#known.delete(pid);
    if (!known.ended) events.push(bare(known.event, 'exit'));
  }

  /** Returns whether the process was read in full. */
  #arrived(pid: number, events: SentinelEvent[]): boolean {
    const stat = this.#reader.stat(pid);
    const event = stat === undefined ? undefined : this.#reader.event(pid, 'exec');
    const info = event?.process;
    if (stat === undefined || event === undefined || info === undefined) return false;
    const parent = info.ppid === undefined ? undefined : this.#known.get(info.ppid);
    if (parent !== undefined && parent.stat.startTicks <= stat.startTicks) {
      info.parentStartNs = parent.event.process?.startNs;
    }
    this.#known.set(pid, { stat, ended: stat.zombie, youngUntilMs: performance.now() + YOUNG_MS, event });
    events.push(bare(event, 'fork'));
    if (stat.zombie) {
      events.push(exitOf(event, stat));
      return true;
    }
    // A child that still runs its parent's program has not called exec yet, as far as can be told.
    if (parent === undefined || !sameProgram(parent, stat, event)) events.push(event);
    return true;
  }

  /** Returns whether the process was read in full. */
  #again(pid: number, known: Known, events: SentinelEvent[]): boolean {
    const stat = this.#reader.stat(pid);
    if (stat === undefined) return false; // Ended: the next listing will lack it.
    if (stat.startTicks !== known.stat.startTicks) {
      this.#gone(pid, known, events);
      return this.#arrived(pid, events);
    }
    if (stat.zombie) {
      if (!known.ended) events.push(exitOf(known.event, stat));
      known.ended = true;
      return false;
    }
    const certain = stat.stackStart !== 0 && known.stat.stackStart !== 0;
    const quiet = certain ? stat.stackStart === known.stat.stackStart : stat.comm === known.stat.comm;
    if (quiet && (certain || performance.now() >= known.youngUntilMs)) return false;
    const event = this.#reader.event(pid, 'exec');
    if (event === undefined || (!certain && sameProgram(known, stat, event))) return true;
    this.#known.set(pid, { stat, ended: false, youngUntilMs: known.youngUntilMs, event });
    events.push(event);
    return true;
  }
}

/** What a kernel record of a fork or exit would carry. */
function bare(event: SentinelEvent, action: 'fork' | 'exit'): SentinelEvent {
  const { pid = 0, startNs = 0n, name = '', uid, euid, ppid, parentStartNs, cgroupId } = event.process ?? {};
  const process = { pid, startNs, name, uid, euid, ppid, parentStartNs, cgroupId };
  return { ...event, action, details: undefined, truncated: undefined, process };
}

/** The exit of a zombie. Status 0 may also mean that it is not ours to know, so it is left out. */
function exitOf(event: SentinelEvent, stat: ProcStat): SentinelEvent {
  const exit = bare(event, 'exit');
  const status = stat.exitStatus;
  if (exit.process === undefined || status === undefined) return exit;
  if ((status & 0x7f) !== 0) exit.process.exitSignal = status & 0x7f;
  else if (status !== 0) exit.process.exitCode = (status >>> 8) & 0xff;
  return exit;
}

/** Whether `event` (now) shows the program that `known` ran: exactly by the stack's place, else by what is readable. */
function sameProgram(known: Known, stat: ProcStat, event: SentinelEvent): boolean {
  if (stat.stackStart !== 0 && known.stat.stackStart !== 0) return stat.stackStart === known.stat.stackStart;
  const before = known.event.process;
  const now = event.process;
  return before?.executable === now?.executable && before?.argv?.join('\0') === now?.argv?.join('\0');
}
