/** Opens the console in an app window of an installed Chromium, Chrome or Edge, else in the default browser. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge'];
const PAGE_LIFE_MS = 60_000;

/** Whether there is a display to open a window on. */
function hasDisplay(): boolean {
  return process.platform !== 'linux' || Boolean(process.env['DISPLAY'] ?? process.env['WAYLAND_DISPLAY']);
}

function installed(command: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$0"', command], { stdio: 'ignore' }).status === 0;
}

/**
 * A page that only its owner can read and that leads to `url`. The address holds a one-time token, and every user of
 * the machine can read the arguments of a process.
 */
function redirectPage(url: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-open-'));
  const page = join(folder, 'open.html');
  const address = url.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
  writeFileSync(
    page,
    `<!doctype html><meta http-equiv="refresh" content="0;url=${address}"><title>Sentinel</title>\n`,
    {
      mode: 0o600,
    },
  );
  setTimeout(() => rmSync(folder, { recursive: true, force: true }), PAGE_LIFE_MS).unref();
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return pathToFileURL(page).href;
}

/** Opens `url`; never waits and never throws. Returns what was used, if anything. */
export function openBrowser(url: string): string | undefined {
  if (!hasDisplay()) return undefined;
  // Chromium refuses to run as root without giving up its sandbox, and a browser should not be root at all.
  const asRoot = process.getuid?.() === 0;
  const browser = process.platform === 'linux' && !asRoot ? BROWSERS.find(installed) : undefined;
  if (process.platform === 'linux' && !browser && !installed('xdg-open')) return undefined;
  const page = redirectPage(url);
  let command: [string, ...string[]];
  if (browser) command = [browser, `--app=${page}`];
  else if (process.platform === 'win32') command = ['rundll32', 'url.dll,FileProtocolHandler', page];
  else command = [process.platform === 'darwin' ? 'open' : 'xdg-open', page];
  const [program, ...args] = command;
  const child = spawn(program, args, { stdio: 'ignore', detached: true });
  child.on('error', () => {});
  child.unref();
  return program;
}
