/**
 * Value modifiers: `CommandLine|windash|contains|all` and its values become predicates.
 *
 * Modifiers apply in the order given (sigma-appendix-modifiers.md); semantics follow pySigma, the reference
 * implementation. A modifier that makes no sense for a value is an error, never ignored.
 */
import { parseNetwork } from './address.ts';
import { compileGlob } from './glob.ts';
import * as op from './predicate.ts';
import { predicate, toNumber } from './predicate.ts';
import type { Comparison, Predicate } from './predicate.ts';
import { MAX_EXPANSIONS, ModifierError, expandParts, expandText } from './placeholders.ts';
import type { Placeholders } from './placeholders.ts';
import { compileRegex } from './regex/regex.ts';
import { RegexSyntaxError } from './regex/parse.ts';
import { ANY, ONE, expandDashes, hasSpecial, mergeText, parseSigmaString, windash } from './sigma-string.ts';
import type { Part } from './sigma-string.ts';
import { fold } from './text.ts';
import { TIME_UNITS } from './time-part.ts';
import type { TimeUnit } from './time-part.ts';

export interface FieldKey {
  /** Empty for keywords. */
  field: string;
  modifiers: string[];
}

const ENCODINGS = ['wide', 'utf16le', 'utf16be', 'utf16'];
const REGEX_FLAGS = ['i', 'm', 's', 'ignorecase', 'multiline', 'dotall'];
const COMPARISONS = ['lt', 'lte', 'gt', 'gte'];
const POSITIONS = ['contains', 'startswith', 'endswith'];
const KNOWN = new Set([
  ...POSITIONS,
  ...ENCODINGS,
  ...REGEX_FLAGS,
  ...COMPARISONS,
  ...TIME_UNITS,
  ...'all re cidr windash base64 base64offset expand exists cased fieldref neq'.split(' '),
]);

/** Splits `field|modifier|modifier`. Throws ModifierError for an unknown modifier. */
export function parseFieldKey(key: string): FieldKey {
  const [field = '', ...modifiers] = key.split('|');
  for (const modifier of modifiers) {
    if (!KNOWN.has(modifier)) {
      throw new ModifierError(`unknown modifier "${modifier}"`, `use one of ${[...KNOWN].sort().join(', ')}`);
    }
  }
  return { field, modifiers };
}

type RuleValue = string | number | boolean | null;

/** A value on its way through the modifiers. */
interface State {
  /** Possible spellings, any of which may match. */
  spellings: Part[][];
  /** The spellings hold one character per byte (after wide, utf16…). */
  bytes: boolean;
  cased: boolean;
}

/** Predicates one value stands for; they are linked by OR. Throws ModifierError. */
export function compileValue(key: FieldKey, value: RuleValue, placeholders: Placeholders): Predicate[] {
  // These two act on the list of values, which the caller links.
  const modifiers = key.modifiers.filter((modifier) => modifier !== 'all' && modifier !== 'neq');
  if (modifiers.includes('exists')) return [existsPredicate(key, modifiers, value)];
  if (value === null) {
    if (modifiers.length > 0) throw new ModifierError('null takes no modifiers', 'drop them, or use |exists');
    if (key.field === '') throw new ModifierError('null needs a field', 'write FIELD: null');
    return [predicate(op.OP_NULL, 'null')];
  }
  const unit = TIME_UNITS.find((name) => modifiers.includes(name));
  const comparison = COMPARISONS.find((name) => modifiers.includes(name)) as Comparison | undefined;
  if (unit !== undefined || comparison !== undefined)
    return [comparePredicate(modifiers, value, unit, comparison)];
  if (modifiers.includes('re')) return regexPredicates(modifiers, value, placeholders);
  if (modifiers.includes('cidr')) return cidrPredicates(modifiers, value, placeholders);
  if (modifiers.includes('fieldref')) return [referencePredicate(key, modifiers, value)];
  for (const flag of modifiers) {
    if (REGEX_FLAGS.includes(flag))
      throw new ModifierError(`"${flag}" needs |re before it`, `write |re|${flag}`);
  }
  return stringPredicates(modifiers, value, placeholders, key.field === '');
}

function existsPredicate(key: FieldKey, modifiers: string[], value: RuleValue): Predicate {
  if (modifiers.length > 1) throw new ModifierError('"exists" stands alone', 'drop the other modifiers');
  if (key.field === '') throw new ModifierError('"exists" needs a field', 'write FIELD|exists: true');
  const expected = typeof value === 'string' ? { true: true, false: false }[value.toLowerCase()] : value;
  if (typeof expected !== 'boolean')
    throw new ModifierError('"exists" needs true or false', 'write true or false');
  return predicate(op.OP_EXISTS, String(expected), { expected });
}

