/**
 * The Local API: one contract for every transport (MessagePort, unix socket, WebSocket). Types and constants only,
 * so that both Node and browser code can import it. 64-bit integers travel as decimal strings.
 *
 * Wire: JSON messages. Request {id, method, params}; response {id, result} or {id, error}; a subscription answers
 * its request with {id, result: {subscription}} and then sends {subscription, seq, snapshot} once, {subscription,
 * seq, delta} after, and {subscription, closed: reason} at the end. `seq` starts at 1 with the snapshot and grows by
 * one; a hole means resubscribe. A message without a usable id is answered with id 0, so clients count from 1.
 *
 * Where it listens: DATA/agent.sock (frames of u32 LE length + UTF-8 JSON) and, for the console, one WebSocket text
 * message per JSON message at WEBSOCKET_PATH of the origin that served the page.
 */

export const API_VERSION = 1;

export type ErrorCode =
  | 'bad_request'
  | 'bad_query'
  | 'forbidden'
  | 'not_found'
  | 'overloaded'
  | 'cancelled'
  | 'internal'
  | 'unavailable';

export interface ApiError {
  code: ErrorCode;
  /** What happened, what it means, what to do. */
  message: string;
  /** bad_query: 0-based offset into the query text, and how many characters are at fault. */
  offset?: number;
  length?: number;
}

export type Severity = 'info' | 'low' | 'medium' | 'high' | 'critical';
export type Lane = 'security' | 'observability';

/** protobuf JSON of sentinel.v1.Event; see agent/event.ts for the meaning of each field. */
export interface EventJson {
  eventId: string;
  eventVersion: number;
  type: string;
  action: string;
  lane: Lane;
  tsNs: string;
  sensorSeq?: string;
  bootId?: string;
  deviceId?: string;
  tenantId?: string;
  process?: ProcessJson;
  parent?: ProcessRefJson;
  ancestry?: string[];
  file?: {
    path: string;
    op: string;
    oldPath?: string;
    bytes?: string;
    inode?: string;
    device?: string;
    mode?: number;
    flags?: number;
  };
  network?: {
    protocol: string;
    srcIp?: string;
    srcPort?: number;
    dstIp?: string;
    dstPort?: number;
    direction?: string;
    bytesSent?: string;
    bytesReceived?: string;
    verdict?: string;
  };
  dns?: { query: string; recordType?: string };
  target?: ProcessRefJson;
  gap?: GapJson;
  /** A text in it is made to act on its reader: which, why, and a copy that does not. The event itself keeps it raw. */
  shield?: {
    field: string;
    verdict: 'suspicious' | 'malicious';
    reasons: { kind: string; verdict: string; detail: string }[];
    neutral: string;
  };
  /** On events of type `decision` that a policy made. */
  decision?: DecisionJson;
  metrics?: Record<string, number>;
  message?: string;
  details?: Record<string, string>;
  detections?: DetectionJson[];
  severity: Severity;
  truncated?: { field: string; originalLength: string }[];
  synthetic?: boolean;
}

export interface ProcessRefJson {
  pid: number;
  startNs: string;
  name: string;
  executable?: string;
  argv?: string[];
  cwd?: string;
  uid?: number;
  user?: string;
}

export interface ProcessJson extends ProcessRefJson {
  ppid?: number;
  parentStartNs?: string;
  euid?: number;
  gid?: number;
  loginuid?: number;
  sessionId?: number;
  integrityLevel?: string;
  cgroupId?: string;
  containerId?: string;
  hashes?: { sha256: string; blake3: string };
  flags?: string[];
  exitCode?: number;
  exitSignal?: number;
  tid?: number;
}

export interface GapJson {
  lane: Lane;
  cause: string;
  count?: string;
  hook?: string;
  cpu?: number;
  fromNs: string;
  toNs: string;
  fromSeq?: string;
  toSeq?: string;
  detail?: string;
  signature?: string;
}

export interface GapTotalJson {
  lane: Lane;
  cause: string;
  hook?: string;
  cpu?: number;
  gaps: number;
  /** Records stated as lost; gaps of unknown size add nothing. */
  records: number;
  /** Gaps whose size is not known. */
  unknown: number;
  fromNs: string;
  toNs: string;
}

export interface DetectionJson {
  ruleId: string;
  title: string;
  level: Severity;
  attack: string[];
  source: string;
  clauses: { selection: string; field: string; pattern: string; value: string }[];
}

