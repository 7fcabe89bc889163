/** Writes an audit bundle (bundle-format.ts) from the files of a data folder. One segment is in memory at a time. */
import {
  decodeHeader,
  COMMIT_HEAD,
  CHAIN_BYTES,
  PAGE,
  type CommitInfo,
  type SegmentHeader,
} from '../wal/format.ts';
import { decodeRecord, recordBytes } from '../wal/format.ts';
import type { GapInfo } from '../event.ts';
import { blake3 } from '../wal/blake3.ts';
import { scanSegment } from '../wal/scan.ts';
import { listSegments, readHeader, readImage, type SegmentFileInfo } from '../wal/segments.ts';
import { RecordType, type WalRecord } from '../wal/types.ts';
import type { Identity } from '../identity/identity.ts';
import {
  closingBytes,
  FORMAT,
  FORMAT_VERSION,
  frameHead,
  FrameKind,
  MAX_BODY,
  type ClosingStatement,
  type LaneSummary,
  type Opening,
  type Selection,
} from './bundle-format.ts';
import { readCheckpoint } from './checkpoint.ts';
import { readDecision, readPolicyText } from './decision.ts';
import { readGap } from './gap.ts';

export interface BundleOptions {
  lanes: readonly { lane: string; dir: string }[];
  identity: Identity;
  agentVersion: string;
  createdNs: bigint;
  /** Canonical text of a policy that the log itself does not hold. */
  policyText?: (hash: string) => string | undefined;
  sinceNs?: bigint;
  untilNs?: bigint;
  /** Only from the first to the last record that a query found in each lane. */
  selection?: Selection;
  /** Takes the file's bytes in order; called with at most one commit at a time. */
  write: (bytes: Buffer) => void;
}

export interface BundleSummary {
  frames: number;
  bytes: number;
  policies: number;
  unknownPolicies: string[];
  lanes: Record<string, LaneSummary>;
  /** Gaps in the range that were stated after it. */
  laterGaps: number;
  /** The newest checkpoint in each lane, as it is in the log: to be kept elsewhere. */
  checkpoints: Record<string, unknown>[];
}

/** Writes the bundle. A live agent may append meanwhile; what it writes after a segment was read is not in the bundle. */
export async function writeBundle(options: BundleOptions): Promise<BundleSummary> {
  const bundle = new BundleWriter(options);
  bundle.open();
  for (const { lane, dir } of options.lanes) await bundle.lane(lane, dir);
  return bundle.close();
}

/** Gaps stated later that a closing holds; where there are more the log itself has to be asked. */
const MAX_LATER_GAPS = 10_000;

class BundleWriter {
  readonly #options: BundleOptions;
  readonly #statement: ClosingStatement = { frames: 0, pieces: [], lanes: {}, unknownPolicies: [] };
  readonly #texts = new Map<string, string>();
  readonly #wanted = new Set<string>();
  readonly #checkpoints: Record<string, unknown>[] = [];
  #frames = 0;
  #bytes = 0;

  constructor(options: BundleOptions) {
    this.#options = options;
  }

  open(): void {
    const { identity, agentVersion, createdNs, lanes, sinceNs, untilNs, selection } = this.#options;
    const opening: Opening = {
      format: FORMAT,
      version: FORMAT_VERSION,
      deviceId: identity.deviceId,
      createdNs: createdNs.toString(),
      agentVersion,
      lanes: lanes.map(({ lane }) => lane),
    };
    if (sinceNs !== undefined || untilNs !== undefined)
      opening.range = { sinceNs: sinceNs?.toString(), untilNs: untilNs?.toString() };
    if (selection) {
      opening.range = { sinceNs: selection.sinceNs, untilNs: selection.untilNs };
      opening.selection = selection;
    }
    this.#piece(FrameKind.opening, Buffer.from(JSON.stringify(opening), 'utf8'));
    this.#piece(FrameKind.key, Buffer.from(identity.publicKeyPem, 'utf8'));
  }

  #frame(kind: number, body: Buffer): void {
    if (body.length > MAX_BODY)
      throw new RangeError(`a commit of ${body.length} bytes does not fit in a bundle`);
    const head = frameHead(this.#frames, kind, body);
    this.#options.write(head);
    this.#options.write(body);
    this.#frames += 1;
    this.#bytes += head.length + body.length;
  }

