/** Who waits for durability: promises by sequence number, listeners of every move, listeners of the state. */
import { WalFailedError } from './errors.ts';
import type { WalState } from './types.ts';

interface Waiter {
  seq: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

export class DurableWaiters {
  // Sorted by seq from #head on. Nearly every waiter comes with the highest number yet.
  #waiters: Waiter[] = [];
  #head = 0;
  readonly #listeners = new Set<(durableSeq: number) => void>();
  readonly #stateListeners = new Set<(state: WalState, reason: string) => void>();

  wait(seq: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter = { seq, resolve, reject };
      let at = this.#waiters.length;
      while (at > this.#head && (this.#waiters[at - 1] as Waiter).seq > seq) at--;
      if (at === this.#waiters.length) this.#waiters.push(waiter);
      else this.#waiters.splice(at, 0, waiter);
    });
  }

  /** Lowest sequence number somebody waits for, 0 for none. */
  lowest(): number {
    return this.#waiters[this.#head]?.seq ?? 0;
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }

  settle(durableSeq: number): void {
    while (this.#head < this.#waiters.length && (this.#waiters[this.#head] as Waiter).seq <= durableSeq) {
      (this.#waiters[this.#head++] as Waiter).resolve();
    }
    if (this.#head === this.#waiters.length) {
      this.#waiters = [];
      this.#head = 0;
    } else if (this.#head > 1024) {
      this.#waiters = this.#waiters.slice(this.#head);
      this.#head = 0;
    }
  }

  announce(durableSeq: number): void {
    for (const listener of this.#listeners) listener(durableSeq);
  }

  announceState(state: WalState, reason: string): void {
    for (const listener of this.#stateListeners) listener(state, reason);
  }

  fail(reason: string, durableSeq: number): void {
    const waiting = this.#waiters.slice(this.#head);
    this.#waiters = [];
    this.#head = 0;
    for (const waiter of waiting) waiter.reject(new WalFailedError(reason, durableSeq));
  }

  onDurable(listener: (durableSeq: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onState(listener: (state: WalState, reason: string) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }
}
