/** The directory of a zip: what is where, by its own words. Nothing in it is taken at its word by zip.ts. */
import { ExtractError } from './extraction.ts';
import type { Source } from './source.ts';

export interface ZipEntry {
  name: string;
  method: number;
  encrypted: boolean;
  crc: number;
  packedBytes: number;
  bytes: number;
  /** Of the local header. */
  offset: number;
}

export interface ZipDirectory {
  entries: ZipEntry[];
  /** Where the directory starts: data ends before it. */
  start: number;
  /** Set when some of it could not be read. */
  damage?: string;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const MAX32 = 0xffff_ffff;
const MAX_DIRECTORY_BYTES = 32 * 1024 * 1024;

/** A 64-bit number that a file offset can be; what is larger is no place in any file. */
function u64(buffer: Buffer, at: number): number {
  const value = buffer.readBigUInt64LE(at);
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
}

/** Names are UTF-8 if they say so or are valid as such, else of the PC of long ago; Latin-1 stands for it. */
function entryName(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return bytes.toString('latin1');
  }
}

/** Sizes and offset that did not fit 32 bits, from the extra field. */
function widen(entry: ZipEntry, extra: Buffer): void {
  for (let at = 0; at + 4 <= extra.length;) {
    const id = extra.readUInt16LE(at);
    const length = extra.readUInt16LE(at + 2);
    const field = extra.subarray(at + 4, at + 4 + length);
    if (id === 0x0001) {
      let next = 0;
      const take = (): number | undefined => {
        if (next + 8 > field.length) return undefined;
        next += 8;
        return u64(field, next - 8);
      };
      if (entry.bytes === MAX32) entry.bytes = take() ?? entry.bytes;
      if (entry.packedBytes === MAX32) entry.packedBytes = take() ?? entry.packedBytes;
      if (entry.offset === MAX32) entry.offset = take() ?? entry.offset;
    }
    at += 4 + length;
  }
}

interface End {
  at: number;
  count: number;
  size: number;
  offset: number;
}

function end64(source: Source, at: number): End | undefined {
  if (at < 20) return undefined;
  const locator = source.read(at - 20, 20);
  if (locator.length < 20 || locator.readUInt32LE(0) !== LOCATOR64) return undefined;
  // Where it says, or just before the locator when something was put before the archive.
  for (const place of [u64(locator, 8), at - 20 - 56]) {
    if (place < 0 || place + 56 > source.size) continue;
    const record = source.read(place, 56);
    if (record.length < 56 || record.readUInt32LE(0) !== END64) continue;
    return { at: place, count: u64(record, 32), size: u64(record, 40), offset: u64(record, 48) };
  }
  return undefined;
}

function findEnd(source: Source): End | undefined {
  const tail = source.read(Math.max(0, source.size - 65_557), 65_557);
  let best: End | undefined;
  for (let at = tail.length - 22; at >= 0; at -= 1) {
    if (tail[at] !== 0x50 || tail.readUInt32LE(at) !== END) continue;
    const place = source.size - tail.length + at;
    const plain: End = {
      at: place,
      count: tail.readUInt16LE(at + 10),
      size: tail.readUInt32LE(at + 12),
      offset: tail.readUInt32LE(at + 16),
    };
    const wide = plain.count === 0xffff || plain.size === MAX32 || plain.offset === MAX32;
    const found = (wide ? end64(source, place) : undefined) ?? plain;
    if (found.size <= found.at) {
      const first = source.read(found.at - found.size, 4);
      if (found.size === 0 || (first.length === 4 && first.readUInt32LE(0) === ENTRY)) return found;
    }
    best ??= found;
  }
  return best;
}

/**
 * Reads the directory; undefined when there is none.
 * @throws ExtractError when it is too large to be held.
 */
