/**
 * The fields a query may name: one short name each, with the names ECS and Sigma use for the same thing as aliases,
 * what kind of value it has, and where an event holds it. This table is the only place that knows.
 */
import { dlpConfidence, dlpContainment, dlpCount } from '../dlp-summary.ts';
import { EVENT_TYPES, LANES, SEVERITIES, type SentinelEvent } from '../event.ts';

/**
 * How a value is compared:
 * path: the whole path, or its last component when the pattern has no separator; keyword: the whole value;
 * text: any part of the value; enum: one of a fixed list; number; severity: by rank; ip: address or network;
 * technique: itself and its sub-techniques; rule: the whole id or any part of the title.
 */
export type FieldKind =
  | 'path'
  | 'keyword'
  | 'text'
  | 'enum'
  | 'number'
  | 'severity'
  | 'ip'
  | 'technique'
  | 'rule';

export type FieldValue = string | number | undefined | readonly string[];

export interface Field {
  name: string;
  aliases: readonly string[];
  kind: FieldKind;
  /** One line for completion. */
  about: string;
  /** The values of an enum. */
  values?: readonly string[];
  get: (event: SentinelEvent) => FieldValue;
}

const commandLine = (argv: readonly string[] | undefined): string | undefined => argv?.join(' ');

function field(
  name: string,
  aliases: string,
  kind: FieldKind,
  about: string,
  get: (event: SentinelEvent) => FieldValue,
  values?: readonly string[],
): Field {
  return { name, aliases: aliases === '' ? [] : aliases.split(' '), kind, about, get, values };
}

