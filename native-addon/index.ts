/** The only place that loads .node files. Each addon may be absent; callers get the reason and fall back. */
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DlpAddon } from './dlp.ts';
import type { NativeWal, NativeWalOptions } from './wal.ts';

/** What hashFile needs to know. */
export interface HashFileRequest {
  /** Tried in order until one opens and is the expected file. */
  paths: readonly string[];
  /** The file must have this identity when opened and when read; inode and times as decimal digits. */
  expected?: { inode: string; size: number; mtimeNs: string; ctimeNs: string };
  maxBytes: number;
  /** Keep away from the CPU's SHA extensions (tests). */
  portable?: boolean;
}

export type HashFileResult =
  | {
      refused?: undefined;
      /** st_dev, inode and times in ns, decimal. */
      dev: string;
      inode: string;
      size: number;
      mtimeNs: string;
      ctimeNs: string;
      /** Lower-case hex. */
      sha256: string;
      blake3: string;
    }
  | {
      refused: 'gone' | 'denied' | 'replaced' | 'changed' | 'too_large' | 'not_regular' | 'io';
      detail: string;
    };

/** The kernel's process connector on a thread of its own; see src/linux/proc_connector.cc for what it needs. */
export interface NativeProcConnector {
  /** Subscribes. @throws Error saying what is missing. */
  start(): void;
  /** What was collected since the last call. Losses count messages, exactly; `cpu` where it is known. */
  take(): {
    batches: { bytes: Buffer; count: number }[];
    losses: { cpu?: number; count: number; fromBootNs: bigint; toBootNs: bigint }[];
  };
  /** Ends the thread; what it collected can still be taken. */
  stop(): void;
  /** `vanished`: execs whose process ended before it could be read; `failure`: errno that ended the thread, or 0. */
  stats(): { records: number; lost: number; overruns: number; vanished: number; failure: number };
}

/** A file or everything below a directory that may not be opened. */
export interface GuardedPath {
  /** Resolved; a directory's ends in a slash. */
  path: string;
  directory: boolean;
  handle: number;
  /** What is not judged by the deadline is refused, instead of let pass. */
  closed: boolean;
  /** Only files whose content is forbidden, which somebody has to look into first. */
  content: boolean;
  /** The open is not refused, but who opens is cut off from the network for so long; needs useCutMap. */
  cutMs?: number;
  /** Resolved executables that may open it all the same. */
  except: string[];
}

export interface GuardedAct {
  pid: number;
  /** To the clock tick; 0 when nobody looked in time. */
  startNs: bigint;
  handle: number;
  /** `late_…`: answered at the deadline, unjudged. */
  outcome: 'applied' | 'protected_process' | 'late_passed' | 'late_refused' | 'cut' | 'not_cut';
  path: string;
  executable: string;
  /** Why it was not cut off. */
  error: string;
}

/** A file that waits to be looked into; the descriptor is to be closed by whoever takes it. */
export interface GuardedAsk {
  id: number;
  fd: number;
  path: string;
  /** One for each state of its content. */
  identity: string;
}

/** fanotify permission events, answered on threads of their own; see src/linux/file_guard.cc. */
export interface NativeFileGuard {
  /** Replaces what is guarded; returns what could not be. */
  set(paths: readonly GuardedPath[]): { handle: number; reason: string }[];
  /** The map by which processes are cut off; the descriptor stays the caller's, and open. */
  useCutMap(fd: number): void;
  /** Marks again: directories that came or were replaced. */
  refresh(): { handle: number; reason: string }[];
  /**
   * What was done since the last call; `dropped`: refused all the same, but not told; `late`: not
   * judged in time, since the start.
   */
  take(): { acts: GuardedAct[]; asks: GuardedAsk[]; dropped: number; late: number };
  /** An ask was looked into: the rules of these handles forbid what is in the file. Remembered for its content. */
  answer(id: number, identity: string, handles: readonly number[]): void;
  /** What is looked for has changed. */
  forget(): void;
  /** From here on everybody may open everything. */
  close(): void;
}

