/** What Detections shows. */
import type { RuleSummary } from '../../../agent/api/contract.ts';
import { agent } from '../store.ts';
import { type RuleGroup, groupByRule } from './group.ts';

const EVENTS_READ = 500;
const TOP_RULES = 200;

export interface Detections {
  groups: RuleGroup[];
  rules: RuleSummary[];
}

export async function loadDetections(signal: AbortSignal): Promise<Detections> {
  const query = 'has:rule';
  const [page, facets, rules] = await Promise.all([
    agent().call('events.query', { query, limit: EVENTS_READ }, signal),
    agent().call('events.facets', { query, fields: ['rule'], top: TOP_RULES }, signal),
    agent().call('rules.list', {}, signal),
  ]);
  const counts = new Map(facets.facets[0]?.values.map(({ value, count }) => [value, count]));
  return { groups: groupByRule(page.events, counts, page.older === undefined), rules: rules.rules };
}
