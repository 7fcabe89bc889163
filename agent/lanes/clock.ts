/** Time as the lanes see it, replaceable so that tests decide what it is. */
export interface LaneClock {
  /** Wall clock, ms since the epoch. */
  wallMs(): number;
  /** Monotonic, ms with a fraction. */
  monoMs(): number;
  /** Calls back once after `delayMs`; returns a function that cancels. */
  after(delayMs: number, callback: () => void): () => void;
  /** How much later or earlier than asked `after` calls back on a machine that is not overloaded, ms. Default 0. */
  readonly toleranceMs?: number;
}

export const systemClock: LaneClock = {
  wallMs: () => Date.now(),
  monoMs: () => performance.now(),
  // Timers count in whole milliseconds of a clock that is read once per turn of the event loop.
  toleranceMs: 2,
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
