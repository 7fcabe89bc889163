/** What could be written at a place of a policy's text: names of YAML fields, their values, and names of conditions. */
import { EVENT_TYPES, LANES, SEVERITIES } from '../event.ts';
import { ALIASES, fieldNames, FIELDS } from './fields.ts';
import { ACTIONS } from './types.ts';

export interface Completion {
  /** What is written in place of the characters from `replaceFrom` to `replaceTo`. */
  text: string;
  label: string;
  detail: string;
  replaceFrom: number;
  replaceTo: number;
}

const MAX_COMPLETIONS = 50;

const KEYS: Readonly<Record<string, string>> = {
  id: 'lower-case letters, digits, dots, hyphens',
  version: 'whole number; saving takes the next one',
  title: 'one line for people',
  description: 'why, and what to look out for',
  severity: 'info, low, medium, high or critical; the last two need approvals',
  scope: 'users, devices, containers it is about',
  when: 'the condition, in CEL',
  action: 'deny_exec, deny_connect, deny_open, kill, freeze, quarantine, cut_network or alert',
  exceptions: 'what is left alone, with owner and expiry',
  canaryPercent: 'share of matches on which a canary acts, 1 to 100',
  cut: 'of cut_network: for how many minutes, and networks that stay open',
  failMode: 'open or closed: what the kernel does while the agent is silent',
};
const NESTED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  scope: { users: 'names', devices: 'device ids', containers: 'container ids' },
  cut: { minutes: 'how long, 60 if not said', except: 'networks that stay open' },
  exceptions: {
    when: 'a condition; what it holds for is left alone',
    owner: 'who answers for it',
    reason: 'why',
    expires: 'last day, YYYY-MM-DD',
  },
};
const VALUES: Readonly<Record<string, readonly string[]>> = {
  severity: SEVERITIES,
  action: ACTIONS,
  failMode: ['open', 'closed'],
};
/** Values that a field can have, where there are few. */
const FIELD_VALUES: Readonly<Record<string, readonly string[]>> = {
  'event.type': EVENT_TYPES,
  'event.lane': LANES,
  'event.severity': SEVERITIES,
  'event.action':
    'exec fork exit ptrace setuid open create write rename unlink chmod connect accept listen send query'.split(
      ' ',
    ),
  'network.transport': ['tcp', 'udp'],
  'network.direction': ['outbound', 'inbound', 'listen'],
  'process.integrity_level': ['system', 'elevated', 'user'],
  'process.flags': ['memfd', 'deleted', 'setuid', 'setgid', 'script', 'kthread', 'writable_dir'],
};
const METHODS: Readonly<Record<string, readonly (readonly [name: string, detail: string])[]>> = {
  string: [
    ['startsWith("")', 'begins with'],
    ['endsWith("")', 'ends with'],
    ['contains("")', 'has in it'],
    ['matches("")', 'regular expression, searched anywhere'],
    ['inCidr("")', 'address in a network'],
    ['lowerAscii()', 'in lower case'],
    ['size()', 'length'],
  ],
  list: [
    ['exists(x, x == "")', 'holds for one of them'],
    ['all(x, x == "")', 'holds for each of them'],
    ['exists_one(x, x == "")', 'holds for exactly one of them'],
    ['size()', 'how many'],
  ],
};

interface Line {
  indent: number;
  /** Key of `key: value` or `- key: value`; undefined for others. */
  key: string | undefined;
  /** Offset of what follows the colon. */
  valueAt: number;
}

function lineAt(text: string, start: number): Line {
  const end = text.indexOf('\n', start);
  const line = text.slice(start, end < 0 ? undefined : end);
  const match = /^(\s*(?:- +)?)([A-Za-z]+)\s*:(?:\s+|$)/.exec(line);
  const indent = (match?.[1] ?? /^\s*/.exec(line)?.[0] ?? '').length;
  return { indent, key: match?.[2], valueAt: start + (match?.[0].length ?? 0) };
}

/** The key whose value the place lies in, and where that value begins; undefined where a key is expected. */
function valueAround(text: string, caret: number): { key: string; from: number } | undefined {
  let start = text.lastIndexOf('\n', caret - 1) + 1;
  let { indent, key, valueAt } = lineAt(text, start);
  if (key !== undefined && valueAt <= caret) return { key, from: valueAt };
  // A longer value goes on in lines that are further in than its key.
  while (start > 0) {
    start = text.lastIndexOf('\n', start - 2) + 1;
    const line = text.slice(start, text.indexOf('\n', start));
    if (line.trim() === '') continue;
    const above = lineAt(text, start);
    if (above.indent >= indent && above.key === undefined) {
      indent = Math.min(indent, above.indent);
      continue;
    }
    if (above.key === undefined || above.indent >= indent) return undefined;
    ({ key, valueAt } = above);
    return key === 'when' || VALUES[key ?? ''] ? { key: key!, from: valueAt } : undefined;
  }
  return undefined;
}

