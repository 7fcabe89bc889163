/** What the validation tests share: folders, workloads, agents, reading logs; all of it ended and removed afterwards. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openWalReader } from '../../agent/wal/reader.ts';
import type { WalGap, WalRecord } from '../../agent/wal/types.ts';
import { type AgentProcess, startAgent } from './agent-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'sentinel-validation-'));
const children: ChildProcess[] = [];
const agents: AgentProcess[] = [];
let folders = 0;

export function newFolder(): string {
  folders += 1;
  const path = join(folder, String(folders));
  mkdirSync(path);
  return path;
}

/** Starts a child that is killed at the end of the test. */
export function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

/** A mode of workloads.py; all its processes descend from the one returned. */
export function workload(mode: string, dir: string, tag: string, ...args: string[]): ChildProcess {
  return start('python3', [join(import.meta.dirname, 'workloads.py'), mode, dir, tag, ...args]);
}

export async function agentOn(dataDir: string, ...args: string[]): Promise<AgentProcess> {
  const agent = await startAgent(dataDir, args);
  agents.push(agent);
  return agent;
}

export function ended(child: ChildProcess): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', resolve));
}

export async function endAll(): Promise<void> {
  for (const agent of agents.splice(0)) {
    agent.signal('SIGCONT');
    await agent.end('SIGKILL');
  }
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    await ended(child);
  }
}

export function removeAll(): void {
  rmSync(folder, { recursive: true, force: true });
}

/** All records of a log as they lie on disk. */
export function readLog(dir: string, onGap?: (gap: WalGap) => void): WalRecord[] {
  const reader = openWalReader(dir, { fromSeq: 1, ...(onGap ? { onGap } : {}) });
  const records: WalRecord[] = [];
  for (;;) {
    const batch = reader.readBatch(4 * 1024 * 1024, Number.MAX_SAFE_INTEGER);
    if (batch.length === 0) break;
    for (const record of batch) records.push(record);
  }
  reader.close();
  return records;
}

export function report(text: string): void {
  console.info(`validation: ${text}`);
}

/** Wall clock with better than ms resolution. */
export function nowNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}
