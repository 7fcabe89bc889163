/**
 * What was found, masked, for the person at the terminal who asked for it: the file is read again at the place of the
 * finding. A snippet is made for output only: it is part of no verdict, event, log or export.
 *
 * At most four letters or digits stay, and never more than a quarter of them: half at the beginning, half at the end.
 */
import { fstatSync, readSync } from 'node:fs';
import { contentIdentity } from './open-file.ts';
import type { DlpMatch } from './types.ts';

const MAX_KEPT = 4;
/** A longer finding is a text, of which nothing is shown. */
const MAX_BYTES = 512;
const SHOWN = /[\s.\-/@]/u;
const COUNTED = /[\p{L}\p{N}]/u;

/** `DE89 3704 0044 0532 0130 00` becomes `DE** **** **** **** **** 00`. */
export function masked(text: string): string {
  const characters = Array.from(text);
  const counted = characters.filter((each) => COUNTED.test(each)).length;
  const kept = Math.min(MAX_KEPT, Math.floor(counted / 4));
  const atStart = Math.floor(kept / 2);
  let seen = 0;
  return characters
    .map((each) => {
      if (!COUNTED.test(each)) return SHOWN.test(each) ? each.replace(/\s/u, ' ') : '*';
      seen += 1;
      return seen <= atStart || seen > counted - (kept - atStart) ? each : '*';
    })
    .join('');
}

/** UTF-16 is told by its zeroes; what is not UTF-8 is an eight-bit code. */
function textOf(bytes: Buffer): string {
  const zeroes = (from: 0 | 1): number => {
    let count = 0;
    for (let at = from; at < bytes.length; at += 2) if (bytes[at] === 0) count += 1;
    return count;
  };
  const half = bytes.length / 4;
  if (zeroes(1) > half) return bytes.toString('utf16le');
  if (zeroes(0) > half) return Buffer.from(bytes).swap16().toString('utf16le');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return bytes.toString('latin1');
  }
}

/** Which file a descriptor shows, in which state: to be asked before the scan. */
export function identityOf(fd: number): string {
  return contentIdentity(fstatSync(fd, { bigint: true }));
}

/**
 * The masked finding; undefined inside a container, for texts and whole files, and when the file has changed since it was
 * `identity`.
 */
export function snippetOf(fd: number, identity: string, match: DlpMatch): string | undefined {
  const { kind, member, offset, length } = match;
  if (member !== undefined || (kind !== 'row' && kind !== 'pattern') || length > MAX_BYTES) return undefined;
  const bytes = Buffer.alloc(length);
  try {
    if (readSync(fd, bytes, 0, length, offset) !== length || identityOf(fd) !== identity) return undefined;
    const even = bytes.length % 2 === 0 ? bytes : bytes.subarray(0, -1);
    return masked(even.includes(0) ? textOf(even) : textOf(bytes));
  } finally {
    bytes.fill(0);
  }
}
