/** Which of the decisions about an event counts. */
import type { TriageDecision } from '../../../agent/api/contract.ts';

/** The decision that counts for a rule's match on an event: about that match, else about the event as a whole. */
export function decisionFor(
  decisions: readonly TriageDecision[],
  eventId: string,
  ruleId: string,
): TriageDecision | undefined {
  const own = decisions.filter((decision) => decision.eventId === eventId && decision.label !== 'none');
  return own.find((each) => each.ruleId === ruleId) ?? own.find((each) => each.ruleId === undefined);
}
