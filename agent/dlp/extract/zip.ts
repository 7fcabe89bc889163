/**
 * Zip archives and the office formats made of them. Every entry of the directory is read from where it says, checked
 * against its size and checksum; entries that lie over each other are read once; what the directory does not list is
 * looked for between the entries.
 */
import { crc32 } from 'node:zlib';
import { ExtractError, inside, type Extraction } from './extraction.ts';
import { inflateMember, unpack } from './inflate.ts';
import { readOfficePart, isOfficePart } from './office-part.ts';
import { openPackage, readLeftStrings, type OfficePackage } from './office-package.ts';
import { unpackBzip2 } from './bzip2.ts';
import { chunks, slice, type Source } from './source.ts';
import { unpackXz, unpackZipLzma } from './xz.ts';
import { findLocalData, readDirectory, readLocalHeader, type ZipEntry } from './zip-directory.ts';

interface Placed {
  entry: ZipEntry;
  /** Of its data. */
  start: number;
  /** By the header before it. */
  encrypted: boolean;
  end: number;
}

const METHODS: Readonly<Record<number, string>> = {
  1: 'shrink',
  6: 'implode',
  9: 'deflate64',
  98: 'PPMd',
};
/** Looked through at once for headers that no directory lists. */
const WINDOW_BYTES = 64 * 1024;
const SIGNATURE = Buffer.from('PK\x03\x04', 'latin1');

/** Passes bytes on and then tells when they are not what the directory says. */
async function* checked(
  extraction: Extraction,
  bytes: AsyncIterable<Buffer> | Iterable<Buffer>,
  entry: { bytes: number; crc: number },
): AsyncGenerator<Buffer> {
  let size = 0;
  let crc = 0;
  for await (const piece of bytes) {
    extraction.tick(piece.length);
    size += piece.length;
    crc = crc32(piece, crc);
    yield piece;
  }
  if (size !== entry.bytes)
    throw new ExtractError('malformed', `it has ${size} bytes, the directory says ${entry.bytes}`);
  if (crc !== entry.crc) throw new ExtractError('malformed', 'its checksum is wrong');
}

/** Unpacked bytes of an entry, unchecked. */
function open(
  extraction: Extraction,
  method: number,
  data: Source,
  declared: number,
): AsyncIterable<Buffer> | Iterable<Buffer> {
  if (method === 0) return chunks(data);
  if (method === 8) return inflateMember(extraction, data, declared);
  if (method === 93) return unpack(extraction, 'zstd', chunks(data));
  if (method === 12) return unpackBzip2(extraction, chunks(data));
  if (method === 95) return unpackXz(extraction, chunks(data));
  if (method === 14) return unpackZipLzma(extraction, chunks(data), declared);
  throw new ExtractError('unsupported', `compressed by ${METHODS[method] ?? `method ${method}`}`);
}

function refuseEncrypted(header: { encrypted: boolean; method: number }): void {
  if (header.encrypted || header.method === 99) throw new ExtractError('encrypted', 'it is encrypted');
}

async function readEntry(
  extraction: Extraction,
  source: Source,
  { entry, start, encrypted }: Placed,
  office: OfficePackage | undefined,
  path: string,
  depth: number,
): Promise<void> {
  refuseEncrypted(entry);
  if (encrypted) refuseEncrypted({ encrypted, method: entry.method });
  const data = slice(source, start, entry.packedBytes);
  if (data.size < entry.packedBytes) extraction.problem('malformed', 'it is cut short', path);
  const bytes = checked(extraction, open(extraction, entry.method, data, entry.bytes), entry);
  if (office && isOfficePart(entry.name)) await readOfficePart(extraction, bytes, path, entry.name, office);
  else if (entry.method === 0 && data.size > 0) {
    // Read in place, however large it is; its checksum is left alone.
    if (entry.bytes !== entry.packedBytes)
      extraction.problem('malformed', 'two sizes of a stored file differ', path);
    await extraction.visit(extraction, data, path, depth);
  } else await extraction.visitStream(extraction, bytes, path, depth);
}

