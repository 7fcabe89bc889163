/** Contract: what people decide about events: labels, and exceptions from rules. */
import type { EventJson } from './contract-events.ts';

export const TRIAGE_LABELS = ['true_positive', 'false_positive', 'benign_true_positive', 'none'] as const;
/** `none` takes an earlier label back. */
export type TriageLabel = (typeof TRIAGE_LABELS)[number];

/**
 * What somebody decided about an event, or about one rule's match on it. A decision is itself a record of the security
 * log (type `decision`, action `triage`): it is never changed, a later one takes its place.
 */
export interface TriageDecision {
  eventId: string;
  /** Absent: about the event as a whole. */
  ruleId?: string;
  label: TriageLabel;
  note?: string;
  /** When, and by whom: the user at the other end of the socket, or to whom the console's address was issued. */
  tsNs: string;
  by: { uid?: number; user?: string; via: 'port' | 'unix' | 'websocket' };
  /** Event id of the decision's own record: proof and raw bytes by `events.get`. */
  recordId: string;
}

export const EXCEPTION_MATCHES = ['is', 'startswith', 'endswith', 'contains'] as const;
export type ExceptionMatch = (typeof EXCEPTION_MATCHES)[number];

/** One thing an exception asks of an event. All of an exception's conditions must hold. */
export interface ExceptionCondition {
  /** Name in Sigma's taxonomy: Image, CommandLine, TargetFilename, User … */
  field: string;
  match: ExceptionMatch;
  value: string;
}

/** An exception before it is saved, and what it would have hidden of what this machine has recorded. */
export interface ExceptionPreview {
  ruleId: string;
  /** What can be asked for, with the event's values. All of them together are the narrowest exception. */
  candidates: (ExceptionCondition & { /** The rule looks at it. */ fromRule: boolean })[];
  /** Those the figures below are about. */
  conditions: ExceptionCondition[];
  /** The Sigma filter that would be saved. */
  yaml: string;
  /** Matches of the rule that were read, newest first, and how many of them the exception hides. */
  matches: number;
  hidden: number;
  /** How many of the hidden ones people had labelled, by label. `true_positive` should be none. */
  hiddenLabels: Partial<Record<TriageLabel, number>>;
  /** Some of the hidden and of the kept ones, newest first. */
  hiddenExamples: EventJson[];
  keptExamples: EventJson[];
  /** False: there are older matches, which were not read. */
  complete: boolean;
  /** Time of the oldest match that was read. */
  sinceNs?: string;
  /** False: it would not hide the match it was drafted from, so it is not saved. */
  hidesEvent: boolean;
}

/** An exception in force, or one whose time is over. */
export interface ExceptionSummary {
  id: string;
  title: string;
  /** Rules it is about, by id or name; empty: any. */
  rules: string[];
  owner?: string;
  reason?: string;
  /** Last moment it has effect. */
  expiresNs?: string;
  expired: boolean;
  /** Matches it suppressed since the agent started. */
  hits: number;
  lastHitNs?: string;
  file: string;
  /** Saved here, so it can be removed here. */
  removable: boolean;
}
