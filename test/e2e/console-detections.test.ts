/**
 * Triage in a browser against a real agent: what matched is grouped by rule and by process, labelled alone and together,
 * taken back, and each decision is asked for again from the agent, which has it in its log.
 */
import { execFileSync } from 'node:child_process';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiClient, connectAgent } from '../../agent/api/client.ts';
import { socketPathOf } from '../../agent/api/socket-server.ts';
import type { EventJson, TriageDecision } from '../../agent/api/contract.ts';
import { accessibilityFaults } from './axe.ts';
import { type TestBrowser, browserPath, openBrowser } from './browser.ts';
import { type AgentProcess, startAgentProcess } from './packaged-agent.ts';

if (browserPath === undefined) console.warn('SKIPPED: detections in a browser: no Chromium is installed');
const READS = 3;

let agent: AgentProcess;
let api: ApiClient;
let browser: TestBrowser;
let page: Page;
let hits: EventJson[] = [];
let ruleId = '';
let title = '';

async function go(hash: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
}
async function decisions(): Promise<TriageDecision[]> {
  const ids = hits.map((event) => event.eventId);
  const found = await api.call('triage.list', { eventIds: ids, ruleId });
  return found.decisions.filter(({ label }) => label !== 'none');
}
const group = () => page.locator('.detections > .table tr').filter({ hasText: title }).first();

