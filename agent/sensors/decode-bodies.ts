/** The bodies of sensor records, one decoder each; decode.ts picks by the opcode table. */
import { constants } from 'node:os';
import type { NetworkInfo, SentinelEvent } from '../event.ts';
import { addressText, isUnspecified } from './addresses.ts';
import { containerIdOfCgroup } from './containers.ts';
import { Exit, File, Flag, Fork, Header, Net, Proc, Rare, STR_SIZE, UNKNOWN_ID } from './layout.ts';
import { type BodyKind, type DetailField, DNS_TYPES, type Opcode, OUTCOMES, PROTOCOLS } from './opcodes.ts';
import {
  argv,
  comm,
  decimal,
  deviceText,
  id,
  identityOf,
  joined,
  optionalNs,
  processOf,
  question,
  skip,
  stringsFit,
  text,
  u64,
} from './record-reader.ts';
import { normalisePath } from './record-strings.ts';

const PROCESS_FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [Flag.EXE_MEMFD, 'memfd'],
  [Flag.EXE_DELETED, 'deleted'],
  [Flag.EXE_SETUID, 'setuid'],
  [Flag.EXE_SETGID, 'setgid'],
  [Flag.SCRIPT, 'script'],
  [Flag.KTHREAD, 'kthread'],
  [Flag.EXE_WRITABLE_DIR, 'writable_dir'],
];
const PROCESS_FLAG_MASK = 0x7f;

// Inode numbers of the initial namespaces, fixed in include/linux/proc_ns.h.
const INIT_PID_NS = 0xeffffffc;
const INIT_USER_NS = 0xeffffffd;

function decodeProc(bytes: Buffer, offset: number, event: SentinelEvent, flags: number): boolean {
  if (!stringsFit(bytes, offset, Proc.filename, Proc.size)) return false;
  const filename = text(bytes, offset + Proc.filename, 'details.filename');
  const executable = text(bytes, offset + Proc.exe, 'process.executable');
  const cwd = text(bytes, offset + Proc.cwd, 'process.cwd');
  const args = argv(bytes, offset + Proc.argv);
  const cgroupPath = text(bytes, offset + Proc.cgroup_path, 'details.cgroup');
  const name =
    executable === undefined || executable === '/'
      ? comm(bytes, offset + Proc.comm)
      : executable.slice(executable.lastIndexOf('/') + 1);
  const uid = id(bytes, offset + Header.uid);
  const euid = id(bytes, offset + Header.euid);
  const gid = id(bytes, offset + Proc.gid);
  const egid = id(bytes, offset + Proc.egid);
  const cgroupId = decimal(bytes, offset + Header.cgroup);
  const hasCapabilities = bytes.readUInt32LE(offset + Proc.cap_effective) !== 0;
  const exeFlags: string[] = [];
  if ((flags & PROCESS_FLAG_MASK) !== 0) {
    for (const [bit, flag] of PROCESS_FLAGS) if ((flags & bit) !== 0) exeFlags.push(flag);
  }
  event.process = {
    pid: bytes.readUInt32LE(offset + Header.tgid),
    startNs: bytes.readBigUInt64LE(offset + Header.start),
    name,
    tid: id(bytes, offset + Header.tid),
    uid,
    euid,
    cgroupId: cgroupId === '0' ? undefined : cgroupId,
    ppid: id(bytes, offset + Proc.ppid),
    parentStartNs: optionalNs(bytes, offset + Proc.parent_start),
    executable,
    argv: args,
    cwd,
    gid,
    loginuid: id(bytes, offset + Proc.loginuid),
    sessionId: id(bytes, offset + Proc.session),
    integrityLevel:
      uid === undefined
        ? undefined
        : uid === 0
          ? 'system'
          : euid === 0 || hasCapabilities
            ? 'elevated'
            : 'user',
    containerId: cgroupPath === undefined ? undefined : containerIdOfCgroup(cgroupPath),
    flags: exeFlags.length > 0 ? exeFlags : undefined,
    exeIdentity:
      u64(bytes, offset + Proc.exe_ino) === 0
        ? undefined
        : identityOf(
            bytes,
            offset + Proc.exe_dev,
            offset + Proc.exe_ino,
            offset + Proc.exe_size,
            offset + Proc.exe_mtime,
          ),
  };
  const details: Record<string, string> = {};
  if (filename !== undefined && filename !== executable) details['filename'] = filename;
  if (cgroupPath !== undefined && cgroupPath !== '/') details['cgroup'] = cgroupPath;
  if (egid !== undefined && egid !== gid) details['egid'] = String(egid);
  if (uid !== 0 && hasCapabilities) {
    details['capabilities'] = `0x${bytes.readBigUInt64LE(offset + Proc.cap_effective).toString(16)}`;
  }
  const tty = bytes.readUInt32LE(offset + Proc.tty);
  if (tty !== 0) details['tty'] = deviceText(tty);
  const sid = bytes.readUInt32LE(offset + Proc.sid);
  if (sid !== 0 && sid !== UNKNOWN_ID) details['sid'] = String(sid);
  const pidNs = bytes.readUInt32LE(offset + Proc.ns_pid);
  const userNs = bytes.readUInt32LE(offset + Proc.ns_user);
  const nested = (pidNs !== 0 && pidNs !== INIT_PID_NS) || (userNs !== 0 && userNs !== INIT_USER_NS);
  if (nested) {
    details['pidNamespace'] = String(pidNs);
    details['userNamespace'] = String(userNs);
    details['mountNamespace'] = String(bytes.readUInt32LE(offset + Proc.ns_mnt));
    details['networkNamespace'] = String(bytes.readUInt32LE(offset + Proc.ns_net));
    details['namespacePid'] = String(bytes.readUInt32LE(offset + Proc.ns_tgid));
  }
  for (const _ in details) {
    event.details = details;
    break;
  }
  return true;
}

