/**
 * The query language's tree, shared by CLI and console: `image:*\/curl and not user:root last:1h`.
 *
 * A tree is in normal form when it was made by `and`, `or`, `not` below: nested `and`s and `or`s are flat and have at
 * least two items. The parser only makes normal trees, and `parse(print(tree))` gives an equal tree. Positions in the
 * text are not part of it.
 */

/** Any run of characters, `*`. */
export const ANY = 0;
/** Exactly one character (code point), `?`. */
export const ONE = 1;
/** Literal text and wildcards, in order; adjacent literals are joined and `**` is `*`. Empty: the empty string. */
export type Pattern = readonly (string | typeof ANY | typeof ONE)[];

export type CompareOp = 'eq' | 'gt' | 'ge' | 'lt' | 'le';

export type TimePoint =
  /** Nanoseconds since the epoch. */
  | { kind: 'at'; ns: bigint }
  /** That long before now. */
  | { kind: 'ago'; ns: bigint }
  /** Midnight, local time, `days` days ago. */
  | { kind: 'day'; days: 0 | 1 }
  /** Today, local time, that long after midnight. */
  | { kind: 'clock'; ns: bigint };

export type QueryNode =
  | { kind: 'all' }
  | { kind: 'and'; items: readonly QueryNode[] }
  | { kind: 'or'; items: readonly QueryNode[] }
  | { kind: 'not'; item: QueryNode }
  /** Free text: a part of a command line, path, name, DNS name or message. */
  | { kind: 'text'; pattern: Pattern }
  /** A field with text; what counts as a match depends on the field's kind. */
  | { kind: 'match'; field: string; pattern: Pattern }
  /** Numbers and severities (by rank). */
  | { kind: 'compare'; field: string; op: CompareOp; value: number }
  /** Inclusive at both ends. */
  | { kind: 'range'; field: string; low: number; high: number }
  /** An address is a network of full length. `base` is canonical and has no host bits. */
  | { kind: 'cidr'; field: string; version: 4 | 6; base: string; bits: number }
  | { kind: 'has'; field: string }
  | { kind: 'time'; op: Exclude<CompareOp, 'eq'>; at: TimePoint };

export const ALL: QueryNode = { kind: 'all' };

function join(kind: 'and' | 'or', items: readonly QueryNode[]): QueryNode {
  const flat: QueryNode[] = [];
  for (const item of items) {
    if (item.kind === kind) flat.push(...item.items);
    else flat.push(item);
  }
  const [only] = flat;
  return only !== undefined && flat.length === 1 ? only : { kind, items: flat };
}

/** Conjunction in normal form; one item is returned as it is. */
export function and(...items: readonly QueryNode[]): QueryNode {
  return join('and', items);
}

/** Disjunction in normal form. */
export function or(...items: readonly QueryNode[]): QueryNode {
  return join('or', items);
}

export function not(item: QueryNode): QueryNode {
  return { kind: 'not', item };
}

/** A pattern in normal form from loose parts. */
export function pattern(parts: Pattern): Pattern {
  const out: (string | typeof ANY | typeof ONE)[] = [];
  for (const part of parts) {
    const last = out.at(-1);
    if (typeof part === 'string') {
      if (part === '') continue;
      if (typeof last === 'string') out[out.length - 1] = last + part;
      else out.push(part);
    } else if (!(part === ANY && last === ANY)) out.push(part);
  }
  return out;
}

/** The text of a pattern without wildcards, else undefined. */
export function literalOf(value: Pattern): string | undefined {
  if (value.length === 0) return '';
  const [only] = value;
  return value.length === 1 && typeof only === 'string' ? only : undefined;
}

/** A query that cannot be understood. The message says what is wrong and what to write instead. */
export class QueryError extends Error {
  override readonly name = 'QueryError';
  /** The Local API passes errors with a code of its contract on as they are. */
  readonly code = 'bad_query';
  /** 0-based, in UTF-16 units, into the query's text. */
  readonly offset: number;
  readonly length: number;
  constructor(message: string, offset: number, length: number) {
    super(message);
    this.offset = offset;
    this.length = length;
  }
}

/** Limits of one query: what a person types is far below, what a program sends must not hold the store. */
export const MAX_QUERY_LENGTH = 8192;
export const MAX_QUERY_DEPTH = 50;
export const MAX_QUERY_TERMS = 512;
/** `?` in one value: each is a step at every place of a text. */
export const MAX_ONES = 32;
