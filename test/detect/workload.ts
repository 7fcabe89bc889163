/** Events such as a developer's machine makes, for benches: mostly ordinary, a few that rules look for. */
import type { SentinelEvent } from '../../agent/event.ts';

const COMMANDS: readonly (readonly [parent: string, path: string, ...argv: string[]])[] = [
  ['/usr/bin/bash', '/usr/bin/ls', 'ls', '-la', '--color=auto', '/home/ann/projects/sentinel/build'],
  [
    '/usr/bin/bash',
    '/usr/bin/git',
    'git',
    '-c',
    'core.quotepath=false',
    'status',
    '--porcelain=v2',
    '--branch',
  ],
  [
    '/usr/bin/make',
    '/usr/bin/cc',
    'cc',
    '-O2',
    '-Wall',
    '-Iinclude',
    '-I/usr/include/libxml2',
    '-DNDEBUG',
    '-c',
    'src/parser.c',
    '-o',
    'build/parser.o',
  ],
  [
    '/usr/bin/cc',
    '/usr/lib/gcc/x86_64-linux-gnu/12/cc1',
    '/usr/lib/gcc/x86_64-linux-gnu/12/cc1',
    '-quiet',
    '-I',
    'include',
    '-imultiarch',
    'x86_64-linux-gnu',
    'src/parser.c',
    '-quiet',
    '-dumpbase',
    'parser.c',
    '-mtune=generic',
    '-march=x86-64',
    '-O2',
    '-Wall',
    '-o',
    '/tmp/ccQ8bGkP.s',
  ],
  ['/usr/bin/cc', '/usr/bin/as', 'as', '-I', 'include', '--64', '-o', 'build/parser.o', '/tmp/ccQ8bGkP.s'],
  ['/usr/bin/node', '/usr/bin/dash', 'sh', '-c', 'node --enable-source-maps ./dist/cli.js build --watch'],
  ['/usr/bin/dash', '/usr/bin/node', 'node', '--enable-source-maps', './dist/cli.js', 'build', '--watch'],
  [
    '/usr/sbin/cron',
    '/usr/bin/dash',
    '/bin/sh',
    '-c',
    'test -x /etc/cron.daily/logrotate && run-parts --report /etc/cron.hourly',
  ],
  ['/usr/bin/dash', '/usr/bin/run-parts', 'run-parts', '--report', '/etc/cron.hourly'],
  [
    '/usr/lib/systemd/systemd',
    '/usr/bin/python3.11',
    '/usr/bin/python3',
    '/usr/lib/update-notifier/apt-check',
    '--human-readable',
  ],
  [
    '/usr/bin/bash',
    '/usr/bin/curl',
    'curl',
    '-fsSL',
    'https://deb.example.org/debian/dists/stable/InRelease',
    '-o',
    '/var/cache/x/InRelease',
  ],
  ['/usr/bin/bash', '/usr/bin/grep', 'grep', '-rn', '--include=*.ts', 'export function', 'agent/'],
  ['/usr/bin/bash', '/usr/bin/sed', 'sed', '-n', '1,200p', 'agent/detect/matcher.ts'],
  ['/usr/bin/bash', '/usr/bin/find', 'find', '.', '-name', '*.o', '-newer', 'Makefile', '-print'],
  ['/usr/bin/bash', '/usr/bin/ssh', 'ssh', '-o', 'ControlMaster=auto', 'build@10.1.2.3', 'uptime'],
  [
    '/usr/bin/bash',
    '/usr/bin/tar',
    'tar',
    '-czf',
    '/tmp/backup-2026-11-21.tar.gz',
    '-C',
    '/home/ann',
    'notes',
  ],
  ['/usr/bin/bash', '/usr/bin/chmod', 'chmod', '644', 'README.md'],
  ['/usr/bin/bash', '/usr/bin/systemctl', 'systemctl', '--user', 'show-environment'],
];
const FILES = [
  '/home/ann/projects/sentinel/build/parser.o',
  '/tmp/ccQ8bGkP.s',
  '/var/log/syslog',
  '/home/ann/.cache/mozilla/firefox/entries/8F2A',
  '/home/ann/projects/sentinel/src/parser.c~',
  '/var/lib/dpkg/status-new',
];
const ADDRESSES = ['10.1.2.3', '151.101.2.132', '140.82.121.4', '2a04:4e42:600::644', '127.0.0.1'];

function base(i: number): SentinelEvent {
  const [parent, executable, ...argv] = COMMANDS[i % COMMANDS.length] as (typeof COMMANDS)[number];
  return {
    eventId: 2 * i,
    type: 'process',
    action: 'exec',
    lane: 'security',
    tsNs: 1_790_000_000_000_000_000n + BigInt(i) * 1_000_000n,
    severity: 'info',
    process: {
      pid: 1000 + i,
      startNs: BigInt(i) * 1_000_000n,
      ppid: 900,
      name: executable.slice(executable.lastIndexOf('/') + 1),
      executable,
      // Arguments vary, so that no cache of strings flatters the result.
      argv: i < COMMANDS.length ? argv : [...argv, `--run=${i}`],
      cwd: '/home/ann/projects/sentinel',
      uid: 1000,
      euid: 1000,
      gid: 1000,
      loginuid: 1000,
      sessionId: 4,
      user: 'ann',
    },
    parent: {
      pid: 900,
      startNs: 1n,
      name: parent.slice(parent.lastIndexOf('/') + 1),
      executable: parent,
      argv: [parent, '-l'],
      uid: 1000,
      user: 'ann',
    },
  };
}

/** `count` executions. */
export function execEvents(count: number): SentinelEvent[] {
  return Array.from({ length: count }, (_, i) => base(i));
}

/** `count` events as they come: executions, files, connections, names. */
export function mixedEvents(count: number): SentinelEvent[] {
  return Array.from({ length: count }, (_, i) => {
    const event = base(i);
    if (i % 8 < 2) return event;
    if (i % 8 < 6) {
      const path = `${FILES[i % FILES.length]}${i % 3 === 0 ? i : ''}`;
      const action = (['open', 'create', 'write', 'unlink'] as const)[i % 4] as string;
      return { ...event, type: 'file', action, file: { path, op: action } };
    }
    if (i % 8 === 6) {
      const dstIp = ADDRESSES[i % ADDRESSES.length];
      return {
        ...event,
        type: 'network',
        action: 'connect',
        network: { protocol: 'tcp', dstIp, dstPort: 443, direction: 'outbound' },
      };
    }
    return {
      ...event,
      type: 'dns',
      action: 'query',
      dns: { query: `h${i}.cdn.example.net`, recordType: 'A' },
    };
  });
}