/** What a policy decided about another event, and what came of it. */
export interface DecisionJson {
  decisionId: string;
  policyId: string;
  policyVersion: number;
  policyHash: string;
  policyTitle: string;
  policyState: string;
  severity: Severity;
  /** The event decided. */
  eventId: string;
  evidence: string[];
  action: string;
  /** True: nothing was done, because the policy simulates or the event is outside its canary's share. */
  wouldBe: boolean;
  guardian: string;
  effect: { state: string; mechanism: string; guarantee: string; error?: string };
  rationale: { clauses: ClauseOutcomeJson[]; nearMisses: ClauseOutcomeJson[] };
  latencyNs: { eventToDecision?: string; decisionToEffect?: string };
  aheadOfRecord: boolean;
}

export interface ClauseOutcomeJson {
  text: string;
  value: string;
  result: string;
}

/**
 * One page, newest first. `older`/`newer` are keyset cursors (exclusive), absent at that end of the record; the cursor
 * of any event is `${tsNs}.${eventId}`. A search that ran out of time gives fewer events, perhaps none, with a cursor
 * to go on from.
 */
export interface EventPage {
  events: EventJson[];
  older?: string;
  newer?: string;
  /** True when the search ran out of time: `older` goes on. */
  partial?: boolean;
}

export interface Histogram {
  fromNs: string;
  toNs: string;
  bucketNs: string;
  /** Counts by severity for each bucket, oldest first. */
  buckets: { info: number; low: number; medium: number; high: number; critical: number }[];
  gaps: GapJson[];
  /** True when counts come from rollups coarser than the query asked for. */
  approximate: boolean;
}

export interface Facet {
  field: string;
  /** `label`: how to show the value when people call it something else (rules: value is the id, label the title). */
  values: { value: string; count: number; label?: string }[];
  /** True when only the newest part of the result was counted. */
  approximate: boolean;
}

/** Where an event lies in the log, and what vouches for it. */
export interface Proof {
  lane: Lane;
  seq: string;
  segment: string;
  commitNo: string;
  chain: string;
  checkpoint?: { seq: string; tsNs: string; signature: string; keyId: string };
}

export interface EventDetail {
  event: EventJson;
  /** The record as written, hex, at most 64 KiB. Absent once retention removed its segment. */
  rawHex?: string;
  proof?: Proof;
  ancestors: ProcessRefJson[];
  /** How many events this process has by type. */
  related: Record<string, number>;
  /** What analysts decided about it: the decisions in force, one for each rule, newest first. */
  triage?: TriageDecision[];
  /** What policies decided about it, newest first: events of type `decision`. */
  decisions?: EventJson[];
}

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

export type ExportFormat = 'ndjson' | 'csv';

/**
 * One piece of an export, newest first. Ask for the first without `before` (CSV begins with its header), then go on with
 * `before: older` until there is no `older`; to cancel, stop asking. A piece can hold no events and still have more.
 */
export interface ExportPiece {
  /** Whole lines. NDJSON ends lines with LF and escapes what a terminal would obey; CSV is RFC 4180, inert in spreadsheets. */
  text: string;
  events: number;
  older?: string;
  /** Time of the last event in it: how far the export has got. */
  atNs?: string;
  /** In the first piece: how many events the whole export will have, when that could be counted. */
  total?: number;
  totalApproximate?: boolean;
}

/** A saved search, a column setting and the like: the console's own JSON, which the agent keeps and does not read. */
export interface SavedItem {
  /** For example `search`, `columns`. */
  kind: string;
  name: string;
  value: string;
  updatedNs: string;
  by: TriageDecision['by'];
}

/** Sums over a process and everything that descends from it. */
export interface SubtreeJson {
  processes: number;
  /** Events by type; only types that occur. */
  counts: Record<string, number>;
  severity: Severity;
  detections: number;
  /** False for very large trees: the numbers are then of the processes nearest to the top, so at least these. */
  complete: boolean;
}

export interface TreeNode {
  /** `${pid}-${process.startNs}`: what names a process in `tree.*` and in an event's `ancestry`. */
  entityId: string;
  /** As last seen: user, session, image, arguments; exitCode and exitSignal once it ended. */
  process: ProcessJson;
  /** Wall clock of its first and last record. */
  startNs: string;
  lastNs: string;
  /** Wall clock of its end; absent while it runs or when its end was not seen. */
  endNs?: string;
  /** Direct children on record. */
  children: number;
  /** Its own events by type. */
  counts: Record<string, number>;
  /** Worst of its own events. */
  severity: Severity;
  /** Detections on its own events. */
  detections: number;
  /** True: it has no record of its own; this is what a child says of it. Ask for its children, not for itself. */
  told?: boolean;
  /** With `tree.*`: on the node asked for and on children, not on ancestors. */
  subtree?: SubtreeJson;
}

