/** Sets of code points as sorted, disjoint, inclusive ranges `[low, high, low, high, …]`. */
import { fold } from '../text.ts';

export type CharSet = readonly number[];

export const MAX_CODE_POINT = 0x10ffff;

/** Sorts and joins ranges given in any order. */
export function normalize(ranges: readonly number[]): number[] {
  const pairs: [number, number][] = [];
  for (let i = 0; i < ranges.length; i += 2) pairs.push([ranges[i] as number, ranges[i + 1] as number]);
  pairs.sort((a, b) => a[0] - b[0]);
  const result: number[] = [];
  for (const [low, high] of pairs) {
    const end = result.at(-1);
    if (end !== undefined && low <= end + 1) result[result.length - 1] = Math.max(end, high);
    else result.push(low, high);
  }
  return result;
}

export function invert(set: CharSet): number[] {
  const result: number[] = [];
  let next = 0;
  for (let i = 0; i < set.length; i += 2) {
    if ((set[i] as number) > next) result.push(next, (set[i] as number) - 1);
    next = (set[i + 1] as number) + 1;
  }
  if (next <= MAX_CODE_POINT) result.push(next, MAX_CODE_POINT);
  return result;
}

export function contains(set: CharSet, codePoint: number): boolean {
  let low = 0;
  let high = set.length / 2 - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (codePoint < (set[2 * middle] as number)) high = middle - 1;
    else if (codePoint > (set[2 * middle + 1] as number)) low = middle + 1;
    else return true;
  }
  return false;
}

// Classes are those of PCRE without UCP: ASCII only.
export const DIGIT: CharSet = [48, 57];
export const WORD: CharSet = [48, 57, 65, 90, 95, 95, 97, 122];
export const SPACE: CharSet = [9, 13, 32, 32];
export const HORIZONTAL_SPACE: CharSet = [9, 9, 32, 32, 160, 160];
export const NEWLINE: CharSet = [10, 10];

export const POSIX: Readonly<Record<string, CharSet>> = {
  alnum: [48, 57, 65, 90, 97, 122],
  alpha: [65, 90, 97, 122],
  ascii: [0, 127],
  blank: [9, 9, 32, 32],
  cntrl: [0, 31, 127, 127],
  digit: DIGIT,
  graph: [33, 126],
  lower: [97, 122],
  print: [32, 126],
  punct: [33, 47, 58, 64, 91, 96, 123, 126],
  space: SPACE,
  upper: [65, 90],
  word: WORD,
  xdigit: [48, 57, 65, 70, 97, 102],
};

/** Code points that fold to the same single code point, listed once per process. */
let caseGroups: number[][] | undefined;

function groupsOfCase(): number[][] {
  if (caseGroups) return caseGroups;
  const groups = new Map<string, number[]>();
  // Every letter with case lies below U+1E944 (Adlam).
  for (let code = 0; code <= 0x1e943; code += 1) {
    if (code >= 0x3400 && code < 0xa640) continue;
    if (code >= 0xac00 && code < 0xff21) continue;
    if (code >= 0xd800 && code < 0xe000) continue;
    const char = String.fromCodePoint(code);
    const upper = char.toUpperCase();
    const folded = fold(char);
    if (folded === char && upper === char) continue;
    const key = Array.from(folded).length === 1 ? folded : char;
    const group = groups.get(key);
    if (group) group.push(code);
    else groups.set(key, [code]);
  }
  caseGroups = [...groups.values()].filter((group) => group.length > 1);
  return caseGroups;
}

const closedSingles = new Map<number, number[]>();

/** Adds every character that folds to the same as one in the set. */
export function closeOverCase(set: CharSet): number[] {
  const single = set.length === 2 && set[0] === set[1] ? (set[0] as number) : -1;
  const known = closedSingles.get(single);
  if (known) return known;
  const added: number[] = [...set];
  for (const group of groupsOfCase()) {
    if (group.some((code) => contains(set, code))) for (const code of group) added.push(code, code);
  }
  const closed = normalize(added);
  // Bounded by the number of characters that patterns name.
  if (single !== -1 && closedSingles.size < 4096) closedSingles.set(single, closed);
  return closed;
}

/** The folded character if all members fold to one and the same, else undefined. */
export function soleFold(set: CharSet): string | undefined {
  let sole: string | undefined;
  let count = 0;
  for (let i = 0; i < set.length; i += 2) {
    for (let code = set[i] as number; code <= (set[i + 1] as number); code += 1) {
      count += 1;
      if (count > 6) return undefined;
      const folded = fold(String.fromCodePoint(code));
      if (sole !== undefined && folded !== sole) return undefined;
      sole = folded;
    }
  }
  return sole;
}
