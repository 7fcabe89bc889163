/** Placeholders: `%name%` in a value under `expand` stands for the values that the rule options give it. */
import { mergeText, parseSigmaString } from './sigma-string.ts';
import type { Part } from './sigma-string.ts';

/** Values for the placeholders of `expand`, by name. */
export type Placeholders = Readonly<Record<string, readonly string[]>>;

/** What is wrong with a value, for the loader to place. */
export class ModifierError extends Error {
  readonly remedy: string;

  constructor(reason: string, remedy: string) {
    super(reason);
    this.name = 'ModifierError';
    this.remedy = remedy;
  }
}

/** Spellings one value may expand to. */
export const MAX_EXPANSIONS = 3125;

const PLACEHOLDER = /(?<!\\)%(\w+)%/g;

function valuesOf(name: string, placeholders: Placeholders): readonly string[] {
  const values = Object.hasOwn(placeholders, name) ? placeholders[name] : undefined;
  if (!values || values.length === 0) {
    throw new ModifierError(`placeholder %${name}% has no values here`, 'give it values in the rule options');
  }
  return values;
}

function combine(pieces: (readonly Part[])[][]): Part[][] {
  let spellings: Part[][] = [[]];
  for (const choices of pieces) {
    spellings = spellings.flatMap((head) => choices.map((choice) => [...head, ...choice]));
    if (spellings.length > MAX_EXPANSIONS) {
      throw new ModifierError(
        'the placeholders expand to too many values',
        'use fewer placeholders in one value',
      );
    }
  }
  return spellings.map(mergeText);
}

/** Every spelling of a value whose placeholders are replaced. Throws ModifierError. */
export function expandParts(parts: Part[], placeholders: Placeholders): Part[][] {
  const pieces: (readonly Part[])[][] = [];
  for (const part of parts) {
    if (typeof part !== 'string') {
      pieces.push([[part]]);
      continue;
    }
    let last = 0;
    for (const found of part.matchAll(PLACEHOLDER)) {
      pieces.push([[part.slice(last, found.index).replaceAll('\\%', '%')]]);
      pieces.push(valuesOf(found[1] as string, placeholders).map((value) => parseSigmaString(value)));
      last = found.index + found[0].length;
    }
    pieces.push([[part.slice(last).replaceAll('\\%', '%')]]);
  }
  return combine(pieces);
}

/** The same for a value that is no Sigma string, such as a regular expression. */
export function expandText(text: string, placeholders: Placeholders): string[] {
  let results = [''];
  let last = 0;
  for (const found of text.matchAll(PLACEHOLDER)) {
    const before = text.slice(last, found.index);
    const values = valuesOf(found[1] as string, placeholders);
    results = results.flatMap((head) => values.map((value) => head + before + value));
    if (results.length > MAX_EXPANSIONS) {
      throw new ModifierError(
        'the placeholders expand to too many values',
        'use fewer placeholders in one value',
      );
    }
    last = found.index + found[0].length;
  }
  return results.map((head) => head + text.slice(last));
}
