/** Mail as it is stored: headers, MIME parts in any nesting, their encodings and charsets; attachments are read as files. */
import { ByteReader } from './byte-reader.ts';
import { charsetDecoder } from './charset.ts';
import { ExtractError, inside, TextWriter, type Extraction } from './extraction.ts';
import { readHtml } from './html.ts';
import { mailText, type TextFile } from './mail-text.ts';
import { decodeQuotedPrintable, decodeWords, parseHeaderValue, type HeaderValue } from './mail-words.ts';

/** A longer line is read in pieces. */
const MAX_LINE = 64 * 1024;
const MAX_HEADER_BYTES = 1024 * 1024;
/** Multiparts inside multiparts; messages inside messages count as containers too. */
const MAX_NESTING = 64;
const PIECE = 32 * 1024;

/** Lines of a message, with the boundaries that end what is being read. */
class Lines {
  readonly #extraction: Extraction;
  readonly #reader: ByteReader;
  /** Each as it parts and as it ends what it parts. */
  #boundaries: { mark: string; last: string }[] = [];
  /** Whether messages follow each other, parted by lines `From …`. */
  readonly #mailbox: boolean;
  #continued = false;
  #held: Buffer | undefined;
  /** The line that ended the last part. */
  stop: { level: number; closing: boolean } | undefined;

  constructor(extraction: Extraction, reader: ByteReader, mailbox: boolean) {
    this.#extraction = extraction;
    this.#reader = reader;
    this.#mailbox = mailbox;
  }

  get level(): number {
    return this.#boundaries.length;
  }

  push(boundary: string): void {
    this.#boundaries.push({ mark: `--${boundary}`, last: `--${boundary}--` });
    this.stop = undefined;
  }

  pop(): void {
    this.#boundaries.pop();
  }

  /** The next line of the part, its end included; undefined at a boundary (see stop) or at the end. */
  async next(): Promise<Buffer | undefined> {
    if (this.stop) return undefined;
    const line = this.#held ?? (await this.#reader.line(MAX_LINE));
    this.#held = undefined;
    if (!line) return undefined;
    this.#extraction.tick(line.length);
    const begins = !this.#continued;
    this.#continued = line.at(-1) !== 10;
    if (!begins) return line;
    if (line[0] === 45 && line[1] === 45) {
      const text = line.toString('latin1').trimEnd();
      for (let level = this.#boundaries.length - 1; level >= 0; level -= 1) {
        const boundary = this.#boundaries[level];
        if (!boundary || (text !== boundary.mark && text !== boundary.last)) continue;
        this.stop = { level, closing: text !== boundary.mark };
        return undefined;
      }
    } else if (this.#mailbox && line[0] === 70 && line.toString('latin1', 0, 5) === 'From ') {
      this.stop = { level: -1, closing: true };
      return undefined;
    }
    return line;
  }

  /** After an end by a line `From …`: begins the next message. */
  again(): boolean {
    if (this.stop?.level !== -1) return false;
    this.stop = undefined;
    this.#boundaries = [];
    return true;
  }
}

interface Part {
  type: HeaderValue;
  encoding: string;
  name: string | undefined;
}

