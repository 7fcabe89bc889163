/**
 * Query text to tree, by recursive descent over the tokens. `or` binds weakest, then `and` (which may be left out),
 * then `not`. Throws `QueryError` and nothing else; depth, length and number of terms are bounded.
 */
import {
  ALL,
  ANY,
  MAX_QUERY_DEPTH,
  MAX_QUERY_LENGTH,
  MAX_ONES,
  MAX_QUERY_TERMS,
  ONE,
  QueryError,
  and,
  literalOf,
  not,
  or,
  type CompareOp,
  type QueryNode,
  type TimePoint,
} from './query-ast.ts';
import { allFieldNames, closest, findField, findTimeField, type Field } from './query-fields.ts';
import { tokenize, type Token } from './query-lexer.ts';
import { DURATION_UNITS, parseDuration, parseMoment, parseNetwork } from './query-values.ts';

const OPERATORS: Readonly<Record<string, CompareOp>> = { '>': 'gt', '>=': 'ge', '<': 'lt', '<=': 'le' };

function fail(message: string, at: Token): never {
  throw new QueryError(message, at.offset, at.length);
}

/** What stands after a field's colon: an operator (or none) and a value. */
interface FieldTerm {
  name: Token;
  op: CompareOp;
  value: Token;
}

function numberOf(text: string, field: Field, at: Token): number {
  if (field.kind === 'severity') {
    const rank = field.values?.indexOf(text.toLowerCase()) ?? -1;
    if (rank < 0) fail(unknownValue(field, text), at);
    return rank;
  }
  const value = /^-?\d{1,16}$/.test(text)
    ? Number(text)
    : /^0[xX][0-9a-fA-F]{1,13}$/.test(text)
      ? Number(text)
      : NaN;
  if (!Number.isSafeInteger(value)) {
    fail(`${field.name} is a number: write ${field.name}:10, ${field.name}:>10 or ${field.name}:10..20`, at);
  }
  return value === 0 ? 0 : value;
}

function unknownValue(field: Field, text: string): string {
  const near = closest(text, field.values ?? []);
  const hint =
    near === undefined ? `write one of ${(field.values ?? []).join(', ')}` : `did you mean ${near}?`;
  return `${field.name} has no value ${text}: ${hint}`;
}

function rangeOf(term: FieldTerm): [low: string, high: string] | undefined {
  if (!term.value.bare || term.op !== 'eq') return undefined;
  const dots = term.value.text.indexOf('..');
  return dots < 0 ? undefined : [term.value.text.slice(0, dots), term.value.text.slice(dots + 2)];
}

function numberNode(field: Field, term: FieldTerm): QueryNode {
  const { value } = term;
  const range = rangeOf(term);
  if (!range)
    return { kind: 'compare', field: field.name, op: term.op, value: numberOf(value.text, field, value) };
  const [lowText, highText] = range;
  if (lowText === '' && highText === '') return { kind: 'has', field: field.name };
  if (highText === '') {
    return { kind: 'compare', field: field.name, op: 'ge', value: numberOf(lowText, field, value) };
  }
  const high = numberOf(highText, field, value);
  if (lowText === '') return { kind: 'compare', field: field.name, op: 'le', value: high };
  const low = numberOf(lowText, field, value);
  if (low > high) fail(`the range ${value.text} is empty: write the smaller value first`, value);
  return { kind: 'range', field: field.name, low, high };
}

function addressNode(field: Field, term: FieldTerm): QueryNode {
  const { value } = term;
  if (literalOf(value.pattern) === undefined)
    return { kind: 'match', field: field.name, pattern: value.pattern };
  const network = parseNetwork(value.text);
  if (!network) {
    fail(
      `${value.text || 'an empty value'} is no address or network: write ${field.name}:10.0.0.1, ${field.name}:10.0.0.0/8 or ${field.name}:10.0.*`,
      value,
    );
  }
  return {
    kind: 'cidr',
    field: field.name,
    version: network.version,
    base: network.base,
    bits: network.bits,
  };
}

function moment(text: string, at: Token): { at: TimePoint; spanNs: bigint } {
  return (
    parseMoment(text) ??
    fail(
      `${text || 'an empty value'} is no time: write 2026-11-20T10:00, 14:05, today, yesterday or an age such as 1h`,
      at,
    )
  );
}

function shifted(at: TimePoint, ns: bigint): TimePoint {
  if (at.kind === 'at' || at.kind === 'clock') return { kind: at.kind, ns: at.ns + ns };
  if (at.kind === 'ago') return at.ns >= ns ? { kind: 'ago', ns: at.ns - ns } : at;
  return at.days === 1 ? { kind: 'day', days: 0 } : { kind: 'ago', ns: 0n };
}

