/**
 * The one table between our events and the names rules use: Sigma's taxonomy (Sysmon's names), ECS, and auditd's.
 *
 * A field that an event cannot fill is absent, never invented. `CommandLine` is the argument list joined by single
 * spaces, only for matching: the event keeps the list.
 */
import { dlpConfidence, dlpContainment, dlpCount } from '../dlp-summary.ts';
import { entityId } from '../event.ts';
import type { ProcessInfo, ProcessRef, SentinelEvent } from '../event.ts';

export type Accessor = (event: SentinelEvent) => unknown;
export type FieldTable = Readonly<Record<string, Accessor>>;

/** The last joined list: several views of one event, and children of one parent, ask for the same. */
const lastJoined: { argv: readonly string[] | undefined; text: string | undefined }[] = [
  { argv: undefined, text: undefined },
  { argv: undefined, text: undefined },
];

function joined(argv: readonly string[] | undefined, slot = 0): string | undefined {
  const last = lastJoined[slot] as (typeof lastJoined)[number];
  if (last.argv !== argv) {
    last.argv = argv;
    last.text = argv?.join(' ');
  }
  return last.text;
}

function userOf(process: ProcessInfo | ProcessRef | undefined): string | undefined {
  if (!process) return undefined;
  return process.user ?? (process.uid === 0 ? 'root' : undefined);
}

/** Sysmon's form: `SHA256=…,BLAKE3=…`. */
function hashesOf(event: SentinelEvent): string | undefined {
  const hashes = event.process?.hashes;
  return hashes && `SHA256=${hashes.sha256},BLAKE3=${hashes.blake3}`;
}

function keyOf(process: ProcessInfo | ProcessRef | undefined): string | undefined {
  return process && entityId(process);
}

/** ISO time in UTC with milliseconds. */
function timeOf(event: SentinelEvent): string {
  return new Date(Number(event.tsNs / 1_000_000n)).toISOString();
}

function fileName(path: string | undefined): string | undefined {
  return path?.slice(path.lastIndexOf('/') + 1);
}

/** What every event has: the acting process. */
const COMMON: FieldTable = {
  Image: (e) => e.process?.executable,
  ProcessId: (e) => e.process?.pid,
  ProcessGuid: (e) => keyOf(e.process),
  ProcessName: (e) => e.process?.name,
  User: (e) => userOf(e.process),
  LogonId: (e) => e.process?.uid,
  UtcTime: timeOf,
  '@timestamp': timeOf,
  'event.action': (e) => e.action,
  'event.category': (e) => e.type,
  'host.id': (e) => e.deviceId,
  'process.pid': (e) => e.process?.pid,
  'process.name': (e) => e.process?.name,
  'process.executable': (e) => e.process?.executable,
  'process.args': (e) => e.process?.argv,
  'process.command_line': (e) => joined(e.process?.argv),
  'process.working_directory': (e) => e.process?.cwd,
  'process.hash.sha256': (e) => e.process?.hashes?.sha256,
  'process.entity_id': (e) => keyOf(e.process),
  'process.parent.pid': (e) => e.process?.ppid,
  'process.parent.name': (e) => e.parent?.name,
  'process.parent.executable': (e) => e.parent?.executable,
  'process.parent.args': (e) => e.parent?.argv,
  'process.parent.command_line': (e) => joined(e.parent?.argv, 1),
  'user.name': (e) => userOf(e.process),
  'user.id': (e) => e.process?.uid,
  'container.id': (e) => e.process?.containerId,
};