function decodeFork(bytes: Buffer, offset: number, event: SentinelEvent): boolean {
  const child = processOf(bytes, offset, comm(bytes, offset + Fork.comm));
  child.ppid = id(bytes, offset + Fork.ppid);
  child.parentStartNs = optionalNs(bytes, offset + Fork.parent_start);
  event.process = child;
  const creator = bytes.readUInt32LE(offset + Fork.creator_pid);
  if (creator !== child.ppid && creator !== UNKNOWN_ID) {
    event.details = {
      creatorPid: String(creator),
      creatorStartNs: decimal(bytes, offset + Fork.creator_start),
    };
  }
  return true;
}

function decodeExit(bytes: Buffer, offset: number, event: SentinelEvent): boolean {
  const ended = processOf(bytes, offset, comm(bytes, offset + Exit.comm));
  ended.ppid = id(bytes, offset + Exit.ppid);
  const status = bytes.readUInt32LE(offset + Exit.status);
  if (status !== UNKNOWN_ID) {
    const signal = status & 0x7f;
    if (signal === 0) ended.exitCode = (status >>> 8) & 0xff;
    else ended.exitSignal = signal;
  }
  event.process = ended;
  return true;
}

function decodeFile(
  bytes: Buffer,
  offset: number,
  event: SentinelEvent,
  flags: number,
  opcode: Opcode,
): boolean {
  if (!stringsFit(bytes, offset, File.path, File.size)) return false;
  event.process = processOf(bytes, offset, comm(bytes, offset + File.comm));
  if ((flags & Flag.CREATED) !== 0 && opcode.createdAction !== undefined) event.action = opcode.createdAction;
  const path = joined(bytes, offset + File.path, offset + File.base, 'file.path') ?? '';
  let second: string | undefined;
  if (opcode.second === 'path') {
    second = joined(bytes, offset + File.path2, offset + File.base2, 'file.oldPath');
  } else {
    second = text(
      bytes,
      offset + File.path2,
      opcode.second === 'text' ? 'file.oldPath' : 'details.attribute',
    );
    skip(bytes, offset + File.base2);
  }
  const inode = decimal(bytes, offset + File.ino);
  const dev = bytes.readUInt32LE(offset + File.dev);
  event.file = {
    path,
    op: event.action,
    oldPath: opcode.second === 'attribute' ? undefined : second,
    bytes: id(bytes, offset + File.size_ + 4) === undefined ? undefined : u64(bytes, offset + File.size_),
    inode: inode === '0' ? undefined : inode,
    device: dev === 0 ? undefined : deviceText(dev),
    mode: id(bytes, offset + File.mode),
    flags: id(bytes, offset + File.oflags),
    identity:
      opcode.extra === 'identity' && inode !== '0'
        ? identityOf(bytes, offset + File.dev, offset + File.ino, offset + File.size_, offset + File.mtime)
        : undefined,
  };
  if (opcode.second === 'attribute' && second !== undefined) event.details = { attribute: second };
  if (opcode.extra === 'owner') {
    event.details = {
      newUid: String(bytes.readUInt32LE(offset + File.arg + 4)),
      newGid: String(bytes.readUInt32LE(offset + File.arg)),
    };
  } else if (opcode.extra === 'mtime') {
    const mtime = decimal(bytes, offset + File.mtime);
    if (mtime !== '0') event.details = { newMtimeNs: mtime };
  }
  return true;
}

