/** Text out of XML of any kind: everything that it holds. */
import { charsetDecoder, type CharsetDecoder } from './charset.ts';
import { DocumentText } from './document-text.ts';
import { TextWriter, type Extraction } from './extraction.ts';
import { attribute, attributeValues, localName, XmlTokens, type XmlHandler } from './xml-tokens.ts';

/** Turns the bytes of a document into text by its mark, its declaration or UTF-8. */
export function textDecoder(start: Buffer, declared?: string): CharsetDecoder {
  let label = declared ?? 'utf-8';
  if (start[0] === 0xff && start[1] === 0xfe) label = 'utf-16le';
  else if (start[0] === 0xfe && start[1] === 0xff) label = 'utf-16be';
  else if (start[0] === 0x3c && start[1] === 0) label = 'utf-16le';
  else if (start[0] === 0 && start[1] === 0x3c) label = 'utf-16be';
  return charsetDecoder(label);
}

function declaredEncoding(start: Buffer): string | undefined {
  return /^[^>]{0,200}\sencoding\s*=\s*["']([\w.:-]{1,40})["']/.exec(start.toString('latin1', 0, 256))?.[1];
}

/** Reads a stream of XML with a handler; what was read before a failure has reached it. */
export async function readXml(
  extraction: Extraction,
  bytes: AsyncIterable<Buffer> | Iterable<Buffer>,
  handler: XmlHandler,
): Promise<void> {
  const tokens = new XmlTokens(handler);
  let decoder: CharsetDecoder | undefined;
  try {
    for await (const piece of bytes) {
      extraction.tick(piece.length);
      decoder ??= textDecoder(piece, declaredEncoding(piece));
      tokens.write(decoder.decode(piece, { stream: true }));
    }
  } finally {
    tokens.write(decoder?.decode() ?? '');
    tokens.end();
  }
}

const NONE: ReadonlySet<string> = new Set();
/** Of drawings: parts of a line that only look different. */
const SVG_JOINS: ReadonlySet<string> = new Set(['tspan', 'textPath', 'tref']);

const SPACE_BETWEEN = /^\s*\n\s*$/;

/** Two signs that would be one word if no element stood between them. */
const GLUED = /^\S\S$/;
/** Of a text that is held to be told joined. */
const MAX_JOINED = 64 * 1024;

/**
 * Any XML: text, values of attributes, comments and declarations, each apart. Whether an element parts what it stands
 * between cannot be known, so a text with elements inside is told both ways: in parts, and joined.
 */
export class AnyText implements XmlHandler {
  readonly #writer: TextWriter;
  readonly #joins: ReadonlySet<string>;
  /** Attributes of elements that join, told when a part ends. */
  #aside = '';
  #fresh = true;
  /** Text of an element with that of the elements inside it, and whether it differs from its parts. */
  #joined = '';
  #differs = false;
  #last: 'text' | 'open' | 'close' = 'open';

  /** `joins`: elements that never part what they stand between, unless they begin at a place of their own. */
  constructor(writer: TextWriter, joins: ReadonlySet<string> = NONE) {
    this.#writer = writer;
    this.#joins = joins;
  }

  open(name: string, attributes: string): void {
    if (
      this.#joins.size > 0 &&
      this.#joins.has(localName(name)) &&
      attribute(attributes, 'x') === undefined
    ) {
      if (this.#aside.length < MAX_JOINED)
        for (const value of attributeValues(attributes)) this.#aside += `${value}\n`;
      return;
    }
    if (this.#last !== 'text') this.#endJoined();
    this.#last = 'open';
    this.#part();
    if (!attributes.includes('=')) return;
    for (const value of attributeValues(attributes)) this.#line(value);
  }

  close(name: string): void {
    if (this.#joins.has(localName(name))) return;
    if (this.#last === 'close') this.#endJoined();
    this.#last = 'close';
    this.#part();
  }

  text(text: string): void {
    if (SPACE_BETWEEN.test(text)) return;
    if (this.#last !== 'text' && GLUED.test(this.#joined.slice(-1) + text.charAt(0))) this.#differs = true;
    this.#last = 'text';
    if (this.#joined.length < MAX_JOINED) this.#joined += text;
    this.#writer.add(text);
    this.#fresh = false;
  }

  other(text: string): void {
    this.#part();
    this.#line(text);
  }

  end(): void {
    this.#endJoined();
    if (this.#aside !== '') this.#part();
  }

  #line(text: string): void {
    if (text !== '') this.#writer.add(`${text}\n`);
  }

  #endJoined(): void {
    if (this.#differs) {
      this.#part();
      this.#writer.add(`${this.#joined}\n`);
    }
    this.#joined = '';
    this.#differs = false;
  }

  #part(): void {
    if (!this.#fresh) this.#writer.add('\n');
    this.#fresh = true;
    if (this.#aside !== '') this.#writer.add(this.#aside);
    this.#aside = '';
  }
}

/** Passes on to a handler that is chosen by the name of the first element. */
export class ByRoot implements XmlHandler {
  readonly #choose: (root: string) => XmlHandler;
  #handler: XmlHandler | undefined;
  #before = '';

  constructor(choose: (root: string) => XmlHandler) {
    this.#choose = choose;
  }

  open(name: string, attributes: string, empty: boolean): void {
    if (!this.#handler) {
      this.#handler = this.#choose(localName(name));
      if (this.#before !== '') this.#handler.other(this.#before);
    }
    this.#handler.open(name, attributes, empty);
  }

  close(name: string): void {
    this.#handler?.close(name);
  }

  text(text: string): void {
    if (this.#handler) this.#handler.text(text);
    else this.#before += text;
  }

  other(text: string): void {
    if (this.#handler) this.#handler.other(text);
    else if (!text.startsWith('xml ')) this.#before += text;
  }

  end(): void {
    this.#handler?.end?.();
  }

  /** Of a text without any element. */
  rest(): string {
    return this.#handler ? '' : this.#before;
  }
}

/** An XML document of no office format. */
export async function readAnyXml(
  extraction: Extraction,
  bytes: AsyncIterable<Buffer> | Iterable<Buffer>,
  path: string,
): Promise<void> {
  const writer = new TextWriter(extraction, path);
  const handler = new ByRoot((root) => {
    if (root === 'document' || root === 'wordDocument') return new DocumentText(writer);
    return new AnyText(writer, root === 'svg' ? SVG_JOINS : NONE);
  });
  try {
    await readXml(extraction, bytes, handler);
  } finally {
    handler.end();
    writer.add(handler.rest());
    writer.end();
  }
}
