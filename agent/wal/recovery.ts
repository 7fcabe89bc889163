/**
 * Finds where a lane's log ends and what its last run lost.
 *
 * Only the end is scanned: the last segment (and the one before while the last holds nothing), plus the headers of the
 * last run for missing files. Damage further back is found by readers and by verify. Nothing is changed, except that
 * segments at the end that hold nothing are removed: those prepared and never used (all zeros), and those whose first
 * write, again of a commit that had failed in the segment before and stands there whole after all, never finished.
 */
import { mkdirSync, readFileSync, unlinkSync } from 'node:fs';
import { basename } from 'node:path';
import {
  CommitFlag,
  HEADER_BYTES,
  PAGE,
  type SegmentHeader,
  ZERO_CHAIN,
  decodeCommitHead,
  decodeHeader,
  isZero,
} from './format.ts';
import { WalError } from './errors.ts';
import { type Scan, lastNonZero, scanSegment } from './scan.ts';
import { type SegmentFileInfo, listSegments, readHeader, readImage } from './segments.ts';
import type { WalGap, WalOptions, WalRecovered } from './types.ts';

/** Where the writer goes on, beside what it tells its caller. */
export interface RecoveryPoint {
  recovered: WalRecovered;
  nextSegment: number;
  nextSeq: number;
  nextCommit: number;
  chain: Buffer;
}

interface End {
  nextSeq: number;
  nextCommit: number;
  chain: Buffer;
  wallNs: bigint;
  clean: boolean;
  tornBytes: number;
  gaps: WalGap[];
}

/** Recovers the folder, creating it if needed. Throws WalError if it belongs to another lane or format version. */
export function recover(options: WalOptions): RecoveryPoint {
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  const files = listSegments(options.dir);
  const next = (files.at(-1)?.number ?? 0) + 1;
  while (files.length > 0 && removeIfUnused(files.at(-1) as SegmentFileInfo)) files.pop();
  const end = findEnd(files, options);
  const last = end.nextSeq - 1;
  const witness = options.witnessSeq ?? 0;
  if (witness > last) {
    end.gaps.push({
      fromSeq: end.nextSeq,
      toSeq: witness,
      cause: 'wal_corruption',
      segment: files.at(-1)?.number ?? 0,
      fromWallNs: end.wallNs,
      toWallNs: BigInt(Date.now()) * 1_000_000n,
      detail: `records up to ${witness} had been handed out, the log ends at ${last}`,
    });
    end.nextSeq = witness + 1;
  }
  return {
    recovered: {
      lastSeq: end.nextSeq - 1,
      lastCommitNo: end.nextCommit - 1,
      lastChain: end.chain.toString('hex'),
      lastWallNs: end.wallNs,
      gaps: end.gaps,
      truncatedBytes: end.tornBytes,
      cleanShutdown: end.clean,
      segments: files.length,
    },
    // Numbers of removed segments were never used; the count stays without holes.
    nextSegment: files.length === 0 ? next : (files.at(-1) as SegmentFileInfo).number + 1,
    nextSeq: end.nextSeq,
    nextCommit: end.nextCommit,
    chain: end.chain,
  };
}

function removeIfUnused(file: SegmentFileInfo): boolean {
  if (file.compressed || !readHeader(file).unborn) return false;
  // Two zeroed headers before anything else is damage, or the torn first write of the segment: keep it.
  const bytes = readFileSync(file.path);
  if (!isZero(bytes, 0, bytes.length)) return false;
  unlinkSync(file.path);
  return true;
}

/**
 * Whether the last segment, which holds no commit, took over one whose write had failed, and the power went before any
 * of it was whole, while the failed write is found whole in the segment before. Readers deliver that commit, so the
 * next run must go on behind it: with the numbers of this segment's header it would give them a second time, to other
 * records.
 */
