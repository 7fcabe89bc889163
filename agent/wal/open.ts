/** Opens one lane's log: finds where it ended, says what is missing, and goes on in a new segment. */
import { mkdirSync } from 'node:fs';
import { CommitFlag, DEFAULT_SEGMENT_BYTES, MIN_SEGMENT_BYTES, PAGE, ZERO_CHAIN } from './format.ts';
import { NativeWriter } from './native-writer.ts';
import { scanSegment } from './scan.ts';
import { listSegments, readHeader, readImage, type SegmentFileInfo } from './segments.ts';
import { WalError } from './errors.ts';
import type { WalGap, WalOptions, WalRecovered, WalWriter } from './types.ts';

interface Recovery extends WalRecovered {
  nextSegment: number;
  nextSeq: number;
  nextCommit: number;
  chain: Buffer;
}

/** Newest segment that was ever written to, by its header. */
function lastBorn(files: readonly SegmentFileInfo[]) {
  for (const file of files.toReversed()) {
    const { header } = readHeader(file);
    if (header) return { file, header };
  }
  return undefined;
}

/** Reads the end of the log: numbers to go on with, and holes in the last segment. Never writes. */
export function recoverWal(dir: string, witnessSeq = 0): Recovery {
  const files = listSegments(dir);
  const recovery: Recovery = {
    lastSeq: 0,
    lastCommitNo: 0,
    lastChain: ZERO_CHAIN.toString('hex'),
    lastWallNs: 0n,
    gaps: [],
    truncatedBytes: 0,
    cleanShutdown: true,
    segments: files.length,
    nextSegment: (files.at(-1)?.number ?? 0) + 1,
    nextSeq: 1,
    nextCommit: 1,
    chain: ZERO_CHAIN,
  };
  const born = lastBorn(files);
  if (born) {
    const { file, header } = born;
    const scan = scanSegment(readImage(file), header);
    const last = scan.commits.at(-1);
    recovery.nextSeq = scan.nextSeq;
    recovery.nextCommit = scan.nextCommit;
    recovery.chain = last?.chain ?? header.prevChain;
    recovery.lastWallNs = last?.wallNs ?? header.wallNs;
    recovery.cleanShutdown = last !== undefined && (last.flags & CommitFlag.cleanClose) !== 0;
    recovery.truncatedBytes = scan.tornBytes;
    for (const hole of scan.holes) {
      if (hole.toSeq < hole.fromSeq) continue;
      recovery.gaps.push({
        fromSeq: hole.fromSeq,
        toSeq: hole.toSeq,
        cause: 'wal_corruption',
        segment: file.number,
        fromWallNs: scan.commits[hole.after - 1]?.wallNs ?? header.wallNs,
        toWallNs: scan.commits[hole.after]?.wallNs ?? header.wallNs,
        detail: `commits ${hole.fromCommit} to ${hole.toCommit} at byte ${hole.offset} are damaged`,
      });
    }
  }
  if (witnessSeq >= recovery.nextSeq) {
    recovery.gaps.push({
      fromSeq: recovery.nextSeq,
      toSeq: witnessSeq,
      cause: 'missing_segment',
      segment: recovery.nextSegment,
      fromWallNs: recovery.lastWallNs,
      toWallNs: recovery.lastWallNs,
      detail: `the files end at record ${recovery.nextSeq - 1}, but ${witnessSeq} was already read`,
    } satisfies WalGap);
    recovery.nextSeq = witnessSeq + 1;
  }
  recovery.lastSeq = recovery.nextSeq - 1;
  recovery.lastCommitNo = recovery.nextCommit - 1;
  recovery.lastChain = recovery.chain.toString('hex');
  return recovery;
}

/**
 * Opens the log for writing. @throws WalError for options out of bounds, or what the system said.
 */
export async function openWal(options: WalOptions): Promise<{ writer: WalWriter; recovered: WalRecovered }> {
  const segmentBytes = options.segmentBytes ?? DEFAULT_SEGMENT_BYTES;
  if (segmentBytes < MIN_SEGMENT_BYTES || segmentBytes % PAGE !== 0) {
    throw new WalError(
      `a segment of ${segmentBytes} bytes is not possible: at least ${MIN_SEGMENT_BYTES}, a multiple of ${PAGE}`,
    );
  }
  const security = options.lane === 'security';
  mkdirSync(options.dir, { recursive: true, mode: 0o750 });
  const recovered = recoverWal(options.dir, options.witnessSeq);
  const writer = new NativeWriter(options.lane, {
    dir: options.dir,
    deviceId: options.deviceId,
    lane: security ? 1 : 2,
    epoch: options.epoch,
    segmentBytes,
    maxSegmentAgeMs: options.maxSegmentAgeMs ?? 3_600_000,
    commitWindowMs: options.commitWindowMs ?? (security ? 5 : 1000),
    maxPendingBytes: options.maxPendingBytes ?? (security ? 16 : 8) * 1024 * 1024,
    minFreeBytes: options.minFreeBytes ?? (security ? 16 : 256) * 1024 * 1024,
    directIo: options.directIo ?? true,
    segment: recovered.nextSegment,
    nextSeq: recovered.nextSeq,
    nextCommit: recovered.nextCommit,
    chain: recovered.chain,
  });
  await writer.open();
  if (options.onState) writer.onState(options.onState);
  for (const gap of recovered.gaps) options.onGap?.(gap);
  return { writer, recovered };
}
