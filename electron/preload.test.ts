import type { EventEmitter } from 'node:events';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { PORT_CHANNEL } from './guards.ts';

const fake = await vi.hoisted(async () => {
  const { EventEmitter: Emitter } = await import('node:events');
  const sent: unknown[][] = [];
  const exposed: Record<string, Record<string, (...args: unknown[]) => unknown>> = {};
  return {
    sent,
    exposed,
    ipcRenderer: Object.assign(new Emitter(), { send: (...message: unknown[]) => void sent.push(message) }),
    contextBridge: {
      exposeInMainWorld: (name: string, api: (typeof exposed)[string]) => void (exposed[name] = api),
    },
  };
});
vi.mock('electron', () => ({ ipcRenderer: fake.ipcRenderer, contextBridge: fake.contextBridge }));

const posted: unknown[][] = [];
vi.stubGlobal('window', { postMessage: (...message: unknown[]) => void posted.push(message) });
vi.stubGlobal('location', { origin: 'sentinel://console' });
afterAll(() => void vi.unstubAllGlobals());
// By name only: it is checked with the code of pages, which this test is not.
await vi.importActual('./preload.ts');

describe('what the page gets from Electron', () => {
  it('is one function that asks for a port, whatever it is called with', () => {
    expect(Object.keys(fake.exposed)).toEqual(['sentinel']);
    expect(Object.keys(fake.exposed['sentinel'] ?? {})).toEqual(['requestPort']);
    expect(fake.exposed['sentinel']?.['requestPort']?.('other-channel', { a: 1 })).toBeUndefined();
    expect(fake.sent).toEqual([[PORT_CHANNEL]]);
  });

  it('and the port, posted to its own origin only, without the event that brought it', () => {
    expect((fake.ipcRenderer as EventEmitter).eventNames()).toEqual([PORT_CHANNEL]);
    const ports = [{ a: 'port' }];
    fake.ipcRenderer.emit(PORT_CHANNEL, { ports, sender: 'must not leak' }, 'nor this');
    expect(posted).toEqual([['sentinel-port', 'sentinel://console', ports]]);
  });
});
