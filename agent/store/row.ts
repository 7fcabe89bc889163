/**
 * One event to one row of a chunk and back, exactly: columns for its members, numbers into the dictionary for text,
 * and JSON for rare and unknown members.
 */
import {
  EVENT_TYPES,
  SEVERITIES,
  type Detection,
  type FileInfo,
  type NetworkInfo,
  type SentinelEvent,
} from '../event.ts';
import type { EventBlock, StagedEvents } from './blocks.ts';
import { joinHalves, splitHigh, splitLow } from './column-pack.ts';
import type { DictionaryReader, DictionaryWriter } from './dictionary.ts';
import { packJson, unpackJson } from './json.ts';
import { COLD, Flag, HOT, Kind } from './schema.ts';
import { assignPresent, strangers, type Snapshot } from './snapshot.ts';

const KNOWN_EVENT: ReadonlySet<string> = new Set(
  (
    'eventId type action lane tsNs sensorSeq bootId deviceId tenantId process parent ancestry file network dns target ' +
    'gap metrics message details detections severity truncated synthetic'
  ).split(' '),
);
const KNOWN_FILE: ReadonlySet<string> = new Set('path op oldPath bytes inode device mode flags'.split(' '));
const KNOWN_NETWORK: ReadonlySet<string> = new Set(
  'protocol srcIp srcPort dstIp dstPort direction bytesSent bytesReceived verdict'.split(' '),
);
const KNOWN_DNS: ReadonlySet<string> = new Set(['query', 'recordType']);

/** What has no column. Most events have none. */
export interface Rest {
  /** `file.op`, when it is not the action. */
  op?: string;
  /** `file.inode`, when it is not a plain number. */
  inode?: string;
  /** Members of file, network and dns that are not known here. */
  file?: Record<string, unknown>;
  network?: Record<string, unknown>;
  dns?: Record<string, unknown>;
  /** Members of the event as they are: target, gap, metrics, details, truncated and unknown ones. */
  event?: Partial<SentinelEvent>;
}

/** The inode as a number, when its text is that of one. */
function inodeNumber(inode: string | undefined): number | undefined {
  if (inode === undefined) return undefined;
  const value = Number(inode);
  return Number.isSafeInteger(value) && String(value) === inode ? value : undefined;
}

function restOf(event: SentinelEvent): string | undefined {
  const { file, network, dns, target, gap, metrics, details, truncated } = event;
  let rest: Rest | undefined;
  if (file && file.op !== event.action) rest = { op: file.op };
  if (file?.inode !== undefined && inodeNumber(file.inode) === undefined) {
    rest ??= {};
    rest.inode = file.inode;
  }
  const ofFile = file && strangers(file, KNOWN_FILE);
  const ofNetwork = network && strangers(network, KNOWN_NETWORK);
  const ofDns = dns && strangers(dns, KNOWN_DNS);
  let ofEvent: Partial<SentinelEvent> | undefined = strangers(event, KNOWN_EVENT);
  if (target || gap || metrics || details || truncated) {
    ofEvent ??= {};
    if (target) ofEvent.target = target;
    if (gap) ofEvent.gap = gap;
    if (metrics) ofEvent.metrics = metrics;
    if (details) ofEvent.details = details;
    if (truncated) ofEvent.truncated = truncated;
  }
  if (ofFile || ofNetwork || ofDns || ofEvent) {
    rest ??= {};
    if (ofFile) rest.file = ofFile;
    if (ofNetwork) rest.network = ofNetwork;
    if (ofDns) rest.dns = ofDns;
    if (ofEvent) rest.event = ofEvent;
  }
  return rest && packJson(rest);
}

const ABSENT = Number.NaN;

/**
 * Writes the event into row `zone.rows` of the staged chunk (whose zone the caller then grows). Returns the JSON of
 * what has no column, if there is such.
 */
