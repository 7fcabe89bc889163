/**
 * One event to one row and back, exactly: columns for what is filtered or sorted, numbers into the dictionary for
 * text, and a compact JSON remainder. What an event has beyond the known members goes into the remainder as it is.
 */
import {
  EVENT_TYPES,
  SEVERITIES,
  type Detection,
  type FileInfo,
  type NetworkInfo,
  type SentinelEvent,
} from '../event.ts';
import type { DictionaryReader, DictionaryWriter } from './dictionary.ts';
import { packJson, unpackJson } from './json.ts';
import { Flag, Kind } from './schema.ts';
import { strangers, type Cell, type Snapshot } from './snapshot.ts';

const KNOWN_EVENT = new Set([
  'eventId',
  'type',
  'action',
  'lane',
  'tsNs',
  'sensorSeq',
  'bootId',
  'deviceId',
  'tenantId',
  'process',
  'parent',
  'ancestry',
  'file',
  'network',
  'dns',
  'target',
  'gap',
  'metrics',
  'message',
  'details',
  'detections',
  'severity',
  'truncated',
  'synthetic',
]);
const KNOWN_FILE = new Set(['path', 'op', 'oldPath', 'bytes', 'inode', 'device', 'mode', 'flags']);
const KNOWN_NETWORK = new Set([
  'protocol',
  'srcIp',
  'srcPort',
  'dstIp',
  'dstPort',
  'direction',
  'bytesSent',
  'bytesReceived',
  'verdict',
]);
const KNOWN_DNS = new Set(['query', 'recordType']);

/** The remainder. Short names: it is written once for nearly every event. Arrays hold null for what is absent. */
interface Rest {
  /** tid, exitCode, exitSignal */
  p?: unknown[];
  /** bytes, inode, device, mode, flags, op when it differs from the action, further members */
  f?: unknown[];
  /** protocol, direction, bytesSent, bytesReceived, verdict, further members */
  n?: unknown[];
  /** recordType, further members */
  d?: unknown[];
  /** Members of the event as they are: target, gap, metrics, details, truncated and unknown ones. */
  e?: Record<string, unknown>;
}

/** An array without trailing absent entries. */
function trimmed(values: unknown[]): unknown[] | undefined {
  let length = values.length;
  while (length > 0 && (values[length - 1] === undefined || values[length - 1] === null)) length -= 1;
  if (length === 0) return undefined;
  values.length = length;
  return values;
}

/** The remainder as text. The replacer of packJson is slow, so rows of plain values go without it. */
function restOf(event: SentinelEvent): string | null {
  const { process, file, network, dns } = event;
  /** The remainder may hold what plain JSON cannot: bigint, NaN. */
  let special = false;
  let any = false;
  const rest: Rest = {};
  if (
    process &&
    (process.tid !== undefined || process.exitCode !== undefined || process.exitSignal !== undefined)
  ) {
    rest.p = [process.tid, process.exitCode, process.exitSignal];
    any = true;
  }
  if (file) {
    const extra = strangers(file, KNOWN_FILE);
    if (extra) special = true;
    const own = file.op === event.action ? undefined : file.op;
    rest.f = trimmed([file.bytes, file.inode, file.device, file.mode, file.flags, own, extra]);
    any ||= rest.f !== undefined;
  }
  if (network) {
    const extra = strangers(network, KNOWN_NETWORK);
    if (extra) special = true;
    const { protocol, direction, bytesSent, bytesReceived, verdict } = network;
    rest.n = [protocol, direction, bytesSent, bytesReceived, verdict, extra];
    any = true;
  }
  if (dns) {
    const extra = strangers(dns, KNOWN_DNS);
    if (extra) special = true;
    rest.d = trimmed([dns.recordType, extra]);
    any ||= rest.d !== undefined;
  }
  let more = strangers(event, KNOWN_EVENT);
  const { target, gap, metrics, details, truncated } = event;
  if (target || gap || metrics || details || truncated) {
    more ??= {};
    if (target) more['target'] = target;
    if (gap) more['gap'] = gap;
    if (metrics) more['metrics'] = metrics;
    if (details) more['details'] = details;
    if (truncated) more['truncated'] = truncated;
  }
  if (more) {
    rest.e = more;
    special = true;
    any = true;
  }
  if (!any) return null;
  const plain = special ? packJson(rest) : JSON.stringify(rest);
  return special || !plain.includes(String.raw`\u0001`) ? plain : packJson(rest);
}

