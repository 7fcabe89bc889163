/** Answers "why": what a policy is and did lately, and for an event what decided it and what would have. */
import type { EventDetail, EventPage, PolicyExplanation, PolicyOutcomeJson } from './api/contract.ts';
import { ApiFailure } from './api/services.ts';
import { describeError } from './errors.ts';
import { eventFromJson } from './event-json.ts';
import type { SentinelEvent } from './event.ts';
import type { PolicyService } from './policy-service.ts';
import type { TimelineClient } from './timeline-client.ts';
import type { LanePositions } from './timeline-messages.ts';

const RECENT = 20;

interface Parts {
  policies: PolicyService;
  timeline: Pick<TimelineClient, 'call'>;
  settle: () => Promise<LanePositions>;
}

/** Explains a policy by `id`, an event by `eventId`, or one policy on one event by both. */
export async function explainPolicy(
  { policies, timeline, settle }: Parts,
  { id, eventId }: { id?: string | undefined; eventId?: string | undefined },
): Promise<PolicyExplanation> {
  if (id === undefined && eventId === undefined)
    throw new ApiFailure('bad_request', 'say which policy (id), which event (eventId), or both');
  const upTo = await settle();
  const result: PolicyExplanation = { decisions: [], outcomes: [] };
  if (id !== undefined) result.policy = policies.get(id);
  if (eventId === undefined) {
    const params = { query: `type:decision policy:"${id}"`, limit: RECENT };
    const { text } = await timeline.call('events.query', params, upTo);
    result.decisions = (JSON.parse(text) as EventPage).events;
    return result;
  }
  const { text } = await timeline.call('events.get', { eventId }, upTo);
  const detail = JSON.parse(text) as EventDetail;
  result.event = detail.event;
  result.ancestors = detail.ancestors;
  result.decisions = (detail.decisions ?? []).filter(
    ({ decision }) => id === undefined || decision?.policyId === id,
  );
  result.outcomes = outcomes(policies, eventFromJson({ ...detail.event }), id);
  return result;
}

/** One policy that cannot be taken apart must not keep the others from being explained. */
function saying(
  policies: PolicyService,
  loaded: NonNullable<ReturnType<PolicyService['loadedPolicy']>>,
  event: SentinelEvent,
): ReturnType<PolicyService['engine']['explain']> {
  try {
    return policies.engine.explain(loaded, event);
  } catch (error) {
    const clause = { text: loaded.policy.when, value: describeError(error), result: 'error' } as const;
    return { holds: loaded.when.test(event) === true, clauses: [clause], nearMisses: [] };
  }
}

/** What each policy says of the event; those that hold first, then those that one clause keeps from it, then by clauses. */
function outcomes(
  policies: PolicyService,
  event: SentinelEvent,
  id: string | undefined,
): PolicyOutcomeJson[] {
  const found: PolicyOutcomeJson[] = [];
  for (const version of policies.overview().policies) {
    const loaded = policies.loadedPolicy(version.hash);
    if (!loaded || (id !== undefined && version.id !== id)) continue;
    const { holds, clauses, nearMisses } = saying(policies, loaded, event);
    const { hash, title, state, action, reach } = version;
    const { guardian, mechanism, guarantee } = reach;
    found.push({
      id: version.id,
      version: version.version,
      hash,
      title,
      state,
      action,
      guardian,
      mechanism,
      guarantee,
      holds,
      clauses: [...clauses],
      nearMisses: [...nearMisses],
    });
  }
  const missing = ({ clauses }: PolicyOutcomeJson): number =>
    clauses.filter(({ result }) => result !== 'true').length;
  const rank = ({ holds, nearMisses }: PolicyOutcomeJson): number =>
    holds ? 0 : nearMisses.length > 0 ? 1 : 2;
  return found.sort((a, b) => rank(a) - rank(b) || missing(a) - missing(b));
}
