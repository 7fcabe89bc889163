/**
 * What happens to every event, in order. Runs on the thread that decides; nothing here waits.
 *
 *   security:       durable record -> decode -> tree -> hash -> detect -> record detections -> policy -> release
 *   observability:  (no rule for its type: lane) decode -> tree -> detect -> policy -> (matched: promote to security) -> lane
 *
 * Branching by event type lives in the sensors' opcode table and in the detector's index, not here.
 */
import type { Detector } from './detect/detector.ts';
import type { ErrorCounters } from './errors.ts';
import { eventToJson } from './event-json.ts';
import { eventIdOf, type Detection, type EventType, type Hashes, type SentinelEvent } from './event.ts';
import type { GapLedger } from './gap-ledger.ts';
import type { ObservabilityLane } from './lanes/observability.ts';
import type { ReleaseOutcome, SecurityLane } from './lanes/security.ts';
import { SKIP } from './lanes/types.ts';
import { LatencyHistogram } from './latency.ts';
import type { PolicyStage } from './policy-stage.ts';
import { shieldEvent, shieldRecord, type Shielded } from './shield-event.ts';
import { Interest } from './interest.ts';
import { decodeRecord, isDecodable, recordBootNs, recordCpu, recordLength } from './sensors/decode.ts';
import type { ExecutableHasher } from './sensors/hashes.ts';
import { Header } from './sensors/layout.ts';
import type { ProcessTree } from './sensors/process-tree.ts';
import type { SensorBatch, SensorLoss, SensorSink } from './sensors/types.ts';
import { RecordType, Schema, type WalRecordInput } from './wal/types.ts';

interface PipelineParts {
  security: SecurityLane;
  observability: ObservabilityLane;
  tree: ProcessTree;
  hasher: ExecutableHasher;
  detector: Detector;
  gaps: GapLedger;
  errors: ErrorCounters;
  nowNs: () => bigint;
}

/** Somebody who looks on. Must not throw, must not wait. */
export interface PipelineListener {
  wants(type: EventType, action: string): boolean;
  onEvent(event: SentinelEvent): void;
}

/** Stream name of what sensors put on the observability lane. */
const SENSOR_STREAM = 'sensor';
/** Of observability records, one in this many has its latency measured. */
const SAMPLE = 16;
/** Of security batches without detections, at most one in this time has its way to the disk measured. */
const RELEASE_SAMPLE_MS = 50;

