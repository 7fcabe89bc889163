/** Where matched values stand in a text: pure, so that overlapping and folded matches can be tested. */
export interface Marked {
  text: string;
  marked: boolean;
}

/**
 * Splits `text` into marked and plain runs. Needles are matched without regard to case; overlapping marks merge.
 * Needles that would mark everything or nothing (empty, or the whole text) are ignored unless nothing else marks.
 */
export function mark(text: string, needles: readonly string[]): Marked[] {
  const folded = text.toLowerCase();
  // Folding can change lengths (ß, İ); offsets are only usable when it did not.
  const haystack = folded.length === text.length ? folded : text;
  const spans: [number, number][] = [];
  for (const needle of needles) {
    const wanted = haystack === folded ? needle.toLowerCase() : needle;
    if (wanted === '') continue;
    for (let at = haystack.indexOf(wanted); at >= 0; at = haystack.indexOf(wanted, at + wanted.length)) {
      spans.push([at, at + wanted.length]);
      if (spans.length > 500) break;
    }
  }
  spans.sort((a, b) => a[0] - b[0]);
  const out: Marked[] = [];
  let at = 0;
  for (const [from, to] of spans) {
    if (to <= at) continue;
    const start = Math.max(at, from);
    if (start > at) out.push({ text: text.slice(at, start), marked: false });
    const last = out.at(-1);
    if (last?.marked && start === at) last.text += text.slice(start, to);
    else out.push({ text: text.slice(start, to), marked: true });
    at = to;
  }
  if (at < text.length) out.push({ text: text.slice(at), marked: false });
  return out;
}

/** The literal pieces of a Sigma pattern that can be looked for in a value: wildcards cut it, regexes give none. */
export function needlesOf(field: string, pattern: string): string[] {
  const modifiers = field.split('|').slice(1);
  if (
    modifiers.some((name) =>
      ['re', 'cidr', 'exists', 'lt', 'lte', 'gt', 'gte', 'base64', 'base64offset'].includes(name),
    )
  ) {
    return [];
  }
  return pattern
    .split(/(?<!\\)[*?]/)
    .map((piece) => piece.replace(/\\([*?\\])/g, '$1'))
    .filter((piece) => piece.length > 1);
}
