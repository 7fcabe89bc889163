/**
 * Protected data in the console, in a browser and against a real agent: a copy to a stick appears without a reload and
 * leads to its event, a folder is scanned and the scan cancelled, what a policy took away is put back, who it cut off from
 * the network is let go, and what is not in force is said. Nowhere on the page is any of the data.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../agent/api/client.ts';
import { connectAgent } from './agent-client.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import { accessibilityFaults } from './axe.ts';
import { type TestBrowser, browserPath, openBrowser } from './browser.ts';
import { makeCgroup, runIn, type TestCgroup } from './cgroup.ts';
import { type AgentProcess, runCli, startAgentProcess } from './packaged-agent.ts';
import { customers, iban, protectCustomers } from './protected-table.ts';
import { Shell } from './shell.ts';
import { mountStick } from './stick.ts';

const folder = mkdtempSync(join(tmpdir(), 'sentinel-console-dlp-'));
const dataDir = join(folder, 'data');
const stick = join(folder, 'stick');
const table = join(folder, 'customers.csv');
const indexes = join(dataDir, 'dlp', 'indexes');
const cgroup: TestCgroup | undefined =
  browserPath !== undefined && process.getuid?.() === 0 ? makeCgroup() : undefined;

const rows = customers(300);

const isMounted = cgroup !== undefined && mountStick(stick);
if (!isMounted)
  console.warn(
    'SKIPPED: protected data in a browser: needs Chromium, root, cgroup v2, mkfs.ext4 and a loop device',
  );

const run = (commands: string): number => runIn(cgroup!, commands);

let agent: AgentProcess;
let api: ApiClient;
let browser: TestBrowser;
let page: Page;

/** A loaded machine may take its time; what is waited for still has to come. */
const SOON = { timeout: 30_000 };
const section = (title: string) =>
  page.locator('.dlp-section').filter({ has: page.getByRole('heading', { name: title, exact: true }) });
const open = (hash: string): Promise<void> => page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
/** The pointer or the focus in a list holds back what is new. */
async function leaveAlone(): Promise<void> {
  await page.mouse.move(0, 0);
  await page.evaluate('document.activeElement?.blur()');
}

