/** The real agent as a child process, for tests that must kill, freeze and restart it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../../agent/api/client.ts';
import { connectAgent } from './agent-client.ts';
import type { EventJson, GapJson } from '../../agent/api/contract.ts';
import { dataPaths } from '../../agent/data-dir.ts';

export const ROOT = join(import.meta.dirname, '..', '..');
const START_TIMEOUT_MS = 180_000;

export interface AgentProcess {
  readonly pid: number;
  readonly sensorTier: string;
  readonly client: ApiClient;
  /** Sends a signal and waits for the end. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
  signal(signal: NodeJS.Signals): void;
  stderr(): string;
}

/** Starts `sentinel run` on a data folder and waits until it serves. */
export async function startAgent(dataDir: string, args: readonly string[] = []): Promise<AgentProcess> {
  const readyFile = join(dataDir, '..', `${process.pid}-ready.json`);
  rmSync(readyFile, { force: true });
  const child = spawn(
    process.execPath,
    [
      join(ROOT, 'agent', 'main.ts'),
      'run',
      '--data',
      dataDir,
      '--ready-file',
      readyFile,
      '--console',
      'off',
      ...args,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, SENTINEL_CONFIG: undefined } },
  );
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-20_000);
  });
  const until = performance.now() + START_TIMEOUT_MS;
  while (!existsSync(readyFile)) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`the agent ended while it started (${child.exitCode ?? child.signalCode}):\n${stderr}`);
    }
    if (performance.now() > until) {
      child.kill('SIGKILL');
      throw new Error(`the agent was not ready within ${START_TIMEOUT_MS} ms:\n${stderr}`);
    }
    await sleep(10);
  }
  const { sensorTier } = JSON.parse(readFileSync(readyFile, 'utf8')) as { sensorTier: string };
  rmSync(readyFile, { force: true });
  let isEnding = false;
  child.once('exit', (code, signal) => {
    if (!isEnding) console.error(`the agent ended on its own (${code ?? signal}):\n${stderr}`);
  });
  const client = await connectAgent(dataPaths(dataDir).socket);
  return {
    pid: child.pid ?? 0,
    sensorTier,
    client,
    signal: (signal) => void child.kill(signal),
    stderr: () => stderr,
    end: async (signal) => {
      isEnding = true;
      const ended = exitOf(child);
      child.kill(signal);
      const code = await ended;
      client.close();
      return code;
    },
  };
}

function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)));
}

/** Every event of a query, oldest first. */
export async function allEvents(client: ApiClient, query: string): Promise<EventJson[]> {
  const events: EventJson[] = [];
  let before: string | undefined;
  do {
    const page = await client.call('events.query', { query, limit: 500, ...(before ? { before } : {}) });
    events.push(...page.events);
    before = page.older;
  } while (before !== undefined);
  return events.reverse();
}

export async function allGaps(client: ApiClient): Promise<GapJson[]> {
  return (await client.call('events.gaps', { limit: 1000 })).gaps;
}

/** Calls `probe` until it gives something, for at most `timeoutMs`. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  timeoutMs = 90_000,
): Promise<T> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() > until) throw new Error(`did not happen within ${timeoutMs} ms: ${what}`);
    await sleep(50);
  }
}