  #piece(kind: number, body: Buffer): void {
    this.#statement.pieces.push({ frame: this.#frames, blake3: blake3(body).toString('hex') });
    this.#frame(kind, body);
  }

  async lane(lane: string, dir: string): Promise<void> {
    const summary: LaneSummary = {
      segments: 0,
      commits: 0,
      records: 0,
      firstSeq: 0,
      lastSeq: 0,
      firstCommit: 0,
      lastCommit: 0,
      chain: '',
    };
    this.#statement.lanes[lane] = summary;
    const { sinceNs = 0n, untilNs, selection } = this.#options;
    const wanted = selection?.lanes[lane];
    const files = listSegments(dir);
    let newest: Buffer | undefined;
    let done = false;
    for (let index = 0; index < files.length && !done; index++) {
      const file = files[index] as SegmentFileInfo;
      const next = headerOf(files[index + 1]);
      // Everything in it is older than what is wanted, except for policy texts.
      const skipped =
        next !== undefined &&
        (next.wallNs < sinceNs || (wanted !== undefined && next.baseSeq <= wanted.first));
      const image = readAgain(dir, file);
      const header = image && decodeHeader(image).header;
      if (image === undefined || header === undefined) continue;
      const { commits } = scanSegment(image, header, next?.firstCommit);
      let chain = header.prevChain;
      let begun = false;
      for (const commit of commits) {
        const early = wanted !== undefined && commit.baseSeq + commit.count <= wanted.first;
        if (skipped || early || commit.wallNs < sinceNs) {
          this.#look(image, commit, false);
          chain = commit.chain;
          continue;
        }
        if (!begun) {
          begun = true;
          summary.segments += 1;
          const body = Buffer.alloc(PAGE + CHAIN_BYTES);
          image.copy(body, 0, validCopy(image), validCopy(image) + PAGE);
          chain.copy(body, PAGE);
          this.#piece(FrameKind.segment, body);
        }
        this.#commit(image, commit, summary);
        const checkpoint = this.#look(image, commit, true);
        if (checkpoint) newest = checkpoint;
        const past =
          (untilNs !== undefined && commit.wallNs > untilNs) ||
          (wanted !== undefined && commit.baseSeq + commit.count > wanted.last);
        if (past && checkpoint) {
          done = true;
          this.#laterGaps(image, commits.slice(commits.indexOf(commit) + 1));
          break;
        }
      }
      // Other work goes on between segments.
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (done && lane === 'security') await this.#restOf(dir, summary.lastCommit);
    if (newest) this.#checkpoints.push(JSON.parse(newest.toString('utf8')) as Record<string, unknown>);
  }

  #commit(image: Buffer, commit: CommitInfo, summary: LaneSummary): void {
    const { offset, bodyBytes, commitNo, baseSeq, count } = commit;
    this.#frame(FrameKind.commit, image.subarray(offset, offset + COMMIT_HEAD + bodyBytes));
    if (summary.commits === 0) {
      summary.firstCommit = commitNo;
      summary.firstSeq = baseSeq;
    }
    summary.commits += 1;
    summary.records += count;
    summary.lastCommit = commitNo;
    summary.lastSeq = baseSeq + count - 1;
    summary.chain = commit.chain.toString('hex');
  }

  /** Looks for later statements in the segments behind the last commit of the bundle. */
  async #restOf(dir: string, lastCommit: number): Promise<void> {
    const files = listSegments(dir);
    for (const [index, file] of files.entries()) {
      const own = headerOf(file);
      const next = headerOf(files[index + 1]);
      if (own === undefined || own.firstCommit <= lastCommit) continue;
      const image = readAgain(dir, file);
      const header = image && decodeHeader(image).header;
      if (image === undefined || header === undefined) continue;
      this.#laterGaps(image, scanSegment(image, header, next?.firstCommit).commits);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Gaps that are about the range and were stated behind it: they are told, or the range would seem whole. */
  #laterGaps(image: Buffer, commits: readonly CommitInfo[]): void {
    const { selection, lanes } = this.#options;
    const sinceNs = this.#options.sinceNs ?? (selection ? BigInt(selection.sinceNs) : 0n);
    const untilNs = this.#options.untilNs ?? (selection ? BigInt(selection.untilNs) : undefined);
    if (untilNs === undefined) return;
    const named = new Set(lanes.map(({ lane }) => lane));
    const found = (this.#statement.laterGaps ??= []);
    for (const commit of commits) {
      for (const { type, payload, seq, wallNs } of recordsOf(image, commit)) {
        if (type !== RecordType.gap || found.length >= MAX_LATER_GAPS) continue;
        const gap = gapOf(payload);
        if (!gap || gap.toNs < sinceNs || gap.fromNs > untilNs || !named.has(gap.lane)) continue;
        found.push({ seq, statedNs: wallNs.toString(), payload: payload.toString('utf8') });
      }
    }
  }

  /** Notes policies named and policy texts; gives the last checkpoint of the commit. */
  #look(image: Buffer, commit: CommitInfo, included: boolean): Buffer | undefined {
    let checkpoint: Buffer | undefined;
    for (const { type, payload } of recordsOf(image, commit)) {
      if (type === RecordType.checkpoint && readCheckpoint(payload)) checkpoint = Buffer.from(payload);
      else if (type === RecordType.policy) {
        const text = readPolicyText(payload);
        if (text) this.#texts.set(text.hash, text.text);
      } else if (type === RecordType.decision && included) this.#want(payload);
    }
    return checkpoint;
  }

  #want(payload: Buffer): void {
    try {
      this.#wanted.add(readDecision(payload).policyHash);
    } catch {
      // Not a decision this version can read; it is in the bundle all the same.
    }
  }

  close(): BundleSummary {
    const statement = this.#statement;
    let policies = 0;
    for (const hash of [...this.#wanted].sort()) {
      const text = this.#texts.get(hash) ?? this.#options.policyText?.(hash);
      if (text === undefined) {
        statement.unknownPolicies.push(hash);
        continue;
      }
      policies += 1;
      this.#piece(FrameKind.policy, Buffer.from(JSON.stringify({ hash, text }), 'utf8'));
    }
    const { identity } = this.#options;
    statement.frames = this.#frames + 1;
    const text = JSON.stringify(statement);
    const signature = identity.sign(closingBytes(text, identity.keyId));
    const closing = JSON.stringify({ statement: text, keyId: identity.keyId, signature });
    this.#frame(FrameKind.closing, Buffer.from(closing, 'utf8'));
    return {
      frames: this.#frames,
      bytes: this.#bytes,
      policies,
      unknownPolicies: statement.unknownPolicies,
      lanes: statement.lanes,
      laterGaps: statement.laterGaps?.length ?? 0,
      checkpoints: this.#checkpoints,
    };
  }
}

