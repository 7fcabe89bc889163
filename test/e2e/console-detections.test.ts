/**
 * Triage in a browser against a real agent: what matched is grouped by rule and by process, labelled alone and together,
 * taken back, and each decision is asked for again from the agent, which has it in its log.
 */
import { execFileSync } from 'node:child_process';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../agent/api/client.ts';
import type { EventJson, TriageDecision } from '../../agent/api/contract.ts';
import { accessibilityFaults } from './axe.ts';
import { type TestBrowser, browserPath } from './browser.ts';
import { type ConsoleSession, openConsole } from './console-session.ts';

if (browserPath === undefined) console.warn('SKIPPED: detections in a browser: no Chromium is installed');
const READS = 3;
/** With those, more than a page. */
const MANY = 505;

let session: ConsoleSession;
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
    session = await openConsole();
    ({ api, browser, page } = session);
    for (let n = 0; n < READS; n += 1) execFileSync('/bin/cat', ['/etc/shadow'], { stdio: 'ignore' });
  }, 60_000);
  afterAll(async () => {
    await session?.close();
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
    // Names break between words, after a stroke or with a hyphen: nowhere else.
    const broken = await page.evaluate<
      string[]
    >(`[...document.querySelectorAll('.technique-name')].flatMap((name) => {
      const walker = document.createTreeWalker(name, NodeFilter.SHOW_TEXT);
      const torn = [];
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        for (const word of node.data.matchAll(/[^\\s/-]+/g)) {
          const range = document.createRange();
          range.setStart(node, word.index);
          range.setEnd(node, word.index + word[0].length);
          if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) torn.push(word[0]);
        }
      }
      return torn;
    })`);
    expect(broken.filter((word) => word.length < 12)).toEqual([]);
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

  it('groups by chain of processes, one click from its tree', async () => {
    await page.getByRole('button', { name: 'By process' }).click();
    // What this test runs is one chain, under what leads the session or under this process, which started it.
    const above = hits[0]?.ancestry ?? [];
    const chain = page.locator('.detections > .table tbody tr').filter({ hasText: title });
    await expect.poll(() => chain.count()).toBe(1);
    await chain.locator('.sample').click();
    await expect.poll(() => new URL(page.url()).hash).toContain('p=');
    const opened = new URLSearchParams(new URL(page.url()).hash.split('?')[1]).get('p') ?? '';
    expect(above).toContain(opened);
  });

  it('reads on past the newest matches when asked to', async () => {
    const all = async (): Promise<number> => {
      const found = await api.call('events.facets', { query: 'has:rule', fields: ['rule'], top: 200 });
      return found.facets[0]?.values.find(({ value }) => value === ruleId)?.count ?? 0;
    };
    for (let n = 0; n < MANY; n += 1) execFileSync('/bin/cat', ['/etc/shadow'], { stdio: 'ignore' });
    await expect.poll(all, { timeout: 30_000 }).toBeGreaterThan(MANY);
    await go('#/detections');
    const read = page.locator('.detections-read');
    await expect.poll(() => read.innerText()).toContain('The newest 500 matches are read.');
    const before = await page.locator('.detections > .table .num').allInnerTexts();
    await page.getByRole('button', { name: 'Read older matches' }).click();
    await expect.poll(() => read.innerText()).toMatch(/All [\d,]+ matches are read|newest 1,000/);
    expect(await page.locator('.detections > .table .num').allInnerTexts()).not.toEqual(before);
    expect(browser.complaints()).toEqual([]);
  });
});
