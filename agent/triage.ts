/**
 * Triage: what people decided about events. Each decision is a record of the security log, so it has a time, a user, a
 * place in the chain and outlives this index, which is made from the timeline when it is first needed.
 */
import type { TriageDecision, TriageLabel } from './api/contract.ts';
import { TRIAGE_LABELS } from './api/contract.ts';
import type { SentinelEvent } from './event.ts';
import { parseQuery } from './store/query-parser.ts';
import type { Timeline } from './store/timeline.ts';

/** What finds the decisions in the timeline. */
const QUERY = 'type:decision action:triage';
const PAGE = 1000;
/** Decisions kept in memory, newest; older ones are still in the timeline. */
const MAX_DECISIONS = 50_000;
const DEFAULT_LIMIT = 200;

export interface TriageRequest {
  eventIds: string[];
  label: TriageLabel;
  ruleId?: string;
  note?: string;
}

/** Whoever asked for something through the Local API, in a sentence. */
export function nameOf(by: TriageDecision['by']): string {
  return by.user ?? (by.uid === undefined ? 'someone unknown' : `user ${by.uid}`);
}

/** Adds who it was, as far as known, to the details of the event that records it. */
export function addPerson(details: Record<string, string>, by: TriageDecision['by']): void {
  if (by.uid !== undefined) details['uid'] = String(by.uid);
  if (by.user !== undefined) details['user'] = by.user;
}

/** The events that record a decision about each of `eventIds`. */
export function triageEvents(
  request: TriageRequest,
  by: TriageDecision['by'],
  tsNs: bigint,
): SentinelEvent[] {
  const { label, ruleId, note } = request;
  const who = nameOf(by);
  const about = ruleId === undefined ? '' : ` for rule ${ruleId}`;
  const words = label === 'none' ? 'label taken back' : `labelled ${label.replaceAll('_', ' ')}`;
  return [...new Set(request.eventIds)].map((eventId) => {
    const details: Record<string, string> = { triage_of: eventId, label, via: by.via };
    if (ruleId !== undefined) details['rule_id'] = ruleId;
    if (note !== undefined && note !== '') details['note'] = note;
    addPerson(details, by);
    return {
      eventId: 0,
      type: 'decision',
      action: 'triage',
      lane: 'security',
      tsNs,
      severity: 'info',
      message: `event ${eventId} ${words}${about} by ${who}`,
      details,
    };
  });
}

/** The decision that an event of the timeline records; undefined for every other event. */
export function decisionOf(event: SentinelEvent): TriageDecision | undefined {
  if (event.type !== 'decision' || event.action !== 'triage') return undefined;
  const { details = {} } = event;
  const eventId = details['triage_of'];
  const label = TRIAGE_LABELS.find((known) => known === details['label']);
  if (eventId === undefined || label === undefined) return undefined;
  const via = details['via'];
  return {
    eventId,
    ruleId: details['rule_id'],
    label,
    note: details['note'],
    tsNs: event.tsNs.toString(),
    by: {
      uid: details['uid'] === undefined ? undefined : Number(details['uid']),
      user: details['user'],
      via: via === 'unix' || via === 'port' ? via : 'websocket',
    },
    recordId: String(event.eventId),
  };
}

interface TriageFilter {
  eventIds?: string[];
  ruleId?: string;
  label?: TriageLabel;
  history?: boolean;
  limit?: number;
}

export class TriageIndex {
  readonly #timeline: Pick<Timeline, 'query'>;
  /** By the id of the decision's record, oldest first. */
  readonly #all = new Map<number, TriageDecision>();
  /** In force: by event and rule. */
  readonly #inForce = new Map<string, TriageDecision>();
  #read = false;

  constructor(timeline: Pick<Timeline, 'query'>) {
    this.#timeline = timeline;
  }

  /** An event was stored. Before the index was first asked for there is nothing to keep: it will be read. */
  observe(event: SentinelEvent): void {
    if (this.#read && event.type === 'decision') this.#add(event);
  }

  /** Newest first. */
  list(filter: TriageFilter): { decisions: TriageDecision[]; more: boolean } {
    this.#load();
    const wanted = filter.eventIds && new Set(filter.eventIds);
    const limit = filter.limit ?? DEFAULT_LIMIT;
    const decisions: TriageDecision[] = [];
    const from = [...(filter.history ? this.#all : this.#inForce).values()].reverse();
    for (const decision of from) {
      if (wanted && !wanted.has(decision.eventId)) continue;
      if (filter.ruleId !== undefined && decision.ruleId !== filter.ruleId) continue;
      if (filter.label !== undefined && decision.label !== filter.label) continue;
      if (!filter.history && decision.label === 'none') continue;
      if (decisions.length === limit) return { decisions, more: true };
      decisions.push(decision);
    }
    return { decisions, more: false };
  }

  /** The label in force for a rule's match on an event: of that match, else of the event as a whole. */
  labelOf(eventId: string, ruleId: string): TriageLabel {
    this.#load();
    const own = this.#inForce.get(`${eventId} ${ruleId}`)?.label ?? 'none';
    return own === 'none' ? (this.#inForce.get(`${eventId} `)?.label ?? 'none') : own;
  }

  #load(): void {
    if (this.#read) return;
    const node = parseQuery(QUERY);
    const found: SentinelEvent[] = [];
    let before: string | undefined;
    do {
      const page = this.#timeline.query(node, { limit: PAGE, before });
      found.push(...page.events);
      before = page.older;
    } while (before !== undefined && found.length < MAX_DECISIONS);
    this.#read = true;
    for (const event of found.reverse()) this.#add(event);
  }

  #add(event: SentinelEvent): void {
    const decision = decisionOf(event);
    if (!decision || this.#all.has(event.eventId)) return;
    this.#all.set(event.eventId, decision);
    const key = `${decision.eventId} ${decision.ruleId ?? ''}`;
    // Deleted and set again: the maps' order is the order of decision.
    this.#inForce.delete(key);
    this.#inForce.set(key, decision);
    if (this.#all.size <= MAX_DECISIONS) return;
    for (const [id, oldest] of this.#all) {
      this.#all.delete(id);
      const oldKey = `${oldest.eventId} ${oldest.ruleId ?? ''}`;
      if (this.#inForce.get(oldKey) === oldest) this.#inForce.delete(oldKey);
      break;
    }
  }
}
