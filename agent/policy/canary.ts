/**
 * A canary's windows. Decisions are counted in the window in which they were made, an analyst's label in the window of
 * the decision it is about. Three windows in a row with too many false positives end it.
 */
import type { CanaryRun, CanaryWindow } from './lifecycle-state.ts';

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