function timeNode(which: string, term: FieldTerm): QueryNode {
  const { value } = term;
  if (which === 'last') {
    const ns = parseDuration(value.text);
    if (ns === undefined || term.op !== 'eq') {
      fail(
        `last needs a duration with a unit (${DURATION_UNITS.join(', ')}): write last:1h or last:90s`,
        value,
      );
    }
    return { kind: 'time', op: 'ge', at: { kind: 'ago', ns } };
  }
  if (which !== 'ts') {
    if (term.op !== 'eq')
      fail(`${which} takes a time without ${value.text}: write ${which}:2026-11-20T10:00`, value);
    return { kind: 'time', op: which === 'since' ? 'ge' : 'le', at: moment(value.text, value).at };
  }
  const range = rangeOf(term);
  if (range) {
    const [low, high] = range;
    const parts: QueryNode[] = [];
    if (low !== '') parts.push({ kind: 'time', op: 'ge', at: moment(low, value).at });
    if (high !== '') parts.push({ kind: 'time', op: 'le', at: moment(high, value).at });
    return parts.length === 0 ? ALL : and(...parts);
  }
  const point = moment(value.text, value);
  if (term.op !== 'eq') return { kind: 'time', op: term.op, at: point.at };
  return and(
    { kind: 'time', op: 'ge', at: point.at },
    { kind: 'time', op: 'lt', at: shifted(point.at, point.spanNs) },
  );
}

function unknownField(name: Token): never {
  const near = closest(name.text, allFieldNames());
  const hint =
    near === undefined
      ? `to search for the text itself, quote it: "${name.text}:…"`
      : `did you mean ${near}?`;
  throw new QueryError(`unknown field ${name.text}: ${hint}`, name.offset, name.length - 1);
}

function fieldNode(term: FieldTerm): QueryNode {
  const { name, value } = term;
  if (value.unterminated) fail('the quotation mark is never closed: add one at the end of the value', value);
  const time = findTimeField(name.text);
  if (time !== undefined) return timeNode(time, term);
  if (name.text.toLowerCase() === 'has') {
    const wanted = findField(value.text);
    if (wanted) return { kind: 'has', field: wanted.name };
    const near = closest(value.text, allFieldNames());
    fail(
      `unknown field ${value.text}${near === undefined ? ': has takes the name of a field' : `: did you mean ${near}?`}`,
      value,
    );
  }
  const field = findField(name.text) ?? unknownField(name);
  const [only] = value.pattern;
  if (value.pattern.length === 1 && only === ANY && term.op === 'eq')
    return { kind: 'has', field: field.name };
  if (field.kind === 'number' || field.kind === 'severity') return numberNode(field, term);
  if (term.op !== 'eq') {
    fail(`${field.name} is not a number and cannot be compared: write ${field.name}:${value.text}`, value);
  }
  if (field.kind === 'ip') return addressNode(field, term);
  const literal = literalOf(value.pattern);
  if (field.kind === 'enum' && literal !== undefined) {
    const lower = literal.toLowerCase();
    if (!field.values?.includes(lower)) fail(unknownValue(field, literal), value);
    return { kind: 'match', field: field.name, pattern: [lower] };
  }
  return { kind: 'match', field: field.name, pattern: value.pattern };
}

class Parser {
  private readonly tokens: readonly Token[];
  private readonly end: Token;
  private index = 0;
  private depth = 0;
  private terms = 0;

  constructor(source: string) {
    this.tokens = tokenize(source);
    const at = source.trimEnd().length;
    this.end = {
      kind: 'close',
      offset: at,
      length: 0,
      text: '',
      pattern: [],
      bare: true,
      unterminated: false,
      list: false,
    };
  }

  private peek(): Token | undefined {
    return this.tokens[this.index];
  }

  private isKeyword(word: string): boolean {
    const next = this.peek();
    return next?.kind === 'keyword' && next.text === word;
  }

  private deeper<T>(at: Token, inner: () => T): T {
    this.depth += 1;
    if (this.depth > MAX_QUERY_DEPTH) fail(`nested more than ${MAX_QUERY_DEPTH} deep: write it flatter`, at);
    const result = inner();
    this.depth -= 1;
    return result;
  }

  whole(): QueryNode {
    if (this.tokens.length === 0) return ALL;
    const node = this.alternatives(undefined);
    const left = this.peek();
    if (left) fail('this parenthesis closes nothing: remove it or open one before it', left);
    return node;
  }

