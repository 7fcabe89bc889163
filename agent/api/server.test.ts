import { MessageChannel } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { type ApiClient, createClient } from './client.ts';
import { MAX_CLIENT_BACKLOG_BYTES, type Transport } from './contract.ts';
import { event, fakeServices, healthSnapshot } from './fake-services.ts';
import type { ApiLimits } from './limits.ts';
import { portTransport } from './message-port.ts';
import { type ApiServer, createApiServer } from './server.ts';
import type { Role } from './services.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  while (closers.length > 0) closers.pop()!();
});

function start(limits: Partial<ApiLimits> = {}) {
  const services = fakeServices();
  const server = createApiServer({ services, version: '1.2.3', limits });
  closers.push(() => server.close());
  return { services, server };
}

/** A client over a real MessageChannel. */
async function portClient(server: ApiServer, role: Role = 'read'): Promise<ApiClient> {
  const { port1, port2 } = new MessageChannel();
  server.accept(portTransport(port1), { role, transport: 'port' });
  const client = await createClient(portTransport(port2));
  closers.push(() => client.close());
  return client;
}

/** A transport without any wire, to say exactly what arrives and how far the peer has read. */
function rawPeer(server: ApiServer, role: Role = 'read') {
  const received: string[] = [];
  let deliver: (message: string) => void = () => {};
  let closed: () => void = () => {};
  const peer = {
    received,
    backlogBytes: 0,
    closedByServer: false,
    send: (message: unknown) => deliver(typeof message === 'string' ? message : JSON.stringify(message)),
    disconnect: () => closed(),
    messages: () => received.map((text) => JSON.parse(text) as Record<string, never>),
    last: () => JSON.parse(received.at(-1)!) as { id: number; error?: { code: string; message: string } },
  };
  const transport: Transport = {
    send: (message) => void received.push(message),
    onMessage: (listener) => {
      deliver = listener;
    },
    onClose: (listener) => {
      closed = listener;
    },
    close: () => {
      peer.closedByServer = true;
    },
    get backlogBytes() {
      return peer.backlogBytes;
    },
  };
  server.accept(transport, { role, transport: 'port' });
  return peer;
}

