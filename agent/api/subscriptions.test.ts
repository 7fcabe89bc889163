import { MessageChannel } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Ack, type HealthSnapshot, MAX_CLIENT_BACKLOG_BYTES } from './contract.ts';
import { event, healthSnapshot } from './fake-services.ts';
import { portTransport } from './message-port.ts';
import { portClient, rawPeer, start } from './test-kit.ts';

describe('subscriptions', () => {
  it('sends a snapshot, then numbered deltas without a hole', async () => {
    const { server, services } = start({ followIntervalMs: 5 });
    const peer = rawPeer(server);
    peer.send({ id: 1, method: 'events.follow', params: { query: '*' } });
    await sleep(0);
    services.emit([event(2), event(3)]);
    await sleep(30);
    services.emit([event(4)]);
    await sleep(30);
    expect(peer.messages()).toMatchObject([
      { id: 1, result: { subscription: 1 } },
      { subscription: 1, seq: 1, snapshot: { events: [{ eventId: '1' }] } },
      { subscription: 1, seq: 2, delta: { events: [{ eventId: '2' }, { eventId: '3' }], skipped: 0 } },
      { subscription: 1, seq: 3, delta: { events: [{ eventId: '4' }], skipped: 0 } },
    ]);
    peer.send({ unsubscribe: 1 });
    expect(peer.last()).toEqual({ subscription: 1, closed: 'unsubscribed' });
    expect(services.followers()).toBe(0);
  });

  it('passes the place of a query error', async () => {
    const { server } = start();
    const client = await portClient(server);
    const handlers = { onSnapshot: () => {}, onDelta: () => {}, onClosed: () => {} };
    const failure = client.subscribe('events.follow', { query: 'bad(' }, handlers);
    await expect(failure).rejects.toMatchObject({ code: 'bad_query', offset: 3, length: 1 });
    expect(server.counters.subscriptions).toBe(0);
  });

  it('coalesces bursts to the newest `limit` events and counts the rest', async () => {
    const { server, services } = start({ followIntervalMs: 40 });
    const client = await portClient(server);
    const deltas: { ids: number[]; skipped: number }[] = [];
    await client.subscribe(
      'events.follow',
      { query: '*', limit: 10 },
      {
        onSnapshot: () => {},
        onDelta: (delta) =>
          deltas.push({ ids: delta.events.map((each) => Number(each.eventId)), skipped: delta.skipped }),
        onClosed: () => {},
      },
    );
    let sent = 0;
    const startedMs = performance.now();
    for (let burst = 0; burst < 20; burst++) {
      services.emit(
        Array.from({ length: 25 }, () => event(++sent)),
        2,
      );
      await sleep(4);
    }
    await expect
      .poll(() => deltas.reduce((sum, delta) => sum + delta.ids.length + delta.skipped, 0))
      .toBe(20 * 27);
    // However long the bursts took on this machine.
    expect(deltas.length).toBeLessThanOrEqual((performance.now() - startedMs) / 40 + 2);
    for (const { ids } of deltas) expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(deltas.every(({ ids }) => ids.length <= 10)).toBe(true);
    expect(deltas.at(-1)!.ids.at(-1)).toBe(sent);
  });

  it('sends health at most once per interval, newest last, watched only while someone looks', async () => {
    const { server, services } = start({ healthIntervalMs: 60, healthQuietIntervalMs: 60 });
    const one = await portClient(server);
    const two = await portClient(server);
    const seen: string[][] = [[], []];
    const open = await Promise.all(
      [one, two].map((client, index) =>
        client.subscribe(
          'health.watch',
          {},
          {
            onSnapshot: () => {},
            onDelta: (delta) => seen[index]!.push(delta.level),
            onClosed: () => {},
          },
        ),
      ),
    );
    expect(services.healthWatchers()).toBe(1);
    const startedMs = performance.now();
    for (let i = 0; i < 20; i++) {
      services.emitHealth(healthSnapshot(i === 19 ? 'failed' : 'ok'));
      await sleep(5);
    }
    await expect.poll(() => seen[0]!.at(-1)).toBe('failed');
    expect(seen[0]!.length).toBeLessThanOrEqual((performance.now() - startedMs) / 60 + 2);
    expect(seen[1]).toEqual(seen[0]);
    for (const each of open) each.unsubscribe();
    await expect.poll(() => services.healthWatchers()).toBe(0);
  });

  it('sends health less often while only its numbers change, and news no later than ever', async () => {
    const { server, services } = start({ healthIntervalMs: 1, healthQuietIntervalMs: 3_600_000 });
    const client = await portClient(server);
    const seen: string[] = [];
    await client.subscribe(
      'health.watch',
      {},
      { onSnapshot: () => {}, onDelta: (delta) => seen.push(delta.level), onClosed: () => {} },
    );
    const pushed = async (level: HealthSnapshot['level'], wanted: string[]): Promise<void> => {
      services.emitHealth(healthSnapshot(level));
      await expect.poll(() => seen).toEqual(wanted);
    };
    await pushed('ok', ['ok']);
    await sleep(5);
    for (let n = 0; n < 10; n++) services.emitHealth(healthSnapshot('ok'));
    // The numbers that wait do not hold the news back.
    await pushed('failed', ['ok', 'failed']);
    await sleep(5);
    await pushed('ok', ['ok', 'failed', 'ok']);
  });

  it('sheds the client that does not read, and not the one beside it', async () => {
    const { server, services } = start({ followIntervalMs: 1 });
    const slow = rawPeer(server);
    const fast = rawPeer(server);
    for (const peer of [slow, fast]) peer.send({ id: 1, method: 'events.follow', params: { query: '*' } });
    await sleep(5);
    slow.backlogBytes = MAX_CLIENT_BACKLOG_BYTES + 1;
    services.emit([event(2)]);
    await sleep(10);
    expect(slow.last()).toEqual({ subscription: 1, closed: 'slow' });
    expect(services.followers()).toBe(1);
    expect(server.counters.shed).toBe(1);
    services.emit([event(3)]);
    await sleep(10);
    expect(fast.last()).toMatchObject({ subscription: 1, seq: 3 });
    slow.backlogBytes = 0;
    slow.send({ id: 2, method: 'events.follow', params: { query: '*' } });
    await sleep(5);
    expect(slow.last()).toMatchObject({ subscription: 2, seq: 1 });
  });

  it('hangs up on a client that asks and never reads', async () => {
    const { server } = start();
    const peer = rawPeer(server);
    peer.backlogBytes = 20 * 1024 * 1024;
    peer.send({ id: 1, method: 'health.get' });
    expect(peer.closedByServer).toBe(true);
    expect(peer.received).toEqual([]);
  });

  it('counts what a port has not acknowledged as backlog once it acknowledges at all', async () => {
    const { port1, port2 } = new MessageChannel();
    const transport = portTransport(port1);
    const taken: string[] = [];
    transport.onMessage((message) => taken.push(message));
    transport.send('x'.repeat(1000));
    expect(transport.backlogBytes).toBe(0);
    port2.postMessage(JSON.stringify({ ack: 400 } satisfies Ack));
    await expect.poll(() => transport.backlogBytes).toBe(600);
    port2.postMessage('{"ack":9000}');
    await expect.poll(() => transport.backlogBytes).toBe(0);
    expect(taken).toEqual([]);
    transport.close();
  });

  it('leaks nothing when the client leaves while its snapshot is made', async () => {
    const { server, services } = start();
    const peer = rawPeer(server);
    peer.send({ id: 1, method: 'events.follow', params: { query: 'slow' } });
    peer.disconnect();
    await sleep(80);
    expect(services.followCalls).toBe(1);
    expect(services.followers()).toBe(0);
    expect(server.counters).toMatchObject({ clients: 0, inFlight: 0, subscriptions: 0 });
  });

  it('bounds subscriptions per connection', async () => {
    const { server, services } = start({ maxSubscriptions: 2 });
    const peer = rawPeer(server);
    for (let id = 1; id <= 3; id++) peer.send({ id, method: 'events.follow', params: { query: '*' } });
    await sleep(5);
    expect(peer.messages().filter((each) => 'error' in each)).toMatchObject([
      { id: 3, error: { code: 'overloaded' } },
    ]);
    peer.disconnect();
    expect(services.followers()).toBe(0);
  });

  it('tells every client when the agent stops', async () => {
    const { server, services } = start();
    const client = await portClient(server);
    const closed: string[] = [];
    await client.subscribe(
      'events.follow',
      { query: '*' },
      { onSnapshot: () => {}, onDelta: () => {}, onClosed: (reason) => closed.push(reason) },
    );
    server.close();
    await expect.poll(() => closed).toEqual(['stopping']);
    expect(services.followers()).toBe(0);
  });
});
