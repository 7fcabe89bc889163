/**
 * Verifies an audit bundle from the file alone: frames, lanes, chain, signatures, policies, closing. One commit is in
 * memory at a time. What each check finds is placed by byte, frame, commit and record.
 *
 * What no file can tell: that a bundle was made of a log whose end had been cut before, by somebody who has the device's
 * key. A checkpoint kept elsewhere (`checkpoints`) tells.
 */
import type { GapInfo } from '../event.ts';
import { blake3 } from '../wal/blake3.ts';
import { decodeHeader, PAGE } from '../wal/format.ts';
import { RecordType, type WalRecord } from '../wal/types.ts';
import { closingBytes, FrameKind, type ClosingStatement, type Opening } from './bundle-format.ts';
import { LaneWalk, type LanePlace } from './bundle-lane.ts';
import { readClosing, readOpening } from './bundle-pieces.ts';
import { FrameReader, type Frame } from './bundle-read.ts';
import type { BundleFinding, BundleReport, BundleVerifyOptions, GapTotal } from './bundle-report.ts';
import { checkpointBytes } from './checkpoint.ts';
import { readDecision, readPolicyText } from './decision.ts';
import { readGap, verifyGap } from './gap.ts';

const MAX_POLICIES = 100_000;
const MAX_GAP_RANGES = 100_000;

/** Verifies the file at `path`. Throws what the system says when it cannot be read. */
export function verifyBundle(path: string, options: BundleVerifyOptions): BundleReport {
  const reader = new FrameReader(path);
  try {
    const walk = new BundleWalk(path, reader.size, options);
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
      if (frame.ok) walk.frame(frame);
      else walk.damage(frame.offset, frame.end, frame.detail);
    }
    return walk.end();
  } finally {
    reader.close();
  }
}

class BundleWalk {
  readonly #report: BundleReport;
  readonly #options: BundleVerifyOptions;
  readonly #lanes = new Map<string, LaneWalk>();
  readonly #pieces = new Map<number, string>();
  readonly #keys: string[] = [];
  readonly #gaps = new Map<string, GapTotal>();
  readonly #gapRanges: { lane: string; fromSeq: number; toSeq: number }[] = [];
  /** Hash of each policy text that is here and holds. */
  readonly #policies = new Set<string>();
  /** First decision by each policy hash. */
  readonly #wanted = new Map<string, { lane: string; seq: number; place: LanePlace }>();
  #verifier;
  #opening: Opening | undefined;
  #closing: ClosingStatement | undefined;
  #closingHolds = false;
  #lane: LaneWalk | undefined;
  #expected = 0;
  #ended = false;

