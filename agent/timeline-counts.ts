/**
 * Counts that are being worked on at the timeline worker, one after the other and in slices: whatever arrives between
 * two slices is answered first, and a count that nobody waits for any more is given up.
 */
import { ApiFailure } from './api/services.ts';
import type { CountMethod } from './timeline-messages.ts';

/** Longest that rows wait for counts. */
export const SLICE_MS = 8;

export interface Count {
  readonly id: number;
  readonly method: CountMethod;
  readonly params: unknown;
}

export interface CountWork<C extends Count> {
  /** One slice; the text once there is one. */
  goOn: (count: C) => string | undefined;
  done: (id: number, text: string) => void;
  failed: (id: number, error: unknown) => void;
  /** Lets other things happen. Injected by tests. */
  later?: (next: () => void) => void;
}

export class TimelineCounts<C extends Count> {
  readonly #work: CountWork<C>;
  readonly #later: (next: () => void) => void;
  #queue: C[] = [];
  #going = false;

  constructor(work: CountWork<C>) {
    this.#work = work;
    this.#later = work.later ?? ((next) => void setImmediate(next));
  }

  add(count: C): void {
    this.#queue.push(count);
    this.#goOn();
  }

  cancel(id: number): void {
    const left = this.#queue.filter((count) => count.id !== id);
    if (left.length === this.#queue.length) return;
    this.#queue = left;
    this.#work.failed(id, new ApiFailure('cancelled', 'no longer asked for'));
  }

  /** Forgets everything: the worker ends. */
  clear(): void {
    this.#queue = [];
  }

  #goOn(): void {
    if (this.#going || this.#queue.length === 0) return;
    this.#going = true;
    this.#later(() => {
      this.#going = false;
      this.#slice();
      this.#goOn();
    });
  }

  #slice(): void {
    const [count] = this.#queue;
    if (!count) return;
    try {
      const text = this.#work.goOn(count);
      if (text === undefined) return;
      this.#queue.shift();
      this.#work.done(count.id, text);
    } catch (error) {
      this.#queue.shift();
      this.#work.failed(count.id, error);
    }
  }
}
