/**
 * Builds indexes of protected documents and of whole files. The new file grows under another name and takes the old
 * one's place only when it is whole, signed and on the disk.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, existsSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import type { DlpAddon, NativeDocumentBuilder, NativeDocumentReport } from '../../native-addon/dlp.ts';
import { loadDlp } from '../../native-addon/index.ts';
import { fromSystemError, SentinelError } from '../errors.ts';
import { LICENCE_NOTICES } from './boilerplate.ts';
import { startBuilding, type Building } from './building.ts';
import type { Extract } from './engine.ts';
import { signHeader } from './index-header.ts';

export interface IndexTarget {
  outPath: string;
  key: Buffer;
  signer: { keyId: string; sign(bytes: Uint8Array): string };
}

export interface DocumentFile {
  path: string;
  /** As it is called in findings. */
  name: string;
}

export interface BuildDocumentsOptions extends IndexTarget {
  documents: Iterable<DocumentFile>;
  /** Texts that protect nothing: templates, licences. Added to the notices of common licences. */
  boilerplate?: Iterable<DocumentFile>;
  extract: Extract;
  signal?: AbortSignal;
  onProgress?: (progress: { documents: number; bytes: number }) => void;
}

/** One document as it went into the index. */
export interface ProtectedDocument {
  name: string;
  /** Letters and digits. */
  characters: number;
  /** Fingerprints, and how many of them say something. */
  windows: number;
  kept: number;
  /** Why it cannot be found, or only in part. */
  problem?: string;
}

export interface DocumentsReport extends Omit<NativeDocumentReport, 'each' | 'error'> {
  bytes: number;
  each: ProtectedDocument[];
}

/** So many letters and digits a text must have to leave a fingerprint for sure. */
export const SHORTEST_DOCUMENT = 111;
const CHUNK_BYTES = 256 * 1024;
/** Full texts of licences, where Debian keeps them. */
const COMMON_LICENCES = '/usr/share/common-licenses';
const COMMON_NAMES = [
  'Apache-2.0',
  'Artistic',
  'BSD',
  'GFDL-1.3',
  'GPL-2',
  'GPL-3',
  'LGPL-2.1',
  'LGPL-3',
  'MPL-2.0',
];

/**
 * Parts of office documents that are the same in half of the world's: types, relations, styles, themes, settings. They
 * would make every document of the same program look like a part of a protected one.
 */
const STRUCTURE =
  /\[Content_Types\]\.xml$|\.rels$|(?:^|[^\w-])(?:docProps|customXml|META-INF|_rels|theme|slideMasters|slideLayouts|handoutMasters|notesMasters)\/|(?:^|[^\w-])(?:word|xl|ppt)\/(?:styles|stylesWithEffects|settings|webSettings|fontTable|numbering|calcChain|workbook|presentation|presProps|viewProps|tableStyles)\.xml$|(?:^|[^\w-])(?:settings|styles|meta|manifest)\.xml$/i;

function addonOf(): DlpAddon {
  const native = loadDlp();
  if (native.ok) return native.addon;
  throw new SentinelError(
    'no_scanner',
    `the DLP scanner is not available: ${native.reason}`,
    'run npm run build',
  );
}

