/**
 * The opcode table: one row per record type, and the only place where something depends on it. Decoder and encoder
 * both run from these rows.
 */
import type { EventType } from '../event.ts';
import { Type } from './layout.ts';

/** How a number of a rare record reads in `details`: a base, or names by value (others in decimal). */
export type DetailFormat = 'dec' | 'signed' | 'hex' | 'text' | ReadonlyMap<number, string>;

export interface DetailField {
  name: string;
  /** a0 … a5 are numbers, s1 … s3 texts. */
  from: 'a0' | 'a1' | 'a2' | 'a3' | 'a4' | 'a5' | 'ret' | 's1' | 's2' | 's3';
  as: DetailFormat;
}

export type BodyKind = 'fork' | 'exit' | 'proc' | 'file' | 'net' | 'rare';

export interface Opcode {
  code: number;
  type: EventType;
  action: string;
  body: BodyKind;
  /** Action when the file was created by the call. */
  createdAction?: string;
  /** Rare bodies: numbers and texts that go into `details`. */
  details: readonly DetailField[];
  /** Rare bodies: the text that is a path and also goes into `file.path`. */
  file?: 's1' | 's2';
  /** Rare bodies: name in `truncated` of s1, s2, s3; derived from `details` and `file`. */
  textFields?: readonly string[];
  /** File bodies: what the second path is; 'text' is taken as given, 'attribute' goes into details. */
  second?: 'path' | 'text' | 'attribute';
  /** File bodies: what else the record carries. */
  extra?: 'identity' | 'owner' | 'mtime';
}

function names(first: number, ...list: string[]): ReadonlyMap<number, string> {
  return new Map(list.map((name, index) => [first + index, name]));
}

const PTRACE_REQUESTS: ReadonlyMap<number, string> = new Map([
  ...names(0, 'TRACEME', 'PEEKTEXT', 'PEEKDATA', 'PEEKUSER', 'POKETEXT', 'POKEDATA', 'POKEUSER', 'CONT'),
  [12, 'GETREGS'],
  [13, 'SETREGS'],
  [15, 'SETFPREGS'],
  [16, 'ATTACH'],
  [0x4205, 'SETREGSET'],
  [0x4206, 'SEIZE'],
]);

const BPF_COMMANDS = names(
  0,
  'MAP_CREATE',
  'MAP_LOOKUP_ELEM',
  'MAP_UPDATE_ELEM',
  'MAP_DELETE_ELEM',
  'MAP_GET_NEXT_KEY',
  'PROG_LOAD',
  'OBJ_PIN',
  'OBJ_GET',
  'PROG_ATTACH',
  'PROG_DETACH',
  'PROG_TEST_RUN',
  'PROG_GET_NEXT_ID',
  'MAP_GET_NEXT_ID',
  'PROG_GET_FD_BY_ID',
  'MAP_GET_FD_BY_ID',
  'OBJ_GET_INFO_BY_FD',
  'PROG_QUERY',
  'RAW_TRACEPOINT_OPEN',
  'BTF_LOAD',
  'BTF_GET_FD_BY_ID',
  'TASK_FD_QUERY',
  'MAP_LOOKUP_AND_DELETE_ELEM',
  'MAP_FREEZE',
  'BTF_GET_NEXT_ID',
  'MAP_LOOKUP_BATCH',
  'MAP_LOOKUP_AND_DELETE_BATCH',
  'MAP_UPDATE_BATCH',
  'MAP_DELETE_BATCH',
  'LINK_CREATE',
  'LINK_UPDATE',
  'LINK_GET_FD_BY_ID',
  'LINK_GET_NEXT_ID',
  'ENABLE_STATS',
  'ITER_CREATE',
  'LINK_DETACH',
  'PROG_BIND_MAP',
);

const URING_OPS: ReadonlyMap<number, string> = new Map([
  [1, 'READV'],
  [2, 'WRITEV'],
  [9, 'SENDMSG'],
  [10, 'RECVMSG'],
  [13, 'ACCEPT'],
  [16, 'CONNECT'],
  [17, 'FALLOCATE'],
  [18, 'OPENAT'],
  [19, 'CLOSE'],
  [21, 'STATX'],
  [22, 'READ'],
  [23, 'WRITE'],
  [26, 'SEND'],
  [27, 'RECV'],
  [28, 'OPENAT2'],
  [30, 'SPLICE'],
  [35, 'RENAMEAT'],
  [36, 'UNLINKAT'],
  [37, 'MKDIRAT'],
  [38, 'SYMLINKAT'],
  [39, 'LINKAT'],
  [41, 'FSETXATTR'],
  [42, 'SETXATTR'],
  [45, 'SOCKET'],
  [46, 'URING_CMD'],
  [55, 'FTRUNCATE'],
  [56, 'BIND'],
  [57, 'LISTEN'],
]);

