/**
 * Checks a lane's log from its files alone: headers, checksums, the hash chain recomputed, sequence numbers over
 * commits and segments, and through the caller's functions the signatures of checkpoints and gaps. Says where each
 * problem is. A log that is being written verifies too: what is not yet complete at its end is a note.
 */
import { basename } from 'node:path';
import {
  chainAfter,
  COMMIT_HEAD,
  CommitFlag,
  decodeRecord,
  HEADER_BYTES,
  recordBytes,
  ZERO_CHAIN,
  type CommitInfo,
  type SegmentHeader,
} from './format.ts';
import { scanSegment, type Scan } from './scan.ts';
import { listSegments, readHeader, readImage, type SegmentFileInfo } from './segments.ts';
import { RecordType, type WalRecord } from './types.ts';

export interface WalFinding {
  /** `note` is nothing wrong: a torn tail that was never acknowledged, an end without a clean stop. */
  severity: 'error' | 'note';
  kind:
    | 'unreadable'
    | 'bad_header'
    | 'header_copy'
    | 'wrong_place'
    | 'missing_segment'
    | 'missing_commits'
    | 'broken_chain'
    | 'bad_records'
    | 'torn_tail'
    | 'not_closed'
    | 'bad_checkpoint'
    | 'checkpoint_mismatch'
    | 'bad_gap';
  /** File name. */
  segment: string;
  /** Byte in the (uncompressed) segment. */
  offset: number;
  commitNo?: number;
  seq?: number;
  detail: string;
}

/** What the caller reads from a checkpoint record; `valid` is whether its signature holds. */
export interface CheckedCheckpoint {
  lane: string;
  upToSeq: number;
  commitNo: number;
  /** Hex. */
  chain: string;
  tsNs: bigint;
  valid: boolean;
}

export interface VerifyOptions {
  /** Undefined for a payload that is no checkpoint. */
  checkCheckpoint: (payload: Buffer) => CheckedCheckpoint | undefined;
  /** Whether a gap record's signature holds. */
  checkGap: (payload: Buffer) => boolean;
}

export interface WalVerifyReport {
  dir: string;
  ok: boolean;
  segments: number;
  commits: number;
  records: number;
  /** 0 when there are none. */
  firstSeq: number;
  lastSeq: number;
  checkpoints: number;
  /** Records up to here are vouched for by a signature; 0 for none. */
  signedUpToSeq: number;
  gaps: number;
  errors: number;
  /** The first MAX_FINDINGS; `errors` counts all. */
  findings: WalFinding[];
}

const MAX_FINDINGS = 1000;
/** Commits whose chain is remembered for checkpoints that refer back to them. */
const MAX_CHAINS = 65_536;

class Verifier {
  readonly report: WalVerifyReport;
  readonly #options: VerifyOptions;
  readonly #chains = new Map<number, string>();
  #chain: Buffer | undefined;
  #nextCommit = 0;
  #nextSeq = 0;
  #oldestCommit = 0;
  #lastFlags = 0;

  constructor(dir: string, options: VerifyOptions) {
    this.#options = options;
    this.report = {
      dir,
      ok: true,
      segments: 0,
      commits: 0,
      records: 0,
      firstSeq: 0,
      lastSeq: 0,
      checkpoints: 0,
      signedUpToSeq: 0,
      gaps: 0,
      errors: 0,
      findings: [],
    };
  }

  add(finding: WalFinding): void {
    const { report } = this;
    if (finding.severity === 'error') {
      report.errors += 1;
      report.ok = false;
    }
    if (report.findings.length < MAX_FINDINGS) report.findings.push(finding);
  }

