/** The columns of the list after time, severity and sentence: any field of the query language. */
import type { EventJson } from '../../../agent/api/contract.ts';
import { fieldName, fieldValue } from './fields.ts';

/** Widths in pixels by field; those that hold paths and text share what is left. */
const NARROW: Readonly<Record<string, number>> = {
  pid: 64,
  ppid: 64,
  uid: 56,
  euid: 56,
  gid: 56,
  loginuid: 64,
  session: 72,
  port: 64,
  'src.port': 64,
  proto: 48,
  exit: 48,
  signal: 56,
  type: 72,
  action: 80,
  lane: 96,
  severity: 72,
  user: 84,
  name: 96,
  'parent.name': 96,
  bytes: 80,
  direction: 72,
};
const NUMBERS: ReadonlySet<string> = new Set([
  'pid',
  'ppid',
  'uid',
  'euid',
  'gid',
  'port',
  'src.port',
  'exit',
]);

/** Offered in the menu; any other field comes from the menu of a value. */
export const USUAL_COLUMNS: readonly string[] = [
  'rule',
  'user',
  'pid',
  'parent.name',
  'type',
  'action',
  'severity',
  'image',
  'cwd',
  'container',
  'ip',
  'port',
];

export function isNumber(field: string): boolean {
  return NUMBERS.has(field);
}

/** Pixels that a time takes; `dated` when it is told with its day. */
export function timeWidth(relative: boolean, dated: boolean): number {
  if (relative) return 88;
  return dated ? 134 : 104;
}

/** Tracks of the grid that heading and rows share. */
export function gridOf(columns: readonly string[], relative: boolean, dated: boolean): string {
  const tracks = columns.map((field) => {
    const width = NARROW[field];
    return width === undefined ? 'minmax(0, 0.32fr)' : `${width}px`;
  });
  return `${timeWidth(relative, dated)}px 20px minmax(0, 1fr) ${tracks.join(' ')}`;
}

export function columnName(field: string): string {
  return fieldName(field);
}

/** What a cell shows and what it asks for; the user falls back on its number. */
export function cellOf(event: EventJson, field: string): { field: string; value: string } | undefined {
  const value = fieldValue(event, field);
  if (value !== undefined) return { field, value };
  if (field !== 'user') return undefined;
  const uid = fieldValue(event, 'uid');
  return uid === undefined ? undefined : { field: 'uid', value: uid };
}