const PROCESS: FieldTable = {
  ...COMMON,
  CommandLine: (e) => joined(e.process?.argv),
  CurrentDirectory: (e) => e.process?.cwd,
  ParentImage: (e) => e.parent?.executable,
  ParentCommandLine: (e) => joined(e.parent?.argv, 1),
  ParentProcessId: (e) => e.process?.ppid ?? e.parent?.pid,
  ParentProcessGuid: (e) => keyOf(e.parent),
  ParentUser: (e) => userOf(e.parent),
  LoginUid: (e) => e.process?.loginuid,
  TerminalSessionId: (e) => e.process?.sessionId,
  IntegrityLevel: (e) => e.process?.integrityLevel,
  Hashes: hashesOf,
  sha256: (e) => e.process?.hashes?.sha256,
  ContainerId: (e) => e.process?.containerId,
  // Ours: facts a rule on Linux needs and no taxonomy names.
  ProcessFlags: (e) => e.process?.flags,
  EffectiveUid: (e) => e.process?.euid,
  ExitCode: (e) => e.process?.exitCode,
};

const FILE: FieldTable = {
  ...COMMON,
  TargetFilename: (e) => e.file?.path,
  SourceFilename: (e) => e.file?.oldPath,
  FileName: (e) => fileName(e.file?.path),
  CommandLine: (e) => joined(e.process?.argv),
  ParentImage: (e) => e.parent?.executable,
  'file.path': (e) => e.file?.path,
  'file.name': (e) => fileName(e.file?.path),
  'file.size': (e) => e.file?.bytes,
  'file.inode': (e) => e.file?.inode,
  FileMode: (e) =>
    e.file?.mode === undefined ? undefined : (e.file.mode & 0o7777).toString(8).padStart(4, '0'),
};

/** Protected data found in a file. No taxonomy names it: ours, in ECS's style, beside the file's names. */
const DLP: FieldTable = {
  ...FILE,
  'dlp.verdict': (e) => e.dlp?.verdict,
  'dlp.trigger': (e) => e.dlp?.trigger,
  'dlp.destination': (e) => e.dlp?.destination,
  'dlp.mount': (e) => e.dlp?.mount,
  'dlp.reason': (e) => e.dlp?.reasonCode,
  'dlp.rule': (e) => e.dlp?.matches.map((match) => match.rule),
  'dlp.index': (e) => e.dlp?.matches.map((match) => match.index),
  'dlp.kind': (e) => e.dlp?.matches.map((match) => match.kind),
  'dlp.type': (e) => e.dlp?.matches.map((match) => match.type),
  'dlp.count': (e) => e.dlp && dlpCount(e.dlp),
  'dlp.confidence': (e) => e.dlp && dlpConfidence(e.dlp),
  'dlp.containment': (e) => (e.dlp === undefined ? undefined : dlpContainment(e.dlp)),
  'dlp.source': (e) => e.dlp?.sources?.map((source) => source.path),
};

const NETWORK: FieldTable = {
  ...COMMON,
  Initiated: (e) => (e.network?.direction === undefined ? undefined : e.network.direction === 'outbound'),
  Protocol: (e) => e.network?.protocol,
  SourceIp: (e) => e.network?.srcIp,
  SourcePort: (e) => e.network?.srcPort,
  DestinationIp: (e) => e.network?.dstIp,
  DestinationPort: (e) => e.network?.dstPort,
  SourceIsIpv6: (e) => e.network?.srcIp?.includes(':'),
  DestinationIsIpv6: (e) => e.network?.dstIp?.includes(':'),
  CommandLine: (e) => joined(e.process?.argv),
  ParentImage: (e) => e.parent?.executable,
  'network.transport': (e) => e.network?.protocol,
  'network.direction': (e) => e.network?.direction,
  'source.ip': (e) => e.network?.srcIp,
  'source.port': (e) => e.network?.srcPort,
  'destination.ip': (e) => e.network?.dstIp,
  'destination.port': (e) => e.network?.dstPort,
};

const DNS: FieldTable = {
  ...COMMON,
  QueryName: (e) => e.dns?.query,
  query: (e) => e.dns?.query,
  record_type: (e) => e.dns?.recordType,
  QueryType: (e) => e.dns?.recordType,
  DestinationIp: (e) => e.network?.dstIp,
  DestinationPort: (e) => e.network?.dstPort,
  'dns.question.name': (e) => e.dns?.query,
  'dns.question.type': (e) => e.dns?.recordType,
};

