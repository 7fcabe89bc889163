/** Values in a query: addresses and networks, moments, durations. Parsing returns undefined where text is not one. */
import type { TimePoint } from './query-ast.ts';

const NS_PER_SECOND = 1_000_000_000n;
const UNITS: readonly (readonly [name: string, ns: bigint])[] = [
  ['w', 604_800n * NS_PER_SECOND],
  ['d', 86_400n * NS_PER_SECOND],
  ['h', 3_600n * NS_PER_SECOND],
  ['m', 60n * NS_PER_SECOND],
  ['s', NS_PER_SECOND],
  ['ms', 1_000_000n],
  ['us', 1_000n],
  ['ns', 1n],
];
export const DURATION_UNITS = UNITS.map(([name]) => name);
/** 2200-01-01: a moment later than this does not fit a signed 64-bit count of nanoseconds with room to spare. */
const MAX_NS = 7_258_118_400n * NS_PER_SECOND;

export interface Address {
  version: 4 | 6;
  value: bigint;
}

function parseIpv4(text: string): bigint | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  let value = 0n;
  for (const part of match.slice(1)) {
    const byte = Number(part);
    if (byte > 255 || (part.length > 1 && part.startsWith('0'))) return undefined;
    value = value * 256n + BigInt(byte);
  }
  return value;
}

