/**
 * Address cards, calendars and LDIF as they are meant: lines that a program folded are whole again, quoted-printable
 * and base64 values decoded (RFC 6350, RFC 5545, vCard 2.1, RFC 2849). Larger values in base64 are files of their own.
 */
import { isUtf8 } from 'node:buffer';
import { ByteReader } from './byte-reader.ts';
import { inside, TextWriter, type Extraction } from './extraction.ts';
import { decodeCharset, decodeQuotedPrintable } from './mail-words.ts';

const MAX_LINE = 64 * 1024;
/** Of one line with all that was folded. */
const MAX_VALUE_BYTES = 16 * 1024 * 1024;

const CONTROL = /[\0-\x08\x0E-\x1F]/;

interface Line {
  text: string;
  /** How the value is written. */
  encoding: 'quoted-printable' | 'base64' | 'plain';
  charset: string;
  colon: number;
}

/** What stands before the value, and how the value is written. Text is Latin-1, a byte per character. */
function parsed(text: string, ldif: boolean): Line {
  const colon = colonOf(text);
  const head = text.slice(0, Math.max(colon, 0)).slice(0, 1024);
  let encoding: Line['encoding'] = 'plain';
  if (ldif) {
    if (text[colon + 1] === ':') encoding = 'base64';
  } else if (/;(?:encoding=)?"?quoted-printable/i.test(head)) encoding = 'quoted-printable';
  else if (/;(?:encoding="?(?:b|base64)"?|base64)(?:;|$)/i.test(head)) encoding = 'base64';
  return {
    text,
    encoding,
    charset: /;charset="?([\w.:-]{1,40})/i.exec(head)?.[1] ?? 'utf-8',
    colon: colon + (ldif && encoding === 'base64' ? 1 : 0),
  };
}

/** The first colon outside quotes: parameters may hold one. */
function colonOf(text: string): number {
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 34) quoted = !quoted;
    else if (code === 58 && !quoted) return at;
  }
  return text.indexOf(':');
}

/** Text of bytes: UTF-8 where they are that, else by the name of the charset. */
function asText(bytes: Buffer, charset: string): string {
  return decodeCharset(bytes, /^utf-?8$/i.test(charset) && !isUtf8(bytes) ? 'latin1' : charset);
}

class FoldedText {
  readonly #extraction: Extraction;
  readonly #path: string;
  readonly #writer: TextWriter;
  readonly #ldif: boolean;
  /** Values that are files, read when the text has ended: one member is open at a time. */
  readonly files: { name: string; bytes: Buffer }[] = [];
  #held = 0;

  constructor(extraction: Extraction, path: string, ldif: boolean) {
    this.#extraction = extraction;
    this.#path = path;
    this.#writer = new TextWriter(extraction, path);
    this.#ldif = ldif;
  }

  /** One whole line, as Latin-1. */
  add(text: string): void {
    const line = parsed(text, this.#ldif);
    const head = text.slice(0, line.colon + 1);
    const value = text.slice(line.colon + 1);
    if (line.encoding === 'base64') this.#binary(head, Buffer.from(value, 'base64'));
    else if (line.encoding === 'quoted-printable')
      this.#told(`${head}${asText(decodeQuotedPrintable(value, false), line.charset)}`);
    else this.#told(asText(Buffer.from(text, 'latin1'), line.charset));
  }

  end(): void {
    this.#writer.end();
  }

  #told(text: string): void {
    this.#writer.add(
      `${text.replace(/\\([nN,;:\\"])/g, (_all, sign: string) => (/n/i.test(sign) ? '\n' : sign))}\n`,
    );
  }

  #binary(head: string, bytes: Buffer): void {
    const text = bytes.length <= MAX_LINE && isUtf8(bytes) ? bytes.toString('utf8') : undefined;
    if (text !== undefined && !CONTROL.test(text)) {
      this.#writer.add(`${head}${text}\n`);
      return;
    }
    this.#held += bytes.length;
    if (this.#held > MAX_VALUE_BYTES)
      this.#extraction.problem(
        'too_large',
        'files written into its text are too large to be held',
        this.#path,
      );
    else this.files.push({ name: /^[\w-]{1,40}/.exec(head)?.[0] ?? 'value', bytes });
  }
}

/** Reads cards, calendars and LDIF. */
export async function readFolded(
  extraction: Extraction,
  bytes: AsyncIterable<Buffer> | Iterable<Buffer>,
  path: string,
  depth: number,
): Promise<void> {
  const reader = new ByteReader(bytes);
  let handler: FoldedText | undefined;
  let pieces: string[] = [];
  let length = 0;
  /** A line of quoted-printable that ends in `=` goes on in the next, whatever that begins with. */
  let soft = false;
  let printable = false;
  const finish = (): void => {
    if (pieces.length > 0) handler?.add(pieces.join(''));
    pieces = [];
    length = 0;
    soft = false;
    printable = false;
  };
  try {
    for (let line = await reader.line(MAX_LINE); line; line = await reader.line(MAX_LINE)) {
      extraction.tick(line.length);
      let text = line.toString('latin1').replace(/\r?\n$/, '');
      handler ??= new FoldedText(extraction, path, !/^(?:\xEF\xBB\xBF)?begin:/i.test(text));
      if (!soft) {
        const folded = /^[ \t]/.test(text);
        // An empty line is left out, as card programs write it behind base64.
        if (folded && pieces.length > 0) text = text.slice(1);
        else finish();
        if (pieces.length === 0) printable = /^[^:]{0,1024};(?:encoding=)?"?quoted-printable/i.test(text);
      }
      soft = printable && text.endsWith('=');
      const kept = soft ? text.slice(0, -1) : text;
      length += kept.length;
      if (length > MAX_VALUE_BYTES) {
        extraction.problem('too_large', 'a line of it is too long to be held', path);
        finish();
      }
      pieces.push(kept);
    }
    finish();
  } finally {
    handler?.end();
  }
  for (const file of handler?.files ?? []) {
    extraction.member();
    extraction.spend(file.bytes.length);
    await extraction.visitStream(extraction, [file.bytes], inside(path, file.name), depth + 1);
  }
}
