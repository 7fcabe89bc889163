/**
 * What happens to sealed segments: they are compressed, and leave when they are old or the log is too large.
 *
 * By age a segment leaves only once every cursor passed it. By size it leaves in any case, because the disk is finite:
 * records that a cursor had not passed are then returned as a gap. The segment in use, and what was prepared behind it,
 * is never touched. Segments leave from the oldest on, so that the rest has no holes.
 */
import { open, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SegmentHeader } from './format.ts';
import { FRAME_BYTES, SeekableFile, compressSeekable } from './seekable.ts';
import { type SegmentFileInfo, listSegments, openSegment, readHeader } from './segments.ts';
import type { WalGap } from './types.ts';

/** 7.5x smaller at 500 MB/s; higher levels gain little on records. */
const ZSTD_LEVEL = 1;

export interface RetentionLimits {
  maxBytes: number;
  maxAgeNs: bigint;
  /** Last sequence number each configured consumer has taken. */
  cursors: readonly number[];
  nowNs: bigint;
}

export interface RetentionResult {
  removedSegments: number;
  removedBytes: number;
  /** Records that left before every cursor had passed them. */
  gaps: WalGap[];
}

interface Sealed {
  file: SegmentFileInfo;
  header: SegmentHeader | undefined;
  bytes: number;
}

/** Headers of segments by number: they never change, and reading one from a compressed segment expands a frame. */
export type HeaderCache = Map<number, SegmentHeader>;

/** Segments up to the last one that was ever written to; all but that one are sealed. */
async function bornSegments(
  dir: string,
  cache: HeaderCache,
): Promise<{ sealed: Sealed[]; totalBytes: number }> {
  const all: Sealed[] = [];
  let totalBytes = 0;
  const files = listSegments(dir);
  for (const number of cache.keys()) if (number < (files[0]?.number ?? Infinity)) cache.delete(number);
  for (const file of files) {
    const { size } = await stat(file.path);
    totalBytes += size;
    all.push({ file, header: headerOf(file, cache), bytes: size });
  }
  const last = all.findLastIndex((segment) => segment.header !== undefined);
  return { sealed: all.slice(0, Math.max(0, last + 1)), totalBytes };
}

function headerOf(file: SegmentFileInfo, cache: HeaderCache): SegmentHeader | undefined {
  const known = cache.get(file.number);
  if (known !== undefined) return known;
  let header: SegmentHeader | undefined;
  try {
    header = readHeader(file).header;
  } catch {
    // A compressed segment whose table is damaged: verify names it, retention removes it in its turn.
    return undefined;
  }
  if (header !== undefined) cache.set(file.number, header);
  return header;
}

/** Applies the limits once. */
export async function retain(
  dir: string,
  limits: RetentionLimits,
  cache: HeaderCache = new Map(),
): Promise<RetentionResult> {
  const result: RetentionResult = { removedSegments: 0, removedBytes: 0, gaps: [] };
  const { sealed, totalBytes } = await bornSegments(dir, cache);
  const passed = Math.min(...limits.cursors, Number.MAX_SAFE_INTEGER);
  let left = totalBytes;
  for (let index = 0; index + 1 < sealed.length; index++) {
    const segment = sealed[index] as Sealed;
    const next = sealed.slice(index + 1).find((other) => other.header !== undefined)?.header;
    if (next === undefined) break;
    const lastSeq = next.baseSeq - 1;
    const tooLarge = left > limits.maxBytes;
    const old = limits.nowNs - next.wallNs > limits.maxAgeNs;
    if (!tooLarge && !(old && lastSeq <= passed)) break;
    await unlink(segment.file.path);
    left -= segment.bytes;
    result.removedSegments++;
    result.removedBytes += segment.bytes;
    if (lastSeq > passed) {
      result.gaps.push({
        fromSeq: Math.max(passed + 1, segment.header?.baseSeq ?? passed + 1),
        toSeq: lastSeq,
        cause: 'retention',
        segment: segment.file.number,
        fromWallNs: segment.header?.wallNs ?? next.wallNs,
        toWallNs: next.wallNs,
        detail: `the log reached ${limits.maxBytes} bytes before every consumer had read this far`,
      });
    }
  }
  return result;
}

/**
 * Compresses the oldest sealed segment that is not yet, and replaces it once the result was read back and compared.
 * Returns its number, undefined if there was nothing to do.
 */
export async function compressNext(dir: string, cache: HeaderCache = new Map()): Promise<number | undefined> {
  const { sealed } = await bornSegments(dir, cache);
  const target = sealed.slice(0, -1).find((segment) => !segment.file.compressed)?.file;
  if (target === undefined) return undefined;
  const temporary = `${target.path}.zst.tmp`;
  const source = openSegment(target);
  try {
    const handle = await open(temporary, 'w', 0o600);
    try {
      await compressSeekable(source, ZSTD_LEVEL, async (bytes) => {
        await handle.writeFile(bytes);
      });
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (!(await sameContent(source, temporary))) {
      await unlink(temporary);
      throw new Error(`${temporary} does not expand to what was compressed; the segment stays as it is`);
    }
  } finally {
    source.close();
  }
  await rename(temporary, `${target.path}.zst`);
  const folder = await open(dirname(target.path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
  await unlink(target.path);
  return target.number;
}

async function sameContent(
  source: { size(): number; read(offset: number, length: number): Buffer },
  path: string,
): Promise<boolean> {
  const compressed = new SeekableFile(path);
  try {
    const size = source.size();
    if (compressed.size() !== size) return false;
    for (let at = 0; at < size; at += FRAME_BYTES) {
      if (!source.read(at, FRAME_BYTES).equals(compressed.read(at, FRAME_BYTES))) return false;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return true;
  } finally {
    compressed.close();
  }
}