export interface CoreAddon {
  abi: number;
  /**
   * Signals a process through a pidfd, if it is the one that started then and no policy's reach ends before it. Returns
   * '' or why it was not done: `protected: …`, that it had ended, or the system's words.
   */
  actOnProcess(pid: number, startBootNs: bigint, what: 'kill' | 'stop' | 'continue'): string;
  /**
   * Has a child join a cgroup ('' for none) and then run `program -c ': > marker'`, or connect a datagram socket to this
   * machine, and says how it ended. Waits for it: some milliseconds.
   */
  tryOut(
    cgroupProcs: string,
    what: 'exec' | 'connect',
    program: string,
    marker: string,
  ): 'ran' | 'killed' | 'refused' | 'failed';
  /** Why no policy may touch a process; '' when one may. */
  protectedReason(pid: number): string;
  /** Adds a process (the browser that shows the console) to those that no policy may end, while it lives. */
  protectProcess(pid: number, why: string): void;
  /** Resolved paths of the executables that no policy may deny. */
  protectedExecutables(): string[];
  /** Who connected a unix socket, told by the kernel (src/host/peercred.cc). Throws for any other descriptor. */
  peerCredentials(fd: number): { pid: number; uid: number; gid: number; groups: number[] };
  /**
   * Takes from this process, for good: root, files, the network, other processes, new descriptors, memory beyond what it
   * has plus `dataBytes`, CPU time beyond `cpuSeconds` (src/host/confine.cc). Returns '' or what could not be done; the
   * process must not go on then.
   */
  confine(dataBytes: number, cpuSeconds: number): string;
  /** Ends this process at once, with nothing of Node's own end. */
  leave(code: number): never;
  /** Gives one open file the owner, mode, extended attributes and times of another; '' or what could not be kept. */
  copyAttributes(fromFd: number, toFd: number): string;
  hasShaExtensions: boolean;
  /** SHA-256 and BLAKE3 in one pass on the libuv pool; the digests are of the expected file or there are none. */
  hashFile(request: HashFileRequest): Promise<HashFileResult>;
  /** `onReady` is called on the main thread when there is something to take; `members`: only these and descendants. */
  NativeProcConnector: new (
    options: { cgroupMount?: string; members?: readonly number[]; receiveBytes?: number },
    onReady: () => void,
  ) => NativeProcConnector;
  /**
   * `onActs` is called on the main thread when there is something to take; `scopeCgroup`: only processes there, as
   * /proc/PID/cgroup names it, '' for all.
   * @throws Error when the kernel does not allow it.
   */
  NativeFileGuard: new (onActs: () => void, scopeCgroup: string, deadlineMs: number) => NativeFileGuard;
  NativeWal: new (options: NativeWalOptions, notify: () => void) => NativeWal;
  /** CRC-32C of bytes[start, end) continuing from `seed`. */
  crc32c: (seed: number, bytes: Uint8Array, start: number, end: number) => number;
  /** BLAKE3, 32 bytes; keyed if a 32-byte key is given. */
  blake3: (bytes: Uint8Array, key?: Uint8Array) => Buffer;
  /** Returns freed memory of the C heap to the system: half a millisecond under load. */
  trimHeap: () => void;
}

/** What the eBPF loader is told. Numbers that do not fit 53 bits never occur here. */
export interface BpfLoadOptions {
  objectPath: string;
  /** 0 host, 1 cgroup, 2 pid. */
  scopeKind: 0 | 1 | 2;
  cgroupPath?: string;
  scopePid?: number;
  readOpens: 0 | 1;
  /** Last argument of the process that holds the hooks, by which a successor finds it. */
  keeperTag?: string;
  /** Observability records per process and second; 0 = no limit. */
  rateLimit: number;
  /** Path components that matter; bits are SN_WATCH_* of src/linux/sensor-abi.h. */
  watches: { name: string; bits: number }[];
  /** Executables whose observability records are not wanted. */
  noise: { dev: number; inode: number }[];
}

export interface BpfLoss {
  lane: 'security' | 'observability';
  /** hook_missed: runs of a program that the kernel left out; each is a record at most. */
  cause: 'ring_full' | 'rate_limit' | 'sensor_blind' | 'hook_missed';
  /** Of hook_missed: the program. */
  hook: string;
  cpu?: number;
  count: number;
  fromNs: bigint;
  toNs: bigint;
}

/** Called on the main thread. Ring 0 is security, 1 observability; -1 brings losses, -2 says that reading ended. */
export interface BpfDeliver {
  (ring: 0 | 1, bytes: Buffer, count: number, firstSeq: number, wallOffsetNs: bigint): void;
  (ring: -1, losses: BpfLoss[]): void;
  (ring: -2): void;
}

export interface BpfStatus {
  hooks: {
    name: string;
    attach: string;
    state: 'active' | 'replaced' | 'missing';
    detail?: string;
    events: number;
    lost: number;
  }[];
  /** `tried` = delivered + lost + still in the ring. */
  rings: { name: string; usedBytes: number; sizeBytes: number; lost: number; tried: number }[];
  lsm: boolean;
  batches: number;
  records: number;
  wakeups: number;
  /** Times the reader left records in the ring because JavaScript was behind. */
  heldBack: number;
  appendFailures: number;
  clockSteps: number;
  wallOffsetNs: bigint;
}

export type PolicyMapName = 'pol_exe' | 'pol_path' | 'pol_dir' | 'pol_net' | 'cut_net';

/** What is not as it was left, and what there is. */
export interface BpfPolicyCheck {
  links: { hook: string; linkId: number; state: 'attached' | 'detached' | 'replaced' }[];
  maps: { map: string; id: number; entries: number }[];
  /** Entries that are missing, have another value, or were not written by us. `control`: the switch itself. */
  changes: { map: string; missing: number; changed: number; foreign: number }[];
  /** Matches since the start, whatever was done about them. */
  acts: number;
  /** Whether the kernel runs the hooks: a thread was started, and its fork was counted. */
  hooksRun: boolean;
  /** Since the agent's last sign of life. */
  heartbeatAgeNs: number;
  keeperPid: number;
}

/** Opaque; must stay referenced until reading ended. */
export type BpfHandle = object & { readonly __bpf: never };

