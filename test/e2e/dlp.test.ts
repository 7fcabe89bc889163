/**
 * Protected data from end to end: an index built from a table, a stick (an image mounted through a loop device) to which
 * real programs of the test's own group copy it, and what the record, the policy and the quarantine then hold.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, allEvents, eventually, startAgent } from './agent-process.ts';
import { makeCgroup, runIn, type TestCgroup } from './cgroup.ts';
import { customers, iban, protectCustomers, sentinel } from './protected-table.ts';
import { mountStick } from './stick.ts';

const folder = mkdtempSync(join(tmpdir(), 'sentinel-dlp-e2e-'));
const dataDir = join(folder, 'data');
const stick = join(folder, 'stick');
const table = join(folder, 'customers.csv');
const cgroup: TestCgroup | undefined = process.getuid?.() === 0 ? makeCgroup() : undefined;
let isMounted = false;
let agent: AgentProcess | undefined;

const ROWS = 500;
const rows = customers(ROWS);

const cli = (...args: string[]) => sentinel(dataDir, 'dlp', ...args);

const run = (commands: string): number => runIn(cgroup!, commands);

/** Files below a folder that hold a text. */
function filesWith(text: string, below: string): string[] {
  return readdirSync(below, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(text));
}

isMounted = cgroup !== undefined && mountStick(stick);
if (!isMounted)
  console.warn('SKIPPED: protected data on a stick: needs root, cgroup v2, mkfs.ext4 and a loop device');

