/**
 * Cuts query text into tokens. Never fails: what is wrong is marked on the token for the parser to report, so that
 * colouring and completion work on half-typed text.
 *
 * A word runs up to white space or a parenthesis; quoted parts belong to it (`*\/"my app"`). A backslash takes the
 * special meaning from the character after it (white space, `( ) " * ? \ :`), before any other it stands for itself,
 * as in Sigma: `C:\Windows` needs no doubling. `name:` at the start of a word is a field, except in `scheme://` and
 * `C:\`. Between the parentheses after a field every word is a value.
 */
import { ANY, ONE, pattern, type Pattern } from './query-ast.ts';

export type TokenKind = 'field' | 'operator' | 'value' | 'keyword' | 'open' | 'close';

export interface Token {
  kind: TokenKind;
  offset: number;
  length: number;
  /** Field name without its colon, operator, keyword in lower case, or the plain text of a value. */
  text: string;
  /** Values only. */
  pattern: Pattern;
  /** Value without quotes or escapes: may be a number, range, time or comparison. */
  bare: boolean;
  /** A quote was opened and not closed. */
  unterminated: boolean;
  /** open: the parenthesis begins a list of values of the field before it. */
  list: boolean;
}

const FIELD = /^[@A-Za-z_][\w.]*(?=:)/;
const SPECIAL = /[\s()"*?\\:,]/;

interface Value {
  end: number;
  text: string;
  pattern: Pattern;
  bare: boolean;
  unterminated: boolean;
}

function readValue(source: string, start: number, inList: boolean): Value {
  const parts: (string | typeof ANY | typeof ONE)[] = [];
  let text = '';
  let bare = true;
  let quoted = false;
  let position = start;
  const literal = (piece: string): void => {
    parts.push(piece);
    text += piece;
  };
  while (position < source.length) {
    const char = source.charAt(position);
    if (char === '\\') {
      const next = source.charAt(position + 1);
      if (next !== '' && SPECIAL.test(next)) {
        bare = false;
        literal(next);
        position += 2;
        continue;
      }
      literal(char);
    } else if (char === '"') {
      bare = false;
      quoted = !quoted;
    } else if (char === '*' || char === '?') {
      parts.push(char === '*' ? ANY : ONE);
      text += char;
    } else if (!quoted && (/\s/.test(char) || char === '(' || char === ')' || (inList && char === ','))) {
      break;
    } else literal(char);
    position += 1;
  }
  return { end: position, text, pattern: pattern(parts), bare, unterminated: quoted };
}

function token(kind: TokenKind, offset: number, length: number, text: string): Token {
  return { kind, offset, length, text, pattern: [], bare: true, unterminated: false, list: false };
}

function isField(source: string, position: number): string | undefined {
  const name = FIELD.exec(source.slice(position, position + 64))?.[0];
  if (name === undefined) return undefined;
  const after = source.slice(position + name.length + 1, position + name.length + 3);
  if (after === '//' || (name.length === 1 && after.startsWith('\\'))) return undefined;
  return name;
}

/** All tokens of the text, in order. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  /** One entry for each open parenthesis: whether it is a list. */
  const lists: boolean[] = [];
  let position = 0;
  while (position < source.length) {
    const char = source.charAt(position);
    if (/\s/.test(char)) {
      position += 1;
      continue;
    }
    const previous = tokens.at(-1);
    const glued = previous !== undefined && previous.offset + previous.length === position;
    const afterField =
      glued && (previous.kind === 'field' || (previous.kind === 'operator' && previous.list));
    if (char === '(' || char === ')') {
      const made = token(char === '(' ? 'open' : 'close', position, 1, char);
      if (char === '(') {
        made.list = glued && previous.kind === 'field';
        lists.push(made.list);
      } else lists.pop();
      tokens.push(made);
      position += 1;
      continue;
    }
    const inList = lists.at(-1) === true;
    if (!afterField && !inList) {
      const name = isField(source, position);
      if (name !== undefined) {
        tokens.push(token('field', position, name.length + 1, name));
        position += name.length + 1;
        continue;
      }
    }
    if (inList && char === ',') {
      const comma = token('keyword', position, 1, ',');
      tokens.push(comma);
      position += 1;
      continue;
    }
    if ((glued && previous.kind === 'field') || inList) {
      const operator = /^(>=|<=|>|<)/.exec(source.slice(position, position + 2))?.[0];
      if (operator !== undefined) {
        const made = token('operator', position, operator.length, operator);
        made.list = true;
        tokens.push(made);
        position += operator.length;
        continue;
      }
    }
    const value = readValue(source, position, inList);
    const word = value.text.toLowerCase();
    const isKeyword = value.bare && !afterField && (word === 'and' || word === 'or' || word === 'not');
    const made = token(isKeyword ? 'keyword' : 'value', position, value.end - position, value.text);
    if (isKeyword) made.text = word;
    made.pattern = value.pattern;
    made.bare = value.bare;
    made.unterminated = value.unterminated;
    tokens.push(made);
    position = value.end;
  }
  return tokens;
}
