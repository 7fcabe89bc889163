/** Decisions of analysts about events: made here, kept by the agent as records of its log. */
import { create } from 'zustand';
import type { TriageLabel } from '../../../agent/api/contract.ts';
import { agent } from '../store.ts';

/** The most the agent takes in one call. */
const MAX_EVENTS = 500;
const MAX_LISTED = 1000;

export interface TriageState {
  /** Grows with each decision made in this window, so that views load again. */
  made: number;
  busy: boolean;
  error: string | undefined;
  /** What can be taken back: the events of the last decision and the labels they had. */
  undo: readonly { eventIds: string[]; ruleId: string | undefined; label: TriageLabel }[];
  /** How many events the last decision was about, and which. */
  decided: number;
  about: string;
}

export const useTriage = create<TriageState>(() => ({
  made: 0,
  busy: false,
  error: undefined,
  undo: [],
  decided: 0,
  about: '',
}));

export interface Target {
  eventIds: readonly string[];
  /** Only this rule's match on them. */
  ruleId: string | undefined;
}

/** Tells targets apart. */
export function keyOf({ eventIds, ruleId }: Target): string {
  return `${ruleId ?? ''} ${eventIds.length} ${eventIds[0] ?? ''}`;
}

/** Calls `each` with at most as many ids as one call takes. */
async function inPieces(ids: readonly string[], each: (piece: string[]) => Promise<void>): Promise<void> {
  for (let at = 0; at < ids.length; at += MAX_EVENTS) await each(ids.slice(at, at + MAX_EVENTS));
}

/** Labels in force before, grouped, so that they can be put back. */
async function labelsBefore({ eventIds, ruleId }: Target): Promise<TriageState['undo']> {
  const known = new Map<string, TriageLabel>();
  await inPieces(eventIds, async (piece) => {
    const { decisions } = await agent().call('triage.list', { eventIds: piece, limit: MAX_LISTED });
    for (const decision of decisions) {
      if (decision.ruleId === ruleId) known.set(decision.eventId, decision.label);
    }
  });
  const groups = new Map<TriageLabel, string[]>();
  for (const id of eventIds) {
    const label = known.get(id) ?? 'none';
    groups.set(label, [...(groups.get(label) ?? []), id]);
  }
  return [...groups].map(([label, ids]) => ({ eventIds: ids, ruleId, label }));
}

/** Decides; true when the agent has it in its log. */
export async function decide(target: Target, label: TriageLabel, note?: string): Promise<boolean> {
  useTriage.setState({ busy: true, error: undefined });
  const rule = target.ruleId === undefined ? {} : { ruleId: target.ruleId };
  const text = note?.trim();
  try {
    const undo = await labelsBefore(target);
    await inPieces(target.eventIds, async (eventIds) => {
      await agent().call('triage.set', { eventIds, label, ...rule, ...(text ? { note: text } : {}) });
    });
    useTriage.setState(({ made }) => ({
      made: made + 1,
      busy: false,
      undo,
      decided: target.eventIds.length,
      about: keyOf(target),
    }));
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    useTriage.setState(({ made }) => ({ made: made + 1, busy: false, error: message }));
    return false;
  }
}

/** Puts back the labels there were before the last decision: later decisions, as the log keeps every one. */
export async function undoDecision(): Promise<void> {
  const { undo } = useTriage.getState();
  useTriage.setState({ undo: [], busy: true, error: undefined });
  try {
    for (const { eventIds, ruleId, label } of undo) {
      await inPieces(eventIds, async (piece) => {
        const params = { eventIds: piece, label, ...(ruleId === undefined ? {} : { ruleId }) };
        await agent().call('triage.set', params);
      });
    }
    useTriage.setState(({ made }) => ({ made: made + 1, busy: false }));
  } catch (error) {
    useTriage.setState({ busy: false, error: error instanceof Error ? error.message : String(error) });
  }
}
