/** IP addresses between 16 bytes and canonical text (RFC 5952; v4-mapped addresses read as IPv4). */
import { isIPv4, isIPv6 } from 'node:net';

export const AF_INET = 2;
export const AF_INET6 = 10;

function v4Text(bytes: Buffer, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** Text of the address at `at`; '' for a family that is not IP. */
export function addressText(bytes: Buffer, at: number, family: number): string {
  if (family === AF_INET) return v4Text(bytes, at);
  if (family !== AF_INET6) return '';
  const groups: number[] = [];
  for (let index = 0; index < 8; index++) groups.push(bytes.readUInt16BE(at + index * 2));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) return v4Text(bytes, at + 12);
  // RFC 5952: the longest run of at least two zero groups, the first of equals, becomes '::'.
  let best = -1;
  let bestLength = 1;
  for (let from = 0; from < 8; from++) {
    let length = 0;
    while (from + length < 8 && groups[from + length] === 0) length += 1;
    if (length > bestLength) {
      best = from;
      bestLength = length;
    }
  }
  const hex = (list: number[]): string => list.map((group) => group.toString(16)).join(':');
  if (best < 0) return hex(groups);
  return `${hex(groups.slice(0, best))}::${hex(groups.slice(best + bestLength))}`;
}

/** Whether the 16 bytes at `at` are all zero: "any address". */
export function isUnspecified(bytes: Buffer, at: number): boolean {
  for (let index = 0; index < 16; index++) if (bytes[at + index] !== 0) return false;
  return true;
}

/** Writes `text` at `at` (16 bytes, zeroed before) and returns its family; 0 when it is no IP address. */
export function writeAddress(text: string, bytes: Buffer, at: number): number {
  if (isIPv4(text)) {
    text.split('.').forEach((part, index) => (bytes[at + index] = Number(part)));
    return AF_INET;
  }
  const bare = text.split('%')[0] ?? '';
  if (!isIPv6(bare)) return 0;
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(bare);
  const hexText = dotted
    ? `${dotted[1]}${((Number(dotted[2]) << 8) | Number(dotted[3])).toString(16)}:${((Number(dotted[4]) << 8) | Number(dotted[5])).toString(16)}`
    : bare;
  const [head = '', tail] = hexText.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right];
  groups.forEach((group, index) => bytes.writeUInt16BE(Number.parseInt(group, 16), at + index * 2));
  return AF_INET6;
}
