/** Opens the console in an app window of an installed Chromium, Chrome or Edge, else in the default browser. */
import { spawn, spawnSync } from 'node:child_process';

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge'];

/** Whether there is a display to open a window on. */
export function hasDisplay(): boolean {
  return process.platform !== 'linux' || Boolean(process.env['DISPLAY'] ?? process.env['WAYLAND_DISPLAY']);
}

function installed(command: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$0"', command], { stdio: 'ignore' }).status === 0;
}

/** Opens `url`; never waits and never throws. Returns what was used, if anything. */
export function openBrowser(url: string): string | undefined {
  if (!hasDisplay()) return undefined;
  // Chromium refuses to run as root without giving up its sandbox, and a browser should not be root at all.
  const asRoot = process.getuid?.() === 0;
  const browser = process.platform === 'linux' && !asRoot ? BROWSERS.find(installed) : undefined;
  let command: [string, ...string[]];
  if (browser) command = [browser, `--app=${url}`];
  else if (process.platform === 'win32') command = ['rundll32', 'url.dll,FileProtocolHandler', url];
  else if (process.platform === 'darwin') command = ['open', url];
  else if (installed('xdg-open')) command = ['xdg-open', url];
  else return undefined;
  const [program, ...args] = command;
  const child = spawn(program, args, { stdio: 'ignore', detached: true });
  child.on('error', () => {});
  child.unref();
  return program;
}