export const FIELDS: readonly Field[] = [
  field('image', 'exe process.executable', 'path', 'path of the executable', (e) => e.process?.executable),
  field('name', 'process.name process', 'keyword', 'short name of the process', (e) => e.process?.name),
  field('cmd', 'cmdline commandline process.command_line process.args args', 'text', 'command line', (e) =>
    commandLine(e.process?.argv),
  ),
  field('pid', 'process.pid processid', 'number', 'process id', (e) => e.process?.pid),
  field(
    'ppid',
    'process.parent.pid parentprocessid parent.pid',
    'number',
    "parent's process id",
    (e) => e.process?.ppid ?? e.parent?.pid,
  ),
  field(
    'parent',
    'parentimage parent.image process.parent.executable',
    'path',
    "path of the parent's executable",
    (e) => e.parent?.executable ?? e.parent?.name,
  ),
  field('parent.name', 'process.parent.name', 'keyword', 'short name of the parent', (e) => e.parent?.name),
  field(
    'parent.cmd',
    'parentcommandline process.parent.command_line parent.cmdline',
    'text',
    "parent's command line",
    (e) => commandLine(e.parent?.argv),
  ),
  field('user', 'user.name username', 'keyword', 'name of the user', (e) => e.process?.user),
  field('uid', 'user.id process.real_user.id', 'number', 'real user id', (e) => e.process?.uid),
  field('euid', 'user.effective.id process.user.id', 'number', 'effective user id', (e) => e.process?.euid),
  field('gid', 'group.id process.group.id', 'number', 'group id', (e) => e.process?.gid),
  field('loginuid', 'auid', 'number', 'user id of the login', (e) => e.process?.loginuid),
  field(
    'cwd',
    'currentdirectory process.working_directory',
    'path',
    'working directory',
    (e) => e.process?.cwd,
  ),
  field('type', 'event.type event.category', 'enum', 'kind of event', (e) => e.type, EVENT_TYPES),
  field('action', 'event.action', 'keyword', 'what was done: exec, open, connect …', (e) => e.action),
  field('lane', '', 'enum', 'lane of the record', (e) => e.lane, LANES),
  field(
    'severity',
    'sev level event.severity',
    'severity',
    'info, low, medium, high, critical; comparable',
    (e) => SEVERITIES.indexOf(e.severity),
    SEVERITIES,
  ),
  field('file', 'path file.path targetfilename', 'path', 'path of the file', (e) => e.file?.path),
  field(
    'file.old',
    'oldpath sourcefilename file.old_path',
    'path',
    'path before a rename',
    (e) => e.file?.oldPath,
  ),
  field('bytes', 'file.bytes file.size', 'number', 'bytes of the file operation', (e) => e.file?.bytes),
  field('inode', 'file.inode', 'keyword', 'inode of the file', (e) => e.file?.inode),
  field('device', 'file.device', 'keyword', 'device of the file', (e) => e.file?.device),
  field('mode', 'file.mode', 'number', 'mode bits of the file', (e) => e.file?.mode),
  field(
    'ip',
    'dst.ip dstip destinationip destination.ip',
    'ip',
    'destination address',
    (e) => e.network?.dstIp,
  ),
  field(
    'port',
    'dst.port dstport destinationport destination.port',
    'number',
    'destination port',
    (e) => e.network?.dstPort,
  ),
  field('src.ip', 'srcip sourceip source.ip', 'ip', 'source address', (e) => e.network?.srcIp),
  field('src.port', 'srcport sourceport source.port', 'number', 'source port', (e) => e.network?.srcPort),
  field(
    'proto',
    'protocol network.transport network.protocol',
    'keyword',
    'tcp, udp …',
    (e) => e.network?.protocol,
  ),
  field('direction', 'network.direction', 'enum', 'direction of a connection', (e) => e.network?.direction, [
    'outbound',
    'inbound',
    'listen',
  ]),
  field('sent', 'network.bytes_sent source.bytes', 'number', 'bytes sent', (e) => e.network?.bytesSent),
  field(
    'received',
    'network.bytes_received destination.bytes',
    'number',
    'bytes received',
    (e) => e.network?.bytesReceived,
  ),
  field('verdict', 'network.verdict', 'keyword', 'allowed or denied', (e) => e.network?.verdict),
  field(
    'dns',
    'query queryname dns.query dns.question.name',
    'keyword',
    'name that was looked up',
    (e) => e.dns?.query,
  ),
  field('dns.type', 'recordtype dns.question.type', 'keyword', 'A, AAAA, TXT …', (e) => e.dns?.recordType),
  field('rule', 'rule.id rule.name rule.title', 'rule', 'id or title of a rule that matched', (e) =>
    e.detections?.flatMap((d) => [d.ruleId, d.title]),
  ),
  field('attack', 'technique mitre threat.technique.id', 'technique', 'ATT&CK technique of a match', (e) =>
    e.detections?.flatMap((d) => d.attack),
  ),
  field('rule.source', '', 'keyword', 'where the rule came from', (e) => e.detections?.map((d) => d.source)),
  field(
    'sha256',
    'hash hash.sha256 process.hash.sha256',
    'keyword',
    'SHA-256 of the executable',
    (e) => e.process?.hashes?.sha256,
  ),
  field(
    'blake3',
    'hash.blake3 process.hash.blake3',
    'keyword',
    'BLAKE3 of the executable',
    (e) => e.process?.hashes?.blake3,
  ),
  field('container', 'container.id containerid', 'keyword', 'container id', (e) => e.process?.containerId),
  field('cgroup', 'cgroupid', 'keyword', 'cgroup id', (e) => e.process?.cgroupId),
  field('session', 'sessionid', 'number', 'session id', (e) => e.process?.sessionId),
  field(
    'integrity',
    'integritylevel',
    'keyword',
    'system, elevated or user',
    (e) => e.process?.integrityLevel,
  ),
  field(
    'flag',
    'flags process.flags',
    'keyword',
    'memfd, deleted, setuid, script …',
    (e) => e.process?.flags,
  ),
  // No event holds it: process-tags.ts puts the tagged processes in its place.
  field('tag', 'process.tag', 'keyword', 'tag that somebody gave the process', () => undefined),
  field('exit', 'exitcode exit_code process.exit_code', 'number', 'exit code', (e) => e.process?.exitCode),
  field('signal', 'exitsignal', 'number', 'signal that ended the process', (e) => e.process?.exitSignal),
  field(
    'target',
    'target.image targetimage',
    'path',
    'the other process: its executable',
    (e) => e.target?.executable ?? e.target?.name,
  ),
  field('target.pid', 'targetprocessid', 'number', 'the other process: its id', (e) => e.target?.pid),
  field(
    'synthetic',
    '',
    'enum',
    'made by the agent to fill a series',
    (e) => (e.synthetic ? 'true' : 'false'),
    ['true', 'false'],
  ),
  field('gap.cause', 'gap', 'keyword', 'why records are missing', (e) => e.gap?.cause),
  field('gap.count', 'lost', 'number', 'how many records are missing', (e) => e.gap?.count),
  field('policy', 'policy.id', 'keyword', 'id of the policy that decided', (e) => e.decision?.policyId),
  field(
    'policy.version',
    '',
    'number',
    'version of the policy that decided',
    (e) => e.decision?.policyVersion,
  ),
  field('policy.state', '', 'keyword', 'state of the policy that decided', (e) => e.decision?.policyState),
  field('policy.hash', '', 'keyword', 'hash of the policy text that decided', (e) => e.decision?.policyHash),
  field('decides', 'decision.of', 'number', 'id of the event that was decided', (e) => e.decision?.eventId),
  field(
    'effect',
    'decision.effect',
    'keyword',
    'what came of a decision: applied, failed, none',
    (e) => e.decision?.effect.state,
  ),
  field(
    'mechanism',
    'decision.mechanism',
    'keyword',
    'what enforced a decision',
    (e) => e.decision?.effect.mechanism,
  ),
  field(
    'would',
    'decision.would',
    'enum',
    'decided but not acted upon',
    (e) => (e.decision ? String(e.decision.wouldBe) : undefined),
    ['true', 'false'],
  ),
  field(
    'dlp.verdict',
    'dlp',
    'keyword',
    'what looking for protected data came to: match, unscannable, skipped',
    (e) => e.dlp?.verdict,
  ),
  field('dlp.rule', '', 'keyword', 'rule whose data was found', (e) => e.dlp?.matches.map((m) => m.rule)),
  field('dlp.index', '', 'keyword', 'index whose data was found', (e) => e.dlp?.matches.map((m) => m.index)),
  field('dlp.kind', '', 'keyword', 'what was found: row, document, pattern or file', (e) =>
    e.dlp?.matches.map((m) => m.kind),
  ),
  field('dlp.type', '', 'keyword', 'type of the data: iban, card, document …', (e) =>
    e.dlp?.matches.map((m) => m.type),
  ),
  field('dlp.count', '', 'number', 'hits in the file', (e) => e.dlp && dlpCount(e.dlp)),
  field('dlp.confidence', '', 'number', 'highest confidence, percent', (e) => e.dlp && dlpConfidence(e.dlp)),
  field('dlp.containment', '', 'number', 'largest share of a protected document, percent', (e) =>
    e.dlp === undefined ? undefined : dlpContainment(e.dlp),
  ),
  field('dlp.destination', '', 'keyword', 'removable, network_share, archive …', (e) => e.dlp?.destination),
  field('dlp.mount', '', 'path', 'where the medium or share is mounted', (e) => e.dlp?.mount),
  field('dlp.trigger', '', 'keyword', 'what led to the look: close_write, rename …', (e) => e.dlp?.trigger),
  field('dlp.reason', '', 'keyword', 'why it could not be looked at', (e) => e.dlp?.reasonCode),
  field('dlp.source', '', 'path', 'protected file that was read before', (e) =>
    e.dlp?.sources?.map((source) => source.path),
  ),
  field('dlp.quarantine', '', 'keyword', 'id in the quarantine', (e) => e.dlp?.quarantineId),
  field('message', 'msg', 'text', 'message', (e) => e.message),
  field('metric', '', 'keyword', 'name of a metric', (e) => (e.metrics ? Object.keys(e.metrics) : undefined)),
  field('detail', 'details', 'text', 'facts of rare events as key=value', (e) =>
    e.details ? Object.entries(e.details).map(([key, value]) => `${key}=${value}`) : undefined,
  ),
  field('truncated', '', 'keyword', 'name of a field that was cut', (e) =>
    e.truncated?.map((cut) => cut.field),
  ),
  field('boot', 'bootid host.boot.id', 'keyword', 'boot id', (e) => e.bootId),
  field('seq', 'event.sequence', 'number', "sequence number in its lane's log", (e) =>
    Math.floor(e.eventId / 2),
  ),
  field('id', 'eventid event.id', 'number', 'event id', (e) => e.eventId),
];

