/**
 * Texts of a sensor record: bytes to strings, interned, because the same few hundred paths and names make up most of
 * a stream.
 *
 * Invariants: a text is taken from the table only if its bytes are equal, so a hash collision costs time, never truth.
 * Bounds: SLOTS entries of at most MAX_INTERNED_BYTES each; an entry is evicted by the next text that hashes to it.
 */
import { isUtf8 } from 'node:buffer';
import { StrKind } from './layout.ts';

const SLOTS = 4096;
const MAX_INTERNED_BYTES = 256;

interface Slot {
  kind: number;
  bytes: Uint8Array;
  text: string;
  /** False when invalid bytes were replaced. */
  valid: boolean;
}

const slots: (Slot | undefined)[] = Array.from<Slot | undefined>({ length: SLOTS });
let hits = 0;
let misses = 0;
let evictions = 0;

/** Set by the last call of `textOf`: the bytes were valid UTF-8. */
export let lastTextValid = true;

/** Counters of the intern table, for health. */
export function internStats(): { slots: number; hits: number; misses: number; evictions: number } {
  return { slots: SLOTS, hits, misses, evictions };
}

/** FNV-1a over at most 32 bytes spread over the text, then its length. */
function hashOf(bytes: Buffer, start: number, length: number, kind: number): number {
  let hash = 0x811c9dc5 ^ kind;
  const step = length > 32 ? (length >>> 5) + 1 : 1;
  for (let at = start + length - 1; at >= start; at -= step) {
    hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  }
  hash = Math.imul(hash ^ length, 0x01000193);
  return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}

function sameBytes(known: Uint8Array, bytes: Buffer, start: number): boolean {
  for (let index = known.length - 1; index >= 0; index--) {
    if (known[index] !== bytes[start + index]) return false;
  }
  return true;
}

function render(bytes: Buffer, start: number, end: number, kind: number, cut: boolean): string {
  if (kind !== StrKind.COMPONENTS) return bytes.toString('utf8', start, end);
  let path = '';
  for (let at = start; at < end;) {
    let stop = bytes.indexOf(0, at);
    if (stop < 0 || stop > end) stop = end;
    path = `/${bytes.toString('utf8', at, stop)}${path}`;
    at = stop + 1;
  }
  // A path whose root side is missing must not look absolute.
  return cut ? path.slice(1) : path === '' ? '/' : path;
}

/** The text of `length` bytes at `start`; `kind` is PLAIN or COMPONENTS. Sets `lastTextValid`. */
export function textOf(bytes: Buffer, start: number, length: number, kind: number, cut: boolean): string {
  if (length > MAX_INTERNED_BYTES) {
    lastTextValid = isUtf8(bytes.subarray(start, start + length));
    return render(bytes, start, start + length, kind, cut);
  }
  const key = cut ? kind | 0x10 : kind;
  const index = hashOf(bytes, start, length, key);
  const known = slots[index];
  if (
    known !== undefined &&
    known.kind === key &&
    known.bytes.length === length &&
    sameBytes(known.bytes, bytes, start)
  ) {
    hits += 1;
    lastTextValid = known.valid;
    return known.text;
  }
  misses += 1;
  if (known !== undefined) evictions += 1;
  const text = render(bytes, start, start + length, kind, cut);
  lastTextValid = isUtf8(bytes.subarray(start, start + length));
  slots[index] = {
    kind: key,
    bytes: Uint8Array.prototype.slice.call(bytes, start, start + length),
    text,
    valid: lastTextValid,
  };
  return text;
}

/** Splits an argument blob at its NULs. Sets `lastTextValid` to whether every argument was valid UTF-8. */
export function argumentsOf(bytes: Buffer, start: number, length: number): string[] {
  const argv: string[] = [];
  const end = start + length;
  let valid = true;
  for (let at = start; at < end;) {
    let stop = bytes.indexOf(0, at);
    if (stop < 0 || stop > end) stop = end;
    argv.push(textOf(bytes, at, stop - at, StrKind.PLAIN, false));
    if (!lastTextValid) valid = false;
    at = stop + 1;
  }
  lastTextValid = valid;
  return argv;
}

/** Removes empty, `.` and `..` components of an absolute path, by text only. */
export function normalisePath(path: string): string {
  if (!path.startsWith('/') || !/\/(?:\/|\.(?:\/|$)|\.\.(?:\/|$))|.\/$/.test(path)) return path;
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}