/** Reads headers up to the empty line, and hands them over as text. */
async function readHeaders(extraction: Extraction, lines: Lines, path: string): Promise<Part> {
  const headers = new Map<string, string>();
  const writer = new TextWriter(extraction, path);
  let current = '';
  let size = 0;
  const finish = (): void => {
    const colon = current.indexOf(':');
    if (colon > 0) {
      const name = current.slice(0, colon).trim().toLowerCase();
      const value = current.slice(colon + 1).trim();
      if (!headers.has(name)) headers.set(name, value);
    }
    if (current !== '') writer.add(`${decodeWords(current)}\n`);
    current = '';
  };
  for (let line = await lines.next(); line; line = await lines.next()) {
    // UTF-8 in headers is allowed by now (RFC 6532).
    const text = line.toString('utf8').replace(/\r?\n$/, '');
    if (text === '') break;
    size += line.length;
    if (size > MAX_HEADER_BYTES)
      throw new ExtractError('malformed', 'the headers of the message are too long');
    if (/^[ \t]/.test(text) && current !== '') current += text;
    else {
      finish();
      current = text;
    }
  }
  finish();
  const type = parseHeaderValue(headers.get('content-type') ?? 'text/plain');
  const disposition = parseHeaderValue(headers.get('content-disposition') ?? '');
  const name = disposition.parameters.get('filename') ?? type.parameters.get('name');
  // A name that is cut into numbered pieces is text that shows only when they are joined.
  for (const value of [...type.parameters.values(), ...disposition.parameters.values()])
    if (value.length > 8) writer.add(`${value}\n`);
  writer.end();
  return {
    type,
    encoding: parseHeaderValue(headers.get('content-transfer-encoding') ?? '').value,
    name: name === undefined ? undefined : decodeWords(name),
  };
}

/** The decoded bytes of the part that is being read. */
async function* body(extraction: Extraction, lines: Lines, encoding: string): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  let length = 0;
  let rest = '';
  /** End of the line before, which belongs to the boundary if one follows. */
  let lineEnd: Buffer | undefined;
  const take = (): Buffer => {
    const joined = Buffer.concat(pieces);
    extraction.spend(joined.length);
    pieces = [];
    length = 0;
    return joined;
  };
  const add = (bytes: Buffer): void => {
    pieces.push(bytes);
    length += bytes.length;
  };
  for (let line = await lines.next(); line; line = await lines.next()) {
    if (encoding === 'base64') {
      const text = rest + line.toString('latin1').replace(/[^A-Za-z0-9+/]/g, '');
      const whole = text.length - (text.length % 4);
      add(Buffer.from(text.slice(0, whole), 'base64'));
      rest = text.slice(whole);
    } else if (encoding === 'quoted-printable') {
      if (lineEnd) add(lineEnd);
      lineEnd = undefined;
      const text = line.toString('latin1');
      const bare = text.replace(/[ \t]*\r?\n$/, '');
      const soft = bare.endsWith('=') && text.length > bare.length;
      add(decodeQuotedPrintable(soft ? bare.slice(0, -1) : bare, false));
      if (!soft && text.endsWith('\n')) lineEnd = Buffer.from('\n');
    } else {
      if (lineEnd) add(lineEnd);
      const end = line.at(-1) === 10 ? (line.at(-2) === 13 ? 2 : 1) : 0;
      lineEnd = end > 0 ? line.subarray(line.length - end) : undefined;
      add(line.subarray(0, line.length - end));
    }
    if (length >= PIECE) yield take();
  }
  if (rest !== '') add(Buffer.from(rest, 'base64'));
  if (length > 0) yield take();
}

/** Files in uuencode are found in any text. */
const ENCODINGS: ReadonlySet<string> = new Set(
  ' 7bit 8bit binary base64 quoted-printable x-uuencode uuencode x-uue uue'.split(' '),
);
const SINGLE_BYTE_AND_UTF8 = /^(?:utf-?8|us-ascii|ascii|)$/i;

/** A part of text, as UTF-8. */
async function readText(
  extraction: Extraction,
  bytes: AsyncIterable<Buffer>,
  charset: string,
  path: string,
): Promise<void> {
  if (SINGLE_BYTE_AND_UTF8.test(charset)) {
    try {
      for await (const piece of bytes) extraction.emit(path, piece, false);
    } finally {
      extraction.emit(path, Buffer.alloc(0), true);
    }
    return;
  }
  const decoder = charsetDecoder(charset);
  const writer = new TextWriter(extraction, path);
  try {
    for await (const piece of bytes) writer.add(decoder.decode(piece, { stream: true }));
  } finally {
    writer.add(decoder.decode());
    writer.end();
  }
}