describe.skipIf(browserPath === undefined)('detections (needs Chromium)', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    agent = await startAgentProcess({ args: ['--scope', `pid:${process.pid}`, '--console', 'on'] });
    api = await connectAgent(socketPathOf(agent.dataDir));
    browser = await openBrowser();
    page = await browser.newPage();
    page.setDefaultTimeout(15_000);
    await page.goto(agent.consoleUrl!);
    await page.locator('#event-list').waitFor();
    for (let n = 0; n < READS; n += 1) execFileSync('/bin/cat', ['/etc/shadow'], { stdio: 'ignore' });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    api?.close();
    await agent?.stop();
    agent?.remove();
  });

  it('lists what matched by rule, and each match as a sentence', async () => {
    const query = 'has:rule and cmd:/etc/shadow and action:exec';
    await expect
      .poll(async () => (hits = (await api.call('events.query', { query })).events).length, {
        timeout: 15_000,
      })
      .toBe(READS);
    const [detection] = hits[0]?.detections ?? [];
    ruleId = detection?.ruleId ?? '';
    title = detection?.title ?? '';
    await go('#/detections');
    await group().waitFor();
    await group().getByRole('button', { name: title }).click();
    await expect.poll(() => page.locator('.match').count(), { timeout: 15_000 }).toBe(READS);
    expect(await page.locator('.match-open').first().innerText()).toContain('/etc/shadow');
  });

  it('labels several together with a note, shows who decided, and takes it back', async () => {
    await page.locator('.match input').last().uncheck();
    await page.getByText(`A label goes to ${READS - 1} matches.`).waitFor();
    await page.getByPlaceholder('Note').fill('backup job');
    await page.getByRole('button', { name: 'False positive', exact: true }).click();
    await expect.poll(() => page.locator('.match .triage-tag').count(), { timeout: 15_000 }).toBe(READS - 1);
    const made = await decisions();
    expect(made.map(({ eventId }) => eventId).toSorted()).toEqual(
      hits
        .slice(0, READS - 1)
        .map(({ eventId }) => eventId)
        .toSorted(),
    );
    expect(made[0]).toMatchObject({ label: 'false_positive', note: 'backup job', ruleId });
    await page.getByRole('button', { name: 'Undo' }).click();
    await expect.poll(() => page.locator('.match .triage-tag').count(), { timeout: 15_000 }).toBe(0);
    await expect.poll(async () => (await decisions()).length, { timeout: 15_000 }).toBe(0);
  });

  it('labels one from its reasons, and leaves it out of what is open', async () => {
    await page.locator('.match-open').first().click();
    await page.locator('.detail').getByRole('button', { name: 'True positive', exact: true }).click();
    const said = page.locator('.detail .triage-decision');
    await expect.poll(() => said.innerText(), { timeout: 15_000 }).toContain('True positive');
    expect((await decisions())[0]).toMatchObject({ label: 'true_positive', eventId: hits[0]?.eventId });
    await go('#/detections');
    await page.locator('.detections-bar').getByLabel('Show').selectOption('true_positive');
    await group().getByRole('button', { name: title }).click();
    await expect.poll(() => page.locator('.match').count(), { timeout: 15_000 }).toBe(1);
    await page.locator('.detections-bar').getByLabel('Show').selectOption('false_positive');
    await page.getByText('Nothing here has this label.').waitFor();
    expect(page.url()).toContain('rule.false_positive');
    await page.locator('.detections-bar').getByLabel('Show').selectOption('open');
    await group().getByRole('button', { name: title }).click();
    await expect.poll(() => page.locator('.match').count(), { timeout: 15_000 }).toBe(READS - 1);
  });

  it('shows which techniques the rules cover and which matched, and finds the events of one', async () => {
    const technique = hits[0]?.detections?.[0]?.attack[0] ?? '';
    const cell = page
      .locator('.technique[data-fired]')
      .filter({ hasText: technique.split('.')[0] })
      .first();
    await cell.waitFor();
    const { rules } = await api.call('rules.list', {});
    const covered = new Set(
      rules.filter((rule) => rule.disabledReason === undefined).flatMap((rule) => rule.attack),
    );
    expect(await page.locator('.matrix-section .rules-head').innerText()).toContain(
      `${covered.size} techniques covered by the rules here`,
    );
    await cell.click();
    await page.locator('.row[data-event]').filter({ hasText: '/etc/shadow' }).first().waitFor();
    await page.goBack();
  });

  it('drafts an exception, tells what it would have hidden, saves it and takes it back', async () => {
    await go('#/detections');
    await page.locator('.detections-bar').getByLabel('Show').selectOption('all');
    const matches = page.locator('.matches');
    await expect
      .poll(async () => {
        if ((await matches.count()) === 0) await group().getByRole('button', { name: title }).click();
        return page.locator('.match').count();
      })
      .toBe(READS);
    await matches.getByRole('button', { name: 'Draft exception' }).click();
    const dialog = page.locator('dialog[open]');
    // One of the three was labelled a true positive by an earlier test.
    await dialog.getByText(`It would have hidden ${READS} of ${READS} matches`).waitFor();
    await dialog.getByText('1 of them was labelled a true positive.').waitFor();
    expect(await dialog.getByLabel('Value of CommandLine').inputValue()).toBe('/bin/cat /etc/shadow');
    const save = dialog.getByRole('button', { name: 'Save and put in force' });
    await dialog.getByLabel('Reason').fill('nightly check');
    await dialog.getByLabel('Value of CommandLine').fill('cat something else');
    await dialog.getByText('It does not hide the match it was drafted from.').waitFor();
    expect(await save.isDisabled()).toBe(true);
    expect(await accessibilityFaults(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Everything (narrowest)' }).click();
    await dialog.getByText(`It would have hidden ${READS} of ${READS} matches`).waitFor();
    await save.click();
    await dialog.getByText('In force until the end of').waitFor();
    const [exception] = (await api.call('exceptions.list', {})).exceptions;
    expect(exception).toMatchObject({ rules: [ruleId], reason: 'nightly check', expired: false });
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    const listed = page.locator('.exceptions tbody tr');
    await listed.filter({ hasText: 'nightly check' }).waitFor();
    execFileSync('/bin/cat', ['/etc/shadow'], { stdio: 'ignore' });
    await expect.poll(async () => (await api.call('exceptions.list', {})).exceptions[0]?.hits).toBe(1);
    await listed.getByRole('button', { name: 'Remove' }).click();
    await listed.getByRole('button', { name: /remove\?/ }).click();
    await expect.poll(() => listed.count()).toBe(0);
    expect((await api.call('exceptions.list', {})).exceptions).toEqual([]);
  });

  it('groups by the process that started what matched, one click from its tree', async () => {
    await page.getByRole('button', { name: 'By process' }).click();
    const chain = page.locator('.detections > .table tr').filter({ hasText: String(process.pid) });
    await chain.first().waitFor();
    await chain.first().locator('.sample').click();
    await page.locator(`.row[data-process^="${process.pid}-"]`).waitFor();
    expect(browser.complaints()).toEqual([]);
  });
});
