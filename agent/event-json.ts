/**
 * SentinelEvent to and from protobuf's JSON form (lowerCamelCase names, 64-bit integers as decimal strings,
 * absent fields left out). Both directions are written out field by field: the form is a contract.
 */
import {
  EVENT_TYPES,
  EVENT_VERSION,
  SEVERITIES,
  type ClauseOutcome,
  type DecisionInfo,
  type DlpInfo,
  type DlpMatchInfo,
  type EventType,
  type FileIdentity,
  type GapInfo,
  type Hashes,
  type ProcessInfo,
  type ProcessRef,
  type SentinelEvent,
  type Severity,
} from './event.ts';

type Json = Record<string, unknown>;

function text(value: bigint | number | undefined): string | undefined {
  return value === undefined ? undefined : value.toString();
}

/** JSON.stringify leaves out undefined members, so objects here may hold them. */
function refToJson(ref: ProcessRef): Json {
  return {
    pid: ref.pid,
    startNs: text(ref.startNs),
    name: ref.name,
    executable: ref.executable,
    argv: ref.argv,
    cwd: ref.cwd,
    uid: ref.uid,
    user: ref.user,
  };
}

/** Plain JSON object of a process. */
export function processToJson(info: ProcessInfo): Json {
  return {
    ...refToJson(info),
    ppid: info.ppid,
    parentStartNs: text(info.parentStartNs),
    euid: info.euid,
    gid: info.gid,
    loginuid: info.loginuid,
    sessionId: info.sessionId,
    integrityLevel: info.integrityLevel,
    cgroupId: info.cgroupId,
    containerId: info.containerId,
    hashes: info.hashes,
    flags: info.flags,
    exitCode: info.exitCode,
    exitSignal: info.exitSignal,
    tid: info.tid,
  };
}

export function gapToJson(gap: GapInfo): Json {
  return {
    lane: gap.lane,
    cause: gap.cause,
    count: text(gap.count),
    hook: gap.hook,
    cpu: gap.cpu,
    fromNs: text(gap.fromNs),
    toNs: text(gap.toNs),
    fromSeq: text(gap.fromSeq),
    toSeq: text(gap.toSeq),
    detail: gap.detail,
    signature: gap.signature,
  };
}

/** Plain JSON object of a decision, as its record and the API hold it. */
export function decisionToJson(decision: DecisionInfo): Json {
  return {
    decisionId: decision.decisionId,
    policyId: decision.policyId,
    policyVersion: decision.policyVersion,
    policyHash: decision.policyHash,
    policyTitle: decision.policyTitle,
    policyState: decision.policyState,
    severity: decision.severity,
    eventId: String(decision.eventId),
    evidence: decision.evidence,
    action: decision.action,
    wouldBe: decision.wouldBe,
    guardian: decision.guardian,
    effect: decision.effect,
    rationale: decision.rationale,
    latencyNs: {
      eventToDecision: text(decision.latencyNs.eventToDecision),
      decisionToEffect: text(decision.latencyNs.decisionToEffect),
    },
    aheadOfRecord: decision.aheadOfRecord,
  };
}

function dlpToJson(dlp: DlpInfo): Json {
  return {
    verdict: dlp.verdict,
    trigger: dlp.trigger,
    destination: dlp.destination,
    mount: dlp.mount,
    reasonCode: dlp.reasonCode,
    reason: dlp.reason,
    bytes: text(dlp.bytes),
    members: dlp.members,
    tookMs: dlp.tookMs,
    ofEventId: text(dlp.ofEventId),
    matches: dlp.matches.map((match) => ({
      ...match,
      count: text(match.count),
      offset: text(match.offset),
      length: text(match.length),
    })),
    matchesTotal: dlp.matchesTotal,
    sources: dlp.sources?.map((source) => ({ ...source, tsNs: text(source.tsNs) })),
    quarantineId: dlp.quarantineId,
  };
}

/** Plain JSON object of an event; pass it to JSON.stringify. Shape: `EventJson` of api/contract.ts. */
export function eventToJson(event: SentinelEvent): Json {
  const { file, network } = event;
  return {
    eventId: String(event.eventId),
    eventVersion: EVENT_VERSION,
    type: event.type,
    action: event.action,
    lane: event.lane,
    tsNs: event.tsNs.toString(),
    sensorSeq: text(event.sensorSeq),
    bootId: event.bootId,
    deviceId: event.deviceId,
    tenantId: event.tenantId,
    process: event.process && processToJson(event.process),
    parent: event.parent && refToJson(event.parent),
    ancestry: event.ancestry,
    file: file && {
      path: file.path,
      op: file.op,
      oldPath: file.oldPath,
      bytes: text(file.bytes),
      inode: file.inode,
      device: file.device,
      mode: file.mode,
      flags: file.flags,
    },
    network: network && {
      protocol: network.protocol,
      srcIp: network.srcIp,
      srcPort: network.srcPort,
      dstIp: network.dstIp,
      dstPort: network.dstPort,
      direction: network.direction,
      bytesSent: text(network.bytesSent),
      bytesReceived: text(network.bytesReceived),
      verdict: network.verdict,
    },
    dns: event.dns,
    target: event.target && refToJson(event.target),
    gap: event.gap && gapToJson(event.gap),
    decision: event.decision && decisionToJson(event.decision),
    dlp: event.dlp && dlpToJson(event.dlp),
    metrics: event.metrics,
    message: event.message,
    details: event.details,
    detections: event.detections,
    severity: event.severity,
    truncated: event.truncated?.map((cut) => ({
      field: cut.field,
      originalLength: String(cut.originalLength),
    })),
    synthetic: event.synthetic === true ? true : undefined,
  };
}

