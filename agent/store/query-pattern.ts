/**
 * Matching text against patterns, without regard to case. Every comparison of text in the store goes through `fold`,
 * in memory and in the index, so that the two can never disagree.
 */
import { ANY, ONE, type Pattern } from './query-ast.ts';

/** Case folding: lower case by Unicode's rules, both forms of the small sigma as one. Length may change. */
export function fold(text: string): string {
  const lower = text.toLowerCase();
  return lower.includes('ς') ? lower.replaceAll('ς', 'σ') : lower;
}

/** A run between two `*`: literal text, or literals with `?` in between. */
type Segment = string | readonly (string | typeof ONE)[];

/** Position behind the segment if it matches at `from`, else -1. */
function matchAt(text: string, from: number, segment: Segment): number {
  if (typeof segment === 'string') return text.startsWith(segment, from) ? from + segment.length : -1;
  let position = from;
  for (const part of segment) {
    if (part === ONE) {
      if (position >= text.length) return -1;
      position += (text.codePointAt(position) ?? 0) > 0xffff ? 2 : 1;
    } else {
      if (!text.startsWith(part, position)) return -1;
      position += part.length;
    }
  }
  return position;
}

function findFrom(text: string, from: number, segment: Segment): number {
  if (typeof segment === 'string') {
    const at = text.indexOf(segment, from);
    return at < 0 ? -1 : at + segment.length;
  }
  // Without this every place of a long text would be tried before it is found that a literal is nowhere.
  for (const part of segment) if (part !== ONE && text.indexOf(part, from) < 0) return -1;
  for (let start = from; start <= text.length; start += 1) {
    const end = matchAt(text, start, segment);
    if (end >= 0) return end;
  }
  return -1;
}

/** Whether the segment ends exactly at the end of the text, starting no earlier than `from`. */
function matchEnd(text: string, from: number, segment: Segment): boolean {
  if (typeof segment === 'string') {
    return text.length - segment.length >= from && text.endsWith(segment);
  }
  const tail = segment.at(-1);
  if (typeof tail === 'string' && !text.endsWith(tail)) return false;
  // A code point is at most two units, so an earlier start cannot end at the end.
  const units = segment.reduce<number>((sum, part) => sum + (part === ONE ? 2 : part.length), 0);
  for (let start = Math.max(from, text.length - units); start <= text.length; start += 1) {
    if (matchAt(text, start, segment) === text.length) return true;
  }
  return false;
}

function segmentsOf(pattern: Pattern): Segment[] {
  const segments: Segment[] = [];
  let current: (string | typeof ONE)[] = [];
  const flush = (): void => {
    if (current.every((part) => typeof part === 'string')) segments.push(current.join(''));
    else segments.push(current);
    current = [];
  };
  for (const part of pattern) {
    if (part === ANY) flush();
    else current.push(typeof part === 'string' ? fold(part) : part);
  }
  flush();
  return segments;
}

/** Tests folded text; time is linear in the text for each run between wildcards, never exponential. */
export type FoldedTest = (folded: string) => boolean;

/** The whole text must match. */
export function wholeTest(pattern: Pattern): FoldedTest {
  const segments = segmentsOf(pattern);
  const first = segments[0] ?? '';
  const last = segments.at(-1) ?? '';
  if (segments.length === 1) {
    return typeof first === 'string'
      ? (text) => text === first
      : (text) => matchAt(text, 0, first) === text.length;
  }
  const middle = segments.slice(1, -1).filter((segment) => segment !== '');
  return (text) => {
    let position = matchAt(text, 0, first);
    if (position < 0) return false;
    for (const segment of middle) {
      position = findFrom(text, position, segment);
      if (position < 0) return false;
    }
    return matchEnd(text, position, last);
  };
}

/** Some part of the text must match. */
export function containsTest(pattern: Pattern): FoldedTest {
  return wholeTest([ANY, ...pattern, ANY]);
}

/** The whole path must match, or, for a pattern without a separator or wildcard, its last component. */
export function pathTest(pattern: Pattern): FoldedTest {
  const whole = wholeTest(pattern);
  const [only] = pattern;
  if (pattern.length !== 1 || typeof only !== 'string' || /[/\\]/.test(only)) return whole;
  const name = fold(only);
  return (text) => {
    if (!text.endsWith(name)) return false;
    if (text.length === name.length) return true;
    const before = text.charCodeAt(text.length - name.length - 1);
    return before === 0x2f || before === 0x5c;
  };
}

/** Literal runs (folded) that any matching text must contain, for an index to look up. */
export function literalsOf(pattern: Pattern): string[] {
  return pattern.filter((part): part is string => typeof part === 'string').map(fold);
}
