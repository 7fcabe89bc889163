/**
 * Reads the parts of one record. Bounds: `stringsFit` must have said yes before a string is taken, and strings are
 * taken in the order of their descriptors.
 */
import type { FileIdentity, ProcessInfo, Truncation } from '../event.ts';
import { COMM_LEN, Header, STR_SIZE, StrFlag, StrKind, UNKNOWN_ID } from './layout.ts';
import { questionOf } from './dns-name.ts';
import { argumentsOf, lastTextValid, normalisePath, textOf } from './record-strings.ts';

// State of the record being decoded; decoding is synchronous and never re-entered.
let cursor = 0;
let limit = 0;
let truncated: Truncation[] | undefined;

/** Starts a record that ends at `end`. */
export function beginRecord(end: number): void {
  limit = end;
  cursor = 0;
  truncated = undefined;
}

/** What was cut in the record so far. */
export function cuts(): Truncation[] | undefined {
  return truncated;
}

/** u64 as a number: exact below 2^53, which holds for sizes and lengths. */
export function u64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 4294967296;
}

/** u64 as decimal digits, exact. */
export function decimal(bytes: Buffer, at: number): string {
  return bytes.readUInt32LE(at + 4) < 0x200000 ? String(u64(bytes, at)) : String(bytes.readBigUInt64LE(at));
}

export function id(bytes: Buffer, at: number): number | undefined {
  const value = bytes.readUInt32LE(at);
  return value === UNKNOWN_ID ? undefined : value;
}

export function optionalNs(bytes: Buffer, at: number): bigint | undefined {
  const value = bytes.readBigUInt64LE(at);
  return value === 0n ? undefined : value;
}

export function noteCut(field: string, originalLength: number): void {
  (truncated ??= []).push({ field, originalLength });
}

/** Takes the string described at `descriptor`; strings must be taken in their order. Returns its offset, or -1. */
function take(bytes: Buffer, descriptor: number): number {
  const start = cursor;
  cursor += bytes.readUInt16LE(descriptor);
  return bytes[descriptor + 2] === StrKind.NONE ? -1 : start;
}

function isCut(flags: number, valid: boolean): boolean {
  return !valid || (flags & (StrFlag.CUT | StrFlag.REPLACED | StrFlag.DEEP)) !== 0;
}

export function text(bytes: Buffer, descriptor: number, field: string): string | undefined {
  const start = take(bytes, descriptor);
  if (start < 0) return undefined;
  const flags = bytes[descriptor + 3] as number;
  if ((flags & StrFlag.FAULT) !== 0) {
    noteCut(field, 0);
    return undefined;
  }
  const value = textOf(
    bytes,
    start,
    bytes.readUInt16LE(descriptor),
    bytes[descriptor + 2] as number,
    (flags & StrFlag.CUT) !== 0 && bytes[descriptor + 2] === StrKind.COMPONENTS,
  );
  if (isCut(flags, lastTextValid)) noteCut(field, bytes.readUInt32LE(descriptor + 4));
  return value;
}

export function argv(bytes: Buffer, descriptor: number): string[] | undefined {
  const start = take(bytes, descriptor);
  if (start < 0) return undefined;
  const flags = bytes[descriptor + 3] as number;
  const value = argumentsOf(bytes, start, bytes.readUInt16LE(descriptor));
  if (isCut(flags, lastTextValid)) noteCut('process.argv', bytes.readUInt32LE(descriptor + 4));
  else if ((flags & StrFlag.FAULT) !== 0) noteCut('process.argv', 0);
  return value;
}

/** Passes over a string that is not wanted. */
export function skip(bytes: Buffer, descriptor: number): void {
  take(bytes, descriptor);
}

/** A path, and the directory that it starts from: if it is absolute and there is one, a root that was changed. */
export function joined(bytes: Buffer, leaf: number, base: number, field: string): string | undefined {
  const path = text(bytes, leaf, field);
  const baseText = text(bytes, base, field);
  if (path === undefined) return undefined;
  if (baseText === undefined) return normalisePath(path);
  // In a changed root “..” leads no further up than that root.
  if (path.startsWith('/')) return baseText === '/' ? normalisePath(path) : baseText + normalisePath(path);
  return normalisePath(baseText === '/' ? `/${path}` : `${baseText}/${path}`);
}

/** The question of a DNS message as on the wire; undefined when the string at `descriptor` is of another kind. */
export function question(bytes: Buffer, descriptor: number): { name: string; type: number } | undefined {
  if (bytes[descriptor + 2] !== StrKind.DNS) return undefined;
  const start = take(bytes, descriptor);
  const end = start + bytes.readUInt16LE(descriptor);
  const parsed = questionOf(bytes, start, end);
  if (parsed.cut) noteCut('dns.query', bytes.readUInt32LE(descriptor + 4));
  return parsed;
}

export function comm(bytes: Buffer, at: number): string {
  let length = 0;
  while (length < COMM_LEN && bytes[at + length] !== 0) length += 1;
  return textOf(bytes, at, length, StrKind.PLAIN, false);
}

/** Sums the lengths of the descriptors from `first` to the end of the fixed part against the record's own length. */
export function stringsFit(bytes: Buffer, offset: number, first: number, fixed: number): boolean {
  let end = offset + fixed;
  for (let at = first; at < fixed; at += STR_SIZE) end += bytes.readUInt16LE(offset + at);
  cursor = offset + fixed;
  return end <= limit;
}

export function processOf(bytes: Buffer, offset: number, name: string): ProcessInfo {
  const cgroup = offset + Header.cgroup;
  const cgroupId = decimal(bytes, cgroup);
  return {
    pid: bytes.readUInt32LE(offset + Header.tgid),
    startNs: bytes.readBigUInt64LE(offset + Header.start),
    name,
    tid: id(bytes, offset + Header.tid),
    uid: id(bytes, offset + Header.uid),
    euid: id(bytes, offset + Header.euid),
    cgroupId: cgroupId === '0' ? undefined : cgroupId,
  };
}

export function identityOf(
  bytes: Buffer,
  dev: number,
  ino: number,
  size: number,
  mtime: number,
): FileIdentity {
  return {
    dev: u64(bytes, dev),
    inode: bytes.readBigUInt64LE(ino),
    mtimeNs: bytes.readBigUInt64LE(mtime),
    ctimeNs: bytes.readBigUInt64LE(mtime + 8),
    size: u64(bytes, size),
  };
}

/** `major:minor` of a number encoded like st_dev. */
export function deviceText(dev: number): string {
  const major = (dev >>> 8) & 0xfff;
  const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
  return `${major}:${minor}`;
}
