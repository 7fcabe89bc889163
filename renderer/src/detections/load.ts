/** What Detections shows. */
import type { EventJson, ProcessRefJson, RuleSummary, TriageDecision } from '../../../agent/api/contract.ts';
import { agent } from '../store.ts';
import { decisionFor } from '../triage/decision-for.ts';
import { type ChainGroup, type RuleGroup, groupByChain, groupByRule } from './group.ts';

const PAGE = 500;
/** Pages read at most; beyond it the timeline is the place. */
export const MAX_PAGES = 20;
const TOP_RULES = 200;
/** Labels asked for in one call, and the most there can be of one event. */
const LABELS = 200;
/** Leaders of chains that are looked up by name in one go, and names kept. */
const LOOKED_UP = 30;
const MAX_NAMES = 500;

export interface Detections {
  groups: RuleGroup[];
  chains: ChainGroup[];
  decisions: TriageDecision[];
  /** Matching events by technique. */
  techniques: ReadonlyMap<string, number>;
  rules: RuleSummary[];
  /** Matching events read. */
  read: number;
  /** There are older ones. */
  more: boolean;
}

const QUERY = 'has:rule';

/** The newest matches, page by page. */
async function matchesOf(
  pages: number,
  signal: AbortSignal,
): Promise<{ events: EventJson[]; more: boolean }> {
  const events: EventJson[] = [];
  let before: string | undefined;
  do {
    const page = await agent().call(
      'events.query',
      { query: QUERY, limit: PAGE, ...(before === undefined ? {} : { before }) },
      signal,
    );
    events.push(...page.events);
    before = page.older;
  } while (before !== undefined && events.length < pages * PAGE);
  return { events, more: before !== undefined };
}

async function labelsOf(eventIds: readonly string[], signal: AbortSignal): Promise<TriageDecision[]> {
  const found: TriageDecision[] = [];
  for (let at = 0; at < eventIds.length; at += LABELS) {
    const piece = eventIds.slice(at, at + LABELS);
    const { decisions } = await agent().call('triage.list', { eventIds: piece, limit: 1000 }, signal);
    found.push(...decisions);
  }
  return found;
}

const names = new Map<string, ProcessRefJson>();

/** Names leaders of chains that no match told of. */
async function nameLeaders(chains: ChainGroup[], signal: AbortSignal): Promise<void> {
  const unknown = chains.filter(({ process }) => process.name === '');
  for (const chain of unknown.filter(({ id }) => !names.has(id)).slice(0, LOOKED_UP)) {
    try {
      const { node } = await agent().call('tree.ancestors', { entityId: chain.id }, signal);
      if (names.size >= MAX_NAMES) names.clear();
      names.set(chain.id, node.process);
    } catch {
      // It left no record: its number is all there is to say.
    }
  }
  for (const chain of unknown) chain.process = names.get(chain.id) ?? chain.process;
}

/** Reads that many pages of matches, the newest first, with all that is said of them. */
export async function loadDetections(pages: number, signal: AbortSignal): Promise<Detections> {
  const [{ events, more }, facets, rules] = await Promise.all([
    matchesOf(pages, signal),
    agent().call('events.facets', { query: QUERY, fields: ['rule', 'attack'], top: TOP_RULES }, signal),
    agent().call('rules.list', {}, signal),
  ]);
  const [counts, techniques] = ['rule', 'attack'].map((field) => {
    const facet = facets.facets.find((each) => each.field === field);
    return new Map(facet?.values.map(({ value, count }) => [value, count]));
  }) as [Map<string, number>, Map<string, number>];
  const decided = await labelsOf(
    events.map((event) => event.eventId),
    signal,
  );
  const isOpen = (event: EventJson, ruleId: string): boolean =>
    decisionFor(decided, event.eventId, ruleId) === undefined;
  const chains = groupByChain(events, isOpen);
  await nameLeaders(chains, signal);
  return {
    groups: groupByRule(events, counts, !more, isOpen),
    chains,
    decisions: decided,
    techniques,
    rules: rules.rules,
    read: events.length,
    more,
  };
}
