/**
 * Policies in the console, in a browser and against a real agent: the list, the steps of a life, a trial on the record,
 * decisions with their clauses, the text as it is checked, and what a severe policy is refused.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../agent/api/client.ts';
import { connectAgent } from './agent-client.ts';
import { socketPathOf } from '../../agent/api/socket-server.ts';
import { accessibilityFaults } from './axe.ts';
import { type TestBrowser, browserPath, openBrowser } from './browser.ts';
import { type AgentProcess, startAgentProcess } from './packaged-agent.ts';

if (browserPath === undefined) console.warn('SKIPPED: policies in a browser: no Chromium is installed');
const MARK = `policy-e2e-${process.pid}`;
const TEXT = `id: e2e-echo
version: 1
title: Echo is watched
description: For the test only.
severity: low
when: event.action == "exec" && process.name == "echo"
action: alert
canaryPercent: 10
`;

const folder = mkdtempSync(join(tmpdir(), 'sentinel-stopped-'));
let agent: AgentProcess;
let api: ApiClient;
let browser: TestBrowser;
let page: Page;

/** A loaded machine may take its time; what is waited for still has to come. */
const SOON = { timeout: 20_000 };
const section = (title: string) =>
  page.locator('.policy-section').filter({ has: page.getByRole('heading', { name: title, exact: true }) });
async function open(id?: string): Promise<void> {
  await page.evaluate(
    `location.hash = ${JSON.stringify(`#/policies${id === undefined ? '' : `?id=${id}`}`)}`,
  );
}