export function encodeRow(
  event: SentinelEvent,
  action: number,
  severity: number,
  extraFlags: number,
  snapshot: number,
  words: DictionaryWriter,
  staged: StagedEvents,
): string | undefined {
  const { file, network, dns, process, sensorSeq } = event;
  const { hot, cold } = staged;
  const row = staged.zone.rows;
  const rest = restOf(event);
  let flags = extraFlags;
  if (event.lane === 'observability') flags |= Flag.observability;
  if (event.synthetic === true) flags |= Flag.synthetic;
  if (event.detections) flags |= event.detections.length > 0 ? Flag.detections : Flag.noDetections;
  if (file) flags |= Flag.file;
  if (network) flags |= Flag.network;
  if (dns) flags |= Flag.dns;
  if (rest !== undefined) flags |= Flag.more;
  hot[HOT.tsHi]![row] = splitHigh(event.tsNs);
  hot[HOT.tsLo]![row] = splitLow();
  hot[HOT.id]![row] = event.eventId;
  hot[HOT.action]![row] = action;
  hot[HOT.severity]![row] = severity;
  hot[HOT.flags]![row] = flags;
  hot[HOT.snap]![row] = snapshot;
  hot[HOT.path]![row] = file ? (words.text(file.path) ?? ABSENT) : ABSENT;
  hot[HOT.oldPath]![row] = file ? (words.text(file.oldPath) ?? ABSENT) : ABSENT;
  hot[HOT.dst]![row] = network ? (words.kind(Kind.ip, network.dstIp) ?? ABSENT) : ABSENT;
  hot[HOT.src]![row] = network ? (words.kind(Kind.ip, network.srcIp) ?? ABSENT) : ABSENT;
  hot[HOT.dport]![row] = network?.dstPort ?? ABSENT;
  hot[HOT.sport]![row] = network?.srcPort ?? ABSENT;
  hot[HOT.dns]![row] = dns ? (words.text(dns.query) ?? ABSENT) : ABSENT;
  hot[HOT.message]![row] = words.text(event.message) ?? ABSENT;
  cold[COLD.context]![row] = words.contextOf(event.bootId, event.deviceId, event.tenantId) ?? ABSENT;
  cold[COLD.seqHi]![row] = sensorSeq === undefined ? ABSENT : splitHigh(sensorSeq);
  cold[COLD.seqLo]![row] = sensorSeq === undefined ? ABSENT : splitLow();
  cold[COLD.tid]![row] = process?.tid ?? ABSENT;
  cold[COLD.exitCode]![row] = process?.exitCode ?? ABSENT;
  cold[COLD.exitSignal]![row] = process?.exitSignal ?? ABSENT;
  cold[COLD.bytes]![row] = file?.bytes ?? ABSENT;
  cold[COLD.mode]![row] = file?.mode ?? ABSENT;
  cold[COLD.oflags]![row] = file?.flags ?? ABSENT;
  cold[COLD.inode]![row] = inodeNumber(file?.inode) ?? ABSENT;
  cold[COLD.device]![row] = words.kind(Kind.label, file?.device) ?? ABSENT;
  cold[COLD.protocol]![row] = words.kind(Kind.label, network?.protocol) ?? ABSENT;
  cold[COLD.direction]![row] = words.kind(Kind.label, network?.direction) ?? ABSENT;
  cold[COLD.verdict]![row] = words.kind(Kind.label, network?.verdict) ?? ABSENT;
  cold[COLD.sent]![row] = network?.bytesSent ?? ABSENT;
  cold[COLD.received]![row] = network?.bytesReceived ?? ABSENT;
  cold[COLD.recordType]![row] = words.kind(Kind.label, dns?.recordType) ?? ABSENT;
  return rest;
}

/** Time of a row, ns. */
export function tsOf(block: EventBlock, row: number): bigint {
  return joinHalves(block.hot[HOT.tsHi]?.at(row) ?? 0, block.hot[HOT.tsLo]?.at(row) ?? 0);
}

/** What decoding a row needs besides its chunk. */
export interface RowContext {
  words: DictionaryReader;
  action: (id: number) => { type: number; action: string };
  snapshot: (id: number) => Snapshot | undefined;
  rest: (eventId: number) => string | undefined;
  detections: (eventId: number) => Detection[];
}