const DIRECTIONS = [undefined, 'outbound', 'inbound', 'listen'] as const;
const VERDICTS = [undefined, 'allowed', 'denied'] as const;

const ERRNO_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([name, value]) => [value, name]),
);

const MAX_ERRNO = 4096;
const SN_DIR_LISTEN = 3;

/** An end of a connection; "any address" says nothing, except where one listens. */
function endText(bytes: Buffer, at: number, family: number, anyCounts: boolean): string | undefined {
  if (family === 0 || (!anyCounts && isUnspecified(bytes, at))) return undefined;
  return addressText(bytes, at, family) || undefined;
}

function decodeNet(bytes: Buffer, offset: number, event: SentinelEvent): boolean {
  if (!stringsFit(bytes, offset, Net.query, Net.size)) return false;
  event.process = processOf(bytes, offset, comm(bytes, offset + Net.comm));
  const family = bytes[offset + Net.family] as number;
  const protocol = bytes[offset + Net.protocol] as number;
  const direction = bytes[offset + Net.direction] as number;
  const sport = bytes.readUInt16LE(offset + Net.sport);
  const dport = bytes.readUInt16LE(offset + Net.dport);
  const network: NetworkInfo = {
    protocol: PROTOCOLS.get(protocol) ?? String(protocol),
    srcIp: endText(bytes, offset + Net.saddr, family, direction === SN_DIR_LISTEN),
    srcPort: sport === 0 ? undefined : sport,
    dstIp: endText(bytes, offset + Net.daddr, family, false),
    dstPort: dport === 0 ? undefined : dport,
    direction: DIRECTIONS[direction],
    verdict: VERDICTS[bytes[offset + Net.verdict] as number],
  };
  const duration = u64(bytes, offset + Net.duration_ns);
  const sent = u64(bytes, offset + Net.bytes_sent);
  const received = u64(bytes, offset + Net.bytes_received);
  if (duration !== 0 || sent !== 0 || received !== 0) {
    network.bytesSent = sent;
    network.bytesReceived = received;
  }
  event.network = network;
  const wire = question(bytes, offset + Net.query);
  const query = wire === undefined ? text(bytes, offset + Net.query, 'dns.query') : wire.name;
  if (query !== undefined) {
    const qtype = wire === undefined ? bytes.readUInt16LE(offset + Net.qtype) : wire.type;
    event.dns = { query, recordType: DNS_TYPES.get(qtype) ?? `TYPE${qtype}` };
  }
  const error = bytes.readInt32LE(offset + Net.error);
  if (error !== 0 || duration !== 0) {
    event.details = {};
    if (error !== 0) event.details['error'] = ERRNO_NAMES.get(-error) ?? String(error);
    if (duration !== 0) event.details['durationNs'] = String(duration);
  }
  const policy = bytes.readUInt32LE(offset + Net.policy);
  if (policy !== 0) {
    const outcome = bytes.readUInt16LE(offset + Net.outcome);
    event.details ??= {};
    event.details['policyHandle'] = String(policy);
    event.details['mechanism'] = 'cgroup_deny';
    event.details['outcome'] = OUTCOMES.get(outcome) ?? String(outcome);
  }
  return true;
}

