/** RTF as text: control words, code pages, Unicode escapes; tables by cell and row; embedded objects are read too. */
import { TextWriter, type Extraction } from './extraction.ts';
import { bufferSource } from './source.ts';

/** Destinations that hold no text of the document. Their bytes are in the raw scan. */
const NO_TEXT: ReadonlySet<string> = new Set(
  'fonttbl colortbl stylesheet listtable listoverridetable rsidtbl generator pict themedata colorschememapping latentstyles datastore xmlnstbl wgrffmtfilter'.split(
    ' ',
  ),
);
const BREAKS: Readonly<Record<string, string>> = {
  __proto__: null as never,
  par: '\n',
  line: '\n',
  row: '\n',
  sect: '\n',
  page: '\n',
  tab: '\t',
  cell: '\t',
  nestcell: '\t',
  nestrow: '\n',
  emdash: '—',
  endash: '–',
  lquote: '‘',
  rquote: '’',
  ldblquote: '“',
  rdblquote: '”',
  bullet: '•',
};
/** Stand elsewhere than where they are written: told after the paragraph, so that they do not part or touch what is in it. */
const ASIDE: ReadonlySet<string> = new Set(
  'footnote annotation header headerl headerr headerf footer footerl footerr footerf'.split(' '),
);
const ENDS_PARAGRAPH: ReadonlySet<string> = new Set(['par', 'row', 'sect', 'page']);
const MAX_ASIDE = 65_536;
/** Groups inside groups; deeper ones are read as if they were this deep. */
const MAX_GROUPS = 1000;
const MAX_OBJECT_BYTES = 16 * 1024 * 1024;

interface Group {
  skip: boolean;
  object: boolean;
  aside: boolean;
  /** Characters that follow a Unicode escape for readers that do not know it. */
  fallback: number;
}

function codePage(number: number): string {
  if (number === 65001) return 'utf-8';
  if (number === 10000) return 'macintosh';
  if (number === 932) return 'shift_jis';
  if (number === 936) return 'gbk';
  if (number === 949) return 'euc-kr';
  if (number === 950) return 'big5';
  return number === 874 || (number >= 1250 && number <= 1258) ? `windows-${number}` : 'windows-1252';
}

class RtfReader {
  readonly #extraction: Extraction;
  readonly #writer: TextWriter;
  /** Bytes of objects, and how many there are. */
  #objects: Buffer = Buffer.alloc(0);
  #objectBytes = 0;
  #objectHex = '';
  #groups: Group[] = [];
  #group: Group = { skip: false, object: false, aside: false, fallback: 1 };
  #depthBeyond = 0;
  #decoder = new TextDecoder('windows-1252');
  #bytes: number[] = [];
  #toSkip = 0;
  #star = false;
  #aside = '';
  #rest = '';

  constructor(extraction: Extraction, writer: TextWriter) {
    this.#extraction = extraction;
    this.#writer = writer;
  }

  write(piece: string): void {
    const text = this.#rest + piece;
    // A control word that may go on in the next piece waits for it.
    const safe = text.length < 64 ? 0 : text.length - 64;
    const end = this.#read(text, safe);
    this.#rest = text.slice(end);
  }

  end(): Buffer {
    this.#read(this.#rest, this.#rest.length);
    this.#flushBytes();
    this.#endObject();
    this.#tellAside();
    this.#writer.end();
    return this.#objects.subarray(0, Math.min(this.#objectBytes, this.#objects.length));
  }

