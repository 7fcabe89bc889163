/**
 * The fields of one event as the rules see them: fetched when first asked for, turned into text and folded once.
 *
 * One cache serves every event: `reset` only counts up a generation, so the hot path allocates nothing but the texts.
 */
import { fold } from './text.ts';

export const MISSING = 0;
export const NULL = 1;
export const TEXT = 2;
export const LIST = 3;
/** Present, but a map: it exists and has no text. */
export const OTHER = 4;

/** Where values come from: a sensor event seen through a table, or a flat object. */
export interface ValueSource {
  /** The value of the field with this id; undefined if absent. */
  value(field: number): unknown;
}

/** Field names as small numbers, shared by everything compiled from one rule set. */
export class FieldNames {
  readonly names: string[] = [];
  readonly #ids = new Map<string, number>();

  id(name: string): number {
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = this.names.length;
      this.names.push(name);
      this.#ids.set(name, id);
    }
    return id;
  }
}

function scalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return String(value);
  return undefined;
}

const NO_TEXTS: readonly string[] = [];

export class FieldCache {
  #source: ValueSource = { value: () => undefined };
  #generation = 0;
  #stamps = new Uint32Array(16);
  #foldStamps = new Uint32Array(16);
  #kinds = new Uint8Array(16);
  readonly #texts: string[] = [];
  readonly #folded: string[] = [];
  readonly #lists: (readonly string[])[] = [];
  readonly #foldedLists: (readonly string[])[] = [];

  /** Starts a new event. */
  reset(source: ValueSource, fieldCount: number): void {
    this.#source = source;
    if (fieldCount > this.#stamps.length) this.#grow(fieldCount);
    this.#generation += 1;
    if (this.#generation === 0xffff_ffff) {
      this.#stamps.fill(0);
      this.#foldStamps.fill(0);
      this.#generation = 1;
    }
  }

  #grow(count: number): void {
    this.#stamps = new Uint32Array(count * 2);
    this.#foldStamps = new Uint32Array(count * 2);
    this.#kinds = new Uint8Array(count * 2);
    this.#generation = 0;
  }

  /** MISSING, NULL, TEXT, LIST or OTHER. */
  kind(field: number): number {
    if (this.#stamps[field] === this.#generation) return this.#kinds[field] as number;
    const kind = this.#load(field, this.#source.value(field));
    this.#stamps[field] = this.#generation;
    this.#kinds[field] = kind;
    return kind;
  }

  #load(field: number, value: unknown): number {
    if (value === undefined) return MISSING;
    if (value === null) return NULL;
    const text = scalarText(value);
    if (text !== undefined) {
      this.#texts[field] = text;
      return TEXT;
    }
    if (!Array.isArray(value)) return OTHER;
    const list: string[] = [];
    for (const item of value) {
      const itemText = scalarText(item);
      if (itemText !== undefined) list.push(itemText);
    }
    this.#lists[field] = list;
    return LIST;
  }

  /** After `kind` said TEXT. */
  text(field: number): string {
    return this.#texts[field] as string;
  }

  /** After `kind` said TEXT. */
  foldedText(field: number): string {
    if (this.#foldStamps[field] !== this.#generation) {
      this.#folded[field] = fold(this.#texts[field] as string);
      this.#foldStamps[field] = this.#generation;
    }
    return this.#folded[field] as string;
  }

  /** After `kind` said LIST. */
  list(field: number): readonly string[] {
    return this.#lists[field] ?? NO_TEXTS;
  }

  /** After `kind` said LIST. */
  foldedList(field: number): readonly string[] {
    if (this.#foldStamps[field] !== this.#generation) {
      this.#foldedLists[field] = (this.#lists[field] ?? NO_TEXTS).map(fold);
      this.#foldStamps[field] = this.#generation;
    }
    return this.#foldedLists[field] ?? NO_TEXTS;
  }
}
