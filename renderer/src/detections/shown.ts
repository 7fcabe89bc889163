/** Which matches a reader wants to see: all, those nobody has decided about, or those with one label. */
import type { EventJson, TriageDecision } from '../../../agent/api/contract.ts';
import { decisionFor } from '../triage/decision-for.ts';

export const SHOWN = ['all', 'open', 'true_positive', 'benign_true_positive', 'false_positive'] as const;
export type Shown = (typeof SHOWN)[number];

/** The decision about a rule's match on an event, or about any of its matches. */
export function decisionOn(
  decisions: readonly TriageDecision[],
  event: EventJson,
  ruleId: string | undefined,
): TriageDecision | undefined {
  if (ruleId !== undefined) return decisionFor(decisions, event.eventId, ruleId);
  return event.detections?.map((each) => decisionFor(decisions, event.eventId, each.ruleId)).find(Boolean);
}

export function isShown(
  show: Shown,
  decisions: readonly TriageDecision[],
  event: EventJson,
  ruleId: string | undefined,
): boolean {
  if (show === 'all') return true;
  const label = decisionOn(decisions, event, ruleId)?.label;
  return show === 'open' ? label === undefined : label === show;
}
