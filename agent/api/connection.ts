/**
 * One client: reads its requests, answers them, feeds its subscriptions, and lets go of all of it when the client
 * leaves or stops reading.
 *
 * Invariants: every request gets exactly one answer while the connection lives; nothing a client sends makes the agent
 * hold more than maxBacklogBytes + maxResponseBytes for it; after close no service works for it any more.
 */
import {
  API_VERSION,
  type ApiError,
  type ClosedReason,
  PRIVILEGED_METHODS,
  type Transport,
} from './contract.ts';
import { type ApiCounters, type ApiLimits, type RefusalReason, TokenBucket } from './limits.ts';
import {
  ApiFailure,
  type ApiServices,
  type CallContext,
  type Peer,
  jsonText,
  toApiError,
} from './services.ts';
import { type HealthHub, type Source, openFollow } from './subscriptions.ts';
import { checkParams, isKnownMethod } from './validate.ts';

export interface ConnectionHost {
  services: ApiServices;
  version: string;
  limits: ApiLimits;
  counters: ApiCounters;
  health: HealthHub;
}

interface Call {
  controller: AbortController;
  timer: NodeJS.Timeout;
}

interface Subscription {
  id: number;
  seq: number;
  source: Source | undefined;
  ended: boolean;
}

const PRIVILEGED: ReadonlySet<string> = new Set(PRIVILEGED_METHODS);
/** A page that was taken over must not be able to mint sessions that outlive it. */
const NOT_OVER_WEBSOCKET: ReadonlySet<string> = new Set(['console.url']);
/** Requests refused for their rate in a row before the connection is closed. */
const MAX_RATE_DEBT = 200;

type Service = (params: unknown, context: CallContext) => Promise<unknown>;

export class Connection {
  readonly #host: ConnectionHost;
  readonly #transport: Transport;
  readonly #peer: Peer;
  readonly #onClosed: (connection: Connection) => void;
  readonly #calls = new Map<number, Call>();
  readonly #subscriptions = new Map<number, Subscription>();
  readonly #bucket: TokenBucket;
  #lastSubscription = 0;
  #closed = false;