/** What free words look at: command line, paths, names and messages. */
export const TEXT_FIELDS: readonly string[] = ['cmd', 'image', 'name', 'file', 'file.old', 'dns', 'message'];

/** Words with a meaning of their own in front of a colon. */
export const TIME_FIELDS: readonly string[] = ['last', 'since', 'until', 'ts'];

const BY_NAME = new Map<string, Field>();
for (const entry of FIELDS) {
  for (const name of [entry.name, ...entry.aliases]) BY_NAME.set(name.toLowerCase(), entry);
}
const TIME_ALIASES = new Map<string, string>([
  ['last', 'last'],
  ['since', 'since'],
  ['after', 'since'],
  ['from', 'since'],
  ['until', 'until'],
  ['before', 'until'],
  ['to', 'until'],
  ['ts', 'ts'],
  ['time', 'ts'],
  ['@timestamp', 'ts'],
]);

/** A field by any of its names, in any case. */
export function findField(name: string): Field | undefined {
  return BY_NAME.get(name.toLowerCase());
}

/** The field with that short name; it must exist. */
export function fieldNamed(name: string): Field {
  const found = BY_NAME.get(name);
  if (!found) throw new RangeError(`no field named ${name}`);
  return found;
}

/** `last`, `since`, `until` or `ts` for any name of it. */
export function findTimeField(name: string): string | undefined {
  return TIME_ALIASES.get(name.toLowerCase());
}

/** Edits between two short words (Levenshtein), at most `limit` + 1. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The closest of the candidates, when it is close enough to be what was meant. */
export function closest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase();
  if (wanted.length > 40) return undefined;
  let best: string | undefined;
  let bestDistance = wanted.length <= 3 ? 1 : 2;
  let found = false;
  for (const candidate of candidates) {
    const edits = distance(wanted, candidate.toLowerCase(), bestDistance);
    if (edits < bestDistance || (edits === bestDistance && !found)) {
      best = candidate;
      bestDistance = edits;
      found = true;
    }
  }
  return best;
}

/** Every name a field can be called by, short names first. */
export function allFieldNames(): string[] {
  return [...FIELDS.map((entry) => entry.name), ...TIME_FIELDS, 'has', ...BY_NAME.keys()];
}
