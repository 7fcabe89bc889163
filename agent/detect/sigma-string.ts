/**
 * Sigma string values: plain text with wildcards, escaped by backslash.
 *
 * Source of the rules: sigma-rules-specification.md, "Escape Character". `\*`, `\?` and `\\` stand for the character
 * itself; a backslash before anything else is a backslash; one at the end too.
 */

/** `*`: any number of characters, none included. */
export const ANY = 1;
/** `?`: exactly one character. */
export const ONE = 2;
/** Any of the five dash characters that `windash` treats as equal. */
export const DASH = 3;

export type Part = string | typeof ANY | typeof ONE | typeof DASH;

/** Characters that Windows programs take for the start of an option. */
export const DASHES = '-/\u2013\u2014\u2015';

/** Splits a value into plain text and wildcards. Never yields an empty text part. */
export function parseSigmaString(value: string): Part[] {
  const parts: Part[] = [];
  let text = '';
  for (let i = 0; i < value.length; i += 1) {
    const char = value[i] as string;
    if (char === '\\') {
      const next = value[i + 1];
      if (next === '*' || next === '?' || next === '\\') {
        text += next;
        i += 1;
      } else text += char;
    } else if (char === '*' || char === '?') {
      if (text !== '') parts.push(text);
      text = '';
      parts.push(char === '*' ? ANY : ONE);
    } else text += char;
  }
  if (text !== '') parts.push(text);
  return parts;
}

/** The value as its author would write it; inverse of `parseSigmaString` up to redundant backslashes. */
export function printParts(parts: readonly Part[]): string {
  let printed = '';
  for (let i = 0; i < parts.length; i += 1) {
    const part = parts[i] as Part;
    if (part === ANY) printed += '*';
    else if (part === ONE) printed += '?';
    else if (part === DASH) printed += '-';
    else {
      // One backslash before a plain character, or at the very end, stands for itself.
      printed += part.replace(/\\+|[*?]/g, (found, at: number) => {
        if (found === '*' || found === '?') return `\\${found}`;
        const next = part[at + found.length];
        const last = next === undefined && i + 1 === parts.length;
        const plainNext = next !== undefined && next !== '*' && next !== '?';
        return found.length === 1 && (last || plainNext) ? found : found.replaceAll('\\', '\\\\');
      });
    }
  }
  return printed;
}

/** True if the value has a wildcard or an expanded dash. */
export function hasSpecial(parts: readonly Part[]): boolean {
  return parts.some((part) => typeof part !== 'string');
}

const WORD = /[\p{L}\p{N}_]/u;

/**
 * `windash`: every dash that starts an option (no word character before it, one after it) matches any of the five
 * dash characters. Marking the position instead of listing 5^n permutations keeps long values cheap.
 */
export function windash(parts: readonly Part[]): Part[] {
  const result: Part[] = [];
  for (const part of parts) {
    if (typeof part !== 'string') {
      result.push(part);
      continue;
    }
    const chars = Array.from(part);
    let text = '';
    for (let i = 0; i < chars.length; i += 1) {
      const char = chars[i] as string;
      const before = chars[i - 1];
      const after = chars[i + 1];
      const starts = before === undefined || !WORD.test(before);
      if (DASHES.includes(char) && starts && after !== undefined && WORD.test(after)) {
        if (text !== '') result.push(text);
        text = '';
        result.push(DASH);
      } else text += char;
    }
    if (text !== '') result.push(text);
  }
  return result;
}

/** All plain spellings of a value with dash positions, or undefined if there are more than `limit`. */
export function expandDashes(parts: readonly Part[], limit: number): Part[][] | undefined {
  const count = DASHES.length ** parts.filter((part) => part === DASH).length;
  if (count > limit) return undefined;
  let spellings: Part[][] = [[]];
  for (const part of parts) {
    const choices: Part[] = part === DASH ? DASHES.split('') : [part];
    spellings = spellings.flatMap((head) => choices.map((choice) => [...head, choice]));
  }
  return spellings.map(mergeText);
}

/** Joins neighbouring text parts and collapses runs of `*`. */
export function mergeText(parts: readonly Part[]): Part[] {
  const merged: Part[] = [];
  for (const part of parts) {
    const last = merged.at(-1);
    if (part === '') continue;
    if (typeof part === 'string' && typeof last === 'string') merged[merged.length - 1] = last + part;
    else if (part !== ANY || last !== ANY) merged.push(part);
  }
  return merged;
}