  constructor(
    host: ConnectionHost,
    transport: Transport,
    peer: Peer,
    onClosed: (connection: Connection) => void,
  ) {
    this.#host = host;
    this.#transport = transport;
    this.#peer = peer;
    this.#onClosed = onClosed;
    this.#bucket = new TokenBucket(
      host.limits.requestsPerSecond,
      host.limits.requestBurst,
      performance.now(),
    );
    transport.onMessage((text) => this.#receive(text));
    transport.onClose(() => this.#release());
  }

  /** The agent is stopping: tells the client, then closes. */
  stop(): void {
    for (const subscription of this.#subscriptions.values()) this.#end(subscription, 'stopping');
    this.#disconnect();
  }

  #receive(text: string): void {
    if (this.#closed) return;
    const { limits } = this.#host;
    if (!this.#bucket.take(performance.now())) {
      // Not parsed: that is what the limit saves. Clients of this contract write the id first.
      const id = Number(/^\{"id":(\d{1,15})\b/.exec(text.slice(0, 32))?.[1] ?? 0);
      this.#refuse(id, 'rate', 'overloaded', `more than ${limits.requestsPerSecond} requests per second`);
      if (this.#bucket.debt >= MAX_RATE_DEBT) this.#disconnect();
      return;
    }
    if (text.length > limits.maxRequestBytes) {
      const size = `the message is larger than ${limits.maxRequestBytes} bytes`;
      this.#refuse(0, 'oversized', 'bad_request', size);
      return;
    }
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      this.#refuse(0, 'malformed', 'bad_request', 'the message is not JSON');
      return;
    }
    if (typeof message !== 'object' || message === null || Array.isArray(message)) {
      this.#refuse(0, 'malformed', 'bad_request', 'the message must be an object {id, method, params}');
      return;
    }
    const { id, method, params, unsubscribe, cancel } = message as Record<string, unknown>;
    if (typeof unsubscribe === 'number') {
      const subscription = this.#subscriptions.get(unsubscribe);
      if (subscription) this.#end(subscription, 'unsubscribed');
    } else if (typeof cancel === 'number') {
      this.#cancel(cancel, { code: 'cancelled', message: 'cancelled by the client' });
    } else if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 1) {
      this.#refuse(0, 'malformed', 'bad_request', 'id must be a whole number from 1');
    } else if (typeof method !== 'string') {
      this.#refuse(id, 'malformed', 'bad_request', 'method must be a string');
    } else if (this.#calls.has(id)) {
      this.#refuse(id, 'malformed', 'bad_request', `request ${id} is still being answered`);
    } else void this.#request(id, method, params);
  }

  async #request(id: number, method: string, rawParams: unknown): Promise<void> {
    const { limits, counters } = this.#host;
    counters.requests++;
    if (!isKnownMethod(method)) {
      const name = JSON.stringify(method.slice(0, 64));
      this.#refuse(
        id,
        'malformed',
        'bad_request',
        `there is no method ${name} in API version ${API_VERSION}`,
      );
      return;
    }
    const fault = this.#authorise(method);
    if (fault) {
      this.#refuse(id, 'forbidden', 'forbidden', fault);
      return;
    }
    let params: unknown;
    try {
      params = checkParams(method, rawParams);
    } catch (error) {
      counters.refuse('malformed');
      this.#answerError(id, toApiError(error));
      return;
    }
    if (this.#calls.size >= limits.maxInFlight || counters.inFlight >= limits.maxInFlightTotal) {
      this.#refuse(id, 'in_flight', 'overloaded', 'too many requests at once; wait for answers');
      return;
    }
    if (this.#transport.backlogBytes > limits.maxBacklogBytes) {
      counters.shed++;
      const message = 'answers are waiting to be read; read them, then ask again';
      this.#answerError(id, { code: 'overloaded', message });
      return;
    }
    const call = this.#begin(id);
    const context: CallContext = { signal: call.controller.signal, peer: this.#peer };
    try {
      if (method === 'health.watch' || method === 'events.follow') {
        await this.#subscribe(id, call, method, params, context);
      } else {
        const result = method === 'api.hello' ? this.#hello() : await this.#serve(method, params, context);
        this.#finish(id, call, `{"id":${id},"result":${jsonText(result)}}`);
      }
    } catch (error) {
      this.#finishError(id, call, toApiError(error));
    }
  }

  #authorise(method: string): string | undefined {
    if (PRIVILEGED.has(method) && this.#peer.role !== 'privileged') {
      return `${method} changes the agent: only root or the agent's own user may call it`;
    }
    if (NOT_OVER_WEBSOCKET.has(method) && this.#peer.transport === 'websocket') {
      return `${method} is only answered on the agent's socket: use the command line`;
    }
    return undefined;
  }

  #hello(): object {
    const privileged = this.#peer.role === 'privileged';
    return { version: API_VERSION, agentVersion: this.#host.version, privileged };
  }