describe.skipIf(!isMounted)('protected data in the console (needs Chromium, root, a loop device)', () => {
  beforeAll(async () => {
    protectCustomers(folder, dataDir, rows);
    agent = await startAgentProcess({
      dataDir,
      args: ['--scope', `cgroup:${cgroup!.path}`, '--console', 'on'],
      env: { SENTINEL_DLP_LOOP_IS_REMOVABLE: 'true', SENTINEL_SENSOR_READ_OPENS: 'true' },
      timeoutMs: 90_000,
    });
    api = await connectAgent(dataPaths(dataDir).socket);
    // What fades has another contrast on its way.
    browser = await openBrowser([], { reducedMotion: 'reduce' });
    page = await browser.newPage();
    page.setDefaultTimeout(30_000);
    await page.goto(agent.consoleUrl!);
    await page.locator('#event-list').waitFor();
    await open('#/dlp');
  }, 240_000);

  afterAll(async () => {
    await browser?.close();
    api?.close();
    await agent?.stop();
    spawnSync('umount', [stick]);
    await cgroup?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('shows what is looked for and where', async () => {
    const row = section('Indexes').locator('tbody tr');
    await expect.poll(() => row.innerText(), SOON).toContain('300 rows');
    expect(await row.innerText()).toContain('iban (iban), name (words)');
    expect(await section('Coverage').innerText()).toContain(stick);
    expect(await section('Found').innerText()).toContain('No protected data was found');
  });

  it('shows a copy to the stick without a reload, and leads to its event and back', async () => {
    const copy = join(stick, 'holiday-photos.csv');
    run(`cp ${table} ${copy}`);
    const found = section('Found');
    await expect.poll(() => found.innerText(), SOON).toContain('customers · iban');
    const group = found.locator('.dlp-group').first();
    await group.focus();
    await page.keyboard.press('Enter');
    expect(await group.getAttribute('aria-expanded')).toBe('true');
    const event = found.locator('.dlp-event').first();
    expect(await event.innerText()).toContain('×300');
    expect(await event.innerText()).toContain('cp');
    const { events } = await api.call('dlp.hits', {});
    await event
      .getByRole('button', { name: /holiday-photos/ })
      .first()
      .click();
    await expect.poll(() => page.url(), SOON).toContain(`e=${events[0]!.eventId}`);
    const detail = page.getByRole('tabpanel');
    await expect.poll(() => detail.innerText(), SOON).toContain('removable media');
    for (const text of [await page.locator('body').innerText(), await page.content()])
      expect(text).not.toContain(iban(0).slice(4));
    await page.goBack();
    await section('Found').waitFor();
  });

  it('offers the ways on from a finding by keyboard: the tree, the history of the file, a policy', async () => {
    await section('Found').locator('.dlp-group').first().click();
    const ways = section('Found').locator('.dlp-more').first();
    await ways.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('menuitem', { name: 'Who read and wrote this file' }).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole('menuitem', { name: 'Draft a policy from this' }).click();
    const text = page.getByRole('textbox', { name: 'Text' });
    await expect.poll(() => text.inputValue(), SOON).toContain('"customers" in dlp.index');
    const { problems } = await api.call('policy.validate', { text: await text.inputValue() });
    expect(problems).toEqual([]);
    await open('#/dlp');
    await section('Found').waitFor();
  });

  it('holds back what is new while somebody is in the list', async () => {
    const found = section('Found');
    await found.getByRole('button', { name: 'By file' }).click();
    const names = async () => found.locator('tbody .dlp-group').allInnerTexts();
    await expect.poll(async () => (await names()).length, SOON).toBe(1);
    run(`cp ${table} ${stick}/second.csv`);
    const more = found.getByRole('button', { name: 'Show what is new' });
    await more.waitFor();
    expect(await names()).toHaveLength(1);
    await more.click();
    await expect.poll(async () => (await names()).length, SOON).toBe(2);
    await leaveAlone();
    await found.getByRole('searchbox').fill('file:*/second.csv');
    await page.keyboard.press('Enter');
    await expect.poll(async () => (await names()).join(' '), SOON).toMatch(/^\S*\s*\/second\.csv$/);
    await found.getByRole('searchbox').fill('');
    await expect.poll(async () => (await names()).length, SOON).toBe(2);
    await leaveAlone();
  });

  it('scans a folder, cancels another, and keeps both when one comes back', async () => {
    const scan = section('Scan now');
    const path = scan.getByRole('combobox', { name: 'File or folder' });
    await path.fill('/no/such/folder');
    await page.keyboard.press('Enter');
    await expect.poll(() => scan.getByRole('alert').innerText(), SOON).toContain('ENOENT');

    const letters = join(folder, 'letters');
    mkdirSync(letters);
    writeFileSync(join(letters, 'letter.txt'), `Dear ${rows[7]!.replace(',', ', your account is ')}.`);
    writeFileSync(join(letters, 'other.txt'), 'Nothing.');
    await path.fill(letters.slice(0, -2));
    await scan.locator(`datalist option[value="${letters}"]`).waitFor({ state: 'attached' });
    await path.fill(letters);
    await page.keyboard.press('Enter');
    const item = (name: string) => scan.locator('.dlp-scan-item').filter({ hasText: name });
    await expect
      .poll(() => item('letters').innerText(), SOON)
      .toMatch(/\b2 files, .* 1 with protected data/s);

    // Fifty gigabytes of holes: more than can be read before the button is found.
    const large = join(folder, 'large');
    mkdirSync(large);
    for (let n = 0; n < 200; n += 1) {
      writeFileSync(join(large, `${n}`), '');
      truncateSync(join(large, `${n}`), 250_000_000);
    }
    await path.fill(large);
    await page.keyboard.press('Enter');
    await expect.poll(() => item('/large').innerText(), SOON).toContain('of 200 files');
    await item('/large').getByRole('button', { name: 'Cancel' }).click();
    await expect.poll(() => item('/large').innerText(), SOON).toContain('Cancelled after');
    rmSync(large, { recursive: true });

    await open('#/health');
    await page.getByRole('heading', { name: 'Protected data' }).waitFor();
    await open('#/dlp');
    await expect.poll(() => item('/large').innerText(), SOON).toContain('Cancelled after');
    await item('letters').getByRole('button', { name: 'Findings in Timeline' }).click();
    await expect.poll(() => page.locator('.row[data-event]').count(), SOON).toBe(1);
    expect(await page.locator('.row[data-event]').innerText()).toContain('letter.txt');
    await page.goBack();
    await section('Found').waitFor();
  });

  it('puts back what a policy took away', async () => {
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
    expect((await api.call('policy.reload', {})).problems).toEqual([]);
    await api.call('policy.step', { id: 'no-stick', step: 'simulate' });
    await api.call('policy.step', { id: 'no-stick', step: 'canary' });
    const copy = join(stick, 'taken.csv');
    run(`cp ${table} ${copy}`);
    const row = section('Quarantine').locator('tbody tr').filter({ hasText: 'taken.csv' });
    await row.waitFor();
    expect(existsSync(copy)).toBe(false);
    expect(await row.innerText()).toContain('no-stick');
    await row.getByRole('button', { name: 'Restore' }).click();
    await expect.poll(() => section('Quarantine').innerText(), SOON).toContain('was restored');
    expect(readFileSync(copy, 'utf8')).toBe(readFileSync(table, 'utf8'));
    await row.waitFor({ state: 'detached' });
  });

  it('shows who was cut off from the network, and lets it go for a reason that goes on record', async () => {
    const letters = join(folder, 'letters');
    writeFileSync(
      join(dataDir, 'policies', 'cut.yml'),
      `id: cut-readers
version: 1
severity: medium
when: event.type == "dlp" && event.action == "read" && file.path.startsWith("${letters}/")
action: cut_network
cut: {minutes: 30}
canaryPercent: 100
`,
    );
    const { policies, problems } = await api.call('policy.reload', {});
    expect(problems).toEqual([]);
    const { reach } = policies.find(({ id }) => id === 'cut-readers')!;
    if (reach.mechanism !== 'cgroup_cut' || spawnSync('bash', ['--version']).status !== 0) {
      console.warn(`SKIPPED: who was cut off, in a browser: needs bash and the kernel (${reach.reason})`);
      return;
    }
    for (const step of ['simulate', 'canary'] as const)
      await api.call('policy.step', { id: 'cut-readers', step });
    const server = createServer((socket) => void socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const shell = new Shell(cgroup!);
    const connects = () => shell.ask(`true 3<>/dev/tcp/127.0.0.1/${port} && echo ok || echo refused`);
    try {
      expect(await connects()).toBe('ok');
      expect(await shell.ask(`read -r line < ${letters}/letter.txt; echo read`)).toBe('read');
      await expect.poll(connects, SOON).toBe('refused');

      await open('#/dlp');
      const cut = page.locator('.cut-off');
      const row = cut.locator('tbody tr').filter({ hasText: `bash (${shell.pid})` });
      await expect.poll(() => row.innerText(), SOON).toContain('letter.txt');
      const [decided] = (await api.call('events.query', { query: 'type:decision policy:cut-readers' }))
        .events;
      await open(`#/timeline?q=&e=${decided!.eventId}&tab=why`);
      await expect
        .poll(() => page.getByRole('tabpanel').locator('.cut-off').innerText(), SOON)
        .toContain('bash');
      await open('#/policies');
      await row.getByRole('button', { name: `Release bash (${shell.pid})` }).click();
      expect(await cut.innerText()).toContain('cut-readers stays in force');
      expect(await accessibilityFaults(page)).toEqual([]);
      expect(await cut.getByRole('button', { name: 'Let it reach the network' }).isDisabled()).toBe(true);
      expect(await connects()).toBe('refused');
      await page.keyboard.type('it was the nightly report');
      await page.keyboard.press('Enter');
      await expect
        .poll(() => cut.getByRole('status').innerText(), SOON)
        .toContain(`bash (${shell.pid}) may reach the network again`);
      await row.waitFor({ state: 'detached' });
      expect(await connects()).toBe('ok');
      await expect
        .poll(async () => {
          const query = 'type:decision action:policy_change';
          const { events } = await api.call('events.query', { query });
          return events.map(({ details }) => details);
        }, SOON)
        .toContainEqual(
          expect.objectContaining({
            policy: 'cut-readers',
            step: 'release',
            pid: String(shell.pid),
            reason: 'it was the nightly report',
          }),
        );
      expect((await api.call('health.get', {})).enforcement?.cut).toEqual([]);
    } finally {
      await shell.end();
      await new Promise((resolve) => server.close(resolve));
      await open('#/dlp');
    }
  });

  it('says what is not in force, here and in Health, until it is put right', async () => {
    const whole = readFileSync(join(indexes, 'customers.sdlp'));
    whole[whole.length - 9]! ^= 1;
    writeFileSync(join(indexes, '.changed.tmp'), whole);
    renameSync(join(indexes, '.changed.tmp'), join(indexes, 'changed.sdlp'));
    const alert = page.locator('.dlp-problems');
    await expect.poll(() => alert.innerText(), SOON).toContain('changed.sdlp');
    expect(await alert.innerText()).toContain('What to do:');
    expect(await accessibilityFaults(page)).toEqual([]);
    const status = await runCli(['status', '--data', dataDir]);
    expect(status.stdout).toContain('changed.sdlp was changed after it was made');
    expect(status.stdout).toMatch(/^dlp {7}1 index; /m);
    await open('#/health');
    await expect
      .poll(() => page.locator('.problem').allInnerTexts(), SOON)
      .toEqual(expect.arrayContaining([expect.stringContaining('changed.sdlp')]));
    rmSync(join(indexes, 'changed.sdlp'));
    await open('#/dlp');
    await alert.waitFor({ state: 'detached' });
    expect(browser.complaints()).toEqual([]);
  });
});
