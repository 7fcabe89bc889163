/** Canonical text of a query tree: `parseQuery(printQuery(tree))` equals the tree, whatever it holds. */
import { SEVERITIES } from '../event.ts';
import { ANY, ONE, type CompareOp, type Pattern, type QueryNode } from './query-ast.ts';
import { formatMoment } from './query-values.ts';

const OPERATOR: Readonly<Record<CompareOp, string>> = { eq: '', gt: '>', ge: '>=', lt: '<', le: '<=' };

/** White space, brackets, quotes and commas end a word; a comparison at its start would be read as one. */
const UNSAFE = /[\s()",]|^[<>]/;

function printPattern(pattern: Pattern, afterField: boolean): string {
  let out = '';
  let plain = '';
  for (const part of pattern) {
    if (part === ANY) out += '*';
    else if (part === ONE) out += '?';
    else {
      plain += part;
      out += part.replaceAll(/\\(?=[\s()"*?\\:,]|$)|[*?"]/g, String.raw`\$&`);
    }
  }
  const keyword = /^(and|or|not)$/i.test(out);
  const colon = !afterField && plain.includes(':');
  return out === '' || keyword || colon || UNSAFE.test(plain) ? `"${out}"` : out;
}

function printNumber(field: string, value: number): string {
  return field === 'severity' ? (SEVERITIES[value] ?? String(value)) : String(value);
}

/** What stands after `field:`, for nodes that name one. */
function printValue(node: QueryNode): string | undefined {
  switch (node.kind) {
    case 'match':
      return printPattern(node.pattern, true);
    case 'compare':
      return `${OPERATOR[node.op]}${printNumber(node.field, node.value)}`;
    case 'range':
      return `${printNumber(node.field, node.low)}..${printNumber(node.field, node.high)}`;
    case 'cidr':
      return node.bits === (node.version === 4 ? 32 : 128) ? node.base : `${node.base}/${node.bits}`;
    default:
      return undefined;
  }
}

function fieldOf(node: QueryNode): string | undefined {
  return 'field' in node && node.kind !== 'has' ? node.field : undefined;
}

function printTime(node: Extract<QueryNode, { kind: 'time' }>): string {
  const text = formatMoment(node.at);
  if (node.op === 'ge') return node.at.kind === 'ago' && node.at.ns > 0n ? `last:${text}` : `since:${text}`;
  return node.op === 'le' ? `until:${text}` : `ts:${OPERATOR[node.op]}${text}`;
}

/** The field that every item gives a value for, so that they can stand in one list. */
function commonField(items: readonly QueryNode[]): string | undefined {
  const field = items[0] && fieldOf(items[0]);
  return items.every((item) => fieldOf(item) === field) ? field : undefined;
}

/** `level`: 0 anywhere, 1 inside `or`, 2 inside `and`, 3 after `not`; tighter contexts need parentheses. */
function print(node: QueryNode, level: number): string {
  switch (node.kind) {
    case 'all':
      return '*';
    case 'text':
      return printPattern(node.pattern, false);
    case 'has':
      return `has:${node.field}`;
    case 'time':
      return printTime(node);
    case 'not':
      return `not ${print(node.item, 3)}`;
    case 'and': {
      const text = node.items.map((item) => print(item, 2)).join(' and ');
      return level > 2 ? `(${text})` : text;
    }
    case 'or': {
      const field = commonField(node.items);
      if (field !== undefined) return `${field}:(${node.items.map((item) => printValue(item)).join(' or ')})`;
      const text = node.items.map((item) => print(item, 2)).join(' or ');
      return level > 1 ? `(${text})` : text;
    }
    default:
      return `${node.field}:${printValue(node)}`;
  }
}

/** The tree as text a person could have typed. Everything is the empty text. */
export function printQuery(node: QueryNode): string {
  return node.kind === 'all' ? '' : print(node, 0);
}
