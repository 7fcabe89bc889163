/**
 * The event every part of Sentinel speaks: decoded once from a sensor record, matched by rules, stored, shown.
 *
 * Shapes follow `proto/sentinel/v1/event.proto`; JSON uses protobuf's JSON names (lowerCamelCase, 64-bit
 * integers as decimal strings) and is made by `event-json.ts`. Units: times are nanoseconds since the Unix epoch
 * (`tsNs`) or since boot (`startNs`, CLOCK_BOOTTIME), sizes are bytes.
 *
 * Invariants: a field that is unknown is absent, never an invented default; `synthetic` is only ever true on the
 * observability lane; a string that was cut is named in `truncated` with its original length.
 */

export const EVENT_VERSION = 1;

export const EVENT_TYPES = [
  'process',
  'file',
  'network',
  'dns',
  'registry',
  'memory',
  'module',
  'auth',
  'dlp',
  'decision',
  'shield',
  'health',
  'integrity_gap',
  'metric',
  'log',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

export const LANES = ['security', 'observability'] as const;
export type Lane = (typeof LANES)[number];

export const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** Identity of a process: a pid alone is reused, pid plus start time is not. */
export interface ProcessKey {
  pid: number;
  /** CLOCK_BOOTTIME ns at which the task started. */
  startNs: bigint;
}

/** Which bytes a path stood for when it was seen; an edit changes `ctimeNs`. Local: not part of the proto. */
export interface FileIdentity {
  /** Like st_dev, of the superblock (differs from stat's on btrfs and overlayfs). */
  dev: number;
  inode: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
  size: number;
}

export interface Hashes {
  /** Lower-case hex. */
  sha256: string;
  blake3: string;
}

export interface ProcessInfo extends ProcessKey {
  ppid?: number;
  parentStartNs?: bigint;
  /** Short name: file name of the executable, else the kernel's comm. */
  name: string;
  /** Absolute path of the executable as the kernel resolved it (never argv[0]). */
  executable?: string;
  /** One entry per argument, never joined. */
  argv?: string[];
  cwd?: string;
  uid?: number;
  euid?: number;
  gid?: number;
  /** Absent when unset (the kernel's 4294967295). */
  loginuid?: number;
  sessionId?: number;
  /** Name of `uid` in the passwd database, when it has one. */
  user?: string;
  /** `system` (uid 0), `elevated` (euid 0 or gained capabilities) or `user`. */
  integrityLevel?: string;
  /** cgroup v2 id, decimal. */
  cgroupId?: string;
  containerId?: string;
  hashes?: Hashes;
  /** Any of: memfd, deleted, setuid, setgid, script, kthread, writable_dir. */
  flags?: string[];
  exitCode?: number;
  exitSignal?: number;
  tid?: number;
  /** On exec and snapshot records, when the kernel told: what to hash. */
  exeIdentity?: FileIdentity;
}

/** What a rule needs to know of a parent, copied so that a match survives the parent's end. */
export interface ProcessRef extends ProcessKey {
  name: string;
  executable?: string;
  argv?: string[];
  cwd?: string;
  uid?: number;
  user?: string;
}

export interface FileInfo {
  path: string;
  /** Same verbs as `action`. */
  op: string;
  oldPath?: string;
  bytes?: number;
  inode?: string;
  device?: string;
  mode?: number;
  /** open(2) flags as the kernel saw them. */
  flags?: number;
  /** On write records (last close of a written file): what to hash. */
  identity?: FileIdentity;
}

export interface NetworkInfo {
  /** tcp, udp, icmp, … lower case. */
  protocol: string;
  srcIp?: string;
  srcPort?: number;
  dstIp?: string;
  dstPort?: number;
  direction?: 'outbound' | 'inbound' | 'listen';
  bytesSent?: number;
  bytesReceived?: number;
  /** allowed, denied. */
  verdict?: string;
}

export interface DnsInfo {
  query: string;
  /** A, AAAA, TXT … */
  recordType?: string;
}

export interface MatchedClause {
  /** Name of the selection in the rule's `detection` map. */
  selection: string;
  /** Sigma field with its modifiers, for example `CommandLine|contains`; empty for keyword searches. */
  field: string;
  /** The pattern of the rule that matched. */
  pattern: string;
  /** The event's value that it matched. */
  value: string;
}

export interface Detection {
  ruleId: string;
  title: string;
  level: Severity;
  /** ATT&CK technique ids in their canonical form, for example T1059.004. */
  attack: string[];
  clauses: MatchedClause[];
  /** Where the rule came from: bundled, imported, indicator. */
  source: string;
}

export interface Truncation {
  field: string;
  /** Bytes before the cut. */
  originalLength: number;
}

/** A hole in the record: how many, of what, when and why. Signed when written. */
export interface GapInfo {
  lane: Lane;
  /** ring_full, rate_limit, wal_corruption, wal_failed, retention, agent_down, clock_step, shed, sensor_blind … */
  cause: string;
  /** Records lost; absent when the number cannot be known. */
  count?: number;
  hook?: string;
  cpu?: number;
  fromNs: bigint;
  toNs: bigint;
  fromSeq?: number;
  toSeq?: number;
  detail?: string;
  /** base64 Ed25519 over the canonical bytes, see audit/gap.ts. */
  signature?: string;
}

export interface ClauseOutcome {
  text: string;
  value: string;
  /** true, false, error, not evaluated. */
  result: string;
}

/**
 * What a policy decided about another event: the fields of its record in the security log. On events of type
 * `decision` only; the event's own time is when it was decided. Words as policy/types.ts defines them.
 */
export interface DecisionInfo {
  decisionId: string;
  policyId: string;
  policyVersion: number;
  /** BLAKE3 of the policy's canonical text, hex. */
  policyHash: string;
  policyTitle: string;
  policyState: string;
  severity: Severity;
  /** The event decided. */
  eventId: number;
  evidence: readonly string[];
  action: string;
  /** True: nothing was done, because the policy simulates or the event is outside its canary's share. */
  wouldBe: boolean;
  guardian: string;
  effect: { state: string; mechanism: string; guarantee: string; error?: string };
  rationale: { clauses: readonly ClauseOutcome[]; nearMisses: readonly ClauseOutcome[] };
  latencyNs: { eventToDecision?: number; decisionToEffect?: number };
  aheadOfRecord: boolean;
}

/** Protected data that was found in a file: what kind, how often, where. Never the text itself. */
export interface DlpMatchInfo {
  index: string;
  rule: string;
  /** row (of a table), document, pattern or file (the whole of it). */
  kind: string;
  /** Type of the field, id of the pattern, name of the document. */
  type: string;
  count: number;
  /** Of the first hit, in bytes of the scanned stream. */
  offset: number;
  length: number;
  /** Which row, under a key; the same row has the same reference. */
  rowRef?: string;
  /** 0 to 1. */
  confidence: number;
  /** Share of a protected document that the file holds, 0 to 1. */
  containment?: number;
  secondaries?: string[];
  /** Path inside the container. */
  member?: string;
}

/** A protected file that the process, or one close to it, opened before. */
export interface DlpSource {
  path: string;
  rules: string[];
  /** Entity id and name of who opened it. */
  entityId: string;
  name: string;
  tsNs: bigint;
}

/** What looking for protected data in a file came to: on events of type `dlp`, about `file`, done by `process`. */
export interface DlpInfo {
  /** match, unscannable or skipped. */
  verdict: string;
  /** close_write, rename, open, connect, push, scan. */
  trigger: string;
  /** removable, network_share, browser_profile, archive, git_push, watched or local. */
  destination: string;
  /** Where the destination is mounted, when it is a medium or share. */
  mount?: string;
  /** Why it could not be looked at: encrypted, too_large, ratio, depth, time, malformed, unreadable, changed … */
  reasonCode?: string;
  reason?: string;
  bytes: number;
  members?: number;
  tookMs: number;
  /** The event that led to it; 0 for none. */
  ofEventId: number;
  /** One for each kind in each member, at most 32, surest first; `matchesTotal`: rows, documents and patterns found. */
  matches: DlpMatchInfo[];
  matchesTotal: number;
  sources?: DlpSource[];
  quarantineId?: string;
}

export interface SentinelEvent {
  /** Unique on a device: WAL sequence number * 2 + (observability ? 1 : 0). */
  eventId: number;
  type: EventType;
  /** ECS event.action: exec, fork, exit, open, create, write, rename, connect, accept, ptrace … */
  action: string;
  lane: Lane;
  tsNs: bigint;
  /** cpu << 48 | ring << 40 | n; absent for records made in user space. */
  sensorSeq?: bigint;
  bootId?: string;
  deviceId?: string;
  tenantId?: string;
  process?: ProcessInfo;
  parent?: ProcessRef;
  /** Entity ids `pid-startNs` from the parent upwards. */
  ancestry?: string[];
  file?: FileInfo;
  network?: NetworkInfo;
  dns?: DnsInfo;
  /** The other process of ptrace, kill and the like. */
  target?: ProcessRef;
  gap?: GapInfo;
  decision?: DecisionInfo;
  dlp?: DlpInfo;
  /** Metric name to value. */
  metrics?: Record<string, number>;
  message?: string;
  /** Facts of rare events with no field of their own (prot, capability, mount source …). */
  details?: Record<string, string>;
  detections?: Detection[];
  severity: Severity;
  truncated?: Truncation[];
  synthetic?: boolean;
}

/** Entity id of a process, used wherever one string must name it. */
export function entityId(key: ProcessKey): string {
  return `${key.pid}-${key.startNs}`;
}

/** Builds an event id from a WAL position. */
export function eventIdOf(lane: Lane, seq: number): number {
  return seq * 2 + (lane === 'observability' ? 1 : 0);
}

/** The WAL position an event id stands for. */
export function walPositionOf(eventId: number): { lane: Lane; seq: number } {
  return { lane: eventId % 2 === 1 ? 'observability' : 'security', seq: Math.floor(eventId / 2) };
}
