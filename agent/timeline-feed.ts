/**
 * Feeds the timeline from the two logs: reads what is durable past the stored cursors, decodes it, completes it with
 * a process tree of its own, joins detections, and inserts rows and cursors in one transaction. Everything in the
 * timeline can be made again this way.
 */
import { decisionMessage, readDecision } from './audit/decision.ts';
import { eventFromJson, fileHashesFromJson, gapFromJson } from './event-json.ts';
import {
  eventIdOf,
  SEVERITIES,
  type Detection,
  type Lane,
  type SentinelEvent,
  type Severity,
} from './event.ts';
import type { RarityModel, RarityScore } from './detect/rarity.ts';
import { decodeRecord } from './sensors/decode.ts';
import { ProcessTree } from './sensors/process-tree.ts';
import { UserTable } from './sensors/users.ts';
import { TimelineCorruptError, TimelineWriteError } from './store/errors.ts';
import type { FileHash, Timeline } from './store/timeline.ts';
import type { LanePositions } from './timeline-messages.ts';
import { RecordType, Schema, type WalRecord } from './wal/types.ts';
import type { WalReader } from './wal/reader.ts';

export interface DetectionRecord {
  /** Position of the event in the security log. */
  seq: number;
  detections: Detection[];
}

/** Detections whose event was stored in an earlier step. */
interface LateDetections {
  of: number;
  detections: Detection[];
  /** Position of the detection record itself. */
  seq: number;
}

/** What was read from the logs and is stored together. */
interface Batch {
  events: Map<number, SentinelEvent>;
  late: LateDetections[];
  hashes: FileHash[];
  cursors: Partial<LanePositions>;
  taken: number;
}

export interface EpochRecord {
  bootId: string;
  deviceId: string;
  epoch: number;
  sensorTier: string;
  version: string;
}

interface FeedOptions {
  timeline: Timeline;
  readers: Readonly<Record<Lane, WalReader>>;
  processCache: number;
  /** Says how unusual an event is on this machine. */
  rarity?: RarityModel;
  /** Called with each event stored, for live views. */
  onEvent?: (event: SentinelEvent) => void;
}

const CHUNK_BYTES = 256 * 1024;
/** A step with fewer records goes on while there are more. */
const STEP_RECORDS = 4096;
/** Scores below this are the ordinary noise of a machine. */
const NOTABLE_RARITY = 0.4;

function rarityDetails({ score, features }: RarityScore): Record<string, string> {
  const reasons = features
    .filter((feature) => feature.bits > 1)
    .map(({ kind, left, right, pairCount, leftCount }) => {
      const seen = `${Math.round(pairCount * 10) / 10} of ${Math.round(leftCount)} times`;
      return `${kind}: ${left} with ${right}, ${seen}`;
    });
  return { rarity: score.toFixed(2), rarity_reasons: reasons.join('; ') };
}

/** The most severe of two. */
export function worse(a: Severity, b: Severity): Severity {
  return SEVERITIES.indexOf(a) >= SEVERITIES.indexOf(b) ? a : b;
}

export class TimelineFeed {
  /** Records that could not be decoded or stored; they stay in the log. */
  rejected = 0;
  readonly #timeline: Timeline;
  readonly #readers: Readonly<Record<Lane, WalReader>>;
  readonly #tree: ProcessTree;
  readonly #rarity: RarityModel | undefined;
  readonly #onEvent: ((event: SentinelEvent) => void) | undefined;
  readonly #queue: Record<Lane, WalRecord[]> = { security: [], observability: [] };
  readonly #at: Record<Lane, number> = { security: 0, observability: 0 };
  /** Read, and not stored yet: what a full disk refused is stored by a later step. */
  #pending: Batch | undefined;
  #bootId: string | undefined;
  #deviceId: string | undefined;

  constructor(options: FeedOptions) {
    this.#timeline = options.timeline;
    this.#readers = options.readers;
    this.#rarity = options.rarity;
    this.#onEvent = options.onEvent;
    this.#tree = new ProcessTree({ maxProcesses: options.processCache, users: new UserTable() });
  }

  /**
   * Ingests one chunk, up to `durable`. Returns how many records were taken; 0 means caught up. Records of both lanes
   * are taken in the order of their collection, so that a process is known before what it did. When it throws nothing
   * of the chunk is stored, and the next call tries it again.
   */
  step(durable: LanePositions): number {
    const batch = this.#pending ?? this.#read(durable);
    if (batch.taken === 0) return 0;
    this.#pending = batch;
    const stored = [...batch.events.values()];
    try {
      this.#store(batch, stored);
    } catch (error) {
      if (error instanceof TimelineWriteError || error instanceof TimelineCorruptError) throw error;
      this.#storeSingly(batch, stored);
    }
    this.#pending = undefined;
    if (this.#onEvent) for (const event of stored) this.#onEvent(event);
    return batch.taken;
  }

  #read(durable: LanePositions): Batch {
    const batch: Batch = { events: new Map(), late: [], hashes: [], cursors: {}, taken: 0 };
    let before: number;
    do {
      before = batch.taken;
      this.#fill('security', durable.security);
      this.#fill('observability', durable.observability);
      this.#drain(batch);
      // One lane ran out first: with more of it the step goes on, as a transaction of its own costs more.
    } while (batch.taken > before && batch.taken < STEP_RECORDS);
    return batch;
  }

