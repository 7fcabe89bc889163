/** Reads the inside of anything: by its content, in every way it can be understood, and as plain bytes. */
import { readCfb } from './cfb.ts';
import {
  ExtractError,
  Extraction,
  inside,
  type ExtractResult,
  type PdfReader,
  type TextSink,
} from './extraction.ts';
import { readFolded } from './folded.ts';
import { readHtml } from './html.ts';
import { endsAsZip, identify, identifyHead, type Format } from './identify.ts';
import { unpack } from './inflate.ts';
import type { ExtractLimits } from './limits.ts';
import { readMail } from './mail.ts';
import { readRtf } from './rtf.ts';
import { bufferSource, chunks, type Source } from './source.ts';
import { readTar, readTarStream } from './tar.ts';
import { readAnyXml } from './xml-text.ts';
import { readZip } from './zip.ts';

type Bytes = AsyncIterable<Buffer> | Iterable<Buffer>;

/** A member of up to this size is held and read as a file of its own would be. */
const HOLD_BYTES = 4 * 1024 * 1024;
const TAIL_BYTES = 66_000;

const PACKED: ReadonlySet<unknown> = new Set(['gzip', 'zstd', 'bzip2', 'xz']);

/** Formats that hold files. */
function holdsFiles(format: Format): boolean {
  return format === 'zip' || format === 'tar' || format === 'mail' || PACKED.has(format);
}

/** Formats in which others can be, however deep. */
function nests(format: Format): boolean {
  return typeof format === 'string' && format !== 'html' && format !== 'xml';
}

/** Formats whose bytes may hold text that their readers do not show. */
function keepsRaw(format: Format): boolean {
  return !holdsFiles(format);
}

async function emitAll(extraction: Extraction, bytes: Bytes, path: string): Promise<void> {
  try {
    for await (const piece of bytes) extraction.emit(path, piece, false);
  } finally {
    extraction.emit(path, Buffer.alloc(0), true);
  }
}

/** Name of what is inside a compressed stream. */
function unpackedName(head: Buffer): string {
  // gzip keeps the name, if it has one, behind ten bytes and an extra field.
  const flags = head[3] ?? 0;
  if (head[0] !== 0x1f || (flags & 8) === 0) return 'content';
  const start = flags & 4 ? 12 + (head.length >= 12 ? head.readUInt16LE(10) : 0) : 10;
  const end = head.indexOf(0, start);
  return end > start ? head.toString('utf8', start, Math.min(end, start + 512)) : 'content';
}

/** Formats that are read from their start to their end. Others answer false. */
async function readStreamed(
  extraction: Extraction,
  format: Format,
  bytes: Bytes,
  head: Buffer,
  path: string,
  depth: number,
): Promise<boolean> {
  switch (format) {
    case 'gzip':
    case 'zstd':
    case 'bzip2':
    case 'xz':
      extraction.member();
      await extraction.visitStream(
        extraction,
        unpack(extraction, format, bytes),
        inside(path, unpackedName(head)),
        depth + 1,
      );
      return true;
    case 'html':
      await readHtml(extraction, bytes, path);
      return true;
    case 'xml':
      await readAnyXml(extraction, bytes, path);
      return true;
    case 'rtf':
      await readRtf(extraction, bytes, path, depth);
      return true;
    case 'folded':
      await readFolded(extraction, bytes, path, depth);
      return true;
    case 'mail':
      await readMail(extraction, bytes, path, depth);
      return true;
    case 'tar':
      await readTarStream(extraction, bytes, path, depth);
      return true;
    default:
      return false;
  }
}

async function readPdf(extraction: Extraction, source: Source, path: string, depth: number): Promise<void> {
  if (source.size > extraction.limits.maxWholeBytes)
    throw new ExtractError('too_large', `the PDF has more than ${extraction.limits.maxWholeBytes} bytes`);
  if (extraction.pdf) await extraction.pdf(extraction, source.read(0, source.size), path, depth);
  else extraction.deferred += 1;
}

async function readPlaced(
  extraction: Extraction,
  format: Format,
  source: Source,
  path: string,
  depth: number,
): Promise<void> {
  if (typeof format === 'object') {
    extraction.problem('unsupported', `${format.unsupported}: not understood`, path);
    return;
  }
  if (format === 'zip') await readZip(extraction, source, path, depth);
  else if (format === 'cfb') await readCfb(extraction, source, path, depth);
  else if (format === 'pdf') await readPdf(extraction, source, path, depth);
  else if (format === 'tar') await readTar(extraction, source, path, depth);
  else await readStreamed(extraction, format, chunks(source), source.read(0, 1024), path, depth);
}

