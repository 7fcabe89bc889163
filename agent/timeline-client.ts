/** The agent's side of the timeline worker: SQLite never runs on the thread that decides. */
import { Worker } from 'node:worker_threads';
import { ApiFailure, RawJson, type FollowListener } from './api/services.ts';
import { collectGarbage } from './resident.ts';
import { workerFile } from './resources.ts';
import type {
  FromWorker,
  LanePositions,
  TimelineTrouble,
  ToWorker,
  WorkerMethod,
  WorkerOptions,
} from './timeline-messages.ts';
import { TimelineTurns } from './timeline-turns.ts';

interface Waiting {
  resolve(result: RawJson): void;
  reject(error: Error): void;
}

/** Between two notices of new durable records while somebody follows. */
const NOTICE_MS = 100;
/** The same while nobody does: fewer, larger steps cost less a record. A query does not wait for it. */
const QUIET_NOTICE_MS = 3000;
/** Records of both lanes that wait no longer. */
const NOTICE_RECORDS = 4096;
const CLOSE_MS = 5000;
/** After the last question, what answers left behind on this thread is collected. */
const RELEASE_MS = 15_000;

export interface TimelineClientEvents {
  onStored(cursors: LanePositions, rejected: number, gaps24h: { count: number; lostRecords: number }): void;
  onProblem(code: string, message: string): void;
  /** The timeline lags for this reason; undefined once it no longer does. */
  onTrouble(trouble: TimelineTrouble | undefined): void;
}

export class TimelineClient {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #follows = new Map<number, FollowListener>();
  readonly #turns = new TimelineTurns((asked) => this.#send(asked));
  readonly #events: TimelineClientEvents;
  readonly #ready: Promise<LanePositions>;
  #exited = false;
  #closing = false;
  #nextId = 1;
  #durable: LanePositions = { security: 0, observability: 0 };
  #noticed: LanePositions = { security: 0, observability: 0 };
  #timer: NodeJS.Timeout | undefined;
  readonly #release = setTimeout(collectGarbage, RELEASE_MS).unref();

  constructor(options: WorkerOptions, events: TimelineClientEvents) {
    this.#events = events;
    this.#worker = new Worker(workerFile('timeline-worker'), {
      workerData: options,
      name: 'timeline',
      resourceLimits: { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 256 },
    });
    this.#ready = new Promise((resolve, reject) => {
      this.#worker.on('message', (message: FromWorker) => {
        if (message.kind === 'ready') {
          if (message.rebuilt) events.onProblem('timeline_rebuilt', message.rebuilt);
          resolve(message.cursors);
        } else this.#receive(message);
      });
      this.#worker.once('error', (error) => {
        reject(error);
        events.onProblem('timeline_worker', `the timeline stopped: ${error.message}`);
      });
      this.#worker.once('exit', () => {
        this.#exited = true;
        const error = new ApiFailure(
          'unavailable',
          'the timeline is not running; recording goes on, restart the agent to query it',
        );
        reject(error);
        for (const waiting of this.#waiting.values()) waiting.reject(error);
        this.#waiting.clear();
        this.#turns.clear();
        if (!this.#closing)
          events.onProblem('timeline_worker', 'the timeline worker ended; recording goes on, queries do not');
      });
    });
  }

  /** Resolves with what the store already holds once it is open. */
  ready(): Promise<LanePositions> {
    return this.#ready;
  }

  get running(): boolean {
    return !this.#exited;
  }

  /** Tells the worker how far it may read: soon while somebody follows, else when it is worth a step. */
  durable(lane: keyof LanePositions, seq: number): void {
    const durable = this.#durable;
    const noticed = this.#noticed;
    durable[lane] = seq;
    const waiting = durable.security - noticed.security + durable.observability - noticed.observability;
    if (waiting >= NOTICE_RECORDS) this.#notice();
    else
      this.#timer ??= setTimeout(() => this.#notice(), this.#follows.size > 0 ? NOTICE_MS : QUIET_NOTICE_MS);
  }

  #notice(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { security, observability } = this.#durable;
    if (security === this.#noticed.security && observability === this.#noticed.observability) return;
    this.#noticed = { security, observability };
    this.#send({ kind: 'durable', durable: this.#noticed });
  }

  /**
   * Calls one method; the answer reflects everything up to `upTo`, or all that is known to be durable. What is aborted
   * before its turn is not worked on, and counts are given up.
   */
  call(method: WorkerMethod, params: unknown, upTo?: LanePositions, signal?: AbortSignal): Promise<RawJson> {
    if (this.#exited)
      return Promise.reject(new ApiFailure('unavailable', 'the timeline is not running; restart the agent'));
    if (signal?.aborted === true)
      return Promise.reject(new ApiFailure('cancelled', 'cancelled before it was begun'));
    const id = this.#nextId++;
    this.#release.refresh();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#turns.add({ kind: 'call', id, method, params, upTo: upTo ?? { ...this.#durable } });
      signal?.addEventListener(
        'abort',
        () => {
          if (this.#turns.takeBack(id)) {
            this.#waiting.delete(id);
            reject(new ApiFailure('cancelled', 'cancelled before it was begun'));
          } else if (this.#waiting.has(id)) this.#send({ kind: 'cancel', id });
        },
        { once: true },
      );
    });
  }

  /** Newest page now, then every later match once; see ApiServices.followEvents. */
  async follow(query: string, limit: number, listener: FollowListener, upTo?: LanePositions) {
    const id = this.#nextId++;
    const snapshot = await new Promise<RawJson>((resolve, reject) => {
      if (this.#exited) {
        reject(new ApiFailure('unavailable', 'the timeline is not running; restart the agent'));
        return;
      }
      this.#follows.set(id, listener);
      this.#notice();
      this.#waiting.set(id, { resolve, reject });
      this.#turns.add({ kind: 'follow', id, query, limit, upTo });
    }).catch((error: unknown) => {
      this.#follows.delete(id);
      throw error;
    });
    return {
      snapshot,
      stop: () => {
        this.#release.refresh();
        if (this.#follows.delete(id)) this.#send({ kind: 'unfollow', id });
      },
    };
  }

  #send(message: ToWorker): void {
    if (!this.#exited) this.#worker.postMessage(message);
  }

  #receive(message: FromWorker): void {
    if (message.kind === 'result' || message.kind === 'failure') this.#turns.answered(message.id);
    switch (message.kind) {
      case 'result':
        this.#waiting.get(message.id)?.resolve(new RawJson(message.text));
        this.#waiting.delete(message.id);
        break;
      case 'failure': {
        const { code, message: text, offset, length } = message.error;
        const at = offset === undefined ? undefined : { offset, length: length ?? 1 };
        this.#waiting.get(message.id)?.reject(new ApiFailure(code, text, at));
        this.#waiting.delete(message.id);
        break;
      }
      case 'followed':
        this.#follows.get(message.id)?.(
          message.events.map((text) => new RawJson(text)),
          message.skipped,
        );
        break;
      case 'stored':
        this.#events.onStored(message.cursors, message.rejected, message.gaps24h);
        break;
      case 'problem':
        this.#events.onProblem(message.code, message.message);
        break;
      case 'trouble':
        this.#events.onTrouble(message.trouble);
        break;
      case 'ready':
        break;
    }
  }

  /** Lets the worker commit what it has, then ends it. */
  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#release);
    if (this.#exited) return;
    const exited = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
    this.#notice();
    this.#send({ kind: 'close' });
    const timeout = setTimeout(() => void this.#worker.terminate(), CLOSE_MS);
    await exited;
    clearTimeout(timeout);
  }
}
