/**
 * What /proc tells of one process, as the event a snapshot or a late exec record is made of.
 *
 * Reads are synchronous and a few microseconds each; nothing here is called per event. Every read may find the
 * process gone: the answer is then undefined. The start time is read before and after everything else, so an answer
 * never mixes two processes that had the same pid.
 *
 * Start times have the resolution of /proc, 10 ms: `startNs` is the beginning of the tick, which the process tree
 * takes for the same process as the exact time of a kernel record.
 */
import { isUtf8 } from 'node:buffer';
import { closeSync, openSync, readFileSync, readlinkSync, readSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { FileIdentity, ProcessInfo, SentinelEvent, Truncation } from '../event.ts';
import { containerIdOfCgroup, findCgroup2, parseProcCgroup } from './containers.ts';
import { ARGV_MAX, UNKNOWN_ID } from './layout.ts';
import { TICK_NS } from './process-node.ts';
import { deviceText } from './record-reader.ts';

const PF_KTHREAD = 0x00200000;
const S_IFMT = 0o170000;
const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const DELETED = ' (deleted)';

export interface ProcStat {
  pid: number;
  comm: string;
  /** Ended, but its parent has not asked for the exit status yet. */
  zombie: boolean;
  /** As wait(2) gives it; of a zombie that is ours to know about. */
  exitStatus: number | undefined;
  ppid: number;
  sid: number;
  ttyNr: number;
  kthread: boolean;
  startTicks: number;
  /** Beginning of that tick, ns since boot. */
  startNs: bigint;
  /** Where the stack begins: exec draws a new place, fork keeps it. 0 when not ours to know. */
  stackStart: number;
  /** Length of the argument area; 0 when not ours to know. */
  argBytes: number;
}

/** Fields of /proc/PID/stat; undefined when the text is not one. The name may hold spaces, parentheses, newlines. */
export function parseStat(text: string): ProcStat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 2 || close < open) return undefined;
  // fields[0] is field 3 of proc(5).
  const fields = text.slice(close + 2).split(' ');
  const startTicks = Number(fields[19]);
  const pid = Number(text.slice(0, open - 1));
  if (!Number.isInteger(pid) || fields.length < 20 || !Number.isFinite(startTicks)) return undefined;
  const argStart = Number(fields[45] ?? 0);
  const argEnd = Number(fields[46] ?? 0);
  const zombie = fields[0] === 'Z' || fields[0] === 'X';
  return {
    pid,
    comm: text.slice(open + 1, close),
    zombie,
    exitStatus: zombie && fields[49] !== undefined ? Number(fields[49]) : undefined,
    ppid: Number(fields[1]),
    sid: Number(fields[3]),
    ttyNr: Number(fields[4]) >>> 0,
    kthread: (Number(fields[6]) & PF_KTHREAD) !== 0,
    startTicks,
    startNs: BigInt(startTicks) * TICK_NS,
    stackStart: Number(fields[25] ?? 0),
    argBytes: argEnd > argStart ? argEnd - argStart : 0,
  };
}

function tryRead<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined; // Gone, or not ours to see.
  }
}

export class ProcReader {
  readonly root: string;
  readonly #cgroupMount: string | undefined;
  readonly #buffer = Buffer.alloc(ARGV_MAX + 1);
  #lastCgroup = { path: '', id: '' };

  constructor(options: { root?: string; cgroupRoot?: string } = {}) {
    this.root = options.root ?? '/proc';
    this.#cgroupMount = findCgroup2(options.cgroupRoot);
  }

  stat(pid: number): ProcStat | undefined {
    return tryRead(() => parseStat(readFileSync(`${this.root}/${pid}/stat`, 'latin1')));
  }

  /** Event about a process as it is now, without time; undefined when it ended (or a new one has its pid). */
  event(pid: number, action: 'snapshot' | 'exec'): SentinelEvent | undefined {
    for (let attempt = 0; attempt < 3; attempt++) {
      const before = this.stat(pid);
      if (before === undefined) return undefined;
      const event = this.#read(before, action);
      const after = this.stat(pid);
      if (after === undefined || after.startTicks !== before.startTicks) return undefined;
      // An exec in between would mix two programs: read again.
      if (after.comm === before.comm && after.stackStart === before.stackStart) return event;
    }
    return undefined;
  }

  /** For ProcessTree's `lookup`. */
  lookup(pid: number): ProcessInfo | undefined {
    return this.event(pid, 'snapshot')?.process;
  }