/** ptrace and the like: one process acts on another. */
const ACCESS: FieldTable = {
  ...COMMON,
  SourceImage: (e) => e.process?.executable,
  SourceProcessId: (e) => e.process?.pid,
  SourceUser: (e) => userOf(e.process),
  TargetImage: (e) => e.target?.executable,
  TargetProcessId: (e) => e.target?.pid,
  TargetUser: (e) => userOf(e.target),
};

const MODULE: FieldTable = {
  ...COMMON,
  ImageLoaded: (e) => e.file?.path ?? e.details?.['file'] ?? e.details?.['name'],
};

/** What one auditd record of each type would hold, as far as our event knows it. */
const AUDIT_EXECVE: FieldTable = {
  type: () => 'EXECVE',
  argc: (e) => e.process?.argv?.length,
};

const AUDIT_PATH: FieldTable = {
  type: () => 'PATH',
  name: (e) => e.file?.path,
  nametype: (e) => PATH_KINDS[e.action] ?? 'NORMAL',
  inode: (e) => e.file?.inode,
};

/** The second record of a rename or link: the name that was there before. */
const AUDIT_OLD_PATH: FieldTable = {
  type: () => 'PATH',
  name: (e) => e.file?.oldPath,
  nametype: (e) => (e.action === 'rename' ? 'DELETE' : 'NORMAL'),
  inode: (e) => e.file?.inode,
};

/** The record of the program that an execve names. */
const AUDIT_EXEC_PATH: FieldTable = {
  type: () => 'PATH',
  name: (e) => e.process?.executable,
  nametype: () => 'NORMAL',
};

const AUDIT_SYSCALL: FieldTable = {
  type: () => 'SYSCALL',
  SYSCALL: (e) => e.details?.['call'] ?? SYSCALLS[e.action] ?? e.action,
  exe: (e) => e.process?.executable,
  comm: (e) => e.process?.name.slice(0, 15),
  pid: (e) => e.process?.pid,
  ppid: (e) => e.process?.ppid,
  uid: (e) => e.process?.uid,
  euid: (e) => e.process?.euid,
  gid: (e) => e.process?.gid,
  auid: (e) => e.process?.loginuid,
  ses: (e) => e.process?.sessionId,
};

const PATH_KINDS: Readonly<Record<string, string>> = {
  create: 'CREATE',
  mkdir: 'CREATE',
  mknod: 'CREATE',
  link: 'CREATE',
  symlink: 'CREATE',
  rename: 'CREATE',
  unlink: 'DELETE',
  delete: 'DELETE',
  rmdir: 'DELETE',
};

/** The usual system call behind an action; rules name the call. Several calls share an action: all are listed. */
export const SYSCALLS: Readonly<Record<string, string | readonly string[]>> = {
  exec: ['execve', 'execveat'],
  fork: ['clone', 'clone3', 'fork', 'vfork'],
  exit: ['exit', 'exit_group'],
  open: ['open', 'openat', 'openat2'],
  create: ['open', 'openat', 'openat2', 'creat'],
  write: ['write'],
  close_write: ['write'],
  rename: ['rename', 'renameat', 'renameat2'],
  unlink: ['unlink', 'unlinkat'],
  delete: ['unlink', 'unlinkat'],
  rmdir: ['rmdir', 'unlinkat'],
  mkdir: ['mkdir', 'mkdirat'],
  mknod: ['mknod', 'mknodat'],
  link: ['link', 'linkat'],
  symlink: ['symlink', 'symlinkat'],
  chmod: ['chmod', 'fchmod', 'fchmodat'],
  chown: ['chown', 'fchown', 'lchown', 'fchownat'],
  truncate: ['truncate', 'ftruncate'],
  utime: ['utime', 'utimes', 'utimensat', 'futimesat'],
  setxattr: ['setxattr', 'lsetxattr', 'fsetxattr'],
  connect: 'connect',
  accept: ['accept', 'accept4'],
  listen: 'listen',
  send: ['sendto', 'sendmsg'],
  vm_write: 'process_vm_writev',
  mmap_wx: 'mmap',
  mprotect_wx: 'mprotect',
  setuid: ['setuid', 'setreuid', 'setresuid'],
  setgid: ['setgid', 'setregid', 'setresgid'],
  umount: 'umount2',
  kexec: ['kexec_load', 'kexec_file_load'],
};