const YES_NO = names(0, 'no', 'yes');
const FAMILIES: ReadonlyMap<number, string> = new Map([
  [2, 'AF_INET'],
  [10, 'AF_INET6'],
  [17, 'AF_PACKET'],
  [38, 'AF_ALG'],
  [40, 'AF_VSOCK'],
  [44, 'AF_XDP'],
]);
const SOCKET_TYPES = names(1, 'SOCK_STREAM', 'SOCK_DGRAM', 'SOCK_RAW', 'SOCK_RDM', 'SOCK_SEQPACKET');
/** Numbers of the 32-bit system call table that are recorded as such. */
const CALLS_32: ReadonlyMap<number, string> = new Map([
  [21, 'mount'],
  [22, 'umount'],
  [23, 'setuid16'],
  [26, 'ptrace'],
  [52, 'umount2'],
  [61, 'chroot'],
  [128, 'init_module'],
  [129, 'delete_module'],
  [185, 'capset'],
  [203, 'setreuid'],
  [204, 'setregid'],
  [208, 'setresuid'],
  [210, 'setresgid'],
  [213, 'setuid'],
  [214, 'setgid'],
  [217, 'pivot_root'],
  [283, 'kexec_load'],
  [310, 'unshare'],
  [346, 'setns'],
  [348, 'process_vm_writev'],
  [350, 'finit_module'],
  [356, 'memfd_create'],
  [357, 'bpf'],
]);

const SIGNALS = names(
  1,
  ...'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP'.split(
    ' ',
  ),
);

const ID_CALLS: ReadonlyMap<number, string> = new Map([
  [0, 'unknown'],
  [105, 'setuid'],
  [106, 'setgid'],
  [113, 'setreuid'],
  [114, 'setregid'],
  [117, 'setresuid'],
  [119, 'setresgid'],
  [122, 'setfsuid'],
  [123, 'setfsgid'],
]);

const IDS: readonly DetailField[] = [
  { name: 'call', from: 'a5', as: ID_CALLS },
  { name: 'realId', from: 'a0', as: 'dec' },
  { name: 'effectiveId', from: 'a1', as: 'dec' },
  { name: 'savedId', from: 'a2', as: 'dec' },
  { name: 'oldRealId', from: 'a3', as: 'dec' },
  { name: 'oldEffectiveId', from: 'a4', as: 'dec' },
];
const MAPPING: readonly DetailField[] = [
  { name: 'address', from: 'a0', as: 'hex' },
  { name: 'length', from: 'a1', as: 'dec' },
  { name: 'protection', from: 'a2', as: 'hex' },
];
const CODE: readonly DetailField[] = [...MAPPING, { name: 'callsSoFar', from: 'a3', as: 'dec' }];
/** What stopped something that a policy forbids, and whether it did: sn_mechanism and sn_outcome of events.h. */
const MECHANISMS = names(1, 'exec_sigkill', 'lsm_deny', 'cgroup_deny', 'fanotify_deny', 'pidfd_sigkill');
export const OUTCOMES = names(
  0,
  'applied',
  'protected_process',
  'protected_executable',
  'agent_silent',
  'not_delivered',
);
const POLICY: readonly DetailField[] = [
  { name: 'policyHandle', from: 'a0', as: 'dec' },
  { name: 'mechanism', from: 'a1', as: MECHANISMS },
  { name: 'outcome', from: 'a2', as: OUTCOMES },
  { name: 'inode', from: 'a3', as: 'dec' },
];
const FLAGS: DetailField = { name: 'flags', from: 'a0', as: 'hex' };
const NONE: readonly DetailField[] = [];

function row(code: number, type: EventType, action: string, body: BodyKind): Opcode {
  return { code, type, action, body, details: NONE };
}

function rare(
  code: number,
  type: EventType,
  action: string,
  details: readonly DetailField[],
  file?: 's1' | 's2',
): Opcode {
  const textFields = ['s1', 's2', 's3'].map((from) => {
    if (from === file) return 'file.path';
    const field = details.find((detail) => detail.from === from);
    return field === undefined ? 'details' : `details.${field.name}`;
  });
  return { code, type, action, body: 'rare', details, file, textFields };
}

