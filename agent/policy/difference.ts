/**
 * What differs between two texts of a policy: line by line, and by meaning (fields, clauses, exceptions), because a text
 * that was only laid out anew is the same policy, and one changed operator is another.
 */
import { clauseTexts } from './clauses.ts';
import type { LoadedPolicy } from './parse.ts';
import type { Policy } from './types.ts';

export interface DifferentLine {
  kind: 'same' | 'removed' | 'added';
  text: string;
  /** 1-based, in the old and in the new text. */
  oldLine?: number;
  newLine?: number;
}

export interface Meaning {
  fields: { field: string; from: string; to: string }[];
  clauses: { added: string[]; removed: string[]; kept: number };
  /** The clauses are the same and are joined in another way. */
  rejoined: boolean;
  exceptions: { added: string[]; removed: string[] };
}

/** Lines of each text that are compared; what is longer is shown as replaced as a whole. */
const MAX_LINES = 2000;

/** The lines of two texts, in order: first what went, then what came. */
export function lineDifference(from: string, to: string): DifferentLine[] {
  const [a, b] = [from.replace(/\n$/, '').split('\n'), to.replace(/\n$/, '').split('\n')];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const result: DifferentLine[] = [];
  const same = (i: number, j: number): void =>
    void result.push({ kind: 'same', text: a[i] ?? '', oldLine: i + 1, newLine: j + 1 });
  for (let i = 0; i < head; i += 1) same(i, i);
  result.push(...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail), head));
  for (let i = tail; i > 0; i -= 1) same(a.length - i, b.length - i);
  return result;
}

/** By the longest common subsequence. */
function middle(a: readonly string[], b: readonly string[], offset: number): DifferentLine[] {
  const removed = (i: number): DifferentLine => ({
    kind: 'removed',
    text: a[i] ?? '',
    oldLine: offset + i + 1,
  });
  const added = (j: number): DifferentLine => ({ kind: 'added', text: b[j] ?? '', newLine: offset + j + 1 });
  if (a.length > MAX_LINES || b.length > MAX_LINES)
    return [...a.map((_, i) => removed(i)), ...b.map((_, j) => added(j))];
  const width = b.length + 1;
  const longest = new Uint16Array((a.length + 1) * width);
  const at = (i: number, j: number): number => longest[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1)
      longest[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const result: DifferentLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      result.push({ kind: 'same', text: a[i] ?? '', oldLine: offset + i + 1, newLine: offset + j + 1 });
      i += 1;
      j += 1;
    } else if (i < a.length && (j >= b.length || at(i + 1, j) >= at(i, j + 1))) result.push(removed(i++));
    else result.push(added(j++));
  }
  return result;
}

/** What a change of the text means. */
export function meaningDifference(from: LoadedPolicy, to: LoadedPolicy): Meaning {
  const clauses = changes(clauseTexts(from.when), clauseTexts(to.when));
  const plain = (text: string): string => text.replace(/\s+/g, ' ').trim();
  return {
    fields: fieldsOf(from.policy).flatMap(([field, value], index) => {
      const now = fieldsOf(to.policy)[index]?.[1] ?? '';
      return value === now ? [] : [{ field, from: value, to: now }];
    }),
    clauses,
    rejoined:
      clauses.added.length + clauses.removed.length === 0 &&
      plain(from.policy.when) !== plain(to.policy.when),
    exceptions: changes(exceptionTexts(from.policy), exceptionTexts(to.policy)),
  };
}

function exceptionTexts({ exceptions }: Policy): string[] {
  return exceptions.map(
    ({ when, owner, expiresMs }) =>
      `${when.replace(/\s+/g, ' ').trim()} (${owner}, ${new Date(expiresMs).toISOString().slice(0, 10)})`,
  );
}

function fieldsOf(policy: Policy): [field: string, value: string][] {
  const { title, description, severity, action, canaryPercent, failMode, cut, scope } = policy;
  return [
    ['title', title],
    ['description', description.trim()],
    ['severity', severity],
    ['action', action],
    ['canaryPercent', String(canaryPercent)],
    ['failMode', failMode],
    ['cut', cut ? [`${cut.minutes} minutes`, ...cut.except.map((net) => `not ${net}`)].join(', ') : ''],
    ['scope.users', scope.users.join(', ')],
    ['scope.devices', scope.devices.join(', ')],
    ['scope.containers', scope.containers.join(', ')],
  ];
}

/** Each text as often as it occurs. */
function changes(
  before: readonly string[],
  after: readonly string[],
): { added: string[]; removed: string[]; kept: number } {
  const left = [...before];
  const added: string[] = [];
  for (const text of after) {
    const found = left.indexOf(text);
    if (found < 0) added.push(text);
    else left.splice(found, 1);
  }
  return { added, removed: left, kept: before.length - left.length };
}
