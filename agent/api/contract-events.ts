/** Contract: events, what is in them, and pages, counts and proofs of them. */
import type { DlpJson } from './contract-dlp.ts';
import type { TriageDecision } from './contract-triage.ts';

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
  /** On events of type `dlp`. */
  dlp?: DlpJson;
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