const ROWS: readonly Opcode[] = [
  row(Type.FORK, 'process', 'fork', 'fork'),
  row(Type.EXEC, 'process', 'exec', 'proc'),
  row(Type.EXIT, 'process', 'exit', 'exit'),
  row(Type.SNAPSHOT, 'process', 'snapshot', 'proc'),

  { ...row(Type.FILE_OPEN, 'file', 'open', 'file'), createdAction: 'create' },
  { ...row(Type.FILE_CLOSE_WRITE, 'file', 'write', 'file'), extra: 'identity' },
  { ...row(Type.RENAME, 'file', 'rename', 'file'), second: 'path' },
  row(Type.UNLINK, 'file', 'unlink', 'file'),
  { ...row(Type.LINK, 'file', 'link', 'file'), second: 'path' },
  { ...row(Type.SYMLINK, 'file', 'symlink', 'file'), second: 'text' },
  row(Type.MKDIR, 'file', 'mkdir', 'file'),
  row(Type.RMDIR, 'file', 'rmdir', 'file'),
  row(Type.CHMOD, 'file', 'chmod', 'file'),
  { ...row(Type.CHOWN, 'file', 'chown', 'file'), extra: 'owner' },
  row(Type.TRUNCATE, 'file', 'truncate', 'file'),
  { ...row(Type.UTIME, 'file', 'utime', 'file'), extra: 'mtime' },
  { ...row(Type.SETXATTR, 'file', 'setxattr', 'file'), second: 'attribute' },
  row(Type.MKNOD, 'file', 'mknod', 'file'),

  row(Type.CONNECT, 'network', 'connect', 'net'),
  row(Type.ACCEPT, 'network', 'accept', 'net'),
  row(Type.LISTEN, 'network', 'listen', 'net'),
  row(Type.NET_CLOSE, 'network', 'close', 'net'),
  row(Type.UDP_SEND, 'network', 'send', 'net'),
  row(Type.DNS_QUERY, 'dns', 'query', 'net'),
  row(Type.POLICY_CONNECT, 'network', 'deny_connect', 'net'),

  rare(
    Type.UNIX_CONNECT,
    'network',
    'unix_connect',
    [
      { name: 'abstractName', from: 's2', as: 'text' },
      { name: 'pathAsGiven', from: 'a0', as: YES_NO },
      { name: 'directory', from: 's3', as: 'text' },
    ],
    's1',
  ),
  rare(Type.SOCKET, 'network', 'socket', [
    { name: 'family', from: 'a0', as: FAMILIES },
    { name: 'socketType', from: 'a1', as: SOCKET_TYPES },
    { name: 'protocol', from: 'a2', as: 'dec' },
  ]),
  rare(Type.VSOCK_CONNECT, 'network', 'vsock_connect', [
    { name: 'contextId', from: 'a0', as: 'dec' },
    { name: 'port', from: 'a1', as: 'dec' },
  ]),

  rare(Type.PTRACE, 'process', 'ptrace', [{ name: 'request', from: 'a0', as: PTRACE_REQUESTS }]),
  rare(Type.VM_WRITE, 'process', 'vm_write', [{ name: 'bytes', from: 'ret', as: 'signed' }]),
  rare(Type.MEMFD_CREATE, 'memory', 'memfd_create', [{ name: 'name', from: 's1', as: 'text' }, FLAGS]),
  rare(Type.MMAP_WX, 'memory', 'mmap_wx', [...MAPPING, { name: 'flags', from: 'a3', as: 'hex' }], 's1'),
  rare(Type.MPROTECT_WX, 'memory', 'mprotect_wx', MAPPING),
  rare(Type.BPF, 'module', 'bpf', [
    { name: 'command', from: 'a0', as: BPF_COMMANDS },
    { name: 'bpfType', from: 'a1', as: 'dec' },
    { name: 'name', from: 's1', as: 'text' },
  ]),
  rare(Type.INIT_MODULE, 'module', 'init_module', [
    { name: 'bytes', from: 'a0', as: 'dec' },
    { name: 'parameters', from: 's2', as: 'text' },
  ]),
  rare(
    Type.FINIT_MODULE,
    'module',
    'finit_module',
    [FLAGS, { name: 'parameters', from: 's2', as: 'text' }],
    's1',
  ),
  rare(Type.DELETE_MODULE, 'module', 'delete_module', [{ name: 'name', from: 's1', as: 'text' }, FLAGS]),
  rare(Type.SETUID, 'process', 'setuid', IDS),
  rare(Type.SETGID, 'process', 'setgid', IDS),
  rare(Type.CAPSET, 'process', 'capset', [
    { name: 'effective', from: 'a0', as: 'hex' },
    { name: 'permitted', from: 'a1', as: 'hex' },
    { name: 'oldEffective', from: 'a2', as: 'hex' },
    { name: 'oldPermitted', from: 'a3', as: 'hex' },
  ]),
  rare(
    Type.MOUNT,
    'file',
    'mount',
    [{ name: 'source', from: 's1', as: 'text' }, { name: 'fileSystem', from: 's3', as: 'text' }, FLAGS],
    's2',
  ),
  rare(Type.UMOUNT, 'file', 'umount', [FLAGS], 's2'),
  rare(Type.UNSHARE, 'process', 'unshare', [FLAGS]),
  rare(Type.SETNS, 'process', 'setns', [{ name: 'namespaceType', from: 'a0', as: 'hex' }]),
  rare(
    Type.IO_URING,
    'process',
    'io_uring',
    [
      { name: 'operation', from: 'a0', as: URING_OPS },
      { name: 'fd', from: 'a1', as: 'signed' },
    ],
    's1',
  ),
  rare(Type.KILL, 'process', 'kill', [{ name: 'signal', from: 'a0', as: SIGNALS }]),
  rare(Type.CHROOT, 'process', 'chroot', NONE, 's1'),
  rare(Type.PIVOT_ROOT, 'process', 'pivot_root', NONE, 's1'),
  rare(Type.KEXEC, 'module', 'kexec', [FLAGS]),
  rare(Type.MPROTECT_X, 'memory', 'mprotect_exec', CODE, 's1'),
  rare(Type.MMAP_X, 'memory', 'mmap_exec', CODE, 's1'),
  rare(Type.SYSCALL32, 'process', 'syscall32', [
    { name: 'call', from: 'a0', as: CALLS_32 },
    { name: 'argument1', from: 'a1', as: 'hex' },
    { name: 'argument2', from: 'a2', as: 'hex' },
    { name: 'argument3', from: 'a3', as: 'hex' },
    { name: 'argument4', from: 'a4', as: 'hex' },
    { name: 'argument5', from: 'a5', as: 'hex' },
  ]),
  rare(Type.POLICY_EXEC, 'process', 'deny_exec', POLICY, 's1'),
  rare(Type.POLICY_OPEN, 'file', 'deny_open', POLICY, 's1'),
];

