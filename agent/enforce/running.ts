/** Who runs a file now, by the file's identity. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { FileIdentity } from '../event.ts';

/** A clock tick of /proc in ns. */
const TICK_NS = 10_000_000n;

export interface RunningProcess {
  pid: number;
  /** To the clock tick. */
  startNs: bigint;
}

/** Start of a process; undefined when it has ended. */
export function startOf(pid: number): bigint | undefined {
  try {
    // The name may hold anything, also parentheses: fields are counted from the last one.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop()?.split(' ') ?? [];
    return BigInt(fields[19] ?? 0) * TICK_NS;
  } catch {
    return undefined;
  }
}

/** Processes whose executable is this version of this file. The device is not compared: see FileIdentity. */
export function runningProcesses({ inode, size, ctimeNs }: FileIdentity): RunningProcess[] {
  const found: RunningProcess[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!(pid > 0)) continue;
    try {
      const exe = statSync(`/proc/${pid}/exe`, { bigint: true });
      if (exe.ino !== inode || exe.size !== BigInt(size) || exe.ctimeNs !== ctimeNs) continue;
    } catch {
      continue; // It ended, or is a kernel thread.
    }
    const startNs = startOf(pid);
    if (startNs !== undefined) found.push({ pid, startNs });
  }
  return found;
}

/** Whether a process is in a cgroup, as /proc/PID/cgroup names it. */
export function inCgroup(pid: number, cgroup: string): boolean {
  try {
    const own = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? '';
    return own === cgroup || own.startsWith(`${cgroup}/`);
  } catch {
    return false;
  }
}
