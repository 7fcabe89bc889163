/**
 * Policies on the real agent: what may not become active by any way that a user or an intruder has, what does act once it
 * may, and what a simulation says about processes that really ran.
 */
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PolicyVersionJson } from '../../agent/api/contract.ts';
import { type AgentProcess, allEvents, eventually, ROOT, startAgent } from './agent-process.ts';
import { makeCgroup, type TestCgroup } from './cgroup.ts';

const folder = mkdtempSync(join(tmpdir(), 'sentinel-policy-'));
const dataDir = join(folder, 'data');
const policies = join(dataDir, 'policies');
const programs = join(folder, 'programs');
const cgroup: TestCgroup | undefined = process.getuid?.() === 0 ? makeCgroup() : undefined;
if (!cgroup) console.warn('SKIPPED: policies on real processes need root and cgroup v2');
let agent: AgentProcess;

function policy(id: string, severity: string, program: string, action: string, more = ''): string {
  return `id: ${id}
version: 1
severity: ${severity}
when: event.action == "exec" && process.executable == "${join(programs, program)}"
action: ${action}
${more}`;
}

function write(name: string, text: string): void {
  mkdirSync(policies, { recursive: true });
  writeFileSync(join(policies, name), text);
}

function cli(...args: string[]): { code: number | null; text: string } {
  const run = spawnSync(
    process.execPath,
    [join(ROOT, 'agent', 'main.ts'), 'policy', ...args, '--data', dataDir],
    {
      encoding: 'utf8',
      timeout: 60_000,
    },
  );
  return { code: run.status, text: run.stdout + run.stderr };
}

async function find(id: string): Promise<PolicyVersionJson> {
  const { policies: all } = await agent.client.call('policy.list', {});
  return all.findLast((each) => each.id === id)!;
}

async function start(): Promise<void> {
  const where = cgroup ? ['--scope', `cgroup:${cgroup.path}`] : ['--sensor', 'proc'];
  agent = await startAgent(dataDir, where);
}

/** Runs a program in the watched group; it writes `file` if it gets as far as its first instruction. */
function runProgram(program: string, file: string): { code: number | null; signal: string | null } {
  const script = `echo $$ > ${cgroup!.path}/cgroup.procs; exec ${join(programs, program)} ${file}`;
  const { status, signal } = spawnSync('/bin/sh', ['-c', script], { timeout: 30_000 });
  return { code: status, signal };
}