function fileOf(block: EventBlock, row: number, op: string, rest: Rest, words: DictionaryReader): FileInfo {
  const hot = (column: number): number | undefined => block.hot[column]?.get(row);
  const cold = (column: number): number | undefined => block.cold[column]?.get(row);
  const inode = cold(COLD.inode);
  const file: FileInfo = { path: words.raw(hot(HOT.path)) ?? '', op: rest.op ?? op };
  assignPresent(file, {
    oldPath: words.raw(hot(HOT.oldPath)),
    bytes: cold(COLD.bytes),
    inode: rest.inode ?? (inode === undefined ? undefined : String(inode)),
    device: words.raw(cold(COLD.device)),
    mode: cold(COLD.mode),
    flags: cold(COLD.oflags),
    ...rest.file,
  });
  return file;
}

function networkOf(block: EventBlock, row: number, rest: Rest, words: DictionaryReader): NetworkInfo {
  const hot = (column: number): number | undefined => block.hot[column]?.get(row);
  const cold = (column: number): number | undefined => block.cold[column]?.get(row);
  const network: NetworkInfo = { protocol: words.raw(cold(COLD.protocol)) ?? '' };
  assignPresent(network, {
    srcIp: words.raw(hot(HOT.src)),
    srcPort: hot(HOT.sport),
    dstIp: words.raw(hot(HOT.dst)),
    dstPort: hot(HOT.dport),
    direction: words.raw(cold(COLD.direction)),
    bytesSent: cold(COLD.sent),
    bytesReceived: cold(COLD.received),
    verdict: words.raw(cold(COLD.verdict)),
    ...rest.network,
  });
  return network;
}

/** The event of one row. */
export function decodeRow(block: EventBlock, row: number, context: RowContext): SentinelEvent {
  const { words } = context;
  const hot = (column: number): number | undefined => block.hot[column]?.get(row);
  const cold = (column: number): number | undefined => block.cold[column]?.get(row);
  const flags = hot(HOT.flags) ?? 0;
  const eventId = hot(HOT.id) ?? 0;
  const { type, action } = context.action(hot(HOT.action) ?? 0);
  const json = (flags & Flag.more) === 0 ? undefined : context.rest(eventId);
  const rest = json === undefined ? {} : (unpackJson(json) as Rest);
  const event: SentinelEvent = {
    eventId,
    type: EVENT_TYPES[type] ?? 'log',
    action,
    lane: (flags & Flag.observability) === 0 ? 'security' : 'observability',
    tsNs: tsOf(block, row),
    severity: SEVERITIES[hot(HOT.severity) ?? 0] ?? 'info',
  };
  const seqHi = cold(COLD.seqHi);
  if (seqHi !== undefined) event.sensorSeq = joinHalves(seqHi, cold(COLD.seqLo) ?? 0);
  const about = words.raw(cold(COLD.context));
  if (about !== undefined) {
    const [bootId, deviceId, tenantId] = JSON.parse(about) as (string | null)[];
    assignPresent(event, {
      bootId: bootId ?? undefined,
      deviceId: deviceId ?? undefined,
      tenantId: tenantId ?? undefined,
    });
  }
  const snap = hot(HOT.snap);
  const snapshot = snap === undefined ? undefined : context.snapshot(snap);
  if (snapshot?.process) {
    event.process = { ...snapshot.process };
    assignPresent(event.process, {
      tid: cold(COLD.tid),
      exitCode: cold(COLD.exitCode),
      exitSignal: cold(COLD.exitSignal),
    });
  }
  if (snapshot?.parent) event.parent = { ...snapshot.parent };
  if (snapshot?.ancestry) event.ancestry = [...snapshot.ancestry];
  if ((flags & Flag.file) !== 0) event.file = fileOf(block, row, action, rest, words);
  if ((flags & Flag.network) !== 0) event.network = networkOf(block, row, rest, words);
  if ((flags & Flag.dns) !== 0) {
    event.dns = { query: words.raw(hot(HOT.dns)) ?? '' };
    assignPresent(event.dns, { recordType: words.raw(cold(COLD.recordType)), ...rest.dns });
  }
  const message = words.raw(hot(HOT.message));
  if (message !== undefined) event.message = message;
  if (rest.event) Object.assign(event, rest.event);
  if ((flags & Flag.detections) !== 0) event.detections = context.detections(eventId);
  else if ((flags & Flag.noDetections) !== 0) event.detections = [];
  if ((flags & Flag.synthetic) !== 0) event.synthetic = true;
  return event;
}