function detailText(bytes: Buffer, at: number, as: DetailField['as']): string {
  if (as === 'dec') return decimal(bytes, at);
  if (as === 'hex') return `0x${bytes.readBigUInt64LE(at).toString(16)}`;
  if (as === 'signed' || as === 'text') return String(bytes.readBigInt64LE(at));
  return as.get(u64(bytes, at)) ?? decimal(bytes, at);
}

const returned = (field: DetailField): boolean => field.from === 'ret';

function decodeRare(
  bytes: Buffer,
  offset: number,
  event: SentinelEvent,
  _flags: number,
  opcode: Opcode,
): boolean {
  if (!stringsFit(bytes, offset, Rare.s1, Rare.size)) return false;
  event.process = processOf(bytes, offset, comm(bytes, offset + Rare.comm));
  const targetPid = bytes.readUInt32LE(offset + Rare.target_pid);
  if (targetPid !== 0) {
    event.target = {
      pid: targetPid,
      startNs: bytes.readBigUInt64LE(offset + Rare.target_start),
      name: comm(bytes, offset + Rare.target_comm),
      uid: id(bytes, offset + Rare.target_uid),
    };
  }
  const texts: (string | undefined)[] = [];
  for (let index = 0; index < 3; index++) {
    texts.push(text(bytes, offset + Rare.s1 + index * STR_SIZE, opcode.textFields?.[index] ?? 'details'));
  }
  if (opcode.file !== undefined) {
    const path = texts[opcode.file === 's1' ? 0 : 1];
    if (path !== undefined) event.file = { path: normalisePath(path), op: opcode.action };
  }
  if (opcode.details.length > 0) {
    const details: Record<string, string> = {};
    for (const field of opcode.details) {
      if (field.as === 'text') {
        const value = texts[Number(field.from[1]) - 1];
        if (value !== undefined) details[field.name] = value;
      } else {
        const at = field.from === 'ret' ? Rare.ret : Rare.a + Number(field.from[1]) * 8;
        details[field.name] = detailText(bytes, offset + at, field.as);
      }
    }
    event.details = details;
  }
  const ret = bytes.readInt32LE(offset + Rare.ret);
  if (ret < 0 && ret > -MAX_ERRNO && !opcode.details.some(returned))
    (event.details ??= {})['error'] = ERRNO_NAMES.get(-ret) ?? String(ret);
  return true;
}

interface Body {
  /** Bytes of the fixed part, header included. */
  size: number;
  /** Where its string descriptors begin; they reach to the end of the fixed part. */
  strings: number;
  /** Fills the event; false when the strings do not fit the record. */
  decode: (bytes: Buffer, offset: number, event: SentinelEvent, flags: number, opcode: Opcode) => boolean;
}

export const BODIES: Readonly<Record<BodyKind, Body>> = {
  fork: { size: Fork.size, strings: Fork.size, decode: decodeFork },
  exit: { size: Exit.size, strings: Exit.size, decode: decodeExit },
  proc: { size: Proc.size, strings: Proc.filename, decode: decodeProc },
  file: { size: File.size, strings: File.path, decode: decodeFile },
  net: { size: Net.size, strings: Net.query, decode: decodeNet },
  rare: { size: Rare.size, strings: Rare.s1, decode: decodeRare },
};
