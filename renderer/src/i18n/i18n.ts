/**
 * All text of the console goes through `t`. English is the source; every other table must have the same keys (the
 * compiler checks). Plurals: a key ending in `.one` or `.other`, chosen by `tn`. Placeholders: {name}.
 */
import { en } from './en.ts';
import { es } from './es.ts';

export type MessageKey = keyof typeof en;
export type Messages = Record<MessageKey, string>;
type PluralBase<K> = K extends `${infer Base}.other` ? Base : never;
export type PluralKey = PluralBase<MessageKey>;
type Params = Record<string, string | number>;

export const LOCALES = ['en', 'es'] as const;
export type Locale = (typeof LOCALES)[number];

const TABLES: Record<Locale, Messages> = { en, es };

let current: Locale = 'en';
let table: Messages = en;
let plural = new Intl.PluralRules('en');

export function setLocale(locale: Locale): void {
  current = locale;
  table = TABLES[locale];
  plural = new Intl.PluralRules(locale);
}

export function locale(): Locale {
  return current;
}

/** The first language the reader prefers that there is a table for. */
export function preferredLocale(languages: readonly string[]): Locale {
  for (const language of languages) {
    const base = language.slice(0, 2).toLowerCase();
    const found = LOCALES.find((candidate) => candidate === base);
    if (found) return found;
  }
  return 'en';
}

function fill(text: string, params: Params | undefined): string {
  if (!params) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    return value === undefined ? whole : String(value);
  });
}

export function t(key: MessageKey, params?: Params): string {
  return fill(table[key], params);
}

/** Message for a count; `{n}` is the count with separators unless params say otherwise. */
export function tn(base: PluralKey, count: number, params?: Params): string {
  const one = `${base}.one`;
  const key = plural.select(count) === 'one' && one in table ? one : `${base}.other`;
  return fill(table[key as MessageKey], { n: new Intl.NumberFormat(current).format(count), ...params });
}

/** Looks up a key made at run time (verbs, causes), or says it does not exist. */
export function tryMessage(key: string): string | undefined {
  return Object.hasOwn(table, key) ? table[key as MessageKey] : undefined;
}
