import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { createClient } from './api/client.ts';
import { API_VERSION, type PolicyActJson } from './api/contract.ts';
import { fakeServices, healthSnapshot } from './api/fake-services.ts';
import { type PortLike, portTransport } from './api/message-port.ts';
import { createApiServer } from './api/server.ts';
import { listenOnSocket, socketPathOf } from './api/socket-server.ts';
import { DesktopHost, type HostMessage, type HostStatus } from './desktop.ts';

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  while (closers.length > 0) await closers.pop()?.();
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'sentinel-desktop-'));
  closers.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** An agent service on a socket, with made-up data behind a real API. */
async function service(socketPath: string) {
  const services = fakeServices();
  const server = createApiServer({ services, version: '9.9.9' });
  const listener = await listenOnSocket({ server, path: socketPath });
  const stop = async (): Promise<void> => {
    server.close();
    await listener.close();
  };
  closers.push(stop);
  return { services, server, stop };
}

function desktop(sockets: string[], startAgent?: () => Promise<never>) {
  const parent = new EventEmitter();
  const statuses: HostStatus[] = [];
  const acts: string[] = [];
  let agentsStarted = 0;
  let agentsStopped = 0;
  let stopped = 0;
  const host = new DesktopHost({
    parent: {
      on: (event, listener) => parent.on(event, listener),
      postMessage: (message: HostMessage) =>
        void (message.type === 'status' ? statuses.push(message.status) : acts.push(message.act.id)),
    },
    sockets,
    startAgent:
      startAgent ??
      (async () => {
        agentsStarted += 1;
        const server = createApiServer({ services: fakeServices(), version: '1.0.0-hosted' });
        return {
          apiServer: server,
          health: () => ({ level: 'degraded' as const, sentence: 'hosted here' }),
          stop: async () => {
            agentsStopped += 1;
            server.close();
          },
        };
      }),
    onStopped: () => (stopped += 1),
    statusMs: 20,
    retryMs: 30,
  });
  closers.push(() => void parent.emit('message', { data: { type: 'stop' }, ports: [] }));
  const connectPort = (port: PortLike): void =>
    void parent.emit('message', { data: { type: 'connect' }, ports: [port] });
  /** What a window does, but for the preload in between. */
  const openWindow = () => {
    const { port1, port2 } = new MessageChannel();
    connectPort(port1);
    return createClient(portTransport(port2), 5000);
  };
  const stop = (): void => void parent.emit('message', { data: { type: 'stop' }, ports: [] });
  return {
    host,
    connectPort,
    statuses,
    acts,
    openWindow,
    stop,
    counts: () => ({ agentsStarted, agentsStopped, stopped }),
  };
}