/** What a check of the logs found: every checksum, the chain, the numbers and all signatures, from the files alone. */
export interface LogCheck {
  ok: boolean;
  /** When it ended, and how long it took. */
  atNs: string;
  tookMs: number;
  logs: {
    lane: string;
    ok: boolean;
    segments: number;
    commits: number;
    records: number;
    firstSeq: number;
    lastSeq: number;
    checkpoints: number;
    /** Records up to this one are vouched for by a signature that holds. */
    coveredUpToSeq: number;
    /** All findings; the first few follow. */
    findingCount: number;
    findings: {
      kind: string;
      level: 'error' | 'note';
      segment: number;
      offset: number;
      seq?: number;
      detail: string;
    }[];
  }[];
}

export interface LogCheckState {
  running: boolean;
  /** The last check that ended since the agent started. */
  last?: LogCheck;
  /** Why the last one gave no result. */
  failed?: string;
}

export interface QueryCheck {
  ok: boolean;
  error?: ApiError;
  /** Normalised text of a valid query. */
  canonical?: string;
  /** Tokens for colouring: kind is field, operator, value, keyword, time. */
  tokens: { offset: number; length: number; kind: string }[];
  /** Completions at the given caret. */
  completions: { text: string; label: string; detail?: string; replaceFrom: number; replaceTo: number }[];
}

export interface HookJson {
  name: string;
  attach: string;
  state: 'active' | 'replaced' | 'missing';
  detail?: string;
  events: number;
  lost: number;
}

export interface WalJson {
  lane: Lane;
  state: 'ok' | 'degraded' | 'failed';
  writer: string;
  lastSeq: string;
  durableSeq: string;
  segments: number;
  bytesOnDisk: number;
  pendingBytes: number;
  flushP50Us: number;
  flushP99Us: number;
  failedWrites: number;
  /** Why the state is not ok (disk_full, disk_low, write_failed …), in the system's words. */
  reason?: string;
}

export interface Percentiles {
  p50Us: number;
  p99Us: number;
  count: number;
}

export type HealthLevel = 'ok' | 'degraded' | 'failed';

export interface HealthSnapshot {
  level: HealthLevel;
  /** The state sentence: "Recording everything · 0 gaps in 24 h · eBPF". Always true. */
  sentence: string;
  version: string;
  startedNs: string;
  nowNs: string;
  host: { hostname: string; kernel: string; os: string; bootId: string; deviceId: string };
  dataDir: string;
  /** Why the level is not ok, each with a remedy. */
  problems: { level: HealthLevel; what: string; meaning: string; remedy: string }[];
  sensor: {
    tier: string;
    scope: string;
    hooks: HookJson[];
    blindSpots: { what: string; why: string; remedy?: string }[];
    rings: { name: string; usedBytes: number; sizeBytes: number; lost: number }[];
  };
  /** Events per second, averaged over the last 5 s. */
  rates: { security: number; observability: number; detections: number };
  totals: { security: number; observability: number; detections: number; rejected: number };
  gaps24h: { count: number; lostRecords: number };
  wal: WalJson[];
  observabilityLane: {
    state: string;
    bufferedBytes: number;
    maxBufferBytes: number;
    dropped: Record<string, number>;
    batchSize: number;
    synthetic: number;
  };
  sinks: { name: string; lane: Lane; cursorSeq: string; lagRecords: number }[];
  /** Decision: security records and what rules matched; observed: ordinary records, which come in larger batches. */
  latency: {
    kernelToDecision: Percentiles;
    kernelToObserved: Percentiles;
    kernelToDurable: Percentiles;
    detect: Percentiles;
  };
  agent: {
    pid: number;
    cpuPercent: number;
    rssBytes: number;
    heapBytes: number;
    /** Proportional share, what the memory budget is stated in; absent where the system cannot tell. */
    pssBytes?: number;
  };
  api: {
    clients: number;
    shed: number;
    refused: number;
    /** Refusals by reason: origin, host, token, peer, oversized, malformed, rate … */
    refusedByReason?: Record<string, number>;
    /** The newest refusal: why, when, and how many there were in the minute up to it. */
    lastRefusal?: { reason: string; tsNs: string; inLastMinute: number };
  };
  rules: { loaded: number; failed: { file: string; reason: string }[]; indicators: number };
  /** What policies can do on this machine, as tried at start, and whether it is still as the agent left it. */
  enforcement?: {
    /** Of the sets in the kernel; 0 = none were ever there. */
    generation: number;
    /** Blocking policies in force. */
    policies: number;
    reach: { action: string; guardian: string; mechanism: string; guarantee: string; reason: string }[];
    /** Matches in the kernel since the start, whatever came of them. */
    kernelActs: number;
    agentActs: { applied: number; failed: number; spared: number };
    troubles: { kind: string; detail: string }[];
  };
  /** The file system of the data folder; absent where it cannot be asked. */
  disk?: { freeBytes: number; totalBytes: number };
  errors: Record<string, number>;
}

