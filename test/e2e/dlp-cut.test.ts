/**
 * Who reads protected data loses the way out: real shells and curl in the test's own group, a real server, the kernel's
 * answers. First as a canary, decided after the open; then active, when the open waits until its process is cut off.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../agent/api/client.ts';
import { connectAgent } from './agent-client.ts';
import type { DecisionJson, PolicyVersionJson } from '../../agent/api/contract.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import { whyNot } from '../native/recorder.ts';
import { allEvents, eventually } from './agent-process.ts';
import { makeCgroup, type TestCgroup } from './cgroup.ts';
import { customers, protectCustomers, sentinel } from './protected-table.ts';
import { Shell } from './shell.ts';

const reason = whyNot() || (spawnSync('bash', ['--version']).status === 0 ? '' : 'needs bash');
if (reason) console.warn(`SKIPPED: test/e2e/dlp-cut: ${reason}`);

const hasCurl = spawnSync('curl', ['--version']).status === 0;

describe.skipIf(reason)('who reads protected data and a policy that cuts off readers', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-dlp-cut-'));
  const dataDir = join(folder, 'data');
  const share = join(folder, 'share');
  const table = join(share, 'customers.csv');
  const plain = join(share, 'plain.txt');
  const shells: Shell[] = [];
  let cgroup: TestCgroup;
  let server: Server;
  let port = 0;
  let served = 0;
  let child: ChildProcess;
  let said: AsyncIterator<string>;
  let client: ApiClient;

  const cli = (...args: string[]) => sentinel(dataDir, ...args);
  const find = async (id: string): Promise<PolicyVersionJson> =>
    (await client.call('policy.list', {})).policies.findLast((each) => each.id === id)!;
  const shell = (): Shell => {
    const made = new Shell(cgroup);
    shells.push(made);
    return made;
  };
  const reads = (file: string): string => `read -r line < ${file} && echo read || echo refused`;
  /** By the shell itself. */
  const connects = (): string => `true 3<>/dev/tcp/127.0.0.1/${port} && echo ok || echo refused`;
  const childConnects = (): string =>
    `bash -c 'true 3<>/dev/tcp/127.0.0.1/${port}' && echo ok || echo refused`;
  const decisions = async (state: 'canary' | 'active'): Promise<DecisionJson[]> =>
    (await allEvents(client, 'type:decision')).flatMap(({ decision }) =>
      decision?.action === 'cut_network' && decision.policyState === state && !decision.wouldBe
        ? decision
        : [],
    );

  beforeAll(async () => {
    cgroup = makeCgroup() as TestCgroup;
    mkdirSync(share);
    renameSync(protectCustomers(folder, dataDir, customers(50)), table);
    writeFileSync(plain, 'nothing that anybody protects\n');
    mkdirSync(join(dataDir, 'policies'), { recursive: true });
    writeFileSync(
      join(dataDir, 'policies', 'cut.yml'),
      `id: cut-readers
version: 1
severity: medium
when: >-
  event.type == "dlp" && event.action == "read" && file.path.startsWith("${share}/") &&
  "customers" in dlp.index && dlp.count >= 10
action: cut_network
cut: {minutes: 30, except: [127.9.0.0/16]}
canaryPercent: 100
`,
    );
    server = createServer((request, response) => {
      served += 1;
      request.resume();
      response.end('ok');
    });
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
    port = (server.address() as AddressInfo).port;
    child = spawn(
      process.execPath,
      [
        join(import.meta.dirname, 'agent-on-a-clock.ts'),
        dataDir,
        cgroup.path,
        'SENTINEL_SENSOR_READ_OPENS=true',
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    said = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    if ((await said.next()).value !== 'ready') throw new Error('the agent did not start');
    client = await connectAgent(dataPaths(dataDir).socket);
  }, 180_000);

  afterAll(async () => {
    for (const each of shells) await each.end();
    client?.close();
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.stdin?.end();
    await gone;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await cgroup.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('does nothing as a draft or while it is simulated, but says what it would do', async () => {
    const { scan } = await client.call('dlp.scan.start', { path: share });
    await eventually('the folder was looked at', async () =>
      (await client.call('dlp.scan.progress', { id: scan.id })).scan?.state === 'done' ? true : undefined,
    );
    const reader = shell();
    expect([await reader.ask(reads(table)), await reader.ask(connects())]).toEqual(['read', 'ok']);
    expect(cli('policy', 'simulate', 'cut-readers')).toMatchObject({ code: 0 });
    const other = shell();
    expect(await other.ask(reads(table))).toBe('read');
    const would = await eventually('what it would do is on record', async () =>
      (await allEvents(client, 'type:decision')).find(({ decision }) => decision?.wouldBe),
    );
    expect(would.decision).toMatchObject({ policyId: 'cut-readers', action: 'cut_network' });
    expect(await other.ask(connects())).toBe('ok');
  });

  it('as a canary cuts off who read, soon after, with the file and the data on record, until it is released', async () => {
    expect(cli('policy', 'canary', 'cut-readers')).toMatchObject({ code: 0 });
    const reader = shell();
    const bystander = shell();
    expect([await reader.ask(reads(table)), await bystander.ask(reads(plain))]).toEqual(['read', 'read']);
    const [decision] = await eventually('it was decided', async () => {
      const made = await decisions('canary');
      return made.length > 0 ? made : undefined;
    });
    expect(decision).toMatchObject({
      policyId: 'cut-readers',
      guardian: 'agent',
      effect: { state: 'applied', mechanism: 'cgroup_cut', guarantee: 'cut off soon after the read' },
    });
    expect(decision?.rationale.clauses.find(({ text }) => text.includes('dlp.index'))?.value).toContain(
      'customers',
    );
    const [read] = await allEvents(client, 'type:dlp action:read');
    expect(read).toMatchObject({
      lane: 'security',
      file: { path: table },
      dlp: { trigger: 'open', matches: [{ index: 'customers', type: 'iban' }] },
    });
    expect([await reader.ask(connects()), await reader.ask(childConnects())]).toEqual(['refused', 'refused']);
    expect([await bystander.ask(connects()), await bystander.ask(childConnects())]).toEqual(['ok', 'ok']);
    expect(cli('policy', 'status').text).toMatch(
      new RegExp(`^CUT OFF       .*bash \\(${reader.pid}\\) by cut-readers for reading ${table}`, 'm'),
    );
    expect(cli('policy', 'release', String(reader.pid)).text).toMatch(/may reach the network again\n$/);
    expect([await reader.ask(connects()), await reader.ask(childConnects())]).toEqual(['ok', 'ok']);
    expect(cli('policy', 'release').text).toBe('nobody was cut off\n');
  });

  it('once active cuts off before the open returns: the reader, its children, and who reads and sends in one go', async () => {
    child.stdin?.write('61\n');
    expect((await said.next()).value).toBe('+61');
    await eventually('it is active', async () =>
      (await find('cut-readers')).state === 'active' ? true : undefined,
    );
    expect((await find('cut-readers')).reach).toMatchObject({
      guardian: 'kernel',
      mechanism: 'cgroup_cut',
      guarantee: 'cut off before it could read',
    });
    const bystander = shell();
    expect(await bystander.ask(reads(plain))).toBe('read');
    for (let time = 0; time < 5; time++) {
      const reader = shell();
      // In one go: nothing waits for the agent.
      expect(await reader.ask(`read -r line < ${table}; ${connects()}`)).toBe('refused');
      expect(await reader.ask(childConnects())).toBe('refused');
      expect(await reader.ask(`bash -c '${childConnects().replaceAll("'", '"')}'`)).toBe('refused');
      // What the policy leaves open.
      expect(await reader.ask(connects().replace('127.0.0.1', '127.9.0.1'))).toBe('ok');
    }
    if (hasCurl) {
      const before = served;
      const sends = `curl -s -m 20 -T ${table} http://127.0.0.1:${port}/ >&2; echo $?`;
      expect(await bystander.ask(sends)).toBe('7');
      expect(served).toBe(before);
      // The shell itself did not read; its child did.
      expect(await bystander.ask(sends.replace(table, plain))).toBe('0');
      expect(served).toBe(before + 1);
    } else console.warn('SKIPPED: curl is not installed');
    expect(await bystander.ask(connects())).toBe('ok');
  });

  it('puts each cut and each refused connection on record, with what was read', async () => {
    const made = await eventually('the decisions are in the timeline', async () => {
      const found = await decisions('active');
      return found.filter(({ effect }) => effect.mechanism === 'cgroup_deny').length >= 15
        ? found
        : undefined;
    });
    const cuts = made.filter(({ effect }) => effect.mechanism === 'cgroup_cut');
    expect(cuts.length).toBeGreaterThanOrEqual(5);
    for (const { guardian, effect, rationale } of made) {
      expect(guardian).toBe('kernel');
      expect(effect.state).toBe('applied');
      expect(rationale.clauses.find(({ text }) => text.includes('dlp.index'))).toMatchObject({
        result: 'true',
        value: expect.stringContaining('customers'),
      });
      expect(rationale.clauses.find(({ text }) => text.includes('startsWith'))?.value).toContain(table);
    }
    expect(cuts[0]?.effect.guarantee).toBe('cut off before it could read');
    const refused = made.filter(({ effect }) => effect.mechanism === 'cgroup_deny');
    for (const { effect, evidence } of refused) {
      expect(effect.guarantee).toBe('prevented');
      expect(evidence.some((each) => each.startsWith('event:'))).toBe(true);
    }
    const attempts = await allEvents(client, 'type:network action:deny_connect');
    expect(attempts.length).toBeGreaterThanOrEqual(refused.length);
    const verified = cli('audit', 'export', '--out', join(folder, 'bundle'));
    expect(verified).toMatchObject({ code: 0 });
    expect(cli('audit', 'verify', join(folder, 'bundle'))).toMatchObject({ code: 0 });
  });

  it('lets everybody go when the policy is taken back', async () => {
    const reader = shell();
    expect(await reader.ask(`read -r line < ${table}; ${connects()}`)).toBe('refused');
    expect(cli('policy', 'deprecate', 'cut-readers')).toMatchObject({ code: 0 });
    expect(await reader.ask(connects())).toBe('ok');
    expect(await shell().ask(`read -r line < ${table}; ${connects()}`)).toBe('ok');
  });
});
