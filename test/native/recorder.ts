/** Runs workloads inside a cgroup of the test's own and collects what the sensor records of them. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SentinelEvent } from '../../agent/event.ts';
import { decodeBatch } from '../../agent/sensors/decode.ts';
import { createEbpfSensor, type EbpfSensorOptions } from '../../agent/sensors/ebpf-sensor.ts';
import type { Sensor, SensorLoss, SensorScope } from '../../agent/sensors/types.ts';
import { workloadBinary } from './compile.ts';

/** Where cgroup v2 is mounted; undefined when it is not. */
export function cgroup2(): string | undefined {
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
    const [, directory, type] = line.split(' ');
    if (type === 'cgroup2') return directory;
  }
  return undefined;
}

/** Why the sensor cannot be tested on this machine; undefined when it can. */
export function whyNot(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  if (cgroup2() === undefined) return 'needs a cgroup v2 mount';
  return undefined;
}

/** For the name of a test: says that and why it is skipped, or nothing. */
export function skipNote(reason: string | undefined): string {
  return reason === undefined ? '' : ` (skipped: ${reason})`;
}

export const settle = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export interface Recorder {
  sensor: Sensor;
  /** The cgroup that is watched. */
  path: string;
  directory: string;
  losses: SensorLoss[];
  /** Runs any program with `args` in the cgroup. */
  program(path: string, ...args: string[]): Promise<Run>;
  /** Events since the last call of `take`. */
  take(): SentinelEvent[];
  /** Runs the workload program with `args` in the cgroup; resolves once its end was recorded, with what was. */
  run(...args: string[]): Promise<Run>;
  /** Runs a shell command in the cgroup. */
  shell(command: string): Promise<Run>;
  stop(): Promise<void>;
}

export interface Run {
  events: SentinelEvent[];
  pid: number;
  stdout: string;
  exitCode: number;
}

/** A sensor on a new cgroup (or on `scope`), collecting. */
export async function startRecorder(
  options: Partial<EbpfSensorOptions> = {},
  scope?: SensorScope,
): Promise<Recorder> {
  const mount = cgroup2();
  if (mount === undefined) throw new Error('no cgroup v2');
  const directory = mkdtempSync(join(tmpdir(), 'sentinel-native-'));
  const path = join(mount, `sentinel-test-${process.pid}-${Math.random().toString(36).slice(2, 8)}`);
  mkdirSync(path);
  const workload = workloadBinary();
  const sensor = createEbpfSensor({ scope: scope ?? { kind: 'cgroup', path }, ...options });
  let events: SentinelEvent[] = [];
  const losses: SensorLoss[] = [];
  const problems: string[] = [];
  await sensor.start({
    onBatch(batch) {
      const { decoded, rejected } = decodeBatch(batch.bytes, batch.wallOffsetNs, (event) => {
        if (event.lane !== batch.lane)
          problems.push(`${event.action} of lane ${event.lane} in ${batch.lane}`);
        // The shell's move into the cgroup is ours, not the workload's.
        if (event.file?.path.endsWith('/cgroup.procs') !== true) events.push(event);
      });
      if (rejected > 0 || decoded !== batch.count) problems.push(`${decoded} of ${batch.count} decoded`);
    },
    onLoss: (loss) => losses.push(loss),
  });
  const take = (): SentinelEvent[] => {
    const taken = events;
    events = [];
    if (problems.length > 0) throw new Error(problems.join('; '));
    return taken;
  };
  const launch = async (command: string, args: readonly string[]): Promise<Run> => {
    take();
    // The shell moves itself, so that nothing of the workload runs outside.
    const child = spawn(
      '/bin/sh',
      ['-c', 'echo $$ > "$0/cgroup.procs" && cd / && exec "$@"', path, command, ...args],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const exitCode = await new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
    // 3 is the workload's own failure: a call that it needs did not work.
    if (exitCode === 3) throw new Error(stderr);
    const deadline = Date.now() + 5000;
    const ended = (): boolean =>
      events.some((event) => event.action === 'exit' && event.process?.pid === child.pid);
    while (!ended() && Date.now() < deadline) await settle(5);
    // Ordinary records may be handed over 50 ms late, on a busy machine later: until none came for longer.
    for (let before = -1; before !== events.length;) {
      before = events.length;
      await settle(120);
    }
    return { events: take(), pid: child.pid ?? -1, stdout, exitCode };
  };
  return {
    sensor,
    path,
    directory,
    losses,
    take,
    run: (...args) => launch(workload, args),
    program: (path, ...args) => launch(path, args),
    shell: (command) => launch('/bin/sh', ['-c', command]),
    async stop() {
      await sensor.stop();
      rmSync(directory, { recursive: true, force: true });
      // The kernel frees a cgroup once its last process is gone.
      for (let attempt = 0; attempt < 50; attempt++) {
        try {
          rmdirSync(path);
          return;
        } catch {
          await settle(20);
        }
      }
    },
  };
}

/** Events of one action. */
export function of(events: readonly SentinelEvent[], action: string): SentinelEvent[] {
  return events.filter((event) => event.action === action);
}

/** How many events of each action. */
export function counts(events: readonly SentinelEvent[]): Record<string, number> {
  const result: Record<string, number> = {};
  for (const { action } of events) result[action] = (result[action] ?? 0) + 1;
  return result;
}
