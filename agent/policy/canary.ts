/**
 * A canary's windows. Decisions are counted in the window in which they were made, an analyst's label in the window of
 * the decision it is about. Three windows in a row with too many false positives end it.
 */
import type { CanaryRun, CanaryWindow, VersionState } from './lifecycle-state.ts';

export interface CanaryRules {
  /** Length of a window, 5 to 15 minutes. */
  windowMs: number;
  /** Canary time after which a policy of low or medium severity becomes active. */
  stableMs: number;
  /** Percentage of a window's decisions that may be false positives. */
  falsePositivePercent: number;
}

export const BAD_WINDOWS = 3;
const MAX_WINDOWS = 1024;
/** Decisions whose labels still find their window. */
const MAX_DECISIONS = 20_000;

/** The window that is open now, begun if need be. */
export function currentWindow(run: CanaryRun, rules: CanaryRules): CanaryWindow {
  const fromMs = Math.floor(run.observedMs / rules.windowMs) * rules.windowMs;
  const last = run.windows.at(-1);
  if (last && last.fromMs >= fromMs) return last;
  const window = { fromMs, decided: 0, falsePositives: 0 };
  run.windows.push(window);
  if (run.windows.length > MAX_WINDOWS) run.windows.shift();
  return window;
}

export function isBad(window: CanaryWindow, rules: CanaryRules): boolean {
  return window.falsePositives * 100 > window.decided * rules.falsePositivePercent;
}

/** Whether the last windows that are over, one directly after the other, all had too many false positives. */
export function mustRollBack(run: CanaryRun, rules: CanaryRules): boolean {
  const over = run.windows
    .filter(({ fromMs }) => fromMs + rules.windowMs <= run.observedMs)
    .slice(-BAD_WINDOWS);
  return (
    over.length === BAD_WINDOWS &&
    over.every((window) => isBad(window, rules)) &&
    over.every(
      (window, index) => index === 0 || window.fromMs - (over[index - 1]?.fromMs ?? 0) === rules.windowMs,
    )
  );
}

/** Whether it ran long enough with nothing wrong in its latest windows. */
export function isStable(run: CanaryRun, rules: CanaryRules): boolean {
  return (
    run.observedMs >= rules.stableMs &&
    !run.windows.slice(-BAD_WINDOWS).some((window) => isBad(window, rules))
  );
}

/** Counts decisions of canaries and what people call them. */
export class CanaryTally {
  readonly #state: { versions: readonly VersionState[] };
  readonly #rules: CanaryRules;
  /** By event, to find the window of a label. */
  readonly #decided = new Map<number, { hash: string; fromMs: number; labelled: boolean }>();

  /** `state` as a whole, since its parts are exchanged when a change could not be saved. */
  constructor(state: { versions: readonly VersionState[] }, rules: CanaryRules) {
    this.#state = state;
    this.#rules = rules;
  }

  /** Counts a decision of a canary. */
  decided(hash: string, eventId: number): void {
    const version = this.#state.versions.find((each) => each.hash === hash && each.state === 'canary');
    if (!version?.canary) return;
    const window = currentWindow(version.canary, this.#rules);
    window.decided += 1;
    this.#decided.set(eventId, { hash, fromMs: window.fromMs, labelled: false });
    if (this.#decided.size > MAX_DECISIONS)
      for (const first of this.#decided.keys()) return void this.#decided.delete(first);
  }

  /** Somebody labelled an event. */
  labelled(eventId: number, falsePositive: boolean): void {
    const decision = this.#decided.get(eventId);
    if (!decision || decision.labelled === falsePositive) return;
    const run = this.#state.versions.find((each) => each.hash === decision.hash)?.canary;
    const window = run?.windows.find(({ fromMs }) => fromMs === decision.fromMs);
    if (!window) return;
    decision.labelled = falsePositive;
    window.falsePositives += falsePositive ? 1 : -1;
  }
}
