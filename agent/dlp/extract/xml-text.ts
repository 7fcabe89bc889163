/** Text out of XML: paragraphs, tables and runs of office documents, or everything that any other XML holds. */
import { TextDecoder } from 'node:util';
import { TextWriter, type Extraction } from './extraction.ts';
import { attribute, attributeValues, localName, XmlTokens, type XmlHandler } from './xml-tokens.ts';

/** Turns the bytes of a document into text by its mark, its declaration or UTF-8. */
export function textDecoder(start: Buffer, declared?: string): TextDecoder {
  let label = declared ?? 'utf-8';
  if (start[0] === 0xff && start[1] === 0xfe) label = 'utf-16le';
  else if (start[0] === 0xfe && start[1] === 0xff) label = 'utf-16be';
  else if (start[0] === 0x3c && start[1] === 0) label = 'utf-16le';
  else if (start[0] === 0 && start[1] === 0x3c) label = 'utf-16be';
  try {
    return new TextDecoder(label);
  } catch {
    return new TextDecoder('latin1');
  }
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
  let decoder: TextDecoder | undefined;
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

const SPACE_BETWEEN = /^\s*\n\s*$/;

/** Of one paragraph. */
const MAX_DELETED = 64 * 1024;

/** Attributes that hold text. */
const TOLD = /descr|title|instr|href|author/;

/** Word processing, presentations, OpenDocument: runs join, paragraphs and cells part. */
export class DocumentText implements XmlHandler {
  readonly #writer: TextWriter;
  #cells = 0;
  #cellStart = false;
  /** Deleted text that is kept as a change: told after its paragraph, so that what is shown stays together. */
  #deleted = '';
  #deleting = false;
  /** Value of a cell that may show no text. */
  #value: string | undefined;

  constructor(writer: TextWriter) {
    this.#writer = writer;
  }

  open(name: string, attributes: string, empty: boolean): void {
    const local = localName(name);
    switch (local) {
      case 'tab':
      case 'ptab':
        this.#writer.add('\t');
        break;
      case 'br':
      case 'cr':
      case 'line-break':
        this.#writer.add('\n');
        break;
      case 's':
        if (name !== 's') this.#writer.add(' '.repeat(Math.min(Number(attribute(attributes, 'c')) || 1, 64)));
        break;
      case 'delText':
      case 'delInstrText':
        this.#deleting = !empty;
        break;
      case 'noBreakHyphen':
        this.#writer.add('-');
        break;
      case 'tc':
      case 'table-cell':
        this.#cells += 1;
        this.#cellStart = true;
        this.#value =
          local === 'tc'
            ? undefined
            : (attribute(attributes, 'date-value') ??
              attribute(attributes, 'string-value') ??
              attribute(attributes, 'value'));
        break;
      default:
        if (TOLD.test(attributes))
          for (const key of ['descr', 'title', 'instr', 'href', 'author']) {
            const value = attribute(attributes, key);
            if (value !== undefined) this.#writer.add(` ${value} `);
          }
    }
    if (empty) this.close(name);
  }

  close(name: string): void {
    switch (localName(name)) {
      case 'delText':
      case 'delInstrText':
        this.#deleting = false;
        break;
      case 'p':
      case 'h':
        this.#writer.add(this.#cells > 0 ? ' ' : '\n');
        if (this.#deleted !== '') this.#writer.add(`${this.#deleted}\n`);
        this.#deleted = '';
        break;
      case 'tc':
      case 'table-cell':
        if (this.#cellStart && this.#value !== undefined) this.#writer.add(this.#value);
        this.#value = undefined;
        if (this.#cells > 0) this.#cells -= 1;
        this.#writer.add('\t');
        break;
      case 'tr':
      case 'table-row':
      case 'si':
      case 'sld':
        this.#writer.add('\n');
        break;
      default:
    }
  }

  text(text: string): void {
    if (SPACE_BETWEEN.test(text)) return;
    this.#cellStart = false;
    if (!this.#deleting) this.#writer.add(text);
    else if (this.#deleted.length < MAX_DELETED) this.#deleted += text;
    else this.#writer.add(`\n${text}\n`);
  }

  other(text: string): void {
    if (text.length > 8 && !text.startsWith('xml ')) this.#writer.add(`\n${text}\n`);
  }
}

/** Any XML: text, values of attributes, comments and declarations, each apart. */
export class AnyText implements XmlHandler {
  readonly #writer: TextWriter;
  #fresh = true;

  constructor(writer: TextWriter) {
    this.#writer = writer;
  }

  open(_name: string, attributes: string): void {
    this.#part();
    if (!attributes.includes('=')) return;
    for (const value of attributeValues(attributes)) this.#line(value);
  }

  close(): void {
    this.#part();
  }

  text(text: string): void {
    if (SPACE_BETWEEN.test(text)) return;
    this.#writer.add(text);
    this.#fresh = false;
  }

  other(text: string): void {
    this.#part();
    this.#line(text);
  }

  #line(text: string): void {
    if (text !== '') this.#writer.add(`${text}\n`);
  }

  #part(): void {
    if (this.#fresh) return;
    this.#writer.add('\n');
    this.#fresh = true;
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
  const handler = new ByRoot((root) =>
    root === 'document' || root === 'wordDocument' ? new DocumentText(writer) : new AnyText(writer),
  );
  try {
    await readXml(extraction, bytes, handler);
  } finally {
    writer.add(handler.rest());
    writer.end();
  }
}
