import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Transport } from '../../agent/api/contract.ts';
import {
  type AgentClient,
  type Connection,
  AgentError,
  backoffMs,
  createAgentClient,
} from './agent-client.ts';
import { NotAuthorised } from './transport.ts';

/** The agent's end of a connection, driven by hand. */
class Peer implements Transport {
  readonly sent: { id?: number; method?: string; params?: unknown; unsubscribe?: number }[] = [];
  readonly backlogBytes = 0;
  closed = false;
  private message: (text: string) => void = () => undefined;
  private onClosed: () => void = () => undefined;
  send(text: string): void {
    this.sent.push(JSON.parse(text) as Peer['sent'][number]);
  }
  onMessage(listener: (text: string) => void): void {
    this.message = listener;
  }
  onClose(listener: () => void): void {
    this.onClosed = listener;
  }
  close(): void {
    this.closed = true;
  }
  push(message: unknown): void {
    this.message(JSON.stringify(message));
  }
  drop(): void {
    this.onClosed();
  }
  last(method: string): { id: number; params: unknown } {
    const found = this.sent.findLast((message) => message.method === method);
    if (found?.id === undefined) throw new Error(`no ${method} was sent`);
    return { id: found.id, params: found.params };
  }
  count(method: string): number {
    return this.sent.filter((message) => message.method === method).length;
  }
  greet(): void {
    this.push({
      id: this.last('api.hello').id,
      result: { version: 1, agentVersion: '0.1.0', privileged: false },
    });
  }
}

let peers: Peer[];
let connections: Connection[];
let client: AgentClient;
const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
const peer = (): Peer => {
  const last = peers.at(-1);
  if (!last) throw new Error('nobody connected');
  return last;
};

beforeEach(() => {
  vi.useFakeTimers();
  peers = [];
  connections = [];
  client = createAgentClient({
    connect: () => {
      const next = new Peer();
      peers.push(next);
      return Promise.resolve(next);
    },
    onConnection: (connection) => connections.push(connection),
    random: () => 0.5,
    now: () => 0,
  });
});
afterEach(() => {
  client.close();
  vi.useRealTimers();
});

describe('calls', () => {
  it('match answers to requests by id, in any order', async () => {
    await settle();
    peer().greet();
    const first = client.call('health.get', {});
    const second = client.call('rules.list', {});
    peer().push({ id: peer().last('rules.list').id, result: { rules: [] } });
    peer().push({ id: peer().last('health.get').id, result: { level: 'ok' } });
    await expect(second).resolves.toEqual({ rules: [] });
    await expect(first).resolves.toEqual({ level: 'ok' });
  });

  it('turn error answers into AgentError with the offset', async () => {
    await settle();
    peer().greet();
    const call = client.call('query.check', { text: 'x' });
    const id = peer().last('query.check').id;
    peer().push({ id, error: { code: 'bad_query', message: 'no', offset: 3, length: 2 } });
    const error = await call.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(AgentError);
    expect(error).toMatchObject({ code: 'bad_query', offset: 3, length: 2 });
  });

  it('fail when unanswered, when the connection drops, and before there is one', async () => {
    await expect(client.call('health.get', {})).rejects.toMatchObject({ code: 'unavailable' });
    await settle();
    peer().greet();
    const slow = client.call('health.get', {}).catch((error: Error) => error.message);
    await vi.advanceTimersByTimeAsync(15_001);
    expect(await slow).toMatch(/within 15 s/);
    const lost = client.call('health.get', {}).catch((error: Error) => error.message);
    peer().drop();
    expect(await lost).toMatch(/lost/);
  });

  it('ignore malformed messages', async () => {
    await settle();
    peer().greet();
    (peer() as unknown as { message(text: string): void }).message('{nonsense');
    peer().push({ id: 999, result: 1 });
    peer().push({ subscription: 999, seq: 1, delta: {} });
    expect(connections.at(-1)).toMatchObject({ state: 'open' });
  });
});