function parseIpv6(text: string): bigint | undefined {
  let source = text;
  const dot = source.lastIndexOf(':');
  if (source.includes('.')) {
    const low = parseIpv4(source.slice(dot + 1));
    if (low === undefined) return undefined;
    source = `${source.slice(0, dot + 1)}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  }
  const halves = source.split('::');
  if (halves.length > 2) return undefined;
  const groups = (half: string | undefined): string[] =>
    half === undefined || half === '' ? [] : half.split(':');
  const head = groups(halves[0]);
  const tail = groups(halves[1]);
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  let value = 0n;
  for (const group of [...head, ...Array.from({ length: missing }, () => '0'), ...tail]) {
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
    value = value * 65536n + BigInt(Number.parseInt(group, 16));
  }
  return value;
}

/** An address; `::ffff:10.0.0.1` is the IPv4 address that it shows. A zone (`%eth0`) is ignored. */
export function parseAddress(text: string): Address | undefined {
  const v4 = parseIpv4(text);
  if (v4 !== undefined) return { version: 4, value: v4 };
  if (!text.includes(':')) return undefined;
  const zone = text.indexOf('%');
  const v6 = parseIpv6(zone < 0 ? text : text.slice(0, zone));
  if (v6 === undefined) return undefined;
  if (v6 >> 32n === 0xffffn && text.includes('.')) return { version: 4, value: v6 & 0xffffffffn };
  return { version: 6, value: v6 };
}

/** Canonical text: dotted quad, or RFC 5952. */
export function formatAddress(address: Address): string {
  const groups: number[] = [];
  if (address.version === 4) {
    for (let shift = 24n; shift >= 0n; shift -= 8n) groups.push(Number((address.value >> shift) & 255n));
    return groups.join('.');
  }
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(Number((address.value >> shift) & 0xffffn));
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start += 1) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length += 1;
    if (length > bestLength) {
      bestStart = start;
      bestLength = length;
    }
  }
  const hex = groups.map((group) => group.toString(16));
  if (bestStart < 0) return hex.join(':');
  return `${hex.slice(0, bestStart).join(':')}::${hex.slice(bestStart + bestLength).join(':')}`;
}

export interface Network {
  version: 4 | 6;
  base: string;
  bits: number;
}

/** `10.0.0.0/8`, `2001:db8::/32`, or an address, which is a network of full length. Host bits are cleared. */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (!address) return undefined;
  const width = address.version === 4 ? 32 : 128;
  let bits = width;
  if (slash >= 0) {
    if (!/^\d{1,3}$/.test(text.slice(slash + 1))) return undefined;
    bits = Number(text.slice(slash + 1));
    if (address.version === 4 && text.includes(':')) bits -= 96;
    if (bits < 0 || bits > width) return undefined;
  }
  const host = BigInt(width - bits);
  const value = (address.value >> host) << host;
  return { version: address.version, base: formatAddress({ version: address.version, value }), bits };
}

/** A part of the text of every address in the network, for an index; empty when there is none. */
export function networkLiteral(network: Network): string {
  if (network.version !== 4 || network.bits < 8) return '';
  if (network.bits === 32) return network.base;
  const octets = network.base.split('.').slice(0, Math.floor(network.bits / 8));
  return `${octets.join('.')}.`;
}

/** Whether an address in text form lies in the network. Text that is no address never does. */
export function networkTest(network: Network): (text: string) => boolean {
  const base = parseAddress(network.base);
  const shift = BigInt((network.version === 4 ? 32 : 128) - network.bits);
  const prefix = (base?.value ?? 0n) >> shift;
  return (text) => {
    const address = parseAddress(text);
    return address !== undefined && address.version === network.version && address.value >> shift === prefix;
  };
}

/** `90s`, `1h30m`, `2d`; nanoseconds. */
export function parseDuration(text: string): bigint | undefined {
  if (text.length > 40 || !/^(\d+(w|d|h|ms|m|us|s|ns))+$/i.test(text)) return undefined;
  let total = 0n;
  for (const [, digits, unit] of text.toLowerCase().matchAll(/(\d+)(w|d|h|ms|m|us|s|ns)/g)) {
    const found = UNITS.find(([name]) => name === unit);
    total += BigInt(digits ?? '0') * (found?.[1] ?? 0n);
  }
  return total <= MAX_NS ? total : undefined;
}

/** The shortest exact text of a duration. */
export function formatDuration(ns: bigint): string {
  if (ns === 0n) return '0s';
  const [name, size] = UNITS.find(([, unit]) => ns % unit === 0n) ?? ['ns', 1n];
  return `${ns / size}${name}`;
}

const MOMENT =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt_ ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?([Zz]|[+-]\d\d:?\d\d)?$/;
const CLOCK = /^(\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?$/;

/** A moment and the length of the span its text names (a date names a day, 10:00 a minute). */
export interface Moment {
  at: TimePoint;
  spanNs: bigint;
}

function fraction(digits: string | undefined): bigint {
  return BigInt((digits ?? '').padEnd(9, '0'));
}

/** ISO 8601 (local time without a zone), a clock time today, `today`, `yesterday`, `now`, an age (`1h`), Unix time. */
export function parseMoment(text: string): Moment | undefined {
  const word = text.toLowerCase();
  const day = 86_400n * NS_PER_SECOND;
  if (word === 'now') return { at: { kind: 'ago', ns: 0n }, spanNs: 1n };
  if (word === 'today') return { at: { kind: 'day', days: 0 }, spanNs: day };
  if (word === 'yesterday') return { at: { kind: 'day', days: 1 }, spanNs: day };
  const age = parseDuration(word);
  if (age !== undefined) return { at: { kind: 'ago', ns: age }, spanNs: 1n };
  const clock = CLOCK.exec(text);
  if (clock) {
    const [, hours = '0', minutes = '0', seconds, digits] = clock;
    if (Number(minutes) > 59 || Number(seconds ?? 0) > 59) return undefined;
    const whole = BigInt(Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds ?? 0));
    if (whole * NS_PER_SECOND + fraction(digits) > day) return undefined;
    const spanNs = digits === undefined ? (seconds === undefined ? 60n * NS_PER_SECOND : NS_PER_SECOND) : 1n;
    return { at: { kind: 'clock', ns: whole * NS_PER_SECOND + fraction(digits) }, spanNs };
  }
  if (/^\d{10}$|^\d{13}$|^\d{16}$|^\d{19}$/.test(text)) {
    const scale = 10n ** BigInt(19 - text.length);
    const ns = BigInt(text) * scale;
    return ns > MAX_NS ? undefined : { at: { kind: 'at', ns }, spanNs: scale };
  }
  const iso = MOMENT.exec(text);
  if (!iso) return undefined;
  const [, year, month, date, hours, minutes, seconds, digits, zone] = iso;
  const parts = [year, month, date, hours ?? 0, minutes ?? 0, seconds ?? 0].map(Number);
  const [y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0] = parts;
  const utc = new Date(Date.UTC(y, mo - 1, d, h, mi, s));
  if (utc.getUTCMonth() !== mo - 1 || utc.getUTCDate() !== d || h > 23 || mi > 59 || s > 59) return undefined;
  let ms = utc.getTime();
  if (zone === undefined) ms = new Date(y, mo - 1, d, h, mi, s).getTime();
  else if (zone.length > 1) {
    const offset = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
    ms -= (zone.startsWith('-') ? -offset : offset) * 60_000;
  }
  const ns = BigInt(ms) * 1_000_000n + fraction(digits);
  if (ns < 0n || ns > MAX_NS) return undefined;
  const span = digits !== undefined ? 1n : NS_PER_SECOND;
  const spanNs = hours === undefined ? day : seconds === undefined ? 60n * NS_PER_SECOND : span;
  return { at: { kind: 'at', ns }, spanNs };
}

/** Exact text of a point in time; `parseMoment` gives the same point back. */
export function formatMoment(at: TimePoint): string {
  if (at.kind === 'ago') return at.ns === 0n ? 'now' : formatDuration(at.ns);
  if (at.kind === 'day') return at.days === 0 ? 'today' : 'yesterday';
  const sub = at.ns % NS_PER_SECOND;
  const tail = sub === 0n ? '' : `.${sub.toString().padStart(9, '0').replace(/0+$/, '')}`;
  if (at.kind === 'clock') {
    const two = (value: bigint): string => value.toString().padStart(2, '0');
    const whole = at.ns / NS_PER_SECOND;
    const seconds = whole % 60n;
    const head = `${two(whole / 3600n)}:${two((whole / 60n) % 60n)}`;
    return seconds === 0n && tail === '' ? head : `${head}:${two(seconds)}${tail}`;
  }
  return `${new Date(Number(at.ns / 1_000_000n)).toISOString().slice(0, 19)}${tail}Z`;
}

/** Nanoseconds since the epoch. Days and clock times are local. */
export function resolveMoment(at: TimePoint, nowNs: bigint): bigint {
  if (at.kind === 'at') return at.ns;
  if (at.kind === 'ago') return nowNs - at.ns;
  const now = new Date(Number(nowNs / 1_000_000n));
  const days = at.kind === 'day' ? at.days : 0;
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate() - days).getTime();
  return BigInt(midnight) * 1_000_000n + (at.kind === 'clock' ? at.ns : 0n);
}
