/** Client of the Local API for the command line and tests: typed calls, subscriptions, errors a person can act on. */
import { type Socket, connect } from 'node:net';
import { SentinelError } from '../errors.ts';
import {
  API_VERSION,
  type ApiError,
  type Cancel,
  type ClosedReason,
  MAX_RESPONSE_BYTES,
  type MethodName,
  type Methods,
  type Push,
  type Request,
  type Response,
  type SubscriptionName,
  type Subscriptions,
  type Transport,
  type Unsubscribe,
} from './contract.ts';
import { streamTransport } from './frames.ts';
import { shortSocketPath } from './socket-server.ts';

/** No agent listens on the socket. The command line then reads the files itself. */
export class AgentNotRunningError extends SentinelError {
  constructor(path: string, options?: ErrorOptions) {
    super(
      'agent_not_running',
      `no agent is running on ${path}`,
      'start one with `sentinel run`, or pick another with --data',
      options,
    );
    this.name = 'AgentNotRunningError';
  }
}

export class AccessDeniedError extends SentinelError {
  constructor(path: string, options?: ErrorOptions) {
    super(
      'access_denied',
      `you may not talk to the agent on ${path}`,
      'join its group (sudo usermod -aG sentinel $USER, then log in again) or use sudo',
      options,
    );
    this.name = 'AccessDeniedError';
  }
}

export class VersionMismatchError extends SentinelError {
  constructor(agentVersion: string, theirs: number) {
    super(
      'version_mismatch',
      `the running agent (${agentVersion}) speaks API version ${theirs}, this program ${API_VERSION}`,
      'restart the agent after an update, or use the program that came with it',
    );
    this.name = 'VersionMismatchError';
  }
}

/** The connection ended before an answer came. */
export class DisconnectedError extends SentinelError {
  constructor() {
    super('disconnected', 'the agent closed the connection', 'see whether it still runs: `sentinel status`');
    this.name = 'DisconnectedError';
  }
}

/** The agent answered with an error. `code` is an ErrorCode; bad queries carry the place. */
export class ApiCallError extends SentinelError {
  readonly offset: number | undefined;
  readonly length: number | undefined;

  constructor(error: ApiError) {
    super(error.code, error.message);
    this.name = 'ApiCallError';
    this.offset = error.offset;
    this.length = error.length;
  }
}

export interface SubscriptionHandlers<S extends SubscriptionName> {
  onSnapshot(snapshot: Subscriptions[S]['snapshot']): void;
  onDelta(delta: Subscriptions[S]['delta']): void;
  /** `lost` when the connection ended or a message was missing. Not called after unsubscribe(). */
  onClosed(reason: ClosedReason | 'lost'): void;
}

export interface ApiClient {
  readonly agentVersion: string;
  readonly privileged: boolean;
  call<M extends MethodName>(
    method: M,
    params: Methods[M]['params'],
    options?: { signal?: AbortSignal },
  ): Promise<Methods[M]['result']>;
  subscribe<S extends SubscriptionName>(
    method: S,
    params: Subscriptions[S]['params'],
    handlers: SubscriptionHandlers<S>,
  ): Promise<{ unsubscribe(): void }>;
  close(): void;
}

/** Connects to the agent listening on `socketPath` (see socketPathOf). Throws the errors above. */
export async function connectAgent(socketPath: string, timeoutMs = 5000): Promise<ApiClient> {
  const socket = await openSocket(socketPath, timeoutMs);
  const transport = streamTransport(socket, {
    maxMessageBytes: MAX_RESPONSE_BYTES,
    maxFrameMs: 60_000,
  });
  try {
    return await createClient(transport, timeoutMs);
  } catch (error) {
    if (error instanceof ApiCallError && error.code === 'forbidden') {
      throw new AccessDeniedError(socketPath, { cause: error });
    }
    throw error;
  }
}

async function openSocket(socketPath: string, timeoutMs: number): Promise<Socket> {
  let short: ReturnType<typeof shortSocketPath> | undefined;
  try {
    const { path } = (short = shortSocketPath(socketPath));
    return await new Promise<Socket>((done, fail) => {
      const socket = connect(path);
      const timer = setTimeout(() => {
        socket.destroy();
        fail(Object.assign(new Error('connect timed out'), { code: 'ETIMEDOUT' }));
      }, timeoutMs);
      socket.once('error', (error) => {
        clearTimeout(timer);
        fail(error);
      });
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.removeAllListeners('error');
        done(socket);
      });
    });
  } catch (error) {
    throw connectError(error as NodeJS.ErrnoException, socketPath);
  } finally {
    short?.release();
  }
}

