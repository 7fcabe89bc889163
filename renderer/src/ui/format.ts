/**
 * Numbers, sizes and times as people read them. Nanosecond times arrive as decimal strings and are shown in the
 * reader's zone; anything copied is absolute.
 */
import { locale } from '../i18n/i18n.ts';

const NS_PER_MS = 1_000_000n;
const SIZE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** Milliseconds since the epoch, for Date. */
export function msOf(ns: string | bigint): number {
  return Number(BigInt(ns) / NS_PER_MS);
}

export function nsOfMs(ms: number): bigint {
  return BigInt(Math.round(ms)) * NS_PER_MS;
}

const pad = (value: number, width = 2): string => String(value).padStart(width, '0');

/** 14:03:22.104 */
export function timeOfDay(ns: string, withMs = true): string {
  const date = new Date(msOf(ns));
  const base = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return withMs ? `${base}.${pad(date.getMilliseconds(), 3)}` : base;
}

/** 2026-11-21 */
export function dayOf(ns: string): string {
  const date = new Date(msOf(ns));
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

/** Offset of the reader's zone at that moment: +01:00. */
export function zoneOffset(ms: number): string {
  const minutes = -new Date(ms).getTimezoneOffset();
  const sign = minutes < 0 ? '-' : '+';
  const size = Math.abs(minutes);
  return `${sign}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

/** 2026-11-21 14:03:22.104123456 +01:00: everything there is, for hover and copy. */
export function absoluteTime(ns: string): string {
  const nanos = BigInt(ns) % 1_000_000_000n;
  return `${dayOf(ns)} ${timeOfDay(ns, false)}.${nanos.toString().padStart(9, '0')} ${zoneOffset(msOf(ns))}`;
}

export function zoneName(): string {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return `${zone} (UTC${zoneOffset(Date.now())})`;
}

/** RFC 3339 in UTC, what the query language takes for a moment. */
export function isoOf(ns: bigint | string): string {
  const value = BigInt(ns);
  const base = new Date(msOf(value)).toISOString();
  const micros = (value % NS_PER_MS) / 1000n;
  return micros === 0n ? base : base.replace('Z', `${micros.toString().padStart(3, '0')}Z`);
}

export function count(value: number | string): string {
  return new Intl.NumberFormat(locale()).format(typeof value === 'string' ? BigInt(value) : value);
}

/** 12.3k: for places with room for four characters; the full number belongs in a title. */
export function shortCount(value: number): string {
  return new Intl.NumberFormat(locale(), { notation: 'compact', maximumFractionDigits: 1 }).format(value);
}

/** One decimal below ten, none above, so that rates do not flicker. */
export function rate(value: number): string {
  const digits = value > 0 && value < 10 ? 1 : 0;
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value);
}

export function percent(value: number): string {
  return `${new Intl.NumberFormat(locale(), { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value)} %`;
}

/** Decimal units: 1.5 MB. */
export function bytes(value: number | string): string {
  let size = Number(value);
  let unit = 0;
  while (size >= 1000 && unit < SIZE_UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && size < 10 ? 1 : 0;
  return `${new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(size)} ${SIZE_UNITS[unit]}`;
}

/** Microseconds as µs, ms or s. */
export function micros(us: number): string {
  const format = (value: number): string =>
    new Intl.NumberFormat(locale(), { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
  if (us < 1000) return `${format(us)} µs`;
  if (us < 1_000_000) return `${format(us / 1000)} ms`;
  return `${format(us / 1_000_000)} s`;
}

const STEPS: readonly (readonly [unit: Intl.RelativeTimeFormatUnit, ms: number])[] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
];

/** "2 minutes ago" */
export function ago(ns: string, nowMs: number): string {
  const delta = msOf(ns) - nowMs;
  const format = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto', style: 'short' });
  for (const [unit, size] of STEPS) {
    if (Math.abs(delta) >= size) return format.format(Math.trunc(delta / size), unit);
  }
  return format.format(0, 'second');
}

/** 3 d 4 h, 12 min, 40 s */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor((seconds % 86_400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  if (minutes > 0) return `${minutes} min`;
  return `${seconds} s`;
}
