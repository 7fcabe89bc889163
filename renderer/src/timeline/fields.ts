/**
 * The fields of an event as people see them: every leaf of its JSON with its path, and the name the query language
 * has for it, where it has one.
 */
import type { EventJson } from '../../../agent/api/contract.ts';
import { tryMessage } from '../i18n/i18n.ts';
import { absoluteTime } from '../ui/format.ts';
import { commandLine } from './sentence.ts';

/** JSON path to query field. Array elements share the path of their array. */
const QUERY_FIELDS: Readonly<Record<string, string>> = {
  eventId: 'id',
  type: 'type',
  action: 'action',
  lane: 'lane',
  severity: 'severity',
  bootId: 'boot',
  message: 'message',
  synthetic: 'synthetic',
  'process.name': 'name',
  'process.executable': 'image',
  'process.pid': 'pid',
  'process.ppid': 'ppid',
  'process.user': 'user',
  'process.uid': 'uid',
  'process.euid': 'euid',
  'process.gid': 'gid',
  'process.loginuid': 'loginuid',
  'process.sessionId': 'session',
  'process.cwd': 'cwd',
  'process.integrityLevel': 'integrity',
  'process.cgroupId': 'cgroup',
  'process.containerId': 'container',
  'process.hashes.sha256': 'sha256',
  'process.hashes.blake3': 'blake3',
  'process.flags': 'flag',
  'process.exitCode': 'exit',
  'process.exitSignal': 'signal',
  'process.argv': 'cmd',
  'parent.name': 'parent.name',
  'parent.executable': 'parent',
  'parent.argv': 'parent.cmd',
  'parent.pid': 'ppid',
  'file.path': 'file',
  'file.oldPath': 'file.old',
  'file.bytes': 'bytes',
  'file.inode': 'inode',
  'file.device': 'device',
  'file.mode': 'mode',
  'network.protocol': 'proto',
  'network.srcIp': 'src.ip',
  'network.srcPort': 'src.port',
  'network.dstIp': 'ip',
  'network.dstPort': 'port',
  'network.direction': 'direction',
  'network.bytesSent': 'sent',
  'network.bytesReceived': 'received',
  'network.verdict': 'verdict',
  'dns.query': 'dns',
  'dns.recordType': 'dns.type',
  'target.executable': 'target',
  'target.pid': 'target.pid',
  'gap.cause': 'gap.cause',
  'gap.count': 'gap.count',
  'detections.ruleId': 'rule',
  'detections.title': 'rule',
  'detections.attack': 'attack',
  'detections.source': 'rule.source',
  'truncated.field': 'truncated',
  'dlp.verdict': 'dlp.verdict',
  'dlp.matches.rule': 'dlp.rule',
  'dlp.matches.index': 'dlp.index',
  'dlp.matches.type': 'dlp.type',
  'dlp.destination': 'dlp.destination',
  'dlp.mount': 'dlp.mount',
  'dlp.trigger': 'dlp.trigger',
  'dlp.reasonCode': 'dlp.reason',
  'dlp.sources.path': 'dlp.source',
  'dlp.quarantineId': 'dlp.quarantine',
};

/** Paths of an event that hold a field of the query language: the first that has a value counts. */
const PATHS_OF = new Map<string, string[]>();
for (const [path, field] of Object.entries(QUERY_FIELDS)) {
  PATHS_OF.set(field, [...(PATHS_OF.get(field) ?? []), path]);
}

/** Fields that can be a column or a facet. */
export const FIELD_NAMES: readonly string[] = [...PATHS_OF.keys()].sort();

function at(value: unknown, steps: readonly string[]): unknown {
  let here = value;
  for (const step of steps) {
    if (Array.isArray(here)) here = here.map((item: unknown) => at(item, [step]));
    else if (typeof here === 'object' && here !== null) here = (here as Record<string, unknown>)[step];
    else return undefined;
  }
  return here;
}

/** What an event holds in a field of the query language, as text; undefined when it holds nothing there. */
export function fieldValue(event: EventJson, field: string): string | undefined {
  if (field === 'rule') return event.detections?.[0]?.ruleId;
  for (const path of PATHS_OF.get(field) ?? []) {
    const value = at(event, path.split('.'));
    if (value === undefined || value === null) continue;
    if (!Array.isArray(value)) return typeof value === 'string' ? value : JSON.stringify(value);
    const items = value.filter((item) => item !== undefined);
    if (items.length > 0) return field.endsWith('cmd') ? commandLine(items as string[]) : items.join(' ');
  }
  return undefined;
}

export interface Leaf {
  /** `process.argv[1]` */
  path: string;
  value: string;
  /** Name in the query language. */
  field: string | undefined;
  /** Bytes before the sensor cut it. */
  originalLength: string | undefined;
}

export function queryField(path: string): string | undefined {
  const plain = path.replace(/\[\d+\]/g, '');
  return QUERY_FIELDS[plain];
}

function walk(value: unknown, path: string, out: [string, string][]): void {
  if (value === undefined || value === null) return;
  if (Array.isArray(value)) value.forEach((item, at) => walk(item, `${path}[${at}]`, out));
  else if (typeof value === 'object') {
    for (const [key, item] of Object.entries(value)) walk(item, path === '' ? key : `${path}.${key}`, out);
  } else out.push([path, typeof value === 'string' ? value : JSON.stringify(value)]);
}

/** Does a truncation name this path? The sensor says `argv` or `process.argv`; both mean the array. */
function cutOf(event: EventJson, path: string): string | undefined {
  const plain = path.replace(/\[\d+\]/g, '');
  return event.truncated?.find(({ field }) => field === plain || plain.endsWith(`.${field}`))?.originalLength;
}

/** Every leaf of an event in the order of the contract. */
export function leavesOf(event: EventJson): Leaf[] {
  const pairs: [string, string][] = [];
  walk(event, '', pairs);
  return pairs.map(([path, value]) => ({
    path,
    value,
    field: queryField(path),
    originalLength: cutOf(event, path),
  }));
}

/** Original length of a field the sensor cut, by its short or full name. */
export function truncationOf(event: EventJson, path: string): string | undefined {
  return cutOf(event, path);
}

/** What else a value means: nanosecond times as times, modes as octal. */
export function gloss(path: string, value: string): string | undefined {
  if (/^(?:tsNs|gap\.(?:from|to)Ns)$/.test(path)) return absoluteTime(value);
  if (path === 'file.mode') return `0${(Number(value) & 0o7777).toString(8)}`;
  return undefined;
}

/** Name of a query field for people. */
export function fieldName(field: string): string {
  return tryMessage(`field.${field}`) ?? field;
}