  #serve(method: string, params: unknown, context: CallContext): Promise<unknown> {
    const methods = this.#host.services.methods as unknown as Record<string, Service>;
    return methods[method]!(params, context);
  }

  async #subscribe(
    id: number,
    call: Call,
    method: string,
    params: unknown,
    context: CallContext,
  ): Promise<void> {
    const { limits, services, health, counters } = this.#host;
    if (this.#subscriptions.size >= limits.maxSubscriptions) {
      counters.refuse('subscriptions');
      throw new ApiFailure('overloaded', `at most ${limits.maxSubscriptions} subscriptions per connection`);
    }
    const subscription: Subscription = {
      id: ++this.#lastSubscription,
      seq: 0,
      source: undefined,
      ended: false,
    };
    this.#subscriptions.set(subscription.id, subscription);
    try {
      const source =
        method === 'health.watch'
          ? await health.open(context)
          : await openFollow(services, limits, params as { query: string; limit?: number });
      // The client may have left or given up while the snapshot was made.
      if (this.#closed || context.signal.aborted) {
        source.stop();
        this.#subscriptions.delete(subscription.id);
        return;
      }
      subscription.source = source;
      counters.subscriptions++;
      this.#checkSize(source.snapshot);
      this.#finish(id, call, `{"id":${id},"result":{"subscription":${subscription.id}}}`);
      this.#push(subscription, 'snapshot', source.snapshot);
      if (!subscription.ended) source.start((delta) => this.#push(subscription, 'delta', delta));
    } catch (error) {
      this.#drop(subscription);
      throw error;
    }
  }

  #push(subscription: Subscription, kind: 'snapshot' | 'delta', text: string): void {
    if (subscription.ended || this.#closed) return;
    if (this.#transport.backlogBytes > this.#host.limits.maxBacklogBytes) {
      this.#shed();
      return;
    }
    this.#send(`{"subscription":${subscription.id},"seq":${++subscription.seq},"${kind}":${text}}`);
  }

  /** The client does not keep up: its subscriptions end, the connection stays, so that it can ask again. */
  #shed(): void {
    this.#host.counters.shed++;
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.source) this.#end(subscription, 'slow');
    }
  }

  #end(subscription: Subscription, reason: ClosedReason): void {
    if (subscription.ended || !subscription.source) return;
    this.#drop(subscription);
    this.#send(`{"subscription":${subscription.id},"closed":"${reason}"}`);
  }

  #drop(subscription: Subscription): void {
    if (subscription.ended) return;
    subscription.ended = true;
    this.#subscriptions.delete(subscription.id);
    if (subscription.source) {
      this.#host.counters.subscriptions--;
      subscription.source.stop();
    }
  }

  #begin(id: number): Call {
    const { limits, counters } = this.#host;
    const timer = setTimeout(() => {
      counters.refuse('timeout');
      const message = `no answer within ${limits.requestTimeoutMs / 1000} s; narrow the query or try again`;
      this.#cancel(id, { code: 'unavailable', message });
    }, limits.requestTimeoutMs);
    timer.unref();
    const call: Call = { controller: new AbortController(), timer };
    this.#calls.set(id, call);
    counters.inFlight++;
    return call;
  }

  /** Forgets a call; false if it was answered before. */
  #settle(id: number, call: Call): boolean {
    if (this.#calls.get(id) !== call) return false;
    this.#calls.delete(id);
    clearTimeout(call.timer);
    this.#host.counters.inFlight--;
    return true;
  }

  #cancel(id: number, error: ApiError): void {
    const call = this.#calls.get(id);
    if (!call || !this.#settle(id, call)) return;
    call.controller.abort();
    this.#answerError(id, error);
  }

  #finish(id: number, call: Call, text: string): void {
    if (this.#calls.get(id) !== call) return;
    this.#checkSize(text);
    this.#settle(id, call);
    if (this.#transport.backlogBytes > this.#host.limits.maxBacklogBytes) {
      this.#host.counters.shed++;
      const message = 'earlier answers were not read; the answer was dropped';
      this.#answerError(id, { code: 'overloaded', message });
    } else this.#send(text);
  }

  #finishError(id: number, call: Call, error: ApiError): void {
    if (this.#settle(id, call)) this.#answerError(id, error);
  }

  #checkSize(text: string): void {
    const { maxResponseBytes } = this.#host.limits;
    if (text.length * 3 <= maxResponseBytes) return;
    const bytes = Buffer.byteLength(text);
    if (bytes <= maxResponseBytes) return;
    throw new ApiFailure(
      'bad_request',
      `the answer is ${bytes} bytes, more than the ${maxResponseBytes} a client may be sent; ask for less (limit)`,
    );
  }

  #refuse(id: number, reason: RefusalReason, code: ApiError['code'], message: string): void {
    this.#host.counters.refuse(reason);
    this.#answerError(id, { code, message });
  }

  #answerError(id: number, error: ApiError): void {
    this.#send(JSON.stringify({ id, error }));
  }

  #send(text: string): void {
    if (this.#closed) return;
    const { limits, counters } = this.#host;
    if (this.#transport.backlogBytes > limits.maxBacklogBytes + limits.maxResponseBytes) {
      // It asks and asks and never reads: even refusals pile up.
      counters.shed++;
      this.#disconnect();
      return;
    }
    this.#transport.send(text);
  }

  #disconnect(): void {
    if (this.#closed) return;
    this.#release();
    this.#transport.close();
  }

  #release(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const [id, call] of this.#calls) {
      this.#settle(id, call);
      call.controller.abort();
    }
    for (const subscription of this.#subscriptions.values()) this.#drop(subscription);
    this.#onClosed(this);
  }
}