  /** Checks one segment; `next` is the header of the one after it. */
  segment(file: SegmentFileInfo, header: SegmentHeader, next: SegmentHeader | undefined): void {
    const name = basename(file.path);
    this.report.segments += 1;
    if (header.segment !== file.number) {
      const detail = `the header says segment ${header.segment}: the file was renamed or copied here`;
      this.add({ severity: 'error', kind: 'wrong_place', segment: name, offset: 0, detail });
    }
    if (this.#chain === undefined) this.#begin(header);
    else this.#join(name, header);
    let image: Buffer;
    try {
      image = readImage(file);
    } catch (error) {
      this.add({
        severity: 'error',
        kind: 'unreadable',
        segment: name,
        offset: 0,
        detail: (error as Error).message,
      });
      this.#chain = undefined;
      return;
    }
    const scan = scanSegment(image, header, next?.firstCommit);
    for (const hole of scan.holes)
      this.#hole(name, hole.offset, hole.fromCommit, hole.toCommit, hole.fromSeq, hole.toSeq);
    const holeAfter = new Set(scan.holes.map((hole) => hole.after));
    for (const [index, commit] of scan.commits.entries()) {
      if (holeAfter.has(index)) this.#chain = undefined;
      this.#commit(name, image, commit);
    }
    this.#end(name, scan, next);
  }

  /** The oldest segment there is: what came before it left by retention, or never was. */
  #begin(header: SegmentHeader): void {
    this.#chain = header.prevChain;
    this.#nextCommit = header.firstCommit;
    this.#nextSeq = header.baseSeq;
    this.#oldestCommit = header.firstCommit;
    if (header.firstCommit === 1 && !header.prevChain.equals(ZERO_CHAIN)) {
      const detail = 'the first commit of all has something before it';
      this.add({ severity: 'error', kind: 'broken_chain', segment: '', offset: 0, commitNo: 1, detail });
    }
  }

  #join(name: string, header: SegmentHeader): void {
    if (header.firstCommit !== this.#nextCommit || header.baseSeq !== this.#nextSeq) {
      const detail = `starts at commit ${header.firstCommit}, record ${header.baseSeq}; expected ${this.#nextCommit}, ${this.#nextSeq}`;
      this.add({
        severity: 'error',
        kind: 'missing_commits',
        segment: name,
        offset: 0,
        commitNo: this.#nextCommit,
        seq: this.#nextSeq,
        detail,
      });
    } else if (this.#chain !== undefined && !this.#chain.equals(header.prevChain)) {
      const detail = 'does not continue the chain of the segment before it';
      this.add({
        severity: 'error',
        kind: 'broken_chain',
        segment: name,
        offset: 0,
        commitNo: header.firstCommit,
        detail,
      });
    }
    this.#chain = header.prevChain;
    this.#nextCommit = header.firstCommit;
    this.#nextSeq = header.baseSeq;
  }

  #hole(
    name: string,
    offset: number,
    fromCommit: number,
    toCommit: number,
    fromSeq: number,
    toSeq: number,
  ): void {
    const detail = `commits ${fromCommit} to ${toCommit} (records ${fromSeq} to ${toSeq}) are damaged or were removed`;
    this.add({
      severity: 'error',
      kind: 'missing_commits',
      segment: name,
      offset,
      commitNo: fromCommit,
      seq: fromSeq,
      detail,
    });
  }

  #commit(name: string, image: Buffer, commit: CommitInfo): void {
    const { report } = this;
    const at = { segment: name, offset: commit.offset, commitNo: commit.commitNo };
    if (this.#chain !== undefined) {
      const expected = chainAfter(this.#chain, image, commit.offset, commit.bodyBytes);
      if (!expected.equals(commit.chain)) {
        this.add({
          ...at,
          severity: 'error',
          kind: 'broken_chain',
          detail: 'its chain value does not follow from the commit before it',
        });
      }
    }
    this.#chain = commit.chain;
    this.#chains.set(commit.commitNo, commit.chain.toString('hex'));
    if (this.#chains.size > MAX_CHAINS) this.#chains.delete(commit.commitNo - MAX_CHAINS);
    report.commits += 1;
    this.#lastFlags = commit.flags;
    let offset = commit.offset + COMMIT_HEAD;
    const end = offset + commit.bodyBytes;
    for (let index = 0; index < commit.count; index++) {
      const record = offset + 32 <= end ? decodeRecord(image, offset) : undefined;
      if (
        !record ||
        offset + recordBytes(record.payload.length) > end ||
        record.seq !== commit.baseSeq + index
      ) {
        const seq = commit.baseSeq + index;
        this.add({
          ...at,
          severity: 'error',
          kind: 'bad_records',
          offset,
          seq,
          detail: `record ${seq} is not where it should be`,
        });
        break;
      }
      this.#record(at, record, offset);
      offset += recordBytes(record.payload.length);
    }
    this.#nextCommit = commit.commitNo + 1;
    this.#nextSeq = commit.baseSeq + commit.count;
  }

  #record(at: { segment: string; commitNo: number }, record: WalRecord, offset: number): void {
    const { report } = this;
    report.records += 1;
    if (report.firstSeq === 0) report.firstSeq = record.seq;
    report.lastSeq = record.seq;
    const place = { ...at, offset, seq: record.seq };
    if (record.type === RecordType.checkpoint) this.#checkpoint(place, record);
    else if (record.type === RecordType.gap) {
      report.gaps += 1;
      if (!this.#options.checkGap(record.payload)) {
        this.add({
          ...place,
          severity: 'error',
          kind: 'bad_gap',
          detail: 'the signature of this gap does not hold',
        });
      }
    }
  }

  #checkpoint(
    place: { segment: string; commitNo: number; offset: number; seq: number },
    record: WalRecord,
  ): void {
    const checkpoint = this.#options.checkCheckpoint(record.payload);
    this.report.checkpoints += 1;
    if (!checkpoint?.valid) {
      this.add({
        ...place,
        severity: 'error',
        kind: 'bad_checkpoint',
        detail: 'the signature of this checkpoint does not hold',
      });
      return;
    }
    const chain = this.#chains.get(checkpoint.commitNo);
    if (chain === undefined) {
      if (checkpoint.commitNo < this.#oldestCommit || checkpoint.commitNo <= this.#nextCommit - MAX_CHAINS)
        return;
      const detail = `it vouches for commit ${checkpoint.commitNo}, which is not in the files`;
      this.add({ ...place, severity: 'error', kind: 'checkpoint_mismatch', detail });
      return;
    }
    if (chain !== checkpoint.chain) {
      const detail = `commit ${checkpoint.commitNo} is not the one that was signed: something up to record ${checkpoint.upToSeq} was changed`;
      this.add({ ...place, severity: 'error', kind: 'checkpoint_mismatch', detail });
      return;
    }
    this.report.signedUpToSeq = Math.max(this.report.signedUpToSeq, checkpoint.upToSeq);
  }

  #end(name: string, scan: Scan, next: SegmentHeader | undefined): void {
    if (next && scan.nextCommit < next.firstCommit && next.firstCommit > this.#oldestCommit) {
      this.#hole(name, scan.end, scan.nextCommit, next.firstCommit - 1, scan.nextSeq, next.baseSeq - 1);
      this.#chain = undefined;
      this.#nextCommit = next.firstCommit;
      this.#nextSeq = next.baseSeq;
    } else if (scan.tornBytes > 0 && (next === undefined || scan.nextCommit === next.firstCommit)) {
      const detail = `${scan.tornBytes} bytes after the last commit: a write that was cut off and never acknowledged, or damage to the last commit`;
      this.add({
        severity: 'note',
        kind: 'torn_tail',
        segment: name,
        offset: scan.end,
        commitNo: scan.nextCommit,
        seq: scan.nextSeq,
        detail,
      });
    }
    if (next === undefined && (this.#lastFlags & CommitFlag.cleanClose) === 0) {
      const detail = 'the log has no clean end: the agent is running, was killed, or the end was cut off';
      this.add({
        severity: 'note',
        kind: 'not_closed',
        segment: name,
        offset: Math.max(scan.end, HEADER_BYTES),
        detail,
      });
    }
  }
}

