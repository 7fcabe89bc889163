/**
 * Electron's main process: one tray, one window on demand, one agent host, and a port between the last two. It stays
 * out of the data path and holds nothing that plain Node could hold.
 *
 * `--hidden` starts without a window (autostart); what follows `--` are flags of `sentinel run` for the agent host.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  app,
  BrowserWindow,
  ipcMain,
  Menu,
  MessageChannelMain,
  type MessagePortMain,
  nativeImage,
  nativeTheme,
  Notification,
  protocol,
  session,
  Tray,
  utilityProcess,
} from 'electron';
import { consoleAnswer } from '../agent/desktop-console.ts';
import { AgentLink } from './agent-link.ts';
import { createAutostart } from './autostart.ts';
import { CONSOLE_SCHEME, guardContents, guardSession, isTrustedSender, PORT_CHANNEL } from './guards.ts';
import { createNotices } from './notices.ts';
import { createTray } from './tray.ts';
import { ConsoleWindow, windowOptions } from './window.ts';

/** Folder with agent/, renderer/, native/ and rules/: the application's resources, or out/ of a checkout. */
const resources = app.isPackaged ? process.resourcesPath : join(app.getAppPath(), 'out');

const separator = process.argv.indexOf('--');
const hostFlags = separator < 0 ? [] : process.argv.slice(separator + 1);

function start(): void {
  const consoleWindow = new ConsoleWindow(
    () =>
      new BrowserWindow(
        windowOptions({
          preload: join(__dirname, 'preload.cjs'),
          development: !app.isPackaged,
          darkMode: nativeTheme.shouldUseDarkColors,
        }),
      ),
  );
  let showStatus = (_status: Parameters<ReturnType<typeof createTray>>[0]): void => {};
  let tellOf: ReturnType<typeof createNotices> = () => {};
  const link = new AgentLink<MessagePortMain>({
    fork: () =>
      utilityProcess.fork(join(resources, 'agent', 'agent-host.mjs'), hostFlags, {
        serviceName: 'Sentinel agent',
        stdio: 'inherit',
        env: { ...process.env, SENTINEL_NATIVE_DIR: join(resources, 'native') },
      }),
    onStatus: (status) => showStatus(status),
    onAct: (act) => tellOf(act),
    closePort: (port) => port.close(),
  });

  app.on('second-instance', () => consoleWindow.open());
  app.on('activate', () => consoleWindow.open());
  // Closing the window leaves the tray and, in hosted mode, the agent: recording does not depend on a window.
  app.on('window-all-closed', () => {});
  let quitting = false;
  app.on('before-quit', (event) => {
    if (quitting) return;
    quitting = true;
    event.preventDefault();
    void link.stop().then(() => app.quit());
  });

  ipcMain.on(PORT_CHANNEL, (event) => {
    if (!isTrustedSender(event.senderFrame)) return;
    const { port1, port2 } = new MessageChannelMain();
    link.connect(port1);
    event.senderFrame?.postMessage(PORT_CHANNEL, null, [port2]);
  });

  void app.whenReady().then(() => {
    guardSession(session.defaultSession);
    const folder = join(resources, 'renderer');
    protocol.handle(CONSOLE_SCHEME, (request) => consoleAnswer(folder, request.method, request.url));
    Menu.setApplicationMenu(null);
    showStatus = createTray(
      { Tray, Menu, nativeImage },
      {
        openConsole: () => consoleWindow.open(),
        quit: () => app.quit(),
        autostart: createAutostart({
          app,
          platform: process.platform,
          executable: process.execPath,
          configHome: process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'),
        }),
        locale: app.getLocale(),
      },
    );
    tellOf = createNotices(
      { Notification },
      {
        locale: app.getLocale(),
        isConsoleFocused: () => consoleWindow.isFocused,
        open: (address) => consoleWindow.open(address),
      },
    );
    link.start();
    if (!process.argv.includes('--hidden')) consoleWindow.open();
  });
}

if (app.requestSingleInstanceLock()) {
  app.enableSandbox();
  protocol.registerSchemesAsPrivileged([
    { scheme: CONSOLE_SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true } },
  ]);
  app.on('web-contents-created', (_event, contents) => guardContents(contents));
  start();
} else app.quit();
