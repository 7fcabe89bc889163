/** Time as the lanes see it, replaceable so that tests decide what it is. */
export interface LaneClock {
  /** Wall clock, ms since the epoch. */
  wallMs(): number;
  /** Monotonic, ms with a fraction. */
  monoMs(): number;
  /** Calls back once after `delayMs`; returns a function that cancels. */
  after(delayMs: number, callback: () => void): () => void;
}

export const systemClock: LaneClock = {
  wallMs: () => Date.now(),
  monoMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
