/**
 * A program whose file is on an indicator list is hashed only after it has started: the detection must still come, on
 * the event of its start, and say that it came late. Every start that happened meanwhile gets one.
 */
import { createHash } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EventJson } from '../../agent/api/contract.ts';
import { type AgentProcess, startAgent } from './agent-process.ts';

let root: string;
let program: string;
let denied: string;
let agent: AgentProcess;
const children: ChildProcess[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sentinel-late-hash-'));
  program = join(root, 'listed-program');
  copyFileSync('/bin/sleep', program);
  // Bytes behind an ELF file change its hash, not what it does.
  appendFileSync(program, `not the file of the system ${process.pid}`);
  const sha256 = createHash('sha256').update(readFileSync(program)).digest('hex');
  const data = join(root, 'data');
  mkdirSync(join(data, 'indicators'), { recursive: true, mode: 0o700 });
  writeFileSync(join(data, 'indicators', 'list.csv'), `type,value\nsha256,${sha256}\n`);
  denied = join(root, 'denied-program');
  copyFileSync('/bin/sleep', denied);
  appendFileSync(denied, `denied by a policy ${process.pid}`);
  const hash = createHash('sha256').update(readFileSync(denied)).digest('hex');
  mkdirSync(join(data, 'policies'), { mode: 0o700 });
  // A user is nothing that the kernel looks at: the agent decides.
  writeFileSync(
    join(data, 'policies', 'late.yml'),
    `id: late\nversion: 1\nseverity: low\nwhen: process.hash.sha256 == "${hash}" && user.id >= 0\naction: kill\ncanaryPercent: 100\n`,
  );
  agent = await startAgent(data, ['--scope', `pid:${process.pid}`]);
}, 90_000);

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await agent?.end('SIGTERM');
  rmSync(root, { recursive: true, force: true });
});

/** Other rules may have something to say about a program in a temporary folder too. */
const listed = (event: EventJson) =>
  (event.detections ?? []).filter(({ ruleId }) => ruleId === 'indicator:hash');

async function starts(): Promise<EventJson[]> {
  const { events } = await agent.client.call('events.query', { query: 'action:exec', limit: 500 });
  return events.filter((event) => event.process?.executable === program);
}

it('detects a listed program that was hashed after its start', async (context) => {
  if (agent.sensorTier !== 'lsm' && agent.sensorTier !== 'tracepoint') {
    context.skip('SKIPPED: needs root and BPF; other sensors do not see these starts at once');
  }
  for (let i = 0; i < 3; i++) children.push(spawn(program, ['300'], { stdio: 'ignore' }));
  let found: EventJson[] = [];
  for (let turn = 0; turn < 120; turn++) {
    found = await starts();
    if (found.length === 3 && found.every((event) => listed(event).length > 0)) break;
    await sleep(250);
  }
  expect(found).toHaveLength(3);
  for (const event of found) {
    const [detection, ...others] = listed(event);
    expect(others).toEqual([]);
    expect(detection).toMatchObject({ ruleId: 'indicator:hash', level: 'high' });
    expect(detection?.source).toMatch(/^indicator:.*list\.csv:2$/);
  }
  // The first start is always ahead of its hash; a later one may find the hash known.
  const late = found.filter((event) => listed(event)[0]?.title.includes('known after the start'));
  expect(late.length).toBeGreaterThan(0);
  expect(late[0]?.severity).toBe('high');
});

it('ends a program that a policy denies by its hash once the hash is known, and says that it came late', async (context) => {
  if (agent.sensorTier !== 'lsm' && agent.sensorTier !== 'tracepoint') {
    context.skip('SKIPPED: needs root and BPF; other sensors do not see these starts at once');
  }
  for (const step of ['simulate', 'canary'] as const)
    await agent.client.call('policy.step', { id: 'late', step });
  const child = spawn(denied, ['300'], { stdio: 'ignore' });
  children.push(child);
  const signal = await new Promise((resolve) => child.once('exit', (_code, by) => resolve(by)));
  expect(signal).toBe('SIGKILL');
  let decision: EventJson['decision'];
  for (let turn = 0; turn < 120 && decision === undefined; turn++) {
    const { events } = await agent.client.call('events.query', {
      query: 'type:decision policy:late',
      limit: 10,
    });
    decision = events[0]?.decision;
    if (decision === undefined) await sleep(250);
  }
  expect(decision).toMatchObject({
    evidence: expect.arrayContaining(['late:hash']) as string[],
    effect: { state: 'applied', guarantee: 'killed after start' },
  });
  // Its copy's hash is known by now: the next start is decided at once.
  const again = spawn(denied, ['300'], { stdio: 'ignore' });
  children.push(again);
  expect(await new Promise((resolve) => again.once('exit', (_code, by) => resolve(by)))).toBe('SIGKILL');
});
