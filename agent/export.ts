/**
 * Events as text to save. Both forms are made for files that somebody opens without thinking: nothing in them may act.
 *
 * NDJSON: one event per line in protobuf's JSON names. Control, bidirectional and invisible characters are \u escapes,
 * so the text says exactly what was recorded and a terminal shows it as it is.
 * CSV: RFC 4180 (CRLF, quotes where needed). Text that a spreadsheet would take for a formula gets a leading
 * apostrophe; characters that a terminal or a reader would obey are written out as \x1b or \u{202e}; a text that speaks
 * to a model or is otherwise made to act (the shield's verdict) is given as its labelled, neutral copy. NDJSON has the raw
 * text with the label and the copy beside it.
 */
import type { EventJson, ExportFormat } from './api/contract.ts';
import { neutralise } from './neutralise.ts';
import { printable, shellQuote } from './printable.ts';
import { classify, classifyCommand } from './shield/classify.ts';
import type { Classified, TextKind } from './shield/verdict.ts';

/** A piece of an export ends after this many UTF-16 units, so that it fits an answer however it is escaped. */
const MAX_PIECE_CHARS = 2 * 1024 * 1024;

const DEFAULT_COLUMNS: readonly string[] = [
  'time',
  'type',
  'action',
  'severity',
  'lane',
  'process.pid',
  'process.name',
  'process.user',
  'process.executable',
  'process.commandLine',
  'process.cwd',
  'process.ppid',
  'parent.name',
  'parent.executable',
  'file.path',
  'file.oldPath',
  'network.protocol',
  'network.direction',
  'network.srcIp',
  'network.srcPort',
  'network.dstIp',
  'network.dstPort',
  'dns.query',
  'detections',
  'message',
  'gap.cause',
  'gap.count',
  'synthetic',
  'tsNs',
  'eventId',
];

/** What spreadsheets take for the beginning of a formula, also behind blanks and in full width (OWASP). */
const FORMULA = /^[\s\u00a0\u200b\ufeff]*[=+\-@\uff0b\uff0d\uff1d\uff20]|^[\t\r\n]/u;
const HIDDEN =
  // eslint-disable-next-line no-control-regex, no-misleading-character-class
  /[\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]/gu;

/** One event as a line of NDJSON, without its line end. */
export function ndjsonLine(event: EventJson): string {
  return JSON.stringify(event).replace(HIDDEN, (character) => {
    let escaped = '';
    for (let i = 0; i < character.length; i++) {
      escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
    }
    return escaped;
  });
}

/** One cell of CSV. Numbers and booleans stay as they are. */
export function csvCell(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const raw = typeof value === 'string' ? value : JSON.stringify(value);
  // Line ends and tabs are data that RFC 4180 can carry; everything else that acts is written out.
  let text = raw
    .split(/([\t\r\n])/)
    .map((part) => (/^[\t\r\n]$/.test(part) ? part : printable(part)))
    .join('');
  if (FORMULA.test(raw)) text = `'${text}`;
  return /[",\t\r\n']|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Columns whose texts others choose, and as what they are judged. */
const CHOSEN: Readonly<Record<string, TextKind>> = {
  'process.name': 'path',
  'process.executable': 'path',
  'process.cwd': 'path',
  'parent.name': 'path',
  'parent.executable': 'path',
  'parent.cwd': 'path',
  'target.executable': 'path',
  'file.path': 'path',
  'file.oldPath': 'path',
  'dns.query': 'dns',
  message: 'log',
};

/** A cell for a reader: a text that is made to act on whoever reads it is given as its neutral, labelled copy. */
function shownCell(event: EventJson, column: string): unknown {
  const value = cellOf(event, column);
  if (column === 'process.commandLine' || column === 'parent.commandLine') {
    const argv = (column === 'process.commandLine' ? event.process : event.parent)?.argv ?? [];
    return typeof value === 'string' ? neutral(value, classifyCommand(argv)) : value;
  }
  const kind = CHOSEN[column] ?? (column.startsWith('details.') ? 'log' : undefined);
  if (kind !== undefined && typeof value === 'string') return neutral(value, classify(value, kind));
  // A whole object as JSON: as a log line would be.
  if (typeof value !== 'object' || value === null) return value;
  const text = JSON.stringify(value);
  return neutral(text, classify(text, 'log'));
}

/** What is harmless stays as it is: `csvCell` makes it inert anyway. */
function neutral(text: string, classified: Classified): string {
  return classified.verdict === 'benign' ? text : neutralise(text, classified);
}

function cellOf(event: EventJson, column: string): unknown {
  switch (column) {
    case 'time': {
      const ns = BigInt(event.tsNs);
      const seconds = new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19);
      return `${seconds}.${(ns % 1_000_000_000n).toString().padStart(9, '0')}Z`;
    }
    case 'process.commandLine':
      return event.process?.argv && shellQuote(event.process.argv);
    case 'parent.commandLine':
      return event.parent?.argv && shellQuote(event.parent.argv);
    case 'detections':
      return event.detections?.map(({ level, title }) => `${level}: ${title}`).join('; ');
    default: {
      let value: unknown = event;
      for (const name of column.split('.')) {
        if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
        value = (value as Record<string, unknown>)[name];
      }
      return value;
    }
  }
}

export interface ExportText {
  text: string;
  /** How many of the events are in it: all, or as many as one piece may hold. */
  taken: number;
}

/** Lines for as many of `events` as fit one piece (at least one). `first` puts the header of CSV in front. */
export function exportText(
  events: readonly EventJson[],
  format: ExportFormat,
  columns: readonly string[] = DEFAULT_COLUMNS,
  first = false,
): ExportText {
  const end = format === 'csv' ? '\r\n' : '\n';
  const parts: string[] = [];
  if (first && format === 'csv') parts.push(columns.map(csvCell).join(','), end);
  let chars = 0;
  let taken = 0;
  for (const event of events) {
    const line =
      format === 'csv'
        ? columns.map((column) => csvCell(shownCell(event, column))).join(',')
        : ndjsonLine(event);
    chars += line.length + end.length;
    if (taken > 0 && chars > MAX_PIECE_CHARS) break;
    parts.push(line, end);
    taken += 1;
  }
  return { text: parts.join(''), taken };
}
