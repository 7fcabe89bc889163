// `npm start`: the agent with the best sensor there is, and its console. Electron's window where its binary is (or
// can be fetched), else the same console served on loopback and opened in a browser if there is a display.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const say = (text) => process.stderr.write(`sentinel: ${text}\n`);

function electronBinary() {
  const folder = join(root, 'node_modules', 'electron');
  const override = process.env.ELECTRON_OVERRIDE_DIST_PATH;
  const name = process.platform === 'win32' ? 'electron.exe' : 'electron';
  const recorded = join(folder, 'path.txt');
  const path = override
    ? join(override, name)
    : existsSync(recorded)
      ? join(folder, 'dist', readFileSync(recorded, 'utf8'))
      : '';
  return path !== '' && existsSync(path) ? path : undefined;
}

/** Tries the download at most once a day. */
function fetchElectron() {
  const stamp = join(root, 'out', '.stamps', 'electron-fetch-failed');
  if (existsSync(stamp) && Date.now() - statSync(stamp).mtimeMs < 24 * 3600_000) return undefined;
  say('fetching the desktop runtime (once)');
  spawnSync(process.execPath, [join(root, 'node_modules', 'electron', 'install.js')], {
    stdio: 'ignore',
    timeout: 180_000,
  });
  const binary = electronBinary();
  if (!binary) {
    mkdirSync(dirname(stamp), { recursive: true });
    writeFileSync(stamp, '');
  }
  return binary;
}

const args = process.argv.slice(2);
const hasDisplay =
  process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
const isRoot = process.getuid?.() === 0;
const main = join(root, '.vite', 'build', 'main.cjs');

// The window is never root, so root gets the agent and a browser.
let electron;
if (hasDisplay && !isRoot && existsSync(main) && args.length === 0)
  electron = electronBinary() ?? fetchElectron();
if (electron) {
  process.exitCode = spawnSync(electron, [root], { stdio: 'inherit' }).status ?? 1;
} else {
  if (hasDisplay && !isRoot)
    say('the desktop runtime is not here and cannot be fetched: opening the console in a browser');
  process.argv.splice(2, args.length, 'run', '--open', ...args);
  await import(pathToFileURL(join(root, 'out', 'agent', 'sentinel.mjs')).href);
}
