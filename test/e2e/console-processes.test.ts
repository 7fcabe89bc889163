/**
 * The process tree in a browser against a real agent: from an event to its process, up to its ancestors, down through
 * thousands of children, and back to what a process did. What the tree shows is compared with what was started.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Page } from 'playwright-core';
import { type TestContext, afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../agent/api/client.ts';
import { accessibilityFaults } from './axe.ts';
import { browserPath } from './browser.ts';
import { type ConsoleSession, openConsole } from './console-session.ts';
import type { AgentProcess } from './packaged-agent.ts';

if (browserPath === undefined)
  console.warn('SKIPPED: the process tree in a browser: no Chromium is installed');
const MARK = `tree-e2e-${process.pid}`;
const CHILDREN = 1800;
/** A parent with many children, one of them with a child and a detection below it. */
const SCRIPT = `: ${MARK}
for ((n = 0; n < ${CHILDREN}; n++)); do /bin/true; done
/bin/bash -c 'cat /etc/shadow > /dev/null; echo inner'
read line`;

let agent: AgentProcess;
let api: ApiClient;
let session: ConsoleSession;
let page: Page;
let parent: ChildProcess;
let tree = '';

const grid = () => page.locator('#process-tree');
const row = (text: string | RegExp) => page.locator('.row[data-process]').filter({ hasText: text });
/** The last child: a shell with a child of its own. */
const inner = () => row("bash -c 'cat /etc/shadow");
const cat = () =>
  page.locator('.row[data-process]').filter({ has: page.locator('.say-actor', { hasText: /^cat$/ }) });
const params = (): URLSearchParams => new URLSearchParams(page.url().split('?')[1]);