/** Fills `into` with the values of EVENT_COLUMNS. */
export function encodeRow(
  event: SentinelEvent,
  action: number,
  snapshot: number | null,
  words: DictionaryWriter,
  into: Cell[],
): void {
  const { file, network, dns } = event;
  let flags = event.lane === 'observability' ? Flag.observability : 0;
  if (event.synthetic === true) flags |= Flag.synthetic;
  if (event.detections) flags |= event.detections.length > 0 ? Flag.detections : Flag.noDetections;
  if (file) flags |= Flag.file;
  if (network) flags |= Flag.network;
  if (dns) flags |= Flag.dns;
  into[0] = event.eventId;
  into[1] = event.tsNs;
  into[2] = action;
  into[3] = SEVERITIES.indexOf(event.severity);
  into[4] = flags;
  into[5] = snapshot;
  into[6] = file ? words.text(file.path) : null;
  into[7] = file ? words.text(file.oldPath) : null;
  into[8] = network ? words.kind(Kind.ip, network.dstIp) : null;
  into[9] = network ? words.kind(Kind.ip, network.srcIp) : null;
  into[10] = network?.dstPort ?? null;
  into[11] = network?.srcPort ?? null;
  into[12] = dns ? words.text(dns.query) : null;
  into[13] = words.text(event.message);
  into[14] = contextOf(event, words);
  into[15] = event.sensorSeq === undefined ? null : BigInt.asIntN(64, event.sensorSeq);
  into[16] = restOf(event);
}

function contextOf(event: SentinelEvent, words: DictionaryWriter): number | null {
  const { bootId, deviceId, tenantId } = event;
  if (bootId === undefined && deviceId === undefined && tenantId === undefined) return null;
  return words.kind(Kind.context, JSON.stringify([bootId ?? null, deviceId ?? null, tenantId ?? null]));
}

const id = (cell: Cell | undefined): number | null =>
  cell === null || cell === undefined ? null : Number(cell);

/** null in the remainder stands for absent. */
function assign(target: object, keys: readonly string[], values: readonly unknown[]): void {
  for (const [position, key] of keys.entries()) {
    const value = values[position];
    if (value !== null && value !== undefined) (target as Record<string, unknown>)[key] = value;
  }
  const extra = values[keys.length];
  if (extra) Object.assign(target, extra);
}

/** Decodes a row of EVENT_COLUMNS (integers may be bigint); detections are those stored for it. */
export function decodeRow(
  row: readonly Cell[],
  action: { type: number; action: string },
  snapshot: Snapshot | undefined,
  words: DictionaryReader,
  detections: Detection[],
): SentinelEvent {
  const flags = Number(row[4]);
  const text = row[16];
  const rest = typeof text === 'string' ? (unpackJson(text) as Rest) : {};
  const event: SentinelEvent = {
    eventId: Number(row[0]),
    type: EVENT_TYPES[action.type] ?? 'log',
    action: action.action,
    lane: (flags & Flag.observability) !== 0 ? 'observability' : 'security',
    tsNs: BigInt(row[1] ?? 0),
    severity: SEVERITIES[Number(row[3])] ?? 'info',
  };
  if (row[15] !== null) event.sensorSeq = BigInt.asUintN(64, BigInt(row[15] ?? 0));
  const context = words.raw(id(row[14]));
  if (context !== undefined) {
    assign(event, ['bootId', 'deviceId', 'tenantId'], JSON.parse(context) as (string | null)[]);
  }
  if (snapshot) {
    if (snapshot.process) event.process = { ...snapshot.process };
    if (event.process && rest.p) assign(event.process, ['tid', 'exitCode', 'exitSignal'], rest.p);
    if (snapshot.parent) event.parent = { ...snapshot.parent };
    if (snapshot.ancestry) event.ancestry = [...snapshot.ancestry];
  }
  if ((flags & Flag.file) !== 0) {
    const file: FileInfo = { path: words.raw(id(row[6])) ?? '', op: event.action };
    const oldPath = words.raw(id(row[7]));
    if (oldPath !== undefined) file.oldPath = oldPath;
    if (rest.f) assign(file, ['bytes', 'inode', 'device', 'mode', 'flags', 'op'], rest.f);
    event.file = file;
  }
  if ((flags & Flag.network) !== 0) {
    const network: NetworkInfo = { protocol: '' };
    const dstIp = words.raw(id(row[8]));
    const srcIp = words.raw(id(row[9]));
    if (srcIp !== undefined) network.srcIp = srcIp;
    if (row[11] !== null) network.srcPort = Number(row[11]);
    if (dstIp !== undefined) network.dstIp = dstIp;
    if (row[10] !== null) network.dstPort = Number(row[10]);
    if (rest.n) assign(network, ['protocol', 'direction', 'bytesSent', 'bytesReceived', 'verdict'], rest.n);
    event.network = network;
  }
  if ((flags & Flag.dns) !== 0) {
    event.dns = { query: words.raw(id(row[12])) ?? '' };
    if (rest.d) assign(event.dns, ['recordType'], rest.d);
  }
  const message = words.raw(id(row[13]));
  if (message !== undefined) event.message = message;
  if (rest.e) Object.assign(event, rest.e);
  if (detections.length > 0) event.detections = detections;
  else if ((flags & Flag.noDetections) !== 0) event.detections = [];
  if ((flags & Flag.synthetic) !== 0) event.synthetic = true;
  return event;
}
