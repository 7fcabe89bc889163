/**
 * One test of one field: what a value of a rule becomes once its modifiers are applied.
 *
 * Fields are compared by their text; `text` holds the pattern folded unless `cased`. A field may hold several values:
 * a test is true if it is for one of them.
 */
import { inNetwork } from './address.ts';
import type { Network } from './address.ts';
import { matchGlob } from './glob.ts';
import type { Glob } from './glob.ts';
import type { CompiledRegex } from './regex/regex.ts';
import { timePart } from './time-part.ts';
import type { TimeUnit } from './time-part.ts';

export const OP_EQUALS = 0;
export const OP_CONTAINS = 1;
export const OP_STARTS = 2;
export const OP_ENDS = 3;
export const OP_GLOB = 4;
export const OP_REGEX = 5;
export const OP_CIDR = 6;
export const OP_COMPARE = 7;
export const OP_FIELD = 8;
/** The field holds any value at all (pattern `*`). */
export const OP_ANY = 9;
/** The field is absent or null. */
export const OP_NULL = 10;
export const OP_EXISTS = 11;

export type Comparison = 'lt' | 'lte' | 'gt' | 'gte' | 'eq';

/** One shape for all operations, so that the matcher stays monomorphic; unused members hold their zero value. */
export interface Predicate {
  op: number;
  cased: boolean;
  /** The pattern as the rule's author wrote it, for explanations. */
  pattern: string;
  text: string;
  glob: Glob | undefined;
  regex: CompiledRegex | undefined;
  network: Network | undefined;
  comparison: Comparison;
  number: number;
  /** OP_COMPARE: compare this part of a date instead of the number itself. */
  unit: TimeUnit | undefined;
  /** OP_FIELD: the field compared with, and how. */
  reference: string;
  referenceOp: number;
  /** OP_EXISTS. */
  expected: boolean;
}

export function predicate(op: number, pattern: string, more: Partial<Predicate> = {}): Predicate {
  return {
    op,
    cased: false,
    pattern,
    text: '',
    glob: undefined,
    regex: undefined,
    network: undefined,
    comparison: 'eq',
    number: 0,
    unit: undefined,
    reference: '',
    referenceOp: OP_EQUALS,
    expected: true,
    ...more,
  };
}

/** Key under which two predicates on the same field are the same test. */
export function predicateKey(p: Predicate): string {
  const detail =
    p.op === OP_REGEX ? p.regex?.flags : p.op === OP_COMPARE ? `${p.comparison}${p.unit ?? ''}` : '';
  return `${p.op}${p.cased ? 'c' : ''}${detail}${p.referenceOp}${p.expected ? '' : '!'}\u0000${p.text}`;
}

/** Tests one text. `folded` is its folded form. Not for OP_NULL, OP_EXISTS and OP_FIELD, which need the event. */
export function testText(p: Predicate, text: string, folded: string): boolean {
  const subject = p.cased ? text : folded;
  switch (p.op) {
    case OP_EQUALS:
      return subject === p.text;
    case OP_CONTAINS:
      return subject.includes(p.text);
    case OP_STARTS:
      return subject.startsWith(p.text);
    case OP_ENDS:
      return subject.endsWith(p.text);
    case OP_GLOB:
      return matchGlob(p.glob as Glob, subject);
    case OP_REGEX:
      return (p.regex as CompiledRegex).test(text);
    case OP_CIDR:
      return inNetwork(p.network as Network, text);
    case OP_COMPARE:
      return compare(p, text);
    case OP_ANY:
      return true;
    default:
      return false;
  }
}

/** Compares two texts the way OP_FIELD asks for. */
export function testReference(op: number, subject: string, other: string): boolean {
  switch (op) {
    case OP_CONTAINS:
      return subject.includes(other);
    case OP_STARTS:
      return subject.startsWith(other);
    case OP_ENDS:
      return subject.endsWith(other);
    default:
      return subject === other;
  }
}

const DECIMAL = /^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** A decimal number, or NaN: no hexadecimal, no blanks, no empty text. */
export function toNumber(text: string): number {
  return DECIMAL.test(text) ? Number(text) : Number.NaN;
}

function compare(p: Predicate, text: string): boolean {
  const value = p.unit === undefined ? toNumber(text) : timePart(text, p.unit);
  if (value === undefined) return false;
  switch (p.comparison) {
    case 'lt':
      return value < p.number;
    case 'lte':
      return value <= p.number;
    case 'gt':
      return value > p.number;
    case 'gte':
      return value >= p.number;
    case 'eq':
      return value === p.number;
  }
}
