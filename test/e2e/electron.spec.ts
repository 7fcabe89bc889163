/**
 * The desktop app in the real Electron binary. The binary cannot be fetched everywhere; where it is missing this says so
 * and skips, and electron/main.test.ts is what remains. Needs a display (Xvfb will do) and out/ to be built.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { _electron, type ElectronApplication, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

/** Path of the binary as the electron package would start it, if it is there. */
function electronBinary(): string | undefined {
  const folder = join(root, 'node_modules', 'electron');
  const override = process.env['ELECTRON_OVERRIDE_DIST_PATH'];
  const name = process.platform === 'win32' ? 'electron.exe' : 'electron';
  const recorded = join(folder, 'path.txt');
  const path =
    override === undefined
      ? existsSync(recorded)
        ? join(folder, 'dist', readFileSync(recorded, 'utf8'))
        : undefined
      : join(override, name);
  return path !== undefined && existsSync(path) ? path : undefined;
}

function reasonToSkip(): string | undefined {
  if (electronBinary() === undefined)
    return 'the Electron binary is not here (node node_modules/electron/install.js fetches it)';
  const display = process.env['DISPLAY'] ?? process.env['WAYLAND_DISPLAY'];
  if (process.platform === 'linux' && !display) return 'there is no display (start Xvfb)';
  for (const file of ['.vite/build/main.cjs', 'out/agent/agent-host.mjs', 'out/renderer/index.html']) {
    if (!existsSync(join(root, file))) return `${file} is not built (npm run build)`;
  }
  return undefined;
}

const skip = reasonToSkip();
if (skip !== undefined) console.warn(`SKIPPED: the desktop app was not run: ${skip}`);

describe.skipIf(skip !== undefined)(`desktop app (skipped: ${skip ?? 'no'})`, () => {
  const data = mkdtempSync(join(tmpdir(), 'sentinel-desktop-e2e-'));
  let app: ElectronApplication;
  let page: Page;

  beforeAll(async () => {
    // Chromium refuses to sandbox for root; the settings below are checked all the same.
    const rootFlags = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    const path = electronBinary();
    app = await _electron.launch({
      ...(path === undefined ? {} : { executablePath: path }),
      args: [...rootFlags, root, '--', '--data', data, '--sensor', 'proc'],
      timeout: 60_000,
    });
    page = await app.firstWindow({ timeout: 60_000 });
  });
  afterAll(async () => {
    await app?.close();
    rmSync(data, { recursive: true, force: true });
  });

  it('shows the console with the live state of the agent it hosts', async () => {
    expect(page.url()).toMatch(/^sentinel:\/\/console\//);
    await page
      .getByText(/Recording|Not recording|degraded/i)
      .first()
      .waitFor({ timeout: 30_000 });
    expect(existsSync(join(data, 'wal', 'security'))).toBe(true);
  });

  it('gives the page nothing of Node and no way out', async () => {
    const seen = await page.evaluate(async () => {
      const scope = globalThis as Record<string, unknown>;
      const fetched = await fetch('https://example.org/').then(
        () => 'reached',
        () => 'refused',
      );
      return {
        require: typeof scope['require'],
        process: typeof scope['process'],
        bridge: Object.keys(scope['sentinel'] as object),
        fetched,
        opened: (scope['open'] as (url: string) => unknown)('https://example.org/') === null,
      };
    });
    expect(seen).toEqual({
      require: 'undefined',
      process: 'undefined',
      bridge: ['requestPort'],
      fetched: 'refused',
      opened: true,
    });
    await page.evaluate(() => {
      (globalThis as unknown as { location: { href: string } }).location.href = 'https://example.org/';
    });
    expect(page.url()).toMatch(/^sentinel:\/\/console\//);
  });

  it('runs the window with the settings it says', async () => {
    const preferences = await app.evaluate(({ BrowserWindow }) => {
      const [window] = BrowserWindow.getAllWindows();
      const contents = window?.webContents as unknown as {
        getLastWebPreferences(): Record<string, unknown>;
      };
      return contents.getLastWebPreferences();
    });
    expect(preferences).toMatchObject({ contextIsolation: true, sandbox: true, nodeIntegration: false });
  });

  it('destroys the renderer with the window and goes on recording', async () => {
    const kinds = (): Promise<string[]> =>
      app.evaluate(({ app: running }) => running.getAppMetrics().map((metric) => metric.type));
    expect(await kinds()).toContain('Tab');
    await page.close();
    await expect.poll(kinds, { timeout: 20_000 }).not.toContain('Tab');
    expect(await kinds()).toContain('Utility');
  });
});