describe.skipIf(browserPath === undefined)('policies (needs Chromium)', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'sentinel-policies-'));
    mkdirSync(join(dataDir, 'policies'), { mode: 0o700 });
    writeFileSync(join(dataDir, 'policies', 'echo.yml'), TEXT, { mode: 0o600 });
    agent = await startAgentProcess({ dataDir, args: ['--scope', `pid:${process.pid}`, '--console', 'on'] });
    api = await connectAgent(socketPathOf(dataDir));
    // What fades has another contrast on its way.
    browser = await openBrowser([], { reducedMotion: 'reduce' });
    page = await browser.newPage();
    await page.goto(agent.consoleUrl!);
    await page.locator('#event-list').waitFor();
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    api?.close();
    await agent?.stop();
    agent?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('lists every policy with its state, and says that none may act on a fresh machine', async () => {
    await open();
    const { policies } = await api.call('policy.list', {});
    await page.getByText('none may act').waitFor();
    expect(await page.locator('.policies tbody tr').count()).toBe(policies.length);
    for (const { id, state } of policies) {
      expect(state).toBe('draft');
      expect(await page.locator('.policies tbody tr', { hasText: `${id} v` }).innerText()).toContain('draft');
    }
  });

  it('takes a policy to simulation; its decisions appear with the clauses and values they rest on', async () => {
    await page.getByRole('button', { name: 'Echo is watched' }).click();
    await page.getByRole('button', { name: 'Simulate', exact: true }).click();
    await expect.poll(() => page.locator('.policy-head').innerText(), SOON).toContain('simulating');
    execFileSync('/bin/echo', [MARK]);
    const decisions = section('Latest decisions');
    await decisions.getByText('would have').first().waitFor({ timeout: 20_000 });
    await decisions.locator('.group-toggle').first().click();
    await expect
      .poll(() => decisions.locator('.policy-clauses').first().innerText(), SOON)
      .toContain('"echo"');
  });

  it('tries it on the record; the examples lead to the very events', async () => {
    await section('Try it on the record').getByRole('button', { name: 'Last day' }).click();
    const example = section('Try it on the record').locator('.sample').first();
    await example.waitFor({ timeout: 20_000 });
    const { simulation } = await api.call('policy.simulation', { id: 'e2e-echo' });
    expect(simulation?.matched).toBeGreaterThan(0);
    const wanted = simulation!.examples[0]!.eventId;
    await example.click();
    await expect.poll(() => page.url(), SOON).toContain(`e=${wanted}`);
    const { event } = await api.call('events.get', { eventId: wanted });
    expect(event.process?.argv).toContain(MARK);
    await page.goBack();
    await page.getByRole('heading', { name: 'Echo is watched' }).waitFor();
  });

  it('checks the text as it is typed, and leads to the place of a mistake', async () => {
    const area = page.getByRole('textbox', { name: 'Text' });
    const broken = TEXT.replace('process.name', 'process.nmae');
    await area.fill(broken);
    const { problems } = await api.call('policy.validate', { text: broken });
    const { line, column, message } = problems[0]!;
    const check = page.locator('.policy-check');
    await expect.poll(() => check.innerText(), SOON).toContain(message);
    await check.getByRole('button', { name: `line ${line}, column ${column}` }).click();
    const caret = await area.evaluate((box) => (box as unknown as { selectionStart: number }).selectionStart);
    expect(broken.slice(0, caret).split('\n')).toHaveLength(line);
    expect(await page.locator('.policy-lines [data-bad]').innerText()).toBe(String(line));
    await page.getByRole('button', { name: 'Undo the changes' }).click();
    await expect.poll(() => check.innerText(), SOON).toContain('Valid.');
  });

  it('completes names of fields by keyboard, and saves the text as the next version, a draft', async () => {
    const area = page.getByRole('textbox', { name: 'Text' });
    await area.fill(
      TEXT.replace(' && process.name == "echo"', ' && process.name == "echo" && user.id >= 0 && pr'),
    );
    await area.evaluate((box) => {
      const field = box as unknown as { value: string; setSelectionRange(from: number, to: number): void };
      const at = field.value.indexOf('&& pr\n') + 5;
      field.setSelectionRange(at, at);
    });
    await page.keyboard.type('ocess.parent.na');
    await page.getByRole('option', { name: 'process.parent.name' }).waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.type(' != "nobody"');
    await expect
      .poll(() => area.inputValue(), SOON)
      .toContain('user.id >= 0 && process.parent.name != "nobody"\n');
    const text = section('Text');
    await text.getByRole('button', { name: 'Difference from what is in force' }).click();
    await text.getByText('Clause added').first().waitFor();
    expect(await text.locator('.policy-meaning').innerText()).toContain('process.parent.name != "nobody"');
    expect(await text.locator('tr[data-kind="added"]').innerText()).toContain('user.id >= 0');
    await expect
      .poll(() => text.getByRole('button', { name: 'Save as a draft' }).isEnabled(), SOON)
      .toBe(true);
    await area.press('Control+s');
    await text.getByText('Saved as version 2, a draft').waitFor();
    const { text: saved, versions } = await api.call('policy.get', { id: 'e2e-echo' });
    expect(saved).toContain('version: 2');
    expect(versions.map(({ version, state }) => [version, state])).toEqual([
      [1, 'simulating'],
      [2, 'draft'],
    ]);
  });

  it('keeps an edit when somebody else saves meanwhile, says so, and does not overwrite theirs unasked', async () => {
    const { text, hash } = await api.call('policy.get', { id: 'e2e-echo' });
    const area = page.getByRole('textbox', { name: 'Text' });
    await area.fill(text.replace('For the test only.', 'Mine.'));
    await api.call('policy.save', { text: text.replace('For the test only.', 'Theirs.'), base: hash });
    await page.getByText('Somebody saved another text meanwhile').waitFor({ timeout: 20_000 });
    await page.getByRole('button', { name: 'Save as a draft' }).click();
    await page.getByText('was changed meanwhile').waitFor();
    expect((await api.call('policy.get', { id: 'e2e-echo' })).text).toContain('Theirs.');
    await page.getByRole('button', { name: 'Take theirs, drop mine' }).click();
    await expect.poll(() => area.inputValue(), SOON).toContain('Theirs.');
  });

  it('drafts an exception from a decision: tried on the record before it can be saved', async () => {
    const decisions = section('Latest decisions');
    await decisions.locator('.group-toggle[aria-expanded="false"]').first().click();
    await decisions.getByRole('button', { name: 'Draft exception' }).first().click();
    const dialog = page.getByRole('dialog');
    const save = dialog.getByRole('button', { name: 'Save in a draft' });
    await dialog.getByText('No longer caught of the last 10 days: 1.').waitFor({ timeout: 20_000 });
    expect(await save.isDisabled()).toBe(true);
    await dialog.getByLabel('Reason').fill('the test says so');
    await expect.poll(() => save.isEnabled(), SOON).toBe(true);
    expect(await accessibilityFaults(page)).toEqual([]);
    await save.click();
    await dialog.getByText('Saved in version 4').waitFor();
    await dialog.getByRole('button', { name: 'Open the policy' }).click();
    await section('Exceptions').getByText('the test says so').waitFor();
    const { policies } = await api.call('policy.list', {});
    const { exceptions } = policies.findLast(({ id }) => id === 'e2e-echo')!;
    expect(exceptions).toHaveLength(1);
    expect(exceptions[0]?.when).toContain(MARK);
  });

  it('begins a new policy from a template', async () => {
    await open();
    await page.getByRole('button', { name: 'New policy' }).click();
    await page.getByRole('button', { name: 'Destinations that may not be reached' }).click();
    const area = page.getByRole('textbox', { name: 'Text' });
    await area.fill((await area.inputValue()).replace('my-policy', 'e2e-new'));
    const save = page.getByRole('button', { name: 'Save as a draft' });
    await expect.poll(() => save.isEnabled(), SOON).toBe(true);
    expect(await accessibilityFaults(page)).toEqual([]);
    await save.click();
    await expect.poll(() => page.url(), SOON).toContain('id=e2e-new');
    const { policies } = await api.call('policy.list', {});
    expect(policies.find(({ id }) => id === 'e2e-new')).toMatchObject({ state: 'draft', version: 1 });
    await open('e2e-echo');
  });

  it('starts a canary and rolls it back with one button that says what it does; the history tells', async () => {
    await open('e2e-echo');
    await page.getByRole('button', { name: 'Simulate', exact: true }).click();
    await page.getByRole('button', { name: 'Start canary' }).click();
    await page.getByRole('heading', { name: 'Canary' }).waitFor();
    const back = section('Next steps').locator('li', { hasText: 'Roll back' });
    expect(await back.innerText()).toContain('Stops acting at once');
    await back.getByRole('button').click();
    await expect.poll(() => page.locator('.policy-head').innerText(), SOON).toContain('simulating');
    const { history } = await api.call('policy.get', { id: 'e2e-echo' });
    expect(history.filter(({ version }) => version === 4).map(({ to }) => to)).toEqual([
      'draft',
      'simulating',
      'canary',
      'simulating',
    ]);
    await expect.poll(() => section('History').locator('li').count(), SOON).toBe(history.length);
  });

  it('shows why a severe policy may not become active, and whose approvals it needs', async () => {
    await open('reverse-shell');
    await page.getByRole('button', { name: 'Simulate', exact: true }).click();
    await page.getByRole('button', { name: 'Start canary' }).click();
    await page.getByRole('button', { name: 'Activate', exact: true }).click();
    await page.locator('.policy-steps ~ .policy-refused').waitFor();
    const { policies } = await api.call('policy.list', {});
    const policy = policies.find(({ id }) => id === 'reverse-shell');
    expect(policy?.state).not.toBe('active');
    expect(await section('Approvals').innerText()).toContain(`${policy!.approvalsNeeded} valid approvals`);
    expect(await section('Approvals').innerText()).toContain('No approvers are set');
  });

  it('tells calmly what a policy stopped: grouped, without taking the focus, with the way to the reason', async () => {
    const program = join(folder, 'e2e-stopped');
    copyFileSync('/bin/sleep', program);
    const text = TEXT.replace('e2e-echo', 'e2e-stop')
      .replace('Echo is watched', 'Stopped by the test')
      .replace('"echo"', '"e2e-stopped"')
      .replace('action: alert\ncanaryPercent: 10', 'action: kill\ncanaryPercent: 100');
    await api.call('policy.save', { text });
    for (const step of ['simulate', 'canary'] as const)
      await api.call('policy.step', { id: 'e2e-stop', step });
    await open();
    await page.getByRole('button', { name: 'New policy' }).focus();
    const signals = Array.from({ length: 3 }, () => spawnSync(program, ['60'], { timeout: 60_000 }).signal);
    expect(signals).toEqual(['SIGKILL', 'SIGKILL', 'SIGKILL']);
    const notices = page.getByRole('region', { name: 'What policies did' });
    await expect.poll(() => notices.locator('li').allInnerTexts(), SOON).toHaveLength(1);
    await notices.getByText('3 times').waitFor({ timeout: 20_000 });
    expect(await notices.innerText()).toMatch(/killed after start[^]*e2e-stopped[^]*Stopped by the test/);
    expect(await page.locator('dialog[open]').count()).toBe(0);
    const focused = 'document.activeElement.textContent';
    expect(await page.evaluate(focused)).toBe('New policy');
    expect(await accessibilityFaults(page)).toEqual([]);
    await notices.getByRole('button', { name: 'Why' }).click();
    await page.getByRole('tabpanel').getByText('process.name == "e2e-stopped"').first().waitFor();
    await page.getByRole('tabpanel').getByRole('button', { name: 'Draft exception', exact: true }).waitFor();
    expect(await notices.locator('li').count()).toBe(0);
    await page.getByRole('button', { name: 'What each policy says of it' }).click();
    await page.getByText('kill: holds').waitFor();
  });

  it('has no accessibility fault, in the list and on a page', async () => {
    for (const id of [undefined, 'e2e-echo']) {
      await open(id);
      await page.locator('.page-title').waitFor();
      expect(await accessibilityFaults(page)).toEqual([]);
    }
  });
});
