/**
 * STIX 2.1 indicators: the values of a pattern that is a plain alternative of observations.
 *
 * Supported: `[path = 'value']` and `IN ('a', 'b')`, linked by OR inside and between brackets, for ipv4-addr, ipv6-addr,
 * domain-name and url values, file hashes and file paths, ISSUBSET for networks. AND, FOLLOWEDBY, NOT, LIKE, MATCHES
 * and qualifiers ask for more than one value and are refused with the reason.
 */
import { kindNamed } from './value.ts';
import type { Indicator } from './value.ts';

export interface StixValue {
  kind: Indicator['kind'];
  value: string;
}

interface Token {
  type: 'word' | 'string' | 'symbol';
  text: string;
}

/** Values of a pattern; a string says why it cannot be used. */
export function parseStixPattern(pattern: string): StixValue[] | string {
  const tokens: Token[] = [];
  const shape =
    /\s*(?:'((?:[^'\\]|\\.)*)'|([[\]()=,]|!=|<=?|>=?)|([^\s[\]()=,'!<>]+(?:'[^']*'[^\s[\]()=,'!<>]*)*))/gy;
  let at = 0;
  while (at < pattern.trimEnd().length) {
    shape.lastIndex = at;
    const found = shape.exec(pattern);
    if (!found) return `cannot be read at character ${at + 1}`;
    at = shape.lastIndex;
    if (found[1] !== undefined) tokens.push({ type: 'string', text: found[1].replace(/\\(.)/g, '$1') });
    else if (found[2] !== undefined) tokens.push({ type: 'symbol', text: found[2] });
    else tokens.push({ type: 'word', text: found[3] as string });
    if (tokens.length > 100_000) return 'is too long';
  }
  return readPattern(tokens);
}

function readPattern(tokens: readonly Token[]): StixValue[] | string {
  const values: StixValue[] = [];
  let open = 0;
  let at = 0;
  let expectValue = true;
  for (; at < tokens.length;) {
    const token = tokens[at] as Token;
    if (token.type === 'symbol' && (token.text === '[' || token.text === '(')) {
      open += 1;
      at += 1;
    } else if (token.type === 'symbol' && (token.text === ']' || token.text === ')')) {
      open -= 1;
      at += 1;
    } else if (!expectValue) {
      if (token.type !== 'word' || token.text.toUpperCase() !== 'OR')
        return `uses ${token.text}, which one value cannot express`;
      expectValue = true;
      at += 1;
    } else {
      const read = readComparison(tokens, at);
      if (typeof read === 'string') return read;
      values.push(...read.values);
      at = read.next;
      expectValue = false;
    }
  }
  if (open !== 0 || expectValue) return 'is not complete';
  return values;
}

function readComparison(
  tokens: readonly Token[],
  at: number,
): { values: StixValue[]; next: number } | string {
  const path = tokens[at];
  const operator = tokens[at + 1];
  if (path?.type !== 'word') return `has ${path?.text ?? 'nothing'} where an object path is expected`;
  const kind = kindOfPath(path.text);
  if (kind === undefined) return `tests ${path.text}, which no event here has`;
  const op = operator?.text.toUpperCase();
  if (op === '=' || op === 'ISSUBSET') {
    const literal = tokens[at + 2];
    if (literal?.type !== 'string') return `has no text after ${operator?.text}`;
    return { values: [{ kind, value: literal.text }], next: at + 3 };
  }
  if (op !== 'IN') return `uses ${operator?.text ?? 'nothing'}, which one value cannot express`;
  const values: StixValue[] = [];
  let next = at + 3;
  if (tokens[at + 2]?.text !== '(') return 'has no list after IN';
  for (; ; next += 2) {
    const literal = tokens[next];
    if (literal?.type !== 'string') return 'has no text in the list after IN';
    values.push({ kind, value: literal.text });
    const after = tokens[next + 1]?.text;
    if (after === ')') return { values, next: next + 2 };
    if (after !== ',') return 'has a list after IN that is not complete';
  }
}

function kindOfPath(path: string): Indicator['kind'] | undefined {
  const hash = /^(?:file|artifact):hashes\.'?([^']+)'?$/.exec(path);
  if (hash) return 'hash';
  if (path === 'file:name') return 'name';
  const found = /^(ipv4-addr|ipv6-addr|domain-name|url):value$/.exec(path);
  if (found) return kindNamed(found[1] as string);
  if (path === 'network-traffic:dst_ref.value') return 'address';
  return path === 'file:path' || path === 'file:parent_directory_ref.path' ? 'path' : undefined;
}
