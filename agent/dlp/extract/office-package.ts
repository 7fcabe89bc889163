/** What the parts of an office package share: the strings and number formats of a workbook, whether it is encrypted. */
import { ExtractError, inside, TextWriter, type Extraction } from './extraction.ts';
import { builtInFormat, formatOfCode, type NumberFormat } from './sheet-format.ts';
import { readXml } from './xml-text.ts';
import { attribute, localName, type XmlHandler } from './xml-tokens.ts';

const MAX_TYPES_BYTES = 4 * 1024 * 1024;
const MAX_STRING_BYTES = 32 * 1024 * 1024;
const MAX_STRINGS = 4_000_000;
const MAX_STYLES = 100_000;

type Bytes = AsyncIterable<Buffer> | Iterable<Buffer>;
/** Unpacked bytes of the part with this name; undefined when there is none. */
export type ReadPart = (name: string) => Promise<Bytes | undefined>;

/** Strings of a workbook by number, in one buffer. */
export class SharedStrings {
  #bytes = Buffer.allocUnsafe(4096);
  #ends = new Uint32Array(256);
  #count = 0;
  #used = new Uint8Array(32);

  add(text: string): void {
    const length = Buffer.byteLength(text);
    const start = this.#count === 0 ? 0 : (this.#ends[this.#count - 1] ?? 0);
    if (start + length > MAX_STRING_BYTES || this.#count >= MAX_STRINGS)
      throw new ExtractError('too_large', 'its shared strings are more than may be held');
    if (start + length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, start + length));
      this.#bytes.copy(larger, 0, 0, start);
      this.#bytes = larger;
    }
    if (this.#count === this.#ends.length) {
      const larger = new Uint32Array(this.#ends.length * 2);
      larger.set(this.#ends);
      this.#ends = larger;
      const used = new Uint8Array(larger.length / 8);
      used.set(this.#used);
      this.#used = used;
    }
    this.#bytes.write(text, start);
    this.#ends[this.#count] = start + length;
    this.#count += 1;
  }

  get(index: number): string | undefined {
    if (!(index >= 0) || index >= this.#count) return undefined;
    this.#used[index >> 3] = (this.#used[index >> 3] ?? 0) | (1 << (index & 7));
    return this.#at(index);
  }

  #at(index: number): string {
    return this.#bytes.toString('utf8', index === 0 ? 0 : this.#ends[index - 1], this.#ends[index]);
  }

  /** Strings that no cell has asked for. */
  *unused(): Generator<string> {
    for (let index = 0; index < this.#count; index += 1)
      if (((this.#used[index >> 3] ?? 0) & (1 << (index & 7))) === 0) yield this.#at(index);
  }
}

export interface OfficePackage {
  strings: SharedStrings | undefined;
  /** Name of the part the strings are from. */
  stringsName: string | undefined;
  formats: NumberFormat[];
  from1904: boolean;
}

class StringTable implements XmlHandler {
  readonly #strings: SharedStrings;
  #text = '';
  #inText = false;
  #phonetic = '';

  constructor(strings: SharedStrings) {
    this.#strings = strings;
  }

  open(name: string, _attributes: string, empty: boolean): void {
    const local = localName(name);
    if (local === 't') this.#inText = !empty;
    else if (local === 'rPh') this.#phonetic = ' ';
    if (empty && local === 'si') this.close('si');
  }

  close(name: string): void {
    const local = localName(name);
    if (local === 't') this.#inText = false;
    if (local !== 'si') return;
    // How it is spoken comes after what is shown, not in the middle of it.
    this.#strings.add(this.#text + this.#phonetic.trimEnd());
    this.#text = '';
    this.#phonetic = '';
  }

  text(text: string): void {
    if (!this.#inText) return;
    if (this.#phonetic !== '') this.#phonetic += text;
    else this.#text += text;
  }

  other(): void {
    // Comments are no strings.
  }
}

class StyleTable implements XmlHandler {
  readonly formats: NumberFormat[] = [];
  readonly #codes = new Map<number, NumberFormat>();
  #inCells = false;

  open(name: string, attributes: string): void {
    const local = localName(name);
    if (local === 'cellXfs') this.#inCells = true;
    else if (local === 'numFmt' && this.#codes.size < MAX_STYLES)
      this.#codes.set(
        Number(attribute(attributes, 'numFmtId')),
        formatOfCode((attribute(attributes, 'formatCode') ?? '').slice(0, 255)),
      );
    else if (local === 'xf' && this.#inCells && this.formats.length < MAX_STYLES) {
      const id = Number(attribute(attributes, 'numFmtId'));
      this.formats.push(this.#codes.get(id) ?? builtInFormat(id));
    }
  }

  close(name: string): void {
    if (localName(name) === 'cellXfs') this.#inCells = false;
  }

  text(): void {
    // Styles hold none.
  }

  other(): void {
    // Nor here.
  }
}

/** The start of a part as text. */
async function startOf(bytes: Bytes, limit: number): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for await (const piece of bytes) {
      pieces.push(piece);
      length += piece.length;
      if (length >= limit) break;
    }
  } catch (error) {
    if (!(error instanceof ExtractError) || error.fatal) throw error;
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** Name of the part whose content type ends so. */
function partOf(types: string, ending: string): string | undefined {
  for (const [tag] of types.matchAll(/<(?:\w+:)?Override\s[^<>]{0,2048}>/g))
    if (attribute(tag, 'ContentType')?.endsWith(ending))
      return attribute(tag, 'PartName')?.replace(/^\//, '');
  return undefined;
}

async function readPart(
  extraction: Extraction,
  read: ReadPart,
  name: string | undefined,
  outer: string,
  handler: XmlHandler,
): Promise<boolean> {
  if (name === undefined) return false;
  try {
    const bytes = await read(name);
    if (!bytes) return false;
    await readXml(extraction, bytes, handler);
  } catch (error) {
    extraction.failed(error, inside(outer, name));
    return false;
  }
  return true;
}

/** What an archive's parts share; undefined for an archive that is no office package. */
export async function openPackage(
  extraction: Extraction,
  outer: string,
  read: ReadPart,
): Promise<OfficePackage | undefined> {
  const office: OfficePackage = { strings: undefined, stringsName: undefined, formats: [], from1904: false };
  let typesBytes: Bytes | undefined;
  let manifest: Bytes | undefined;
  try {
    typesBytes = await read('[Content_Types].xml');
    manifest = await read('META-INF/manifest.xml');
  } catch (error) {
    extraction.failed(error, outer);
    return undefined;
  }
  if (manifest) {
    const text = await startOf(manifest, MAX_TYPES_BYTES);
    if (!typesBytes && !text.includes('urn:oasis:names:tc:opendocument')) return undefined;
    if (text.includes(':encryption-data')) extraction.problem('encrypted', 'it is encrypted', outer);
  }
  if (!typesBytes) return manifest ? office : undefined;
  const types = await startOf(typesBytes, MAX_TYPES_BYTES);
  if (types.includes('sheet.binary'))
    extraction.problem('unsupported', 'binary workbook (xlsb): only its plain strings were read', outer);
  const workbook = partOf(types, 'sheet.main+xml');
  const stringsName = partOf(types, 'spreadsheetml.sharedStrings+xml');
  if (stringsName === undefined && workbook === undefined) return office;
  const strings = new SharedStrings();
  // Strings that could not all be held are read as text of their own part instead.
  if (await readPart(extraction, read, stringsName, outer, new StringTable(strings))) {
    office.strings = strings;
    office.stringsName = stringsName;
  }
  const styles = new StyleTable();
  await readPart(extraction, read, partOf(types, 'spreadsheetml.styles+xml'), outer, styles);
  office.formats = styles.formats;
  const book = workbook === undefined ? undefined : await read(workbook);
  if (book) office.from1904 = /date1904\s*=\s*["'](?:1|true)/.test(await startOf(book, 64 * 1024));
  return office;
}

/** Strings that no cell shows, under the name of their part. */
export function readLeftStrings(extraction: Extraction, office: OfficePackage, outer: string): void {
  if (!office.strings || office.stringsName === undefined) return;
  const writer = new TextWriter(extraction, inside(outer, office.stringsName));
  for (const text of office.strings.unused()) {
    extraction.tick(32);
    writer.add(`${text}\n`);
  }
  writer.end();
}
