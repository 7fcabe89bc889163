/** The wiring of the main process, run against stand-ins for Electron's modules. The real binary: test/e2e/electron.spec.ts. */
import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserWindowConstructorOptions, MenuItemConstructorOptions } from 'electron';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

const fake = await vi.hoisted(async () => {
  const { EventEmitter: Emitter } = await import('node:events');
  const calls: string[] = [];
  const windows: FakeWindow[] = [];
  const hosts: FakeHost[] = [];
  const trays: FakeTray[] = [];
  const notifications: FakeNotification[] = [];
  let handler: ((request: Request) => Response) | undefined;
  class FakeWindow extends Emitter {
    readonly options: unknown;
    url = '';
    shown = 0;
    constructor(options: unknown) {
      super();
      this.options = options;
      windows.push(this);
    }
    setMenu(): void {}
    show(): void {
      this.shown += 1;
    }
    focus(): void {}
    restore(): void {}
    isFocused(): boolean {
      return false;
    }
    isMinimized(): boolean {
      return false;
    }
    async loadURL(url: string): Promise<void> {
      this.url = url;
    }
  }
  class FakeHost extends Emitter {
    readonly sent: { type: string; ports: unknown[] }[] = [];
    postMessage(message: { type: string }, ports: unknown[] = []): void {
      this.sent.push({ type: message.type, ports });
    }
    kill(): boolean {
      return true;
    }
  }
  class FakeTray extends Emitter {
    menu: unknown;
    tip = '';
    constructor() {
      super();
      trays.push(this);
    }
    setImage(): void {}
    setToolTip(tip: string): void {
      this.tip = tip;
    }
    setContextMenu(menu: unknown): void {
      this.menu = menu;
    }
    destroy(): void {}
  }
  class FakeNotification extends Emitter {
    readonly options: { title: string; body: string };
    static isSupported(): boolean {
      return true;
    }
    constructor(options: { title: string; body: string }) {
      super();
      this.options = options;
      notifications.push(this);
    }
    show(): void {}
  }
  class FakeChannel {
    readonly port1 = { close: (): void => {} };
    readonly port2 = { end: 'window' };
  }
  const app = Object.assign(new Emitter(), {
    isPackaged: false,
    getAppPath: () => process.env['SENTINEL_TEST_APP'] ?? '',
    getLocale: () => 'es-ES',
    requestSingleInstanceLock: () => true,
    enableSandbox: () => calls.push('sandbox'),
    quit: () => app.emit('before-quit', { preventDefault: () => calls.push('quit deferred') }),
    whenReady: () => Promise.resolve(),
  });
  const sessionCalls: string[] = [];
  return {
    calls,
    windows,
    hosts,
    trays,
    notifications,
    sessionCalls,
    app,
    answer: (request: Request) => handler?.(request),
    electron: {
      app,
      BrowserWindow: FakeWindow,
      ipcMain: new Emitter(),
      Menu: { buildFromTemplate: (template: unknown) => template, setApplicationMenu: () => {} },
      MessageChannelMain: FakeChannel,
      nativeImage: { createFromBitmap: (bitmap: Buffer) => bitmap },
      nativeTheme: { shouldUseDarkColors: true },
      Notification: FakeNotification,
      protocol: {
        registerSchemesAsPrivileged: (schemes: unknown) => calls.push(`scheme ${JSON.stringify(schemes)}`),
        handle: (_scheme: string, given: (request: Request) => Response) => (handler = given),
      },
      session: {
        defaultSession: Object.assign(new Emitter(), {
          setPermissionRequestHandler: () => sessionCalls.push('request'),
          setPermissionCheckHandler: () => sessionCalls.push('check'),
          setDevicePermissionHandler: () => sessionCalls.push('device'),
          setSpellCheckerEnabled: () => sessionCalls.push('spelling'),
          webRequest: { onBeforeRequest: () => sessionCalls.push('before') },
        }),
      },
      Tray: FakeTray,
      utilityProcess: {
        fork: (path: string) => {
          const host = new FakeHost();
          calls.push(`fork ${path}`);
          hosts.push(host);
          return host;
        },
      },
    },
  };
});
vi.mock('electron', () => fake.electron);

const folder = mkdtempSync(join(tmpdir(), 'sentinel-electron-'));