function isNeedless(image: Buffer, header: SegmentHeader, previous: SegmentFileInfo): boolean {
  const before = readHeader(previous).header;
  if (previous.compressed || before === undefined || before.epoch !== header.epoch) return false;
  const again = scanSegment(readImage(previous), before).commits.find(
    ({ commitNo, baseSeq }) => commitNo === header.firstCommit && baseSeq === header.baseSeq,
  );
  // Anything behind that one write would be damage of what was acknowledged: it stays, to be stated.
  return again !== undefined && isZero(image, HEADER_BYTES + again.paddedBytes, image.length);
}

/** May remove the last of `files`, see `isNeedless`. */
function findEnd(files: SegmentFileInfo[], options: WalOptions): End {
  const fresh: End = {
    nextSeq: 1,
    nextCommit: 1,
    chain: ZERO_CHAIN,
    wallNs: 0n,
    clean: files.length === 0,
    tornBytes: 0,
    gaps: [],
  };
  // Segments at the end whose headers are both lost, last first.
  const lost: SegmentFileInfo[] = [];
  for (let index = files.length - 1; index >= 0; index--) {
    const file = files[index] as SegmentFileInfo;
    const { header } = readHeader(file);
    if (header === undefined) {
      lost.push(file);
      continue;
    }
    checkBelongs(header, file, options);
    const image = readImage(file);
    const scan = scanSegment(image, header);
    const previous = files[index - 1];
    let gaps: WalGap[] = [];
    if (scan.commits.length === 0 && previous !== undefined && lost.length === 0) {
      if (!file.compressed && isNeedless(image, header, previous)) {
        unlinkSync(file.path);
        files.pop();
        continue;
      }
      gaps = gapsBefore(previous, header);
    }
    const end = endOf(scan, header, gaps);
    gaps.push(...missingFiles(files.slice(0, index + 1), header.epoch));
    if (lost.length > 0) addLost(end, lost.reverse());
    return end;
  }
  if (lost.length > 0) addLost(fresh, lost.reverse());
  return fresh;
}

function checkBelongs(header: SegmentHeader, file: SegmentFileInfo, options: WalOptions): void {
  if (header.lane !== options.lane || header.segment !== file.number) {
    throw new WalError(
      `${file.path} is segment ${header.segment} of the ${header.lane} lane, not segment ${file.number} of the ` +
        `${options.lane} lane; each lane needs a folder of its own, and files keep their names`,
    );
  }
}

function endOf(scan: Scan, header: SegmentHeader, gaps: WalGap[]): End {
  const last = scan.commits.at(-1);
  const wallNs = last?.wallNs ?? header.wallNs;
  for (const hole of scan.holes) {
    gaps.push({
      fromSeq: hole.fromSeq,
      toSeq: hole.toSeq,
      cause: 'wal_corruption',
      segment: header.segment,
      fromWallNs: scan.commits[hole.after - 1]?.wallNs ?? header.wallNs,
      toWallNs: scan.commits[hole.after]?.wallNs ?? wallNs,
      detail: `commits ${hole.fromCommit} to ${hole.toCommit} at byte ${hole.offset} do not verify`,
    });
  }
  if (scan.tornBytes > 0) gaps.push(tornTail(scan.nextSeq, header.segment, wallNs, scan.tornBytes));
  return {
    nextSeq: scan.nextSeq,
    nextCommit: scan.nextCommit,
    chain: last?.chain ?? header.prevChain,
    wallNs,
    clean: last !== undefined && (last.flags & CommitFlag.cleanClose) !== 0 && scan.tornBytes === 0,
    tornBytes: scan.tornBytes,
    gaps,
  };
}

/** An empty range: how many records were in the torn commit cannot be known, and none was acknowledged. */
function tornTail(nextSeq: number, segment: number, wallNs: bigint, bytes: number): WalGap {
  return {
    fromSeq: nextSeq,
    toSeq: nextSeq - 1,
    cause: 'torn_tail',
    segment,
    fromWallNs: wallNs,
    toWallNs: wallNs,
    detail:
      `the last write of the previous run (${bytes} bytes) does not verify: it was in flight when the run ended ` +
      'and never acknowledged, or it was damaged since',
  };
}

