/**
 * Whose turn it is at the timeline worker, which answers one call after the other. What somebody waits for with the
 * list empty (rows, details, trees) goes first; counts that stand around it are handed over one at a time, when nothing
 * else is asked, so that rows wait for one of them at most; and what nobody waits for any more is not worked on.
 */
import { isCountMethod, type ToWorker } from './timeline-messages.ts';

type Asked = Extract<ToWorker, { kind: 'call' | 'follow' }>;

/** An export is not waited for with the list empty either. */
const isCount = (asked: Asked): boolean =>
  asked.kind === 'call' && (isCountMethod(asked.method) || asked.method === 'events.export');

export class TimelineTurns {
  readonly #send: (asked: Asked) => void;
  /** Handed over and not answered, other than counts. */
  readonly #asked = new Set<number>();
  #counting: number | undefined;
  #queue: Asked[] = [];

  constructor(send: (asked: Asked) => void) {
    this.#send = send;
  }

  /** Hands a call over, now or when it is its turn. */
  add(asked: Asked): void {
    if (isCount(asked)) {
      this.#queue.push(asked);
      this.#next();
      return;
    }
    this.#asked.add(asked.id);
    this.#send(asked);
  }

  /** Takes a call back; false when it has been handed over already. */
  takeBack(id: number): boolean {
    const length = this.#queue.length;
    this.#queue = this.#queue.filter((asked) => asked.id !== id);
    return this.#queue.length < length;
  }

  /** The worker has answered. */
  answered(id: number): void {
    this.#asked.delete(id);
    if (this.#counting === id) this.#counting = undefined;
    this.#next();
  }

  /** Forgets everything: the worker is gone. */
  clear(): void {
    this.#asked.clear();
    this.#counting = undefined;
    this.#queue = [];
  }

  #next(): void {
    if (this.#counting !== undefined || this.#asked.size > 0) return;
    const asked = this.#queue.shift();
    if (!asked) return;
    this.#counting = asked.id;
    this.#send(asked);
  }
}