/** One thing this machine was asked; a remedy where the answer is not what it should be. */
export interface DoctorCheck {
  name: string;
  /** `warn` costs a feature, `fail` the main job. */
  result: 'ok' | 'warn' | 'fail';
  detail: string;
  remedy?: string;
}

export interface RuleSummary {
  id: string;
  title: string;
  /** `detection`, or the type of a correlation: event_count, temporal, … */
  type: string;
  level: Severity;
  attack: string[];
  /** Empty for a correlation. */
  logsource: string;
  source: string;
  hits: number;
  disabledReason?: string;
  /** Ids of the rules and correlations a correlation takes its matches from. */
  uses?: string[];
}

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

/** Read-only methods: what the socket's group, the console and the desktop window may call. */
export interface ReadMethods {
  'api.hello': {
    params: { version: number; locale?: string };
    result: { version: number; agentVersion: string; privileged: boolean };
  };
  'health.get': { params: Record<string, never>; result: HealthSnapshot };
  'query.check': { params: { text: string; caret?: number }; result: QueryCheck };
  'events.query': {
    params: { query: string; limit?: number; before?: string; after?: string };
    result: EventPage;
  };
  'events.histogram': {
    params: { query: string; fromNs?: string; toNs?: string; buckets: number };
    result: Histogram;
  };
  'events.facets': { params: { query: string; fields: string[]; top?: number }; result: { facets: Facet[] } };
  'events.get': { params: { eventId: string }; result: EventDetail };
  'events.around': { params: { eventId: string; before: number; after: number }; result: EventPage };
  /** The ledger of gaps: how many, of how many records, by lane, cause, hook and CPU; most records first. */
  'gaps.totals': { params: { fromNs?: string; toNs?: string }; result: { totals: GapTotalJson[] } };
  'events.gaps': { params: { fromNs?: string; toNs?: string; limit?: number }; result: { gaps: GapJson[] } };
  /** A piece of what `query` finds, as text to save; `columns` (CSV) are dotted names of EventJson, or `time` or `process.commandLine`. */
  'events.export': {
    params: { query: string; format: ExportFormat; columns?: string[]; before?: string; limit?: number };
    result: ExportPiece;
  };
  /** Decisions in force, or with `history` all, newest first. */
  'triage.list': {
    params: {
      eventIds?: string[];
      ruleId?: string;
      label?: TriageLabel;
      history?: boolean;
      limit?: number;
    };
    result: { decisions: TriageDecision[]; more: boolean };
  };
  'saved.list': { params: { kind?: string }; result: { items: SavedItem[] } };
  'process.tree': {
    params: { pid: number; startNs?: string };
    result: { ancestors: TreeNode[]; node: TreeNode; children: TreeNode[]; more?: string };
  };
  /** A process with its subtree's sums, and its ancestors from the parent upwards (64 at most). */
  'tree.ancestors': { params: { entityId: string }; result: { node: TreeNode; ancestors: TreeNode[] } };
  /** Children in order of start, by keyset pages: `after` is `more` of the page before. */
  'tree.children': {
    params: { entityId: string; limit?: number; after?: string };
    result: { children: TreeNode[]; total: number; more?: string };
  };
  /**
   * Processes below a process whose events match a query, newest match first, at most 200: `paths` lead from a child of it
   * down to each. `complete` is false when there is or may be more.
   */
  'tree.search': {
    params: { entityId: string; query: string; limit?: number };
    result: { paths: TreeNode[][]; complete: boolean };
  };
  'rules.list': { params: Record<string, never>; result: { rules: RuleSummary[] } };
  /** What this machine allows, asked now. */
  'doctor.check': { params: Record<string, never>; result: { checks: DoctorCheck[] } };
  /** What an exception drafted from one rule's match on an event would hide; without `conditions` the narrowest. */
  'exceptions.preview': {
    params: { eventId: string; ruleId: string; conditions?: ExceptionCondition[] };
    result: ExceptionPreview;
  };
  'exceptions.list': { params: Record<string, never>; result: { exceptions: ExceptionSummary[] } };
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

/** Methods that change something: root or the agent's own user only. Extends the read-only contract. */
export interface PrivilegedMethods extends ReadMethods {
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
  'rules.reload': {
    params: Record<string, never>;
    result: { loaded: number; failed: { file: string; reason: string }[] };
  };
  /** Labels events (each of `eventIds`), or one rule's match on them; answered once the decisions are durable. */
  'triage.set': {
    params: { eventIds: string[]; label: TriageLabel; ruleId?: string; note?: string };
    result: { decisions: TriageDecision[] };
  };
  /** Saves an exception and puts it in force; `expires` is its last day, YYYY-MM-DD (UTC). Recorded in the security log. */
  'exceptions.save': {
    params: {
      eventId: string;
      ruleId: string;
      conditions: ExceptionCondition[];
      reason: string;
      expires: string;
    };
    result: { exception: ExceptionSummary };
  };
  'exceptions.remove': { params: { id: string }; result: { removed: boolean } };
  /** Saves under (kind, name), in place of what was there. */
  'saved.put': { params: { kind: string; name: string; value: string }; result: { item: SavedItem } };
  'saved.delete': { params: { kind: string; name: string }; result: { removed: boolean } };
  /** Checks both logs anew, in the background; `start: false` only asks how far it is. Ask again until it has ended. */
  'log.check': { params: { start: boolean }; result: LogCheckState };
  /** A fresh one-time address of the console. Refused over WebSocket: a page cannot mint itself new sessions. */
  'console.url': { params: Record<string, never>; result: { url: string; expiresNs: string } };
}

export type Methods = PrivilegedMethods;
export type MethodName = keyof Methods;
/** Complete by its type: a method that changes something and is not listed does not compile. */
const PRIVILEGED: Readonly<Record<Exclude<MethodName, keyof ReadMethods>, true>> = {
  'rules.reload': true,
  'policy.reload': true,
  'policy.step': true,
  'policy.run': true,
  'policy.cancel': true,
  'policy.request': true,
  'policy.approve': true,
  'policy.approvers': true,
  'exceptions.save': true,
  'exceptions.remove': true,
  'triage.set': true,
  'saved.put': true,
  'saved.delete': true,
  'log.check': true,
  'console.url': true,
};
export const PRIVILEGED_METHODS = Object.keys(PRIVILEGED) as readonly MethodName[];

/** Subscriptions: request method -> what the snapshot and each delta hold. */
export interface Subscriptions {
  'health.watch': { params: Record<string, never>; snapshot: HealthSnapshot; delta: HealthSnapshot };
  /** Snapshot: newest page. Delta: events stored since, oldest first, at most `limit` each, with how many were skipped. */
  'events.follow': {
    params: { query: string; limit?: number };
    snapshot: EventPage;
    delta: { events: EventJson[]; skipped: number };
  };
}
export type SubscriptionName = keyof Subscriptions;
/** Why a subscription ended, in `closed`. After `slow`, ask again: what was missed is in the store. */
export type ClosedReason = 'unsubscribed' | 'slow' | 'stopping' | 'failed';

export interface Request {
  id: number;
  method: string;
  params?: unknown;
}
export type Response = { id: number; result: unknown } | { id: number; error: ApiError };
export type Push =
  | { subscription: number; seq: number; snapshot: unknown }
  | { subscription: number; seq: number; delta: unknown }
  | { subscription: number; closed: ClosedReason };
/** Client to server: end a subscription. */
export interface Unsubscribe {
  unsubscribe: number;
}

/** Client to server: the answer to this request is no longer wanted; it ends with error `cancelled`. */
export interface Cancel {
  cancel: number;
}
/**
 * Client to server, MessagePort only: UTF-16 units of messages taken so far. A port has no back-pressure of its own;
 * once a client has sent one, the server counts what is not yet acknowledged as backlog.
 */
export interface Ack {
  ack: number;
}

/** Path of the WebSocket on the console's origin. */
export const WEBSOCKET_PATH = '/api';

/** Limits a transport enforces. Bytes. */
export const MAX_REQUEST_BYTES = 256 * 1024;
export const MAX_RESPONSE_BYTES = 8 * 1024 * 1024;
/** A client with more than this waiting to be sent is shed: its subscriptions close with reason `slow`. */
export const MAX_CLIENT_BACKLOG_BYTES = 4 * 1024 * 1024;

/** A transport is two members; every host provides one. */
export interface Transport {
  send(message: string): void;
  onMessage(listener: (message: string) => void): void;
  onClose(listener: () => void): void;
  close(): void;
  /** Bytes accepted by send and not yet taken by the peer. */
  readonly backlogBytes: number;
}
