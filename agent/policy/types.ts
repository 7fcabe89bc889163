/**
 * What the policy engine, the enforcers and the record of decisions say to each other. Types and constants only.
 *
 * A policy's text is data that anybody may edit; its state is not in the text. State lives in the data folder, signed
 * by the device key and bound to the BLAKE3 hash of the text (`lifecycle`), so that an edit is a draft again.
 *
 * Two guardians: the kernel guardian acts on `KernelSets` before user space hears of it, the agent guardian evaluates
 * everything else on the event. A policy is served by exactly one of them at a time; `PolicyReach` says which and why.
 */
import type { SentinelEvent, Severity } from '../event.ts';

export const POLICY_STATES = ['draft', 'simulating', 'canary', 'active', 'deprecated'] as const;
export type PolicyState = (typeof POLICY_STATES)[number];

export const ACTIONS = [
  'deny_exec',
  'deny_connect',
  'deny_open',
  'kill',
  'freeze',
  'quarantine',
  'cut_network',
  'alert',
] as const;
export type Action = (typeof ACTIONS)[number];

/** What stops the forbidden thing, weakest last. */
export const MECHANISMS = [
  'lsm_deny',
  'cgroup_deny',
  'fanotify_deny',
  'exec_sigkill',
  'pidfd_sigkill',
  'cgroup_freeze',
  'quarantine_move',
  'cgroup_cut',
  'none',
] as const;
export type Mechanism = (typeof MECHANISMS)[number];

/** What a policy may promise, in the words people read. */
export const GUARANTEES = [
  'prevented',
  'killed before its first instruction',
  'killed after start',
  'frozen after start',
  'moved away after it was written',
  'cut off before it could read',
  'cut off soon after the read',
  'alert only',
] as const;
export type Guarantee = (typeof GUARANTEES)[number];

export type FailMode = 'open' | 'closed';
export type Guardian = 'kernel' | 'agent';

export interface PolicyException {
  /** CEL; an event for which it is true is left alone. */
  when: string;
  owner: string;
  reason: string;
  /** Milliseconds since the epoch after which it no longer counts. */
  expiresMs: number;
}

/** Which machines, users and containers a policy is about; an empty list means all. */
export interface PolicyScope {
  devices: readonly string[];
  users: readonly string[];
  containers: readonly string[];
}

/** Of `cut_network`: how long, and what stays open. */
export interface PolicyCut {
  minutes: number;
  /** Networks in CIDR form, normalised. */
  except: readonly string[];
}

/** A policy as its text says it, checked. */
export interface Policy {
  id: string;
  /** Positive integer; a change of the text without a higher version is still another policy hash. */
  version: number;
  title: string;
  description: string;
  severity: Severity;
  scope: PolicyScope;
  /** CEL over the event, its detections and, later, its DLP fields. */
  when: string;
  action: Action;
  exceptions: readonly PolicyException[];
  /** Share of matching events on which a canary acts, 1 to 100. */
  canaryPercent: number;
  /** What the kernel guardian does when the agent is silent: `open` lets pass, `closed` keeps enforcing. */
  failMode: FailMode;
  cut?: PolicyCut;
  /** BLAKE3 of the canonical text, lower-case hex: what states, approvals and decisions refer to. */
  hash: string;
  /** The text as written. */
  text: string;
  file: string;
}

/** One clause of `when`, as evaluated on one event. */
export interface ClauseResult {
  /** The part of the expression, as written. */
  text: string;
  /** What the event had there, printable and cut to a bounded length. */
  value: string;
  result: 'true' | 'false' | 'error' | 'not evaluated';
}

export interface Rationale {
  clauses: readonly ClauseResult[];
  /** Of what did not hold: the clauses that alone kept the result from being another one. */
  nearMisses: readonly ClauseResult[];
}

export type EffectState = 'applied' | 'failed' | 'none';

/** What was done about a decision. `none`: nothing was to be done (an alert, a simulation, the canary's other share). */
export interface Effect {
  state: EffectState;
  mechanism: Mechanism;
  guarantee: Guarantee;
  /** In the system's words, when `failed`, or why nothing was done (for example `protected: init`). */
  error?: string;
}

/** A container that a policy froze. */
export interface FrozenCgroup {
  /** As /proc/PID/cgroup names it. */
  cgroup: string;
  containerId: string;
  policyId: string;
  policyHash: string;
  failMode: FailMode;
  sinceMs: number;
}

/** A process that a policy cut off from the network; what it started since is cut off with it. */
export interface CutProcess {
  pid: number;
  /** Executable, or what is known of it. */
  name: string;
  entityId: string;
  policyId: string;
  policyHash: string;
  /** The protected file that it opened. */
  path: string;
  sinceMs: number;
  untilMs: number;
}

