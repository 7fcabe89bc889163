/**
 * Events as a busy workstation makes them, from a seed: processes live, fork, read libraries and configuration, build
 * files with new names, talk to the network, and end. Used by the timeline bench.
 */
import type { ProcessInfo, ProcessRef, SentinelEvent } from '../../agent/event.ts';
import { eventIdOf } from '../../agent/event.ts';

/** sfc32 (Doty-Humphrey); the same seed gives the same numbers on every machine. */
export function randomOf(seed: number): (below: number) => number {
  let a = seed | 0;
  let b = 0x9e3779b9;
  let c = 0x243f6a88;
  let counter = 1;
  const next = (): number => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    c |= 0;
    return t >>> 0;
  };
  for (let warm = 0; warm < 16; warm += 1) next();
  return (below) => Math.floor((next() / 4_294_967_296) * below);
}

const DIRECTORIES =
  'bin lib share python3 node_modules dist config etc src main build cache log include perl5'.split(' ');
const STEMS =
  'index util parser client server config render event store view model route query token buffer'.split(' ');
const PROGRAMS: readonly (readonly [
  path: string,
  weight: number,
  args: (r: (n: number) => number) => string[],
])[] = [
  ['/usr/bin/bash', 18, (r) => ['-c', `cd /home/dev/project${r(40)} && make -j4 target${r(300)}`]],
  [
    '/usr/bin/cc1',
    16,
    (r) => [
      '-quiet',
      '-I',
      '/usr/include',
      `src/${STEMS[r(15)]}${r(4000)}.c`,
      '-o',
      `/tmp/cc${r(1e9).toString(36)}.s`,
    ],
  ],
  ['/usr/bin/git', 12, (r) => ['status', '--porcelain', '-z', `--untracked=${['no', 'all'][r(2)]}`]],
  ['/usr/bin/node', 10, (r) => [`/home/dev/project${r(40)}/node_modules/.bin/${STEMS[r(15)]}`, '--watch']],
  ['/usr/bin/python3.11', 8, (r) => ['-m', STEMS[r(15)] ?? '', `--job=${r(5000)}`]],
  ['/usr/bin/grep', 10, (r) => ['-rn', `${STEMS[r(15)]}${r(900)}`, '.']],
  ['/usr/bin/sed', 8, (r) => ['-e', `s/${STEMS[r(15)]}/${STEMS[r(15)]}/g`]],
  [
    '/usr/bin/curl',
    2,
    (r) => ['-fsSL', `https://cdn${r(20)}.example.com/asset/${r(1e6)}.js`, '-o', `/tmp/dl-${r(1e6)}`],
  ],
  ['/usr/sbin/sshd', 1, () => ['-D', '-R']],
  ['/usr/bin/ls', 6, () => ['-la', '--color=auto']],
  ['/usr/lib/systemd/systemd-udevd', 1, () => []],
  ['/usr/bin/sudo', 1, (r) => ['-n', 'systemctl', 'restart', `unit${r(50)}.service`]],
];
const WHEEL = PROGRAMS.flatMap((program, index) => Array.from({ length: program[1] }, () => index));
const USERS = [
  { uid: 0, user: 'root' },
  { uid: 1000, user: 'dev' },
  { uid: 1001, user: 'ana' },
  { uid: 33, user: 'www-data' },
] as const;

interface Task {
  info: ProcessInfo;
  parent: ProcessRef;
  ancestry: string[];
  /** Events left before it ends. */
  left: number;
}

export interface EventSource {
  /** The next `count` events in order of time. */
  next: (count: number) => SentinelEvent[];
  readonly made: number;
}

