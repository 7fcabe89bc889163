/** Bounds and counters shared by the server and its transports. */
import {
  type HealthSnapshot,
  MAX_CLIENT_BACKLOG_BYTES,
  MAX_REQUEST_BYTES,
  MAX_RESPONSE_BYTES,
} from './contract.ts';

export interface ApiLimits {
  maxRequestBytes: number;
  maxResponseBytes: number;
  maxBacklogBytes: number;
  /** Connections over all transports. */
  maxClients: number;
  /** Requests a connection may have unanswered. */
  maxInFlight: number;
  /** Requests unanswered over all connections. */
  maxInFlightTotal: number;
  maxSubscriptions: number;
  /** Token bucket of each connection: requests per second, and how many may come at once. */
  requestsPerSecond: number;
  requestBurst: number;
  requestTimeoutMs: number;
  /** health.watch sends at most one snapshot in this time. */
  healthIntervalMs: number;
  /** The same while what it says stays the same and only numbers change. */
  healthQuietIntervalMs: number;
  /** events.follow sends at most one batch in this time. */
  followIntervalMs: number;
}

export const DEFAULT_LIMITS: ApiLimits = {
  maxRequestBytes: MAX_REQUEST_BYTES,
  maxResponseBytes: MAX_RESPONSE_BYTES,
  maxBacklogBytes: MAX_CLIENT_BACKLOG_BYTES,
  maxClients: 128,
  maxInFlight: 32,
  maxInFlightTotal: 256,
  maxSubscriptions: 8,
  requestsPerSecond: 200,
  requestBurst: 400,
  requestTimeoutMs: 30_000,
  healthIntervalMs: 1000,
  healthQuietIntervalMs: 2000,
  followIntervalMs: 100,
};

/** Every way of saying no, each counted. The last group is of the loopback console. */
export type RefusalReason =
  | 'clients'
  | 'peer'
  | 'forbidden'
  | 'malformed'
  | 'oversized'
  | 'rate'
  | 'in_flight'
  | 'subscriptions'
  | 'timeout'
  | 'console_connections'
  | 'console_host'
  | 'console_origin'
  | 'console_method'
  | 'console_path'
  | 'console_session'
  | 'console_token'
  | 'console_guessing'
  | 'console_protocol';

const BUCKET_MS = 5000;
const BUCKETS = 12;

export class ApiCounters {
  clients = 0;
  /** Clients that did not take what they asked for. */
  shed = 0;
  requests = 0;
  subscriptions = 0;
  inFlight = 0;
  readonly #refused = new Map<RefusalReason, number>();
  /** Counts of the last minute, in a ring of slices. */
  readonly #recent: ({ startMs: number; count: number } | undefined)[] = [];
  #last: { reason: RefusalReason; atMs: number } | undefined;

  refuse(reason: RefusalReason): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
    const nowMs = Date.now();
    const index = Math.floor(nowMs / BUCKET_MS) % BUCKETS;
    const bucket = this.#recent[index];
    const startMs = nowMs - (nowMs % BUCKET_MS);
    if (bucket?.startMs === startMs) bucket.count += 1;
    else this.#recent[index] = { startMs, count: 1 };
    this.#last = { reason, atMs: nowMs };
  }

  #lastRefusal(): HealthSnapshot['api']['lastRefusal'] {
    if (!this.#last) return undefined;
    const { reason, atMs } = this.#last;
    let inLastMinute = 0;
    for (const bucket of this.#recent) {
      if (bucket && atMs - bucket.startMs < BUCKET_MS * BUCKETS) inLastMinute += bucket.count;
    }
    return { reason, tsNs: String(BigInt(atMs) * 1_000_000n), inLastMinute };
  }

  /** The `api` part of health. */
  snapshot(): HealthSnapshot['api'] & { refusedByReason: Record<string, number> } {
    let refused = 0;
    for (const count of this.#refused.values()) refused += count;
    return {
      clients: this.clients,
      shed: this.shed,
      refused,
      lastRefusal: this.#lastRefusal(),
      refusedByReason: Object.fromEntries([...this.#refused].sort(([a], [b]) => (a < b ? -1 : 1))),
    };
  }
}

/** Refills at `perSecond` up to `burst`. `debt` counts takes refused since the bucket last had a token. */
export class TokenBucket {
  debt = 0;
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #lastMs: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#lastMs = nowMs;
  }

  take(nowMs: number): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#lastMs) * this.#perMs);
    this.#lastMs = nowMs;
    if (this.#tokens < 1) {
      this.debt++;
      return false;
    }
    this.#tokens--;
    this.debt = 0;
    return true;
  }
}
