/**
 * One event to one row and back, exactly: columns for its members, numbers into the dictionary for text, and a JSON
 * remainder for rare and unknown members.
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

/** The remainder: what has no column. Most events have none. */
interface Rest {
  /** `file.op`, when it is not the action. */
  op?: string;
  /** Members of file, network and dns that are not known here. */
  file?: Record<string, unknown>;
  network?: Record<string, unknown>;
  dns?: Record<string, unknown>;
  /** Members of the event as they are: target, gap, metrics, details, truncated and unknown ones. */
  event?: Record<string, unknown>;
}

function restOf(event: SentinelEvent): string | null {
  const { file, network, dns, target, gap, metrics, details, truncated } = event;
  let rest: Rest | undefined;
  if (file && file.op !== event.action) rest = { op: file.op };
  const ofFile = file && strangers(file, KNOWN_FILE);
  const ofNetwork = network && strangers(network, KNOWN_NETWORK);
  const ofDns = dns && strangers(dns, KNOWN_DNS);
  let ofEvent = strangers(event, KNOWN_EVENT);
  if (target || gap || metrics || details || truncated) {
    ofEvent ??= {};
    if (target) ofEvent['target'] = target;
    if (gap) ofEvent['gap'] = gap;
    if (metrics) ofEvent['metrics'] = metrics;
    if (details) ofEvent['details'] = details;
    if (truncated) ofEvent['truncated'] = truncated;
  }
  if (ofFile || ofNetwork || ofDns || ofEvent) {
    rest ??= {};
    if (ofFile) rest.file = ofFile;
    if (ofNetwork) rest.network = ofNetwork;
    if (ofDns) rest.dns = ofDns;
    if (ofEvent) rest.event = ofEvent;
  }
  return rest ? packJson(rest) : null;
}

/** A decimal number as one, so that it takes few bytes; any other text as it is. */
function inodeCell(inode: string | undefined): Cell {
  if (inode === undefined) return null;
  const value = Number(inode);
  return Number.isSafeInteger(value) && String(value) === inode ? value : inode;
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
  into[14] = words.contextOf(event.bootId, event.deviceId, event.tenantId);
  into[15] = event.sensorSeq === undefined ? null : BigInt.asIntN(64, event.sensorSeq);
  const { process } = event;
  into[16] = process?.tid ?? null;
  into[17] = process?.exitCode ?? null;
  into[18] = process?.exitSignal ?? null;
  into[19] = file?.bytes ?? null;
  into[20] = file?.mode ?? null;
  into[21] = file?.flags ?? null;
  into[22] = inodeCell(file?.inode);
  into[23] = words.kind(Kind.label, file?.device);
  into[24] = words.kind(Kind.label, network?.protocol);
  into[25] = words.kind(Kind.label, network?.direction);
  into[26] = words.kind(Kind.label, network?.verdict);
  into[27] = network?.bytesSent ?? null;
  into[28] = network?.bytesReceived ?? null;
  into[29] = words.kind(Kind.label, dns?.recordType);
  into[30] = restOf(event);
}

const id = (cell: Cell | undefined): number | null =>
  cell === null || cell === undefined ? null : Number(cell);

/** Sets members that are not absent. */
function assign(target: object, values: Record<string, unknown>): void {
  for (const key in values) {
    const value = values[key];
    if (value !== undefined) (target as Record<string, unknown>)[key] = value;
  }
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
  const text = row[30];
  const rest = typeof text === 'string' ? (unpackJson(text) as Rest) : {};
  const word = (column: number): string | undefined => words.raw(id(row[column]));
  const number = (column: number): number | undefined => id(row[column]) ?? undefined;
  const event: SentinelEvent = {
    eventId: Number(row[0]),
    type: EVENT_TYPES[action.type] ?? 'log',
    action: action.action,
    lane: (flags & Flag.observability) !== 0 ? 'observability' : 'security',
    tsNs: BigInt(row[1] ?? 0),
    severity: SEVERITIES[Number(row[3])] ?? 'info',
  };
  if (row[15] !== null) event.sensorSeq = BigInt.asUintN(64, BigInt(row[15] ?? 0));
  const context = word(14);
  if (context !== undefined) {
    const [bootId, deviceId, tenantId] = JSON.parse(context) as (string | null)[];
    assign(event, {
      bootId: bootId ?? undefined,
      deviceId: deviceId ?? undefined,
      tenantId: tenantId ?? undefined,
    });
  }
  if (snapshot) {
    if (snapshot.process) {
      event.process = { ...snapshot.process };
      assign(event.process, { tid: number(16), exitCode: number(17), exitSignal: number(18) });
    }
    if (snapshot.parent) event.parent = { ...snapshot.parent };
    if (snapshot.ancestry) event.ancestry = [...snapshot.ancestry];
  }
  if ((flags & Flag.file) !== 0) {
    const file: FileInfo = { path: word(6) ?? '', op: rest.op ?? event.action };
    const inode = row[22];
    assign(file, {
      oldPath: word(7),
      bytes: number(19),
      inode: inode === null || inode === undefined ? undefined : String(inode),
      device: word(23),
      mode: number(20),
      flags: number(21),
      ...rest.file,
    });
    event.file = file;
  }
  if ((flags & Flag.network) !== 0) {
    const network: NetworkInfo = { protocol: word(24) ?? '' };
    assign(network, {
      srcIp: word(9),
      srcPort: number(11),
      dstIp: word(8),
      dstPort: number(10),
      direction: word(25),
      bytesSent: number(27),
      bytesReceived: number(28),
      verdict: word(26),
      ...rest.network,
    });
    event.network = network;
  }
  if ((flags & Flag.dns) !== 0) {
    event.dns = { query: word(12) ?? '' };
    assign(event.dns, { recordType: word(29), ...rest.dns });
  }
  const message = word(13);
  if (message !== undefined) event.message = message;
  if (rest.event) Object.assign(event, rest.event);
  if (detections.length > 0) event.detections = detections;
  else if ((flags & Flag.noDetections) !== 0) event.detections = [];
  if ((flags & Flag.synthetic) !== 0) event.synthetic = true;
  return event;
}