describe('desktop host', () => {
  it('hosts an agent when no service answers, and serves windows as what they are: its own user', async () => {
    const { host, statuses, openWindow, stop, counts } = desktop([socketPathOf(folder())]);
    const early = openWindow();
    await host.start();
    const client = await early;
    expect(client).toMatchObject({ agentVersion: '1.0.0-hosted', privileged: true });
    await expect(client.call('rules.reload', {})).resolves.toMatchObject({ failed: [] });
    expect(statuses[0]).toEqual({ mode: 'hosted', level: 'degraded', sentence: 'hosted here' });
    stop();
    await expect.poll(counts).toEqual({ agentsStarted: 1, agentsStopped: 1, stopped: 1 });
  });

  it('uses the service when one answers, and leaves it running', async () => {
    const path = socketPathOf(folder());
    const { services, server } = await service(path);
    const { host, statuses, openWindow, stop, counts } = desktop([socketPathOf(folder()), path]);
    await host.start();
    const client = await openWindow();
    expect(client.agentVersion).toBe('9.9.9');
    await expect(client.call('health.get', {})).resolves.toMatchObject({ level: 'ok' });
    services.emitHealth(healthSnapshot('degraded'));
    await expect
      .poll(() => statuses.at(-1))
      .toEqual({
        mode: 'attached',
        level: 'degraded',
        sentence: 'state degraded',
      });
    client.close();
    await expect.poll(() => server.counters.clients).toBe(1);
    stop();
    await expect.poll(() => server.counters.clients).toBe(0);
    expect(counts()).toEqual({ agentsStarted: 0, agentsStopped: 0, stopped: 1 });
  });

  it('tells once of each thing a policy did since it came, and not of what was before', async () => {
    const path = socketPathOf(folder());
    const { services } = await service(path);
    const { host, acts, statuses } = desktop([path]);
    /** Snapshots are coalesced: each is awaited before the next. */
    const did = async (...ids: string[]): Promise<void> => {
      const sentence = ids.join(' ');
      const policyActs = { acts: ids.map((id) => ({ id }) as PolicyActJson), total: 0, untold: 0 };
      services.emitHealth({ ...healthSnapshot('ok'), sentence, policyActs });
      await expect.poll(() => statuses.at(-1)?.sentence, { timeout: 20_000 }).toBe(sentence);
    };
    await host.start();
    await did('before');
    await did('before', 'one', 'two');
    await did('one', 'two');
    await did('two', 'three');
    expect(acts).toEqual(['one', 'two', 'three']);
  });

  it('says so when the service goes away, closes its windows, and hosts an agent if it stays away', async () => {
    const path = socketPathOf(folder());
    const { stop } = await service(path);
    const { host, statuses, openWindow } = desktop([path]);
    await host.start();
    const client = await openWindow();
    await stop();
    await expect
      .poll(() => statuses.map((status) => status.sentence))
      .toContain('The Sentinel service stopped; looking for it');
    await expect(client.call('health.get', {})).rejects.toMatchObject({ code: 'disconnected' });
    await expect.poll(() => statuses.at(-1)?.mode).toBe('hosted');
    expect((await openWindow()).agentVersion).toBe('1.0.0-hosted');
  });

  it('tells why nothing is recorded when an agent cannot start, and tries again', async () => {
    let tries = 0;
    const { host, statuses, stop, counts } = desktop([], async () => {
      tries += 1;
      throw new Error('the disk is full');
    });
    await host.start();
    expect(statuses).toEqual([
      { mode: 'hosted', level: 'failed', sentence: 'Not recording: the disk is full' },
    ]);
    await expect.poll(() => tries).toBeGreaterThan(1);
    stop();
    await expect.poll(() => counts().stopped).toBe(1);
  });

  it('stops reading from the service while a window does not take what it was sent', async () => {
    const path = socketPathOf(folder());
    const { server } = await service(path);
    const { host, connectPort } = desktop([path]);
    await host.start();
    const { port1, port2: window } = new MessageChannel();
    connectPort(port1);
    let received = 0;
    window.on('message', (message: string) => (received += message.length));
    window.postMessage('{"ack":0}');
    window.postMessage(JSON.stringify({ id: 1, method: 'api.hello', params: { version: API_VERSION } }));
    for (let id = 2; id < 22; id += 1) {
      window.postMessage(JSON.stringify({ id, method: 'events.query', params: { query: 'mega' } }));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const mega = 1024 * 1024;
    await expect.poll(() => received).toBeGreaterThan(mega);
    // Time for all 20 MiB to come, if nothing held them back.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const held = received;
    expect(held).toBeLessThan(10 * mega);
    window.postMessage(`{"ack":${received}}`);
    closers.push(() => window.close());
    const ask = setInterval(() => {
      window.postMessage(`{"ack":${received}}`);
      window.postMessage(JSON.stringify({ id: 99, method: 'events.query', params: { query: 'mega' } }));
    }, 20);
    closers.push(() => clearInterval(ask));
    await expect.poll(() => received, { timeout: 10_000 }).toBeGreaterThan(held + 6 * mega);
    expect(server.counters.clients).toBe(2);
  });
});