const keys = Array.from({ length: 5 }, (_, index) => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const paths = {
    public: join(folder, `approver${index}.pub`),
    private: join(folder, `approver${index}.key`),
  };
  writeFileSync(paths.public, publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(paths.private, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return paths;
});

beforeAll(async () => {
  mkdirSync(programs);
  for (const name of ['denied', 'allowed', 'killed']) copyFileSync('/usr/bin/touch', join(programs, name));
  write('high.yml', policy('high', 'high', 'denied', 'deny_exec', 'state: active\n'));
  await start();
});
afterAll(async () => {
  await agent.end('SIGTERM');
  await cgroup?.remove();
  rmSync(folder, { recursive: true, force: true });
});

describe('a high policy does not become active', () => {
  it('by what its file says', async () => {
    expect((await find('high')).state).toBe('draft');
    await agent.client.call('policy.reload', {});
    expect((await find('high')).state).toBe('draft');
  });

  it('over the API or the command line, and does not act as a canary', async () => {
    await expect(agent.client.call('policy.step', { id: 'high', step: 'activate' })).rejects.toThrow(
      'only a canary',
    );
    expect(cli('simulate', 'high').code).toBe(0);
    expect(cli('canary', 'high').code).toBe(0);
    await expect(agent.client.call('policy.step', { id: 'high', step: 'activate' })).rejects.toThrow(
      'needs 3 approvals',
    );
    const activated = cli('activate', 'high');
    expect(activated.code).toBe(1);
    expect(activated.text).toContain('needs 3 approvals');
    if (!cgroup) return;
    const file = join(folder, 'canary-ran');
    expect(runProgram('denied', file).code).toBe(0);
    expect(existsSync(file)).toBe(true);
  });

  it('by a state file that was edited', async () => {
    await agent.end('SIGTERM');
    const path = join(dataDir, 'policy-state', 'state.json');
    const text = readFileSync(path, 'utf8');
    const edited = text.replaceAll('\\"state\\":\\"canary\\"', '\\"state\\":\\"active\\"');
    expect(edited).not.toBe(text);
    writeFileSync(path, edited);
    await start();
    const { notices } = await agent.client.call('policy.list', {});
    expect(notices.join()).toContain('its signature does not hold');
    expect((await find('high')).state).toBe('draft');
  });

  it('by two approvals, or by the key of a stranger', async () => {
    const { approvers } = await agent.client.call('policy.approvers', {
      approvers: keys.map((key, index) => ({
        name: `person ${index}`,
        key: readFileSync(key.public, 'utf8'),
      })),
    });
    expect(approvers).toHaveLength(5);
    cli('simulate', 'high');
    cli('canary', 'high');
    expect(cli('request', 'high').code).toBe(0);
    const stranger = join(folder, 'stranger.key');
    writeFileSync(
      stranger,
      generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
    );
    expect(cli('approve', 'high', '--key', stranger).text).toContain('wrong key');
    for (const index of [0, 1]) expect(cli('approve', 'high', '--key', keys[index]!.private).code).toBe(0);
    expect(cli('approve', 'high', '--key', keys[1]!.private).text).toContain('same approver twice');
    expect(cli('activate', 'high').text).toContain('2 of 3 approvals');
    expect((await find('high')).state).toBe('canary');
  });
});

describe('with three approvals', () => {
  it('the policy is active, and a denied program does not run its first instruction while its twin does', async () => {
    expect(cli('approve', 'high', '--key', keys[4]!.private).code).toBe(0);
    expect(cli('activate', 'high').code).toBe(0);
    const version = await find('high');
    expect(version.state).toBe('active');
    if (!cgroup || version.reach.guardian !== 'kernel') {
      console.warn(`SKIPPED: the kernel does not act here (${version.reach.reason})`);
      return;
    }
    for (let run = 0; run < 50; run++) runProgram('denied', join(folder, `denied-${run}`));
    const ran = Array.from({ length: 50 }, (_, run) => existsSync(join(folder, `denied-${run}`)));
    expect(ran.filter(Boolean)).toEqual([]);
    expect(runProgram('allowed', join(folder, 'allowed-ran')).code).toBe(0);
    expect(existsSync(join(folder, 'allowed-ran'))).toBe(true);
    const decisions = await eventually('the decisions are on record', async () => {
      const found = (await allEvents(agent.client, 'type:decision')).filter(
        ({ decision }) => decision?.policyId === 'high' && !decision.wouldBe,
      );
      return found.length >= 50 ? found : undefined;
    });
    expect(decisions[0]?.decision).toMatchObject({
      guardian: 'kernel',
      effect: { state: 'applied' },
      policyVersion: 1,
    });
  });

  it('the policy is active after a restart, and stays so when its file is edited, spoiled or gone', async () => {
    await agent.end('SIGKILL');
    await start();
    const { hash } = await find('high');
    const isActive = async (): Promise<boolean> =>
      (await agent.client.call('policy.list', {})).policies.some(
        (each) => each.hash === hash && each.state === 'active',
      );
    expect(await isActive()).toBe(true);
    write('high.yml', policy('high', 'high', 'allowed', 'deny_exec'));
    const { policies: all, notices } = await agent.client.call('policy.reload', {});
    expect(all.filter(({ id }) => id === 'high').map(({ state }) => state)).toEqual(['active', 'draft']);
    expect(notices.join()).toContain('the edited text is a draft');
    write('high.yml', 'id: [high');
    const { problems } = await agent.client.call('policy.reload', {});
    expect(problems[0]?.message).toContain('not valid YAML');
    expect(await isActive()).toBe(true);
    rmSync(join(policies, 'high.yml'));
    await agent.client.call('policy.reload', {});
    expect(await isActive()).toBe(true);
    expect(cli('rollback', 'high', '--reason', 'enough').code).toBe(0);
    expect(await isActive()).toBe(false);
  });
});

describe.skipIf(!cgroup)('a low policy', () => {
  it('is tried on what was recorded: as many would-be actions as programs ran', async () => {
    for (let run = 0; run < 7; run++) runProgram('killed', join(folder, `before-${run}`));
    write('low.yml', policy('low', 'low', 'killed', 'kill', 'canaryPercent: 100\n'));
    await agent.client.call('policy.reload', {});
    const { code, text } = cli('simulate', 'low', '--json');
    expect(code).toBe(0);
    const simulation = JSON.parse(text) as {
      matched: number;
      evaluated: number;
      examples: { eventId: string }[];
    };
    expect(simulation.matched).toBe(7);
    expect(simulation.evaluated).toBeGreaterThan(7);
    const { event } = await agent.client.call('events.get', { eventId: simulation.examples[0]!.eventId });
    expect(event.process?.executable).toBe(join(programs, 'killed'));
  });

  it('acts on its share as a canary, with a decision that names the clauses', async () => {
    expect(cli('canary', 'low').code).toBe(0);
    runProgram('killed', join(folder, 'canary'));
    const event = await eventually('a decision is on record', async () => {
      const found = await allEvents(agent.client, 'type:decision');
      return found.find(({ decision }) => decision?.policyId === 'low' && !decision.wouldBe);
    });
    expect(event.decision).toMatchObject({ guardian: 'agent', policyState: 'canary', action: 'kill' });
    expect(event.decision?.rationale.clauses.map(({ result }) => result)).toEqual(['true', 'true']);
    expect((await find('low')).canary?.windows.at(-1)?.decided).toBeGreaterThan(0);
    const eventId = event.decision!.eventId;
    const explained = await agent.client.call('policy.explain', { id: 'low', eventId });
    expect(explained.outcomes[0]).toMatchObject({ holds: true, nearMisses: [] });
    expect(explained.decisions.map(({ eventId: id }) => id)).toContain(event.eventId);
    expect(explained.policy?.history.map(({ to }) => to)).toEqual(['draft', 'simulating', 'canary']);
    runProgram('allowed', join(folder, 'near'));
    const near = await eventually('the other program is on record', async () =>
      (await allEvents(agent.client, 'type:process action:exec')).findLast(({ process: ran }) =>
        ran?.executable?.endsWith('/allowed'),
      ),
    );
    const { outcomes: nearly } = await agent.client.call('policy.explain', {
      id: 'low',
      eventId: near.eventId,
    });
    expect(nearly[0]).toMatchObject({ holds: false });
    expect(nearly[0]?.nearMisses?.map(({ text }) => text)).toEqual([
      `process.executable == "${join(programs, 'killed')}"`,
    ]);
    expect(cli('explain', '--event', eventId).text).toContain('low v1 (canary): kill');
  });

  it('gets an exception from its decision: tried on the record, saved as a draft with its text on record', async () => {
    const decision = await eventually('a decision is on record', async () => {
      const found = await allEvents(agent.client, 'type:decision');
      return found.find((event) => event.decision?.policyId === 'low' && !event.decision.wouldBe);
    });
    const args = ['except', 'low', '--event', decision.eventId, '--reason', 'a test', '--json'];
    const tried = JSON.parse(cli(...args).text) as {
      draft: { when: string; hash: string; base: string };
      simulation: {
        matched: number;
        difference: { noLongerCaught: number; lostExamples: { eventId: string }[] };
      };
    };
    expect(tried.draft.when).toContain(join(folder, 'canary'));
    expect(tried.simulation.difference.noLongerCaught).toBe(1);
    expect(tried.simulation.difference.lostExamples[0]?.eventId).toBe(decision.decision?.eventId);
    expect((await find('low')).version).toBe(1);
    expect(cli(...args, '--save').code).toBe(0);
    expect(await find('low')).toMatchObject({ version: 2, state: 'draft', hash: tried.draft.hash });
    const other = join(folder, 'other.yml');
    writeFileSync(other, policy('low', 'low', 'other', 'kill'));
    expect(cli('save', other, '--base', tried.draft.base)).toMatchObject({
      code: 1,
      text: expect.stringContaining('changed meanwhile') as string,
    });
    const difference = cli('diff', 'low');
    expect(difference).toMatchObject({ code: 1 });
    expect(difference.text).toContain(`exception added: ${tried.draft.when}`);
    const told = await allEvents(agent.client, 'type:decision action:policy_change');
    expect(told.map(({ details }) => [details?.['step'], details?.['hash']])).toContainEqual([
      'save',
      tried.draft.hash,
    ]);
  });
});

describe('mistakes', () => {
  it('are named with file, line, column and remedy, and take no valid policy with them', async () => {
    write('bad.yml', 'id: bad\nversion: 1\nseverity: high\nwhen: proces.name == "x"\naction: deny_exec\n');
    write('twice.yml', `${policy('twice', 'low', 'x', 'alert')}---\n${policy('twice', 'low', 'y', 'alert')}`);
    write('huge.yml', 'x'.repeat(10_000_000));
    write('good.yml', policy('good', 'low', 'x', 'alert'));
    const { code, text } = cli('validate', policies);
    expect(code).toBe(1);
    expect(text).toContain('bad.yml:4:7: when: there is no field proces.name; did you mean process.name?');
    expect(text).toContain('the id twice occurs more than once');
    expect(text).toContain('the file has 10000000 bytes');
    await agent.client.call('policy.reload', {});
    expect((await find('good')).state).toBe('draft');
    expect(await find('bad')).toBeUndefined();
  });
});