/** Text of a file goes to the builder; returns why it did not, or how many bytes were read. */
async function readInto(
  builder: NativeDocumentBuilder,
  path: string,
  extract: Extract,
  signal: AbortSignal | undefined,
): Promise<{ bytes: number; problem?: string }> {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return { bytes: 0, problem: `it cannot be opened: ${(error as NodeJS.ErrnoException).code}` };
  }
  try {
    if (!fstatSync(fd).isFile()) return { bytes: 0, problem: 'it is not a regular file' };
    const onText = async (member: string, chunk: Buffer, last: boolean): Promise<void> => {
      if (STRUCTURE.test(member)) return Promise.resolve();
      if (chunk.length > 0) builder.feed(chunk);
      if (last) builder.endStream();
      return Promise.resolve();
    };
    const told = await extract(fd, path, onText, signal);
    if (told.outcome !== 'not_a_container') {
      const problem =
        told.outcome === 'ok' ? undefined : `only a part was read: ${told.reason ?? told.outcome}`;
      return { bytes: told.bytes, ...(problem !== undefined && { problem }) };
    }
    const chunk = Buffer.alloc(CHUNK_BYTES);
    let at = 0;
    for (;;) {
      const got = readSync(fd, chunk, 0, chunk.length, at);
      if (got === 0) return { bytes: at };
      builder.feed(chunk.subarray(0, got));
      at += got;
    }
  } catch (error) {
    return {
      bytes: 0,
      problem: `it cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
    };
  } finally {
    closeSync(fd);
  }
}

/** Writes, signs and puts into place. */
function replaceIndex(
  target: IndexTarget,
  write: (fd: number) => NativeDocumentReport,
): { bytes: number; report: NativeDocumentReport } {
  const outPath = resolve(target.outPath);
  let building: Building | undefined;
  try {
    building = startBuilding(outPath);
    const { fd } = building;
    const report = write(fd);
    if (report.error !== '')
      throw new SentinelError(
        'index_write',
        `the index ${outPath} cannot be written: ${report.error}`,
        'free some space, or split the documents',
      );
    const header = Buffer.alloc(256);
    readSync(fd, header, 0, header.length, 0);
    const signed = signHeader(header, target.signer);
    addonOf().sealIndexHeader(signed, target.key);
    writeSync(fd, signed, 0, signed.length, 0);
    const bytes = fstatSync(fd).size;
    building.put();
    return { bytes, report };
  } catch (error) {
    building?.discard();
    throw fromSystemError(error, 'write the index', outPath);
  } finally {
    if (building) closeSync(building.fd);
  }
}

/**
 * Builds an index of documents.
 * @throws SentinelError when nothing could be protected, the build was cancelled, or the system refused something; the
 * old index is then unchanged.
 */
export async function buildDocumentIndex(options: BuildDocumentsOptions): Promise<DocumentsReport> {
  const builder = new (addonOf().DlpDocumentBuilder)(options.key, randomBytes(32));
  for (const notice of LICENCE_NOTICES) {
    builder.begin();
    builder.feed(Buffer.from(notice));
    builder.endStream();
  }
  const common = COMMON_NAMES.map((name) => ({ path: `${COMMON_LICENCES}/${name}`, name }));
  for (const { path } of [...common.filter((one) => existsSync(one.path)), ...(options.boilerplate ?? [])]) {
    builder.begin();
    await readInto(builder, path, options.extract, options.signal);
    builder.endStream();
  }
  const each: ProtectedDocument[] = [];
  let bytes = 0;
  for (const { path, name } of options.documents) {
    if (options.signal?.aborted)
      throw new SentinelError('cancelled', 'the build was cancelled; no index was written');
    builder.begin(name);
    const read = await readInto(builder, path, options.extract, options.signal);
    builder.endStream();
    bytes += read.bytes;
    each.push({
      name,
      characters: 0,
      windows: 0,
      kept: 0,
      ...(read.problem !== undefined && { problem: read.problem }),
    });
    options.onProgress?.({ documents: each.length, bytes });
  }
  if (each.length === 0)
    throw new SentinelError(
      'no_documents',
      'there are no documents',
      'name a folder that has files with --documents',
    );
  const { bytes: size, report } = replaceIndex(options, (fd) => builder.write(fd, Date.now()));
  const { error: _, each: counts, ...totals } = report;
  for (const [index, document] of each.entries()) {
    Object.assign(document, counts[index]);
    document.problem ??= problemOf(document);
    if (document.problem === undefined) delete document.problem;
  }
  return { ...totals, bytes: size, each };
}

function problemOf({ characters, windows, kept }: ProtectedDocument): string | undefined {
  if (characters === 0) return 'it has no text';
  if (windows === 0)
    return `it is too short: ${characters} letters and digits, ${SHORTEST_DOCUMENT} are needed`;
  if (kept === 0) return 'all of it is boilerplate';
  if (kept * 2 < windows) return `${Math.round((1 - kept / windows) * 100)} % of it is boilerplate`;
  return undefined;
}

/** BLAKE3 of nothing. */
const EMPTY = 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';

/**
 * Builds an index of whole files from the lines of b3sum: 64 hex digits, two spaces and a name, or `BLAKE3 (name) = hex`.
 * Empty files are left out and counted: every empty file would be one of them.
 * @throws SentinelError that names the line.
 */
export function buildFileIndex(
  text: string,
  file: string,
  target: IndexTarget,
): { bytes: number; files: number; empty: number } {
  const builder = new (addonOf().DlpDocumentBuilder)(target.key, randomBytes(32));
  let files = 0;
  let empty = 0;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/\r$/, '');
    if (line.trim() === '' || line.startsWith('#')) continue;
    const match = /^\\?([0-9a-fA-F]{64})(?:\s[ *]?(.*))?$/.exec(line) ?? undefined;
    const tagged = match ? undefined : /^BLAKE3 \((.*)\) = ([0-9a-fA-F]{64})$/.exec(line);
    const hash = match?.[1] ?? tagged?.[2];
    if (hash === undefined)
      throw new SentinelError(
        'bad_hashes',
        `${file}:${index + 1}:1: not a line of b3sum`,
        'write 64 hex digits, two spaces and a name, as b3sum does',
      );
    if (hash.toLowerCase() === EMPTY) {
      empty += 1;
      continue;
    }
    builder.addHash(Buffer.from(hash, 'hex'), match?.[2] ?? tagged?.[1] ?? `line ${index + 1}`);
    files += 1;
  }
  if (files === 0)
    throw new SentinelError(
      'bad_hashes',
      `${file} lists no files`,
      'write a line of b3sum for each file, of files that are not empty',
    );
  const { bytes } = replaceIndex(target, (fd) => builder.write(fd, Date.now()));
  return { bytes, files, empty };
}
