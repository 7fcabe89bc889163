/**
 * A typed client of the Local API over any Transport.
 *
 * Calls carry ids and a time limit. A subscription is a wish that outlives connections: it is made again after a
 * reconnect, a hole in its sequence, or being shed by the agent, and is let go while the page is hidden. Each
 * (re)start delivers a fresh snapshot first, so a listener never has to merge across a gap.
 */
import {
  API_VERSION,
  type ApiError,
  type ErrorCode,
  type MethodName,
  type Methods,
  type SubscriptionName,
  type Subscriptions,
  type Transport,
} from '../../agent/api/contract.ts';
import { type Connect, NotAuthorised } from './transport.ts';

export class AgentError extends Error {
  override name = 'AgentError';
  readonly code: ErrorCode;
  readonly offset: number | undefined;
  readonly length: number | undefined;
  constructor(error: ApiError) {
    super(error.message);
    this.code = error.code;
    this.offset = error.offset;
    this.length = error.length;
  }
}

export type Connection =
  | { state: 'connecting' }
  | { state: 'open'; agentVersion: string; privileged: boolean }
  | { state: 'waiting'; attempt: number; retryAtMs: number }
  | { state: 'refused'; reason: 'unauthorised' | 'version' };

export interface SubscriptionListener<N extends SubscriptionName> {
  snapshot(value: Subscriptions[N]['snapshot']): void;
  delta(value: Subscriptions[N]['delta']): void;
  /** The agent refused the subscription itself (for example a bad query); it is not tried again. */
  failed?(error: AgentError): void;
}

export interface ClientOptions {
  connect: Connect;
  onConnection: (connection: Connection) => void;
  locale?: string;
  /** Injected by tests. */
  random?: () => number;
  now?: () => number;
  callTimeoutMs?: number;
}

export interface AgentClient {
  call<M extends MethodName>(
    method: M,
    params: Methods[M]['params'],
    signal?: AbortSignal,
  ): Promise<Methods[M]['result']>;
  subscribe<N extends SubscriptionName>(
    name: N,
    params: Subscriptions[N]['params'],
    listener: SubscriptionListener<N>,
  ): () => void;
  /** Lets go of every subscription (hidden page) or takes them up again. */
  setActive(active: boolean): void;
  /** Tries now instead of waiting for the next attempt. */
  retryNow(): void;
  close(): void;
}

const BACKOFF_BASE_MS = 250;
const BACKOFF_MAX_MS = 10_000;
const RESUBSCRIBE_MS = 1000;

/** Full jitter: anywhere up to an exponentially growing ceiling, never less than a tenth of it. */
export function backoffMs(attempt: number, random: () => number): number {
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** Math.min(attempt, 10));
  return Math.round(ceiling * (0.1 + 0.9 * random()));
}

interface Pending {
  done: (value: unknown) => void;
  failed: (error: AgentError) => void;
  timer: ReturnType<typeof setTimeout>;
}

interface Wish {
  name: string;
  params: unknown;
  listener: { snapshot(value: never): void; delta(value: never): void; failed?(error: AgentError): void };
  /** Server's number, once known. */
  id: number | undefined;
  seq: number | undefined;
  /** Grows with each start, so that an answer to an abandoned start is recognised. */
  round: number;
  done: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
}

interface Incoming {
  id?: number;
  result?: unknown;
  error?: ApiError;
  subscription?: number;
  seq?: number;
  snapshot?: unknown;
  delta?: unknown;
  closed?: string;
}

const unavailable = (message: string): AgentError => new AgentError({ code: 'unavailable', message });

