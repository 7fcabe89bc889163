/** How much of Electron is used at all: what is not imported cannot be turned against the user. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';

const fake = await vi.hoisted(async () => {
  const { EventEmitter: Emitter } = await import('node:events');
  const calls: string[] = [];
  const app = Object.assign(new Emitter(), {
    isPackaged: true,
    requestSingleInstanceLock: () => false,
    enableSandbox: () => calls.push('sandbox'),
    quit: () => calls.push('quit'),
    whenReady: () => Promise.resolve(calls.push('ready')),
  });
  const never = (): never => {
    throw new Error('a second instance does nothing');
  };
  return {
    calls,
    electron: {
      app,
      BrowserWindow: never,
      ipcMain: new Emitter(),
      Menu: never,
      MessageChannelMain: never,
      nativeImage: {},
      nativeTheme: {},
      Notification: never,
      protocol: { registerSchemesAsPrivileged: never, handle: never },
      session: {},
      Tray: never,
      utilityProcess: { fork: never },
    },
  };
});
vi.mock('electron', () => fake.electron);

const sources = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  .map((name) => readFileSync(join(import.meta.dirname, name), 'utf8'));

/** Names that a file takes from Electron at run time. */
function valuesFromElectron(source: string): string[] {
  return [...source.matchAll(/^import (?!type)\{([^}]*)\} from 'electron';/gm)].flatMap(([, names = '']) =>
    names
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '' && !name.startsWith('type ')),
  );
}

describe('the part of Electron that is used', () => {
  it('has nothing that opens links, reads the screen or clipboard, or talks to the network', () => {
    expect([...new Set(sources.flatMap(valuesFromElectron))].toSorted()).toEqual([
      'BrowserWindow',
      'Menu',
      'MessageChannelMain',
      'Notification',
      'Tray',
      'app',
      'contextBridge',
      'ipcMain',
      'ipcRenderer',
      'nativeImage',
      'nativeTheme',
      'protocol',
      'session',
      'utilityProcess',
    ]);
  });

  it('is never asked to relax what protects the page', () => {
    const relaxed =
      /enableBlinkFeatures|allowpopups|--no-sandbox|ignore-certificate|disable-web-security|require\(|executeJavaScript|process\.binding/;
    expect(sources.filter((source) => relaxed.test(source))).toEqual([]);
  });
});

describe('a second instance', () => {
  it('leaves everything to the first and quits', async () => {
    await import('./main.ts');
    expect(fake.calls).toEqual(['quit']);
  });
});