/** Entries with their places, in the order of the file; what cannot be placed is a problem. */
function place(
  extraction: Extraction,
  source: Source,
  entries: readonly ZipEntry[],
  outer: string,
): Placed[] {
  const placed: Placed[] = [];
  for (const entry of entries) {
    extraction.tick(256);
    const local = findLocalData(source, entry.offset);
    if (local) placed.push({ entry, ...local, end: local.start + entry.packedBytes });
    else
      extraction.problem('malformed', 'there is no file where the directory says', inside(outer, entry.name));
  }
  return placed.toSorted((a, b) => a.entry.offset - b.entry.offset);
}

/** Files between `from` and `to` that no directory lists: left over, or hidden. */
async function readGap(
  extraction: Extraction,
  source: Source,
  from: number,
  to: number,
  outer: string,
  depth: number,
): Promise<boolean> {
  let at = from;
  let found = false;
  let windowAt = from;
  let window = source.read(from, Math.min(WINDOW_BYTES, to - from));
  while (at + 30 <= to) {
    const next = at < windowAt + window.length ? window.indexOf(SIGNATURE, at - windowAt) : -1;
    if (next < 0) {
      // The next window begins before this one's end: a signature may lie across it.
      at = Math.max(at, windowAt + Math.max(1, window.length - 3));
      windowAt = at;
      window = source.read(at, Math.min(WINDOW_BYTES, to - at));
      extraction.tick(window.length);
      continue;
    }
    at = windowAt + next;
    extraction.tick(512);
    const local = readLocalHeader(source, at);
    if (!local || local.start > to) {
      at += 4;
      continue;
    }
    found = true;
    const path = inside(outer, local.name);
    extraction.member();
    const known = !local.sizesFollow || local.packedBytes > 0;
    let used = known ? local.packedBytes : 0;
    try {
      refuseEncrypted(local);
      const data = slice(
        source,
        local.start,
        known ? Math.min(local.packedBytes, to - local.start) : to - local.start,
      );
      if (known) {
        if (data.size < local.packedBytes) extraction.problem('malformed', 'it is cut short', path);
        await extraction.visitStream(
          extraction,
          checked(extraction, open(extraction, local.method, data, local.bytes), local),
          path,
          depth,
        );
      } else if (local.method === 8) {
        const bytes = unpack(extraction, 'deflate', chunks(data, 4096), (count) => (used = count));
        await extraction.visitStream(extraction, bytes, path, depth);
      } else throw new ExtractError('malformed', 'its length is not known');
    } catch (error) {
      extraction.failed(error, path);
    }
    at = Math.max(at + 30, Math.min(local.start + used, to));
  }
  return found;
}

/** Reads everything in a zip. */
export async function readZip(
  extraction: Extraction,
  source: Source,
  outer: string,
  depth: number,
): Promise<void> {
  const directory = readDirectory(source, extraction.limits.maxMembers);
  if (!directory) {
    extraction.problem('malformed', 'the directory of the archive is missing', outer);
    await readGap(extraction, source, 0, source.size, outer, depth + 1);
    return;
  }
  if (directory.damage) extraction.problem('malformed', directory.damage, outer);
  const placed = place(extraction, source, directory.entries, outer);
  const office = await openPackage(extraction, outer, async (name) => {
    const found = placed.find(({ entry }) => entry.name === name && !entry.encrypted && entry.method !== 99);
    if (!found) return undefined;
    return open(
      extraction,
      found.entry.method,
      slice(source, found.start, found.entry.packedBytes),
      found.entry.bytes,
    );
  });
  let reached = 0;
  for (const item of placed) {
    const { entry } = item;
    const path = inside(outer, entry.name);
    if (entry.offset > reached) await readGap(extraction, source, reached, entry.offset, outer, depth + 1);
    extraction.member();
    try {
      if (entry.offset < reached)
        throw new ExtractError('malformed', 'it lies over another file of the archive');
      if (!entry.name.endsWith('/') || entry.packedBytes > 0)
        await readEntry(extraction, source, item, office, path, depth + 1);
    } catch (error) {
      extraction.failed(error, path);
    }
    reached = Math.max(reached, Math.min(item.end, source.size));
  }
  if (directory.start > reached)
    await readGap(extraction, source, reached, directory.start, outer, depth + 1);
  if (office) readLeftStrings(extraction, office, outer);
}
