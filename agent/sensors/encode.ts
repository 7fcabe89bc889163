/**
 * Events to sensor records, the inverse of decode.ts: what sensors in user space, the replay generator and tests use
 * so that every sensor speaks one layout.
 *
 * Limits are those of events.h: a longer text is cut at a character and flagged with its original length, which an
 * entry of `truncated` that the event already has overrides. A NUL inside a text, which no kernel text can hold,
 * becomes U+FFFD.
 */
import { constants } from 'node:os';
import type { FileIdentity, SentinelEvent } from '../event.ts';
import { writeAddress } from './addresses.ts';
import {
  ARGV_MAX,
  CGROUP_PATH_MAX,
  COMM_LEN,
  Exit,
  File,
  Flag,
  Fork,
  Header,
  Net,
  PATH_MAX,
  Proc,
  QUERY_MAX,
  RECORD_MAX,
  Rare,
  SN_VERSION,
  STR_SIZE,
  StrFlag,
  StrKind,
  UNKNOWN_ID,
} from './layout.ts';
import {
  type BodyKind,
  type DetailField,
  DNS_TYPES,
  type Opcode,
  opcodeOf,
  OUTCOMES,
  PROTOCOLS,
} from './opcodes.ts';

/** The event's type and action have no record: it belongs in the log as JSON, not as a sensor record. */
export class NotASensorRecordError extends Error {
  override name = 'NotASensorRecordError';
  constructor(type: string, action: string) {
    super(`no sensor record stands for ${type}/${action}; append it as a JSON event instead`);
  }
}

// Scratch for the record being built; encoding is synchronous and the result is copied out.
const scratch = Buffer.alloc(RECORD_MAX);
let cursor = 0;

function setId(at: number, value: number | undefined): void {
  scratch.writeUInt32LE(value ?? UNKNOWN_ID, at);
}

function setU64(at: number, value: number | bigint | string | undefined): void {
  scratch.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value ?? 0)), at);
}

/** End of the last whole character within the first `limit` bytes. */
function characterEnd(bytes: Buffer, limit: number): number {
  let end = limit;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end -= 1;
  return end;
}

function setComm(at: number, name: string): void {
  const bytes = Buffer.from(name.replaceAll('\0', '\uFFFD'));
  const length = bytes.length < COMM_LEN ? bytes.length : characterEnd(bytes, COMM_LEN - 1);
  bytes.copy(scratch, at, 0, length);
}

function writeString(
  event: SentinelEvent,
  descriptor: number,
  kind: number,
  value: string | undefined,
  field: string,
  max: number,
): void {
  const noted = event.truncated?.find((entry) => entry.field === field);
  if (value === undefined) {
    // An unreadable text has a name in `truncated` and no value.
    if (noted !== undefined && noted.originalLength === 0) {
      scratch[descriptor + 2] = kind;
      scratch[descriptor + 3] = StrFlag.FAULT;
    }
    return;
  }
  const bytes = Buffer.from(value);
  let length = bytes.length;
  let flags = 0;
  if (length > max) {
    length = characterEnd(bytes, max);
    flags = StrFlag.CUT;
  }
  if (noted !== undefined) flags |= StrFlag.REPLACED;
  bytes.copy(scratch, cursor, 0, length);
  cursor += length;
  scratch.writeUInt16LE(length, descriptor);
  scratch[descriptor + 2] = kind;
  scratch[descriptor + 3] = flags;
  scratch.writeUInt32LE(Math.min(noted?.originalLength ?? bytes.length, UNKNOWN_ID), descriptor + 4);
}

function setText(
  event: SentinelEvent,
  descriptor: number,
  value: string | undefined,
  field: string,
  max: number = PATH_MAX,
): void {
  writeString(event, descriptor, StrKind.PLAIN, value?.replaceAll('\0', '\uFFFD'), field, max);
}

function setArgv(event: SentinelEvent, descriptor: number, argv: readonly string[] | undefined): void {
  const blob = argv?.map((arg) => `${arg.replaceAll('\0', '\uFFFD')}\0`).join('');
  writeString(event, descriptor, StrKind.ARGV, blob, 'process.argv', ARGV_MAX);
}