export interface BpfAddon {
  abi: number;
  /** Loads and attaches. Throws an Error with `code`: object, no_btf, permission, scope or kernel. */
  load(options: BpfLoadOptions): BpfHandle;
  /** Records of the processes that run now. */
  snapshot(handle: BpfHandle): Buffer;
  /** Starts the reader thread; `appender` is WalWriter.nativeHandle. */
  start(handle: BpfHandle, deliver: BpfDeliver, appender?: unknown): void;
  /** Detaches, delivers what is left, then calls deliver(-2). */
  stop(handle: BpfHandle): void;
  status(handle: BpfHandle): BpfStatus;
  /**
   * Makes a policy map hold these entries (C layout, back to back, sensor-abi.h) and no others.
   * @throws Error when the map is full.
   */
  policyWrite(handle: BpfHandle, map: PolicyMapName, keys: Buffer, values: Buffer): void;
  /**
   * `silentNs`: after so long without policyBeat, entries that fail open no longer act. `hold`: the hooks stay when the
   * agent is killed. `verdictsWait`: records that gate a decision are committed at once. `cuts`: processes may be cut off.
   */
  policyArm(
    handle: BpfHandle,
    options: { silentNs: number; hold: boolean; verdictsWait: boolean; cuts: boolean },
  ): void;
  /** Cuts a process, and what it starts from now on, off from the network; times in ns since boot. '' or why not. */
  policyCut(
    handle: BpfHandle,
    pid: number,
    startNs: bigint,
    policyHandle: number,
    failClosed: boolean,
    untilNs: bigint,
  ): string;
  /** Who is cut off now; `root`: pid of the process that was first, whose children the others are. */
  policyCuts(handle: BpfHandle): { pid: number; root: number; handle: number }[];
  policyUncut(handle: BpfHandle, pids: number[]): void;
  /** The descriptor of the map of those who are cut off; children of them for which it had no room. */
  policyCutState(handle: BpfHandle): { map: number; lost: number };
  /** The agent's sign of life. */
  policyBeat(handle: BpfHandle): void;
  /** Files into which the process that holds the hooks writes 0 when the agent is killed. */
  policyFrozen(handle: BpfHandle, files: string[]): void;
  /** Looks up anew which processes are protected; returns how many. */
  policyProtect(handle: BpfHandle): number;
  policyCheck(handle: BpfHandle): BpfPolicyCheck;
  /** Writes the maps as they should be; '' or why not. */
  policyRestore(handle: BpfHandle): string;
}

export type Loaded<T> = { ok: true; addon: T } | { ok: false; reason: string };

const here = dirname(fileURLToPath(import.meta.url));

/** Folder with the .node files and the eBPF object: $SENTINEL_NATIVE_DIR, else out/native of bundle or checkout. */
export function nativeDir(): string {
  const candidates = [
    process.env['SENTINEL_NATIVE_DIR'],
    join(here, '..', 'native'),
    join(here, '..', 'out', 'native'),
  ];
  return candidates.find((path) => path !== undefined && existsSync(path)) ?? join(here, '..', 'native');
}

const loaded = new Map<string, Loaded<unknown>>();

function load<T extends { abi: number }>(name: string): Loaded<T> {
  const known = loaded.get(name);
  if (known) return known as Loaded<T>;
  let result: Loaded<T>;
  try {
    const addon = createRequire(import.meta.url)(join(nativeDir(), `${name}.node`)) as T;
    result =
      addon.abi === 1
        ? { ok: true, addon }
        : { ok: false, reason: `${name}.node has ABI ${addon.abi}, this build needs 1; rebuild` };
  } catch (error) {
    result = { ok: false, reason: `${name}.node did not load: ${(error as Error).message.split('\n')[0]}` };
  }
  loaded.set(name, result);
  return result;
}

/** WAL writer, BLAKE3, file hashing, proc connector, peer credentials. */
export function loadCore(): Loaded<CoreAddon> {
  return load<CoreAddon>('sentinel_core');
}

/** The eBPF sensor; needs libbpf at run time. */
export function loadBpf(): Loaded<BpfAddon> {
  return load<BpfAddon>('sentinel_bpf');
}

/** Options of Node with which it writes its memory to files, at a signal or when memory is short. */
const WRITES_MEMORY = /--(heapsnapshot-signal|heapsnapshot-near-heap-limit|heap-prof)\b/;

/**
 * The DLP scanner. Loaded when something is to be scanned, never at the agent's start. From then on nothing of this
 * process' memory is written anywhere: no core dumps (src/dlp/binding.cc), no reports of Node, and not with options that
 * ask for more.
 */
export function loadDlp(): Loaded<DlpAddon> {
  const [option] =
    WRITES_MEMORY.exec([...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].join(' ')) ?? [];
  if (option !== undefined) {
    const reason = `with ${option} Node writes memory to files, and what is scanned is in it: start without it`;
    return { ok: false, reason };
  }
  const { report } = process;
  report.reportOnFatalError = report.reportOnSignal = report.reportOnUncaughtException = false;
  return load<DlpAddon>('sentinel_dlp');
}
