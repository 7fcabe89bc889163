/**
 * A container that a policy freezes: really stopped, thawed by a command, by the end of the agent and by its death; and
 * left alone when a protected process is in it. The container is a control group with the name an engine gives one.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DecisionJson } from '../../agent/api/contract.ts';
import { whyNot } from '../native/recorder.ts';
import { type AgentProcess, allEvents, eventually, ROOT, startAgent } from './agent-process.ts';
import { makeCgroup, type TestCgroup } from './cgroup.ts';

const reason = whyNot();
if (reason) console.warn(`SKIPPED: test/e2e/freeze: ${reason}`);

const CONTAINER = 'ab12'.repeat(16);

describe.skipIf(reason)('a container that a policy freezes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-freeze-'));
  const dataDir = join(folder, 'data');
  const program = join(folder, 'miner');
  const children: ChildProcess[] = [];
  let scope: TestCgroup;
  let container: string;
  let agent: AgentProcess;

  beforeAll(async () => {
    scope = makeCgroup() as TestCgroup;
    container = join(scope.path, `docker-${CONTAINER}.scope`);
    mkdirSync(join(container, 'inside'), { recursive: true });
    copyFileSync('/bin/sleep', program);
    mkdirSync(join(dataDir, 'policies'), { recursive: true });
    writeFileSync(
      join(dataDir, 'policies', 'freeze.yml'),
      `id: freeze-it
version: 1
severity: low
when: event.action == "exec" && process.executable == "${program}"
action: freeze
scope: {containers: ["${CONTAINER.slice(0, 12)}"]}
canaryPercent: 100
`,
    );
    agent = await startAgent(dataDir, ['--scope', `cgroup:${scope.path}`]);
  }, 90_000);
  afterAll(async () => {
    await agent.end('SIGKILL');
    endChildren();
    for (const path of [join(container, 'inside'), container])
      await eventually(`${path} is empty`, async () => {
        try {
          rmdirSync(path);
          return true;
        } catch {
          return undefined;
        }
      });
    await scope.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  function endChildren(): void {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  }
  const policy = (...args: string[]): { code: number | null; text: string } => {
    const argv = [join(ROOT, 'agent', 'main.ts'), 'policy', ...args, '--data', dataDir];
    const { status, stdout, stderr } = spawnSync(process.execPath, argv, {
      encoding: 'utf8',
      timeout: 60_000,
    });
    return { code: status, text: stdout + stderr };
  };
  /** What the kernel says of the container. */
  const isFrozen = (): boolean => /^frozen 1$/m.test(readFileSync(join(container, 'cgroup.events'), 'utf8'));
  const become = (frozen: boolean): Promise<true> =>
    eventually(`the container is ${frozen ? 'frozen' : 'thawed'}`, async () =>
      isFrozen() === frozen ? true : undefined,
    );
  /** Runs the program below the container. */
  const run = (): void => {
    const script = 'echo $$ > "$0/inside/cgroup.procs"; exec "$1" 300';
    children.push(spawn('/bin/sh', ['-c', script, container, program], { stdio: 'ignore' }));
  };
  const decisions = async (): Promise<DecisionJson[]> =>
    (await allEvents(agent.client, 'type:decision')).flatMap(({ decision }) =>
      decision?.action === 'freeze' && !decision.wouldBe ? decision : [],
    );

  it('does nothing while the policy only simulates', async () => {
    expect(policy('simulate', 'freeze-it')).toMatchObject({ code: 0 });
    run();
    await eventually('the start is in the timeline', async () =>
      (await allEvents(agent.client, 'type:process action:exec')).some(
        ({ process: ran }) => ran?.executable === program,
      )
        ? true
        : undefined,
    );
    expect(isFrozen()).toBe(false);
    endChildren();
  });

  it('stops with all its processes, on record, until a command thaws it', async () => {
    expect(policy('canary', 'freeze-it')).toMatchObject({ code: 0 });
    run();
    await become(true);
    const [decision] = await eventually('the decision is in the timeline', async () => {
      const found = await decisions();
      return found.length > 0 ? found : undefined;
    });
    expect(decision).toMatchObject({
      policyId: 'freeze-it',
      effect: { state: 'applied', mechanism: 'cgroup_freeze', guarantee: 'frozen after start' },
    });
    expect(policy('status').text).toMatch(
      new RegExp(`^FROZEN .*/docker-${CONTAINER}\\.scope by freeze-it`, 'm'),
    );
    expect(policy('thaw').text).toMatch(/was thawed\n$/);
    await become(false);
    expect(policy('thaw').text).toBe('nothing was frozen\n');
    endChildren();
  });

  it('is left alone when a protected process is in it', async () => {
    const before = (await decisions()).length;
    const procs = join(container, 'cgroup.procs');
    const home = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
    const mount = scope.path.slice(0, scope.path.lastIndexOf('/'));
    writeFileSync(procs, String(agent.pid));
    try {
      run();
      const [, spared] = await eventually('the decision is in the timeline', async () => {
        const found = await decisions();
        return found.length > before ? [found.length, found.at(-1)] : undefined;
      });
      expect(spared).toMatchObject({
        effect: { state: 'none', error: `protected: process ${agent.pid} in it: the agent itself` },
      });
      expect(isFrozen()).toBe(false);
    } finally {
      writeFileSync(join(mount, home, 'cgroup.procs'), String(agent.pid));
    }
    endChildren();
  });

  it('thaws when the agent is killed, and when it ends in order', async () => {
    run();
    await become(true);
    await agent.end('SIGTERM');
    expect(isFrozen()).toBe(false);
    endChildren();
    agent = await startAgent(dataDir, ['--scope', `cgroup:${scope.path}`]);
    run();
    await become(true);
    await agent.end('SIGKILL');
    await become(false);
  }, 120_000);
});