export function createAgentClient(options: ClientOptions): AgentClient {
  const random = options.random ?? Math.random;
  const now = options.now ?? Date.now;
  const callTimeoutMs = options.callTimeoutMs ?? 15_000;
  const pending = new Map<number, Pending>();
  const wishes = new Set<Wish>();
  const byId = new Map<number, Wish>();
  let transport: Transport | undefined;
  let open = false;
  let active = true;
  let closed = false;
  let dialling = false;
  let attempt = 0;
  let nextId = 1;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;

  /** Answers come back by callback, not promise: a subscription's pushes may follow in the same turn. */
  const request = (
    method: string,
    params: unknown,
    done: (value: unknown) => void,
    failed: (error: AgentError) => void,
  ): number => {
    if (!transport) {
      failed(unavailable('Not connected to the agent.'));
      return 0;
    }
    const id = nextId;
    nextId += 1;
    const timer = setTimeout(() => {
      pending.delete(id);
      failed(unavailable(`The agent did not answer ${method} within ${callTimeoutMs / 1000} s.`));
    }, callTimeoutMs);
    pending.set(id, { done, failed, timer });
    transport.send(JSON.stringify({ id, method, params }));
    return id;
  };

  const release = (wish: Wish): void => {
    wish.round += 1;
    clearTimeout(wish.timer);
    if (wish.id === undefined) return;
    byId.delete(wish.id);
    transport?.send(JSON.stringify({ unsubscribe: wish.id }));
    wish.id = undefined;
  };

  const start = (wish: Wish): void => {
    release(wish);
    if (!open || !active || wish.done) return;
    const { round } = wish;
    wish.seq = undefined;
    request(
      wish.name,
      wish.params,
      (result) => {
        const id = (result as { subscription: number }).subscription;
        if (round !== wish.round) {
          transport?.send(JSON.stringify({ unsubscribe: id }));
          return;
        }
        wish.id = id;
        byId.set(id, wish);
      },
      (error) => {
        if (round !== wish.round) return;
        if (error.code === 'unavailable' || error.code === 'overloaded') later(wish);
        else {
          wish.done = true;
          wishes.delete(wish);
          wish.listener.failed?.(error);
        }
      },
    );
  };

  const later = (wish: Wish): void => {
    clearTimeout(wish.timer);
    wish.timer = setTimeout(() => start(wish), RESUBSCRIBE_MS * (0.5 + random()));
  };

  const onPush = (push: Incoming): void => {
    const wish = byId.get(push.subscription ?? -1);
    if (!wish) return;
    if (push.closed !== undefined) {
      byId.delete(wish.id ?? -1);
      wish.id = undefined;
      later(wish);
      return;
    }
    if ('snapshot' in push) {
      wish.seq = push.seq;
      wish.listener.snapshot(push.snapshot as never);
      return;
    }
    if (wish.seq === undefined || push.seq !== wish.seq + 1) {
      start(wish);
      return;
    }
    wish.seq = push.seq;
    wish.listener.delta(push.delta as never);
  };

  const onMessage = (text: string): void => {
    let message: Incoming;
    try {
      message = JSON.parse(text) as Incoming;
    } catch {
      return;
    }
    if (message.id === undefined) {
      onPush(message);
      return;
    }
    const entry = pending.get(message.id);
    if (!entry) return;
    pending.delete(message.id);
    clearTimeout(entry.timer);
    if (message.error) entry.failed(new AgentError(message.error));
    else entry.done(message.result);
  };

  /** Forgets the connection; what was asked of it fails, what was wished for stays. */
  const drop = (): void => {
    transport = undefined;
    open = false;
    byId.clear();
    for (const wish of wishes) {
      wish.id = undefined;
      wish.round += 1;
      clearTimeout(wish.timer);
    }
    const lost = [...pending.values()];
    pending.clear();
    for (const entry of lost) {
      clearTimeout(entry.timer);
      entry.failed(unavailable('The connection to the agent was lost.'));
    }
  };

  const retry = (): void => {
    if (closed) return;
    const waitMs = backoffMs(attempt, random);
    attempt += 1;
    options.onConnection({ state: 'waiting', attempt, retryAtMs: now() + waitMs });
    retryTimer = setTimeout(dial, waitMs);
  };

  const refuse = (reason: 'unauthorised' | 'version'): void => {
    closed = true;
    options.onConnection({ state: 'refused', reason });
  };

  const greet = (target: Transport): void => {
    transport = target;
    target.onMessage(onMessage);
    target.onClose(() => {
      if (transport !== target) return;
      drop();
      retry();
    });
    request(
      'api.hello',
      { version: API_VERSION, locale: options.locale },
      (result) => {
        const hello = result as Methods['api.hello']['result'];
        if (hello.version !== API_VERSION) {
          refuse('version');
          drop();
          target.close();
          return;
        }
        attempt = 0;
        open = true;
        options.onConnection({
          state: 'open',
          agentVersion: hello.agentVersion,
          privileged: hello.privileged,
        });
        for (const wish of wishes) start(wish);
      },
      (error) => {
        // A lost connection is handled by onClose; here the agent answered no, or not at all.
        if (transport !== target) return;
        if (error.code === 'bad_request') refuse('version');
        else if (error.code === 'forbidden') refuse('unauthorised');
        drop();
        target.close();
        retry();
      },
    );
  };

  const dial = (): void => {
    clearTimeout(retryTimer);
    if (closed || transport || dialling) return;
    dialling = true;
    options.onConnection({ state: 'connecting' });
    options.connect().then(
      (target) => {
        dialling = false;
        if (closed) target.close();
        else greet(target);
      },
      (error: unknown) => {
        dialling = false;
        if (error instanceof NotAuthorised) refuse('unauthorised');
        else retry();
      },
    );
  };

  dial();

  return {
    call(method, params, signal) {
      if (!open) return Promise.reject(unavailable('Not connected to the agent.'));
      return new Promise((resolve, reject) => {
        const id = request(method, params, resolve as (value: unknown) => void, reject);
        signal?.addEventListener(
          'abort',
          () => {
            if (pending.has(id)) transport?.send(JSON.stringify({ cancel: id }));
            reject(new AgentError({ code: 'cancelled', message: 'No longer needed.' }));
          },
          { once: true },
        );
      });
    },
    subscribe(name, params, listener) {
      const wish: Wish = {
        name,
        params,
        listener,
        id: undefined,
        seq: undefined,
        round: 0,
        done: false,
        timer: undefined,
      };
      wishes.add(wish);
      start(wish);
      return () => {
        wish.done = true;
        wishes.delete(wish);
        release(wish);
      };
    },
    setActive(next) {
      if (next === active) return;
      active = next;
      for (const wish of wishes) {
        if (active) start(wish);
        else release(wish);
      }
    },
    retryNow() {
      if (transport || closed) return;
      attempt = 0;
      dial();
    },
    close() {
      closed = true;
      clearTimeout(retryTimer);
      const target = transport;
      drop();
      target?.close();
    },
  };
}
