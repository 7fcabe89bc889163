/**
 * Wildcard patterns, matched without backtracking over more than one segment: the text between two `*` is searched
 * from left to right once, so a match costs at most length x longest segment, whatever the value holds.
 */
import { ANY, DASH, DASHES, ONE } from './sigma-string.ts';
import type { Part } from './sigma-string.ts';

type Item = string | typeof ONE | typeof DASH;

interface Segment {
  items: Item[];
  /** Fewest UTF-16 units it can match. */
  minLength: number;
  /** Longest literal at a fixed distance from the start: found by indexOf before the rest is compared. */
  literal: string;
  literalOffset: number;
}

export interface Glob {
  segments: Segment[];
  /** The first segment must start at 0 / the last one must end at the end. */
  anchoredStart: boolean;
  anchoredEnd: boolean;
}

function segmentOf(items: Item[]): Segment {
  let minLength = 0;
  let literal = '';
  let literalOffset = 0;
  let fixed = true;
  for (const item of items) {
    if (typeof item === 'string') {
      if (fixed && item.length > literal.length) {
        literal = item;
        literalOffset = minLength;
      }
      minLength += item.length;
    } else {
      // `?` takes one or two UTF-16 units, a dash always one.
      if (item === ONE) fixed = false;
      minLength += 1;
    }
  }
  return { items, minLength, literal, literalOffset };
}

export function compileGlob(parts: readonly Part[]): Glob {
  const segments: Segment[] = [];
  let items: Item[] = [];
  for (const part of parts) {
    if (part === ANY) {
      if (items.length > 0) segments.push(segmentOf(items));
      items = [];
    } else items.push(part);
  }
  if (items.length > 0) segments.push(segmentOf(items));
  return { segments, anchoredStart: parts[0] !== ANY, anchoredEnd: parts.at(-1) !== ANY };
}

/** End of the segment if it matches at `at`, else -1. */
function matchAt(segment: Segment, text: string, at: number): number {
  let position = at;
  for (const item of segment.items) {
    if (typeof item === 'string') {
      if (!text.startsWith(item, position)) return -1;
      position += item.length;
    } else if (position >= text.length) return -1;
    else if (item === DASH) {
      if (!DASHES.includes(text[position] as string)) return -1;
      position += 1;
    } else {
      const pair =
        (text.charCodeAt(position) & 0xfc00) === 0xd800 &&
        (text.charCodeAt(position + 1) & 0xfc00) === 0xdc00;
      position += pair ? 2 : 1;
    }
  }
  return position;
}

/** End of the leftmost match at or after `from`, else -1. */
function search(segment: Segment, text: string, from: number): number {
  const last = text.length - segment.minLength;
  if (segment.literal === '') {
    for (let at = from; at <= last; at += 1) {
      const end = matchAt(segment, text, at);
      if (end !== -1) return end;
    }
    return -1;
  }
  let found = text.indexOf(segment.literal, from + segment.literalOffset);
  while (found !== -1 && found - segment.literalOffset <= last) {
    const end = matchAt(segment, text, found - segment.literalOffset);
    if (end !== -1) return end;
    found = text.indexOf(segment.literal, found + 1);
  }
  return -1;
}

/** True if the whole of `text` matches. Pattern and text must be folded alike. */
export function matchGlob(glob: Glob, text: string): boolean {
  const { segments } = glob;
  if (segments.length === 0) return !glob.anchoredStart || text === '';
  let position = 0;
  let first = 0;
  if (glob.anchoredStart) {
    position = matchAt(segments[0] as Segment, text, 0);
    if (position === -1) return false;
    first = 1;
  }
  let end = segments.length;
  if (glob.anchoredEnd) {
    end -= 1;
    if (end < first) return position === text.length;
  }
  for (let i = first; i < end; i += 1) {
    position = search(segments[i] as Segment, text, position);
    if (position === -1) return false;
  }
  if (!glob.anchoredEnd) return true;
  return endsWithSegment(segments[end] as Segment, text, position);
}

function endsWithSegment(segment: Segment, text: string, from: number): boolean {
  // `?` may take a surrogate pair, so the start can lie up to one unit per item before the shortest.
  for (let at = text.length - segment.minLength; at >= from; at -= 1) {
    if (matchAt(segment, text, at) === text.length) return true;
    if (text.length - at > segment.minLength + segment.items.length) break;
  }
  return false;
}
