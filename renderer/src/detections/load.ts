/** What Detections shows. */
import type { EventJson, RuleSummary, TriageDecision } from '../../../agent/api/contract.ts';
import { agent } from '../store.ts';
import { decisionFor } from '../triage/decision-for.ts';
import { type ChainGroup, type RuleGroup, groupByChain, groupByRule } from './group.ts';

const EVENTS_READ = 500;
const TOP_RULES = 200;

export interface Detections {
  groups: RuleGroup[];
  chains: ChainGroup[];
  decisions: TriageDecision[];
  /** Matching events by technique. */
  techniques: ReadonlyMap<string, number>;
  rules: RuleSummary[];
}

export async function loadDetections(signal: AbortSignal): Promise<Detections> {
  const query = 'has:rule';
  const [page, facets, rules] = await Promise.all([
    agent().call('events.query', { query, limit: EVENTS_READ }, signal),
    agent().call('events.facets', { query, fields: ['rule', 'attack'], top: TOP_RULES }, signal),
    agent().call('rules.list', {}, signal),
  ]);
  const [counts, techniques] = ['rule', 'attack'].map((field) => {
    const facet = facets.facets.find((each) => each.field === field);
    return new Map(facet?.values.map(({ value, count }) => [value, count]));
  }) as [Map<string, number>, Map<string, number>];
  const eventIds = page.events.map((event) => event.eventId);
  const decided =
    eventIds.length === 0
      ? []
      : (await agent().call('triage.list', { eventIds, limit: 1000 }, signal)).decisions;
  const isOpen = (event: EventJson, ruleId: string): boolean =>
    decisionFor(decided, event.eventId, ruleId) === undefined;
  return {
    groups: groupByRule(page.events, counts, page.older === undefined, isOpen),
    chains: groupByChain(page.events, isOpen),
    decisions: decided,
    techniques,
    rules: rules.rules,
  };
}
