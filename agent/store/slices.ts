/** Work that can be left between two steps, so that what somebody waits for comes in between. */

/** Goes on for about `ms`; the result once there is one. */
export type Slices<T> = (ms: number) => { value: T } | undefined;

/** All of it at once. */
export function finish<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

/** One slice of it. */
export function goOn<T>(work: Generator<void, T>, ms: number): { value: T } | undefined {
  const untilMs = performance.now() + ms;
  do {
    const step = work.next();
    if (step.done) return { value: step.value };
  } while (performance.now() < untilMs);
  return undefined;
}
