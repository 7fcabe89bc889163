/** Repeats as one row of the Timeline, against a real agent: counted, opened, growing in place, and what keys do. */
import { appendFileSync, chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { accessibilityFaults } from './axe.ts';
import { browserPath } from './browser.ts';
import { type ConsoleSession, openConsole } from './console-session.ts';

if (browserPath === undefined) console.warn('SKIPPED: repeats in a browser: no Chromium is installed');
/** Before and after another takes its turn. */
const TIMES = 9;
const MORE = 2;
const ALL = TIMES + MORE;
const folder = mkdtempSync(join(tmpdir(), 'sentinel-repeats-'));
const often = join(folder, 'often');
const once = join(folder, 'once');
const query = `file:${folder}/* and action:chmod`;

let session: ConsoleSession;
const rows = () => session.page.locator('.row[data-event]');
const texts = (): Promise<string[]> => rows().allInnerTexts();
const touch = (path: string, times = 1): void => {
  for (let n = 0; n < times; n += 1) chmodSync(path, 0o600);
};
/** What the agent has, newest first. */
async function stored(): Promise<string[]> {
  const { events } = await session.api.call('events.query', { query, limit: 200 });
  return events.map((event) => event.file!.path);
}
const show = (): Promise<void> => session.go(`#/timeline?q=${encodeURIComponent(query)}`);

describe.skipIf(browserPath === undefined)('repeats (needs Chromium)', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    for (const path of [often, once]) writeFileSync(path, 'x');
    session = await openConsole();
  }, 60_000);
  afterAll(async () => {
    await session?.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach((context: TestContext) => {
    const { sensorTier } = session.agent;
    if (sensorTier === 'lsm' || sensorTier === 'tracepoint') return;
    context.skip(`SKIPPED: the ${sensorTier} sensor of this machine does not see changes of mode`);
  });

  it('are one row with their number, in their place, and one by one when asked', async () => {
    touch(often, TIMES);
    touch(once);
    touch(often, MORE);
    await expect.poll(stored, { timeout: 20_000 }).toHaveLength(ALL + 1);
    expect(await stored()).toEqual([often, often, once, ...Array.from({ length: TIMES }, () => often)]);
    await show();
    await expect.poll(() => rows().count()).toBe(2);
    const badge = session.page.locator('.row-repeats');
    expect(await badge.count()).toBe(1);
    expect(await badge.innerText()).toContain(`× ${ALL}`);
    expect((await texts())[0]).toContain(`× ${ALL}`);
    expect(await badge.getAttribute('title')).toMatch(/^11 times alike, \d\d:\d\d:\d\d\.\d+ to \d\d:\d\d/);
    expect(await accessibilityFaults(session.page)).toEqual([]);
    await badge.click();
    await expect.poll(() => rows().count()).toBe(ALL + 1);
    await badge.click();
    await expect.poll(() => rows().count()).toBe(2);
  });

  it('are walked over, opened and chosen by key as the one row they are', async () => {
    const { page } = session;
    await page.locator('#event-list').focus();
    await page.keyboard.press('Home');
    const run = page.locator('.row[data-run]').first();
    await expect.poll(() => run.getAttribute('data-cursor')).toBe('true');
    await page.keyboard.press('x');
    await page.getByText(`${ALL} rows chosen`).waitFor();
    await page.keyboard.press('x');
    await expect.poll(() => page.locator('.selection-bar').count()).toBe(0);
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => rows().count()).toBe(ALL + 1);
    for (let n = 0; n < 3; n += 1) await page.keyboard.press('j');
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => rows().count()).toBe(2);
    expect(await run.getAttribute('data-cursor')).toBe('true');
    await page.mouse.move(5, 5);
    await page.evaluate('document.activeElement.blur()');
  });

  it('grow while live', async () => {
    touch(often, 4);
    await expect.poll(stored, { timeout: 20_000 }).toHaveLength(ALL + 5);
    const first = rows().first().locator('.row-repeats');
    await expect.poll(() => first.innerText()).toContain(`× ${ALL + 4}`);
    expect(await rows().count()).toBe(2);
    touch(once);
    await expect.poll(() => rows().count()).toBe(3);
  });

  it('are found where two take turns, as writing and opening do', async () => {
    for (let n = 0; n < 5; n += 1) appendFileSync(once, 'y');
    const turns = `file:${once} and (action:open or action:write)`;
    await expect
      .poll(
        async () =>
          (await session.api.call('events.query', { query: `${turns} and action:write` })).events.length,
        { timeout: 20_000 },
      )
      .toBeGreaterThanOrEqual(5);
    await session.go(`#/timeline?q=${encodeURIComponent(turns)}`);
    await expect.poll(() => session.page.locator('.row-repeats').count()).toBe(2);
    await show();
  });

  it('are all shown when the reader turns it off, and it stays off', async () => {
    const { page } = session;
    await page.getByRole('button', { name: 'Display' }).click();
    await page.getByRole('menuitemcheckbox', { name: 'Repeats as one row' }).click();
    await page.keyboard.press('Escape');
    await expect.poll(() => rows().count()).toBe(ALL + 6);
    await page.reload();
    await expect.poll(() => rows().count()).toBe(ALL + 6);
    expect(await page.locator('.row-repeats').count()).toBe(0);
    expect(session.browser.complaints()).toEqual([]);
  });
});
