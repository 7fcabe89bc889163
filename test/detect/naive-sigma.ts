/**
 * A second Sigma evaluator, written another way, to check the engine against: it interprets the parsed YAML of a rule
 * for each event, turns every pattern into a JavaScript regular expression, lists every permutation the modifiers
 * stand for, and has no index, no cache and no compilation. Slow and obvious on purpose; also the peer of the bench.
 */

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type NaiveRule = { [key: string]: Json };
export type NaiveEvent = { readonly [key: string]: unknown };

const ESCAPE = /[\\^$.*+?()[\]{}|/]/g;

/** A Sigma string as regular expression source, wildcards and escapes applied. */
function wildcardSource(value: string): string {
  return value.replace(/\\\\|\\\*|\\\?|\*|\?|[^]/gu, (token) => {
    if (token === '*') return '[^]*';
    if (token === '?') return '[^]';
    const plain = token.length === 2 && token.startsWith('\\') ? token.slice(1) : token;
    return plain.replace(ESCAPE, String.raw`\$&`);
  });
}

const plainText = (value: string): string => value.replace(/\\([\\*?])/g, '$1');

/** Every way to write a value whose option dashes may be any of five characters. */
function dashPermutations(value: string): string[] {
  const at = [...value.matchAll(/(?<![\p{L}\p{N}_])[-/\u2013\u2014\u2015](?=[\p{L}\p{N}_])/gu)].map(
    (m) => m.index,
  );
  let all = [value];
  for (const index of at) {
    all = all.flatMap((text) =>
      ['-', '/', '\u2013', '\u2014', '\u2015'].map(
        (dash) => text.slice(0, index) + dash + text.slice(index + 1),
      ),
    );
  }
  return all;
}

function encodings(modifiers: readonly string[], value: string): string[] | undefined {
  if (!modifiers.includes('base64') && !modifiers.includes('base64offset')) return undefined;
  const text = plainText(value);
  const wide = modifiers.some((name) => name === 'wide' || name === 'utf16le');
  const bytes = Buffer.from(text, wide ? 'utf16le' : 'utf8');
  if (modifiers.includes('base64')) return [bytes.toString('base64')];
  const ends = [undefined, -3, -2];
  return [0, 1, 2].map((i) =>
    Buffer.concat([Buffer.from(' '.repeat(i)), bytes])
      .toString('base64')
      .slice([0, 2, 3][i], ends[(bytes.length + i) % 3]),
  );
}

function ipv4Bits(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return undefined;
  return parts.reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);
}

function oneTest(
  modifiers: readonly string[],
  value: Json,
  keyword: boolean,
  has: boolean,
  actual: unknown,
  event: NaiveEvent,
): boolean {
  if (modifiers.includes('exists')) return has === value;
  if (value === null) return actual === undefined || actual === null;
  if (Array.isArray(actual))
    return actual.some((item) => item !== null && oneTest(modifiers, value, keyword, true, item, event));
  if (actual === undefined || actual === null) return false;
  const text = scalarText(actual);
  const pattern = scalarText(value);
  if (modifiers.includes('fieldref')) {
    const others = [event[pattern]].flat().filter((other) => other !== undefined && other !== null);
    return others.some((other) => {
      const [a, b] = [text.toLowerCase(), scalarText(other).toLowerCase()];
      if (modifiers.includes('contains')) return a.includes(b);
      if (modifiers.includes('startswith')) return a.startsWith(b);
      return modifiers.includes('endswith') ? a.endsWith(b) : a === b;
    });
  }
  if (modifiers.includes('re')) {
    const flags = modifiers.filter((name) => 'ims'.includes(name)).join('');
    // PCRE's `$` also stands before a newline that ends the text.
    const source = flags.includes('m') ? pattern : pattern.replace(/\$$/, '(?=\\n?$)');
    return new RegExp(source, flags).test(text);
  }
  if (modifiers.includes('cidr')) {
    const [network = '', length = '32'] = pattern.split('/');
    const [a, b] = [ipv4Bits(network), ipv4Bits(text)];
    return (
      a !== undefined &&
      b !== undefined &&
      a >> BigInt(32 - Number(length)) === b >> BigInt(32 - Number(length))
    );
  }
  const number = /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (modifiers.includes('lt')) return number < Number(value);
  if (modifiers.includes('lte')) return number <= Number(value);
  if (modifiers.includes('gt')) return number > Number(value);
  if (modifiers.includes('gte')) return number >= Number(value);
  const spellings = modifiers.includes('windash') ? dashPermutations(pattern) : [pattern];
  return spellings.some((spelling) => {
    const encoded = encodings(modifiers, spelling);
    const sources = encoded
      ? encoded.map((item) => item.replace(ESCAPE, String.raw`\$&`))
      : [wildcardSource(spelling)];
    const open = keyword || modifiers.includes('contains');
    const before = open || modifiers.includes('endswith') ? '' : '^';
    const after = open || modifiers.includes('startswith') ? '' : '$';
    return sources.some((source) =>
      new RegExp(`${before}(?:${source})${after}`, modifiers.includes('cased') ? 'u' : 'iu').test(text),
    );
  });
}