describe('subscriptions', () => {
  const follow = (): { snapshots: unknown[]; deltas: unknown[]; failures: AgentError[]; end: () => void } => {
    const log = { snapshots: [] as unknown[], deltas: [] as unknown[], failures: [] as AgentError[] };
    const end = client.subscribe(
      'events.follow',
      { query: '' },
      {
        snapshot: (value) => log.snapshots.push(value),
        delta: (value) => log.deltas.push(value),
        failed: (error) => log.failures.push(error),
      },
    );
    return { ...log, end };
  };
  const accept = (subscription: number): void =>
    peer().push({ id: peer().last('events.follow').id, result: { subscription } });

  it('deliver the snapshot, then deltas in order', async () => {
    await settle();
    peer().greet();
    const log = follow();
    accept(7);
    peer().push({ subscription: 7, seq: 0, snapshot: { events: [] } });
    peer().push({ subscription: 7, seq: 1, delta: { events: ['a'], skipped: 0 } });
    peer().push({ subscription: 7, seq: 2, delta: { events: ['b'], skipped: 0 } });
    expect(log.snapshots).toHaveLength(1);
    expect(log.deltas).toEqual([
      { events: ['a'], skipped: 0 },
      { events: ['b'], skipped: 0 },
    ]);
  });

  it('start again on a hole in the sequence, letting the old one go', async () => {
    await settle();
    peer().greet();
    const log = follow();
    accept(7);
    peer().push({ subscription: 7, seq: 4, snapshot: 1 });
    peer().push({ subscription: 7, seq: 6, delta: 1 });
    expect(log.deltas).toHaveLength(0);
    expect(peer().sent).toContainEqual({ unsubscribe: 7 });
    expect(peer().count('events.follow')).toBe(2);
    accept(8);
    peer().push({ subscription: 8, seq: 0, snapshot: 2 });
    expect(log.snapshots).toEqual([1, 2]);
  });

  it('start again after being shed, and after a reconnect', async () => {
    await settle();
    peer().greet();
    const log = follow();
    accept(7);
    peer().push({ subscription: 7, closed: 'slow' });
    await vi.advanceTimersByTimeAsync(1600);
    expect(peer().count('events.follow')).toBe(2);
    peer().drop();
    expect(connections.at(-1)).toMatchObject({ state: 'waiting', attempt: 1 });
    await vi.advanceTimersByTimeAsync(11_000);
    expect(peers).toHaveLength(2);
    peer().greet();
    expect(peer().count('events.follow')).toBe(1);
    accept(1);
    peer().push({ subscription: 1, seq: 0, snapshot: 'again' });
    expect(log.snapshots).toEqual(['again']);
  });

  it('report a refused query once and do not insist', async () => {
    await settle();
    peer().greet();
    const log = follow();
    peer().push({ id: peer().last('events.follow').id, error: { code: 'bad_query', message: 'no' } });
    await vi.advanceTimersByTimeAsync(5000);
    expect(log.failures).toHaveLength(1);
    expect(peer().count('events.follow')).toBe(1);
  });

  it('are let go while hidden and taken up after', async () => {
    await settle();
    peer().greet();
    const log = follow();
    accept(7);
    client.setActive(false);
    expect(peer().sent.at(-1)).toEqual({ unsubscribe: 7 });
    peer().push({ subscription: 7, seq: 1, delta: 'late' });
    client.setActive(true);
    accept(8);
    peer().push({ subscription: 8, seq: 0, snapshot: 's' });
    expect(log.deltas).toEqual([]);
    expect(log.snapshots).toEqual(['s']);
  });

  it('ended before the agent answered are still unsubscribed', async () => {
    await settle();
    peer().greet();
    const log = follow();
    log.end();
    accept(9);
    expect(peer().sent.at(-1)).toEqual({ unsubscribe: 9 });
  });
});

describe('connection', () => {
  it('backs off with jitter up to a ceiling', () => {
    expect(backoffMs(0, () => 1)).toBe(250);
    expect(backoffMs(3, () => 1)).toBe(2000);
    expect(backoffMs(50, () => 1)).toBe(10_000);
    expect(backoffMs(50, () => 0)).toBe(1000);
  });

  it('stops when not authorised, and when the contract differs', async () => {
    const states: Connection[] = [];
    let attempts = 0;
    const refused = createAgentClient({
      connect: () => {
        attempts += 1;
        return Promise.reject(new NotAuthorised('no'));
      },
      onConnection: (connection) => states.push(connection),
    });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(states.at(-1)).toEqual({ state: 'refused', reason: 'unauthorised' });
    expect(attempts).toBe(1);
    refused.close();
    await settle();
    peer().push({
      id: peer().last('api.hello').id,
      result: { version: 2, agentVersion: '9', privileged: false },
    });
    expect(connections.at(-1)).toEqual({ state: 'refused', reason: 'version' });
    expect(peer().closed).toBe(true);
  });

  it('retries at once when asked', async () => {
    await settle();
    peer().greet();
    peer().drop();
    client.retryNow();
    await settle();
    expect(peers).toHaveLength(2);
  });
});