/** Records that the segment before should hold, by the header after it, and does not. */
function gapsBefore(previous: SegmentFileInfo, header: SegmentHeader): WalGap[] {
  const before = readHeader(previous).header;
  if (before === undefined || before.epoch !== header.epoch) return [];
  const scan = scanSegment(readImage(previous), before, header.firstCommit);
  const { gaps } = endOf({ ...scan, tornBytes: 0 }, before, []);
  if (scan.nextSeq < header.baseSeq) {
    gaps.push({
      fromSeq: scan.nextSeq,
      toSeq: header.baseSeq - 1,
      cause: 'wal_corruption',
      segment: previous.number,
      fromWallNs: scan.commits.at(-1)?.wallNs ?? before.wallNs,
      toWallNs: header.wallNs,
      detail: `commits from ${scan.nextCommit} at byte ${scan.end} do not verify`,
    });
  }
  return gaps;
}

/** Numbers that lack among the segments of the last run. */
function missingFiles(files: readonly SegmentFileInfo[], epoch: number): WalGap[] {
  const gaps: WalGap[] = [];
  for (let index = files.length - 1; index > 0; index--) {
    const file = files[index] as SegmentFileInfo;
    const previous = files[index - 1] as SegmentFileInfo;
    const { header } = readHeader(file);
    if (header === undefined || header.epoch !== epoch) break;
    if (previous.number === file.number - 1) continue;
    const before = readHeader(previous).header;
    const scan = before && scanSegment(readImage(previous), before);
    gaps.push({
      fromSeq: scan?.nextSeq ?? header.baseSeq,
      toSeq: header.baseSeq - 1,
      cause: 'missing_segment',
      segment: previous.number + 1,
      fromWallNs: scan?.commits.at(-1)?.wallNs ?? before?.wallNs ?? header.wallNs,
      toWallNs: header.wallNs,
      detail: `segments ${previous.number + 1} to ${file.number - 1} are not there`,
    });
  }
  return gaps;
}

/**
 * Segments without a header cannot be checked. One that holds a single commit at most is the torn first write of a
 * segment. More than that were written, so they are lost records; their numbers are taken from what the bytes claim,
 * so that none is used twice.
 */
function addLost(end: End, lost: readonly SegmentFileInfo[]): void {
  for (const file of lost) {
    const image = readImage(file);
    let claimed = end.nextSeq - 1;
    let claimedCommit = end.nextCommit - 1;
    let commits = 0;
    let firstEnd = HEADER_BYTES;
    for (let at = HEADER_BYTES; at + PAGE <= image.length; at += PAGE) {
      const head = decodeCommitHead(image, at);
      // A random page passes as a commit head now and then; one that claims more than fits does not count.
      if (head === undefined || head.bodyBytes > image.length || head.count > head.bodyBytes / 32) continue;
      if (head.baseSeq < end.nextSeq || head.baseSeq > claimed + 1 + image.length / 32) continue;
      commits++;
      if (commits === 1) firstEnd = at + head.paddedBytes;
      claimed = Math.max(claimed, head.baseSeq + head.count - 1);
      claimedCommit = Math.max(claimedCommit, head.commitNo);
    }
    const used = lastNonZero(image, 0);
    end.tornBytes += used;
    end.clean = false;
    if (commits <= 1 && used <= firstEnd && decodeHeader(image).header === undefined) {
      end.gaps.push(tornTail(end.nextSeq, file.number, end.wallNs, used));
      continue;
    }
    end.gaps.push({
      fromSeq: end.nextSeq,
      toSeq: claimed,
      cause: 'wal_corruption',
      segment: file.number,
      fromWallNs: end.wallNs,
      toWallNs: end.wallNs,
      detail: `both headers of ${basename(file.path)} are damaged: its ${commits} commits cannot be checked`,
    });
    end.nextSeq = Math.max(end.nextSeq, claimed + 1);
    end.nextCommit = Math.max(end.nextCommit, claimedCommit + 1);
  }
}