function num(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && value !== '' ? Number(value) : undefined;
}

function big(value: unknown): bigint | undefined {
  return typeof value === 'string' || typeof value === 'number' ? BigInt(value) : undefined;
}

function str(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function strings(value: unknown): string[] | undefined {
  return Array.isArray(value) ? value.map(String) : undefined;
}

/** Removes undefined members so that a round trip gives back an equal object. */
function compact<T extends object>(value: T): T {
  for (const key of Object.keys(value) as (keyof T)[]) if (value[key] === undefined) delete value[key];
  return value;
}

function refFromJson(json: Json): ProcessRef {
  return compact({
    pid: num(json['pid']) ?? 0,
    startNs: big(json['startNs']) ?? 0n,
    name: str(json['name']) ?? '',
    executable: str(json['executable']),
    argv: strings(json['argv']),
    cwd: str(json['cwd']),
    uid: num(json['uid']),
    user: str(json['user']),
  });
}

function processFromJson(json: Json): ProcessInfo {
  return compact({
    ...refFromJson(json),
    ppid: num(json['ppid']),
    parentStartNs: big(json['parentStartNs']),
    euid: num(json['euid']),
    gid: num(json['gid']),
    loginuid: num(json['loginuid']),
    sessionId: num(json['sessionId']),
    integrityLevel: str(json['integrityLevel']),
    cgroupId: str(json['cgroupId']),
    containerId: str(json['containerId']),
    hashes: json['hashes'] as ProcessInfo['hashes'],
    flags: strings(json['flags']),
    exitCode: num(json['exitCode']),
    exitSignal: num(json['exitSignal']),
    tid: num(json['tid']),
  });
}

export function gapFromJson(json: Json): GapInfo {
  return compact({
    lane: json['lane'] === 'observability' ? 'observability' : 'security',
    cause: str(json['cause']) ?? 'unknown',
    count: num(json['count']),
    hook: str(json['hook']),
    cpu: num(json['cpu']),
    fromNs: big(json['fromNs']) ?? 0n,
    toNs: big(json['toNs']) ?? 0n,
    fromSeq: num(json['fromSeq']),
    toSeq: num(json['toSeq']),
    detail: str(json['detail']),
    signature: str(json['signature']),
  } satisfies GapInfo);
}

function clausesFromJson(value: unknown): ClauseOutcome[] {
  if (!Array.isArray(value)) return [];
  return (value as Json[]).map((clause) => ({
    text: str(clause['text']) ?? '',
    value: str(clause['value']) ?? '',
    result: str(clause['result']) ?? '',
  }));
}

/** Throws TypeError when the policy or the event it is about is not named. */
export function decisionFromJson(json: Json): DecisionInfo {
  const policyId = str(json['policyId']);
  const eventId = num(json['eventId']);
  if (policyId === undefined || eventId === undefined) throw new TypeError('not a decision');
  const effect = (json['effect'] ?? {}) as Json;
  const rationale = (json['rationale'] ?? {}) as Json;
  const latency = (json['latencyNs'] ?? {}) as Json;
  const severity = json['severity'] as Severity;
  return {
    decisionId: str(json['decisionId']) ?? '',
    policyId,
    policyVersion: num(json['policyVersion']) ?? 0,
    policyHash: str(json['policyHash']) ?? '',
    policyTitle: str(json['policyTitle']) ?? '',
    policyState: str(json['policyState']) ?? '',
    severity: SEVERITIES.includes(severity) ? severity : 'info',
    eventId,
    evidence: strings(json['evidence']) ?? [],
    action: str(json['action']) ?? '',
    wouldBe: json['wouldBe'] === true,
    guardian: str(json['guardian']) ?? '',
    effect: compact({
      state: str(effect['state']) ?? '',
      mechanism: str(effect['mechanism']) ?? '',
      guarantee: str(effect['guarantee']) ?? '',
      error: str(effect['error']),
    }),
    rationale: {
      clauses: clausesFromJson(rationale['clauses']),
      nearMisses: clausesFromJson(rationale['nearMisses']),
    },
    latencyNs: compact({
      eventToDecision: num(latency['eventToDecision']),
      decisionToEffect: num(latency['decisionToEffect']),
    }),
    aheadOfRecord: json['aheadOfRecord'] === true,
  };
}

function dlpMatchFromJson(json: Json): DlpMatchInfo {
  return compact({
    index: str(json['index']) ?? '',
    rule: str(json['rule']) ?? '',
    kind: str(json['kind']) ?? '',
    type: str(json['type']) ?? '',
    count: num(json['count']) ?? 0,
    offset: num(json['offset']) ?? 0,
    length: num(json['length']) ?? 0,
    rowRef: str(json['rowRef']),
    confidence: num(json['confidence']) ?? 0,
    containment: num(json['containment']),
    secondaries: strings(json['secondaries']),
    member: str(json['member']),
  });
}

function dlpFromJson(json: Json): DlpInfo {
  const matches = Array.isArray(json['matches']) ? (json['matches'] as Json[]) : [];
  const sources = json['sources'] as Json[] | undefined;
  return compact({
    verdict: str(json['verdict']) ?? '',
    trigger: str(json['trigger']) ?? '',
    destination: str(json['destination']) ?? '',
    mount: str(json['mount']),
    reasonCode: str(json['reasonCode']),
    reason: str(json['reason']),
    bytes: num(json['bytes']) ?? 0,
    members: num(json['members']),
    tookMs: num(json['tookMs']) ?? 0,
    ofEventId: num(json['ofEventId']) ?? 0,
    matches: matches.map(dlpMatchFromJson),
    matchesTotal: num(json['matchesTotal']) ?? matches.length,
    sources: sources?.map((source) => ({
      path: str(source['path']) ?? '',
      rules: strings(source['rules']) ?? [],
      entityId: str(source['entityId']) ?? '',
      name: str(source['name']) ?? '',
      tsNs: big(source['tsNs']) ?? 0n,
    })),
    quarantineId: str(json['quarantineId']),
  });
}

/**
 * Event from its JSON form. Throws TypeError when `type` or `tsNs` is missing or not known; other members that are
 * absent stay absent.
 */
export function eventFromJson(json: Json): SentinelEvent {
  const type = json['type'] as EventType;
  if (!EVENT_TYPES.includes(type)) throw new TypeError(`unknown event type ${String(json['type'])}`);
  const tsNs = big(json['tsNs']);
  if (tsNs === undefined) throw new TypeError('event has no tsNs');
  const severity = json['severity'] as Severity;
  const file = json['file'] as Json | undefined;
  const network = json['network'] as Json | undefined;
  const object = (key: string): Json | undefined => json[key] as Json | undefined;
  const parent = object('parent');
  const target = object('target');
  const process = object('process');
  const gap = object('gap');
  const decision = object('decision');
  const dlp = object('dlp');
  return compact({
    eventId: num(json['eventId']) ?? 0,
    type,
    action: str(json['action']) ?? '',
    lane: json['lane'] === 'observability' ? 'observability' : 'security',
    tsNs,
    sensorSeq: big(json['sensorSeq']),
    bootId: str(json['bootId']),
    deviceId: str(json['deviceId']),
    tenantId: str(json['tenantId']),
    process: process && processFromJson(process),
    parent: parent && refFromJson(parent),
    ancestry: strings(json['ancestry']),
    file:
      file &&
      compact({
        path: str(file['path']) ?? '',
        op: str(file['op']) ?? '',
        oldPath: str(file['oldPath']),
        bytes: num(file['bytes']),
        inode: str(file['inode']),
        device: str(file['device']),
        mode: num(file['mode']),
        flags: num(file['flags']),
      }),
    network:
      network &&
      compact({
        protocol: str(network['protocol']) ?? '',
        srcIp: str(network['srcIp']),
        srcPort: num(network['srcPort']),
        dstIp: str(network['dstIp']),
        dstPort: num(network['dstPort']),
        direction: network['direction'] as 'outbound' | undefined,
        bytesSent: num(network['bytesSent']),
        bytesReceived: num(network['bytesReceived']),
        verdict: str(network['verdict']),
      }),
    dns: json['dns'] as SentinelEvent['dns'],
    target: target && refFromJson(target),
    gap: gap && gapFromJson(gap),
    decision: decision && decisionFromJson(decision),
    dlp: dlp && dlpFromJson(dlp),
    metrics: json['metrics'] as SentinelEvent['metrics'],
    message: str(json['message']),
    details: json['details'] as SentinelEvent['details'],
    detections: json['detections'] as SentinelEvent['detections'],
    severity: SEVERITIES.includes(severity) ? severity : 'info',
    truncated: (json['truncated'] as { field: string; originalLength: string }[] | undefined)?.map((cut) => ({
      field: cut.field,
      originalLength: Number(cut.originalLength),
    })),
    synthetic: json['synthetic'] === true ? true : undefined,
  } satisfies SentinelEvent);
}

/** Hashes of one state of a file, as the `hash` records of the log hold them. */
export interface FileHashes extends FileIdentity, Hashes {
  path: string;
}

/** Throws TypeError, SyntaxError when a member is missing or not a number. */
export function fileHashesFromJson(json: Json): FileHashes {
  return {
    dev: Number(json['dev']),
    inode: BigInt(String(json['inode'])),
    mtimeNs: BigInt(String(json['mtimeNs'])),
    ctimeNs: BigInt(String(json['ctimeNs'])),
    size: Number(json['size']),
    path: String(json['path']),
    sha256: String(json['sha256']),
    blake3: String(json['blake3']),
  };
}