async function readPart(
  extraction: Extraction,
  lines: Lines,
  path: string,
  depth: number,
  nesting: number,
): Promise<void> {
  const part = await readHeaders(extraction, lines, path);
  const boundary = part.type.value.startsWith('multipart/')
    ? part.type.parameters.get('boundary')
    : undefined;
  if (boundary !== undefined && boundary !== '' && nesting < MAX_NESTING) {
    await readMultipart(extraction, lines, boundary, path, depth, nesting);
    return;
  }
  if (boundary !== undefined && nesting >= MAX_NESTING)
    extraction.problem('depth', `more than ${MAX_NESTING} parts inside each other`, path);
  extraction.member();
  const { value, parameters } = part.type;
  const files: TextFile[] = [];
  const decoded = body(extraction, lines, part.encoding);
  const bytes =
    value === 'text/plain' && part.name === undefined
      ? mailText(
          extraction,
          decoded,
          {
            flowed: parameters.get('format')?.toLowerCase() === 'flowed',
            deleteSpace: parameters.get('delsp')?.toLowerCase() === 'yes',
            path,
          },
          files,
        )
      : decoded;
  if (!ENCODINGS.has(part.encoding))
    extraction.problem('unsupported', 'a part is encoded in a way nobody here reads', path);
  const charset = (parameters.get('charset') ?? '').trim();
  if (
    value === 'application/pkcs7-mime' ||
    value === 'application/x-pkcs7-mime' ||
    value === 'multipart/encrypted'
  )
    extraction.problem('encrypted', 'it is encrypted or sealed (S/MIME)', path);
  const name = part.name ?? (value === 'message/rfc822' ? 'message' : undefined);
  if (name === undefined && value === 'text/html')
    await readHtml(extraction, bytes, path, charset || undefined);
  else {
    const member = inside(path, name ?? value.replace('/', '-'));
    if (value.startsWith('text/') && !SINGLE_BYTE_AND_UTF8.test(charset) && value !== 'text/html')
      await readText(extraction, bytes, charset, member);
    else await extraction.visitStream(extraction, bytes, member, depth + 1);
  }
  for (const file of files) {
    extraction.member();
    await extraction.visitStream(extraction, [file.bytes], inside(path, file.name), depth + 1);
  }
  // What a reader left, so that the next part begins where it should.
  while (await lines.next());
}

async function readMultipart(
  extraction: Extraction,
  lines: Lines,
  boundary: string,
  path: string,
  depth: number,
  nesting: number,
): Promise<void> {
  lines.push(boundary);
  const { level } = lines;
  // The preamble: nobody shows it, it is text all the same.
  await readText(extraction, body(extraction, lines, ''), '', path);
  let closed = false;
  while (lines.stop && lines.stop.level >= level - 1 && !closed) {
    closed = lines.stop.closing;
    lines.stop = undefined;
    if (closed) break;
    try {
      await readPart(extraction, lines, path, depth, nesting + 1);
    } catch (error) {
      extraction.failed(error, path);
      while (await lines.next());
    }
  }
  lines.pop();
  if (!closed) {
    if (!lines.stop) extraction.problem('malformed', 'the message ends before its last part does', path);
    return;
  }
  await readText(extraction, body(extraction, lines, ''), '', path);
}

/** Reads a message, or a mailbox of them. */
export async function readMail(
  extraction: Extraction,
  bytes: AsyncIterable<Buffer> | Iterable<Buffer>,
  path: string,
  depth: number,
): Promise<void> {
  const reader = new ByteReader(bytes);
  const first = await reader.line(MAX_LINE);
  if (!first) return;
  const mailbox = first.toString('latin1', 0, 5) === 'From ';
  async function* all(): AsyncGenerator<Buffer> {
    if (!mailbox && first) yield first;
    for (let piece = await reader.some(PIECE); piece; piece = await reader.some(PIECE)) yield piece;
  }
  const lines = new Lines(extraction, new ByteReader(all()), mailbox);
  do {
    await readPart(extraction, lines, path, depth, 0);
  } while (lines.again());
}
