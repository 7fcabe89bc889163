/**
 * Compound files: legacy Office documents, Outlook messages, encrypted Office packages, embedded objects. Their streams
 * are searched for readable strings; that is not understanding, so a legacy document is never called clean.
 */
import { ExtractError, inside, type Extraction } from './extraction.ts';
import { bufferSource, type Source } from './source.ts';
import { readNarrowStrings, readWideStrings } from './strings.ts';

const FREE = 0xffff_fff0;
const MAX_SECTORS = 4 * 1024 * 1024;
const MAX_ENTRIES = 20_000;

interface Entry {
  name: string;
  /** 1 storage, 2 stream, 5 root. */
  type: number;
  start: number;
  size: number;
}

class Compound {
  readonly #source: Source;
  readonly #sectorBytes: number;
  readonly #fat: Uint32Array;
  readonly #cutoff: number;
  #mini: Buffer = Buffer.alloc(0);
  #miniFat = new Uint32Array(0);
  readonly entries: Entry[] = [];

  constructor(extraction: Extraction, source: Source) {
    this.#source = source;
    const header = source.read(0, 512);
    if (header.length < 512) throw new ExtractError('malformed', 'the compound file is cut short');
    const shift = header.readUInt16LE(30);
    if (shift !== 9 && shift !== 12)
      throw new ExtractError('malformed', 'a compound file of unknown sector size');
    this.#sectorBytes = 1 << shift;
    this.#cutoff = header.readUInt32LE(56);
    const sectors = Math.ceil(source.size / this.#sectorBytes);
    if (sectors > MAX_SECTORS) throw new ExtractError('too_large', 'the compound file is too large');
    this.#fat = this.#readFat(header, sectors);
    const directory = this.#chain(header.readUInt32LE(48), MAX_ENTRIES * 128);
    extraction.tick(directory.length);
    for (let at = 0; at + 128 <= directory.length; at += 128) {
      const type = directory[at + 66] ?? 0;
      if (type !== 1 && type !== 2 && type !== 5) continue;
      const nameBytes = Math.min(Math.max(directory.readUInt16LE(at + 64) - 2, 0), 62);
      this.entries.push({
        name: directory.toString('utf16le', at, at + nameBytes),
        type,
        start: directory.readUInt32LE(at + 116),
        size: directory.readUInt32LE(at + 120),
      });
    }
    const root = this.entries.find((entry) => entry.type === 5);
    if (!root) throw new ExtractError('malformed', 'the directory of the compound file is missing');
    this.#mini = this.#chain(root.start, Math.min(root.size, source.size));
    const miniFat = this.#chain(header.readUInt32LE(60), header.readUInt32LE(64) * this.#sectorBytes);
    this.#miniFat = new Uint32Array(miniFat.length >> 2);
    for (let i = 0; i < this.#miniFat.length; i += 1) this.#miniFat[i] = miniFat.readUInt32LE(i * 4);
  }

  #sector(index: number): Buffer {
    return this.#source.read((index + 1) * this.#sectorBytes, this.#sectorBytes);
  }

  #readFat(header: Buffer, sectors: number): Uint32Array {
    const fat = new Uint32Array(sectors + 1).fill(FREE + 15);
    const perSector = this.#sectorBytes / 4;
    let filled = 0;
    const add = (index: number): void => {
      if (index >= FREE || filled >= fat.length) return;
      const sector = this.#sector(index);
      for (let i = 0; i + 4 <= sector.length && filled < fat.length; i += 4) {
        fat[filled] = sector.readUInt32LE(i);
        filled += 1;
      }
    };
    for (let i = 0; i < 109; i += 1) add(header.readUInt32LE(76 + i * 4));
    let next = header.readUInt32LE(68);
    for (let seen = 0; next < FREE && seen * perSector < sectors + perSector; seen += 1) {
      const list = this.#sector(next);
      if (list.length < this.#sectorBytes) break;
      for (let i = 0; i < perSector - 1; i += 1) add(list.readUInt32LE(i * 4));
      next = list.readUInt32LE((perSector - 1) * 4);
    }
    return fat;
  }

  /** Sectors of a chain, at most `limit` bytes; a chain that runs in a circle ends there. */
  #chain(start: number, limit: number): Buffer {
    const pieces: Buffer[] = [];
    let length = 0;
    const bound = Math.min(limit, this.#source.size);
    for (let next = start; next < this.#fat.length && length < bound; next = this.#fat[next] ?? FREE) {
      const piece = this.#sector(next);
      if (piece.length === 0) break;
      pieces.push(piece);
      length += piece.length;
    }
    return Buffer.concat(pieces).subarray(0, bound);
  }

  content(entry: Entry): Buffer {
    if (entry.size >= this.#cutoff) return this.#chain(entry.start, entry.size);
    const pieces: Buffer[] = [];
    let length = 0;
    // No stream is longer than what holds them all; a chain that runs in a circle ends there.
    const bound = Math.min(entry.size, this.#mini.length);
    for (
      let next = entry.start;
      next < this.#miniFat.length && length < bound;
      next = this.#miniFat[next] ?? FREE
    ) {
      const piece = this.#mini.subarray(next * 64, next * 64 + 64);
      if (piece.length === 0) break;
      pieces.push(piece);
      length += piece.length;
    }
    return Buffer.concat(pieces).subarray(0, bound);
  }
}

/** FILEPASS in the first records of a workbook. */
function workbookEncrypted(bytes: Buffer): boolean {
  for (let at = 0, count = 0; at + 4 <= bytes.length && count < 16; count += 1) {
    if (bytes.readUInt16LE(at) === 0x2f) return true;
    at += 4 + bytes.readUInt16LE(at + 2);
  }
  return false;
}

/** What kind of compound file it is, as a sentence, when its text cannot be fully read. */
function judge(extraction: Extraction, names: ReadonlySet<string>, path: string): void {
  if (names.has('EncryptedPackage') || names.has('EncryptionInfo') || names.has('DRMEncryptedDataSpace'))
    extraction.problem('encrypted', 'an encrypted Office document', path);
  else if (
    names.has('WordDocument') ||
    names.has('Workbook') ||
    names.has('Book') ||
    names.has('PowerPoint Document')
  )
    extraction.problem('unsupported', 'a legacy Office document: only its plain strings were read', path);
  else if (names.has('__properties_version1.0')) {
    const body = [...names].some((name) => name.startsWith('__substg1.0_1000'));
    const packed = [...names].some((name) => name.startsWith('__substg1.0_1009'));
    if (packed && !body)
      extraction.problem('unsupported', 'an Outlook message whose text is only there compressed', path);
  } else if (names.has('_VBA_PROJECT'))
    extraction.problem('unsupported', 'macros: only their plain strings were read', path);
  else if (!names.has('Package') && ![...names].some((name) => name.includes('Ole10Native')))
    extraction.problem(
      'unsupported',
      'a compound file of unknown kind: only its plain strings were read',
      path,
    );
}

/** Reads a compound file. */
export async function readCfb(
  extraction: Extraction,
  source: Source,
  path: string,
  depth: number,
): Promise<void> {
  if (source.size > extraction.limits.maxWholeBytes)
    throw new ExtractError(
      'too_large',
      `the compound file has more than ${extraction.limits.maxWholeBytes} bytes`,
    );
  const compound = new Compound(extraction, source);
  judge(extraction, new Set(compound.entries.map(({ name }) => name)), path);
  for (const entry of compound.entries) {
    if (entry.type !== 2) continue;
    const bytes = compound.content(entry);
    const at = inside(path, entry.name);
    extraction.spend(bytes.length);
    extraction.member();
    if (entry.name === 'WordDocument' && bytes.length > 12 && (bytes.readUInt16LE(10) & 0x100) !== 0)
      extraction.problem('encrypted', 'an encrypted Word document', path);
    if ((entry.name === 'Workbook' || entry.name === 'Book') && workbookEncrypted(bytes))
      extraction.problem('encrypted', 'an encrypted workbook', path);
    // The message's own texts are whole streams of one encoding.
    if (/^__substg1\.0_[0-9A-F]{4}001F$/.test(entry.name)) {
      extraction.emit(at, Buffer.from(bytes.toString('utf16le'), 'utf8'), true);
      continue;
    }
    readNarrowStrings(extraction, bytes, at);
    readWideStrings(extraction, bytes, at);
    const embedded = /Ole10Native/.test(entry.name) ? afterOleHeader(bytes) : bytes;
    if (depth < extraction.limits.maxDepth) {
      if (embedded.length > 8) await visitEmbedded(extraction, embedded, at, depth);
    } else
      extraction.problem('depth', `more than ${extraction.limits.maxDepth} containers inside each other`, at);
  }
}

/** Content of an OLE 1 package: behind a length, a flag, and three texts that end in NUL. */
function afterOleHeader(bytes: Buffer): Buffer {
  for (const magic of ['PK\x03\x04', '%PDF-', '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', '{\\rtf', '\x1f\x8b\x08']) {
    const at = bytes.indexOf(magic, 0, 'latin1');
    if (at >= 0 && at < 4096) return bytes.subarray(at);
  }
  return bytes;
}

const STARTS = /^(?:PK\x03\x04|%PDF-|\xd0\xcf\x11\xe0|\{\\rtf|\x1f\x8b\x08|From |Received:|MIME-Version:)/;

async function visitEmbedded(
  extraction: Extraction,
  bytes: Buffer,
  path: string,
  depth: number,
): Promise<void> {
  if (!STARTS.test(bytes.toString('latin1', 0, 16))) return;
  try {
    await extraction.visit(extraction, bufferSource(bytes), path, depth + 1);
  } catch (error) {
    extraction.failed(error, path);
  }
}
