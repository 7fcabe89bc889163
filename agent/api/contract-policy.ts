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

/** A container that a policy froze. */
export interface FrozenJson {
  /** Control group, as /proc/PID/cgroup names it. */
  cgroup: string;
  containerId: string;
  policyId: string;
  policyHash: string;
  /** closed: it stays frozen without the agent. */
  failMode: 'open' | 'closed';
  sinceMs: number;
}

/** A process that a policy cut off from the network, with what it started since. */
export interface CutProcessJson {
  pid: number;
  name: string;
  entityId: string;
  policyId: string;
  policyHash: string;
  /** The protected file that it opened. */
  path: string;
  sinceMs: number;
  untilMs: number;
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
  /** By place in the text. */
  exceptions: { when: string; owner: string; reason: string; expiresMs: number; hits: number }[];
  canary?: {
    /** Time it has run, and for how long it must; windows begin at milliseconds of that time. */
    observedMs: number;
    stableMs: number;
    windowMs: number;
    falsePositivePercent: number;
    windows: { fromMs: number; decided: number; falsePositives: number }[];
  };
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
  policy?: { versions: PolicyVersionJson[]; text: string; hash: string; history: PolicyHistoryJson[] };
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

/** Something a policy did, or could not do, once or several times within a minute. */
export interface PolicyActJson {
  id: string;
  policyId: string;
  policyTitle: string;
  severity: Severity;
  action: string;
  state: 'applied' | 'failed';
  guarantee: string;
  guardian: string;
  /** Path of the program, and what it did it to (a file, an address, its arguments): printable. */
  program: string;
  what: string;
  error?: string;
  /** The latest event that was decided. */
  eventId: string;
  count: number;
  firstMs: number;
  lastMs: number;
}

/** The latest acts, oldest first; `untold` had no entry of their own because there were too many at once. */
export interface PolicyActsJson {
  acts: PolicyActJson[];
  total: number;
  untold: number;
}

/** A completion of a policy's text at the caret. */
export interface PolicyCompletionJson {
  text: string;
  label: string;
  detail: string;
  replaceFrom: number;
  replaceTo: number;
}

/** A valid policy of a text that was checked, and what it would come to on this machine. */
export interface PolicyCheckedJson {
  id: string;
  version: number;
  hash: string;
  severity: Severity;
  action: string;
  reach: PolicyVersionJson['reach'];
}

/** How a text differs from the version in force (active, else canary, else simulating). */
export interface PolicyDifferenceJson {
  /** Absent when none is in force: everything is new. */
  against?: { version: number; hash: string; state: string };
  lines: { kind: 'same' | 'removed' | 'added'; text: string; oldLine?: number; newLine?: number }[];
  /** Absent when one of the texts is not valid, or there is none to compare with. */
  meaning?: {
    fields: { field: string; from: string; to: string }[];
    clauses: { added: string[]; removed: string[]; kept: number };
    /** The clauses are the same and are joined in another way. */
    rejoined: boolean;
    exceptions: { added: string[]; removed: string[] };
  };
}

/** A text to begin a policy with. */
export interface PolicyTemplateJson {
  id: string;
  kind: 'template' | 'starter';
  title: string;
  text: string;
}

/** A policy's text with one exception more, drafted from an event. Nothing is saved. */
export interface PolicyExceptionDraft {
  id: string;
  eventId: string;
  /** Conditions that hold for the event; those `asked` together are the narrowest exception. */
  candidates: { when: string; asked: boolean }[];
  /** Those that the exception asks for. */
  conditions: string[];
  when: string;
  /** Hash of the text it was added to: what `policy.save` compares. */
  base: string;
  /** The whole new text, and its hash as it would be saved: what `policy.run` simulates. */
  text: string;
  hash: string;
  version: number;
  /** False: the event would be caught all the same, so the exception is of no use. */
  excepts: boolean;
}

export interface PolicyReadMethods {
  'policy.list': { params: Record<string, never>; result: PolicyOverview };
  /** `hash` is of `text`: what an edit of it gives as `base`. */
  'policy.get': {
    params: { id: string };
    result: { versions: PolicyVersionJson[]; text: string; hash: string; history: PolicyHistoryJson[] };
  };
  /** A policy with its latest decisions; or an event, what decided it and what each policy says of it; or both. */
  'policy.explain': { params: { id?: string; eventId?: string }; result: PolicyExplanation };
  /** Checks the text of a policy file, and completes it at `caret`; nothing is kept. */
  'policy.validate': {
    params: { text: string; caret?: number };
    result: {
      valid: number;
      problems: PolicyProblemJson[];
      warnings: PolicyProblemJson[];
      policies: PolicyCheckedJson[];
      completions: PolicyCompletionJson[];
    };
  };
  /** How a text (absent: the one in the files) differs from the version in force. */
  'policy.diff': { params: { id: string; text?: string }; result: PolicyDifferenceJson };
  'policy.templates': { params: Record<string, never>; result: { templates: PolicyTemplateJson[] } };
  /** Drafts an exception from an event that the policy decided, or from the decision; without `conditions` the narrowest. */
  'policy.except': {
    params: {
      id: string;
      eventId: string;
      conditions?: string[];
      reason?: string;
      expires?: string;
    };
    result: PolicyExceptionDraft;
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
  /**
   * Saves one policy as a new draft with the next version number; what is in force stays so. `base` is the hash of the
   * text it was made from, absent for a new policy: when the files hold another one by now, nothing is saved (`conflict`).
   * The text goes on record with who saved it.
   */
  'policy.save': {
    params: { text: string; base?: string };
    result: { version: PolicyVersionJson; text: string; file: string };
  };
  /**
   * Runs a policy over the record, of the last `days` or all of it; follow it with `policy.simulation`. With `text` that
   * text instead of the one in the files, compared with the version in force.
   */
  'policy.run': {
    params: { id: string; days?: number; text?: string };
    result: { simulation: PolicySimulation };
  };
  /** Ends the freezing of one container, or of all. */
  'policy.thaw': { params: { cgroup?: string }; result: { thawed: FrozenJson[] } };
  /**
   * Lets a process that was cut off, with what it started, reach the network again; without a pid, all. It goes on record
   * with who did it, and why.
   */
  'policy.release': {
    params: { pid?: number; reason?: string };
    result: { released: CutProcessJson[] };
  };
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
