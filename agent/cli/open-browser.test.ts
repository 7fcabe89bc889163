import { chmodSync, existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it, vi } from 'vitest';
import { openBrowser } from './open-browser.ts';

afterEach(() => vi.unstubAllEnvs());

it.skipIf(process.platform !== 'linux')(
  'keeps the token out of the arguments that every user can read (skipped: Linux only)',
  async () => {
    const bin = mkdtempSync(join(tmpdir(), 'sentinel-bin-'));
    for (const name of ['chromium', 'xdg-open']) {
      writeFileSync(
        join(bin, name),
        `#!/bin/sh\necho "$@" > ${bin}/arguments.tmp\n/bin/mv ${bin}/arguments.tmp ${bin}/arguments\n`,
      );
      chmodSync(join(bin, name), 0o755);
    }
    vi.stubEnv('PATH', `${bin}:/bin:/usr/bin`);
    vi.stubEnv('DISPLAY', ':99');
    const url = 'http://127.0.0.1:1/sign-in?token=SECRET';
    expect(openBrowser(url)).toBeDefined();
    for (let tries = 0; tries < 200 && !existsSync(join(bin, 'arguments')); tries++) await sleep(20);
    const given = readFileSync(join(bin, 'arguments'), 'utf8').trim();
    expect(given).not.toContain('SECRET');
    const page = fileURLToPath(given.replace('--app=', ''));
    expect(readFileSync(page, 'utf8')).toContain(url);
    expect(statSync(page).mode & 0o077).toBe(0);
  },
);

it('says so when there is no display', () => {
  vi.stubEnv('DISPLAY', undefined);
  vi.stubEnv('WAYLAND_DISPLAY', undefined);
  expect(process.platform === 'linux' ? openBrowser('http://127.0.0.1:1/') : undefined).toBeUndefined();
});