/** Completions at `caret`, the likeliest first. */
export function completePolicy(text: string, caret: number): Completion[] {
  const value = valueAround(text, caret);
  if (value === undefined) return keyCompletions(text, caret);
  const values = VALUES[value.key];
  if (values)
    return wordsOf(
      text,
      caret,
      /[\w-]*$/,
      values.map((name) => [name, name, value.key]),
    );
  return value.key === 'when' ? conditionCompletions(text, value.from, caret) : [];
}

type Offered = readonly [text: string, label: string, detail: string];

/** Those of `offered` that begin with, or else contain, what is typed before the caret. */
function wordsOf(text: string, caret: number, word: RegExp, offered: readonly Offered[]): Completion[] {
  const typed = word.exec(text.slice(0, caret))?.[0] ?? '';
  const low = typed.toLowerCase();
  const fits = offered.filter(([, label]) => label.toLowerCase().includes(low) && label !== typed);
  const begins = ([, label]: Offered): number => (label.toLowerCase().startsWith(low) ? 0 : 1);
  return fits
    .sort((a, b) => begins(a) - begins(b))
    .slice(0, MAX_COMPLETIONS)
    .map(([insert, label, detail]) => ({
      text: insert,
      label,
      detail,
      replaceFrom: caret - typed.length,
      replaceTo: caret,
    }));
}

function keyCompletions(text: string, caret: number): Completion[] {
  const start = text.lastIndexOf('\n', caret - 1) + 1;
  const before = text.slice(start, caret);
  if (!/^\s*(- *)?[A-Za-z]*$/.test(before)) return [];
  const isNested = /^(\s|-)/.test(before);
  const above = text
    .slice(0, start)
    .split('\n')
    .findLast((line) => /^[A-Za-z]+\s*:/.test(line));
  const parent = isNested ? (/^[A-Za-z]+/.exec(above ?? '')?.[0] ?? '') : undefined;
  const keys = parent === undefined ? KEYS : (NESTED[parent] ?? {});
  const document = text.slice(text.lastIndexOf('\n---', caret) + 1);
  const present = new Set(
    parent === undefined ? [...document.matchAll(/^([A-Za-z]+)\s*:/gm)].map(([, key]) => key) : [],
  );
  return wordsOf(
    text,
    caret,
    /[A-Za-z]*$/,
    Object.entries(keys)
      .filter(([key]) => !present.has(key))
      .map(([key, detail]) => [`${key}: `, key, detail]),
  );
}

function conditionCompletions(text: string, from: number, caret: number): Completion[] {
  const before = text.slice(from, caret);
  const quoted = /(?:^|[^\\])"((?:[^"\\]|\\.)*)$/.exec(
    before.replace(/"(?:[^"\\]|\\.)*"/g, (all) => ' '.repeat(all.length)),
  );
  if (quoted) {
    const field = /([\w.]+)\s*(?:==|!=|in)\s*(?:\[[^\]]*)?$/.exec(
      before.slice(0, before.length - quoted[1]!.length - 1),
    )?.[1];
    const values = FIELD_VALUES[ALIASES[field ?? ''] ?? field ?? ''] ?? [];
    return wordsOf(
      text,
      caret,
      /[\w-]*$/,
      values.map((value) => [value, value, field ?? '']),
    );
  }
  const typed = /[\w.]*$/.exec(before)?.[0] ?? '';
  const field = typed.slice(0, Math.max(0, typed.lastIndexOf('.')));
  const type = FIELDS[ALIASES[field] ?? field]?.type;
  if (type !== undefined) {
    const methods = METHODS[type.startsWith('list') ? 'list' : type] ?? [];
    return wordsOf(
      text,
      caret,
      /\w*$/,
      methods.map(([call, detail]) => [call, call, detail]),
    );
  }
  const offered = fieldNames().map((name): Offered => {
    const { type: kind, help } = FIELDS[ALIASES[name] ?? name]!;
    return [name, name, `${kind} · ${help}`];
  });
  return wordsOf(text, caret, /[\w.]*$/, [...offered, ['has()', 'has()', 'whether the event has the field']]);
}
