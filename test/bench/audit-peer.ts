/**
 * auditd as the peer of the capture bench: run in the foreground with a configuration and a log of its own, rules
 * that record the same calls, and everything as it was afterwards.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const KEY = 'sentinel-bench';
/** The calls that the sensor records in the three storms. Exits of processes are calls too. */
const RULES: readonly (readonly string[])[] = [
  ['execve', 'execveat', 'fork', 'vfork', 'clone', 'clone3', 'exit', 'exit_group'],
  ['open', 'openat', 'creat', 'close', 'unlink', 'unlinkat', 'rename', 'renameat', 'renameat2'],
  ['connect', 'accept', 'accept4', 'listen'],
];

export interface AuditPeer {
  /** CPU time of auditd and of the kernel's audit thread since `mark`, microseconds. */
  cpuUs(): number;
  mark(): void;
  stop(): Promise<void>;
}

function auditctl(...args: string[]): string {
  const result = spawnSync('auditctl', args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`auditctl ${args.join(' ')}: ${result.stderr.trim()}`);
  return result.stdout;
}

function ruleArgs(verb: '-a' | '-d', calls: readonly string[]): string[] {
  // A close is only worth a record when it succeeded; so is everything else.
  const filter = calls.includes('exit') ? [] : ['-F', 'success=1'];
  return [
    verb,
    'always,exit',
    '-F',
    'arch=b64',
    ...calls.flatMap((call) => ['-S', call]),
    ...filter,
    '-k',
    KEY,
  ];
}

function installed(): boolean {
  return (
    spawnSync('auditctl', ['-v']).status === 0 && spawnSync('sh', ['-c', 'command -v auditd']).status === 0
  );
}

/** Debian starts the services it installs unless this says no. */
const SERVICE_POLICY = '/usr/sbin/policy-rc.d';

/** Installs auditd from Debian without starting it; returns why that failed. Its packages stay. */
function install(): string | undefined {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args: string[]) =>
    spawnSync('apt-get', args, {
      env,
      encoding: 'utf8',
      timeout: 300_000,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  if (apt('--version').status !== 0) return 'auditd is not installed, and there is no apt-get';
  const ownPolicy = !existsSync(SERVICE_POLICY);
  if (ownPolicy) writeFileSync(SERVICE_POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const get = () => apt('install', '-y', '-qq', '--no-install-recommends', 'auditd');
    let result = get();
    // A fresh machine may have no package lists, or old ones.
    if (result.status !== 0 && apt('update', '-qq').status === 0) result = get();
    if (installed()) return undefined;
    return `auditd is not installed and could not be (${(result.stderr ?? '').trim().split('\n').at(-1)})`;
  } finally {
    if (ownPolicy) rmSync(SERVICE_POLICY, { force: true });
  }
}

/** Why auditd cannot be the peer here; undefined when it can. As root, installs it when it is missing. */
export function auditUnavailable(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = installed() ? undefined : install();
  if (missing !== undefined) return missing;
  try {
    const status = auditctl('-s');
    const pid = /^pid (\d+)/m.exec(status)?.[1];
    if (pid !== '0') return `another audit daemon runs (pid ${pid}): not touched`;
    if (!auditctl('-l').includes('No rules')) return 'there are audit rules already: not touched';
  } catch (error) {
    return `the kernel's audit is not to be had (${(error as Error).message})`;
  }
  return undefined;
}

/** utime + stime of a process, in microseconds (ticks of 10 ms). */
function cpuOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  } catch {
    return 0;
  }
}

function kauditd(): number {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      if (readFileSync(`/proc/${pid}/comm`, 'latin1') === 'kauditd\n') return Number(pid);
    } catch {
      // It ended meanwhile.
    }
  }
  return 0;
}

/** Starts auditd with the rules. Only when auditUnavailable() is undefined. */
export async function startAudit(): Promise<AuditPeer> {
  const directory = mkdtempSync(join(tmpdir(), 'sentinel-audit-'));
  mkdirSync(join(directory, 'plugins.d'));
  writeFileSync(
    join(directory, 'auditd.conf'),
    `local_events = yes
write_logs = yes
log_file = ${directory}/audit.log
log_group = root
log_format = RAW
flush = INCREMENTAL_ASYNC
freq = 50
max_log_file = 64
num_logs = 3
max_log_file_action = ROTATE
space_left = 75
space_left_action = IGNORE
admin_space_left = 50
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
plugin_dir = ${directory}/plugins.d
q_depth = 4000
`,
    { mode: 0o640 },
  );
  // Before the daemon runs, which turns it on.
  const wasEnabled = /^enabled (\d)/m.exec(auditctl('-s'))?.[1] ?? '0';
  const wasBacklog = /^backlog_limit (\d+)/m.exec(auditctl('-s'))?.[1] ?? '64';
  const daemon: ChildProcess = spawn('auditd', ['-n', '-c', directory], { stdio: 'ignore' });
  for (let attempt = 0; attempt < 100 && !auditctl('-s').includes(`pid ${daemon.pid}`); attempt++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  auditctl('-b', '65536');
  for (const calls of RULES) auditctl(...ruleArgs('-a', calls));
  const kernel = kauditd();
  const total = (): number => cpuOf(daemon.pid ?? 0) + cpuOf(kernel);
  let since = total();
  return {
    mark: () => {
      since = total();
    },
    cpuUs: () => total() - since,
    async stop() {
      for (const calls of RULES) auditctl(...ruleArgs('-d', calls));
      auditctl('-e', wasEnabled);
      auditctl('-b', wasBacklog);
      const ended = new Promise((resolve) => daemon.once('close', resolve));
      daemon.kill('SIGTERM');
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
