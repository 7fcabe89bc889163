/**
 * Checks a lane's whole log from its files alone: header copies, checksums of commits and records, the hash chain over
 * segments, continuity of sequence and commit numbers, and, through injected functions, the signatures of checkpoints
 * and gaps. Every finding names segment, byte, commit and record.
 *
 * A log cut short after its last checkpoint cannot be told from one that ended there: `coveredUpToSeq` says how far the
 * signatures reach.
 */
import { basename } from 'node:path';
import {
  COMMIT_HEAD,
  CommitFlag,
  type CommitInfo,
  RECORD_HEAD,
  type SegmentHeader,
  chainAfter,
  decodeHeader,
  decodeRecord,
  recordBytes,
} from './format.ts';
import { crc32c } from './crc32c.ts';
import { type Scan, scanSegment } from './scan.ts';
import { type SegmentFileInfo, listSegments, readHeader, readImage } from './segments.ts';
import { RecordType, type WalRecord } from './types.ts';
import type { VerifyOptions, VerifyReport, WalFinding } from './verify-report.ts';

/** A checkpoint signs a commit of the last second or so; older ones than this cannot be looked up any more. */
const REMEMBERED_COMMITS = 100_000;

/** Verifies the log in `dir`. A live writer may append meanwhile; what it writes after the listing does not count. */
export async function verifyWal(dir: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  const files = listSegments(dir);
  const walk = new Walk(dir, options);
  for (let index = 0; index < files.length; index++) {
    walk.segment(files[index] as SegmentFileInfo, files[index + 1]);
    // Other work goes on between segments.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return walk.report;
}

class Walk {
  readonly report: VerifyReport;
  readonly #options: VerifyOptions;
  /** Chain and last sequence number after the commits met last. */
  readonly #remembered = new Map<number, { chain: string; lastSeq: number }>();
  #previous: { number: number; nextSeq: number; nextCommit: number; chain: Buffer | undefined } | undefined;
  #epoch = -1;
  #device: string | undefined;
  /** Raw segments are read into this one after the other. */
  #image: Buffer = Buffer.alloc(0);

  constructor(dir: string, options: VerifyOptions) {
    this.#options = options;
    this.report = {
      dir,
      ok: true,
      lane: '',
      segments: 0,
      compressedSegments: 0,
      bytes: 0,
      commits: 0,
      records: 0,
      firstSeq: 0,
      lastSeq: 0,
      epochs: 0,
      checkpoints: 0,
      gaps: 0,
      coveredUpToSeq: 0,
      cleanShutdown: true,
      findings: [],
      findingCount: 0,
    };
  }

  #find(finding: WalFinding): void {
    if (finding.level === 'error') this.report.ok = false;
    this.report.findingCount++;
    if (this.report.findings.length < (this.#options.maxFindings ?? 1000)) this.report.findings.push(finding);
  }

  segment(file: SegmentFileInfo, following: SegmentFileInfo | undefined): void {
    const image = this.#read(file);
    if (image === undefined) return;
    const { header, badCopies, unborn } = decodeHeader(image);
    if (unborn && image.every((byte) => byte === 0)) return;
    this.report.segments++;
    if (file.compressed) this.report.compressedSegments++;
    this.report.bytes += image.length;
    if (header === undefined) {
      const detail = `neither header copy of ${basename(file.path)} is valid: nothing in it can be checked`;
      this.#find({ ...this.#startOf(file), kind: 'header_lost', detail });
      return;
    }
    for (const copy of badCopies) {
      const detail = `header copy ${copy + 1} of 2 does not verify; the other one does`;
      const seq = header.baseSeq;
      this.#find({
        kind: 'header_copy',
        level: 'error',
        segment: file.number,
        offset: copy * 4096,
        seq,
        detail,
      });
    }
    this.#checkHeader(header, file);
    this.#epoch = header.epoch;
    const next = following?.number === file.number + 1 ? nextHeader(following) : undefined;
    const scan = scanSegment(image, header, next?.firstCommit);
    this.#checkScan(scan, header, next, image.length);
    this.#checkCommits(image, scan, header);
    const last = scan.commits.at(-1);
    this.report.cleanShutdown = last !== undefined && (last.flags & CommitFlag.cleanClose) !== 0;
    this.#previous = {
      number: file.number,
      nextSeq: scan.nextSeq,
      nextCommit: scan.nextCommit,
      chain: last?.chain ?? header.prevChain,
    };
  }

  /** Start of a segment that does not say what it holds: its first record should follow the last one met. */
  #startOf(file: SegmentFileInfo): Omit<WalFinding, 'kind' | 'detail'> {
    return { level: 'error', segment: file.number, offset: 0, seq: this.#previous?.nextSeq ?? 1 };
  }

  #read(file: SegmentFileInfo): Buffer | undefined {
    try {
      const image = readImage(file, this.#image);
      if (!file.compressed && image.length > this.#image.length) this.#image = image;
      return image;
    } catch (error) {
      // Compressed or removed by retention since the listing.
      const again = listSegments(this.report.dir).find((other) => other.number === file.number);
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        if (again?.compressed && !file.compressed) return this.#read(again);
        if (again === undefined && this.#previous === undefined) return undefined;
      }
      const detail = (error as Error).message;
      this.#find({ ...this.#startOf(file), kind: 'unreadable_segment', detail });
      return undefined;
    }
  }

  #checkHeader(header: SegmentHeader, file: SegmentFileInfo): void {
    const { report } = this;
    const at = { level: 'error', segment: file.number, offset: 0, seq: header.baseSeq } as const;
    if (report.lane === '') report.lane = header.lane;
    this.#device ??= header.deviceId;
    if (header.lane !== report.lane || header.segment !== file.number || header.deviceId !== this.#device) {
      const detail =
        `header says segment ${header.segment} of the ${header.lane} lane of device ${header.deviceId}, ` +
        `this should be segment ${file.number} of the ${report.lane} lane of device ${this.#device}`;
      this.#find({ ...at, kind: 'foreign_segment', detail });
    }
    if (header.epoch !== this.#epoch) report.epochs++;
    const previous = this.#previous;
    if (previous === undefined) {
      report.firstSeq = header.baseSeq;
      return;
    }
    if (file.number !== previous.number + 1) {
      const detail = `segments ${previous.number + 1} to ${file.number - 1} are missing`;
      this.#find({ ...at, kind: 'missing_segment', seq: previous.nextSeq, detail });
      return;
    }
    if (header.baseSeq === previous.nextSeq && header.firstCommit === previous.nextCommit) {
      if (previous.chain && !header.prevChain.equals(previous.chain)) {
        const detail = 'the chain in the header is not that of the segment before';
        this.#find({
          ...at,
          kind: 'chain_broken',
          commitNo: header.firstCommit,
          seq: header.baseSeq,
          detail,
        });
      }
    } else if (header.epoch === this.#epoch || header.firstCommit < previous.nextCommit) {
      const detail =
        `the segment before ends with commit ${previous.nextCommit - 1}, record ${previous.nextSeq - 1}; ` +
        `this one starts with commit ${header.firstCommit}, record ${header.baseSeq}`;
      this.#find({
        ...at,
        kind: 'numbers_broken',
        commitNo: previous.nextCommit,
        seq: previous.nextSeq,
        detail,
      });
    } else {
      const detail =
        `records ${previous.nextSeq} to ${header.baseSeq - 1} were known to the run that started this segment ` +
        'and are not in the files';
      this.#find({
        ...at,
        kind: 'numbers_broken',
        commitNo: header.firstCommit,
        seq: previous.nextSeq,
        detail,
      });
    }
  }

  #checkScan(scan: Scan, header: SegmentHeader, next: SegmentHeader | undefined, bytes: number): void {
    const segment = header.segment;
    for (const hole of scan.holes) {
      this.#find({
        kind: 'commit_damaged',
        level: 'error',
        segment,
        offset: hole.offset,
        commitNo: hole.fromCommit,
        seq: hole.fromSeq,
        detail:
          `commits ${hole.fromCommit} to ${hole.toCommit} (records ${hole.fromSeq} to ${hole.toSeq}) do not verify; ` +
          'a later one does',
      });
    }
    const place = { segment, offset: scan.end, commitNo: scan.nextCommit, seq: scan.nextSeq } as const;
    if (next !== undefined && scan.nextCommit < next.firstCommit) {
      const detail =
        `commits ${scan.nextCommit} to ${next.firstCommit - 1} (records ${scan.nextSeq} to ${next.baseSeq - 1}) ` +
        'do not verify; the next segment follows them';
      this.#find({ ...place, kind: 'commit_damaged', level: 'error', detail });
    } else if (scan.tornBytes > 0 && bytes !== header.segmentBytes) {
      // Cut to what it holds when it was finished; nothing is ever written to it after that.
      const detail = `${scan.tornBytes} bytes were added behind the last commit of a finished segment`;
      this.#find({ ...place, kind: 'trailing_bytes', level: 'error', detail });
    } else if (scan.tornBytes > 0) {
      const detail =
        next === undefined
          ? `${scan.tornBytes} bytes after the last valid commit: being written now, or torn, or damaged since`
          : `${scan.tornBytes} bytes after the last valid commit: a write that failed or was torn, never acknowledged`;
      this.#find({ ...place, kind: 'torn_tail', level: 'note', detail });
    }
  }

  #checkCommits(image: Buffer, scan: Scan, header: SegmentHeader): void {
    let chain: Buffer | undefined = header.prevChain;
    let expected = header.firstCommit;
    for (const commit of scan.commits) {
      // After a hole the chain goes on from what the commit itself says.
      if (commit.commitNo === expected && chain !== undefined) {
        const computed = chainAfter(chain, image, commit.offset, commit.bodyBytes);
        if (!computed.equals(commit.chain)) {
          const detail = 'the chain stored in the commit is not the hash of what came before and its content';
          this.#find({ ...placeOf(header, commit), kind: 'chain_broken', detail });
        }
      }
      chain = commit.chain;
      expected = commit.commitNo + 1;
      this.#remember(commit);
      this.#checkRecords(image, commit, header);
      this.report.commits++;
    }
  }

  #remember(commit: CommitInfo): void {
    const lastSeq = commit.baseSeq + commit.count - 1;
    this.#remembered.set(commit.commitNo, { chain: commit.chain.toString('hex'), lastSeq });
    this.#remembered.delete(commit.commitNo - REMEMBERED_COMMITS);
  }

  #checkRecords(image: Buffer, commit: CommitInfo, header: SegmentHeader): void {
    const end = commit.offset + COMMIT_HEAD + commit.bodyBytes;
    let at = commit.offset + COMMIT_HEAD;
    let seq = commit.baseSeq;
    while (at + RECORD_HEAD <= end) {
      const record = decodeRecord(image, at);
      const length = recordBytes(record.payload.length);
      const place = { ...placeOf(header, commit), offset: at, seq };
      const valid =
        at + length <= end &&
        crc32c(header.salt, image, at + 4, at + RECORD_HEAD + record.payload.length) ===
          image.readUInt32LE(at);
      if (!valid || record.seq !== seq) {
        const detail = valid ? `record says it is ${record.seq}` : 'the checksum of the record is wrong';
        this.#find({ ...place, kind: 'record_damaged', detail });
      }
      if (at + length > end) break;
      if (valid) this.#checkContent(record, commit, place);
      this.report.lastSeq = seq;
      this.report.records++;
      seq++;
      at += length;
    }
    if (seq - commit.baseSeq !== commit.count || at !== end) {
      const detail = `the commit says it holds ${commit.count} records, there are ${seq - commit.baseSeq}`;
      this.#find({ ...placeOf(header, commit), kind: 'numbers_broken', detail });
    }
  }

  #checkContent(record: WalRecord, commit: CommitInfo, place: Omit<WalFinding, 'kind' | 'detail'>): void {
    if (record.type === RecordType.gap) {
      this.report.gaps++;
      if (this.#options.checkGap?.(record.payload) === false) {
        const detail = 'the gap is not signed by a known key';
        this.#find({ ...place, kind: 'gap_invalid', detail });
      }
    }
    if (record.type !== RecordType.checkpoint) return;
    this.report.checkpoints++;
    if (this.#options.checkCheckpoint === undefined) return;
    const checkpoint = this.#options.checkCheckpoint(record.payload);
    if (checkpoint === undefined || !checkpoint.valid || checkpoint.lane !== this.report.lane) {
      const detail = 'the checkpoint is unreadable, of another lane, or not signed by a known key';
      this.#find({ ...place, kind: 'checkpoint_invalid', detail });
      return;
    }
    const signed = this.#remembered.get(checkpoint.commitNo);
    if (signed === undefined && checkpoint.commitNo < (this.#remembered.keys().next().value ?? Infinity))
      return;
    if (
      signed === undefined ||
      checkpoint.commitNo >= commit.commitNo ||
      signed.chain !== checkpoint.chain ||
      signed.lastSeq !== checkpoint.upToSeq
    ) {
      const detail =
        `the checkpoint signs commit ${checkpoint.commitNo}, record ${checkpoint.upToSeq} with chain ` +
        `${checkpoint.chain.slice(0, 16)}…, which is not what the files hold`;
      this.#find({ ...place, kind: 'checkpoint_mismatch', detail });
      return;
    }
    this.report.coveredUpToSeq = Math.max(this.report.coveredUpToSeq, checkpoint.upToSeq);
  }
}

function placeOf(header: SegmentHeader, commit: CommitInfo): Omit<WalFinding, 'kind' | 'detail'> {
  return {
    level: 'error',
    segment: header.segment,
    offset: commit.offset,
    commitNo: commit.commitNo,
    seq: commit.baseSeq,
  };
}

function nextHeader(file: SegmentFileInfo): SegmentHeader | undefined {
  try {
    return readHeader(file).header;
  } catch {
    return undefined;
  }
}