  #read(stat: ProcStat, action: string): SentinelEvent {
    const { pid } = stat;
    const base = `${this.root}/${pid}`;
    const truncated: Truncation[] = [];
    const details: Record<string, string> = {};
    const info: ProcessInfo = {
      pid,
      startNs: stat.startNs,
      name: stat.comm,
      tid: pid,
      ppid: stat.ppid,
    };
    const flags: string[] = [];
    if (stat.kthread) flags.push('kthread');
    this.#readStatus(base, info, details);
    info.argv = this.#argv(base, stat, truncated);
    info.loginuid = this.#id(`${base}/loginuid`);
    info.sessionId = this.#id(`${base}/sessionid`);
    info.cwd = tryRead(() => readlinkSync(`${base}/cwd`));
    this.#readExecutable(base, info, flags);
    this.#readCgroup(base, info, details);
    if (stat.ttyNr !== 0) details['tty'] = deviceText(stat.ttyNr);
    if (stat.sid > 0) details['sid'] = String(stat.sid);
    if (flags.length > 0) info.flags = flags;
    return {
      eventId: 0,
      type: 'process',
      action,
      lane: 'security',
      tsNs: 0n,
      process: info,
      details: Object.keys(details).length > 0 ? details : undefined,
      severity: 'info',
      truncated: truncated.length > 0 ? truncated : undefined,
    };
  }

  #readStatus(base: string, info: ProcessInfo, details: Record<string, string>): void {
    const text = tryRead(() => readFileSync(`${base}/status`, 'latin1'));
    if (text === undefined) return;
    const ids = (name: string): number[] =>
      new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(text)?.[1]?.split(/\s+/).map(Number) ?? [];
    const [uid, euid] = ids('Uid');
    const [gid, egid] = ids('Gid');
    info.uid = uid;
    info.euid = euid;
    info.gid = gid;
    if (egid !== undefined && egid !== gid) details['egid'] = String(egid);
    const capabilities = /^CapEff:\s+0*([0-9a-f]+)$/m.exec(text)?.[1];
    if (uid !== 0 && capabilities !== undefined && capabilities !== '0')
      details['capabilities'] = `0x${capabilities}`;
    const namespacePids = ids('NSpid');
    if (namespacePids.length < 2) return;
    details['namespacePid'] = String(namespacePids.at(-1));
    for (const [link, name] of [
      ['pid', 'pidNamespace'],
      ['user', 'userNamespace'],
      ['mnt', 'mountNamespace'],
      ['net', 'networkNamespace'],
    ] as const) {
      const target = tryRead(() => readlinkSync(`${base}/ns/${link}`));
      const id = target === undefined ? undefined : /\[(\d+)\]/.exec(target)?.[1];
      if (id !== undefined) details[name] = id;
    }
  }

  #argv(base: string, stat: ProcStat, truncated: Truncation[]): string[] | undefined {
    const length = tryRead(() => {
      const fd = openSync(`${base}/cmdline`, 'r');
      try {
        let filled = 0;
        while (filled < this.#buffer.length) {
          const got = readSync(fd, this.#buffer, filled, this.#buffer.length - filled, filled);
          if (got === 0) break;
          filled += got;
        }
        return filled;
      } finally {
        closeSync(fd);
      }
    });
    if (length === undefined || length === 0) return undefined;
    const kept = this.#buffer.subarray(0, Math.min(length, ARGV_MAX));
    // argBytes is unknown (0) for processes that are not ours; then the length is a lower bound.
    if (length > ARGV_MAX) {
      truncated.push({ field: 'process.argv', originalLength: Math.max(stat.argBytes, length) });
    } else if (!isUtf8(kept)) truncated.push({ field: 'process.argv', originalLength: length });
    const text = kept.toString('utf8');
    return (text.endsWith('\0') ? text.slice(0, -1) : text).split('\0');
  }

  #id(path: string): number | undefined {
    const text = tryRead(() => readFileSync(path, 'latin1'));
    const id = text === undefined ? NaN : Number.parseInt(text, 10);
    return Number.isNaN(id) || id === UNKNOWN_ID ? undefined : id;
  }

  #readExecutable(base: string, info: ProcessInfo, flags: string[]): void {
    let path = tryRead(() => readlinkSync(`${base}/exe`));
    if (path === undefined) return;
    const file = tryRead(() => statSync(`${base}/exe`, { bigint: true }));
    if (file !== undefined) {
      if (file.nlink === 0n) {
        flags.push('deleted');
        if (path.endsWith(DELETED)) path = path.slice(0, -DELETED.length);
      }
      const mode = Number(file.mode);
      if ((mode & S_ISUID) !== 0) flags.push('setuid');
      if ((mode & S_ISGID) !== 0) flags.push('setgid');
      if ((mode & S_IFMT) !== 0) info.exeIdentity = identityOfStat(file);
    }
    if (path.startsWith('/memfd:')) flags.push('memfd');
    else if (((tryRead(() => statSync(dirname(path)))?.mode ?? 0) & 0o002) !== 0) flags.push('writable_dir');
    info.executable = path;
    info.name = path.slice(path.lastIndexOf('/') + 1);
  }

  #readCgroup(base: string, info: ProcessInfo, details: Record<string, string>): void {
    const text = tryRead(() => readFileSync(`${base}/cgroup`, 'utf8'));
    if (text === undefined) return;
    const { v2, all } = parseProcCgroup(text);
    // On v1 hosts any hierarchy may be the one that names the container.
    const path = [v2 ?? '', ...all].find((one) => containerIdOfCgroup(one) !== undefined) ?? v2;
    if (path !== undefined && path !== '/') details['cgroup'] = path;
    if (path !== undefined) info.containerId = containerIdOfCgroup(path);
    if (v2 !== undefined && this.#cgroupMount !== undefined)
      info.cgroupId = this.#cgroupId(this.#cgroupMount, v2);
  }

  #cgroupId(mount: string, path: string): string | undefined {
    if (this.#lastCgroup.path === path) return this.#lastCgroup.id;
    const id = tryRead(() => String(statSync(join(mount, path), { bigint: true }).ino));
    if (id !== undefined) this.#lastCgroup = { path, id };
    return id;
  }
}

/** What identifies the bytes of a file, from a bigint stat of it. */
export function identityOfStat(file: {
  dev: bigint;
  ino: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
  size: bigint;
}): FileIdentity {
  return {
    dev: Number(file.dev),
    inode: file.ino,
    mtimeNs: file.mtimeNs,
    ctimeNs: file.ctimeNs,
    size: Number(file.size),
  };
}
