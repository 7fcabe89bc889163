/** Which acts of policies are told now: those since the page was opened that nobody dismissed, the newest first, few. */
import type { PolicyActJson } from '../../../agent/api/contract.ts';

export const SHOWN = 3;
/** What nobody dismissed goes by itself; the record keeps it. */
export const STAY_MS = 60_000;

export interface Told {
  acts: PolicyActJson[];
  /** Acts that wait behind those, each about something else. */
  more: number;
}

export function toldActs(
  acts: readonly PolicyActJson[],
  openedMs: number,
  dismissed: ReadonlySet<string>,
  nowMs: number,
): Told {
  const fresh = acts.filter(
    ({ id, lastMs }) => lastMs >= openedMs && nowMs - lastMs < STAY_MS && !dismissed.has(id),
  );
  return { acts: fresh.slice(-SHOWN).toReversed(), more: Math.max(0, fresh.length - SHOWN) };
}
