/**
 * Until when the last run certainly saw everything, from the end of its security log: the begin of the gap that the next
 * run states. Too late would leave an interval in which things happened unseen and nobody says so.
 *
 * A run says when it begins to watch, after it has stated the gap before that, and when it ends: commits go on after.
 * A run that was killed before it said the former never watched, and the one before it counts. A ring delivers in
 * order, so everything up to the last sensor record was seen. Without a recent one the last commit (there is one each
 * second) stands for it, less the time a record may take from the kernel into a commit.
 */
import type { GapInfo, SentinelEvent } from './event.ts';
import { eventToJson } from './event-json.ts';
import { UnstatedLosses } from './unstated-losses.ts';
import { openWalReader } from './wal/reader.ts';
import { RecordType, Schema, type WalRecord, type WalRecordInput, type WalRecovered } from './wal/types.ts';

/** A sensor record this close to the end says more than the commit. */
const RECENT_NS = 1_000_000_000n;
/** From the kernel's ring into a commit, idle. */
const DELIVERY_NS = 10_000_000n;
/** How far back to look: about two seconds at 10,000 records/s and a full ring. */
const TAIL_RECORDS = 50_000;

type WatchAction = 'watch_begin' | 'watch_end';

const MESSAGES: Readonly<Record<WatchAction, string>> = {
  watch_begin: 'The agent sees what happens from here on',
  watch_end: 'The agent was stopped; nothing is seen until it starts again',
};

/** The record that says that a run begins or ends to watch. */
export function watchRecord(action: WatchAction, tsNs: bigint): WalRecordInput {
  const event: SentinelEvent = {
    eventId: 0,
    type: 'health',
    action,
    lane: 'security',
    tsNs,
    severity: 'info',
    message: MESSAGES[action],
  };
  const payload = Buffer.from(JSON.stringify(eventToJson(event)), 'utf8');
  return { type: RecordType.event, schema: Schema.jsonV1, wallNs: tsNs, payload };
}

function actionOf(record: WalRecord): unknown {
  try {
    return (JSON.parse(record.payload.toString('utf8')) as { action?: unknown }).action;
  } catch {
    return undefined;
  }
}

/** What the records of the tail say of the last run that watched. */
class Tail {
  lastSensorNs = 0n;
  lastRecordNs = 0n;
  /** Of the last run: it said so, or it began before the tail did. */
  watched = true;
  endNs = 0n;
  #before: { sensorNs: bigint; recordNs: bigint; endNs: bigint } | undefined;

  /** True when the run begins to watch with this record. */
  add(record: WalRecord): boolean {
    let begins = false;
    if (record.type === RecordType.epoch) {
      if (this.watched && this.lastRecordNs > 0n) {
        this.#before = { sensorNs: this.lastSensorNs, recordNs: this.lastRecordNs, endNs: this.endNs };
      }
      this.watched = false;
      this.lastSensorNs = 0n;
      this.endNs = 0n;
    }
    if (record.type === RecordType.sensor && record.wallNs > this.lastSensorNs) {
      this.lastSensorNs = record.wallNs;
    }
    if (record.type === RecordType.event) {
      const action = actionOf(record);
      begins = action === 'watch_begin';
      if (begins) this.watched = true;
      if (action === 'watch_end') this.endNs = record.wallNs;
    }
    this.lastRecordNs = record.wallNs;
    return begins;
  }

  /** For a last run that never watched: the end of the one before it, 0 when that is not in the tail. */
  endBefore(): bigint {
    const before = this.#before;
    if (before === undefined) return 0n;
    if (before.endNs > 0n) return before.endNs;
    return before.sensorNs > 0n ? before.sensorNs : before.recordNs - DELIVERY_NS;
  }
}

export interface EndOfWatch {
  /** Wall-clock ns, 0 when no run ever watched. */
  untilNs: bigint;
  /** What the kernel lost and the last run did not state any more. */
  lost: GapInfo[];
}

/** Call before this run appends anything. */
export function endOfWatch(dir: string, recovered: WalRecovered): EndOfWatch {
  const fromSeq = Math.max(1, recovered.lastSeq - TAIL_RECORDS + 1);
  const tail = new Tail();
  const losses = new UnstatedLosses();
  const reader = openWalReader(dir, { fromSeq });
  try {
    for (const record of reader.scan(fromSeq, TAIL_RECORDS)) {
      losses.add(record);
      if (tail.add(record)) losses.beginWatch();
    }
  } finally {
    reader.close();
  }
  const seenUntilNs = endOf(tail, recovered.lastWallNs);
  // What came after the first loss came with holes that may go on unseen on another CPU.
  const since = losses.sinceNs;
  return {
    untilNs: since > 0n && since < seenUntilNs ? since : seenUntilNs,
    lost: losses.gaps(),
  };
}

function endOf(tail: Tail, lastWallNs: bigint): bigint {
  if (!tail.watched) return tail.endBefore();
  if (tail.endNs > 0n && tail.endNs <= lastWallNs) return tail.endNs;
  const isRecent = tail.lastSensorNs <= lastWallNs && lastWallNs - tail.lastSensorNs <= RECENT_NS;
  return isRecent ? tail.lastSensorNs : lastWallNs - DELIVERY_NS;
}
