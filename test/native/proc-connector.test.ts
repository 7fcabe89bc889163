import { spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type CoreAddon, loadCore } from '../../native-addon/index.ts';
import type { SentinelEvent } from '../../agent/event.ts';
import { decodeBatch } from '../../agent/sensors/decode.ts';
import { ProcConnectorSensor } from '../../agent/sensors/proc-connector.ts';
import { ProcessTree } from '../../agent/sensors/process-tree.ts';
import type { SensorLoss, SensorScope } from '../../agent/sensors/types.ts';

const core = loadCore();
const refusal = !core.ok
  ? core.reason
  : 'NativeProcConnector' in core.addon
    ? ProcConnectorSensor.refusal(core.addon)
    : 'the addon is stale';
const native = (core.ok ? core.addon : undefined) as CoreAddon;
if (refusal !== undefined) console.warn(`proc-connector.test: skipped: ${refusal}`);

const directory = mkdtempSync(join(tmpdir(), 'proc-connector-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Watched {
  events: SentinelEvent[];
  losses: SensorLoss[];
  sensor: ProcConnectorSensor;
}

/** Runs the sensor around `act` and until `enough`, at most 10 s. */
async function watched(
  scope: SensorScope,
  act: (sensor: ProcConnectorSensor) => void | Promise<void>,
  enough: (events: readonly SentinelEvent[], sensor: ProcConnectorSensor) => boolean,
  receiveBytes?: number,
): Promise<Watched> {
  const events: SentinelEvent[] = [];
  const losses: SensorLoss[] = [];
  const tree = new ProcessTree();
  const sensor = new ProcConnectorSensor({ native, scope, watchDirectories: [], receiveBytes });
  await sensor.start({
    onBatch: (batch) => {
      let count = 0;
      const { rejected } = decodeBatch(batch.bytes, batch.wallOffsetNs, (event) => {
        tree.apply(event);
        events.push(event);
        count += 1;
      });
      expect([rejected, count]).toEqual([0, batch.count]);
    },
    onLoss: (loss) => losses.push(loss),
  });
  await act(sensor);
  for (let turn = 0; turn < 1000 && !enough(events, sensor); turn++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  await sensor.stop();
  return { events, losses, sensor };
}

const own: SensorScope = { kind: 'pid', pid: process.pid };

describe.skipIf(refusal !== undefined)('proc connector (skipped: needs root and the native addon)', () => {
  it('tells of a process from fork to exit, with its program, parent, ids and status', async () => {
    let pid = 0;
    const startedMs = Date.now();
    const { events } = await watched(
      own,
      async () => {
        const child = spawn('/bin/sh', ['-c', 'sleep 0.1; exit 7', 'näme'], {
          cwd: directory,
          stdio: 'ignore',
        });
        pid = child.pid as number;
        await new Promise((resolve) => child.once('exit', resolve));
      },
      (events) => events.some(({ action, process }) => action === 'exit' && process?.pid === pid),
    );
    const ours = events.filter(({ process }) => process?.pid === pid);
    expect(ours.map(({ action }) => action)).toEqual(['fork', 'exec', 'exit']);
    const shell = ours[1]?.process;
    expect(shell).toMatchObject({
      argv: ['/bin/sh', '-c', 'sleep 0.1; exit 7', 'näme'],
      cwd: directory,
      ppid: process.pid,
      uid: 0,
      integrityLevel: 'system',
    });
    expect(shell?.exeIdentity?.inode).toBe(statSync('/bin/sh', { bigint: true }).ino);
    expect(new Set(ours.map(({ process }) => process?.startNs)).size).toBe(1);
    expect(ours[2]?.process?.exitCode).toBe(7);
    expect(Math.abs(Number(ours[1]?.tsNs ?? 0n) / 1e6 - startedMs)).toBeLessThan(60_000);
    const sleep = events.find(({ action, process }) => action === 'exec' && process?.ppid === pid);
    expect(sleep?.process?.argv).toEqual(['sleep', '0.1']);
    expect(sleep?.parent).toMatchObject({ pid, argv: shell?.argv });
    expect(events[0]?.action).toBe('snapshot');
  });

  it('tells of a changed user and of a tracer', async () => {
    let tracee = 0;
    const { events } = await watched(
      own,
      async () => {
        const child = spawn('/bin/sh', ['-c', 'read x'], {
          stdio: ['pipe', 'ignore', 'ignore'],
          uid: 65534,
          gid: 65534,
        });
        tracee = child.pid as number;
        await new Promise((resolve) => child.once('spawn', resolve));
        const script = `import ctypes,os,sys
libc=ctypes.CDLL(None)
libc.ptrace.argtypes=[ctypes.c_long]*4
assert libc.ptrace(16,${tracee},0,0)==0
os.waitpid(${tracee},0)
libc.ptrace(17,${tracee},0,0)`;
        spawnSync('python3', ['-c', script]);
        child.stdin?.end();
        await new Promise((resolve) => child.once('exit', resolve));
      },
      (events) => events.some(({ action, process }) => action === 'exit' && process?.pid === tracee),
    );
    const setuid = events.find(({ action, process }) => action === 'setuid' && process?.pid === tracee);
    expect(setuid?.details).toMatchObject({ realId: '65534', oldRealId: '0' });
    const ptrace = events.find(({ action }) => action === 'ptrace');
    if (spawnSync('python3', ['-c', '']).status !== 0)
      console.warn('proc-connector.test: no python3, ptrace not tried');
    else expect(ptrace?.target).toMatchObject({ pid: tracee, uid: 65534 });
  });

  it('keeps 4,096 bytes of a long command line with its true length, and raw bytes that are no UTF-8', async () => {
    const long = 'y'.repeat(50_000);
    const { events } = await watched(
      own,
      () => {
        spawnSync('/bin/sh', ['-c', 'sleep 0.1', long]);
        spawnSync('/bin/sh', [
          '-c',
          `$(printf '/bin/sl\\145ep') 0.1 2>/dev/null; /bin/sh -c 'sleep 0.1; :' "$(printf 'a\\377b')"`,
        ]);
      },
      (events) => events.filter(({ action }) => action === 'exec').length >= 5,
    );
    const cut = events.find(
      ({ action, process }) => action === 'exec' && process?.argv?.[3]?.startsWith('yyy'),
    );
    const originalLength = ['/bin/sh', '-c', 'sleep 0.1', long].join('\0').length + 1;
    expect(cut?.truncated).toEqual([{ field: 'process.argv', originalLength }]);
    const raw = events.find(({ action, process }) => action === 'exec' && process?.argv?.[3] === 'a\uFFFDb');
    expect(raw?.truncated?.map(({ field }) => field)).toEqual(['process.argv']);
  });

  it('flags a deleted program and one in a directory that anyone may write', async () => {
    const path = join(directory, 'sleeper');
    copyFileSync('/bin/sleep', path);
    const { events } = await watched(
      own,
      async () => {
        spawnSync('chmod', ['0777', directory]);
        // The shell opens the program, removes it and runs what it holds open.
        const child = spawn('/bin/sh', ['-c', `exec 9<${path}; rm ${path}; exec /proc/self/fd/9 0.2`], {
          stdio: 'ignore',
        });
        await new Promise((resolve) => child.once('exit', resolve));
      },
      (events) => events.some(({ process }) => process?.flags?.includes('deleted') === true),
    );
    const exec = events.find(({ action, process }) => action === 'exec' && process?.flags !== undefined);
    expect(exec?.process).toMatchObject({ executable: path, flags: ['deleted', 'writable_dir'] });
  });

  it.each([
    ['an ample', undefined],
    ['a tiny', 2048],
  ])(
    'accounts for every process with %s socket buffer: told plus stated as lost',
    async (_, receiveBytes) => {
      const tiny = receiveBytes !== undefined;
      let forked = 0;
      let drops = 0;
      const storm = (): void => {
        // The main thread is blocked meanwhile, so batches pile up.
        spawnSync('/bin/sh', [
          '-c',
          'i=0; while [ $i -lt 300 ]; do /bin/true & /bin/true; i=$((i+1)); done; wait',
        ]);
        forked += 601;
      };
      const { events, losses, sensor } = await watched(
        own,
        (started) => {
          for (let turn = 0; turn < 30; turn++) {
            storm();
            if (!tiny || started.status().hooks[0]?.lost !== 0) break;
          }
        },
        (events, started) => {
          // What the kernel itself says it could not deliver, also the last messages of a CPU that then falls silent.
          if (started.status().hooks[0]?.lost !== 0) drops = kernelDrops();
          if (tiny) return drops > 0 && (started.status().hooks[0]?.lost ?? 0) >= drops;
          return events.filter(({ action }) => action === 'exit').length >= forked;
        },
        receiveBytes,
      );
      const forks = events.filter(({ action }) => action === 'fork').length;
      const exits = events.filter(({ action }) => action === 'exit').length;
      const lost = losses.reduce((sum, loss) => sum + (loss.count ?? 0), 0);
      if (!tiny && lost === 0) expect([forks, exits]).toEqual([forked, forked]);
      // Lost messages are of any process and kind, so they bound what is missing from above.
      expect(2 * forked - forks - exits).toBeLessThanOrEqual(lost);
      expect(lost).toBeGreaterThanOrEqual(drops);
      if (tiny) expect(drops).toBeGreaterThan(0);
      for (const loss of losses) expect(loss).toMatchObject({ cause: 'netlink_overrun', lane: 'security' });
      expect(sensor.status().hooks[0]?.lost).toBe(lost);
    },
  );

  it('says what it cannot see and what would help', async () => {
    const sensor = new ProcConnectorSensor({ native, why: 'ebpf: no BTF' });
    const { blindSpots, tier } = sensor.status();
    expect(tier).toBe('proc-connector');
    expect(blindSpots[0]?.why).toContain('ebpf: no BTF');
    expect(blindSpots.every(({ remedy }) => remedy !== undefined)).toBe(true);
    await sensor.stop();
  });

  it.skipIf(process.getuid?.() !== 0)(
    'works or says what it needs without rights (skipped: needs root)',
    () => {
      // Since Linux 6.6 anybody in the initial namespaces may listen.
      const stdout = elsewhere('process.setgroups([]); process.setgid(65534); process.setuid(65534);', []);
      expect(stdout).toMatch(/^undefined$|CAP_NET_ADMIN, or Linux 6\.6/);
    },
  );

  it.skipIf(process.getuid?.() !== 0)('says why it cannot work in a container (skipped: needs root)', () => {
    expect(elsewhere('', ['unshare', '--pid', '--fork'])).toMatch(/initial user and pid namespaces/);
  });
});

/** The drop counters of this process's connector sockets (protocol 11 in /proc/net/netlink). */
function kernelDrops(): number {
  const inodes = new Set<string>();
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // The descriptor of the listing itself.
    }
  }
  const rows = readFileSync('/proc/net/netlink', 'utf8').trim().split('\n').slice(1);
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter((columns) => columns[1] === '11' && inodes.has(columns[9] ?? ''))
    .reduce((sum, columns) => sum + Number(columns[8]), 0);
}

/** What `refusal` says in a process of its own, after `prepare`, started through `wrapper`. */
function elsewhere(prepare: string, wrapper: string[]): string {
  const at = (path: string): string => JSON.stringify(join(import.meta.dirname, path));
  const script = `
    const { loadCore } = await import(${at('../../native-addon/index.ts')});
    const { ProcConnectorSensor } = await import(${at('../../agent/sensors/proc-connector.ts')});
    ${prepare}
    process.stdout.write(String(ProcConnectorSensor.refusal(loadCore().addon)));`;
  const [command, ...args] = [...wrapper, process.execPath, '--input-type=module', '-e', script];
  return spawnSync(command, args, { encoding: 'utf8' }).stdout;
}
