/**
 * Where subscriptions get their data: a snapshot, then deltas as JSON text, coalesced so that a busy machine costs a
 * client no more than a few messages per second. Nothing is watched while no client watches.
 */
import type { HealthSnapshot } from './contract.ts';
import type { ApiLimits } from './limits.ts';
import { type ApiServices, type CallContext, type RawJson, jsonText } from './services.ts';

export interface Source {
  snapshot: string;
  /** Begins to deliver; what came between the snapshot and this call comes first. */
  start(deliver: (delta: string) => void): void;
  stop(): void;
}

/** What a person is told at once when it changes. */
function said(health: HealthSnapshot | undefined): string {
  const { level = '', sentence = '', policyActs } = health ?? {};
  return `${level} ${sentence} ${policyActs?.acts.at(-1)?.id ?? ''}`;
}

/**
 * Shares one health watch among all subscribers: each snapshot is serialised once, at most one per interval, and where
 * only numbers changed at most one per the longer one.
 */
export class HealthHub {
  readonly #services: ApiServices;
  readonly #intervalMs: number;
  readonly #quietIntervalMs: number;
  readonly #subscribers = new Set<(delta: string) => void>();
  #users = 0;
  #unwatch: (() => void) | undefined;
  #latest: HealthSnapshot | undefined;
  #dirty = false;
  #lastSentMs = -Infinity;
  #lastSaid = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(services: ApiServices, intervalMs: number, quietIntervalMs: number) {
    this.#services = services;
    this.#intervalMs = intervalMs;
    this.#quietIntervalMs = quietIntervalMs;
  }

  async open(context: CallContext): Promise<Source> {
    const snapshot = jsonText(await this.#services.methods['health.get']({}, context));
    context.signal.throwIfAborted();
    this.#users++;
    this.#services.onWatcher?.(context.peer);
    this.#unwatch ??= this.#services.watchHealth((latest) => this.#onSnapshot(latest));
    let deliver: ((delta: string) => void) | undefined;
    let open = true;
    return {
      snapshot,
      start: (listener) => {
        if (!open) return;
        deliver = listener;
        this.#subscribers.add(listener);
      },
      stop: () => {
        if (!open) return;
        open = false;
        if (deliver) this.#subscribers.delete(deliver);
        if (--this.#users === 0) this.#idle();
      },
    };
  }

  #onSnapshot(snapshot: HealthSnapshot): void {
    this.#latest = snapshot;
    this.#dirty = true;
    const isNews = said(snapshot) !== this.#lastSaid;
    if (this.#timer) {
      if (!isNews) return;
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    const intervalMs = isNews ? this.#intervalMs : this.#quietIntervalMs;
    const waitMs = this.#lastSentMs + intervalMs - performance.now();
    if (waitMs <= 0) this.#send();
    else {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#send();
      }, waitMs);
      this.#timer.unref();
    }
  }

  #send(): void {
    if (!this.#dirty || this.#users === 0) return;
    this.#dirty = false;
    this.#lastSentMs = performance.now();
    this.#lastSaid = said(this.#latest);
    const delta = jsonText(this.#latest);
    for (const deliver of this.#subscribers) deliver(delta);
  }

  #idle(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#latest = undefined;
    this.#dirty = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/**
 * Collects followed events into batches: at most one per interval, at most `limit` events and `maxBytes` each. What
 * does not fit is skipped, oldest first, and counted in the same batch.
 */
export class FollowBatch {
  readonly #limit: number;
  readonly #maxBytes: number;
  readonly #intervalMs: number;
  #texts: string[] = [];
  #skipped = 0;
  #deliver: ((delta: string) => void) | undefined;
  #lastSentMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(limit: number, maxBytes: number, intervalMs: number) {
    this.#limit = limit;
    this.#maxBytes = maxBytes;
    this.#intervalMs = intervalMs;
  }

  push(events: readonly (object | RawJson)[], skipped: number): void {
    if (this.#stopped) return;
    this.#skipped += skipped;
    const tooMany = Math.max(0, events.length - this.#limit);
    this.#skipped += tooMany;
    for (let i = tooMany; i < events.length; i++) this.#texts.push(jsonText(events[i]));
    const over = this.#texts.length - this.#limit;
    if (over > 0) {
      this.#texts.splice(0, over);
      this.#skipped += over;
    }
    this.#schedule();
  }

  start(deliver: (delta: string) => void): void {
    this.#deliver = deliver;
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#texts = [];
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (!this.#deliver || this.#timer || this.#stopped) return;
    if (this.#texts.length === 0 && this.#skipped === 0) return;
    const waitMs = Math.max(0, this.#lastSentMs + this.#intervalMs - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#send();
    }, waitMs);
    this.#timer.unref();
  }

  #send(): void {
    const texts = this.#texts;
    let first = texts.length;
    let bytes = 0;
    while (first > 0) {
      bytes += Buffer.byteLength(texts[first - 1]!) + 1;
      if (bytes > this.#maxBytes) break;
      first--;
    }
    const skipped = this.#skipped + first;
    this.#texts = [];
    this.#skipped = 0;
    this.#lastSentMs = performance.now();
    this.#deliver?.(`{"events":[${texts.slice(first).join(',')}],"skipped":${skipped}}`);
  }
}

const DEFAULT_FOLLOW_LIMIT = 200;
/** Room for the envelope around a batch. */
const ENVELOPE_BYTES = 256;

export async function openFollow(
  services: ApiServices,
  limits: ApiLimits,
  params: { query: string; limit?: number },
): Promise<Source> {
  const limit = params.limit ?? DEFAULT_FOLLOW_LIMIT;
  const batch = new FollowBatch(limit, limits.maxResponseBytes - ENVELOPE_BYTES, limits.followIntervalMs);
  const follow = await services.followEvents(params.query, limit, (events, skipped) =>
    batch.push(events, skipped),
  );
  return {
    snapshot: jsonText(follow.snapshot),
    start: (deliver) => batch.start(deliver),
    stop: () => {
      batch.stop();
      follow.stop();
    },
  };
}
