/** Debian's Chromium, driven by Playwright, with a profile of its own and nothing that talks to the network by itself. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, type BrowserContextOptions, type Page, chromium } from 'playwright-core';

const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Path of an installed browser, or undefined. */
export const browserPath = CANDIDATES.find((path) => existsSync(path));

export interface TestBrowser {
  readonly context: BrowserContext;
  /** What pages complained about: console errors, uncaught exceptions, CSP violations. Emptied by reading. */
  complaints(): string[];
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

/** `args`: further flags, for example host resolver rules; `settings`: zone, language, size. */
export async function openBrowser(
  args: readonly string[] = [],
  settings: BrowserContextOptions = {},
): Promise<TestBrowser> {
  const profile = mkdtempSync(join(tmpdir(), 'sentinel-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: browserPath!,
    headless: true,
    viewport: { width: 1440, height: 900 },
    ...settings,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...args,
    ],
  });
  let complaints: string[] = [];
  context.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  context.on('weberror', (error) => complaints.push(String(error.error())));
  return {
    context,
    complaints: () => {
      const all = complaints;
      complaints = [];
      return all;
    },
    newPage: () => context.newPage(),
    close: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
