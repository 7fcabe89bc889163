import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { portClient, rawPeer, start } from './test-kit.ts';

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