function gapOf(payload: Buffer): GapInfo | undefined {
  try {
    return readGap(payload);
  } catch {
    return undefined;
  }
}

function* recordsOf(image: Buffer, commit: CommitInfo): Iterable<WalRecord> {
  const end = commit.offset + COMMIT_HEAD + commit.bodyBytes;
  for (let at = commit.offset + COMMIT_HEAD; at < end;) {
    const record = decodeRecord(image, at);
    yield record;
    at += recordBytes(record.payload.length);
  }
}

/** Where the first header copy that verifies is. */
function validCopy(image: Buffer): number {
  return decodeHeader(image).badCopies.includes(0) ? PAGE : 0;
}

function headerOf(file: SegmentFileInfo | undefined): SegmentHeader | undefined {
  if (file === undefined) return undefined;
  try {
    return readHeader(file).header;
  } catch {
    return undefined;
  }
}

/** The segment's bytes, also if it was compressed since the listing; undefined if it is gone or unreadable. */
function readAgain(dir: string, file: SegmentFileInfo): Buffer | undefined {
  try {
    return readImage(file);
  } catch {
    const again = listSegments(dir).find(({ number }) => number === file.number);
    if (again === undefined || again.compressed === file.compressed) return undefined;
    try {
      return readImage(again);
    } catch {
      return undefined;
    }
  }
}
