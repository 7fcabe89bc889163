/**
 * The console's window: made when asked for, destroyed when closed. While there is none, no renderer process exists.
 */
import type { BrowserWindow, BrowserWindowConstructorOptions } from 'electron';
import { CONSOLE_URL, webPreferences } from './guards.ts';

export interface WindowOptions {
  preload: string;
  /** Allows the developer tools. */
  development: boolean;
  darkMode: boolean;
}

/** Background before the first paint, as in the console's two themes, so that nothing flashes. */
const BACKGROUND = { light: '#ffffff', dark: '#16181b' } as const;

export function windowOptions(options: WindowOptions): BrowserWindowConstructorOptions {
  return {
    width: 1440,
    height: 900,
    minWidth: 800,
    minHeight: 480,
    title: 'Sentinel',
    show: false,
    autoHideMenuBar: true,
    backgroundColor: options.darkMode ? BACKGROUND.dark : BACKGROUND.light,
    webPreferences: webPreferences(options.preload, options.development),
  };
}

export type ConsoleBrowserWindow = Pick<
  BrowserWindow,
  'once' | 'on' | 'show' | 'focus' | 'isFocused' | 'restore' | 'isMinimized' | 'loadURL' | 'setMenu'
>;

/** Keeps at most one window. `make` constructs it from the options. */
export class ConsoleWindow<Window extends ConsoleBrowserWindow> {
  private readonly make: () => Window;
  private window: Window | undefined;

  constructor(make: () => Window) {
    this.make = make;
  }

  /** Opens the window, or brings the open one to the front; with `address` (`#/…`) at that place. */
  open(address = ''): void {
    const open = this.window;
    if (open !== undefined) {
      if (open.isMinimized()) open.restore();
      open.show();
      open.focus();
      // Only the fragment differs, so the page stays and hears of its new address.
      if (address !== '') open.loadURL(`${CONSOLE_URL}${address}`).catch(() => undefined);
      return;
    }
    const window = this.make();
    this.window = window;
    window.setMenu(null);
    window.once('ready-to-show', () => window.show());
    window.on('closed', () => {
      this.window = undefined;
    });
    window.loadURL(`${CONSOLE_URL}${address}`).catch(() => {
      // Closed while it loaded; a page that fails to load shows Chromium's own error.
    });
  }

  get isFocused(): boolean {
    return this.window?.isFocused() ?? false;
  }

  get isOpen(): boolean {
    return this.window !== undefined;
  }
}
