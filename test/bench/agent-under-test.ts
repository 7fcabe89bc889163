/** The built agent as a child process, and what the kernel says it uses; for the benches that measure all of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiClient, connectAgent } from '../../agent/api/client.ts';
import type { HealthSnapshot } from '../../agent/api/contract.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import { writeReplayFile } from '../../agent/sensors/replay-file.ts';
import { generateWorkload } from '../../agent/sensors/workload.ts';
import { recordLane } from '../../agent/sensors/decode.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const START_MS = 30_000;
const TICKS_PER_SECOND = 100;

export interface AgentUnderTest {
  readonly pid: number;
  readonly tier: string;
  readonly dataDir: string;
  health(): Promise<HealthSnapshot>;
  stop(): Promise<void>;
}

/** Starts the bundle with an own data folder. @throws Error with what it said when it does not get ready. */
export async function startAgentUnderTest(args: readonly string[]): Promise<AgentUnderTest> {
  const bundle = join(ROOT, 'out', 'agent', 'sentinel.mjs');
  if (!existsSync(bundle)) throw new Error('the agent is not built: npm run build');
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-bench-'));
  const dataDir = join(folder, 'data');
  const ready = join(folder, 'ready.json');
  const child: ChildProcess = spawn(
    process.execPath,
    [bundle, 'run', '--data', dataDir, '--ready-file', ready, '--console', 'off', ...args],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4000);
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const until = performance.now() + START_MS;
  while (!existsSync(ready)) {
    if (child.exitCode !== null || performance.now() > until) {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
      throw new Error(`the agent did not get ready: ${said}`);
    }
    await sleep(10);
  }
  const { sensorTier } = JSON.parse(readFileSync(ready, 'utf8')) as { sensorTier: string };
  const client: ApiClient = await connectAgent(dataPaths(dataDir).socket);
  return {
    pid: child.pid ?? 0,
    tier: sensorTier,
    dataDir,
    health: () => client.call('health.get', {}),
    stop: async () => {
      client.close();
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(late);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Seconds of CPU a process has used, all threads. */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** The same to the nanosecond, for what takes some milliseconds. */
export function cpuMs(pid: number): number {
  let ns = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
    } catch {
      // The thread has just ended.
    }
  }
  return ns / 1e6;
}

/** Anonymous memory and proportional set size, MB (10^6 bytes). */
export function memoryMb(pid: number): { anonymous: number; pss: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  const of = (name: string): number =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024) / 1e6;
  return { anonymous: of('Anonymous'), pss: of('Pss') };
}

export interface ReplayInput {
  path: string;
  records: number;
  security: number;
  remove: () => void;
}

/** A recording of `records` made-up records; small, so that looping it does not weigh on the agent's memory. */
export function makeReplay(records: number): ReplayInput {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-bench-replay-'));
  const path = join(folder, 'workload.replay');
  let security = 0;
  function* counted(): Generator<Buffer> {
    for (const record of generateWorkload({
      seed: 1,
      count: records,
      eventsPerSecond: 50_000,
    })) {
      if (recordLane(record, 0) === 'security') security += 1;
      yield record;
    }
  }
  writeReplayFile(path, counted());
  return { path, records, security, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}
