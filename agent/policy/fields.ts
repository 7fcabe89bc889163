/**
 * The variables a policy's conditions may use: names of ECS, and the Sigma names that people know, with their types.
 *
 * One table, one accessor each. A field that an event does not have is absent: reading it is an error to CEL, so the
 * condition does not hold (`has(field)` asks). The objects that CEL reads are made once and look at whatever event is
 * put before them: nothing is copied for an event.
 */
import { dlpConfidence, dlpContainment, dlpCount } from '../dlp-summary.ts';
import type { Detection, DlpMatchInfo, ProcessInfo, ProcessRef, SentinelEvent } from '../event.ts';
import { entityId } from '../event.ts';

export type FieldType = 'string' | 'int' | 'list<string>' | 'list<Detection>' | 'map<string, string>';

interface FieldSpec {
  type: FieldType;
  help: string;
  read: (event: SentinelEvent) => unknown;
}

function int(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(value);
}

function userOf(process: ProcessInfo | ProcessRef | undefined): string | undefined {
  return process?.user ?? (process?.uid === 0 ? 'root' : undefined);
}

function fileName(path: string | undefined): string | undefined {
  return path?.slice(path.lastIndexOf('/') + 1);
}

function text(help: string, read: (event: SentinelEvent) => string | undefined): FieldSpec {
  return { type: 'string', help, read };
}

function number(help: string, read: (event: SentinelEvent) => number | undefined): FieldSpec {
  return { type: 'int', help, read: (event) => int(read(event)) };
}

function list(help: string, read: (event: SentinelEvent) => readonly string[] | undefined): FieldSpec {
  return { type: 'list<string>', help, read };
}

const NONE: readonly string[] = [];

function overDetections(event: SentinelEvent, pick: (detection: Detection) => readonly string[]): string[] {
  return (event.detections ?? []).flatMap(pick);
}

function unique(matches: readonly DlpMatchInfo[], pick: (match: DlpMatchInfo) => string): string[] {
  return [...new Set(matches.map(pick))];
}

const FILE_TYPES: ReadonlySet<string> = new Set(['file', 'module', 'memory', 'dlp']);
const FILE_ACTIONS: ReadonlySet<string> = new Set(['io_uring', 'chroot', 'pivot_root']);

/** Whether events of a type and action can have the fields below `branch` at all. */
export function canHave(branch: string, type: string, action: string): boolean {
  switch (branch) {
    case 'file':
      return FILE_TYPES.has(type) || FILE_ACTIONS.has(action);
    case 'dlp':
      return type === 'dlp';
    case 'destination':
      return type === 'network' || type === 'dns';
    case 'source':
    case 'network':
      return type === 'network';
    case 'dns':
      return type === 'dns';
    default:
      return true;
  }
}

