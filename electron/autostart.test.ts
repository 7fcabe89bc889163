import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createAutostart } from './autostart.ts';

const configHome = mkdtempSync(join(tmpdir(), 'sentinel-autostart-'));
afterAll(() => rmSync(configHome, { recursive: true, force: true }));

/** Electron's login items, as its documentation states them. */
function loginItems() {
  const asked: unknown[] = [];
  let openAtLogin = false;
  return {
    asked,
    getLoginItemSettings: (options: unknown) => {
      asked.push(options);
      return { openAtLogin } as never;
    },
    setLoginItemSettings: (settings: { openAtLogin?: boolean; args?: string[] }) => {
      asked.push(settings);
      openAtLogin = settings.openAtLogin === true;
    },
  };
}

describe('starting with the session', () => {
  it('is a file of the autostart folder on Linux, hidden, with the path quoted as the desktop wants it', () => {
    const app = loginItems();
    const executable = '/opt/my "apps"/100%/sentinel-desktop';
    const autostart = createAutostart({ app, platform: 'linux', executable, configHome });
    expect(autostart.isOn()).toBe(false);
    autostart.set(true);
    expect(autostart.isOn()).toBe(true);
    const file = join(configHome, 'autostart', 'sentinel.desktop');
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(readFileSync(file, 'utf8').split('\n')).toContain(
      'Exec="/opt/my \\\\"apps\\\\"/100%%/sentinel-desktop" --hidden',
    );
    autostart.set(false);
    expect([autostart.isOn(), existsSync(file), app.asked]).toEqual([false, false, []]);
  });

  it.each(['win32', 'darwin'] as const)('is a login item on %s', (platform) => {
    const app = loginItems();
    const autostart = createAutostart({ app, platform, executable: 'x', configHome });
    autostart.set(true);
    expect(autostart.isOn()).toBe(true);
    expect(app.asked).toEqual([{ openAtLogin: true, args: ['--hidden'] }, { args: ['--hidden'] }]);
  });
});