function deepValues(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [value];
  return Object.values(value).flatMap(deepValues);
}

function item(key: string, value: Json, event: NaiveEvent): boolean {
  const [field = '', ...modifiers] = key.split('|');
  const actual = field === '' ? deepValues(event) : event[field];
  const values = Array.isArray(value) ? value : [value];
  const test = (one: Json): boolean => oneTest(modifiers, one, field === '', field in event, actual, event);
  const result = modifiers.includes('all') ? values.every(test) : values.some(test);
  return modifiers.includes('neq') ? !result : result;
}

function search(definition: Json, event: NaiveEvent): boolean {
  if (!Array.isArray(definition)) {
    if (typeof definition !== 'object' || definition === null) return item('', definition, event);
    return Object.entries(definition).every(([key, value]) => item(key, value, event));
  }
  if (definition.every((part) => typeof part !== 'object')) return item('', definition, event);
  return definition.some((part) => search(part, event));
}

const scalarText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** Works out an expression of `true`, `false`, `not`, `and`, `or` and parentheses by rewriting it until one word is left. */
function reduce(expression: string): boolean {
  const flip = (word: string | undefined): string => String(word !== 'true');
  let text = expression;
  for (let before = ''; before !== text;) {
    before = text;
    text = text
      .replace(/\bnot\s+(true|false)\b/, (_all, word: string) => flip(word))
      .replace(/\(\s*(true|false)\s*\)/, ' $1 ')
      .replace(/\bnot\s+(true|false)\b/, (_all, word: string) => flip(word));
    if (before !== text) continue;
    text = text.replace(/\b(true|false)\s+and\s+(true|false)\b/, (_all, a, b) =>
      String(a === 'true' && b === 'true'),
    );
    if (before !== text) continue;
    text = text.replace(/\b(true|false)\s+or\s+(true|false)\b(?!\s+and)/, (_all, a, b) =>
      String(a === 'true' || b === 'true'),
    );
  }
  const result = text.trim();
  if (result !== 'true' && result !== 'false') throw new Error(`cannot reduce ${expression}`);
  return result === 'true';
}

/** True if the rule's detection holds for the event; the log source is the caller's business. */
export function naiveMatch(rule: NaiveRule, event: NaiveEvent): boolean {
  const { condition, timeframe: _, ...searches } = rule['detection'] as { [key: string]: Json };
  const names = Object.keys(searches);
  const truth = (name: string): boolean => search(searches[name] as Json, event);
  const conditions = (Array.isArray(condition) ? condition : [condition]) as string[];
  return conditions.some((text) =>
    reduce(
      text
        .replace(/\b(\d+|all|any) of (\S+?)(?=[\s)]|$)/g, (_match, count: string, pattern: string) => {
          const shape = pattern === 'them' ? /^[^_]/ : new RegExp(`^(?!_)${pattern.split('*').join('.*')}$`);
          const chosen = names.filter((name) => shape.test(name));
          if (chosen.length === 0) return 'false';
          const met = chosen.filter(truth).length;
          return String(met >= (count === 'all' ? chosen.length : count === 'any' ? 1 : Number(count)));
        })
        .replace(/[A-Za-z_][\w.-]*/g, (word) =>
          ['true', 'false', 'and', 'or', 'not'].includes(word) ? word : String(truth(word)),
        ),
    ),
  );
}
