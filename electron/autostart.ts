/**
 * Starting with the user's session, hidden: Electron's login items on Windows and macOS, a file of the desktop's autostart
 * folder on Linux (freedesktop.org, Desktop Application Autostart), where Electron has nothing of its own.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { App } from 'electron';

export interface Autostart {
  isOn(): boolean;
  set(on: boolean): void;
}

export interface AutostartOptions {
  app: Pick<App, 'getLoginItemSettings' | 'setLoginItemSettings'>;
  platform: NodeJS.Platform;
  /** What to start. */
  executable: string;
  /** $XDG_CONFIG_HOME or ~/.config. */
  configHome: string;
}

const HIDDEN = ['--hidden'];

/** A string as the Exec key wants it: quoted, with its own escapes, and again those of a desktop file's value. */
function execQuoted(path: string): string {
  const quoted = path.replace(/["`$\\]/g, (character) => `\\${character}`).replaceAll('%', '%%');
  return `"${quoted.replaceAll('\\', '\\\\')}"`;
}

export function createAutostart({ app, platform, executable, configHome }: AutostartOptions): Autostart {
  if (platform !== 'linux') {
    return {
      isOn: () => app.getLoginItemSettings({ args: HIDDEN }).openAtLogin,
      set: (on) => app.setLoginItemSettings({ openAtLogin: on, args: HIDDEN }),
    };
  }
  const folder = join(configHome, 'autostart');
  const file = join(folder, 'sentinel.desktop');
  return {
    isOn: () => existsSync(file),
    set: (on) => {
      if (!on) {
        rmSync(file, { force: true });
        return;
      }
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const entry = `[Desktop Entry]\nType=Application\nName=Sentinel\nExec=${execQuoted(executable)} ${HIDDEN.join(' ')}\nTerminal=false\n`;
      writeFileSync(file, entry, { mode: 0o600 });
    },
  };
}
