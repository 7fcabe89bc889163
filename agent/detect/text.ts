/** Case folding shared by patterns, event values and indexes: all three must agree, or matches get lost. */

/**
 * Lower case, the same for every occurrence of a character, so that fold(a + b) = fold(a) + fold(b) and a substring
 * stays a substring: the final form of the Greek sigma, which `toLowerCase` picks by position, is undone.
 * Returns the same string where nothing changes.
 */
export function fold(text: string): string {
  const lower = text.toLowerCase();
  return lower.includes('\u03c2') ? lower.replaceAll('\u03c2', '\u03c3') : lower;
}

/** Longest value in a detection, in UTF-16 units. */
export const MAX_SHOWN = 512;

/** Cuts a value for display and marks the cut. */
export function clip(text: string, max = MAX_SHOWN): string {
  return text.length <= max ? text : `${text.slice(0, max)}…`;
}