function comparePredicate(
  modifiers: string[],
  value: RuleValue,
  unit: TimeUnit | undefined,
  comparison: Comparison | undefined,
): Predicate {
  const others = modifiers.filter((name) => name !== unit && name !== comparison);
  if (others.length > 0) {
    throw new ModifierError(
      `"${comparison ?? unit}" cannot be combined with "${others[0]}"`,
      'drop one of them',
    );
  }
  const number = typeof value === 'string' ? toNumber(value.trim()) : value;
  if (typeof number !== 'number' || Number.isNaN(number)) {
    throw new ModifierError(
      `"${comparison ?? unit}" needs a number, not ${JSON.stringify(value)}`,
      'write a number',
    );
  }
  return predicate(op.OP_COMPARE, String(value), {
    comparison: comparison ?? 'eq',
    number,
    unit,
    text: String(number),
  });
}

function regexPredicates(modifiers: string[], value: RuleValue, placeholders: Placeholders): Predicate[] {
  const before = modifiers.slice(0, modifiers.indexOf('re')).filter((name) => name !== 'expand');
  if (before.length > 0) {
    throw new ModifierError(`"re" applies to plain values, not after "${before[0]}"`, 'write |re first');
  }
  const allowed = new Set([...REGEX_FLAGS, ...POSITIONS, 're', 'expand', 'cased']);
  const other = modifiers.find((name) => !allowed.has(name));
  if (other) throw new ModifierError(`"re" cannot be combined with "${other}"`, 'drop one of them');
  const flags = {
    ignoreCase: modifiers.includes('i') || modifiers.includes('ignorecase'),
    multiline: modifiers.includes('m') || modifiers.includes('multiline'),
    dotAll: modifiers.includes('s') || modifiers.includes('dotall'),
  };
  const sources = modifiers.includes('expand') ? expandText(String(value), placeholders) : [String(value)];
  // A search is unanchored, so contains, startswith and endswith (which only add `.*`) change nothing.
  return sources.map((source) => {
    try {
      const regex = compileRegex(source, flags);
      return predicate(op.OP_REGEX, source, { regex, text: source, cased: true });
    } catch (error) {
      if (!(error instanceof RegexSyntaxError)) throw error;
      throw new ModifierError(`regular expression is not usable: ${error.message}`, 'correct the expression');
    }
  });
}

function cidrPredicates(modifiers: string[], value: RuleValue, placeholders: Placeholders): Predicate[] {
  const other = modifiers.find((name) => name !== 'cidr' && name !== 'expand');
  if (other) throw new ModifierError(`"cidr" cannot be combined with "${other}"`, 'drop one of them');
  const sources = modifiers.includes('expand') ? expandText(String(value), placeholders) : [String(value)];
  return sources.map((source) => {
    const network = parseNetwork(source);
    if (typeof network === 'string')
      throw new ModifierError(network, 'write for example 10.0.0.0/8 or fc00::/7');
    return predicate(op.OP_CIDR, source, { network, text: source });
  });
}

function referencePredicate(key: FieldKey, modifiers: string[], value: RuleValue): Predicate {
  const other = modifiers.find(
    (name) => name !== 'fieldref' && name !== 'cased' && !POSITIONS.includes(name),
  );
  if (other) throw new ModifierError(`"fieldref" cannot be combined with "${other}"`, 'drop one of them');
  if (key.field === '') throw new ModifierError('"fieldref" needs a field', 'write FIELD|fieldref: OTHER');
  const parts = parseSigmaString(String(value));
  const reference = parts[0];
  if (parts.length !== 1 || typeof reference !== 'string') {
    throw new ModifierError('a field reference is one field name without wildcards', 'name one field');
  }
  return predicate(op.OP_FIELD, reference, {
    reference,
    referenceOp: modifiers.includes('contains')
      ? op.OP_CONTAINS
      : modifiers.includes('startswith')
        ? modifiers.includes('endswith')
          ? op.OP_CONTAINS
          : op.OP_STARTS
        : modifiers.includes('endswith')
          ? op.OP_ENDS
          : op.OP_EQUALS,
    text: reference,
    cased: modifiers.includes('cased'),
  });
}

