/**
 * Every part of the console by itself, and every state a view can be in, in both themes: no accessibility fault,
 * nothing out of its place. Pictures of all of them are left in out/screenshots for looking at.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from 'vite';
import { accessibilityFaults } from './axe.ts';
import { type TestBrowser, browserPath, openBrowser } from './browser.ts';
import { projectRoot } from './packaged-agent.ts';
import { layoutFaults } from './page-faults.ts';
import { ADVICE, differenceFrom, POINT_TOLERANCE } from './pictures.ts';

if (browserPath === undefined) console.warn('SKIPPED: the parts of the console: no Chromium is installed');

const BUILT = join(projectRoot, 'out', 'renderer-stories');
const PICTURES = join(projectRoot, 'out', 'screenshots', 'stories');
const ORIGIN = 'http://stories.example';
const KINDS: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript',
  css: 'text/css',
  svg: 'image/svg+xml',
};
/** As the agent serves the console. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:";

let browser: TestBrowser;
let page: Page;
let states: string[] = [];

/** Served from memory: no port, and nothing outside the built folder. */
async function serve(to: Page): Promise<void> {
  const files = new Map(
    readdirSync(BUILT, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(BUILT.length), readFileSync(path)]),
  );
  await to.route(`${ORIGIN}/**`, (route) => {
    const { pathname } = new URL(route.request().url());
    const name = pathname === '/' ? '/index.html' : pathname;
    const body = files.get(name);
    if (!body) return route.fulfill({ status: 404 });
    const contentType = KINDS[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
    return route.fulfill({ body, contentType, headers: { 'content-security-policy': POLICY } });
  });
}

describe.skipIf(browserPath === undefined)('parts of the console (needs Chromium)', () => {
  beforeAll(async () => {
    await build({
      configFile: join(projectRoot, 'build', 'vite.renderer.config.ts'),
      mode: 'stories',
      logLevel: 'error',
    });
    mkdirSync(PICTURES, { recursive: true });
    browser = await openBrowser([], { timezoneId: 'UTC', locale: 'en-GB', reducedMotion: 'reduce' });
    page = await browser.newPage();
    await serve(page);
    await page.goto(`${ORIGIN}/`);
    await page.locator('.story').first().waitFor();
    const links = await page.locator('.stories-head nav a').allInnerTexts();
    states = links.filter((name) => name !== 'parts');
  }, 120_000);
  afterAll(() => browser?.close());

  it('shows each part of the folder of parts', async () => {
    const folder = join(projectRoot, 'renderer', 'src', 'ui');
    const source = ['primitives.tsx', 'states.tsx']
      .map((name) => readFileSync(join(projectRoot, 'renderer', 'stories', name), 'utf8'))
      .join('\n');
    for (const file of readdirSync(folder).filter((name) => /^[a-z-]+\.tsx$/.test(name))) {
      const exported = readFileSync(join(folder, file), 'utf8').matchAll(
        /^export (?:const|function) ([A-Z][a-z]\w*)/gm,
      );
      for (const [, name] of exported) {
        if (!/^Value(?:Menu|Items)$/.test(name ?? ''))
          expect(source, `${name} of ${file} has no story`).toMatch(new RegExp(`<${name}\\b`));
      }
    }
    expect(states).toEqual(
      expect.arrayContaining(['loading', 'empty', 'error', 'degraded', 'disconnected', 'no-permission']),
    );
  });

  for (const theme of ['light', 'dark'] as const) {
    it(`is accessible and in its place, ${theme}`, async () => {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
      const found: string[] = [];
      for (const name of ['parts', ...states]) {
        await page.goto(`${ORIGIN}/${name === 'parts' ? '' : `?state=${name}`}`);
        await page
          .locator(name === 'parts' ? '.story' : `[data-state="${name}"]`)
          .first()
          .waitFor();
        await page.waitForTimeout(200);
        await page.screenshot({ path: join(PICTURES, `${name}-${theme}.png`), fullPage: true });
        found.push(...(await accessibilityFaults(page)).map((fault) => `${name}: ${fault}`));
        const layout = await layoutFaults(page);
        // Unlike the console, this page is longer than the window.
        found.push(
          ...layout
            .filter((fault) => !fault.startsWith('the page scrolls ('))
            .map((fault) => `${name}: ${fault}`),
        );
      }
      expect(found).toEqual([]);
    });
  }

  for (const theme of ['light', 'dark'] as const) {
    it(`of protected data look as they did, ${theme}`, async () => {
      // Taller than a screen, for all that there can be; and at a moment that stays, for what is told relative to it.
      const still = await browser.newPage();
      await still.setViewportSize({ width: 1440, height: 1600 });
      await still.clock.setFixedTime(new Date('2026-03-14T10:00:00Z'));
      await still.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
      await serve(still);
      for (const name of ['dlp-scanning', 'cut-off']) {
        await still.goto(`${ORIGIN}/?state=${name}`);
        await still.locator(`[data-state="${name}"]`).waitFor();
        expect(await differenceFrom(still, `${name}-${theme}`, true), ADVICE).toBeLessThanOrEqual(
          POINT_TOLERANCE,
        );
      }
      await still.close();
    });
  }

  it('works by keyboard: a menu and a dialog give the focus back', async () => {
    await page.goto(`${ORIGIN}/`);
    const value = page.getByRole('button', { name: '/usr/bin/curl' });
    await value.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('menuitem').first().waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.getByRole('menuitem').count()).toBe(0);
    const open = page.getByRole('button', { name: 'Open a dialog' });
    await open.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
    expect(await open.evaluate((element) => element.matches(':focus'))).toBe(true);
  });

  it('complains about nothing', () => {
    expect(browser.complaints()).toEqual([]);
  });
});
