/** Follows one lane through an audit bundle: numbers, checksums, chain, checkpoints and signed records. */
import { crc32c } from '../wal/crc32c.ts';
import {
  CHAIN_BYTES,
  chainAfter,
  COMMIT_HEAD,
  decodeCommit,
  decodeCommitHead,
  decodeHeader,
  decodeRecord,
  padTo,
  PAGE,
  RECORD_HEAD,
  recordBytes,
  type CommitInfo,
  type SegmentHeader,
} from '../wal/format.ts';
import { RecordType, type WalRecord } from '../wal/types.ts';
import type { LaneSummary } from './bundle-format.ts';
import type { BundleFinding, LaneReport } from './bundle-report.ts';
import { checkpointBytes, readCheckpoint, type Checkpoint } from './checkpoint.ts';
import type { SignatureVerifier } from '../identity/identity.ts';

/** A checkpoint signs a commit of the last second or so; older ones than this cannot be looked up any more. */
const REMEMBERED_COMMITS = 100_000;
const MAX_MISSING = 10_000;

export interface LanePlace {
  offset: number;
  frame: number;
}

export interface LaneWatch {
  device: string | undefined;
  /** Everything is here that the log held: the first commit is the first of its segment. */
  whole: boolean;
  verifier: SignatureVerifier;
  find: (finding: BundleFinding) => void;
  /** Each record whose checksum holds, except checkpoints. */
  onRecord: (record: WalRecord, lane: string, place: LanePlace) => void;
  /** Kept elsewhere, for this lane, by commit number. */
  held: Map<number, { source: string; checkpoint: Checkpoint }>;
}

/** Records that are not in the bundle; forgiven when a signed gap covers them. */
export interface MissingRange extends LanePlace {
  lane: string;
  fromSeq: number;
  toSeq: number;
  commitNo: number;
  toCommit: number;
}

export class LaneWalk {
  readonly report: LaneReport;
  readonly missing: MissingRange[] = [];
  checkpointsMet = 0;
  readonly #watch: LaneWatch;
  readonly #remembered = new Map<number, { chain: string; lastSeq: number }>();
  #header: SegmentHeader | undefined;
  #chain: Buffer | undefined;
  #nextCommit = 0;
  #nextSeq = 0;
  /** First record that should be here. */
  #firstSeq = 0;
  #place: LanePlace = { offset: 0, frame: 0 };

  constructor(lane: string, watch: LaneWatch) {
    this.#watch = watch;
    this.report = {
      lane,
      segments: 0,
      commits: 0,
      records: 0,
      firstSeq: 0,
      lastSeq: 0,
      firstCommit: 0,
      lastCommit: 0,
      checkpoints: 0,
      coveredUpToSeq: 0,
    };
  }