/** Row by type number; a hole is a type this build does not know. */
export const OPCODES: readonly (Opcode | undefined)[] = (() => {
  const table = Array.from<Opcode | undefined>({ length: 128 });
  for (const entry of ROWS) table[entry.code] = entry;
  return table;
})();

const BY_ACTION = new Map<string, Opcode>();
for (const entry of ROWS) {
  BY_ACTION.set(`${entry.type}/${entry.action}`, entry);
  if (entry.createdAction) BY_ACTION.set(`${entry.type}/${entry.createdAction}`, entry);
}

/** Row of an event's type and action; undefined when no record stands for it. */
export function opcodeOf(type: EventType, action: string): Opcode | undefined {
  return BY_ACTION.get(`${type}/${action}`);
}

/** Name of an IP protocol number and back. */
export const PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [1, 'icmp'],
  [6, 'tcp'],
  [17, 'udp'],
  [33, 'dccp'],
  [58, 'icmpv6'],
  [132, 'sctp'],
  [136, 'udplite'],
]);

/** DNS record types that have a name; others read TYPEn (RFC 3597). */
export const DNS_TYPES: ReadonlyMap<number, string> = new Map([
  [1, 'A'],
  [2, 'NS'],
  [5, 'CNAME'],
  [6, 'SOA'],
  [10, 'NULL'],
  [12, 'PTR'],
  [13, 'HINFO'],
  [15, 'MX'],
  [16, 'TXT'],
  [28, 'AAAA'],
  [33, 'SRV'],
  [35, 'NAPTR'],
  [43, 'DS'],
  [46, 'RRSIG'],
  [48, 'DNSKEY'],
  [52, 'TLSA'],
  [64, 'SVCB'],
  [65, 'HTTPS'],
  [99, 'SPF'],
  [252, 'AXFR'],
  [255, 'ANY'],
  [257, 'CAA'],
]);
