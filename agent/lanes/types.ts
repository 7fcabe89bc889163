/** What goes into the observability lane and what it tells of itself. */
import type { LaneClock } from './clock.ts';
import type { OverloadState } from './overload.ts';
import type { Level, ShedReport } from './shed-ledger.ts';

export interface LaneRecord {
  /** Records of one stream keep their order; also the unit of loss accounting. At most MAX_STREAMS names. */
  stream: string;
  level: Level;
  tsNs: bigint;
  /** Payload, copied before `offer` returns. */
  bytes: Uint8Array;
  /** RecordType and Schema of agent/wal/types.ts. */
  type: number;
  schema: number;
  /** 0xffff when unknown. */
  cpu: number;
}

/** Raw records back to back, as a sensor delivers them: taken without an object for each. */
export interface LaneBatch {
  stream: string;
  type: number;
  schema: number;
  bytes: Uint8Array;
  /** Record i lies from offsets[i] to offsets[i + 1]. */
  offsets: Uint32Array;
  count: number;
  /** Level of each record as an index of LEVELS, or SKIP; undefined when all are `level`. */
  levels?: Uint8Array;
  level: Level;
  /** Where in a record its u64 little-endian time lies; `wallOffsetNs` is added to it. */
  tsAt: number;
  wallOffsetNs: bigint;
  /** Where in a record the u16 of its CPU lies; -1 when it has none. */
  cpuAt: number;
}

/** In LaneBatch.levels: not for this lane. */
export const SKIP = 255;
/** Streams beyond this many share the name `other`. */
export const MAX_STREAMS = 64;

export interface ObservabilityLaneOptions {
  /** Hard limit of what is held. Default 16 MiB. */
  maxBufferBytes?: number;
  /** Largest batch. Default 4,096 records, 1 MiB. */
  maxBatchRecords?: number;
  maxBatchBytes?: number;
  /** Longest stay of a record. Default 200. */
  maxBatchMs?: number;
  /** How long a record waits for earlier ones; at most 40 % of maxBatchMs. Default 50. */
  reorderMs?: number;
  /** A larger payload is dropped and reported as oversize. Default 1 MiB; at most a quarter of the buffer. */
  maxRecordBytes?: number;
  /** At most one report for each cause, level and stream in this time. Default 1,000. */
  reportMs?: number;
  onShed: (report: ShedReport) => void;
  clock?: LaneClock;
}

export interface ObservabilityLaneStats {
  state: OverloadState;
  bufferedRecords: number;
  bufferedBytes: number;
  /** Taken by the log and not yet durable. */
  unsettledBytes: number;
  maxBufferBytes: number;
  offered: number;
  written: number;
  batches: number;
  late: number;
  clockAhead: number;
  synthetic: number;
  /** Holes too long to fill. */
  imputationRefused: number;
  droppedTotal: number;
  /** Keyed `cause/level/stream`. */
  dropped: Record<string, number>;
  /** Records the next batch waits for, from the forecast. */
  batchSize: number;
  forecastPerSecond: number;
  /** How often each state was entered. */
  entered: Record<OverloadState, number>;
}
