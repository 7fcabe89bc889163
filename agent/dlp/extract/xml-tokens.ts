/**
 * A streaming reader of XML: tags and text, in any pieces. It knows the five predefined entities and character numbers;
 * no entity that a document declares is ever expanded, nothing is ever fetched. What is not well-formed is passed on as
 * text rather than refused: this looks for data, it does not validate.
 */

export interface XmlHandler {
  /** `attributes`: the rest of the tag, see attribute(). */
  open(name: string, attributes: string, empty: boolean): void;
  close(name: string): void;
  text(text: string): void;
  /** Comments, declarations, processing instructions. */
  other(text: string): void;
  /** Nothing more comes. */
  end?(): void;
}

const PREDEFINED: Readonly<Record<string, string>> = {
  __proto__: null as never,
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
};
/** A longer tag is taken for text. */
const MAX_TAG = 1024 * 1024;
/** The longest reference that is looked for: `&#x0010ffff;`. */
const MAX_REFERENCE = 16;

/** The character of a number; '' for one that is none. */
export function characterOf(code: number): string {
  return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : '';
}

/** Text with its references replaced; unknown ones stay as they are. */
export function decodeReferences(text: string, named: Readonly<Record<string, string>> = PREDEFINED): string {
  if (!text.includes('&')) return text;
  return text.replace(
    /&(?:#(\d{1,8})|#[xX]([0-9a-fA-F]{1,7})|([A-Za-z][A-Za-z0-9]{0,31}));?/g,
    (all: string, decimal?: string, hex?: string, name?: string) => {
      if (decimal !== undefined) return characterOf(Number.parseInt(decimal, 10));
      if (hex !== undefined) return characterOf(Number.parseInt(hex, 16));
      return all.endsWith(';') || named !== PREDEFINED ? (named[name ?? ''] ?? all) : all;
    },
  );
}

/** Value of an attribute, by its name with any prefix or none. */
export function attribute(attributes: string, name: string): string | undefined {
  for (let at = attributes.indexOf(name); at >= 0; at = attributes.indexOf(name, at + name.length)) {
    const before = attributes.charCodeAt(at - 1);
    // A space, a line's end, a tab, a colon, or the start.
    if (at > 0 && before > 32 && before !== 58) continue;
    let next = at + name.length;
    while (attributes.charCodeAt(next) <= 32) next += 1;
    if (attributes.charCodeAt(next) !== 61) continue;
    next += 1;
    while (attributes.charCodeAt(next) <= 32) next += 1;
    const quote = attributes[next];
    if (quote !== '"' && quote !== "'") continue;
    const end = attributes.indexOf(quote, next + 1);
    return decodeReferences(attributes.slice(next + 1, end < 0 ? undefined : end));
  }
  return undefined;
}

/** All values of a tag's attributes. */
export function attributeValues(attributes: string): string[] {
  const values: string[] = [];
  for (const [, double, single] of attributes.matchAll(/=\s*(?:"([^"]*)"|'([^']*)')/g))
    values.push(decodeReferences(double ?? single ?? ''));
  return values;
}

/** A name without its prefix. */
export function localName(name: string): string {
  const colon = name.indexOf(':');
  return colon < 0 ? name : name.slice(colon + 1);
}

/** Where the tag that starts before `from` ends, quotes respected; -1 when it does not end here. */
function tagEnd(text: string, from: number): number {
  let end = text.indexOf('>', from);
  let quote = -1;
  let at = from;
  while (end >= 0) {
    for (; at < end; at += 1) {
      const code = text.charCodeAt(at);
      if (quote >= 0) {
        if (code === quote) quote = -1;
      } else if (code === 34 || code === 39) quote = code;
    }
    if (quote < 0) return end;
    end = text.indexOf('>', end + 1);
  }
  return -1;
}

/** Where a document type ends, with its internal subset. */
function doctypeEnd(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 91) depth += 1;
    else if (code === 93) depth -= 1;
    else if (code === 62 && depth <= 0) return at;
  }
  return -1;
}

export class XmlTokens {
  readonly #handler: XmlHandler;
  #rest = '';

  constructor(handler: XmlHandler) {
    this.#handler = handler;
  }

  write(piece: string): void {
    this.#rest = this.#read(this.#rest === '' ? piece : this.#rest + piece, false);
  }

  end(): void {
    this.#read(this.#rest, true);
    this.#rest = '';
  }

  /** Reads what is whole; returns what is not yet. */
  #read(text: string, last: boolean): string {
    let at = 0;
    while (at < text.length) {
      const open = text.indexOf('<', at);
      if (open !== at) {
        let end = open < 0 ? text.length : open;
        if (open < 0 && !last) {
          const reference = text.lastIndexOf('&');
          if (reference >= at && text.length - reference < MAX_REFERENCE) end = reference;
        }
        if (end > at) this.#handler.text(decodeReferences(text.slice(at, end)));
        if (open < 0) return text.slice(end);
        at = open;
      }
      const next = this.#markup(text, at);
      if (next < 0) {
        if (!last && text.length - at <= MAX_TAG) return text.slice(at);
        // No tag after all. All of it at once: looking again behind each `<` would take for ever.
        this.#handler.other(text.slice(at));
        return '';
      }
      at = next;
    }
    return '';
  }

  /** Reads the markup at `at`; returns where it ended, or -1 when more is needed. */
  #markup(text: string, at: number): number {
    const second = text.charCodeAt(at + 1);
    if (Number.isNaN(second)) return -1;
    if (second === 33) {
      const begin = text.slice(at, at + 9);
      if (begin.startsWith('<!--')) return this.#until(text, at + 4, '-->', false);
      if (begin === '<![CDATA[') return this.#until(text, at + 9, ']]>', true);
      if (begin.length < 9) return -1;
      const end = doctypeEnd(text, at + 2);
      if (end < 0) return -1;
      this.#handler.other(text.slice(at + 2, end));
      return end + 1;
    }
    if (second === 63) return this.#until(text, at + 2, '?>', false);
    const end = tagEnd(text, at + 1);
    if (end < 0) return -1;
    if (second === 47) {
      this.#handler.close(text.slice(at + 2, end).trim());
      return end + 1;
    }
    const empty = text.charCodeAt(end - 1) === 47;
    const stop = empty ? end - 1 : end;
    let name = at + 1;
    while (name < stop && text.charCodeAt(name) > 32) name += 1;
    this.#handler.open(text.slice(at + 1, name), text.slice(name, stop), empty);
    return end + 1;
  }

  #until(text: string, from: number, mark: string, isText: boolean): number {
    const end = text.indexOf(mark, from);
    if (end < 0) return -1;
    const content = text.slice(from, end);
    if (isText) this.#handler.text(content);
    else this.#handler.other(content);
    return end + mark.length;
  }
}