function connectError(error: NodeJS.ErrnoException, path: string): Error {
  switch (error.code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
    case 'ENOTSOCK':
    case 'ENOTDIR':
      return new AgentNotRunningError(path, { cause: error });
    case 'EACCES':
    case 'EPERM':
      return new AccessDeniedError(path, { cause: error });
    default:
      return new SentinelError('connect', `cannot reach the agent on ${path} (${error.code})`, '', {
        cause: error,
      });
  }
}

interface Pending {
  settle(result: unknown): void;
  reject(error: Error): void;
}

interface OpenSubscription {
  seq: number;
  handlers: SubscriptionHandlers<SubscriptionName>;
}

/** A client over any transport. Says hello first; rejects with VersionMismatchError if the agent is another version. */
export async function createClient(transport: Transport, timeoutMs = 5000): Promise<ApiClient> {
  const pending = new Map<number, Pending>();
  const subscriptions = new Map<number, OpenSubscription>();
  let lastId = 0;
  /** Why nothing more can be asked. */
  let ended: Error | undefined;

  const send = (message: Request | Cancel | Unsubscribe): void => transport.send(JSON.stringify(message));
  const end = (error: Error): void => {
    if (ended) return;
    ended = error;
    for (const request of pending.values()) request.reject(error);
    pending.clear();
    for (const open of subscriptions.values()) open.handlers.onClosed('lost');
    subscriptions.clear();
  };
  transport.onClose(() => end(new DisconnectedError()));
  transport.onMessage((text) => {
    let message: Response | Push;
    try {
      message = JSON.parse(text) as Response | Push;
    } catch {
      end(new SentinelError('protocol', 'the agent sent something that is not JSON'));
      transport.close();
      return;
    }
    if ('subscription' in message) onPush(message);
    else onResponse(message);
  });

  function onResponse(message: Response): void {
    if (message.id === 0 && 'error' in message) {
      // Not about one request: the agent refuses the connection.
      end(new ApiCallError(message.error));
      transport.close();
      return;
    }
    const request = pending.get(message.id);
    if (!request) return;
    pending.delete(message.id);
    if ('error' in message) request.reject(new ApiCallError(message.error));
    else request.settle(message.result);
  }

  function onPush(message: Push): void {
    const open = subscriptions.get(message.subscription);
    if (!open) return;
    if ('closed' in message) {
      subscriptions.delete(message.subscription);
      open.handlers.onClosed(message.closed);
    } else if (message.seq !== open.seq + 1) {
      subscriptions.delete(message.subscription);
      send({ unsubscribe: message.subscription });
      open.handlers.onClosed('lost');
    } else {
      open.seq++;
      if ('snapshot' in message) open.handlers.onSnapshot(message.snapshot as never);
      else open.handlers.onDelta(message.delta as never);
    }
  }

  function request<T>(
    method: string,
    params: unknown,
    signal: AbortSignal | undefined,
    settle: (result: unknown) => T,
  ): Promise<T> {
    return new Promise((done, fail) => {
      if (ended) {
        fail(ended);
        return;
      }
      const id = ++lastId;
      const onAbort = (): void => send({ cancel: id });
      signal?.addEventListener('abort', onAbort, { once: true });
      const clean = (): void => signal?.removeEventListener('abort', onAbort);
      // Settled here and not a turn later: a subscription's snapshot may be the very next message.
      pending.set(id, {
        settle: (result) => {
          clean();
          done(settle(result));
        },
        reject: (error) => {
          clean();
          fail(error);
        },
      });
      send({ id, method, params });
      if (signal?.aborted) onAbort();
    });
  }

  const hello = await greet();

  async function greet(): Promise<Methods['api.hello']['result']> {
    const timer = setTimeout(() => {
      end(
        new SentinelError(
          'timeout',
          `the agent did not answer within ${timeoutMs} ms`,
          'see whether it is overloaded',
        ),
      );
      transport.close();
    }, timeoutMs);
    try {
      const answer = await request('api.hello', { version: API_VERSION }, undefined, (result) => result);
      return answer as Methods['api.hello']['result'];
    } finally {
      clearTimeout(timer);
    }
  }

  if (hello.version !== API_VERSION) {
    transport.close();
    throw new VersionMismatchError(hello.agentVersion, hello.version);
  }
  return {
    agentVersion: hello.agentVersion,
    privileged: hello.privileged,
    call: (method, params, options) => request(method, params, options?.signal, (result) => result as never),
    subscribe: (method, params, handlers) =>
      request(method, params, undefined, (result) => {
        const id = (result as { subscription: number }).subscription;
        subscriptions.set(id, { seq: 0, handlers });
        return {
          unsubscribe: () => {
            if (subscriptions.delete(id)) send({ unsubscribe: id });
          },
        };
      }),
    close: () => {
      subscriptions.clear();
      transport.close();
    },
  };
}
