/**
 * The rows of a table found in a text by the plainest means, from the description in docs/dlp.md alone: every pair of
 * groups is tried, every value compared. Independent of the native code, quadratic, and slow.
 */
import type { IndexSchema } from '../../agent/dlp/schema.ts';

const JOINERS =
  ' -./_()\n\r\u00A0\u00AD\u202F\u205F\u2060\u2212\u3000\uFEFF' +
  Array.from({ length: 14 }, (_, n) => String.fromCodePoint(0x2000 + n)).join('') +
  '\u2010\u2011\u2012\u2013\u2014\u2015';
const SINGLE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const WORD = /[\p{L}\p{N}\p{M}]/u;
const WINDOW_BYTES = 8192;

/** One character of the text, with its ASCII form and its place in bytes. */
interface Char {
  form: string;
  text: string;
  at: number;
  end: number;
}

function asciiForm(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x80) return char;
  if (/\p{Nd}/u.test(char)) {
    let zero = code;
    while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1;
    return String((code - zero) % 10);
  }
  const wide = (code >= 0xff01 && code <= 0xff5e) || (code >= 0x1d400 && code <= 0x1d6a3);
  return wide ? char.normalize('NFKC') : char;
}

function charsOf(text: string): Char[] {
  const chars: Char[] = [];
  let at = 0;
  for (const char of text) {
    const end = at + Buffer.byteLength(char);
    chars.push({ form: asciiForm(char), text: char, at, end });
    at = end;
  }
  return chars;
}

const isAlnum = (char: Char | undefined): boolean => char !== undefined && /^[0-9A-Za-z]$/.test(char.form);

interface Span {
  from: number;
  to: number;
  value: string;
}

/** Every run of joined groups, as letters and digits. */
function spansOf(chars: readonly Char[], from: number, to: number): Span[] {
  const groups: { from: number; to: number }[] = [];
  for (let at = from; at < to; at++) {
    if (!isAlnum(chars[at]) || (at > from && isAlnum(chars[at - 1]))) continue;
    let end = at;
    while (end < to && isAlnum(chars[end])) end++;
    groups.push({ from: at, to: end });
  }
  const spans: Span[] = [];
  for (let first = 0; first < groups.length; first++) {
    let value = '';
    for (let last = first; last < groups.length; last++) {
      const group = groups[last]!;
      if (last > first) {
        const between = chars.slice(groups[last - 1]!.to, group.from);
        if (between.length > 3 || !between.every(({ form }) => JOINERS.includes(form))) break;
      }
      value += chars
        .slice(group.from, group.to)
        .map(({ form }) => form.toUpperCase())
        .join('');
      if (value.length > 60) break;
      spans.push({ from: groups[first]!.from, to: group.to, value });
    }
  }
  return spans;
}