describe('main process', () => {
  beforeAll(async () => {
    process.env['SENTINEL_TEST_APP'] = folder;
    mkdirSync(join(folder, 'out', 'renderer', 'assets'), { recursive: true });
    writeFileSync(join(folder, 'out', 'renderer', 'index.html'), '<!doctype html><title>Sentinel</title>');
    writeFileSync(join(folder, 'out', 'renderer', 'assets', 'index-AbCd1234.js'), 'export {};');
    await import('./main.ts');
    await vi.waitUntil(() => fake.windows.length === 1, { timeout: 10_000 });
  });
  afterAll(() => {
    delete process.env['SENTINEL_TEST_APP'];
    rmSync(folder, { recursive: true, force: true });
  });

  it('sandboxes everything and registers the scheme before it is ready', () => {
    expect(fake.calls[0]).toBe('sandbox');
    expect(fake.calls[1]).toContain('"scheme":"sentinel"');
    expect(fake.calls[1]).not.toMatch(/bypassCSP|allowServiceWorkers|corsEnabled/);
    expect(fake.calls[2]).toBe(`fork ${join(folder, 'out', 'agent', 'agent-host.mjs')}`);
    expect(fake.sessionCalls).toEqual(['request', 'check', 'device', 'spelling', 'before']);
  });

  it('opens one sandboxed window on the console, shown once it has painted', () => {
    const [window] = fake.windows;
    const { webPreferences, show } = (window?.options ?? {}) as BrowserWindowConstructorOptions;
    expect(webPreferences).toMatchObject({ sandbox: true, contextIsolation: true, nodeIntegration: false });
    expect(webPreferences?.preload).toMatch(/preload\.cjs$/);
    expect(show).toBe(false);
    expect(window?.url).toBe('sentinel://console/');
    expect(window?.shown).toBe(0);
    window?.emit('ready-to-show');
    expect(window?.shown).toBe(1);
    fake.app.emit('second-instance');
    expect(fake.windows).toHaveLength(1);
  });

  it('guards every contents that comes to be', () => {
    let verdict = '';
    const contents = Object.assign(new EventEmitter(), {
      setWindowOpenHandler: (handler: () => { action: string }) => (verdict = handler().action),
    });
    fake.app.emit('web-contents-created', {}, contents);
    expect(verdict).toBe('deny');
    expect(contents.listenerCount('will-navigate')).toBe(1);
  });

  it('brings a port to the console and to nobody else', () => {
    const sent: unknown[][] = [];
    const frame = (url: string) => ({
      url,
      parent: null,
      postMessage: (...message: unknown[]) => void sent.push(message),
    });
    for (const senderFrame of [frame('https://evil/'), frame('sentinel://evil/'), null]) {
      fake.electron.ipcMain.emit('sentinel:port', { senderFrame });
    }
    expect(sent).toEqual([]);
    expect(fake.hosts[0]?.sent).toEqual([]);
    fake.electron.ipcMain.emit('sentinel:port', { senderFrame: frame('sentinel://console/') });
    expect(sent).toEqual([['sentinel:port', null, [{ end: 'window' }]]]);
    expect(fake.hosts[0]?.sent).toMatchObject([
      { type: 'connect', ports: [{ close: expect.any(Function) }] },
    ]);
  });

  it('serves the console its own files under a policy that allows no connection', async () => {
    const page = fake.answer(new Request('sentinel://console/'));
    expect(page?.status).toBe(200);
    expect(page?.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self'; /);
    expect(page?.headers.get('content-security-policy')).toContain("connect-src 'none'");
    expect(await page?.text()).toContain('<title>Sentinel</title>');
    expect(fake.answer(new Request('sentinel://console/assets/index-AbCd1234.js'))?.status).toBe(200);
    for (const path of ['../package.json', '%2e%2e/package.json', 'assets/', 'nothing.html']) {
      expect(fake.answer(new Request(`sentinel://console/${path}`))?.status).toBe(404);
    }
    expect(fake.answer(new Request('sentinel://other/'))?.status).toBe(404);
    expect(fake.answer(new Request('sentinel://console/', { method: 'POST' }))?.status).toBe(405);
  });

  it('shows in the tray how recording goes and what quitting would do to it', () => {
    const menu = (): MenuItemConstructorOptions[] => fake.trays[0]?.menu as MenuItemConstructorOptions[];
    fake.hosts[0]?.emit('message', {
      type: 'status',
      status: { mode: 'hosted', level: 'ok', sentence: 'Recording everything' },
    });
    expect(menu().map((item) => item.label)).toEqual([
      'Recording everything',
      undefined,
      'Abrir consola',
      'Iniciar con la sesión',
      'Salir y dejar de registrar',
    ]);
    fake.hosts[0]?.emit('message', {
      type: 'status',
      status: { mode: 'attached', level: 'degraded', sentence: 'x' },
    });
    expect(menu()[4]?.label).toBe('Salir (el servicio sigue registrando)');
    expect(fake.trays[0]?.tip).toBe('Sentinel: x');
  });

  it('tells of what a policy stopped, and opens the console at the reason', () => {
    const act = {
      id: 'a',
      policyTitle: 'No /tmp',
      program: '/tmp/x',
      what: '',
      eventId: '7',
      state: 'applied',
    };
    fake.hosts[0]?.emit('message', { type: 'act', act: { ...act, guarantee: 'prevented' } });
    expect(fake.notifications[0]?.options.body).toBe('/tmp/x\nPolítica: No /tmp\nimpedido');
    fake.notifications[0]?.emit('click');
    expect(fake.windows[0]?.url).toBe('sentinel://console/#/timeline?e=7&tab=why');
  });

  it('lets go of a closed window, opens a new one on request, and keeps running without one', () => {
    fake.windows[0]?.emit('closed');
    fake.app.emit('window-all-closed');
    expect(fake.hosts[0]?.sent.map((message) => message.type)).not.toContain('stop');
    fake.trays[0]?.emit('click');
    expect(fake.windows).toHaveLength(2);
  });

  it('quits only after the agent has finished', async () => {
    fake.app.quit();
    expect(fake.calls.at(-1)).toBe('quit deferred');
    expect(fake.hosts[0]?.sent.at(-1)?.type).toBe('stop');
    const before = fake.calls.length;
    fake.hosts[0]?.emit('exit', 0);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(fake.calls).toHaveLength(before);
  });
});
