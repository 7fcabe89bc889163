/**
 * The console in Chromium against a real agent that records this test's own processes. Nothing is mocked: what is
 * looked for on screen was done by a process a moment before.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type Page, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const AGENT = join(import.meta.dirname, '../../out/agent/sentinel.mjs');
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);
const missing = CHROMIUM === undefined ? 'no Chromium' : existsSync(AGENT) ? '' : `${AGENT} was not built`;
if (missing !== '') console.warn(`SKIPPED: the console in a browser: ${missing}`);
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const MARK = `console-e2e-${process.pid}`;

let agent: ChildProcess;
let browser: Browser;
let page: Page;
let origin = '';
const data = mkdtempSync(join(tmpdir(), 'sentinel-console-'));
/** Whatever the page's console says; a refused script, style or connection would be here. */
const complaints: string[] = [];

async function until<T>(what: string, probe: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 300; tries += 1) {
    const found = await probe();
    if (found !== undefined) return found;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`still no ${what} after 30 s`);
}

async function go(hash: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
}

/** The rows on screen whose text contains `text`. */
const rows = (text: string) => page.locator('.row[data-event]').filter({ hasText: text });

async function violations(): Promise<string[]> {
  // The page's own policy forbids injected scripts; evaluation over the debugging protocol does not pass it.
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const result = await axe.run();
    return result.violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`,
    );
  });
}

describe.skipIf(missing !== '')(
  `the console (needs Chromium and a built agent${missing && `: ${missing}`})`,
  () => {
    beforeAll(async () => {
      const ready = join(data, 'ready.json');
      const args = [
        'run',
        '--data',
        join(data, 'agent'),
        '--ready-file',
        ready,
        '--scope',
        `pid:${process.pid}`,
      ];
      agent = spawn(process.execPath, [AGENT, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
      const { consoleUrl } = await until('ready file', () =>
        existsSync(ready) ? (JSON.parse(readFileSync(ready, 'utf8')) as { consoleUrl: string }) : undefined,
      );
      origin = new URL(consoleUrl).origin;
      browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-GB' });
      page = await context.newPage();
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
      });
      page.on('pageerror', (error) => complaints.push(String(error)));
      await page.goto(consoleUrl);
      await page.locator('#event-list').waitFor();
    });
    afterAll(async () => {
      await browser?.close();
      agent?.kill('SIGTERM');
      await until('end of the agent', () =>
        agent.exitCode === null && agent.signalCode === null ? undefined : true,
      );
      rmSync(data, { recursive: true, force: true });
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
      await page.keyboard.press('Escape');
      await expect.poll(() => page.url()).not.toContain('e=');
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
      it(`has no accessibility fault in any view, ${theme}`, async () => {
        await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
        const found: string[] = [];
        for (const view of ['timeline', 'detections', 'policies', 'dlp', 'health']) {
          await go(`#/${view}`);
          await page.locator('h1').first().waitFor({ state: 'attached' });
          await page.waitForTimeout(500);
          found.push(...(await violations()).map((fault) => `${view}: ${fault}`));
        }
        await go(`#/timeline?q=${encodeURIComponent(`cmd:${MARK} and action:exec`)}`);
        await rows(MARK).first().click();
        for (const tab of ['Summary', 'Why', 'Ancestry', 'Fields', 'Raw', 'Proof']) {
          await page.getByRole('tab', { name: tab }).click();
          await page.waitForTimeout(200);
          found.push(...(await violations()).map((fault) => `${tab}: ${fault}`));
        }
        await page.keyboard.press('Escape');
        expect(found).toEqual([]);
      });
    }

    it('loaded nothing from elsewhere and broke no rule of its content security policy', async () => {
      const fetched = await page.evaluate(() =>
        performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin),
      );
      expect([...new Set(fetched)]).toEqual([origin]);
      expect(complaints).toEqual([]);
    });

    it('says so when the agent goes away, and keeps what it shows', async () => {
      agent.kill('SIGKILL');
      await page.getByText('Not connected to the agent').first().waitFor();
      expect(await rows(MARK).count()).toBeGreaterThan(0);
      expect(await page.locator('.state').innerText()).toContain('last known');
    });
  },
);