describe.skipIf(browserPath === undefined)('the process tree (needs Chromium)', { timeout: 40_000 }, () => {
  beforeAll(async () => {
    session = await openConsole();
    ({ agent, api, page } = session);
    // A shell whose input is a socket may read a start-up file, with children of its own.
    parent = spawn('/bin/bash', ['--norc', '-c', SCRIPT], { stdio: ['pipe', 'pipe', 'ignore'] });
    await once(parent.stdout!, 'data');
  }, 60_000);
  afterAll(async () => {
    parent?.stdin?.end();
    await session?.close();
  });
  beforeEach((context: TestContext) => {
    if (agent.sensorTier === 'lsm' || agent.sensorTier === 'tracepoint') return;
    context.skip(`SKIPPED: the ${agent.sensorTier} sensor of this machine misses short processes`);
  });

  it('begins with what matched, the busiest trees and the latest, and with a search over all', async () => {
    await page.keyboard.press('2');
    const section = (name: string) => page.locator('.entry-section').filter({ hasText: name });
    await section('Matched by rules').locator('.entry-line', { hasText: 'cat' }).first().waitFor();
    const { busiest } = await api.call('tree.overview', {});
    const listed = section('Most active').locator('.entry-line');
    await expect.poll(() => listed.count()).toBe(busiest.length);
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole('searchbox', { name: 'Find a process' }).fill(`cmd:${MARK} and action:exec`);
    await page.keyboard.press('Enter');
    await section('Found')
      .locator('.entry-line', { hasText: String(parent.pid) })
      .click();
    await row(MARK).first().waitFor();
    expect(params().get('p')).toMatch(new RegExp(`^${parent.pid}-`));
    await page.getByRole('button', { name: 'All trees' }).click();
    await page.getByRole('searchbox', { name: 'Find a process' }).fill('imge:x');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
  });

  it('is one key away from an event, with the ancestors above', async () => {
    const query = `pid:${parent.pid} and action:exec`;
    await page.evaluate(`location.hash = ${JSON.stringify(`#/timeline?q=${encodeURIComponent(query)}`)}`);
    await page.locator('.row[data-event]').filter({ hasText: MARK }).first().click();
    await page.keyboard.press('p');
    await row(MARK).first().waitFor();
    tree = params().get('p') ?? '';
    expect(tree).toMatch(new RegExp(`^${parent.pid}-\\d+$`));
    // This test started the shell.
    const above = page.locator(`.row[data-process^="${process.pid}-"]`);
    await above.waitFor();
    expect(Number(await above.getAttribute('aria-level'))).toBe(
      Number(await page.locator('[data-focus]').getAttribute('aria-level')) - 1,
    );
  });

  it('loads thousands of children as they are scrolled to, and draws only those on screen', async () => {
    await expect
      .poll(async () => (await api.call('tree.children', { entityId: tree, limit: 1 })).total, {
        timeout: 20_000,
      })
      .toBe(CHILDREN + 1);
    await page.getByRole('button', { name: 'Read again' }).click();
    const runs = page.locator('.row[data-alike]').filter({ hasText: 'true' });
    await runs.first().waitFor();
    await page.getByLabel('Alike as one').uncheck();
    await row('true').first().waitFor();
    await grid().focus();
    await expect
      .poll(
        async () => {
          await page.keyboard.press('End');
          return inner().count();
        },
        { timeout: 20_000, interval: 100 },
      )
      .toBe(1);
    expect(await page.locator('.row[data-process]').count()).toBeLessThan(90);
    // The axis, the ancestors, the shell and every child, and nothing left to load below the shell.
    const rowCount = Number(await grid().getAttribute('aria-rowcount'));
    expect(rowCount).toBeGreaterThan(CHILDREN + 3);
    await page.keyboard.press('Home');
    await row('true').first().waitFor();
  });

  it('shows alike siblings as one row, and those of a run when asked', async () => {
    await page.getByLabel('Alike as one').check();
    const run = page.locator('.row[data-alike]');
    await run.first().waitFor();
    expect(await run.count()).toBe(1);
    expect(await run.innerText()).toContain(`× ${CHILDREN.toLocaleString('en')} alike`);
    // What matched a rule is never inside a run.
    await inner().waitFor();
    await run.click();
    await page.keyboard.press('ArrowRight');
    await row('true').first().waitFor();
    expect(await run.count()).toBe(0);
    await page.getByRole('button', { name: 'Read again' }).click();
    await run.first().waitFor();
  });

  it('finds processes below by a query, and opens the way to them', async () => {
    const find = page.getByLabel('Find below');
    await find.fill('has:rule');
    await find.press('Enter');
    await cat().waitFor();
    await expect.poll(() => cat().getAttribute('aria-selected')).toBe('true');
    expect(await page.locator('.tree-found').innerText()).toContain('1 of 1');
    expect(await accessibilityFaults(page)).toEqual([]);
    await find.fill('pid:(');
    await find.press('Enter');
    await page.locator('.tree-found .tag-bad').waitFor();
    await find.fill('name:no-such-program');
    await find.press('Enter');
    await page.getByText('None below').waitFor();
    await find.fill('');
    await page.getByLabel('Alike as one').uncheck();
  });

  it('opens, closes and moves by the keys of a tree', async () => {
    await grid().focus();
    await page.locator(`.row[data-process="${tree}"]`).click();
    const focus = page.locator('[data-focus]');
    expect(await focus.getAttribute('aria-expanded')).toBe('true');
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => focus.getAttribute('aria-expanded')).toBe('false');
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => focus.getAttribute('aria-expanded')).toBe('true');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    await expect
      .poll(() => page.locator('.row[data-process][aria-selected=true]').getAttribute('data-process'))
      .toMatch(new RegExp(`^${process.pid}-`));
    await page.locator(`.row[data-process="${tree}"]`).locator('.tree-toggle').click();
  });

  it('puts the worst first, with badges of what happened below, and colours with a legend', async () => {
    await page.getByLabel('Sort by').selectOption('severity');
    await inner().waitFor();
    const below = page.locator(`.row[data-process="${tree}"] ~ .row[data-process]`).first();
    await expect
      .poll(() => below.getAttribute('data-process'))
      .toBe(await inner().getAttribute('data-process'));
    expect(await inner().locator('.badge').first().getAttribute('title')).toMatch(/detection/);
    await page.getByLabel('Colour by').selectOption('user');
    const { node } = await api.call('tree.ancestors', { entityId: tree });
    await expect.poll(() => page.locator('.legend').innerText()).toContain(node.process.user ?? '');
    await page.getByLabel('Sort by').selectOption('start');
  });

  it('leads to a child, and from a process to its events', async () => {
    await page.getByLabel('Sort by').selectOption('severity');
    const id = (await inner().getAttribute('data-process')) ?? '';
    await inner().click();
    await page.getByRole('button', { name: 'Show its tree and life' }).click();
    await expect.poll(() => params().get('p')).toBe(id);
    await cat().click();
    await page.locator('.process-panel').getByRole('button', { name: 'Detections' }).click();
    await page.locator('.row[data-event]').filter({ hasText: '/etc/shadow' }).first().waitFor();
    await page.goBack();
    await expect.poll(() => params().get('p')).toBe(id);
    await cat().waitFor();
  });

  it('takes tags from people, shows them wherever the process is, and finds what has one', async () => {
    await session.go(`#/processes?p=${tree}`);
    await page.locator(`.row[data-process="${tree}"]`).click();
    const panel = page.locator('.process-panel');
    await panel.getByLabel('New tag').fill('two words');
    await panel.getByRole('alert').waitFor();
    await panel.getByLabel('New tag').fill('nightly');
    await page.keyboard.press('Enter');
    await page.locator(`.row[data-process="${tree}"] .tag-own`, { hasText: 'nightly' }).waitFor();
    const { items } = await api.call('saved.list', { kind: 'tag' });
    expect(items.map(({ name }) => name)).toEqual([tree]);
    expect(await accessibilityFaults(page)).toEqual([]);
    await panel.getByRole('button', { name: 'nightly', exact: true }).click();
    await page.locator('.row[data-event] .tag-own').first().waitFor();
    expect(params().get('q')).toBe('tag:nightly');
    const found = await api.call('events.query', { query: 'tag:nightly', limit: 200 });
    const wanted = await api.call('events.query', { query: `pid:${parent.pid}`, limit: 200 });
    expect(found.events.map(({ eventId }) => eventId)).toEqual(wanted.events.map(({ eventId }) => eventId));
    await page.goBack();
    await page.locator(`.row[data-process="${tree}"]`).click();
    await panel.getByRole('button', { name: 'Remove the tag nightly' }).click();
    await expect.poll(() => page.locator('.tag-own').count()).toBe(0);
    expect((await api.call('events.query', { query: 'tag:nightly' })).events).toEqual([]);
    expect(session.browser.complaints()).toEqual([]);
  });
});