function stringPredicates(
  modifiers: string[],
  value: RuleValue,
  placeholders: Placeholders,
  keyword: boolean,
): Predicate[] {
  let state: State = { spellings: [parseSigmaString(String(value))], bytes: false, cased: false };
  for (const modifier of modifiers) state = applyModifier(modifier, state, placeholders);
  const pattern = String(value);
  return state.spellings.map((parts) => textPredicate(pattern, parts, state.cased, keyword));
}

function applyModifier(modifier: string, state: State, placeholders: Placeholders): State {
  const map = (change: (parts: Part[]) => Part[]): State => ({
    ...state,
    spellings: state.spellings.map(change),
  });
  switch (modifier) {
    case 'contains':
      return map((parts) => mergeText([ANY, ...parts, ANY]));
    case 'startswith':
      return map((parts) => mergeText([...parts, ANY]));
    case 'endswith':
      return map((parts) => mergeText([ANY, ...parts]));
    case 'windash':
      return map(windash);
    case 'cased':
      return { ...state, cased: true };
    case 'expand':
      return { ...state, spellings: state.spellings.flatMap((parts) => expandParts(parts, placeholders)) };
    case 'base64':
    case 'base64offset': {
      const spellings = plainSpellings(state, modifier).flatMap((data) =>
        modifier === 'base64' ? [[data.toString('base64')]] : base64Offsets(data).map((text) => [text]),
      );
      return { ...state, spellings, bytes: false };
    }
    default:
      return { ...map((parts) => encode(parts, modifier, state.bytes)), bytes: true };
  }
}

/** The bytes of every spelling of a value without wildcards. */
function plainSpellings(state: State, modifier: string): Buffer[] {
  const all: Part[][] = [];
  for (const parts of state.spellings) {
    if (parts.some((part) => part === ANY || part === ONE)) {
      throw new ModifierError(
        `"${modifier}" needs a value without wildcards`,
        'escape them with a backslash',
      );
    }
    const expanded = expandDashes(parts, MAX_EXPANSIONS);
    if (!expanded) throw new ModifierError('the value has too many dashes to encode', 'split the value');
    all.push(...expanded);
  }
  return all.map((parts) => Buffer.from(parts.join(''), state.bytes ? 'latin1' : 'utf8'));
}

/** The three encodings a value can have inside a longer encoded text, without the characters its neighbours share. */
function base64Offsets(data: Buffer): string[] {
  const startAt = [0, 2, 3];
  const dropAtEnd = [0, 3, 2];
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset, 32), data]).toString('base64');
    const drop = dropAtEnd[(data.length + offset) % 3] as number;
    return encoded.slice(startAt[offset], encoded.length - drop);
  });
}

function encode(parts: Part[], encoding: string, bytes: boolean): Part[] {
  const encoded = parts.map((part): Part => {
    if (typeof part !== 'string') return part;
    if (bytes) throw new ModifierError('a value is encoded once', 'drop one of the encodings');
    const buffer = Buffer.from(part, 'utf16le');
    if (encoding === 'utf16be') buffer.swap16();
    return buffer.toString('latin1');
  });
  return encoding === 'utf16' ? mergeText(['\u00ff\u00fe', ...encoded]) : encoded;
}

/** The cheapest test for a wildcard pattern over a whole value, or anywhere inside of it for a keyword. */
function textPredicate(pattern: string, parts: Part[], cased: boolean, keyword: boolean): Predicate {
  const folded = cased ? parts : parts.map((part) => (typeof part === 'string' ? fold(part) : part));
  const shaped = keyword ? mergeText([ANY, ...folded, ANY]) : folded;
  const [first, second, third] = shaped;
  const text = (value: Part | undefined): string => (typeof value === 'string' ? value : '');
  if (!hasSpecial(shaped)) return predicate(op.OP_EQUALS, pattern, { cased, text: text(first) });
  if (shaped.length === 1 && first === ANY) return predicate(op.OP_ANY, pattern);
  if (shaped.length === 2 && typeof first === 'string' && second === ANY) {
    return predicate(op.OP_STARTS, pattern, { cased, text: first });
  }
  if (shaped.length === 2 && first === ANY && typeof second === 'string') {
    return predicate(op.OP_ENDS, pattern, { cased, text: second });
  }
  if (shaped.length === 3 && first === ANY && typeof second === 'string' && third === ANY) {
    return predicate(op.OP_CONTAINS, pattern, { cased, text: second });
  }
  return predicate(op.OP_GLOB, pattern, { cased, glob: compileGlob(shaped), text: JSON.stringify(shaped) });
}
