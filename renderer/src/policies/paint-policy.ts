/** Colours of a policy's text: keys, values, fields of conditions, comments; and where a mistake is. */
import type { PolicyProblemJson } from '../../../agent/api/contract.ts';

export interface Painted {
  text: string;
  /** Empty for plain text. */
  kind: '' | 'field' | 'value' | 'keyword' | 'comment' | 'key';
  bad: boolean;
}

const TOKEN =
  /(?<comment>(?:^|(?<=\s))#.*$)|(?<value>"(?:[^"\\\n]|\\.)*"?|'(?:[^'\n]|'')*'?|\b\d+\b)|(?<key>^\s*(?:- +)?[A-Za-z]+(?=:(?:\s|$)))|(?<keyword>&&|\|\||==|!=|<=|>=|!|\b(?:in|true|false|has)\b)|(?<field>\b[a-z]+(?:\.[a-z_0-9]+)+\b)/gm;

/** Offset of a 1-based line and column in a text; within it, whatever they are. */
export function offsetOf(text: string, line: number, column: number): number {
  const lines = text.split('\n');
  const before = lines.slice(0, Math.max(0, line - 1)).reduce((sum, each) => sum + each.length + 1, 0);
  return Math.min(text.length, before + Math.max(0, column - 1));
}

/** The text in parts, in order; each problem marks the word it points at. */
export function paintPolicy(text: string, problems: readonly PolicyProblemJson[]): Painted[] {
  const marks = problems.map(({ line, column }) => {
    const from = offsetOf(text, line, column);
    return { from, to: from + (/^[\w.]+|^./.exec(text.slice(from))?.[0].length ?? 1) };
  });
  const parts: Painted[] = [];
  const push = (from: number, to: number, kind: Painted['kind']): void => {
    let at = from;
    while (at < to) {
      const inside = marks.find((mark) => mark.from <= at && at < mark.to);
      const next = inside
        ? inside.to
        : Math.min(to, ...marks.map((mark) => mark.from).filter((start) => start > at));
      const end = Math.min(to, next);
      parts.push({ text: text.slice(at, end), kind, bad: inside !== undefined });
      at = end;
    }
  };
  let done = 0;
  for (const match of text.matchAll(TOKEN)) {
    const kind = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined)?.[0];
    push(done, match.index, '');
    push(match.index, match.index + match[0].length, (kind ?? '') as Painted['kind']);
    done = match.index + match[0].length;
  }
  push(done, text.length, '');
  return parts;
}
