/**
 * What keeps the window harmless: it shows the console's own files, talks to the agent over one port, and can do nothing
 * else. Only types come from Electron, so that all of this is tested without its binary.
 */
import type { Session, WebContents, WebPreferences } from 'electron';

export const CONSOLE_SCHEME = 'sentinel';
export const CONSOLE_URL = `${CONSOLE_SCHEME}://console/`;
/** Window to main: a port to the agent, please. Main to window: here it is. */
export const PORT_CHANNEL = 'sentinel:port';

/** Settings of every window; `preload` is the absolute path of the preload bundle. */
export function webPreferences(preload: string, development: boolean): WebPreferences {
  return {
    preload,
    contextIsolation: true,
    sandbox: true,
    nodeIntegration: false,
    nodeIntegrationInWorker: false,
    nodeIntegrationInSubFrames: false,
    webSecurity: true,
    allowRunningInsecureContent: false,
    experimentalFeatures: false,
    webviewTag: false,
    plugins: false,
    navigateOnDragDrop: false,
    spellcheck: false,
    devTools: development,
  };
}

/** True for pages of the console and nothing that merely looks like them. */
export function isConsoleUrl(url: string): boolean {
  const parsed = URL.parse(url);
  return (
    parsed !== null &&
    parsed.protocol === `${CONSOLE_SCHEME}:` &&
    parsed.host === 'console' &&
    parsed.username === '' &&
    parsed.password === ''
  );
}

/** What an IPC sender is judged by: `WebFrameMain` in part. */
export interface SenderFrame {
  url: string;
  parent: unknown;
}

/** Messages count only from the main frame of a console page; a frame that is gone (null) is refused. */
export function isTrustedSender(frame: SenderFrame | null): boolean {
  return frame !== null && frame.parent === null && isConsoleUrl(frame.url);
}

/** The console may put text on the clipboard when the user asks it to. Everything else is denied. */
export function isPermitted(permission: string, url: string): boolean {
  return permission === 'clipboard-sanitized-write' && isConsoleUrl(url);
}

export type GuardedSession = Pick<
  Session,
  | 'setPermissionRequestHandler'
  | 'setPermissionCheckHandler'
  | 'setDevicePermissionHandler'
  | 'setSpellCheckerEnabled'
> & {
  webRequest: Pick<Session['webRequest'], 'onBeforeRequest'>;
  on(event: 'will-download', listener: (event: { preventDefault(): void }) => void): unknown;
};

/** Denies permissions, devices, downloads and every request that is not for the console's own files. */
export function guardSession(session: GuardedSession): void {
  session.setPermissionRequestHandler((_contents, permission, answer, details) => {
    answer(isPermitted(permission, details.requestingUrl));
  });
  session.setPermissionCheckHandler((_contents, permission, origin) => isPermitted(permission, origin));
  session.setDevicePermissionHandler(() => false);
  session.setSpellCheckerEnabled(false);
  session.webRequest.onBeforeRequest((details, answer) => {
    answer({ cancel: !isConsoleUrl(details.url) && !details.url.startsWith('devtools://') });
  });
  session.on('will-download', (event) => event.preventDefault());
}

export type GuardedContents = Pick<WebContents, 'setWindowOpenHandler'> & {
  on(event: string, listener: (event: { preventDefault(): void }) => void): unknown;
};

/** Every way a page could become another one. The console is one page and changes its address by fragment only. */
const NAVIGATIONS = ['will-navigate', 'will-frame-navigate', 'will-redirect', 'will-attach-webview'] as const;

/** Denies navigation, new windows and web views, in whatever contents come to be. */
export function guardContents(contents: GuardedContents): void {
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
  for (const event of NAVIGATIONS) contents.on(event, (navigation) => navigation.preventDefault());
}