  #read(text: string, until: number): number {
    let at = 0;
    while (at < until) {
      const code = text.charCodeAt(at);
      if (code === 123) {
        this.#flushBytes();
        this.#open();
        at += 1;
      } else if (code === 125) {
        this.#flushBytes();
        this.#close();
        at += 1;
      } else if (code === 92) at = this.#control(text, at);
      else {
        let end = at + 1;
        while (end < until) {
          const next = text.charCodeAt(end);
          if (next === 92 || next === 123 || next === 125) break;
          end += 1;
        }
        this.#plain(text.slice(at, end));
        at = end;
      }
    }
    return at;
  }

  #open(): void {
    if (this.#groups.length >= MAX_GROUPS) {
      this.#depthBeyond += 1;
      return;
    }
    this.#groups.push(this.#group);
    this.#group = { ...this.#group };
    this.#star = false;
  }

  #close(): void {
    if (this.#depthBeyond > 0) {
      this.#depthBeyond -= 1;
      return;
    }
    if (this.#group.object) this.#endObject();
    this.#group = this.#groups.pop() ?? { skip: false, object: false, aside: false, fallback: 1 };
  }

  #control(text: string, at: number): number {
    const next = text[at + 1] ?? '';
    if (next === "'") {
      const value = Number.parseInt(text.slice(at + 2, at + 4), 16);
      if (this.#toSkip > 0) this.#toSkip -= 1;
      else if (!this.#group.skip && Number.isFinite(value)) this.#bytes.push(value);
      if (this.#bytes.length > 4096) this.#flushBytes();
      return at + 4;
    }
    const word = /^([a-zA-Z]{1,32})(-?\d{1,10})? ?/.exec(text.slice(at + 1, at + 48));
    if (!word) {
      this.#flushBytes();
      if (next === '*') this.#star = true;
      else if (next === '~') this.#show(' ');
      else if (next === '_') this.#show('-');
      else if (next === '\n' || next === '\r') this.#show('\n');
      else if (next === '\\' || next === '{' || next === '}') this.#plain(next);
      return at + 2;
    }
    const [whole, name = '', parameter] = word;
    if (name !== 'u') this.#flushBytes();
    this.#word(name, parameter === undefined ? undefined : Number(parameter));
    return at + 1 + whole.length;
  }

  #word(name: string, parameter: number | undefined): void {
    const shown = BREAKS[name];
    if (shown !== undefined) {
      this.#show(shown);
      if (!this.#group.aside && ENDS_PARAGRAPH.has(name)) this.#tellAside();
    } else if (name === 'u' && parameter !== undefined) {
      this.#flushBytes();
      this.#show(String.fromCharCode(parameter & 0xffff));
      this.#toSkip = this.#group.fallback;
    } else if (name === 'uc') this.#group.fallback = Math.min(Math.max(parameter ?? 1, 0), 16);
    else if (name === 'ansicpg') this.#decoder = new TextDecoder(codePage(parameter ?? 1252));
    else if (name === 'mac') this.#decoder = new TextDecoder('macintosh');
    else if (name === 'objdata') this.#group.object = true;
    else if (name === 'bin')
      this.#extraction.problem('unsupported', 'binary data inside RTF: only scanned raw', '');
    else if (NO_TEXT.has(name)) this.#group.skip = true;
    else if (ASIDE.has(name) || (this.#star && name !== 'shpinst')) {
      // Also an optional destination nobody here knows.
      this.#group.aside = true;
      this.#show('\n');
    }
    this.#star = false;
  }

  #plain(text: string): void {
    this.#flushBytes();
    let shown = text.replace(/[\r\n]/g, '');
    if (this.#toSkip > 0) {
      const skipped = Math.min(this.#toSkip, shown.length);
      this.#toSkip -= skipped;
      shown = shown.slice(skipped);
    }
    if (this.#group.object) this.#objectText(shown);
    else this.#show(shown);
  }

  #show(text: string): void {
    if (this.#group.skip || this.#group.object || text === '') return;
    if (!this.#group.aside) {
      this.#writer.add(text);
      return;
    }
    this.#aside += text;
    if (this.#aside.length > MAX_ASIDE) this.#tellAside();
  }

  #tellAside(): void {
    if (this.#aside === '') return;
    this.#writer.add(`\n${this.#aside}\n`);
    this.#aside = '';
  }

  #flushBytes(): void {
    if (this.#bytes.length === 0) return;
    const text = this.#decoder.decode(Uint8Array.from(this.#bytes));
    this.#bytes = [];
    this.#show(text);
  }

  #objectText(text: string): void {
    const hex = (this.#objectHex + text).replace(/[^0-9a-fA-F]/g, '');
    const even = hex.length - (hex.length % 2);
    const bytes = Buffer.from(hex.slice(0, even), 'hex');
    this.#objectHex = hex.slice(even);
    if (this.#objectBytes > MAX_OBJECT_BYTES) return;
    const end = this.#objectBytes + bytes.length;
    if (end > MAX_OBJECT_BYTES)
      this.#extraction.problem('too_large', 'objects inside RTF are too large to be held', '');
    else if (end > this.#objects.length) {
      const larger = Buffer.allocUnsafe(
        Math.min(Math.max(end, this.#objects.length * 2, 4096), MAX_OBJECT_BYTES),
      );
      this.#objects.copy(larger, 0, 0, this.#objectBytes);
      this.#objects = larger;
    }
    bytes.copy(this.#objects, this.#objectBytes);
    this.#objectBytes = end;
  }

  #endObject(): void {
    this.#objectHex = '';
  }
}

const MAGICS = ['PK\x03\x04', '%PDF-', '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', '{\\rtf', '\x1f\x8b\x08'];

/** Reads an RTF document. */
export async function readRtf(
  extraction: Extraction,
  bytes: AsyncIterable<Buffer> | Iterable<Buffer>,
  path: string,
  depth: number,
): Promise<void> {
  const reader = new RtfReader(extraction, new TextWriter(extraction, path));
  let whole: Buffer = Buffer.alloc(0);
  try {
    for await (const piece of bytes) {
      extraction.tick(piece.length);
      reader.write(piece.toString('latin1'));
    }
  } finally {
    whole = reader.end();
  }
  if (whole.length === 0) return;
  extraction.spend(whole.length);
  const at = MAGICS.map((magic) => whole.indexOf(magic, 0, 'latin1')).filter((place) => place >= 0);
  const start = at.length > 0 ? Math.min(...at) : 0;
  extraction.member();
  await extraction.visit(
    extraction,
    bufferSource(whole.subarray(start)),
    `${path}${path ? '!/' : ''}object`,
    depth + 1,
  );
}
