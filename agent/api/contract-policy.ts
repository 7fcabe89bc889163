/** Contract: policies, their life, trials on the record, approvals and explanations. */
import type { ClauseOutcomeJson, EventJson, ProcessRefJson, Severity } from './contract-events.ts';
import type { TriageLabel } from './contract-triage.ts';

/** A mistake in a policy's text, 1-based. */
export interface PolicyProblemJson {
  file: string;
  line: number;
  column: number;
  message: string;
  remedy: string;
  id?: string;
}

export type PolicyStep = 'simulate' | 'canary' | 'activate' | 'rollback' | 'deprecate';

/** One version of a policy, told apart from the others by the hash of its text. */
export interface PolicyVersionJson {
  id: string;
  version: number;
  hash: string;
  title: string;
  severity: Severity;
  action: string;
  state: 'draft' | 'simulating' | 'canary' | 'active' | 'deprecated';
  sinceMs: number;
  /** Whether the files hold this text now. */
  inFiles: boolean;
  /** Who decides, by what, and what that comes to on this machine; `reason`: why not better. */
  reach: { guardian: 'kernel' | 'agent'; mechanism: string; guarantee: string; reason: string };
  /** Approvals it needs before it may act. */
  approvalsNeeded: number;
  hits: {
    evaluated: number;
    matched: number;
    excepted: number;
    acted: number;
    failed: number;
    lastMatchMs?: number;
    exceptionHits: number[];
  };
  canary?: { observedMs: number; windows: { fromMs: number; decided: number; falsePositives: number }[] };
}

export interface PolicyHistoryJson {
  seq: number;
  id: string;
  version: number;
  hash: string;
  from: string;
  to: string;
  reason: string;
  by: string;
  tsMs: number;
  approvedBy?: string[];
}

/** What approvers sign; every member is part of what the signature covers. */
export interface PolicyManifestJson {
  kind: 'policy-activation' | 'approver-rotation';
  deviceId: string;
  policyId: string;
  policyVersion: number;
  hash: string;
  previousHash: string;
  activations: number;
  nonce: string;
  createdMs: number;
  expiresMs: number;
}

export interface PolicyApprovalJson {
  keyId: string;
  expiresMs: number;
  signature: string;
}

/** A manifest that waits, and whose approvals count so far. */
export interface PolicyPendingJson {
  manifest: PolicyManifestJson;
  approvedBy: string[];
  needed: number;
}

/** What a policy says of one event, whether it is in force or not. */
export interface PolicyOutcomeJson {
  id: string;
  version: number;
  hash: string;
  title: string;
  state: string;
  action: string;
  guardian: string;
  mechanism: string;
  guarantee: string;
  holds: boolean;
  clauses: ClauseOutcomeJson[];
  /** When it does not hold: the clauses that alone kept it from holding. */
  nearMisses: ClauseOutcomeJson[];
}

export interface PolicyExplanation {
  policy?: { versions: PolicyVersionJson[]; text: string; history: PolicyHistoryJson[] };
  event?: EventJson;
  ancestors?: ProcessRefJson[];
  /** Of the policy the latest, of the event all: events of type `decision`, newest first. */
  decisions: EventJson[];
  outcomes: PolicyOutcomeJson[];
}

export interface PolicyOverview {
  policies: PolicyVersionJson[];
  problems: PolicyProblemJson[];
  warnings: PolicyProblemJson[];
  /** What changed without anybody's command: edits of texts in force, states that do not verify … */
  notices: string[];
  pending: PolicyPendingJson[];
  approvers: { name: string; keyId: string; untilMs?: number }[];
}

export interface PolicyExample {
  eventId: string;
  tsNs: string;
  /** The process and what it did, printable. */
  text: string;
  label?: TriageLabel;
}

/** What a policy would have done with what is on record. Also while it runs: `done` says whether it still does. */
export interface PolicySimulation {
  id: string;
  version: number;
  hash: string;
  action: string;
  done: boolean;
  cancelled: boolean;
  evaluated: number;
  /** Events there are to look at, when that could be counted. */
  total?: number;
  matched: number;
  /** Matches per event looked at. */
  matchRate: number;
  /** Would-be actions by day of the record. */
  fromNs?: string;
  toNs?: string;
  examples: PolicyExample[];
  labels: { truePositive: number; falsePositive: number; benign: number };
  /** Share of matches that people would call wrong, from the labels there are; absent without labels. */
  falsePositiveRate?: number;
  recommendedCanaryPercent: number;
  /** Against the version that is active now. */
  difference?: {
    version: number;
    newlyCaught: number;
    noLongerCaught: number;
    newExamples: PolicyExample[];
    lostExamples: PolicyExample[];
  };
}

export interface PolicyReadMethods {
  'policy.list': { params: Record<string, never>; result: PolicyOverview };
  'policy.get': {
    params: { id: string };
    result: { versions: PolicyVersionJson[]; text: string; history: PolicyHistoryJson[] };
  };
  /** A policy with its latest decisions; or an event, what decided it and what each policy says of it; or both. */
  'policy.explain': { params: { id?: string; eventId?: string }; result: PolicyExplanation };
  /** Checks the text of a policy file; nothing is kept. */
  'policy.validate': {
    params: { text: string };
    result: { valid: number; problems: PolicyProblemJson[]; warnings: PolicyProblemJson[] };
  };
  /** The latest simulation of a policy over the record, running or done. */
  'policy.simulation': { params: { id: string }; result: { simulation?: PolicySimulation } };
}

export interface PolicyWriteMethods {
  /** Reads the policy files again. What is wrong in them leaves what was in force as it is. */
  'policy.reload': { params: Record<string, never>; result: PolicyOverview };
  /** Takes a policy one step on (or back) in its life. */
  'policy.step': {
    params: { id: string; step: PolicyStep; reason?: string };
    result: { version: PolicyVersionJson };
  };
  /** Runs a policy over the record, of the last `days` or all of it; follow it with `policy.simulation`. */
  'policy.run': { params: { id: string; days?: number }; result: { simulation: PolicySimulation } };
  'policy.cancel': { params: { id: string }; result: { cancelled: boolean } };
  /** A manifest for approvers to sign. */
  'policy.request': { params: { id: string }; result: PolicyPendingJson };
  'policy.approve': { params: { nonce: string; approval: PolicyApprovalJson }; result: PolicyPendingJson };
  /**
   * Sets who may approve. The first set is taken as it is; any other needs three approvals of the set before, whose keys
   * then count for seven days more. Without them the answer is the manifest to sign.
   */
  'policy.approvers': {
    params: { approvers: { name: string; key: string }[] };
    result: { approvers: { name: string; keyId: string; untilMs?: number }[]; pending?: PolicyPendingJson };
  };
}