  constructor(path: string, bytes: number, options: BundleVerifyOptions) {
    this.#options = options;
    this.#verifier = options.verifier ?? options.verifierOf([]);
    this.#report = {
      file: path,
      ok: true,
      deviceId: '',
      createdNs: '',
      keyId: '',
      keyFromElsewhere: options.verifier !== undefined,
      frames: 0,
      bytes,
      lanes: [],
      decisions: 0,
      policies: 0,
      unknownPolicies: [],
      gaps: [],
      laterGaps: [],
      checkpointsMet: 0,
      findings: [],
      findingCount: 0,
    };
  }

  readonly #find = (finding: BundleFinding): void => {
    const report = this.#report;
    if (finding.level === 'error') report.ok = false;
    report.findingCount += 1;
    if (report.findings.length < (this.#options.maxFindings ?? 1000)) report.findings.push(finding);
  };

  #error(kind: BundleFinding['kind'], place: { offset: number; frame?: number }, detail: string): void {
    const next = this.#lane?.next;
    const about = next ? { ...next, toSeq: next.fromSeq } : {};
    this.#find({ kind, level: 'error', ...about, ...place, detail });
  }

  damage(offset: number, end: number, detail: string): void {
    if (this.#ended)
      this.#error('trailing_bytes', { offset }, `${end - offset} bytes behind the end of the bundle`);
    else if (offset === 0 && end === this.#report.bytes)
      this.#error('not_a_bundle', { offset }, 'the file holds no frame of an audit bundle');
    else
      this.#error(
        'frame_damaged',
        { offset, frame: this.#expected },
        `${detail}; ${end - offset} bytes cannot be read`,
      );
  }

  frame(frame: Frame): void {
    const { number, kind, body, offset } = frame;
    const place = { offset, frame: number };
    this.#report.frames += 1;
    if (this.#ended) {
      this.#error('trailing_bytes', place, 'a frame behind the end of the bundle');
      return;
    }
    if (number > this.#expected) {
      const last = number - 1;
      const which = last === this.#expected ? `frame ${last} is` : `frames ${this.#expected} to ${last} are`;
      this.#error('frame_missing', { offset, frame: this.#expected }, `${which} missing`);
    } else if (number < this.#expected) {
      this.#error('frame_misplaced', place, `frame ${number} where frame ${this.#expected} should be`);
    }
    this.#expected = Math.max(this.#expected, number + 1);
    if (kind !== FrameKind.commit && kind !== FrameKind.closing)
      this.#pieces.set(number, blake3(body).toString('hex'));
    switch (kind) {
      case FrameKind.opening:
        this.#open(body, place);
        break;
      case FrameKind.key:
        this.#key(body, place);
        break;
      case FrameKind.segment:
        this.#segment(body, place);
        break;
      case FrameKind.commit:
        if (this.#lane) this.#lane.commit(body, place);
        else this.#error('frame_misplaced', place, 'a commit before any segment');
        break;
      case FrameKind.policy:
        this.#policy(body, place);
        break;
      case FrameKind.closing:
        this.#close(body, place);
        break;
      default:
        this.#error('frame_misplaced', place, `there is no kind of frame ${kind}`);
    }
  }

  #open(body: Buffer, place: LanePlace): void {
    const opening = readOpening(body);
    if (opening === undefined || this.#opening !== undefined) {
      this.#error(
        'not_a_bundle',
        place,
        'the opening is not that of an audit bundle of a version known here',
      );
      return;
    }
    this.#opening = opening;
    this.#report.deviceId = opening.deviceId;
    this.#report.createdNs = opening.createdNs;
    const { query, records } = opening.selection ?? {};
    if (typeof query === 'string' && typeof records === 'number') this.#report.selection = { query, records };
  }

  #key(body: Buffer, place: LanePlace): void {
    if (this.#options.verifier !== undefined) return;
    try {
      const keys = [...this.#keys, body.toString('utf8')];
      this.#verifier = this.#options.verifierOf(keys);
      this.#keys.push(body.toString('utf8'));
    } catch {
      this.#error('piece_changed', place, 'the public key cannot be read');
    }
  }

  #segment(body: Buffer, place: LanePlace): void {
    const { header } = decodeHeader(Buffer.concat([body.subarray(0, PAGE), Buffer.alloc(PAGE)]));
    const name = header?.lane ?? this.#lane?.report.lane;
    if (name === undefined) {
      this.#error('header_damaged', place, 'the header of the first segment does not verify');
      return;
    }
    let lane = this.#lanes.get(name);
    if (!lane) {
      const held = new Map<number, NonNullable<BundleVerifyOptions['checkpoints']>[number]>();
      for (const one of this.#validHeld(name)) held.set(one.checkpoint.commitNo, one);
      lane = new LaneWalk(name, {
        device: this.#opening?.deviceId,
        whole: this.#opening?.range === undefined,
        verifier: this.#verifier,
        find: this.#find,
        onRecord: (record, of, at) => this.#record(record, of, at),
        held,
      });
      this.#lanes.set(name, lane);
    }
    this.#lane = lane;
    lane.segment(body, place);
  }

  #validHeld(lane: string): NonNullable<BundleVerifyOptions['checkpoints']> {
    return (this.#options.checkpoints ?? []).filter(({ checkpoint, source }) => {
      if (checkpoint.lane !== lane) return false;
      if (this.#verifier(checkpoint.keyId, checkpointBytes(checkpoint), checkpoint.signature)) return true;
      this.#find({
        kind: 'checkpoint_invalid',
        level: 'error',
        offset: 0,
        lane,
        detail: `${source} is not signed by the key`,
      });
      return false;
    });
  }

  #record(record: WalRecord, lane: string, place: LanePlace): void {
    const at = { level: 'error', lane, ...place, fromSeq: record.seq, toSeq: record.seq } as const;
    if (record.type === RecordType.gap) {
      if (verifyGap(record.payload, this.#verifier)) this.#gap(readGap(record.payload));
      else this.#find({ ...at, kind: 'gap_invalid', detail: 'the gap is not signed by the key' });
    } else if (record.type === RecordType.decision) {
      this.#report.decisions += 1;
      const hash = decisionHash(record.payload);
      if (hash !== undefined && !this.#wanted.has(hash) && this.#wanted.size < MAX_POLICIES)
        this.#wanted.set(hash, { lane, seq: record.seq, place });
    } else if (record.type === RecordType.policy) {
      const text = readPolicyText(record.payload);
      if (!text || hashOf(text.text) !== text.hash)
        this.#find({
          ...at,
          kind: 'policy_changed',
          detail: 'the text of the policy does not have the hash it is recorded by',
        });
      else this.#policies.add(text.hash);
    }
  }

  #gap(gap: GapInfo): void {
    const key = `${gap.lane} ${gap.cause}`;
    const total = this.#gaps.get(key);
    const [from, to] = [gap.fromNs.toString(), gap.toNs.toString()];
    if (!total) {
      const { lane, cause, count } = gap;
      const counts = { gaps: 1, records: count ?? 0, unknown: count === undefined ? 1 : 0 };
      this.#gaps.set(key, { lane, cause, ...counts, fromNs: from, toNs: to });
    } else {
      total.gaps += 1;
      total.records += gap.count ?? 0;
      if (gap.count === undefined) total.unknown += 1;
      if (gap.fromNs < BigInt(total.fromNs)) total.fromNs = from;
      if (gap.toNs > BigInt(total.toNs)) total.toNs = to;
    }
    if (gap.fromSeq !== undefined && gap.toSeq !== undefined && this.#gapRanges.length < MAX_GAP_RANGES)
      this.#gapRanges.push({ lane: gap.lane, fromSeq: gap.fromSeq, toSeq: gap.toSeq });
  }

  #policy(body: Buffer, place: LanePlace): void {
    const text = readPolicyText(body);
    if (!text || hashOf(text.text) !== text.hash) {
      this.#error('policy_changed', place, `the text of policy ${text?.hash ?? ''} does not have this hash`);
      return;
    }
    this.#report.policies += 1;
    this.#policies.add(text.hash);
  }

  /** Gaps that were stated behind the range: each is signed by itself. */
  #later({ laterGaps = [] }: ClosingStatement, place: LanePlace): void {
    for (const { seq, statedNs, payload } of laterGaps) {
      const record = Buffer.from(payload, 'utf8');
      if (!verifyGap(record, this.#verifier)) {
        this.#error('gap_invalid', place, `the gap that record ${seq} states is not signed by the key`);
        continue;
      }
      const { lane, cause, count, fromNs, toNs } = readGap(record);
      const told = { seq, statedNs, lane, cause, fromNs: fromNs.toString(), toNs: toNs.toString() };
      this.#report.laterGaps.push(count === undefined ? told : { ...told, count });
    }
  }

  #close(body: Buffer, place: LanePlace): void {
    this.#ended = true;
    const closing = readClosing(body);
    if (!closing) {
      this.#error('closing_invalid', place, 'the closing cannot be read');
      return;
    }
    const { statement, text, keyId, signature } = closing;
    this.#closing = statement;
    this.#report.keyId = keyId;
    this.#closingHolds = this.#verifier(keyId, closingBytes(text, keyId), signature);
    if (!this.#closingHolds) this.#error('closing_invalid', place, 'the closing is not signed by the key');
    if (statement.frames !== place.frame + 1) {
      const detail = `the closing says there are ${statement.frames} frames; it is frame ${place.frame}`;
      this.#error('closing_invalid', place, detail);
    }
    this.#later(statement, place);
    for (const { frame, blake3: hash } of statement.pieces) {
      const found = this.#pieces.get(frame);
      this.#pieces.delete(frame);
      if (found !== hash)
        this.#error(
          'piece_changed',
          { offset: place.offset, frame },
          `frame ${frame} is not the one that was written`,
        );
    }
    for (const frame of this.#pieces.keys())
      this.#error(
        'piece_changed',
        { offset: place.offset, frame },
        `frame ${frame} is not named by the closing`,
      );
  }

  end(): BundleReport {
    const report = this.#report;
    if (this.#opening === undefined && report.frames > 0)
      this.#error('not_a_bundle', { offset: 0, frame: 0 }, 'there is no opening');
    if (!this.#ended) {
      const last = [...this.#lanes.values()]
        .map((lane) => `${lane.report.lane} record ${lane.report.lastSeq}`)
        .join(', ');
      const detail = `the file ends after frame ${this.#expected - 1}${last && ` (${last})`}; what followed was cut off`;
      this.#error('cut', { offset: report.bytes, frame: this.#expected }, detail);
    }
    this.#missing();
    for (const [name, summary] of Object.entries(this.#closing?.lanes ?? {})) {
      const lane = this.#lanes.get(name);
      if (lane) lane.end(summary, this.#closingHolds);
      else if (summary.commits > 0) {
        const detail = `the ${name} lane, records ${summary.firstSeq} to ${summary.lastSeq}, is not here`;
        const { firstSeq: fromSeq, lastSeq: toSeq } = summary;
        this.#find({
          kind: 'closing_invalid',
          level: 'error',
          offset: 0,
          lane: name,
          fromSeq,
          toSeq,
          detail,
        });
      }
    }
    for (const [name, lane] of this.#lanes) if (!this.#closing?.lanes[name]) lane.end(undefined, false);
    this.#policiesOfDecisions();
    report.lanes = [...this.#lanes.values()].map((lane) => lane.report);
    report.gaps = [...this.#gaps.values()];
    report.checkpointsMet = [...this.#lanes.values()].reduce((sum, lane) => sum + lane.checkpointsMet, 0);
    for (const { checkpoint, source } of this.#options.checkpoints ?? []) {
      if (this.#lanes.has(checkpoint.lane)) continue;
      const detail = `${source} is about the ${checkpoint.lane} lane, which is not here`;
      this.#find({ kind: 'tail_cut', level: 'error', offset: report.bytes, lane: checkpoint.lane, detail });
    }
    return report;
  }

  /** Records that are not here are forgiven when the device itself stated, signed, that it lost them. */
  #missing(): void {
    for (const lane of this.#lanes.values()) {
      for (const { toCommit, ...range } of lane.missing) {
        const stated = this.#gapRanges.some(
          (gap) => gap.lane === range.lane && gap.fromSeq <= range.fromSeq && gap.toSeq >= range.toSeq,
        );
        const what = `commits ${range.commitNo} to ${toCommit} (records ${range.fromSeq} to ${range.toSeq}) are missing`;
        const detail = stated ? `${what}; a signed gap states it` : what;
        this.#find({ ...range, kind: 'commit_missing', level: stated ? 'note' : 'error', detail });
      }
    }
  }

  #policiesOfDecisions(): void {
    const unknown = new Set(this.#closingHolds ? this.#closing?.unknownPolicies : []);
    for (const [hash, { lane, seq, place }] of this.#wanted) {
      if (this.#policies.has(hash)) continue;
      this.#report.unknownPolicies.push(hash);
      const level = unknown.has(hash) ? 'note' : 'error';
      const detail = `the text of policy ${hash}, which decided here for the first time, is not in the bundle`;
      this.#find({ kind: 'policy_missing', level, lane, ...place, fromSeq: seq, toSeq: seq, detail });
    }
  }
}

function hashOf(text: string): string {
  return blake3(Buffer.from(text, 'utf8')).toString('hex');
}

function decisionHash(payload: Buffer): string | undefined {
  try {
    return readDecision(payload).policyHash;
  } catch {
    return undefined;
  }
}