/** A stream of events that begins at `startNs` with `gapNs` between two on average. */
export function eventSource(seed: number, startNs: bigint, gapNs: number): EventSource {
  const r = randomOf(seed);
  const shared = Array.from({ length: 30_000 }, (_, index) => {
    const depth = 2 + r(4);
    const parts = Array.from({ length: depth }, () => DIRECTORIES[r(DIRECTORIES.length)]);
    return `/usr/${parts.join('/')}/${STEMS[r(STEMS.length)]}${index}.${['so', 'js', 'h', 'py', 'conf'][r(5)]}`;
  });
  let ts = startNs;
  let boot = 1_000_000_000n;
  let made = 0;
  const seq = { security: 0, observability: 0 };
  let nextPid = 300;
  const shell: ProcessRef = {
    pid: 100,
    startNs: 5n,
    name: 'systemd',
    executable: '/usr/lib/systemd/systemd',
    argv: ['/sbin/init'],
    uid: 0,
    user: 'root',
  };
  const tasks: Task[] = [];

  const event = (
    type: SentinelEvent['type'],
    action: string,
    lane: SentinelEvent['lane'],
    task: Task | undefined,
    more: Partial<SentinelEvent>,
  ): SentinelEvent => {
    const step = BigInt(r(2 * gapNs) + 1);
    ts += step;
    boot += step;
    made += 1;
    seq[lane] += 1;
    const base: SentinelEvent = {
      eventId: eventIdOf(lane, seq[lane]),
      type,
      action,
      lane,
      tsNs: ts,
      sensorSeq: (BigInt(r(4)) << 48n) | BigInt(made),
      bootId: '0a1b2c3d-0000-4000-8000-000000000001',
      severity: 'info',
      ...more,
    };
    if (task) {
      base.process ??= { ...task.info, tid: task.info.pid };
      base.parent = task.parent;
      base.ancestry = task.ancestry;
    }
    return base;
  };

  const spawn = (out: SentinelEvent[]): void => {
    const from = tasks.length > 0 ? tasks[r(tasks.length)] : undefined;
    const who = from && r(20) > 0 ? from.info : USERS[r(USERS.length)];
    const parent: ProcessRef = from
      ? {
          pid: from.info.pid,
          startNs: from.info.startNs,
          name: from.info.name,
          executable: from.info.executable,
          argv: from.info.argv,
          cwd: from.info.cwd,
          uid: from.info.uid,
          user: from.info.user,
        }
      : shell;
    const [path, , args] = PROGRAMS[WHEEL[r(WHEEL.length)] ?? 0] ?? PROGRAMS[0]!;
    nextPid = nextPid > 4_000_000 ? 300 : nextPid + 1 + r(3);
    const forked: ProcessInfo = {
      pid: nextPid,
      startNs: boot,
      ppid: parent.pid,
      parentStartNs: parent.startNs,
      name: parent.name,
      executable: parent.executable,
      argv: parent.argv,
      cwd: from?.info.cwd ?? `/home/dev/project${r(40)}`,
      uid: who?.uid ?? 0,
      euid: who?.uid ?? 0,
      user: who?.user ?? 'root',
      sessionId: from?.info.sessionId ?? nextPid,
      integrityLevel: who?.uid === 0 ? 'system' : 'user',
      cgroupId: String(4000 + r(3)),
    };
    const ancestry = [`${parent.pid}-${parent.startNs}`, ...(from?.ancestry ?? [])].slice(0, 8);
    const task: Task = { info: forked, parent, ancestry, left: 2 + r(r(30) === 0 ? 400 : 16) };
    out.push(event('process', 'fork', 'security', task, {}));
    task.info = {
      ...forked,
      name: path.slice(path.lastIndexOf('/') + 1),
      executable: path,
      argv: [path, ...args(r)],
    };
    if (path.endsWith('curl'))
      out.push(
        event('dns', 'query', 'observability', task, {
          dns: { query: `cdn${r(20)}.example.com`, recordType: 'A' },
        }),
      );
    const alarm = r(4000) === 0;
    out.push(
      event(
        'process',
        'exec',
        'security',
        task,
        alarm
          ? {
              severity: 'high',
              detections: [
                {
                  ruleId: 'bench-1',
                  title: 'Suspicious shell',
                  level: 'high',
                  attack: ['T1059.004'],
                  clauses: [],
                  source: 'bundled',
                },
              ],
            }
          : {},
      ),
    );
    tasks.push(task);
  };

  const act = (index: number, out: SentinelEvent[]): void => {
    const task = tasks[index];
    if (!task) return;
    task.left -= 1;
    if (task.left < 0) {
      out.push(
        event('process', 'exit', 'security', task, {
          process: { ...task.info, exitCode: r(20) === 0 ? 1 : 0 },
        }),
      );
      tasks[index] = tasks.at(-1) ?? task;
      tasks.pop();
      return;
    }
    const kind = r(100);
    if (kind < 84) {
      // Most opens are of few files: squares of a uniform number crowd at the low end.
      const pick = Math.floor((r(30_000) * r(30_000)) / 30_000);
      const fresh = r(100) < 15;
      const path = fresh
        ? `${task.info.cwd}/build/obj/${STEMS[r(STEMS.length)]}-${r(1e9).toString(36)}.o`
        : (shared[pick] ?? '/etc/hosts');
      const action = fresh ? (r(2) === 0 ? 'create' : 'write') : 'open';
      out.push(
        event('file', action, 'observability', task, {
          file: {
            path,
            op: action,
            inode: String(100_000 + pick),
            device: '8:1',
            flags: 32_768,
            bytes: fresh ? r(100_000) : undefined,
          },
        }),
      );
    } else if (kind < 98) {
      out.push(
        event('network', 'connect', 'observability', task, {
          network: {
            protocol: 'tcp',
            srcIp: '192.168.1.20',
            srcPort: 32_768 + r(28_000),
            dstIp: `10.${r(4)}.${r(30)}.${r(200)}`,
            dstPort: [443, 80, 22, 5432, 6379][r(5)] ?? 443,
            direction: 'outbound',
          },
        }),
      );
    } else
      out.push(
        event('metric', 'sample', 'observability', undefined, {
          metrics: { 'cpu.user': r(100) / 100, 'memory.used': r(1e9) },
        }),
      );
  };

  return {
    next(count) {
      const out: SentinelEvent[] = [];
      while (out.length < count) {
        if (tasks.length < 40 || (tasks.length < 400 && r(9) === 0)) spawn(out);
        else act(r(tasks.length), out);
      }
      return out;
    },
    get made() {
      return made;
    },
  };
}