describe.skipIf(!isMounted)('protected data (needs root and a loop device)', () => {
  beforeAll(async () => {
    protectCustomers(folder, dataDir, rows);
    process.env['SENTINEL_DLP_LOOP_IS_REMOVABLE'] = 'true';
    agent = await startAgent(dataDir, ['--scope', `cgroup:${cgroup!.path}`]);
    delete process.env['SENTINEL_DLP_LOOP_IS_REMOVABLE'];
  }, 180_000);

  afterAll(async () => {
    await agent?.end('SIGTERM');
    spawnSync('umount', [stick]);
    await cgroup?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('says what is looked for and where', async () => {
    const { indexes, coverage, problems } = await agent!.client.call('dlp.indexes', {});
    expect(problems).toEqual([]);
    expect(indexes).toMatchObject([{ name: 'customers', rows: ROWS, signature: 'trusted' }]);
    expect(coverage.mounts.find(({ path }) => path === stick)).toMatchObject({
      kind: 'removable',
      why: 'loop',
    });
    expect(coverage.watching).toBe(true);
  });

  it('tells of a copy to the stick with who made it, and never of what is in it', async () => {
    const copy = join(stick, 'holiday-photos.csv');
    const shell = run(`cp ${table} ${copy}`);
    const closedMs = Date.now();
    const event = await eventually('the copy is in the timeline', async () => {
      const { events } = await agent!.client.call('dlp.hits', {});
      return events.find(({ file }) => file?.path === copy);
    });
    const [closed] = await allEvents(agent!.client, `type:file action:write file:"${copy}"`);
    const found = Number(BigInt(event.tsNs) - BigInt(closed!.tsNs)) / 1e6;
    console.log(
      `found ${found.toFixed(0)} ms after the file was closed; seen in the timeline at most ${Date.now() - closedMs} ms after the copy ended`,
    );
    expect(BigInt(event.tsNs)).toBeGreaterThan(BigInt(closed!.tsNs));
    expect(event).toMatchObject({
      type: 'dlp',
      action: 'match',
      lane: 'security',
      severity: 'high',
      process: { name: 'cp', ppid: shell },
      parent: { pid: shell },
      dlp: { verdict: 'match', destination: 'removable', mount: stick, trigger: 'close_write' },
    });
    expect(event.process?.argv).toEqual(['cp', table, copy]);
    expect(event.dlp?.matches[0]).toMatchObject({ index: 'customers', type: 'iban', secondaries: ['name'] });
    expect(event.dlp?.matchesTotal).toBe(ROWS);
    expect(event.dlp?.matches[0]?.count).toBe(String(ROWS));
    expect(event.dlp?.sources).toMatchObject([{ path: table, name: 'cp' }]);
    const byQuery = await allEvents(
      agent!.client,
      'dlp.index:customers dlp.rule:iban dlp.destination:removable dlp.count:>100',
    );
    expect(byQuery.map(({ eventId }) => eventId)).toContain(event.eventId);
    expect(filesWith(iban(7), dataDir)).toEqual([]);
    expect(filesWith(iban(7).slice(4), dataDir)).toEqual([]);
  });

  it('says nothing of an unrelated file, and tells a rename to the stick too', async () => {
    writeFileSync(join(folder, 'plain.txt'), 'nothing that anybody protects\n');
    run(`cp ${folder}/plain.txt ${stick}/plain.txt`);
    run(`cp ${table} ${stick}/.hidden && mv ${stick}/.hidden ${stick}/renamed.csv`);
    await eventually('the renamed file is found', async () => {
      const { events } = await agent!.client.call('dlp.hits', {});
      return events.find(({ file }) => file?.path === join(stick, 'renamed.csv'));
    });
    const { events } = await agent!.client.call('dlp.hits', {});
    expect(events.filter(({ file }) => file?.path.endsWith('plain.txt'))).toEqual([]);
  });

  it('finds a copy made in another mount namespace, on a layer above the stick, and by a name that is no text', async () => {
    const place = (name: string): string => {
      mkdirSync(join(folder, name));
      return join(folder, name);
    };
    const [hidden, lower, merged] = [place('hidden'), place('lower'), place('merged')];
    // Bound to the stick for one program only, and gone with it.
    run(`unshare -m sh -c 'mount --bind ${stick} ${hidden} && cp ${table} ${hidden}/unseen.csv'`);
    run(`mkdir ${stick}/up ${stick}/work`);
    const layers = `lowerdir=${lower},upperdir=${stick}/up,workdir=${stick}/work`;
    run(`mount -t overlay overlay -o ${layers} ${merged}`);
    run(`cp ${table} ${merged}/layered.csv`);
    run(`cp ${table} "$(printf '${stick}/na\\377me.csv')"`);
    run(`mkdir ${stick}/box && cp ${table} ${stick}/box/moved.csv && mv ${stick}/box ${stick}/moved`);
    const wanted = [
      `${hidden}/unseen.csv`,
      `${merged}/layered.csv`,
      `${stick}/na\ufffdme.csv`,
      `${stick}/moved/moved.csv`,
    ];
    for (const path of wanted) {
      const event = await eventually(`${path} is found`, async () => {
        const { events } = await agent!.client.call('dlp.hits', {});
        return events.find(({ file }) => file?.path === path);
      });
      expect(event).toMatchObject({ action: 'match', dlp: { destination: 'removable' } });
    }
    spawnSync('umount', [merged]);
  });

  it('tells when a stick was pulled before it could be looked at', async () => {
    const second = join(folder, 'second');
    mkdirSync(second);
    expect(spawnSync('cp', [join(folder, 'stick.img'), join(folder, 'second.img')]).status).toBe(0);
    expect(spawnSync('mount', ['-o', 'loop', join(folder, 'second.img'), second]).status).toBe(0);
    const copy = join(second, 'quick.csv');
    // With nothing between the two, and as often as it takes to be quicker than the look.
    const event = await eventually('the copy is on record', async () => {
      run(`cp ${table} ${copy}; umount ${second}`);
      const found = await eventually('the copy was seen', async () => {
        const told = await allEvents(agent!.client, `type:dlp file:"${copy}"`);
        return told.at(-1);
      });
      if (found.action === 'unscannable') return found;
      spawnSync('mount', ['-o', 'loop', join(folder, 'second.img'), second]);
      return undefined;
    });
    expect(event).toMatchObject({
      process: { name: 'cp' },
      severity: 'medium',
      dlp: { verdict: 'unscannable', reasonCode: 'unmounted', destination: 'removable' },
    });
  });

  it('tells what is pushed with git, who pushed it and where to, without the password in the address', async () => {
    const repo = join(folder, 'repo');
    const bare = join(folder, 'bare.git');
    const env = 'GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null';
    const git = `env ${env} git -C ${repo} -c user.name=a -c user.email=a@example.com -c core.fsmonitor=`;
    run(`git init -q --bare ${bare} && git init -q ${repo} && echo hello > ${repo}/readme`);
    run(`${git} checkout -qb main && ${git} add . && ${git} commit -qm first && ${git} push -q ${bare} main`);
    run(`${git} remote add origin file://me:secret@${bare} && ${git} config remote.origin.pushurl ${bare}`);
    run(`${git} fetch -q ${bare} main:refs/remotes/origin/main`);
    run(`mkdir ${repo}/data && cp ${table} ${repo}/data/customers.csv && echo more >> ${repo}/readme`);
    // A command of the repository's own, which nobody but git may run.
    const trap = join(folder, 'trap');
    run(`${git} add . && ${git} commit -qm second && ${git} config core.fsmonitor 'touch ${trap}'`);
    const shell = run(`${git} push -q origin main`);
    const event = await eventually('what was pushed is on record', async () => {
      const [newest] = await allEvents(agent!.client, 'type:dlp dlp.destination:git_push');
      return newest;
    });
    expect(event).toMatchObject({
      action: 'match',
      severity: 'high',
      process: { name: 'git' },
      file: { path: join(repo, 'data', 'customers.csv') },
      details: { remote: 'origin', url: bare, repository: repo },
      dlp: { verdict: 'match', destination: 'git_push', trigger: 'push', matchesTotal: ROWS },
    });
    expect(event.parent?.pid).toBe(shell);
    expect(existsSync(trap)).toBe(false);
    // Nothing is sent the second time.
    run(`${git} push -q origin main`);
    run(`cp ${table} ${stick}/after-the-push.csv`);
    await eventually('what came after it was looked at', async () => {
      const { events } = await agent!.client.call('dlp.hits', {});
      return events.find(({ file }) => file?.path.endsWith('after-the-push.csv'));
    });
    expect(await allEvents(agent!.client, 'type:dlp dlp.destination:git_push')).toHaveLength(1);
  });

  it('looks at a folder on request', async () => {
    const path = join(folder, 'documents');
    mkdirSync(path);
    writeFileSync(join(path, 'letter.txt'), `Dear Ana Belmonte 0, your account is ${iban(0)}.`);
    writeFileSync(join(path, 'other.txt'), 'Nothing.');
    const { scan } = await agent!.client.call('dlp.scan.start', { path });
    const done = await eventually('the scan has ended', async () => {
      const now = (await agent!.client.call('dlp.scan.progress', { id: scan.id })).scan;
      return now?.endedMs === undefined ? undefined : now;
    });
    expect(done).toMatchObject({ state: 'done', files: 2, totalFiles: 2, matched: 1 });
  });

  it('moves a copy away where a policy says so, and gives it back', async () => {
    mkdirSync(join(dataDir, 'policies'), { recursive: true });
    writeFileSync(
      join(dataDir, 'policies', 'stick.yml'),
      `id: no-stick
version: 1
severity: medium
when: event.type == "dlp" && dlp.verdict == "match" && dlp.destination == "removable" && "customers" in dlp.index
action: quarantine
canaryPercent: 100
`,
    );
    const { client } = agent!;
    const { problems } = await client.call('policy.reload', {});
    expect(problems).toEqual([]);
    await client.call('policy.step', { id: 'no-stick', step: 'simulate' });
    const { version } = await client.call('policy.step', { id: 'no-stick', step: 'canary' });
    expect(version.reach).toMatchObject({
      mechanism: 'quarantine_move',
      guarantee: 'moved away after it was written',
    });
    const copy = join(stick, 'again.csv');
    run(`cp -p ${table} ${copy}`);
    await eventually('the copy is gone', async () => (existsSync(copy) ? undefined : true));
    const entry = await eventually('the quarantine has it', async () => {
      const { entries } = await client.call('dlp.quarantine.list', {});
      return entries.find(({ path }) => path === copy);
    });
    expect(entry).toMatchObject({
      policy: 'no-stick',
      rules: ['customers iban'],
      by: 'copy',
      signed: true,
      lost: '',
    });
    expect(statSync(join(dataDir, 'quarantine')).mode & 0o777).toBe(0o700);
    const decision = await eventually('the decision is on record', async () => {
      const [newest] = await allEvents(client, 'type:decision policy:no-stick effect:applied');
      return newest;
    });
    expect(decision.decision).toMatchObject({
      eventId: entry.eventId,
      action: 'quarantine',
      effect: { state: 'applied', guarantee: 'moved away after it was written' },
    });

    writeFileSync(copy, 'taken');
    const refused = cli('quarantine', 'restore', entry.id);
    expect(refused.code).toBe(1);
    expect(refused.text).toContain('there is something at');
    rmSync(copy);
    const restored = cli('quarantine', 'restore', entry.id);
    expect(restored.text).toContain(`restored ${copy}`);
    expect(readFileSync(copy, 'utf8')).toBe(readFileSync(table, 'utf8'));
    expect(statSync(copy).mtimeMs).toBe(statSync(table).mtimeMs);
    expect((await client.call('dlp.quarantine.list', {})).entries).toEqual([]);
    const actions = (await allEvents(client, `type:dlp file:"${copy}"`)).map(({ action }) => action);
    expect(actions).toEqual(['match', 'quarantine', 'restore']);
  });

  it('uses another index as soon as it is there, and none when it is gone', async () => {
    const index = join(dataDir, 'dlp', 'indexes', 'customers.sdlp');
    rmSync(index);
    await eventually('nothing is looked for', async () => {
      const { coverage } = await agent!.client.call('dlp.indexes', {});
      return coverage.watching ? undefined : true;
    });
    await expect(agent!.client.call('dlp.scan.start', { path: folder })).rejects.toThrow(/there is no index/);
  });
});