/** `a0`, `a1`, … of an EXECVE record: the arguments. */
function argument(field: string): Accessor | undefined {
  const found = /^a(\d{1,4})$/.exec(field);
  if (!found) return undefined;
  const index = Number(found[1]);
  return (event) => event.process?.argv?.[index];
}

/** `details.NAME`: facts of rare events that have no field of their own. Ours, for rules of our own. */
function detail(field: string): Accessor | undefined {
  if (!field.startsWith('details.')) return undefined;
  const name = field.slice('details.'.length);
  return (event) => event.details?.[name];
}

/** Values a keyword search of a view looks through. */
function keywordsOf(fields: readonly Accessor[]): Accessor {
  return (event) => {
    const values: unknown[] = [];
    for (const field of fields) {
      const value = field(event);
      if (Array.isArray(value)) values.push(...value);
      else if (value !== undefined && value !== null) values.push(value);
    }
    return values;
  };
}

export interface FieldView {
  table: FieldTable;
  /** Accessor of a field, undefined if events of this view cannot have it. */
  accessor(field: string): Accessor | undefined;
}

function view(
  table: FieldTable,
  keywords: readonly Accessor[],
  dynamic?: (field: string) => Accessor | undefined,
): FieldView {
  const all = keywordsOf(keywords);
  return {
    table,
    accessor: (field) => (field === '' ? all : Object.hasOwn(table, field) ? table[field] : dynamic?.(field)),
  };
}

function pick(table: FieldTable, ...names: string[]): Accessor[] {
  return names.map((name) => table[name] as Accessor);
}

const PROCESS_WORDS = [
  'Image',
  'CommandLine',
  'CurrentDirectory',
  'User',
  'ParentImage',
  'ParentCommandLine',
];

export const PROCESS_VIEW = view(PROCESS, pick(PROCESS, ...PROCESS_WORDS));
export const DLP_VIEW = view(DLP, pick(DLP, 'Image', 'TargetFilename', 'User', 'dlp.rule', 'dlp.index'));
export const FILE_VIEW = view(FILE, pick(FILE, 'Image', 'TargetFilename', 'SourceFilename', 'User'));
export const NETWORK_VIEW = view(
  NETWORK,
  pick(NETWORK, 'Image', 'User', 'Protocol', 'SourceIp', 'SourcePort', 'DestinationIp', 'DestinationPort'),
);
export const DNS_VIEW = view(DNS, pick(DNS, 'Image', 'User', 'QueryName', 'record_type'));
export const ACCESS_VIEW = view(ACCESS, pick(ACCESS, 'SourceImage', 'TargetImage', 'User'), detail);
export const MODULE_VIEW = view(MODULE, pick(MODULE, 'Image', 'ImageLoaded', 'User'), detail);
// The whole command line holds each argument, and keywords with a blank in them are meant for it.
export const EXECVE_VIEW = view(
  AUDIT_EXECVE,
  [AUDIT_EXECVE['type'] as Accessor, (e) => joined(e.process?.argv)],
  argument,
);
export const PATH_VIEW = view(AUDIT_PATH, pick(AUDIT_PATH, 'type', 'name', 'nametype'));
export const OLD_PATH_VIEW = view(AUDIT_OLD_PATH, pick(AUDIT_OLD_PATH, 'type', 'name', 'nametype'));
export const EXEC_PATH_VIEW = view(AUDIT_EXEC_PATH, pick(AUDIT_EXEC_PATH, 'type', 'name', 'nametype'));
export const SYSCALL_VIEW = view(
  AUDIT_SYSCALL,
  pick(AUDIT_SYSCALL, 'type', 'SYSCALL', 'exe', 'comm'),
  detail,
);
