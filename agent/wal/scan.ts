/** Walks the commits of one segment image: what is valid, what is missing, where it ends. Used by recovery and verify. */
import {
  HEADER_BYTES,
  PAGE,
  type CommitInfo,
  type SegmentHeader,
  decodeCommit,
  decodeCommitHead,
} from './format.ts';

/** Commits that should be between two valid places and are not. */
export interface Hole {
  offset: number;
  fromCommit: number;
  /** Last missing commit; fromCommit - 1 if nothing but bytes is missing. */
  toCommit: number;
  fromSeq: number;
  toSeq: number;
  /** Number of valid commits before it in this segment. */
  after: number;
}

export interface Scan {
  commits: CommitInfo[];
  holes: Hole[];
  /** Where the next commit would start. */
  end: number;
  /** Bytes from `end` to the last byte that is not zero: a torn write, or damage. */
  tornBytes: number;
  /** Numbers that follow the last valid commit. */
  nextCommit: number;
  nextSeq: number;
}

/** Where the last non-zero byte ends; `from` if there is none after it. */
export function lastNonZero(image: Buffer, from: number): number {
  let end = image.length;
  while (end > from && image[end - 1] === 0) end--;
  return end;
}

/** Next valid commit at or after `offset` with a number of at least `commitNo`. */
export function findValid(
  image: Buffer,
  offset: number,
  commitNo: number,
  baseSeq: number,
  salt: number,
): CommitInfo | undefined {
  for (let at = offset; at + PAGE <= image.length; at += PAGE) {
    const head = decodeCommitHead(image, at);
    if (head === undefined || head.commitNo < commitNo || head.baseSeq < baseSeq) continue;
    const commit = decodeCommit(image, at, salt);
    if (commit !== undefined) return commit;
  }
  return undefined;
}

/**
 * Scans a whole image. `stopAt` is the next segment's first_commit when there is one: commits from there on are
 * superseded, and whatever lacks before it is a hole.
 */
export function scanSegment(image: Buffer, header: SegmentHeader, stopAt = Infinity): Scan {
  const scan: Scan = {
    commits: [],
    holes: [],
    end: HEADER_BYTES,
    tornBytes: 0,
    nextCommit: header.firstCommit,
    nextSeq: header.baseSeq,
  };
  let offset = HEADER_BYTES;
  while (offset + PAGE <= image.length && scan.nextCommit < stopAt) {
    let commit = decodeCommit(image, offset, header.salt);
    if (commit === undefined || commit.commitNo !== scan.nextCommit || commit.baseSeq !== scan.nextSeq) {
      commit = findValid(image, offset, scan.nextCommit, scan.nextSeq, header.salt);
      if (commit === undefined || commit.commitNo >= stopAt) break;
      scan.holes.push({
        offset,
        fromCommit: scan.nextCommit,
        toCommit: commit.commitNo - 1,
        fromSeq: scan.nextSeq,
        toSeq: commit.baseSeq - 1,
        after: scan.commits.length,
      });
    }
    scan.commits.push(commit);
    offset = commit.offset + commit.paddedBytes;
    scan.end = offset;
    scan.nextCommit = commit.commitNo + 1;
    scan.nextSeq = commit.baseSeq + commit.count;
  }
  scan.tornBytes = lastNonZero(image, scan.end) - scan.end;
  return scan;
}