export function readDirectory(source: Source, maxEntries: number): ZipDirectory | undefined {
  const end = findEnd(source);
  if (!end) return undefined;
  if (end.size > MAX_DIRECTORY_BYTES || end.count > maxEntries)
    throw new ExtractError('too_large', `its directory lists more than may be read (${end.count} files)`);
  // What was put before the archive moves everything by its length.
  const before = Math.max(0, end.at - end.size - end.offset);
  let start = end.offset + before;
  let bytes = source.read(start, end.size);
  if (end.size > 0 && (bytes.length < 4 || bytes.readUInt32LE(0) !== ENTRY)) {
    start = end.offset;
    bytes = source.read(start, end.size);
  }
  const entries: ZipEntry[] = [];
  const shift = start === end.offset ? 0 : before;
  let at = 0;
  while (at + 46 <= bytes.length && bytes.readUInt32LE(at) === ENTRY && entries.length < maxEntries) {
    const nameLength = bytes.readUInt16LE(at + 28);
    const extraLength = bytes.readUInt16LE(at + 30);
    const next = at + 46 + nameLength + extraLength + bytes.readUInt16LE(at + 32);
    const entry: ZipEntry = {
      name: entryName(bytes.subarray(at + 46, at + 46 + nameLength)),
      method: bytes.readUInt16LE(at + 10),
      encrypted: (bytes.readUInt16LE(at + 8) & 0x2041) !== 0,
      crc: bytes.readUInt32LE(at + 16),
      packedBytes: bytes.readUInt32LE(at + 20),
      bytes: bytes.readUInt32LE(at + 24),
      offset: bytes.readUInt32LE(at + 42),
    };
    widen(entry, bytes.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength));
    entry.offset += shift;
    entries.push(entry);
    at = next;
  }
  const directory: ZipDirectory = { entries, start: Math.min(start, source.size) };
  if (at !== bytes.length || bytes.length !== end.size || entries.length !== end.count)
    directory.damage = `its directory is damaged: ${entries.length} of ${end.count} files could be found`;
  return directory;
}

export interface LocalHeader {
  name: string;
  method: number;
  encrypted: boolean;
  crc: number;
  packedBytes: number;
  bytes: number;
  /** Sizes follow the data instead of preceding it. */
  sizesFollow: boolean;
  /** Of the data. */
  start: number;
}

/**
 * Where the data of a listed entry starts, by the header before it; undefined where there is none. Names and extra fields
 * are passed over: the directory's count, and a hundred thousand entries may share one header with the longest of names.
 */
export function findLocalData(
  source: Source,
  offset: number,
): { start: number; encrypted: boolean } | undefined {
  const fixed = source.read(offset, 30);
  if (fixed.length < 30 || fixed.readUInt32LE(0) !== LOCAL) return undefined;
  return {
    start: offset + 30 + fixed.readUInt16LE(26) + fixed.readUInt16LE(28),
    encrypted: (fixed.readUInt16LE(6) & 0x2041) !== 0,
  };
}

/** The header before an entry's data; undefined where there is none. */
export function readLocalHeader(source: Source, offset: number): LocalHeader | undefined {
  const fixed = source.read(offset, 30);
  if (fixed.length < 30 || fixed.readUInt32LE(0) !== LOCAL) return undefined;
  const nameLength = fixed.readUInt16LE(26);
  const extraLength = fixed.readUInt16LE(28);
  const rest = source.read(offset + 30, nameLength + extraLength);
  const flags = fixed.readUInt16LE(6);
  const wide: ZipEntry = {
    name: entryName(rest.subarray(0, nameLength)),
    method: fixed.readUInt16LE(8),
    encrypted: (flags & 0x2041) !== 0,
    crc: fixed.readUInt32LE(14),
    packedBytes: fixed.readUInt32LE(18),
    bytes: fixed.readUInt32LE(22),
    offset: 0,
  };
  widen(wide, rest.subarray(nameLength));
  const { name, method, encrypted, crc, packedBytes, bytes } = wide;
  return {
    name,
    method,
    encrypted,
    crc,
    packedBytes,
    bytes,
    sizesFollow: (flags & 8) !== 0,
    start: offset + 30 + nameLength + extraLength,
  };
}