/** One policy that held for one event. Immutable once recorded. */
export interface Decision {
  /** 32 hex digits, unique on a device. */
  decisionId: string;
  policyId: string;
  policyVersion: number;
  policyHash: string;
  policyTitle: string;
  policyState: PolicyState;
  severity: Severity;
  /** The event decided; its position in the log follows from it. */
  eventId: number;
  /** Events and detections it rests on besides: event ids as decimal text, `rule:ID`. */
  evidence: readonly string[];
  action: Action;
  /** Of the policy; what is frozen thaws without the agent unless it is `closed`. */
  failMode?: FailMode;
  /** True: a simulating policy, or a canary for an event outside its share. Nothing was done. */
  wouldBe: boolean;
  guardian: Guardian;
  effect: Effect;
  rationale: Rationale;
  /** Absent when not measured (the kernel guardian acts before there is an event). */
  latencyNs: { eventToDecision?: number; decisionToEffect?: number };
  /** The effect was released at its deadline, before the event's record was durable. */
  aheadOfRecord: boolean;
  /** When it was decided, ns since the epoch. */
  tsNs: bigint;
}

/** Who an entry of a kernel set acts for. `handle` is what the kernel's record carries; never 0, stable while loaded. */
export interface KernelPolicyRef {
  handle: number;
  policyId: string;
  policyVersion: number;
  policyHash: string;
  failMode: FailMode;
}

/**
 * An executable that may not run. `path`: whatever lies there, by resolved path (a hard link or copy elsewhere is
 * another path). `directory`: anything under it, with its trailing slash. `sha256`/`blake3`: these bytes wherever they
 * lie (a copy or rename stays denied, an edit is another file).
 */
export interface KernelExecutable {
  policy: KernelPolicyRef;
  by: 'path' | 'directory' | 'sha256' | 'blake3';
  value: string;
}

/** A destination that may not be reached. */
export interface KernelDestination {
  policy: KernelPolicyRef;
  /** Normalised network in CIDR form, IPv4 as such; `0.0.0.0/0` and `::/0` for any address. */
  cidr: string;
  /** Inclusive ranges; empty: all ports. */
  ports: readonly { from: number; to: number }[];
  protocol: 'tcp' | 'udp' | 'any';
}

/** What has to be found in a file for it to be forbidden. */
export interface OpenContent {
  /** Each of these has to be found; empty: any. */
  indexes: readonly string[];
  rules: readonly string[];
  /** Percent; hits. */
  confidence: number;
  count: number;
}

/** A file that may not be opened. */
export interface KernelOpen {
  policy: KernelPolicyRef;
  by: 'path' | 'directory';
  value: string;
  /** Resolved paths of the executables that may open it all the same. */
  exceptExecutables: readonly string[];
  /** Only files with protected data; absent: whatever is in them. */
  content?: OpenContent;
  /** The open is let pass, and who opened is cut off from the network. */
  cuts?: boolean;
}

/** A policy that cuts processes off from the network. */
export interface KernelCut extends PolicyCut {
  policy: KernelPolicyRef;
}

/** All that active policies reduce to. Replaced as a whole; an enforcer puts the difference into its maps. */
export interface KernelSets {
  /** Grows by one with every change. */
  generation: number;
  executables: readonly KernelExecutable[];
  destinations: readonly KernelDestination[];
  opens: readonly KernelOpen[];
  cuts?: readonly KernelCut[];
}

export const NO_KERNEL_SETS: KernelSets = { generation: 0, executables: [], destinations: [], opens: [] };

/** What this machine can do for one action, as probed at start. */
export interface Reach {
  mechanism: Mechanism;
  guarantee: Guarantee;
  /** Why it is not better. */
  reason: string;
}

/** What one policy amounts to on this machine. */
export interface PolicyReach extends Reach {
  guardian: Guardian;
}

/** What the kernel did for a policy; `attempted` is the event that the policy's condition is about. */
export interface KernelAct {
  handle: number;
  effect: Effect;
  attempted: SentinelEvent;
  /** What it rests on besides the event. */
  evidence?: readonly string[];
}

/** The enforcement side, given to the pipeline by its constructor. */
export interface Enforcer {
  /** What each action comes to when the kernel guardian serves it, and when the agent guardian does. */
  reach(action: Action, guardian: Guardian): Reach;
  /** Puts these sets in force; entries that cannot be are returned with the reason, and the agent guardian takes over. */
  apply(sets: KernelSets): { refused: readonly { handle: number; reason: string }[] };
  /** How many policies the agent guardian may have to act for: records that gate a verdict are urgent while there are. */
  serve?(agentPolicies: number): void;
  /** What the kernel did, by its record; undefined for an event that is none. */
  kernelAct?(event: SentinelEvent): KernelAct | undefined;
  /** Containers that are frozen, and an end to it for one or, without a name, all. */
  frozen?(): readonly FrozenCgroup[];
  thaw?(cgroup?: string): readonly FrozenCgroup[];
  /** Processes that are cut off from the network, and an end to it for one (with what it started) or all. */
  cutOff?(): readonly CutProcess[];
  release?(pid?: number): readonly CutProcess[];
  /** Acts on the event's process now, at most once, never waiting. Must not throw. */
  act(decision: Decision, event: SentinelEvent): Effect;
}

/** Where decisions go on record. */
export interface DecisionRecorder {
  /** Appends to the security log; never waits. False when the log has failed. */
  record(decision: Decision): boolean;
}
