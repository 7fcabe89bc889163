import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { ask, open, openConsole, signIn, startConsole } from './console-test-kit.ts';
import { event } from './fake-services.ts';
import type { Peer } from './services.ts';

describe('the WebSocket', () => {
  it('needs our Origin, our Host and a session', async () => {
    const { console, refusals } = await startConsole();
    const cookie = await signIn(console);
    const origin = console.origin;
    expect(await open(console, { Cookie: cookie })).toBe(403);
    for (const foreign of [
      'http://evil.example',
      'null',
      `https://127.0.0.1:${console.port}`,
      `http://127.0.0.1:${console.port + 1}`,
      `http://127.0.0.1:${console.port}.evil.example`,
      `http://localhost:${console.port}`,
      'file://',
    ]) {
      expect([foreign, await open(console, { Cookie: cookie, Origin: foreign })]).toEqual([foreign, 403]);
    }
    expect(refusals()).toEqual({ console_origin: 8 });
    expect(await open(console, { Origin: origin })).toBe(401);
    expect(await open(console, { Origin: origin, Cookie: `${cookie}x` })).toBe(401);
    const rebound = `http://evil.example:${console.port}`;
    const host = `evil.example:${console.port}`;
    expect(await open(console, { Cookie: cookie, Origin: rebound, Host: host })).toBe(421);
    expect(await open(console, { Cookie: cookie, Origin: origin }, '/other')).toBe(404);
    expect(refusals()).toEqual({ console_host: 1, console_origin: 8, console_path: 1, console_session: 2 });
    expect(await open(console, { Cookie: cookie, Origin: origin })).toBeInstanceOf(WebSocket);
  });

  it('serves the contract and lets go when the page leaves', async () => {
    const { console, server, services } = await startConsole({ limits: { followIntervalMs: 5 } });
    const ws = await openConsole(console);
    const messages: Record<string, unknown>[] = [];
    ws.on('message', (data: Buffer) => messages.push(JSON.parse(data.toString()) as Record<string, unknown>));
    ws.send('{"id":1,"method":"events.follow","params":{"query":"*"}}');
    await expect.poll(() => messages.length).toBe(2);
    services.emit([event(2)]);
    await expect.poll(() => messages.at(-1)).toMatchObject({ subscription: 1, seq: 2 });
    expect([services.followers(), server.counters.clients]).toEqual([1, 1]);
    ws.terminate();
    await expect.poll(() => server.counters.clients).toBe(0);
    expect(services.followers()).toBe(0);
  });

  it('tells the agent who watches its health, by the port at the other end', async () => {
    const { console, services } = await startConsole();
    const watchers: Peer[] = [];
    services.onWatcher = (peer) => watchers.push(peer);
    const ws = await openConsole(console, 'privileged');
    await ask(ws, { id: 1, method: 'health.watch', params: {} });
    const { localPort } = (ws as unknown as { _socket: Socket })._socket;
    expect(watchers).toMatchObject([{ role: 'privileged', transport: 'websocket', port: localPort }]);
  });

  it('cuts off oversized, binary and broken messages', async () => {
    const { console, refusals } = await startConsole();
    const closed = (ws: WebSocket): Promise<number> =>
      new Promise((done) => ws.on('close', (code) => done(code)));
    const large = await openConsole(console, 'read');
    large.send('x'.repeat(300 * 1024));
    expect(await closed(large)).toBe(1009);
    const binary = await openConsole(console, 'read');
    binary.send(Buffer.from([1, 2, 3]));
    expect(await closed(binary)).toBe(1003);
    const broken = await openConsole(console, 'read');
    broken.on('error', () => {});
    (broken as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(
      Buffer.from([0xff, 0xff]),
    );
    expect(await closed(broken)).toBe(1002);
    expect(refusals()).toEqual({ console_protocol: 1, malformed: 1, oversized: 1 });
    expect(await ask(await openConsole(console, 'read'), '{"id":1,')).toMatchObject({ id: 0 });
  });

  it('sheds a page that stops reading while another keeps its events', async () => {
    const { console, server, services } = await startConsole({ limits: { followIntervalMs: 1 } });
    const slow = await openConsole(console, 'read');
    const fast = await openConsole(console, 'read');
    for (const ws of [slow, fast]) ws.send('{"id":1,"method":"events.follow","params":{"query":"*"}}');
    await expect.poll(() => services.followers()).toBe(2);
    (slow as unknown as { _socket: { pause(): void } })._socket.pause();
    let newest = '';
    fast.on('message', (data: Buffer) => {
      newest = /"eventId":"(\d+)"(?!.*"eventId")/.exec(data.toString())?.[1] ?? newest;
    });
    let sent = 0;
    for (let burst = 0; server.counters.shed === 0 && burst < 150; burst++) {
      services.emit(Array.from({ length: 20 }, () => event(++sent, 'x'.repeat(10_000))));
      await sleep(2);
    }
    expect([server.counters.shed, services.followers()]).toEqual([1, 1]);
    await expect.poll(() => newest).toBe(String(sent));
  });

  it('drops a browser that answers no ping', async () => {
    const { console, server } = await startConsole({ pingIntervalMs: 500 });
    const ws = await openConsole(console, 'read');
    let pings = 0;
    ws.on('ping', () => (pings += 1));
    await expect.poll(() => pings).toBe(2);
    expect(server.counters.clients).toBe(1);
    (ws as unknown as { _socket: { pause(): void } })._socket.pause();
    await expect.poll(() => server.counters.clients).toBe(0);
  });

  it('survives 2,000 connections: a signed-in page is not disturbed, a browser still gets in', async () => {
    const { console, refusals } = await startConsole({ maxConnections: 64 });
    const ws = await openConsole(console, 'read');
    let done = 0;
    const attempt = (sits: boolean): Promise<void> =>
      new Promise((next) => {
        const socket = connect(console.port, '127.0.0.1');
        socket.on('error', () => {});
        socket.on('close', () => {
          done++;
          next();
        });
        socket.resume();
        // Most just sit there: the server has to make them leave.
        if (!sits) socket.on('connect', () => socket.destroy());
      });
    const workers = Array.from({ length: 200 }, async (_, worker) => {
      for (let i = 0; i < 10; i++) await attempt((worker + i) % 10 !== 0);
    });
    for (let i = 0; i < 5; i++) {
      expect(await ask(ws, { id: i + 1, method: 'health.get' })).toMatchObject({ id: i + 1 });
      await openConsole(console, 'read');
    }
    await Promise.all(workers);
    expect(done).toBe(2_000);
    expect(refusals()['console_connections']).toBeGreaterThan(200);
    expect(await ask(ws, { id: 99, method: 'health.get' })).toMatchObject({ id: 99 });
    await openConsole(console, 'read');
  }, 60_000);
});