/** Every e-mail address. */
function emailsOf(chars: readonly Char[], from: number, to: number): Span[] {
  const spans: Span[] = [];
  for (let at = from; at < to; at++) {
    if (chars[at]?.form !== '@') continue;
    let begin = at;
    while (begin > from && /^[0-9A-Za-z._'+-]$/.test(chars[begin - 1]!.form)) begin--;
    while (begin < at && !isAlnum(chars[begin])) begin++;
    let end = at + 1;
    while (end < to && /^[0-9A-Za-z.-]$/.test(chars[end]!.form)) end++;
    while (end > at + 1 && !isAlnum(chars[end - 1])) end--;
    const value = chars
      .slice(begin, end)
      .map(({ form }) => form.toLowerCase())
      .join('');
    if (begin < at && /@[^.]+\./.test(value)) spans.push({ from: begin, to: end, value });
  }
  return spans;
}

function phone(digits: string): string {
  return digits.length > 9 ? digits.slice(-9) : digits.replace(/^0+/, '');
}

/** The normal form of a cell; the tables of the tests hold no bad ones. */
export function normalOf(type: string, cell: string): string {
  const plain = Array.from(cell, asciiForm).join('');
  if (type === 'email') return plain.trim().toLowerCase();
  if (type === 'words') {
    return tokensOf(charsOf(cell))
      .map(({ folded }) => folded)
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .join(' ');
  }
  const alnum = plain.replaceAll(/[^0-9A-Za-z]/g, '').toUpperCase();
  return type === 'phone' ? phone(alnum) : alnum;
}

function fold(text: string): string {
  const lower = text.normalize('NFKD').toUpperCase().toLowerCase().replaceAll('ς', 'σ');
  return lower
    .normalize('NFKD')
    .replaceAll(/[\u0300-\u036f]/gu, '')
    .normalize('NFC');
}

interface NaiveToken {
  from: number;
  to: number;
  folded: string;
}

function textOf(chars: readonly Char[], from: number, to: number): string {
  return chars
    .slice(from, to)
    .map(({ text }) => text)
    .join('');
}

function tokensOf(chars: readonly Char[]): NaiveToken[] {
  const tokens: NaiveToken[] = [];
  for (let at = 0; at < chars.length; at++) {
    if (!WORD.test(chars[at]!.text)) continue;
    const from = at;
    if (SINGLE.test(chars[at]!.text)) {
      // A syllable of Hangul and a voiced kana may be written in parts: what normalization puts together is one.
      while (
        at + 1 < chars.length &&
        Array.from((textOf(chars, from, at + 1) + chars[at + 1]!.text).normalize('NFC')).length === 1
      )
        at++;
    } else {
      while (at + 1 < chars.length && WORD.test(chars[at + 1]!.text) && !SINGLE.test(chars[at + 1]!.text))
        at++;
    }
    const folded = fold(textOf(chars, from, at + 1));
    if (folded) tokens.push({ from, to: at + 1, folded });
  }
  return tokens;
}

/** Normal forms of the given type on one side of a primary. */
function secondariesIn(
  type: string,
  chars: readonly Char[],
  tokens: readonly NaiveToken[],
  words: number,
): Set<string> {
  const found = new Set<string>();
  if (tokens.length === 0) return found;
  const from = tokens[0]!.from;
  const to = tokens.at(-1)!.to;
  if (type === 'words') {
    for (let first = 0; first + words <= tokens.length; first++) {
      const folded = tokens.slice(first, first + words).map((token) => token.folded);
      found.add(folded.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))).join(' '));
    }
  } else if (type === 'email') {
    for (const { value } of emailsOf(chars, from, to)) found.add(value);
  } else {
    for (const { value } of spansOf(chars, from, to)) {
      if (type === 'id' || type === 'iban') found.add(value);
      else if (/^[0-9]+$/.test(value)) found.add(type === 'phone' ? phone(value) : value);
    }
  }
  return found;
}

/** `row:column:offset:length` of everything that is there, in no order. `rows` as in the table, from row 1. */
export function naiveRows(
  schema: IndexSchema,
  rows: readonly (readonly string[])[],
  text: string,
): Set<string> {
  const chars = charsOf(text);
  const found = new Set<string>();
  const spans = spansOf(chars, 0, chars.length);
  const emails = emailsOf(chars, 0, chars.length);
  for (const [place, cells] of rows.entries()) {
    for (const [column, field] of schema.fields.entries()) {
      if (field.role !== 'primary' || !cells[column]) continue;
      const wanted = normalOf(field.type, cells[column]);
      const of = field.type === 'email' ? emails : spans;
      for (const { from, to, value } of of) {
        const digitsOnly = field.type !== 'iban' && field.type !== 'id' && field.type !== 'email';
        if (digitsOnly && !/^[0-9]+$/.test(value)) continue;
        if ((field.type === 'phone' ? phone(value) : value) !== wanted) continue;
        if (!enoughNear(schema, cells, chars, from, to)) continue;
        const begin = chars[from]!.at;
        found.add(`${place + 1}:${field.column}:${begin}:${chars[to - 1]!.end - begin}`);
      }
    }
  }
  return found;
}

function enoughNear(
  schema: IndexSchema,
  cells: readonly string[],
  chars: readonly Char[],
  from: number,
  to: number,
): boolean {
  if (schema.secondary === 0) return true;
  const line = (a: number, b: number): boolean =>
    !schema.sameRow || !chars.slice(Math.min(a, b), Math.max(a, b)).some(({ text }) => text === '\n');
  const within = schema.withinTokens || Number.POSITIVE_INFINITY;
  const begin = chars[from]!.at;
  const end = chars[to - 1]!.end;
  // The value cuts what touches it: each side is read for itself.
  const before = tokensOf(chars.slice(0, from)).filter(
    (token) => chars[token.from]!.at >= begin - WINDOW_BYTES && line(token.from, from),
  );
  const after = tokensOf(chars.slice(to))
    .map((token) => ({ ...token, from: token.from + to, to: token.to + to }))
    .filter((token) => chars[token.to - 1]!.end <= end + WINDOW_BYTES && line(to, token.to));
  const sides = [within < before.length ? before.slice(-within) : before, after.slice(0, within)];
  const near = schema.fields.filter((field, column) => {
    if (field.role !== 'secondary' || !cells[column]) return false;
    const normal = normalOf(field.type, cells[column]);
    const words = normal.split(' ').length;
    return sides.some((side) => secondariesIn(field.type, chars, side, words).has(normal));
  });
  return near.length >= schema.secondary;
}
