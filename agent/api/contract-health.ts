/** Contract: how the agent is, and what checks of the machine and of the logs found. */
import type { Lane } from './contract-events.ts';
import type { DlpHealthJson } from './contract-dlp.ts';
import type { CutProcessJson, FrozenJson, PolicyActsJson } from './contract-policy.ts';

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
    /** Refusals of opens that were too many at once to be told one by one. */
    opensUntold?: number;
    /** Opens of guarded files that were not judged in time, and answered as their policy fails. */
    opensLate?: number;
    /** Versions of denied files in the kernel, and those that had to make room for others. */
    versions?: number;
    versionsEvicted?: number;
    /** Since the sign of life that the kernel last saw; absent while nothing needs one. */
    heartbeatAgeMs?: number;
    /** Containers that policies froze. */
    frozen?: FrozenJson[];
    /** Processes that policies cut off from the network; children of them for whom the kernel had no room are not. */
    cut?: CutProcessJson[];
    cutsLost?: number;
    troubles: { kind: string; detail: string }[];
  };
  /** Whether protected data is looked for, and what that costs. */
  dlp?: DlpHealthJson;
  /** Events since the start with a text that the shield does not call benign. */
  shield?: { suspicious: number; malicious: number };
  /** What policies did lately: what notices are made of. */
  policyActs?: PolicyActsJson;
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

/** How far a bundle of the evidence for a query is. */
export interface EvidenceState {
  running: boolean;
  query?: string;
  /** Written so far. */
  bytes: number;
  /** It is finished and can be read. */
  ready?: boolean;
  /** How many records the query found. */
  records?: number;
  /** Why the last one came to nothing. */
  failed?: string;
}

export interface LogCheckState {
  running: boolean;
  /** The last check that ended since the agent started. */
  last?: LogCheck;
  /** Why the last one gave no result. */
  failed?: string;
}