async function visit(extraction: Extraction, source: Source, path: string, depth: number): Promise<void> {
  const formats = identify(source);
  extraction.tick(4096);
  // The file itself is scanned as it is by whoever asked; members are not.
  if (path !== '' && (formats.length === 0 || formats.some(keepsRaw)))
    await emitAll(extraction, chunks(source), path);
  for (const format of formats) {
    try {
      if (depth >= extraction.limits.maxDepth && nests(format))
        throw new ExtractError(
          'depth',
          `more than ${extraction.limits.maxDepth} containers inside each other`,
        );
      await readPlaced(extraction, format, source, path, depth);
    } catch (error) {
      extraction.failed(error, path);
    }
  }
}

/** Pieces already taken, then the rest. */
async function* resume(
  taken: readonly Buffer[],
  rest: AsyncIterator<Buffer> | Iterator<Buffer>,
): AsyncGenerator<Buffer> {
  yield* taken;
  for (;;) {
    const next = await rest.next();
    if (next.done) return;
    yield next.value;
  }
}

/** A plain member too large to hold; an archive behind it would not be seen, so it is looked for. */
async function emitLarge(extraction: Extraction, bytes: Bytes, path: string): Promise<void> {
  let tail: Buffer = Buffer.alloc(0);
  let size = 0;
  async function* watched(): AsyncGenerator<Buffer> {
    for await (const piece of bytes) {
      size += piece.length;
      tail = Buffer.concat([tail.subarray(Math.max(0, tail.length + piece.length - TAIL_BYTES)), piece]);
      if (tail.length > TAIL_BYTES) tail = tail.subarray(tail.length - TAIL_BYTES);
      yield piece;
    }
  }
  await emitAll(extraction, watched(), path);
  if (endsAsZip(tail, size))
    extraction.problem('too_large', 'an archive ends this member, which is too large to be held', path);
}

async function visitStream(extraction: Extraction, bytes: Bytes, path: string, depth: number): Promise<void> {
  const iterator = Symbol.asyncIterator in bytes ? bytes[Symbol.asyncIterator]() : bytes[Symbol.iterator]();
  const taken: Buffer[] = [];
  let length = 0;
  let error: unknown;
  let ended = false;
  const hold = async (limit: number): Promise<void> => {
    while (!ended && length <= limit) {
      try {
        const next = await iterator.next();
        if (next.done) ended = true;
        else {
          taken.push(next.value);
          length += next.value.length;
        }
      } catch (thrown) {
        if (!(thrown instanceof ExtractError) || thrown.fatal) throw thrown;
        // What came before the damage is read.
        error = thrown;
        ended = true;
      }
    }
  };
  try {
    await hold(HOLD_BYTES);
    if (!ended) {
      const head = Buffer.concat(taken.slice(0, 8)).subarray(0, 4096);
      const formats = identifyHead(head);
      const whole = formats.some((format) => ['zip', 'pdf', 'cfb'].includes(format as string));
      if (whole) await hold(extraction.limits.maxNestedBytes);
      if (!ended) {
        const rest = resume(taken.splice(0), iterator);
        if (whole) {
          extraction.problem('too_large', 'it is too large to be held where it is', path);
          await emitAll(extraction, rest, path);
          return;
        }
        const format = formats[0];
        if (format === undefined || typeof format === 'object') {
          if (format) extraction.problem('unsupported', `${format.unsupported}: not understood`, path);
          await emitLarge(extraction, rest, path);
          return;
        }
        if (depth >= extraction.limits.maxDepth && nests(format)) {
          extraction.problem(
            'depth',
            `more than ${extraction.limits.maxDepth} containers inside each other`,
            path,
          );
          await emitLarge(extraction, rest, path);
          return;
        }
        await readStreamed(extraction, format, rest, head, path, depth);
        return;
      }
    }
    const whole = taken.length === 1 ? (taken[0] ?? Buffer.alloc(0)) : Buffer.concat(taken.splice(0));
    await visit(extraction, bufferSource(whole), path, depth);
    if (error !== undefined) throw error;
  } finally {
    await iterator.return?.();
  }
}

/** Reads `source` as far as the limits allow; every way it can end is a result. */
export async function extractSource(
  source: Source,
  limits: ExtractLimits,
  sink: TextSink,
  options: { pdf?: PdfReader | undefined; onlyPdf?: boolean } = {},
): Promise<ExtractResult> {
  const extraction = new Extraction({
    limits,
    sink,
    inputBytes: source.size,
    visit,
    visitStream,
    pdf: options.pdf,
  });
  if (options.onlyPdf) extraction.muted = 1;
  try {
    await visit(extraction, source, '', 0);
  } catch (error) {
    if (!(error instanceof ExtractError)) throw error;
    extraction.problem(error.code, error.message, '');
  }
  return extraction.result();
}
