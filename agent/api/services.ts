/** What the API needs from the rest of the agent. `agent.ts` implements it; this folder never sees a store. */
import type { ApiError, ErrorCode, EventJson, EventPage, HealthSnapshot, Methods } from './contract.ts';

/** `read` may look, `privileged` may also change things (root and the agent's own user). */
export type Role = 'read' | 'privileged';

/** Who is at the other end of a connection, as its transport established it. */
export interface Peer {
  role: Role;
  transport: 'port' | 'unix' | 'websocket';
  /** Of a WebSocket: the user to whom its console's address was issued. */
  uid?: number | undefined;
  pid?: number;
  /** Of a WebSocket: the port at its end. */
  port?: number | undefined;
}

export interface CallContext {
  /** Aborted when the caller cancels, disconnects or the request times out. */
  signal: AbortSignal;
  peer: Peer;
}

/**
 * A result that is already JSON text, sent as it is. The timeline worker can make the text on its own thread, so that
 * the thread that decides never builds or serialises pages of events.
 */
export class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type FollowListener = (events: readonly (EventJson | RawJson)[], skipped: number) => void;

export interface Follow {
  /** Newest page at the moment following began: every later match reaches the listener, none twice. */
  snapshot: EventPage | RawJson;
  stop(): void;
}

/** Methods answered by the server itself. */
export type OwnMethod = 'api.hello';
export type ServedMethod = Exclude<keyof Methods, OwnMethod>;

export interface ApiServices {
  /** One function per method. Throw an `ApiFailure` (or any error whose `code` is an ErrorCode) to answer with it. */
  methods: {
    [M in ServedMethod]: (
      params: Methods[M]['params'],
      context: CallContext,
    ) => Promise<Methods[M]['result'] | RawJson>;
  };
  /** Calls back with each new snapshot until the returned function is called. Only watched while a client does. */
  watchHealth(listener: (snapshot: HealthSnapshot) => void): () => void;
  /** Somebody watches the agent's health, as every console does. */
  onWatcher?(peer: Peer): void;
  /**
   * Calls back with events stored from now on that match `query`, oldest first. `limit` is how many the client takes at
   * a time: of a longer batch, hand over the newest and say how many were `skipped`. Rejects with `bad_query`.
   */
  followEvents(query: string, limit: number, listener: FollowListener): Promise<Follow>;
}

/** An error that crosses to the client as it is. */
export class ApiFailure extends Error {
  readonly code: ErrorCode;
  readonly offset: number | undefined;
  readonly length: number | undefined;

  constructor(code: ErrorCode, message: string, at?: { offset: number; length: number }) {
    super(message);
    this.name = 'ApiFailure';
    this.code = code;
    this.offset = at?.offset;
    this.length = at?.length;
  }
}

const ERROR_CODES: ReadonlySet<string> = new Set<ErrorCode>([
  'bad_request',
  'bad_query',
  'forbidden',
  'not_found',
  'conflict',
  'overloaded',
  'cancelled',
  'internal',
  'unavailable',
]);

const MAX_MESSAGE_CHARS = 1000;

/**
 * An error as data: code, one bounded line, and the place in the query where there is one. Never a stack. Errors are
 * recognised by their `code`, so that a store can throw its own class, also across a worker's message port.
 */
export function toApiError(error: unknown): ApiError {
  const { code, message, offset, length } = (typeof error === 'object' && error ? error : {}) as Partial<
    Record<'code' | 'message' | 'offset' | 'length', unknown>
  >;
  const line = typeof message === 'string' ? message.split('\n', 1)[0]!.slice(0, MAX_MESSAGE_CHARS) : '';
  if (typeof code !== 'string' || !ERROR_CODES.has(code)) {
    return { code: 'internal', message: `the agent could not answer: ${line || 'unknown error'}` };
  }
  const result: ApiError = { code: code as ErrorCode, message: line };
  if (typeof offset === 'number') result.offset = offset;
  if (typeof length === 'number') result.length = length;
  return result;
}

/** JSON text of a result, or of a list of results, without serialising twice. */
export function jsonText(value: unknown): string {
  return value instanceof RawJson ? value.text : (JSON.stringify(value) ?? 'null');
}