export const FIELDS: Readonly<Record<string, FieldSpec>> = {
  'event.type': text('process, file, network, dns, …', (e) => e.type),
  'event.action': text('exec, fork, open, create, write, connect, …', (e) => e.action),
  'event.severity': text('info, low, medium, high or critical', (e) => e.severity),
  'event.lane': text('security or observability', (e) => e.lane),
  'event.details': {
    type: 'map<string, string>',
    help: 'facts of rare events',
    read: (e) => e.details ?? {},
  },

  'process.pid': number('process id', (e) => e.process?.pid),
  'process.name': text('file name of the executable', (e) => e.process?.name),
  'process.executable': text(
    'path of the executable as the kernel resolved it',
    (e) => e.process?.executable,
  ),
  'process.args': list('one entry for each argument', (e) => e.process?.argv),
  'process.command_line': text('the arguments joined by blanks', (e) => e.process?.argv?.join(' ')),
  'process.working_directory': text('current directory', (e) => e.process?.cwd),
  'process.entity_id': text('pid and start time', (e) => e.process && entityId(e.process)),
  'process.flags': list(
    'any of memfd, deleted, setuid, setgid, script, kthread, writable_dir',
    (e) => e.process?.flags ?? NONE,
  ),
  'process.integrity_level': text('system, elevated or user', (e) => e.process?.integrityLevel),
  'process.session_id': number('session', (e) => e.process?.sessionId),
  'process.exit_code': number('exit code', (e) => e.process?.exitCode),
  'process.hash.sha256': text('SHA-256 of the executable', (e) => e.process?.hashes?.sha256),
  'process.hash.blake3': text('BLAKE3 of the executable', (e) => e.process?.hashes?.blake3),
  'process.parent.pid': number('process id of the parent', (e) => e.process?.ppid ?? e.parent?.pid),
  'process.parent.name': text('name of the parent', (e) => e.parent?.name),
  'process.parent.executable': text('executable of the parent', (e) => e.parent?.executable),
  'process.parent.args': list('arguments of the parent', (e) => e.parent?.argv),
  'process.parent.command_line': text('command line of the parent', (e) => e.parent?.argv?.join(' ')),
  'process.parent.working_directory': text('current directory of the parent', (e) => e.parent?.cwd),

  'user.name': text('name of the user', (e) => userOf(e.process)),
  'user.id': number('user id', (e) => e.process?.uid),
  'user.effective_id': number('effective user id', (e) => e.process?.euid),
  'user.login_id': number('user id at login', (e) => e.process?.loginuid),
  'container.id': text('container id', (e) => e.process?.containerId),
  'host.id': text('device id', (e) => e.deviceId),

  'file.path': text('path of the file', (e) => e.file?.path),
  'file.name': text('name of the file', (e) => fileName(e.file?.path)),
  'file.directory': text(
    'folder of the file',
    (e) => e.file?.path.slice(0, e.file.path.lastIndexOf('/')) || undefined,
  ),
  'file.old_path': text('path before a rename or link', (e) => e.file?.oldPath),
  'file.size': number('bytes', (e) => e.file?.bytes),
  'file.mode': text('permission bits, four octal digits', (e) =>
    e.file?.mode === undefined ? undefined : (e.file.mode & 0o7777).toString(8).padStart(4, '0'),
  ),

  'source.ip': text('address of this end', (e) => e.network?.srcIp),
  'source.port': number('port of this end', (e) => e.network?.srcPort),
  'destination.ip': text('address of the other end', (e) => e.network?.dstIp),
  'destination.port': number('port of the other end', (e) => e.network?.dstPort),
  'network.transport': text('tcp, udp, …', (e) => e.network?.protocol),
  'network.direction': text('outbound, inbound or listen', (e) => e.network?.direction),
  'dns.question.name': text('name that was asked for', (e) => e.dns?.query),
  'dns.question.type': text('A, AAAA, TXT, …', (e) => e.dns?.recordType),

  'target.pid': number('process id of the other process', (e) => e.target?.pid),
  'target.name': text('name of the other process', (e) => e.target?.name),
  'target.executable': text('executable of the other process', (e) => e.target?.executable),

  'dlp.verdict': text('match, unscannable or skipped', (e) => e.dlp?.verdict),
  'dlp.rule': list('rules whose data was found', (e) => e.dlp && unique(e.dlp.matches, (m) => m.rule)),
  'dlp.index': list('indexes whose data was found', (e) => e.dlp && unique(e.dlp.matches, (m) => m.index)),
  'dlp.kind': list('row, document, pattern, file', (e) => e.dlp && unique(e.dlp.matches, (m) => m.kind)),
  'dlp.type': list('types of the data found', (e) => e.dlp && unique(e.dlp.matches, (m) => m.type)),
  'dlp.count': number('hits in the file', (e) => e.dlp && dlpCount(e.dlp)),
  'dlp.confidence': number('highest confidence, percent', (e) => e.dlp && dlpConfidence(e.dlp)),
  'dlp.containment': number('largest share of a protected document, percent', (e) =>
    e.dlp === undefined ? undefined : dlpContainment(e.dlp),
  ),
  'dlp.destination': text(
    'removable, network_share, browser_profile, archive, git_push, watched or local',
    (e) => e.dlp?.destination,
  ),
  'dlp.mount': text('where the medium or share is mounted', (e) => e.dlp?.mount),
  'dlp.trigger': text('close_write, rename, open, connect, push or scan', (e) => e.dlp?.trigger),
  'dlp.reason': text('why the file could not be looked at', (e) => e.dlp?.reasonCode),
  'dlp.source': list(
    'protected files that the process or one close to it opened before',
    (e) => e.dlp && (e.dlp.sources ?? []).map(({ path }) => path),
  ),

  'detection.ids': list('ids of the rules that matched', (e) => overDetections(e, (d) => [d.ruleId])),
  'detection.levels': list('their levels', (e) => overDetections(e, (d) => [d.level])),
  'detection.techniques': list('their ATT&CK techniques', (e) => overDetections(e, (d) => d.attack)),
  'detection.sources': list('bundled, imported, indicator, …', (e) => overDetections(e, (d) => [d.source])),
  detections: {
    type: 'list<Detection>',
    help: 'each with id, title, level, source, techniques',
    read: (e) => (e.detections ?? []).map((detection) => new DetectionView(detection)),
  },
};

