/**
 * Fields of a plain object, as log pipelines produce them: a key of that very name, else a path of keys split at dots
 * (`userIdentity.type`), through lists too. Keyword searches see every value, at any depth.
 */
import type { FieldNames, ValueSource } from './field-cache.ts';

export type FlatObject = Readonly<Record<string, unknown>>;

/** Bounds of a keyword search: an object made to be expensive is cut, not followed for ever. */
const MAX_VALUES = 100_000;
const MAX_DEPTH = 64;

export class FlatSource implements ValueSource {
  readonly #fields: FieldNames;
  readonly #paths: (readonly string[] | undefined)[] = [];
  #object: FlatObject = {};

  constructor(fields: FieldNames) {
    this.#fields = fields;
  }

  use(object: FlatObject): this {
    this.#object = object;
    return this;
  }

  value(field: number): unknown {
    const name = this.#fields.names[field] as string;
    if (name === '') return allValues(this.#object);
    if (Object.hasOwn(this.#object, name)) return this.#object[name];
    let path = this.#paths[field];
    if (path === undefined) this.#paths[field] = path = name.includes('.') ? name.split('.') : [];
    return path.length === 0 ? undefined : walk(this.#object, path, 0);
  }
}

function walk(value: unknown, path: readonly string[], at: number): unknown {
  if (at === path.length) return value;
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    const found = value.map((item) => walk(item, path, at)).filter((item) => item !== undefined);
    return found.length === 0 ? undefined : found.flat();
  }
  // A key may itself hold dots: `a.b.c` is looked for as a > b.c and a.b > c too.
  for (let end = path.length; end > at; end -= 1) {
    const key = path.slice(at, end).join('.');
    if (Object.hasOwn(value, key)) {
      const found = walk((value as FlatObject)[key], path, end);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function allValues(object: FlatObject): unknown[] {
  const values: unknown[] = [];
  const visit = (value: unknown, depth: number): void => {
    if (values.length >= MAX_VALUES || depth > MAX_DEPTH) return;
    if (typeof value === 'object' && value !== null) {
      for (const item of Object.values(value)) visit(item, depth + 1);
    } else if (value !== null && value !== undefined) values.push(value);
  };
  visit(object, 0);
  return values;
}