  /** `a or b`; in a list of values of `list`, values beside each other are alternatives too. */
  private alternatives(list: Token | undefined): QueryNode {
    const items = [this.conjunction(list)];
    for (;;) {
      const next = this.peek();
      if (this.isKeyword('or') || this.isKeyword(',')) this.index += 1;
      else if (!list || !next || next.kind === 'close') break;
      items.push(this.conjunction(list));
    }
    return or(...items);
  }

  private conjunction(list: Token | undefined): QueryNode {
    const items = [this.negation(list)];
    for (;;) {
      const next = this.peek();
      if (this.isKeyword('and')) this.index += 1;
      else if (list || !next || next.kind === 'close' || this.isKeyword('or') || this.isKeyword(',')) break;
      items.push(this.negation(list));
    }
    return and(...items);
  }

  private negation(list: Token | undefined): QueryNode {
    const next = this.peek();
    if (!next || !this.isKeyword('not')) return this.primary(list);
    this.index += 1;
    return not(this.deeper(next, () => this.negation(list)));
  }

  private group(open: Token, list: Token | undefined): QueryNode {
    this.index += 1;
    const inner = this.deeper(open, () => this.alternatives(list));
    if (this.peek()?.kind !== 'close') fail('the parenthesis is never closed: add ) at the end', open);
    this.index += 1;
    return inner;
  }

  private primary(list: Token | undefined): QueryNode {
    const next = this.peek() ?? this.end;
    this.terms += 1;
    if (this.terms > MAX_QUERY_TERMS) fail(`more than ${MAX_QUERY_TERMS} terms: split the query`, next);
    if (next.kind === 'open') return this.group(next, list);
    if (next === this.end || next.kind === 'close') {
      throw new QueryError(
        'something to search for is missing here: add a word or field:value',
        next.offset,
        next.length,
      );
    }
    if (next.kind === 'keyword') {
      fail(
        `${next.text} needs something on both sides; to search for the word, quote it: "${next.text}"`,
        next,
      );
    }
    if (list) return fieldNode(this.valueOf(list));
    this.index += 1;
    if (next.kind === 'field') return this.fieldTerm(next);
    if (next.unterminated) fail('the quotation mark is never closed: add one at the end of the value', next);
    checkPattern(next);
    const [only] = next.pattern;
    if (next.pattern.length === 1 && only === ANY) return ALL;
    return { kind: 'text', pattern: next.pattern };
  }

  private fieldTerm(name: Token): QueryNode {
    const next = this.peek();
    const glued = next !== undefined && next.offset === name.offset + name.length;
    if (!glued || next.kind === 'close') {
      if (
        findTimeField(name.text) === undefined &&
        !findField(name.text) &&
        name.text.toLowerCase() !== 'has'
      ) {
        unknownField(name);
      }
      fail(`${name.text} needs a value right after the colon: ${name.text}:VALUE`, name);
    }
    return next.kind === 'open' ? this.group(next, name) : fieldNode(this.valueOf(name));
  }

  private valueOf(name: Token): FieldTerm {
    let next = this.peek() ?? this.end;
    let op: CompareOp = 'eq';
    if (next.kind === 'operator') {
      const operator = next;
      op = OPERATORS[operator.text] ?? 'eq';
      this.index += 1;
      next = this.peek() ?? this.end;
      if (next.kind !== 'value' || next.offset !== operator.offset + operator.length) {
        fail(`${operator.text} needs a value right after it: ${name.text}:${operator.text}10`, operator);
      }
    }
    if (next.kind !== 'value') fail(`a value of ${name.text} is missing here`, next);
    checkPattern(next);
    this.index += 1;
    return { name, op, value: next };
  }
}

function checkPattern(value: Token): void {
  const ones = value.pattern.reduce<number>((count, part) => (part === ONE ? count + 1 : count), 0);
  if (ones > MAX_ONES) fail(`more than ${MAX_ONES} ? in one value: write * for a longer run`, value);
}

/** Tree of a query; an empty text asks for everything. Throws `QueryError`. */
export function parseQuery(source: string): QueryNode {
  if (source.length > MAX_QUERY_LENGTH) {
    throw new QueryError(
      `the query has ${source.length} characters; at most ${MAX_QUERY_LENGTH} are allowed: shorten it`,
      MAX_QUERY_LENGTH,
      source.length - MAX_QUERY_LENGTH,
    );
  }
  return new Parser(source).whole();
}