  /** Takes what was read for as long as it is known which lane's record comes next. */
  #drain(batch: Batch): void {
    for (;;) {
      const lane = this.#next();
      if (lane === undefined) return;
      const record = this.#queue[lane][this.#at[lane]++];
      if (!record) return;
      batch.taken += 1;
      batch.cursors[lane] = record.seq;
      this.#take(lane, record, batch);
    }
  }

  #store({ late, hashes, cursors }: Batch, events: readonly SentinelEvent[]): void {
    this.#timeline.transaction(() => {
      this.#timeline.insert(events, cursors);
      for (const { of, detections, seq } of late) {
        this.#timeline.addDetections(eventIdOf('security', of), detections, seq);
      }
      for (const hash of hashes) this.#timeline.addHash(hash);
    });
  }

  /** One record that the store cannot take must not keep the others out. */
  #storeSingly(batch: Batch, events: readonly SentinelEvent[]): void {
    const taken: SentinelEvent[] = [];
    for (const event of events) {
      try {
        this.#timeline.insert([event], {});
        taken.push(event);
      } catch (error) {
        if (error instanceof TimelineWriteError || error instanceof TimelineCorruptError) throw error;
        this.rejected += 1;
      }
    }
    this.#store(batch, taken);
  }

  /** Reads more of a lane once its queue is used up. */
  #fill(lane: Lane, durableSeq: number): void {
    if (this.#at[lane] < this.#queue[lane].length) return;
    this.#queue[lane] = this.#readers[lane].readBatch(CHUNK_BYTES, durableSeq);
    this.#at[lane] = 0;
  }

  /** The lane whose next record was collected first; stops when either queue of a lane that had records runs out. */
  #next(): Lane | undefined {
    const security = this.#queue.security[this.#at.security];
    const observability = this.#queue.observability[this.#at.observability];
    if (!security && this.#queue.security.length > 0 && observability) return undefined;
    if (!observability && this.#queue.observability.length > 0 && security) return undefined;
    if (!security) return observability ? 'observability' : undefined;
    if (!observability) return 'security';
    return observability.wallNs < security.wallNs ? 'observability' : 'security';
  }

  #take(lane: Lane, record: WalRecord, { events, late, hashes }: Batch): void {
    const eventId = eventIdOf(lane, record.seq);
    try {
      switch (record.type) {
        case RecordType.sensor:
          this.#addSensor(eventId, lane, record, events);
          break;
        case RecordType.detection:
          this.#addDetection(record, events, late);
          break;
        case RecordType.epoch:
          this.#startEpoch(json(record) as unknown as EpochRecord);
          break;
        case RecordType.hash:
          hashes.push(fileHashesFromJson(json(record)));
          break;
        case RecordType.gap:
          this.#add(
            {
              ...bare(eventId, lane, record),
              type: 'integrity_gap',
              action: 'gap',
              severity: 'medium',
              gap: gapFromJson(json(record)),
            },
            events,
          );
          break;
        case RecordType.decision:
          this.#addDecision(eventId, lane, record, events);
          break;
        case RecordType.event:
          this.#add({ ...eventFromJson(json(record)), eventId, lane }, events);
          break;
        default:
          break;
      }
    } catch {
      this.rejected += 1;
    }
  }

  #addSensor(eventId: number, lane: Lane, record: WalRecord, events: Map<number, SentinelEvent>): void {
    const event = record.schema === Schema.sensorV1 ? decodeRecord(record.payload, 0, 0n) : undefined;
    if (!event) {
      this.rejected += 1;
      return;
    }
    event.eventId = eventId;
    event.lane = lane;
    event.tsNs = record.wallNs;
    this.#tree.apply(event);
    const rarity = this.#rarity?.scoreAndObserve(event);
    if (rarity && rarity.score >= NOTABLE_RARITY)
      event.details = { ...event.details, ...rarityDetails(rarity) };
    this.#add(event, events);
  }

  #add(event: SentinelEvent, events: Map<number, SentinelEvent>): void {
    event.bootId ??= this.#bootId;
    event.deviceId ??= this.#deviceId;
    events.set(event.eventId, event);
  }

  #addDetection(record: WalRecord, events: Map<number, SentinelEvent>, late: LateDetections[]): void {
    const found = json(record) as unknown as DetectionRecord;
    const event = events.get(eventIdOf('security', found.seq));
    if (!event) {
      late.push({ of: found.seq, detections: found.detections, seq: record.seq });
      return;
    }
    event.detections = [...(event.detections ?? []), ...found.detections];
    for (const detection of found.detections) event.severity = worse(event.severity, detection.level);
  }

  /** A decision shows the process, file and connection of the event it is about, so that it is found by them. */
  #addDecision(eventId: number, lane: Lane, record: WalRecord, events: Map<number, SentinelEvent>): void {
    const decision = readDecision(record.payload);
    const of = events.get(decision.eventId) ?? this.#timeline.get(decision.eventId);
    const event: SentinelEvent = {
      ...bare(eventId, lane, record),
      type: 'decision',
      action: decision.action,
      severity: decision.severity,
      message: decisionMessage(decision),
      decision,
    };
    if (of?.process) event.process = of.process;
    if (of?.parent) event.parent = of.parent;
    if (of?.ancestry) event.ancestry = of.ancestry;
    if (of?.file) event.file = of.file;
    if (of?.network) event.network = of.network;
    this.#add(event, events);
  }

  #startEpoch(epoch: EpochRecord): void {
    // The snapshot that follows says who still lives.
    this.#tree.newEpoch(this.#bootId === undefined || this.#bootId === epoch.bootId);
    this.#bootId = epoch.bootId;
    this.#deviceId = epoch.deviceId;
  }
}

function json(record: WalRecord): Record<string, unknown> {
  return JSON.parse(record.payload.toString('utf8')) as Record<string, unknown>;
}

function bare(
  eventId: number,
  lane: Lane,
  record: WalRecord,
): Pick<SentinelEvent, 'eventId' | 'lane' | 'tsNs'> {
  return { eventId, lane, tsNs: record.wallNs };
}