/** Sigma's names, which mean the same. */
export const ALIASES: Readonly<Record<string, string>> = {
  Image: 'process.executable',
  CommandLine: 'process.command_line',
  CurrentDirectory: 'process.working_directory',
  ParentImage: 'process.parent.executable',
  ParentCommandLine: 'process.parent.command_line',
  ProcessId: 'process.pid',
  User: 'user.name',
  TargetFilename: 'file.path',
  DestinationIp: 'destination.ip',
  DestinationPort: 'destination.port',
  SourceIp: 'source.ip',
  SourcePort: 'source.port',
  QueryName: 'dns.question.name',
};

/** One detection as conditions see it. */
export class DetectionView {
  readonly id: string;
  readonly title: string;
  readonly level: string;
  readonly source: string;
  readonly techniques: readonly string[];

  constructor(detection: Detection) {
    this.id = detection.ruleId;
    this.title = detection.title;
    this.level = detection.level;
    this.source = detection.source;
    this.techniques = detection.attack;
  }
}

export const DETECTION_FIELDS = {
  id: 'string',
  title: 'string',
  level: 'string',
  source: 'string',
  techniques: 'list<string>',
};

/** The event that conditions look at now. */
const looking: { event: SentinelEvent | undefined } = { event: undefined };

export interface Branch {
  /** Dotted path; empty for the root. */
  path: string;
  ctor: new () => object;
  /** Member name to CEL type. */
  members: Map<string, string>;
  branches: Branch[];
}

/** Name of the CEL type of a branch. */
export function typeNameOf(path: string): string {
  const words = path
    .split('.')
    .map((part) => (part[0] ?? '').toUpperCase() + part.slice(1))
    .join('');
  return `${words}Fields`;
}

function branchAt(path: string): Branch {
  // CEL tells types apart by constructor, so each branch has one of its own.
  const ctor = class {
    readonly branch = path;
  };
  const branch: Branch = { path, ctor, members: new Map(), branches: [] };
  const prefix = path === '' ? '' : `${path}.`;
  for (const [name, spec] of Object.entries({ ...FIELDS, ...aliasSpecs() })) {
    if (!name.startsWith(prefix)) continue;
    const [member = '', ...below] = name.slice(prefix.length).split('.');
    if (branch.members.has(member)) continue;
    if (below.length === 0) {
      branch.members.set(member, spec.type);
      const { read } = spec;
      Object.defineProperty(ctor.prototype, member, {
        enumerable: true,
        get: () => read(looking.event as SentinelEvent),
      });
    } else {
      const child = branchAt(`${prefix}${member}`);
      branch.branches.push(child);
      branch.members.set(member, typeNameOf(child.path));
      const view = new child.ctor();
      Object.defineProperty(ctor.prototype, member, { enumerable: true, get: () => view });
    }
  }
  return branch;
}

function aliasSpecs(): Record<string, FieldSpec> {
  return Object.fromEntries(
    Object.entries(ALIASES).map(([alias, name]) => [alias, FIELDS[name] as FieldSpec]),
  );
}

/** The tree of objects that CEL reads; its root's members are the variables. */
export const ROOT = branchAt('');
const context = new ROOT.ctor();

/** What CEL reads while it looks at `event`. Valid until the next call. */
export function contextOf(event: SentinelEvent): object {
  looking.event = event;
  return context;
}

/** Reads one field by its dotted path or alias, as CEL would see it. */
export function readField(event: SentinelEvent, path: string): unknown {
  return FIELDS[ALIASES[path] ?? path]?.read(event);
}

/** Every name a condition may use, for completion and for the nearest to a misspelt one. */
export function fieldNames(): string[] {
  return [...Object.keys(FIELDS), ...Object.keys(ALIASES)];
}
