/**
 * The console in Chromium against a real agent that records this test's own processes. Nothing is mocked: what is
 * looked for on screen was done by a process a moment before.
 */
import { execFileSync } from 'node:child_process';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessibilityFaults } from './axe.ts';
import { type TestBrowser, browserPath, openBrowser } from './browser.ts';
import { type AgentProcess, startAgentProcess } from './packaged-agent.ts';

if (browserPath === undefined) console.warn('SKIPPED: the console in a browser: no Chromium is installed');
const MARK = `console-e2e-${process.pid}`;

let agent: AgentProcess;
let browser: TestBrowser;
let page: Page;
let origin = '';

async function go(hash: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
}

/** The rows on screen whose text contains `text`. */
const rows = (text: string) => page.locator('.row[data-event]').filter({ hasText: text });

describe.skipIf(browserPath === undefined)('the console (needs Chromium)', () => {
  beforeAll(async () => {
    agent = await startAgentProcess({ args: ['--scope', `pid:${process.pid}`, '--console', 'on'] });
    origin = new URL(agent.consoleUrl!).origin;
    browser = await openBrowser();
    page = await browser.newPage();
    await page.goto(agent.consoleUrl!);
    await page.locator('#event-list').waitFor();
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await agent?.stop();
    agent?.remove();
  });

  it('shows what a process just did, as a sentence, with its argument boundaries', async () => {
    await go(`#/timeline?q=${encodeURIComponent(`cmd:${MARK}`)}`);
    execFileSync('/bin/echo', [`${MARK}-first`, 'two words'], { stdio: 'ignore' });
    await rows(`ran /bin/echo ${MARK}-first 'two words'`).first().waitFor();
    expect(await page.locator('.state').innerText()).not.toBe('');
  });

  it('shows hostile text as visible escapes, and the exact characters under Raw', async () => {
    execFileSync('/bin/echo', [`${MARK}-evil`, 'a\u202Eb\u200B\u001B[31m', '<img src=x onerror=alert(1)>']);
    const row = rows(`${MARK}-evil`).filter({ hasText: 'ran' }).first();
    await row.waitFor();
    expect(await row.innerText()).toContain('a⟨U+202E⟩b⟨U+200B⟩⟨U+001B⟩[31m');
    await row.click();
    await page.getByRole('tab', { name: 'Raw' }).click();
    await page.locator('.json').waitFor();
    expect(await page.locator('.json').innerText()).toContain(String.raw`a\u202eb\u200b\u001b[31m`);
    expect(await page.locator('main img').count()).toBe(0);
    await page.getByRole('tab', { name: 'Proof' }).click();
    await expect
      .poll(() => page.locator('.detail-body:visible').innerText())
      .toMatch(/Record [\d,]+ of the security lane is in commit/);
    await page.keyboard.press('Escape');
  });

  it('is worked by keyboard: rows, details, tabs, views and back', async () => {
    for (let n = 0; n < 8; n += 1) execFileSync('/bin/echo', [`${MARK}-key-${n}`], { stdio: 'ignore' });
    await go(`#/timeline?q=${encodeURIComponent(`cmd:${MARK}-key and action:exec`)}`);
    await rows(`${MARK}-key-7`).first().waitFor();
    await page.locator('#event-list').focus();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.url()).toMatch(/[?&]e=\d+/);
    const selected = await page.locator('.row[aria-selected=true]').innerText();
    await page.keyboard.press(']');
    await expect.poll(() => page.url()).toContain('tab=why');
    await page.keyboard.press('k');
    await expect.poll(() => page.locator('.row[aria-selected=true]').innerText()).not.toBe(selected);
    await page.keyboard.press('g');
    await page.keyboard.press('h');
    await page.getByRole('heading', { name: 'Write-ahead log' }).waitFor();
    await page.goBack();
    await expect.poll(() => page.url()).toMatch(/#\/timeline.*[?&]e=\d+/);
    await page.locator('aside.detail').waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.url()).not.toContain('e=');
  });

  it('offers the values of the row by keyboard: include, exclude, copy', async () => {
    execFileSync('/bin/echo', [`${MARK}-menu`], { stdio: 'ignore' });
    await go(`#/timeline?q=${encodeURIComponent(`cmd:${MARK}-menu and action:exec`)}`);
    await rows(`${MARK}-menu`).first().waitFor();
    await page.locator('#event-list').focus();
    await page.keyboard.press('j');
    await page.keyboard.press('m');
    await page.getByRole('menu', { name: 'Values of this row' }).waitFor();
    const stepTo = async (name: RegExp): Promise<void> => {
      const item = page.getByRole('menuitem', { name });
      await item.waitFor();
      await expect
        .poll(async () => {
          if ((await item.getAttribute('data-highlighted')) !== null) return true;
          await page.keyboard.press('ArrowDown');
          return false;
        })
        .toBe(true);
    };
    await stepTo(/^Program \S*echo/);
    await page.keyboard.press('ArrowRight');
    await stepTo(/^Leave these out/);
    await page.keyboard.press('Enter');
    await expect.poll(() => decodeURIComponent(page.url())).toMatch(/not\+image:\S*echo/);
    await page.getByText('No event matches').waitFor();
  });

  it('says the agent’s state in full on a small screen, in the language of the console', async () => {
    const state = page.locator('.state');
    const english = (await state.innerText()).trim();
    await page.setViewportSize({ width: 1024, height: 700 });
    const speak = async (language: string): Promise<void> => {
      await page.keyboard.press('Control+k');
      await page.keyboard.type(language);
      await page.keyboard.press('Enter');
    };
    const cut = (): Promise<boolean> =>
      page.locator('.state-text').evaluate((text) => text.scrollWidth > text.clientWidth);
    expect(await cut()).toBe(false);
    await speak('Español');
    await expect.poll(() => state.innerText()).toMatch(/^Se registra.* · \d+ huecos? en 24 h.* · /s);
    expect(await cut()).toBe(false);
    await speak('English');
    await expect.poll(() => state.innerText()).toContain(english.split(' · ').at(-1)!);
    await page.setViewportSize({ width: 1440, height: 900 });
  });

  it('checks a query while it is typed, points at the fault and completes from the record', async () => {
    await page.keyboard.press('/');
    await page.keyboard.press('Control+a');
    await page.keyboard.type('type:process imge:x');
    await expect.poll(() => page.locator('.query-error').innerText()).toContain('Column 14');
    await page.keyboard.press('Control+a');
    await page.keyboard.type('action:exe');
    await page.getByRole('option', { name: 'exec' }).first().waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.url()).toContain('q=action%3Aexec');
    expect(await page.locator('.token-field').first().innerText()).toBe('action:');
  });

  it('never moves rows under the pointer: new ones wait, and are shown when asked for', async () => {
    await go(`#/timeline?q=${encodeURIComponent(`cmd:${MARK} and action:exec`)}`);
    await rows(MARK).first().waitFor();
    await page.locator('#event-list').hover();
    const top = await page.locator('.row[data-event]').first().getAttribute('data-event');
    execFileSync('/bin/echo', [`${MARK}-late`], { stdio: 'ignore' });
    const pill = page.locator('.new-pill');
    await pill.waitFor();
    expect(await page.locator('.row[data-event]').first().getAttribute('data-event')).toBe(top);
    await pill.click();
    await rows(`${MARK}-late`).first().waitFor();
  });

  it('pages through more than it holds, and opens a link to an event far down', async () => {
    for (let n = 0; n < 450; n += 1) execFileSync('/bin/true', [`${MARK}-many-${n}`], { stdio: 'ignore' });
    const many = `#/timeline?q=${encodeURIComponent(`cmd:${MARK}-many and action:exec`)}`;
    await go(many);
    await rows('-many-449').first().waitFor();
    expect(await page.locator('.row[data-event]').count()).toBeLessThan(80);
    await page.locator('#event-list').focus();
    for (let n = 0; n < 6; n += 1) {
      await page.keyboard.press('End');
      await page.waitForTimeout(150);
    }
    const oldest = rows('-many-0').first();
    await oldest.waitFor();
    const id = (await oldest.getAttribute('data-event')) ?? '';
    await go('#/health');
    await go(`${many}&e=${id}`);
    await page.locator(`.row[data-event="${id}"][aria-selected=true]`).waitFor();
    await page.locator('#event-list').focus();
    await page.mouse.move(700, 500);
    await page.mouse.wheel(0, -20_000);
    await rows('-many-1').last().waitFor();
    await page.keyboard.press('Escape');
  });

  it('asks for more like a value that was clicked', async () => {
    await go(`#/timeline?q=${encodeURIComponent(`cmd:${MARK}-evil and action:exec`)}`);
    await rows('-evil').locator('.say-object').first().click({ button: 'right' });
    await page.getByRole('menuitem', { name: 'Leave these out' }).click();
    await expect.poll(() => decodeURIComponent(page.url())).toContain('and+not+image:/usr/bin/echo');
    await page.getByText('No event matches').waitFor();
  });

  for (const theme of ['light', 'dark'] as const) {
    // What is not colour is the same in both.
    const rules = theme === 'dark' ? ['color-contrast'] : undefined;
    it(`has no accessibility fault in any view, ${theme}`, async () => {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
      const found: string[] = [];
      for (const view of ['timeline', 'processes', 'detections', 'policies', 'dlp', 'health']) {
        await go(`#/${view}`);
        await page.locator('h1').first().waitFor({ state: 'attached' });
        await page.waitForTimeout(500);
        found.push(...(await accessibilityFaults(page, rules)).map((fault) => `${view}: ${fault}`));
      }
      await go(`#/timeline?q=${encodeURIComponent(`cmd:${MARK} and action:exec`)}`);
      await rows(MARK).first().click();
      for (const tab of ['Summary', 'Why', 'Ancestry', 'Fields', 'Raw', 'Proof']) {
        await page.getByRole('tab', { name: tab }).click();
        await page.waitForTimeout(200);
        found.push(...(await accessibilityFaults(page, rules)).map((fault) => `${tab}: ${fault}`));
      }
      await page.keyboard.press('Escape');
      expect(found).toEqual([]);
    });
  }

  it('has no accessibility fault with rows chosen and pinned, around an event, and in its menus', async () => {
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
    await go(`#/timeline?q=${encodeURIComponent(`cmd:${MARK} and action:exec`)}`);
    await rows(MARK)
      .nth(1)
      .click({ modifiers: ['Control'] });
    await rows(MARK)
      .nth(3)
      .click({ modifiers: ['Shift'] });
    await page.locator('.selection-bar').getByRole('button', { name: 'Pin', exact: true }).click();
    const found = await accessibilityFaults(page);
    for (const name of ['Triage', 'Export', 'Display', 'Saved searches']) {
      await page.getByRole('button', { name, exact: true }).click();
      await page.locator('.menu').first().waitFor();
      found.push(...(await accessibilityFaults(page)).map((fault) => `${name}: ${fault}`));
      await page.keyboard.press('Escape');
    }
    await page.keyboard.press('Escape');
    await rows(MARK).nth(1).click();
    await page.keyboard.press('a');
    await page.getByText('Everything recorded around').waitFor();
    found.push(...(await accessibilityFaults(page)).map((fault) => `around: ${fault}`));
    await page.getByRole('button', { name: 'Back to the query' }).click();
    await expect.poll(() => page.url()).not.toContain('around=');
    await page.keyboard.press('Escape');
    await rows(MARK).first().waitFor();
    expect(found).toEqual([]);
  });

  it('loaded nothing from elsewhere and broke no rule of its content security policy', async () => {
    const fetched = await page.evaluate(() =>
      performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin),
    );
    expect([...new Set(fetched)]).toEqual([origin]);
    expect(browser.complaints()).toEqual([]);
  });

  it('says so when the agent goes away, and keeps what it shows', async () => {
    process.kill(agent.pid, 'SIGKILL');
    await page.getByText('Not connected to the agent').first().waitFor();
    expect(await rows(MARK).count()).toBeGreaterThan(0);
    expect(await page.locator('.state').innerText()).toContain('last known');
  });
});