  #find(kind: BundleFinding['kind'], detail: string, more: Partial<BundleFinding> = {}): void {
    const place = { ...this.#place, lane: this.report.lane, commitNo: this.#nextCommit };
    const seqs = { fromSeq: this.#nextSeq, toSeq: this.#nextSeq };
    this.#watch.find({ kind, level: 'error', ...place, ...seqs, detail, ...more });
  }

  /** Where in the lane the walk is: what damage between frames is about. */
  get next(): { lane: string; commitNo: number; fromSeq: number } {
    return { lane: this.report.lane, commitNo: this.#nextCommit, fromSeq: this.#nextSeq };
  }

  segment(body: Buffer, place: LanePlace): void {
    this.#place = place;
    const { report } = this;
    const twice =
      body.length === PAGE + CHAIN_BYTES ? Buffer.concat([body.subarray(0, PAGE), Buffer.alloc(PAGE)]) : body;
    const { header } = decodeHeader(twice);
    if (header === undefined || body.length !== PAGE + CHAIN_BYTES) {
      this.#find('header_damaged', 'the header of this segment does not verify');
      return;
    }
    if (header.lane !== report.lane || header.deviceId !== (this.#watch.device ?? header.deviceId)) {
      const detail = `a segment of the ${header.lane} lane of device ${header.deviceId} does not belong here`;
      this.#find('foreign_segment', detail);
      return;
    }
    const before = this.#header;
    this.#header = header;
    report.segments += 1;
    const chain = Buffer.from(body.subarray(PAGE));
    if (before === undefined) {
      this.#chain = chain;
      this.#nextSeq = header.baseSeq;
      this.#nextCommit = header.firstCommit;
      this.#firstSeq = header.baseSeq;
    } else if (header.segment <= before.segment) {
      this.#find('frame_misplaced', `segment ${header.segment} after segment ${before.segment}`);
    } else if (header.firstCommit === this.#nextCommit && this.#chain && !chain.equals(this.#chain)) {
      this.#find(
        'chain_broken',
        `the chain before segment ${header.segment} is not that of the commit before it`,
      );
    }
  }

  commit(body: Buffer, place: LanePlace): void {
    this.#place = place;
    const header = this.#header;
    if (header === undefined) {
      this.#find('frame_misplaced', 'a commit without a segment in front of it');
      return;
    }
    const image = Buffer.alloc(padTo(Math.max(body.length, COMMIT_HEAD), PAGE));
    body.copy(image);
    const head = decodeCommitHead(image, 0);
    if (head === undefined || COMMIT_HEAD + head.bodyBytes !== body.length) {
      this.#find('commit_damaged', 'the head of the commit is damaged');
      this.#chain = undefined;
      return;
    }
    if (!this.#number(head)) return;
    if (decodeCommit(image, 0, header.salt) === undefined) {
      const toSeq = head.baseSeq + Math.max(0, head.count - 1);
      this.#find('commit_damaged', `the checksum of commit ${head.commitNo} is wrong`, { toSeq });
    }
    if (this.#chain !== undefined && !chainAfter(this.#chain, image, 0, head.bodyBytes).equals(head.chain)) {
      const toSeq = head.baseSeq + Math.max(0, head.count - 1);
      this.#find('chain_broken', 'the chain value is not the hash of what came before and this commit', {
        toSeq,
      });
    }
    this.#take(image, head, header);
  }

  /** Checks the numbers of a commit against what should come; false when it is not to be looked into. */
  #number(head: CommitInfo): boolean {
    const { report } = this;
    if (report.commits === 0) {
      report.firstCommit = head.commitNo;
      report.firstSeq = head.baseSeq;
      if (!this.#watch.whole && head.commitNo > this.#nextCommit) {
        // Earlier ones of its segment were not asked for.
        this.#nextCommit = head.commitNo;
        this.#nextSeq = head.baseSeq;
        this.#firstSeq = head.baseSeq;
        return true;
      }
    }
    if (head.commitNo < this.#nextCommit) {
      const detail = `commit ${head.commitNo} (record ${head.baseSeq}) where commit ${this.#nextCommit} should be`;
      this.#find('commit_repeated', detail, {
        commitNo: head.commitNo,
        fromSeq: head.baseSeq,
        toSeq: this.#nextSeq,
      });
      return false;
    }
    if (head.commitNo > this.#nextCommit) {
      if (this.missing.length < MAX_MISSING) {
        this.missing.push({
          ...this.#place,
          lane: report.lane,
          fromSeq: this.#nextSeq,
          toSeq: Math.max(this.#nextSeq, head.baseSeq - 1),
          commitNo: this.#nextCommit,
          toCommit: head.commitNo - 1,
        });
      }
      // Behind a hole the chain goes on from what the commit itself says.
      this.#chain = undefined;
    } else if (head.baseSeq !== this.#nextSeq) {
      const detail = `commit ${head.commitNo} begins with record ${head.baseSeq}, not ${this.#nextSeq}`;
      this.#find('numbers_broken', detail, { toSeq: Math.max(this.#nextSeq, head.baseSeq) });
    }
    this.#nextCommit = head.commitNo;
    this.#nextSeq = head.baseSeq;
    return true;
  }

  #take(image: Buffer, head: CommitInfo, header: SegmentHeader): void {
    const { report } = this;
    const lastSeq = head.baseSeq + head.count - 1;
    this.#remembered.set(head.commitNo, { chain: head.chain.toString('hex'), lastSeq });
    this.#remembered.delete(head.commitNo - REMEMBERED_COMMITS);
    this.#records(image, head, header);
    this.#meetHeld(head, lastSeq);
    report.commits += 1;
    report.lastCommit = head.commitNo;
    report.lastSeq = lastSeq;
    this.#chain = head.chain;
    this.#nextCommit = head.commitNo + 1;
    this.#nextSeq = lastSeq + 1;
  }

  #records(image: Buffer, head: CommitInfo, header: SegmentHeader): void {
    const end = COMMIT_HEAD + head.bodyBytes;
    let at = COMMIT_HEAD;
    let seq = head.baseSeq;
    while (at + RECORD_HEAD <= end) {
      const record = decodeRecord(image, at);
      const next = at + recordBytes(record.payload.length);
      const place = { offset: this.#place.offset + at, fromSeq: seq, toSeq: seq };
      const whole = next <= end;
      const sum = whole && crc32c(header.salt, image, at + 4, at + RECORD_HEAD + record.payload.length);
      if (!whole || sum !== image.readUInt32LE(at)) {
        this.#find('record_damaged', `the checksum of record ${seq} is wrong`, place);
      } else if (record.seq !== seq) {
        this.#find('record_damaged', `record ${seq} says it is record ${record.seq}`, place);
      } else this.#content(record, head, place);
      if (!whole) break;
      this.report.records += 1;
      seq += 1;
      at = next;
    }
    if (seq - head.baseSeq !== head.count || at !== end) {
      const detail = `the commit says it holds ${head.count} records, there are ${seq - head.baseSeq}`;
      const toSeq = head.baseSeq + Math.max(head.count, seq - head.baseSeq, 1) - 1;
      this.#find('numbers_broken', detail, { toSeq });
    }
  }

  #content(record: WalRecord, head: CommitInfo, place: Partial<BundleFinding>): void {
    if (record.type !== RecordType.checkpoint) {
      this.#watch.onRecord(record, this.report.lane, { ...this.#place, offset: place.offset ?? 0 });
      return;
    }
    this.report.checkpoints += 1;
    const checkpoint = readCheckpoint(record.payload);
    // What lies between the last checkpoint that holds and this one is what a bad one is about.
    const fromSeq = Math.max(this.report.coveredUpToSeq + 1, this.#firstSeq);
    const since = { ...place, fromSeq, toSeq: Math.max(fromSeq, record.seq) };
    if (checkpoint === undefined || checkpoint.lane !== this.report.lane || !this.signed(checkpoint)) {
      const detail = `the checkpoint in record ${record.seq} is unreadable, of another lane, or not signed by the key`;
      this.#find('checkpoint_invalid', detail, since);
      return;
    }
    const known = this.#remembered.get(checkpoint.commitNo);
    // It signs what lies before the first commit that is here, or too far back.
    if (known === undefined && checkpoint.commitNo < (this.#remembered.keys().next().value ?? Infinity))
      return;
    const agrees = known?.chain === checkpoint.chain && known.lastSeq === checkpoint.upToSeq;
    if (!agrees || checkpoint.commitNo >= head.commitNo) {
      const detail =
        `the checkpoint in record ${record.seq} signs commit ${checkpoint.commitNo}, record ${checkpoint.upToSeq} ` +
        'with another chain: something up to there and after the checkpoint before it was changed';
      this.#find('checkpoint_mismatch', detail, since);
      return;
    }
    this.report.coveredUpToSeq = Math.max(this.report.coveredUpToSeq, checkpoint.upToSeq);
  }

  /** Whether the device signed the checkpoint. */
  signed(checkpoint: Checkpoint): boolean {
    return this.#watch.verifier(checkpoint.keyId, checkpointBytes(checkpoint), checkpoint.signature);
  }

  #meetHeld(head: CommitInfo, lastSeq: number): void {
    const held = this.#watch.held.get(head.commitNo);
    if (held === undefined) return;
    this.#watch.held.delete(head.commitNo);
    const { checkpoint, source } = held;
    if (checkpoint.chain === head.chain.toString('hex') && checkpoint.upToSeq === lastSeq) {
      this.checkpointsMet += 1;
      this.report.coveredUpToSeq = Math.max(this.report.coveredUpToSeq, lastSeq);
      return;
    }
    const detail = `${source} signs commit ${head.commitNo} with another chain: what is here up to record ${lastSeq} was rewritten`;
    this.#find('checkpoint_mismatch', detail, { fromSeq: this.report.firstSeq, toSeq: lastSeq });
  }

  /** After the last frame: what is missing at the end, by the closing and by checkpoints kept elsewhere. */
  end(summary: LaneSummary | undefined, closingHolds: boolean): void {
    const { report } = this;
    for (const { checkpoint, source } of this.#watch.held.values()) this.#unmet(checkpoint, source);
    if (summary === undefined) return;
    const keys = [
      'segments',
      'commits',
      'records',
      'firstSeq',
      'lastSeq',
      'firstCommit',
      'lastCommit',
    ] as const;
    const differs = keys.filter((key) => summary[key] !== report[key]);
    const chain = this.#remembered.get(report.lastCommit)?.chain ?? '';
    if (chain !== summary.chain) differs.push('chain' as never);
    if (differs.length === 0) {
      if (closingHolds) report.coveredUpToSeq = report.lastSeq;
      else if (report.coveredUpToSeq < report.lastSeq) {
        const [fromSeq, toSeq] = [report.coveredUpToSeq + 1, report.lastSeq];
        this.#find('closing_invalid', `nothing proves records ${fromSeq} to ${toSeq}`, { fromSeq, toSeq });
      }
      return;
    }
    const [key] = differs;
    const is = key === ('chain' as never) ? chain : String(report[key as 'commits']);
    const detail = `the closing says of the ${report.lane} lane: ${key} ${summary[key as 'chain']}; here it is ${is}`;
    const fromSeq = Math.max(report.coveredUpToSeq + 1, summary.firstSeq);
    this.#find('closing_invalid', detail, {
      fromSeq,
      toSeq: Math.max(fromSeq, summary.lastSeq, report.lastSeq),
    });
  }

  #unmet(checkpoint: Checkpoint, source: string): void {
    const { report } = this;
    if (checkpoint.commitNo > report.lastCommit || report.commits === 0) {
      const detail =
        `${source} proves records up to ${checkpoint.upToSeq} of the ${report.lane} lane; ` +
        `here it ends with record ${report.lastSeq}: the rest was cut off, or the bundle is older than the checkpoint`;
      const range = {
        commitNo: report.lastCommit + 1,
        fromSeq: report.lastSeq + 1,
        toSeq: checkpoint.upToSeq,
      };
      this.#find('tail_cut', detail, range);
      return;
    }
    if (checkpoint.commitNo < report.firstCommit) {
      const detail = `${source} signs record ${checkpoint.upToSeq}; the bundle begins behind it, at ${report.firstSeq}`;
      this.#find('start', detail, { level: 'note', fromSeq: report.firstSeq, toSeq: report.firstSeq });
      return;
    }
    const detail = `${source} signs commit ${checkpoint.commitNo}, which is not here`;
    const toSeq = checkpoint.upToSeq;
    this.#find('checkpoint_mismatch', detail, { commitNo: checkpoint.commitNo, fromSeq: toSeq, toSeq });
  }
}