/** Verifies the log in `dir`. Reads every byte; never writes. Throws what the system says of the folder itself. */
export function verifyWal(dir: string, options: VerifyOptions): WalVerifyReport {
  const verifier = new Verifier(dir, options);
  const born: { file: SegmentFileInfo; header: SegmentHeader }[] = [];
  const files = listSegments(dir);
  for (const [index, file] of files.entries()) {
    const name = basename(file.path);
    const before = files[index - 1];
    if (before && file.number !== before.number + 1) {
      const detail = `segments ${before.number + 1} to ${file.number - 1} are missing`;
      verifier.add({ severity: 'error', kind: 'missing_segment', segment: name, offset: 0, detail });
    }
    try {
      const { header, badCopies, unborn } = readHeader(file);
      if (header) born.push({ file, header });
      else if (!unborn) {
        verifier.add({
          severity: 'error',
          kind: 'bad_header',
          segment: name,
          offset: 0,
          detail: 'both copies of the header are damaged',
        });
      }
      if (header && badCopies.length > 0) {
        const detail = `copy ${(badCopies[0] ?? 0) + 1} of the header is damaged; the other one was used`;
        verifier.add({
          severity: 'error',
          kind: 'header_copy',
          segment: name,
          offset: (badCopies[0] ?? 0) * 4096,
          detail,
        });
      }
    } catch (error) {
      verifier.add({
        severity: 'error',
        kind: 'unreadable',
        segment: name,
        offset: 0,
        detail: (error as Error).message,
      });
    }
  }
  for (const [index, { file, header }] of born.entries())
    verifier.segment(file, header, born[index + 1]?.header);
  return verifier.report;
}
