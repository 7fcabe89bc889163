import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import {
  type GuardedContents,
  guardContents,
  guardSession,
  isConsoleUrl,
  isPermitted,
  isTrustedSender,
  webPreferences,
} from './guards.ts';

describe('window settings', () => {
  it('isolate and sandbox the page and give it nothing of Node', () => {
    const preferences = webPreferences('/app/preload.cjs', false);
    // All of them: a setting that is added is looked at here too.
    expect(preferences).toEqual({
      preload: '/app/preload.cjs',
      contextIsolation: true,
      sandbox: true,
      webSecurity: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      allowRunningInsecureContent: false,
      experimentalFeatures: false,
      webviewTag: false,
      plugins: false,
      navigateOnDragDrop: false,
      spellcheck: false,
      devTools: false,
    });
  });
});

describe('who may speak', () => {
  const yes = ['sentinel://console/', 'sentinel://console/index.html', 'sentinel://console/#/timeline?q=a'];
  const no = [
    'https://console/',
    'sentinel://console.evil/',
    'sentinel://evil/console/',
    'sentinel://user@console/',
    'file:///etc/passwd',
    'data:text/html,hi',
    'about:blank',
    'blob:sentinel://console/5f1',
    '',
  ];
  it.each(yes)('%s is the console', (url) => expect(isConsoleUrl(url)).toBe(true));
  it.each(no)('%s is not the console', (url) => {
    expect(isConsoleUrl(url)).toBe(false);
    expect(isTrustedSender({ url, parent: null })).toBe(false);
  });

  it('only the main frame of the console does', () => {
    expect(isTrustedSender({ url: 'sentinel://console/', parent: null })).toBe(true);
    expect(isTrustedSender({ url: 'sentinel://console/', parent: {} })).toBe(false);
    expect(isTrustedSender(null)).toBe(false);
  });

  it('may put text on the clipboard and nothing else', () => {
    expect(isPermitted('clipboard-sanitized-write', 'sentinel://console/')).toBe(true);
    expect(isPermitted('clipboard-sanitized-write', 'https://evil/')).toBe(false);
    for (const permission of [
      'clipboard-read',
      'media',
      'geolocation',
      'notifications',
      'openExternal',
      'usb',
    ]) {
      expect(isPermitted(permission, 'sentinel://console/')).toBe(false);
    }
  });
});

/** Records the handlers a session is given. */
function fakeSession() {
  const emitter = new EventEmitter();
  const given: Partial<Record<'request' | 'check' | 'device' | 'before', (...args: unknown[]) => unknown>> =
    {};
  const spelling: boolean[] = [];
  const session = {
    setPermissionRequestHandler: (handler: never) => (given.request = handler),
    setPermissionCheckHandler: (handler: never) => (given.check = handler),
    setDevicePermissionHandler: (handler: never) => (given.device = handler),
    setSpellCheckerEnabled: (enabled: boolean) => spelling.push(enabled),
    webRequest: { onBeforeRequest: (handler: never) => (given.before = handler) },
    on: (event: string, listener: (event: { preventDefault(): void }) => void) => emitter.on(event, listener),
  };
  guardSession(session);
  return { emitter, given, spelling };
}

describe('session', () => {
  it('denies permissions and devices', () => {
    const { given, spelling } = fakeSession();
    const answers: boolean[] = [];
    const answer = (allowed: boolean): unknown => answers.push(allowed);
    given.request?.({}, 'media', answer, { requestingUrl: 'sentinel://console/' });
    given.request?.({}, 'clipboard-sanitized-write', answer, { requestingUrl: 'sentinel://console/' });
    given.request?.({}, 'clipboard-sanitized-write', answer, { requestingUrl: 'https://evil/' });
    expect(answers).toEqual([false, true, false]);
    expect(given.check?.(null, 'geolocation', 'sentinel://console/', {})).toBe(false);
    expect(given.device?.({})).toBe(false);
    expect(spelling).toEqual([false]);
  });

  it('lets through requests for the console only', () => {
    const { given } = fakeSession();
    const cancelled = (url: string): unknown => {
      let verdict: unknown;
      given.before?.({ url }, (answer: { cancel: boolean }) => (verdict = answer.cancel));
      return verdict;
    };
    expect(cancelled('sentinel://console/assets/index.js')).toBe(false);
    for (const url of [
      'https://example.org/',
      'http://127.0.0.1/',
      'ws://127.0.0.1:1/api',
      'file:///etc/passwd',
    ]) {
      expect(cancelled(url)).toBe(true);
    }
  });

  it('prevents downloads', () => {
    const { emitter } = fakeSession();
    let prevented = false;
    emitter.emit('will-download', { preventDefault: () => (prevented = true) });
    expect(prevented).toBe(true);
  });
});

describe('contents', () => {
  it('go nowhere, open nothing and attach nothing', () => {
    const emitter = new EventEmitter();
    let open: (() => { action: string }) | undefined;
    const contents = {
      setWindowOpenHandler: (handler: () => { action: 'deny' }) => (open = handler),
      on: (event: string, listener: (event: { preventDefault(): void }) => void) =>
        emitter.on(event, listener),
    };
    guardContents(contents as unknown as GuardedContents);
    expect(open?.()).toEqual({ action: 'deny' });
    for (const event of ['will-navigate', 'will-frame-navigate', 'will-redirect', 'will-attach-webview']) {
      let prevented = false;
      emitter.emit(event, { preventDefault: () => (prevented = true) });
      expect(prevented).toBe(true);
    }
  });
});
