/**
 * A policy of the kernel's from its file to its effect and back, by the ways a person has: written into the data folder,
 * simulated, tried as a canary for its stable period, active; a real program and a real connection refused, the decision
 * in the timeline and in an exported bundle that verifies; one command takes it back.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, connect as connectTo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../agent/api/client.ts';
import { connectAgent } from './agent-client.ts';
import type { DecisionJson, PolicyVersionJson } from '../../agent/api/contract.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import { compile } from '../native/compile.ts';
import { whyNot } from '../native/recorder.ts';
import { allEvents, eventually, ROOT } from './agent-process.ts';
import { makeCgroup, type TestCgroup } from './cgroup.ts';

const reason = whyNot();
if (reason) console.warn(`SKIPPED: test/e2e/kernel-policy: ${reason}`);

const EPERM = '1';

describe.skipIf(reason)('a policy of the kernel, from its file to its effect and back', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-kernel-policy-'));
  const dataDir = join(folder, 'data');
  const denied = join(folder, 'denied');
  const twin = join(folder, 'twin');
  const attempt = join(folder, 'attempt');
  let cgroup: TestCgroup;
  let server: Server;
  let port = 0;
  let connections = 0;
  let child: ChildProcess;
  let said: AsyncIterator<string>;
  let client: ApiClient;

  beforeAll(async () => {
    cgroup = makeCgroup() as TestCgroup;
    for (const program of [denied, twin]) copyFileSync('/usr/bin/touch', program);
    copyFileSync(compile(['test/native/attempt.c']), attempt);
    server = createServer((socket) => {
      connections += 1;
      socket.on('error', () => {});
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
    mkdirSync(join(dataDir, 'policies'), { recursive: true });
    child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'agent-on-a-clock.ts'), dataDir, cgroup.path],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    said = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    if ((await said.next()).value !== 'ready') throw new Error('the agent did not start');
    client = await connectAgent(dataPaths(dataDir).socket);
  }, 90_000);
  afterAll(async () => {
    client?.close();
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.stdin?.end();
    await gone;
    await new Promise((resolve) => server.close(resolve));
    await cgroup.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const sentinel = (...args: string[]): { code: number | null; text: string } => {
    const argv = [join(ROOT, 'agent', 'main.ts'), ...args];
    const { status, stdout, stderr } = spawnSync(process.execPath, argv, {
      encoding: 'utf8',
      timeout: 60_000,
    });
    return { code: status, text: stdout + stderr };
  };
  const policy = (...args: string[]): { code: number | null; text: string } =>
    sentinel('policy', ...args, '--data', dataDir);
  const find = async (id: string): Promise<PolicyVersionJson> =>
    (await client.call('policy.list', {})).policies.findLast((each) => each.id === id)!;
  const pass = async (minutes: number): Promise<void> => {
    child.stdin?.write(`${minutes}\n`);
    expect((await said.next()).value).toBe(`+${minutes}`);
  };
  /** Runs a program in the watched group. */
  const run = (...command: string[]): { out: string; code: number | null; signal: string | null } => {
    const script = 'echo $$ > "$0/cgroup.procs"; exec "$@"';
    const { stdout, status, signal } = spawnSync('/bin/sh', ['-c', script, cgroup.path, ...command], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    return { out: stdout.trim(), code: status, signal };
  };
  const touches = (program: string): boolean => {
    const file = join(folder, 'touched');
    rmSync(file, { force: true });
    run(program, file);
    return existsSync(file);
  };
  const connect = (): string => run(attempt, 'connect', 'tcp', '127.0.0.1', String(port)).out;
  /** Connections that reached the listener until now: after one of our own, which is not counted. */
  const reached = async (): Promise<number> => {
    const before = connections;
    const own = connectTo(port, '127.0.0.1');
    await new Promise((resolve) => own.once('close', resolve));
    await eventually('our own connection is there', async () => (connections > before ? true : undefined));
    return (connections -= 1);
  };
  const decisionsOf = async (id: string): Promise<DecisionJson[]> =>
    (await allEvents(client, 'type:decision')).flatMap(({ decision }) =>
      decision?.policyId === id && decision.guardian === 'kernel' ? decision : [],
    );

  it('is a draft when its file comes, and blocks nothing', async () => {
    writeFileSync(
      join(dataDir, 'policies', 'kernel.yml'),
      `id: program
version: 3
severity: medium
when: event.action == "exec" && process.executable == "${denied}"
action: deny_exec
canaryPercent: 1
---
id: place
version: 1
severity: low
when: event.action == "connect" && destination.ip == "127.0.0.1" && destination.port == ${port}
action: deny_connect
canaryPercent: 1
`,
    );
    const { code, text } = policy('reload');
    expect([code, text]).toEqual([0, expect.stringContaining('program v3  draft  medium')]);
    expect([touches(denied), touches(twin), connect(), await reached()]).toEqual([true, true, 'ok', 1]);
  });

  it('goes by command and API through simulation and canary, and cannot be active before its time', async () => {
    const { code, text } = policy('simulate', 'program', '--json');
    expect([code, (JSON.parse(text) as { matched: number }).matched]).toEqual([0, 1]);
    expect(policy('canary', 'program')).toMatchObject({ code: 0 });
    await client.call('policy.step', { id: 'place', step: 'simulate' });
    await client.call('policy.step', { id: 'place', step: 'canary' });
    const early = policy('activate', 'program');
    expect([early.code, early.text]).toEqual([1, expect.stringContaining('needs 60 more minutes')]);
    await expect(client.call('policy.step', { id: 'place', step: 'activate' })).rejects.toThrow(
      'needs 60 more minutes',
    );
  });

  it('is the kernel’s once the stable period is over: program and connection are refused, others are not', async () => {
    await pass(61);
    await eventually('both are active', async () =>
      [await find('program'), await find('place')].every(({ state }) => state === 'active')
        ? true
        : undefined,
    );
    const { reach } = await find('program');
    expect(reach).toMatchObject({ guardian: 'kernel' });
    expect(['prevented', 'killed before its first instruction']).toContain(reach.guarantee);
    connections = 0;
    for (let time = 0; time < 20; time++) expect(touches(denied)).toBe(false);
    const { code, signal } = run(denied, join(folder, 'touched'));
    if (reach.mechanism === 'exec_sigkill') expect(signal).toBe('SIGKILL');
    else expect(code).toBe(126);
    expect([touches(twin), connect(), await reached()]).toEqual([true, EPERM, 0]);
  });

  it('leaves decisions in the timeline, with clause, value, mechanism and guarantee', async () => {
    const { hash, reach } = await find('program');
    const decisions = await eventually('the decisions are in the timeline', async () => {
      const found = await decisionsOf('program');
      return found.length >= 21 ? found : undefined;
    });
    expect(decisions).toHaveLength(21);
    for (const decision of decisions)
      expect(decision).toMatchObject({
        policyId: 'program',
        policyVersion: 3,
        policyHash: hash,
        policyState: 'active',
        action: 'deny_exec',
        wouldBe: false,
        effect: { state: 'applied', mechanism: reach.mechanism, guarantee: reach.guarantee },
      });
    expect(decisions[0]?.rationale.clauses).toEqual([
      { text: 'event.action == "exec"', value: 'event.action = "exec"', result: 'true' },
      {
        text: `process.executable == "${denied}"`,
        value: `process.executable = "${denied}"`,
        result: 'true',
      },
    ]);
    const [refused] = await eventually('the refused connection is in the timeline', async () => {
      const found = await decisionsOf('place');
      return found.length > 0 ? found : undefined;
    });
    expect(refused).toMatchObject({
      action: 'deny_connect',
      effect: { state: 'applied', mechanism: 'cgroup_deny', guarantee: 'prevented' },
    });
    expect(refused?.rationale.clauses.map(({ value, result }) => [value, result])).toEqual([
      ['event.action = "connect"', 'true'],
      ['destination.ip = "127.0.0.1"', 'true'],
      [`destination.port = ${port}`, 'true'],
    ]);
    const { event } = await client.call('events.get', { eventId: String(refused?.eventId) });
    expect(event.network).toMatchObject({ dstIp: '127.0.0.1', dstPort: port });
  });

  it('is proved by an exported bundle, and an edit of it is found', () => {
    const bundle = join(folder, 'evidence');
    const key = dataPaths(dataDir).publicKey;
    expect(sentinel('audit', 'export', '--data', dataDir, '--out', bundle)).toMatchObject({ code: 0 });
    const { code, text } = sentinel('audit', 'verify', bundle, '--key', key, '--json');
    const report = JSON.parse(text) as { ok: boolean; decisions: number; policies: number };
    expect([code, report.ok, report.policies]).toEqual([0, true, 2]);
    expect(report.decisions).toBeGreaterThanOrEqual(22);
    const bytes = readFileSync(bundle);
    const at = bytes.lastIndexOf('"policyId":"place"');
    expect(at).toBeGreaterThan(0);
    bytes.write('"policyId":"plaza"', at);
    writeFileSync(bundle, bytes);
    expect(sentinel('audit', 'verify', bundle, '--key', key)).toMatchObject({ code: 1 });
  });

  it('counts in the status of enforcement, which says what each action comes to here', async () => {
    const { code, text } = policy('status');
    expect(code).toBe(0);
    const { reach } = await find('program');
    expect(text).toMatch(
      new RegExp(`^deny_exec +by the kernel +${reach.guarantee} \\(${reach.mechanism}\\)`, 'm'),
    );
    expect(text).toMatch(/^deny_connect +by the kernel +prevented \(cgroup_deny\)$/m);
    expect(text).toMatch(/^kill +by the agent +killed after start \(pidfd_sigkill\)/m);
    expect(text).toMatch(/^in force +2 blocking policies, change \d+, last sign of life \d+ ms ago$/m);
    expect(Number(/^kernel +(\d+) matches/m.exec(text)?.[1])).toBeGreaterThanOrEqual(22);
    expect(sentinel('status', '--data', dataDir).text).toContain('deny_connect prevented');
  });

  it('ends with one command', async () => {
    expect(policy('rollback', 'program', '--reason', 'enough')).toMatchObject({ code: 0 });
    expect([touches(denied), connect()]).toEqual([true, EPERM]);
    await client.call('policy.step', { id: 'place', step: 'rollback', reason: 'enough' });
    expect(connect()).toBe('ok');
    const { history } = await client.call('policy.get', { id: 'program' });
    expect(history.map(({ to }) => to)).toEqual(['draft', 'simulating', 'canary', 'active', 'simulating']);
  });
});
