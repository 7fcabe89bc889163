/** What a draft of an exception asks for, and the days it may last. */
import type { ExceptionCondition, ExceptionPreview } from '../../../agent/api/contract.ts';

export type DraftRow = ExceptionPreview['candidates'][number] & { chosen: boolean };
export type Draft = readonly DraftRow[];

const DAY_MS = 86_400_000;
const SUGGESTED_DAYS = 90;
/** The agent takes no longer ones. */
const MOST_DAYS = 365;

/** A draft of what an event offers; by default it asks for everything. */
export function draftOf(
  candidates: ExceptionPreview['candidates'],
  chosen: (candidate: ExceptionPreview['candidates'][number]) => boolean = () => true,
): Draft {
  return candidates.map((candidate) => ({ ...candidate, chosen: chosen(candidate) }));
}

export function changedDraft(draft: Draft, at: number, change: Partial<DraftRow>): Draft {
  return draft.map((row, index) => (index === at ? { ...row, ...change } : row));
}

/** The conditions as the agent takes them; a condition on nothing asks for nothing. */
export function chosenOf(draft: Draft): ExceptionCondition[] {
  return draft
    .filter((row) => row.chosen && row.value !== '')
    .map(({ field, match, value }) => ({ field, match, value }));
}

const dayAfter = (nowMs: number, days: number): string =>
  new Date(nowMs + days * DAY_MS).toISOString().slice(0, 10);

/** Days as the agent counts them, in UTC. */
export const firstDay = (nowMs: number): string => dayAfter(nowMs, 0);
export const suggestedDay = (nowMs: number): string => dayAfter(nowMs, SUGGESTED_DAYS);
export const lastDay = (nowMs: number): string => dayAfter(nowMs, MOST_DAYS);