describe('requests', () => {
  it('answers over a message port and says who the caller is', async () => {
    const { server } = start();
    const reader = await portClient(server);
    const owner = await portClient(server, 'privileged');
    expect([reader.privileged, owner.privileged, reader.agentVersion]).toEqual([false, true, '1.2.3']);
    const page = await reader.call('events.query', { query: '', limit: 3 });
    expect(page.events.map((each) => each.eventId)).toEqual(['1', '2', '3']);
  });

  it('refuses privileged methods to readers, and counts it', async () => {
    const { server } = start();
    const reader = await portClient(server);
    await expect(reader.call('rules.reload', {})).rejects.toMatchObject({ code: 'forbidden' });
    await expect(reader.call('console.url', {})).rejects.toMatchObject({ code: 'forbidden' });
    expect(server.counters.snapshot().refusedByReason).toEqual({ forbidden: 2 });
    const owner = await portClient(server, 'privileged');
    await expect(owner.call('rules.reload', {})).resolves.toEqual({ loaded: 3, failed: [] });
  });

  it.each([
    [{ query: 'x', limit: 0 }, /limit must be at least 1/],
    [{ query: 'x', limit: 1001 }, /limit must be at most 1000/],
    [{ query: 'x', limit: 1.5 }, /limit must be a whole number/],
    [{ query: 7 }, /query must be a string/],
    [{ query: 'q'.repeat(8193) }, /query must be at most 8192 characters/],
    [{}, /query must be a string/],
    [{ query: 'x', lmit: 3 }, /"lmit" is not a parameter/],
    [null, /params must be an object/],
    [[], /params must be an object/],
  ])('names the field at fault: %j', async (params, expected) => {
    const { server } = start();
    const client = await portClient(server);
    const failure = client.call('events.query', params as never);
    await expect(failure).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringMatching(expected),
    });
  });

  it.each(['nope', '__proto__', 'constructor', 'toString', 'hasOwnProperty', ''])(
    'has no method %j',
    async (method) => {
      const { server } = start();
      const client = await portClient(server, 'privileged');
      await expect(client.call(method as never, {} as never)).rejects.toMatchObject({ code: 'bad_request' });
    },
  );

  it('rejects prototype keys instead of copying them', () => {
    const { server } = start();
    const peer = rawPeer(server);
    peer.send('{"id":1,"method":"query.check","params":{"text":"x","__proto__":{"polluted":1}}}');
    peer.send(
      '{"id":2,"method":"query.check","params":{"text":"x","constructor":{"prototype":{"polluted":1}}}}',
    );
    peer.send('{"__proto__":{"id":3,"method":"api.hello"},"method":"api.hello"}');
    expect(peer.messages().map((each) => (each['error'] as unknown as { code: string }).code)).toEqual(
      Array(3).fill('bad_request'),
    );
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  it.each([
    'not json',
    '',
    '[]',
    'null',
    '3',
    '{}',
    '{"id":0,"method":"api.hello"}',
    '{"id":-1,"method":"api.hello"}',
    '{"id":1.5,"method":"api.hello"}',
    '{"id":"1","method":"api.hello"}',
    '{"id":1}',
    '{"id":1,"method":["api.hello"]}',
    `{"id":1,"method":"query.check","params":{"text":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`,
    '['.repeat(250_000),
    `{"id":1,"method":"${'m'.repeat(300_000)}"}`,
  ])('answers %.40j with bad_request and keeps serving', async (message) => {
    const { server } = start();
    const peer = rawPeer(server);
    peer.send(message);
    await sleep(0);
    expect(peer.last().error?.code).toBe('bad_request');
    expect(peer.last().error?.message.length).toBeLessThan(300);
    peer.send({ id: 2, method: 'api.hello', params: { version: 1 } });
    await sleep(0);
    expect(peer.last()).toMatchObject({ id: 2, result: { version: 1 } });
  });

  it('sends errors as data: no stack, no second line', async () => {
    const { server } = start();
    const client = await portClient(server);
    const error = await client.call('events.query', { query: 'crash' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'internal' });
    expect((error as Error).message).not.toContain('store.ts');
    await expect(client.call('events.get', { eventId: '9' })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('refuses answers over the limit instead of sending them', async () => {
    const { server } = start();
    const client = await portClient(server);
    const failure = client.call('events.query', { query: 'big' });
    await expect(failure).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringMatching(/limit/),
    });
    await expect(client.call('events.query', { query: 'mega' })).resolves.toBeDefined();
  });

  it('bounds requests in flight, and frees them on cancel, timeout and disconnect', async () => {
    const { server, services } = start({ maxInFlight: 2, requestTimeoutMs: 200 });
    const client = await portClient(server);
    const abort = new AbortController();
    const first = client.call('events.query', { query: 'hang' }, { signal: abort.signal });
    const second = client.call('events.query', { query: 'hang' });
    await expect(client.call('events.query', { query: 'x' })).rejects.toMatchObject({ code: 'overloaded' });
    abort.abort();
    await expect(first).rejects.toMatchObject({ code: 'cancelled' });
    expect(services.hanging.map((signal) => signal.aborted)).toEqual([true, false]);
    await expect(second).rejects.toMatchObject({ code: 'unavailable' });
    expect(server.counters.inFlight).toBe(0);

    const third = client.call('events.query', { query: 'hang' });
    third.catch(() => {});
    await client.call('health.get', {});
    client.close();
    await expect(third).rejects.toMatchObject({ code: 'disconnected' });
    await expect.poll(() => server.counters.clients).toBe(0);
    expect(server.counters.inFlight).toBe(0);
    expect(services.hanging.every((signal) => signal.aborted)).toBe(true);
  });

  it('refuses a flood without parsing it, and hangs up on one that goes on', () => {
    const { server } = start({ requestsPerSecond: 1, requestBurst: 5 });
    const peer = rawPeer(server);
    for (let id = 1; id <= 300; id++) peer.send({ id, method: 'nope' });
    const codes = peer.messages().map((each) => (each['error'] as unknown as { code: string }).code);
    expect(codes.slice(0, 6)).toEqual([...Array<string>(5).fill('bad_request'), 'overloaded']);
    expect(peer.messages()[5]).toMatchObject({ id: 6 });
    expect(peer.closedByServer).toBe(true);
    expect(codes.length).toBeLessThanOrEqual(205);
    expect(server.counters.clients).toBe(0);
  });

  it('bounds clients', async () => {
    const { server } = start({ maxClients: 1 });
    await portClient(server);
    const peer = rawPeer(server);
    expect(peer.last()).toMatchObject({ id: 0, error: { code: 'overloaded' } });
    expect(peer.closedByServer).toBe(true);
  });

  it('survives whatever a client sends (fuzz)', async () => {
    const { server, services } = start({ requestsPerSecond: 1e9, requestBurst: 1e9 });
    const peer = rawPeer(server);
    const methods = [...Object.keys(services.methods), 'api.hello', 'health.watch', 'events.follow'];
    const request = fc.record(
      {
        id: fc.oneof(fc.integer(), fc.jsonValue()),
        method: fc.oneof(fc.constantFrom(...methods), fc.string()),
        params: fc.oneof(
          fc.jsonValue(),
          fc.record({ query: fc.string(), limit: fc.integer(), buckets: fc.integer() }, { requiredKeys: [] }),
        ),
        unsubscribe: fc.jsonValue(),
        cancel: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    const message = fc.oneof(
      fc.string(),
      fc.jsonValue().map((value) => JSON.stringify(value)),
      request.map((each) => JSON.stringify(each)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 20 }), async (messages) => {
        for (const each of messages) peer.send(each);
        await sleep(0);
        for (const text of peer.received.splice(0)) {
          const answer = JSON.parse(text) as Record<string, unknown>;
          expect('id' in answer || 'subscription' in answer).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
    peer.disconnect();
    expect(server.counters).toMatchObject({ clients: 0, inFlight: 0, subscriptions: 0 });
    expect([services.followers(), services.healthWatchers()]).toEqual([0, 0]);
  });
});

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
    expect(deltas.length).toBeLessThan(10);
    for (const { ids } of deltas) expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(deltas.every(({ ids }) => ids.length <= 10)).toBe(true);
    expect(deltas.at(-1)!.ids.at(-1)).toBe(sent);
  });

  it('sends health at most once per interval, newest last, watched only while someone looks', async () => {
    const { server, services } = start({ healthIntervalMs: 60 });
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
    for (let i = 0; i < 20; i++) {
      services.emitHealth(healthSnapshot(i === 19 ? 'failed' : 'ok'));
      await sleep(5);
    }
    await expect.poll(() => seen[0]!.at(-1)).toBe('failed');
    expect(seen[0]!.length).toBeLessThanOrEqual(6);
    expect(seen[1]).toEqual(seen[0]);
    for (const each of open) each.unsubscribe();
    await expect.poll(() => services.healthWatchers()).toBe(0);
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
    port2.postMessage('{"ack":400}');
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
