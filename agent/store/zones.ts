/** Bounds and summary of a set of events (a chunk, a partition), for skipping what cannot match. */
import type { StatementSync } from 'node:sqlite';
import { ZONE_COLUMNS } from './schema.ts';

export interface Zone {
  rows: number;
  minTs: bigint;
  maxTs: bigint;
  /** Smallest and largest event id of each lane (even ids: security); min > max when it has none. */
  minId: [number, number];
  maxId: [number, number];
  /** Bit sets of the types and severities that occur; may hold too many, never too few. */
  types: number;
  severities: number;
}

export function emptyZone(): Zone {
  return { rows: 0, minTs: 0n, maxTs: 0n, minId: [1, 1], maxId: [0, 0], types: 0, severities: 0 };
}

/** Widens the zone by one event. */
export function grow(zone: Zone, tsNs: bigint, eventId: number, type: number, severity: number): void {
  const lane = eventId % 2 === 1 ? 1 : 0;
  if (zone.rows === 0 || tsNs < zone.minTs) zone.minTs = tsNs;
  if (zone.rows === 0 || tsNs > zone.maxTs) zone.maxTs = tsNs;
  const none = zone.minId[lane] > zone.maxId[lane];
  if (none || eventId < zone.minId[lane]) zone.minId[lane] = eventId;
  if (none || eventId > zone.maxId[lane]) zone.maxId[lane] = eventId;
  zone.types |= 1 << type;
  zone.severities |= 1 << severity;
  zone.rows += 1;
}

/** Bounds of several zones together. */
export function unionOf(zones: readonly Zone[]): Zone {
  const union = emptyZone();
  for (const zone of zones) {
    if (zone.rows === 0) continue;
    if (union.rows === 0 || zone.minTs < union.minTs) union.minTs = zone.minTs;
    if (union.rows === 0 || zone.maxTs > union.maxTs) union.maxTs = zone.maxTs;
    for (const lane of [0, 1] as const) {
      if (zone.minId[lane] > zone.maxId[lane]) continue;
      const none = union.minId[lane] > union.maxId[lane];
      if (none || zone.minId[lane] < union.minId[lane]) union.minId[lane] = zone.minId[lane];
      if (none || zone.maxId[lane] > union.maxId[lane]) union.maxId[lane] = zone.maxId[lane];
    }
    union.types |= zone.types;
    union.severities |= zone.severities;
    union.rows += zone.rows;
  }
  return union;
}

/** Whether the event can be in the zone. */
export function mayHold(zone: Zone, eventId: number): boolean {
  const lane = eventId % 2 === 1 ? 1 : 0;
  return zone.rows > 0 && eventId >= zone.minId[lane] && eventId <= zone.maxId[lane];
}

interface ZoneRow {
  rows: bigint;
  min_ts: bigint;
  max_ts: bigint;
  min0: bigint;
  max0: bigint;
  min1: bigint;
  max1: bigint;
  types: bigint;
  sevs: bigint;
}

/** A zone from a row that was read with ZONE_COLUMNS and big integers. */
export function zoneOf(row: object): Zone {
  const { rows, min_ts, max_ts, min0, max0, min1, max1, types, sevs } = row as ZoneRow;
  return {
    rows: Number(rows),
    minTs: min_ts,
    maxTs: max_ts,
    minId: [Number(min0), Number(min1)],
    maxId: [Number(max0), Number(max1)],
    types: Number(types),
    severities: Number(sevs),
  };
}

/** `key` and ZONE_COLUMNS with their marks, for INSERT OR REPLACE; `more` further columns follow. */
export function zoneInsert(table: string, key: string, more: readonly string[] = []): string {
  const columns = [key, ...ZONE_COLUMNS.split(', '), ...more];
  return `INSERT OR REPLACE INTO ${table}(${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;
}

export function saveZone(statement: StatementSync, key: number, zone: Zone, ...more: Uint8Array[]): void {
  const { rows, minTs, maxTs, minId, maxId, types, severities } = zone;
  statement.run(key, rows, minTs, maxTs, minId[0], maxId[0], minId[1], maxId[1], types, severities, ...more);
}