function setIdentity(
  identity: FileIdentity | undefined,
  dev: number,
  ino: number,
  size: number,
  mtime: number,
): void {
  if (identity === undefined) return;
  setU64(dev, identity.dev);
  setU64(ino, identity.inode);
  setU64(size, identity.size);
  setU64(mtime, identity.mtimeNs);
  setU64(mtime + 8, identity.ctimeNs);
}

/** Number of `major:minor`, encoded like st_dev. */
function deviceNumber(text: string): number {
  const [major = 0, minor = 0] = text.split(':').map(Number);
  return ((minor & 0xff) | (major << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

const PROCESS_FLAGS: Readonly<Record<string, number>> = {
  memfd: Flag.EXE_MEMFD,
  deleted: Flag.EXE_DELETED,
  setuid: Flag.EXE_SETUID,
  setgid: Flag.EXE_SETGID,
  script: Flag.SCRIPT,
  kthread: Flag.KTHREAD,
  writable_dir: Flag.EXE_WRITABLE_DIR,
};

function encodeProc(event: SentinelEvent): number {
  const info = event.process;
  const details = event.details;
  setU64(Proc.parent_start, info?.parentStartNs);
  setIdentity(info?.exeIdentity, Proc.exe_dev, Proc.exe_ino, Proc.exe_size, Proc.exe_mtime);
  setU64(Proc.cap_effective, details?.['capabilities']);
  setId(Proc.ppid, info?.ppid);
  setId(Proc.gid, info?.gid);
  setId(Proc.egid, details?.['egid'] === undefined ? info?.gid : Number(details['egid']));
  setId(Proc.loginuid, info?.loginuid);
  setId(Proc.session, info?.sessionId);
  setId(Proc.exe_mode, undefined);
  setId(Proc.exe_uid, undefined);
  if (details?.['tty'] !== undefined) scratch.writeUInt32LE(deviceNumber(details['tty']), Proc.tty);
  scratch.writeUInt32LE(Number(details?.['pidNamespace'] ?? 0), Proc.ns_pid);
  scratch.writeUInt32LE(Number(details?.['mountNamespace'] ?? 0), Proc.ns_mnt);
  scratch.writeUInt32LE(Number(details?.['networkNamespace'] ?? 0), Proc.ns_net);
  scratch.writeUInt32LE(Number(details?.['userNamespace'] ?? 0), Proc.ns_user);
  scratch.writeUInt32LE(Number(details?.['namespacePid'] ?? 0), Proc.ns_tgid);
  scratch.writeUInt32LE(Number(details?.['sid'] ?? 0), Proc.sid);
  setComm(Proc.comm, info?.name ?? '');
  cursor = Proc.size;
  setText(event, Proc.filename, details?.['filename'], 'details.filename');
  setText(event, Proc.exe, info?.executable, 'process.executable');
  setText(event, Proc.cwd, info?.cwd, 'process.cwd');
  setArgv(event, Proc.argv, info?.argv);
  setText(
    event,
    Proc.cgroup_path,
    details?.['cgroup'] ?? info?.containerId,
    'details.cgroup',
    CGROUP_PATH_MAX,
  );
  let flags = 0;
  for (const name of info?.flags ?? []) flags |= PROCESS_FLAGS[name] ?? 0;
  return flags;
}

function encodeFork(event: SentinelEvent): number {
  const info = event.process;
  const creator = event.details?.['creatorPid'];
  setU64(Fork.parent_start, info?.parentStartNs);
  setU64(Fork.creator_start, event.details?.['creatorStartNs'] ?? info?.parentStartNs);
  setId(Fork.ppid, info?.ppid);
  setId(Fork.creator_pid, creator === undefined ? info?.ppid : Number(creator));
  setComm(Fork.comm, info?.name ?? '');
  cursor = Fork.size;
  return 0;
}

function encodeExit(event: SentinelEvent): number {
  const info = event.process;
  if (info?.exitSignal !== undefined) setId(Exit.status, info.exitSignal & 0x7f);
  else setId(Exit.status, info?.exitCode === undefined ? undefined : (info.exitCode & 0xff) << 8);
  setId(Exit.ppid, info?.ppid);
  setComm(Exit.comm, info?.name ?? '');
  cursor = Exit.size;
  return 0;
}

function encodeFile(event: SentinelEvent, opcode: Opcode): number {
  const file = event.file;
  setIdentity(file?.identity, File.dev, File.ino, File.size_, File.mtime);
  if (file?.inode !== undefined) setU64(File.ino, file.inode);
  if (file?.device !== undefined) setU64(File.dev, deviceNumber(file.device));
  setU64(File.size_, file?.bytes ?? file?.identity?.size ?? -1n);
  setId(File.mode, file?.mode);
  setId(File.oflags, file?.flags);
  scratch.writeInt32LE(-1, File.fd);
  const details = event.details;
  if (opcode.extra === 'owner') {
    scratch.writeUInt32LE(Number(details?.['newGid'] ?? UNKNOWN_ID), File.arg);
    scratch.writeUInt32LE(Number(details?.['newUid'] ?? UNKNOWN_ID), File.arg + 4);
  }
  if (opcode.extra === 'mtime') setU64(File.mtime, details?.['newMtimeNs']);
  setComm(File.comm, event.process?.name ?? '');
  cursor = File.size;
  setText(event, File.path, file?.path, 'file.path');
  if (opcode.second === 'attribute') {
    setText(event, File.path2, details?.['attribute'], 'details.attribute');
  } else setText(event, File.path2, file?.oldPath, 'file.oldPath');
  return event.action === opcode.createdAction ? Flag.CREATED : 0;
}

const DIRECTIONS: Readonly<Record<string, number>> = { outbound: 1, inbound: 2, listen: 3 };
const VERDICTS: Readonly<Record<string, number>> = { allowed: 1, denied: 2 };

function keyOf(map: ReadonlyMap<number, string>, value: string): number | undefined {
  for (const [key, name] of map) if (name === value) return key;
  return undefined;
}

function encodeNet(event: SentinelEvent): number {
  const network = event.network;
  setU64(Net.bytes_sent, network?.bytesSent);
  setU64(Net.bytes_received, network?.bytesReceived);
  setU64(Net.duration_ns, event.details?.['durationNs']);
  let family = network?.srcIp === undefined ? 0 : writeAddress(network.srcIp, scratch, Net.saddr);
  if (network?.dstIp !== undefined) {
    const other = writeAddress(network.dstIp, scratch, Net.daddr);
    if (other > family) {
      // The two ends must have one family: an IPv4 source beside an IPv6 destination is written v4-mapped.
      if (family !== 0) {
        scratch.copy(scratch, Net.saddr + 12, Net.saddr, Net.saddr + 4);
        scratch.fill(0, Net.saddr, Net.saddr + 10).fill(0xff, Net.saddr + 10, Net.saddr + 12);
      }
      family = other;
    } else if (other !== 0 && other < family) {
      scratch.copy(scratch, Net.daddr + 12, Net.daddr, Net.daddr + 4);
      scratch.fill(0, Net.daddr, Net.daddr + 10).fill(0xff, Net.daddr + 10, Net.daddr + 12);
    }
  }
  scratch[Net.family] = family;
  scratch.writeUInt16LE(network?.srcPort ?? 0, Net.sport);
  scratch.writeUInt16LE(network?.dstPort ?? 0, Net.dport);
  const protocol = network?.protocol ?? '';
  scratch[Net.protocol] = keyOf(PROTOCOLS, protocol) ?? (Number(protocol) || 0);
  scratch[Net.direction] = DIRECTIONS[network?.direction ?? ''] ?? 0;
  scratch[Net.verdict] = VERDICTS[network?.verdict ?? ''] ?? 0;
  const error = event.details?.['error'];
  if (error !== undefined) {
    scratch.writeInt32LE(errorNumber(error), Net.error);
  }
  scratch.writeUInt32LE((Number(event.details?.['policyHandle']) || 0) >>> 0, Net.policy);
  const outcome = event.details?.['outcome'] ?? '';
  scratch.writeUInt16LE((keyOf(OUTCOMES, outcome) ?? (Number(outcome) || 0)) & 0xffff, Net.outcome);
  const recordType = event.dns?.recordType;
  if (recordType !== undefined) {
    const number = keyOf(DNS_TYPES, recordType) ?? Number(recordType.replace(/^TYPE/, ''));
    scratch.writeUInt16LE(number & 0xffff, Net.qtype);
  }
  setComm(Net.comm, event.process?.name ?? '');
  cursor = Net.size;
  setText(event, Net.query, event.dns?.query, 'dns.query', QUERY_MAX);
  return 0;
}

/** A negative errno, of its name or its digits. */
function errorNumber(error: string): number {
  const errno = (constants.errno as Readonly<Record<string, number>>)[error];
  return errno === undefined ? Number(error) | 0 : -errno;
}

function detailNumber(value: string, as: DetailField['as']): bigint {
  if (typeof as !== 'string') {
    const known = keyOf(as, value);
    if (known !== undefined) return BigInt(known);
  }
  try {
    return BigInt(value);
  } catch {
    return 0n;
  }
}

function encodeRare(event: SentinelEvent, opcode: Opcode): number {
  const target = event.target;
  setId(Rare.target_uid, target?.uid);
  if (target !== undefined) {
    scratch.writeUInt32LE(target.pid, Rare.target_pid);
    setU64(Rare.target_start, target.startNs);
    setComm(Rare.target_comm, target.name);
  }
  const texts: (string | undefined)[] = [undefined, undefined, undefined];
  for (const field of opcode.details) {
    const value = event.details?.[field.name];
    if (value === undefined) continue;
    if (field.as === 'text') texts[Number(field.from[1]) - 1] = value;
    else {
      const at = field.from === 'ret' ? Rare.ret : Rare.a + Number(field.from[1]) * 8;
      setU64(at, detailNumber(value, field.as));
    }
  }
  const error = event.details?.['error'];
  if (error !== undefined) setU64(Rare.ret, BigInt.asUintN(64, BigInt(errorNumber(error))));
  if (opcode.file !== undefined) texts[opcode.file === 's1' ? 0 : 1] = event.file?.path;
  setComm(Rare.comm, event.process?.name ?? '');
  cursor = Rare.size;
  texts.forEach((value, index) => {
    setText(event, Rare.s1 + index * STR_SIZE, value, opcode.textFields?.[index] ?? 'details');
  });
  return 0;
}

const BODIES: Readonly<Record<BodyKind, (event: SentinelEvent, opcode: Opcode) => number>> = {
  fork: encodeFork,
  exit: encodeExit,
  proc: encodeProc,
  file: encodeFile,
  net: encodeNet,
  rare: encodeRare,
};

/**
 * One record for `event`, stamped with `bootTsNs` (CLOCK_BOOTTIME ns; `event.tsNs` is not used: decoding adds the wall
 * offset of the batch). Fields the layout has no place for (hashes, detections, ids …) are left out. A `details` value
 * that is not a number where the row needs one counts as 0.
 * @throws NotASensorRecordError for a type and action without a row in the opcode table.
 */
export function encodeEvent(event: SentinelEvent, bootTsNs: bigint): Buffer {
  const opcode = opcodeOf(event.type, event.action);
  if (opcode === undefined) throw new NotASensorRecordError(event.type, event.action);
  scratch.fill(0, 0, Proc.size);
  let flags = BODIES[opcode.body](event, opcode);
  if (event.lane === 'observability') flags |= Flag.OBSERVABILITY;
  const length = (cursor + 7) & ~7;
  scratch.fill(0, cursor, length);
  scratch.writeUInt32LE(length, Header.len);
  scratch[Header.type] = opcode.code;
  scratch[Header.ver] = SN_VERSION;
  scratch.writeUInt16LE(flags, Header.flags);
  setU64(Header.ts, bootTsNs);
  setU64(Header.seq, event.sensorSeq);
  setU64(Header.start, event.process?.startNs);
  scratch.writeUInt32LE(event.process?.pid ?? 0, Header.tgid);
  setId(Header.tid, event.process?.tid);
  setId(Header.uid, event.process?.uid);
  setId(Header.euid, event.process?.euid);
  setU64(Header.cgroup, event.process?.cgroupId);
  return Buffer.from(scratch.subarray(0, length));
}