export class Pipeline implements SensorSink {
  /** Of security records and of ordinary ones that a rule matched. */
  readonly kernelToDecision = new LatencyHistogram();
  /** Of ordinary records, which the sensor hands over in larger batches. */
  readonly kernelToObserved = new LatencyHistogram();
  readonly kernelToDurable = new LatencyHistogram();
  readonly detectTime = new LatencyHistogram();
  /** Events with a text that the shield does not call benign. */
  readonly shield = { benign: 0, suspicious: 0, malicious: 0 };
  readonly totals = { security: 0, observability: 0, detections: 0, rejected: 0 };
  readonly #parts: PipelineParts;
  #detector: Detector;
  /** Absent until the policies are loaded. */
  #policies: PolicyStage | undefined;
  #listener: PipelineListener | undefined;
  #interest: Interest;
  /** Of the last record passed by: one process makes many in a row. */
  #lastPid = 0;
  #releasedMs = Number.NEGATIVE_INFINITY;
  #offsets = new Uint32Array(1024);
  #levels = new Uint8Array(1024);

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    this.#detector = parts.detector;
    this.#interest = new Interest(parts.detector);
  }

  /** Puts another rule set in force between two events. */
  useDetector(detector: Detector): void {
    this.#detector = detector;
    this.#renewInterest();
  }

  /** Puts other policies in force between two events. */
  usePolicies(policies: PolicyStage): void {
    this.#policies = policies;
    this.#renewInterest();
  }

  /** Shows the events it asks for to a listener, after the process tree completed them; undefined ends that. */
  useListener(listener: PipelineListener | undefined): void {
    this.#listener = listener;
    this.#renewInterest();
  }

  #renewInterest(): void {
    this.#interest = new Interest(this.#detector, this.#policies?.engine, this.#listener);
  }

  onBatch(batch: SensorBatch): void {
    if (batch.lane === 'security') this.#securityBatch(batch);
    else this.#observabilityBatch(batch);
  }

  /**
   * An event that user space made and that rules and policies are about: put on record, then seen by both. Returns its
   * place in the log, 0 when the log has failed.
   */
  submit(event: SentinelEvent): number {
    const seq = this.#parts.security.append([jsonRecord(event)], true);
    event.eventId = eventIdOf('security', seq);
    this.totals.security += 1;
    const detections = this.#detector.evaluate(event);
    if (detections !== undefined) this.#detected(event, seq, detections);
    this.#policies?.onEvent(event, seq);
    return seq;
  }

  /** What the kernel or the sensor could not deliver becomes a gap on record. */
  onLoss(loss: SensorLoss): void {
    this.#parts.errors.count(`loss_${loss.cause}`, loss.count ?? 1);
    this.#parts.gaps.record(loss);
  }

  #securityBatch(batch: SensorBatch): void {
    const { bytes, wallOffsetNs } = batch;
    const firstSeq = batch.firstSeq === 0 ? this.#appendRaw(batch) : batch.firstSeq;
    const before = this.totals.detections;
    let offset = 0;
    for (let index = 0; index < batch.count; index++) {
      const length = recordLength(bytes, offset);
      if (length === 0) {
        this.#reject(batch.count - index);
        break;
      }
      const event = decodeRecord(bytes, offset, wallOffsetNs);
      offset += length;
      if (event === undefined) {
        this.#reject(1);
        continue;
      }
      event.lane = 'security';
      const seq = firstSeq === 0 ? 0 : firstSeq + index;
      event.eventId = eventIdOf('security', seq);
      this.#complete(event, seq);
      const detections = this.#detector.evaluate(event);
      if (detections !== undefined) this.#detected(event, seq, detections);
      this.#policies?.onEvent(event, seq);
      if (this.#listener?.wants(event.type, event.action)) this.#listener.onEvent(event);
      const shielded = this.#shielded(event);
      if (shielded) this.#stateShield(event, shielded);
      this.#measure(this.kernelToDecision, event.tsNs);
      if (index === batch.count - 1 && seq !== 0)
        this.#release(seq, event.tsNs, this.totals.detections > before);
    }
    this.totals.security += batch.count;
  }

  #observabilityBatch(batch: SensorBatch): void {
    const { bytes, wallOffsetNs, count } = batch;
    if (this.#offsets.length <= count) {
      this.#offsets = new Uint32Array(2 * count + 1);
      this.#levels = new Uint8Array(2 * count + 1);
    }
    const offsets = this.#offsets;
    const levels = this.#levels;
    const interest = this.#interest;
    const all = this.#detector.hasIndicators;
    let offset = 0;
    let index = 0;
    for (; index < count; index++) {
      offsets[index] = offset;
      levels[index] = 1;
      const length = recordLength(bytes, offset);
      if (length === 0) {
        this.#reject(count - index);
        break;
      }
      if (all || interest.in(bytes, offset)) {
        if (this.#observe(bytes, offset, length, wallOffsetNs)) levels[index] = SKIP;
      } else this.#passBy(bytes, offset, length);
      if (index % SAMPLE === 0)
        this.#measure(this.kernelToObserved, recordBootNs(bytes, offset) + wallOffsetNs);
      offset += length;
    }
    offsets[index] = offset;
    this.#parts.observability.offerBatch({
      stream: SENSOR_STREAM,
      type: RecordType.sensor,
      schema: Schema.sensorV1,
      bytes,
      offsets,
      count: index,
      levels,
      level: 'info',
      tsAt: Header.ts,
      wallOffsetNs,
      cpuAt: Header.seq + 6,
    });
    this.totals.observability += count;
  }

  /** Looks at one ordinary record; true if it matched and went to the security lane. */
  #observe(bytes: Buffer, offset: number, length: number, wallOffsetNs: bigint): boolean {
    const event = decodeRecord(bytes, offset, wallOffsetNs);
    if (event === undefined) {
      this.#reject(1);
      return false;
    }
    event.lane = 'observability';
    this.#complete(event, 0);
    const detections = this.#detector.evaluate(event);
    event.detections = detections;
    const matched = this.#policies?.engine.match(event);
    if (this.#listener?.wants(event.type, event.action)) this.#listener.onEvent(event);
    const shielded = this.#shielded(event);
    if (detections === undefined && matched === undefined && shielded === undefined) return false;
    const seq = this.#promote(event, bytes.subarray(offset, offset + length), detections);
    if (matched !== undefined) this.#policies?.decide(event, seq, matched);
    if (shielded) this.#stateShield(event, shielded);
    this.#measure(this.kernelToDecision, event.tsNs);
    return true;
  }

  /** A record no rule is about: checked, and its process kept known. */
  #passBy(bytes: Buffer, offset: number, length: number): void {
    if (!isDecodable(bytes, offset, length)) {
      this.#reject(1);
      return;
    }
    const pid = bytes.readUInt32LE(offset + Header.tgid);
    if (pid === this.#lastPid || pid === 0) return;
    this.#lastPid = pid;
    this.#parts.tree.touch(pid, bytes.readBigUInt64LE(offset + Header.start));
  }

  /** Records of sensors that have no native path to the log. Returns the first sequence number, 0 on failure. */
  #appendRaw(batch: SensorBatch): number {
    const records: WalRecordInput[] = [];
    let offset = 0;
    for (let index = 0; index < batch.count; index++) {
      const length = recordLength(batch.bytes, offset);
      if (length === 0) break;
      records.push(rawRecord(batch.bytes, offset, length, batch.wallOffsetNs));
      offset += length;
    }
    return records.length === 0 ? 0 : this.#parts.security.append(records, false);
  }

  /** Adds what the record itself does not carry: ancestry, names, hashes. */
  #complete(event: SentinelEvent, seq: number): void {
    this.#parts.tree.apply(event);
    const { process } = event;
    if (event.type !== 'process' || process?.exeIdentity === undefined) return;
    if (event.action !== 'exec' && event.action !== 'snapshot') return;
    process.hashes = this.#parts.hasher.get(process.exeIdentity);
    if (process.hashes === undefined) this.#parts.hasher.request(process, seq);
  }

  /** A text of the event that is made to act on whoever reads the record. */
  #shielded(event: SentinelEvent): Shielded | undefined {
    const found = shieldEvent(event);
    if (found === undefined) return undefined;
    this.shield[found.verdict] += 1;
    return found.verdict === 'malicious' ? found : undefined;
  }

  /** It is stated by an event of its own. */
  #stateShield(event: SentinelEvent, found: Shielded): void {
    const made = shieldRecord(event, found);
    this.#parts.security.append([jsonRecord(made)], false);
  }

  /** An ordinary event that a rule or policy matched moves to the security lane, record and all. */
  #promote(event: SentinelEvent, raw: Buffer, detections: Detection[] | undefined): number {
    event.lane = 'security';
    const seq = this.#parts.security.append([rawRecord(raw, 0, raw.length, 0n, event.tsNs)], true);
    event.eventId = eventIdOf('security', seq);
    if (detections !== undefined) this.#detected(event, seq, detections);
    return seq;
  }

  /** A detection is a record of its own that refers to the event's; it is never released before it is durable or due. */
  #detected(event: SentinelEvent, seq: number, detections: Detection[]): void {
    event.detections = detections;
    this.totals.detections += detections.length;
    if (seq !== 0) this.#parts.security.append([detectionRecord(seq, detections, event.tsNs)], true);
  }

  /**
   * Hashes that came after the starts they belong to (`seqs`: positions of those events, 0 = not on record): what policies and
   * indicator lists say about them is recorded for each of these events, with the time it became known.
   */
  lateHashes(hashes: Hashes, seqs: readonly number[]): void {
    this.#policies?.lateHashes(hashes, seqs);
    const detections = this.#detector.evaluateHashes(hashes);
    if (detections === undefined) return;
    const nowNs = this.#parts.nowNs();
    this.totals.detections += detections.length * seqs.length;
    const records = seqs.filter((seq) => seq !== 0).map((seq) => detectionRecord(seq, detections, nowNs));
    if (records.length > 0) this.#parts.security.append(records, true);
  }

  /**
   * Gates a batch on the durability of its last record. Nothing waits for a batch without detections: of those, only
   * enough go through the gate to measure how long durability takes.
   */
  #release(seq: number, tsNs: bigint, detected: boolean): void {
    const nowMs = performance.now();
    if (!detected && nowMs - this.#releasedMs < RELEASE_SAMPLE_MS) return;
    this.#releasedMs = nowMs;
    this.#parts.security.release(seq, this.#onReleased, tsNs);
  }

  #measure(histogram: LatencyHistogram, tsNs: bigint): void {
    histogram.record(Number(this.#parts.nowNs() - tsNs) / 1000);
  }

  readonly #onReleased = (_outcome: ReleaseOutcome, tsNs: bigint): void => {
    this.kernelToDurable.record(Number(this.#parts.nowNs() - tsNs) / 1000);
  };

  #reject(count: number): void {
    this.totals.rejected += count;
    this.#parts.errors.count('rejected_record', count);
  }
}

function jsonRecord(event: SentinelEvent): WalRecordInput {
  const payload = Buffer.from(JSON.stringify(eventToJson(event)), 'utf8');
  return { type: RecordType.event, schema: Schema.jsonV1, wallNs: event.tsNs, payload };
}

function detectionRecord(seq: number, detections: readonly Detection[], wallNs: bigint): WalRecordInput {
  const payload = Buffer.from(JSON.stringify({ seq, detections }), 'utf8');
  return { type: RecordType.detection, schema: Schema.jsonV1, wallNs, payload };
}

function rawRecord(
  bytes: Buffer,
  offset: number,
  length: number,
  wallOffsetNs: bigint,
  tsNs?: bigint,
): WalRecordInput {
  return {
    type: RecordType.sensor,
    schema: Schema.sensorV1,
    cpu: recordCpu(bytes, offset),
    wallNs: tsNs ?? recordBootNs(bytes, offset) + wallOffsetNs,
    payload: bytes.subarray(offset, offset + length),
  };
}
