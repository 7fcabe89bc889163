/** What the rest of the agent may rely on of the write-ahead log, whichever writer (native or JS) is behind it. */

/** Record types. A number is never reused; a reader skips what it does not know. */
export const RecordType = {
  /** Payload: a raw sensor record (schema = Schema.sensorV1). */
  sensor: 1,
  /** Payload: an event that user space made (metrics, health, log), JSON. */
  event: 2,
  /** Payload: detections of an earlier record, JSON {seq, lane, detections}. */
  detection: 3,
  /** Payload: a signed GapInfo, JSON. */
  gap: 4,
  /** Payload: hashes of a file identity, JSON. */
  hash: 5,
  /** Payload: signed checkpoint of the chain, JSON. */
  checkpoint: 6,
  /** Payload: who writes here (boot id, device id, agent version, sensor tier), JSON; first record of an epoch. */
  epoch: 7,
  /** Payload empty: an idle commit that shrinks the torn-tail ambiguity. */
  noop: 8,
} as const;

export const Schema = { none: 0, sensorV1: 1, jsonV1: 2 } as const;

/** Bits of a record's `flags`. The log stores them and gives them no meaning. */
export const RecordFlag = {
  /** Imputed, not measured: observability lane only. */
  synthetic: 1,
  /** Written after a later record of its stream was already written. */
  late: 2,
  /** Its source's clock ran ahead of this machine's; not used to order others. */
  clockAhead: 4,
} as const;

/**
 * Packed records, for writers that take them (`appendPacked`): each one an 8-aligned header of PACKED_HEADER_BYTES
 * (little-endian u32 payload length, u16 type, u16 schema, u16 flags, u16 cpu, u32 zero, u64 wallNs), then the
 * payload, then zeros up to a multiple of 8.
 */
export const PACKED_HEADER_BYTES = 24;

export interface WalRecordInput {
  type: number;
  schema: number;
  flags?: number;
  /** CPU the record was collected on; 0xffff when unknown. */
  cpu?: number;
  /** Wall-clock ns since the epoch at collection. */
  wallNs: bigint;
  payload: Uint8Array;
}

export interface WalRecord {
  seq: number;
  type: number;
  schema: number;
  flags: number;
  cpu: number;
  wallNs: bigint;
  payload: Buffer;
}

export const WalStates = ['ok', 'degraded', 'failed'] as const;
export type WalState = (typeof WalStates)[number];

export interface WalStats {
  state: WalState;
  writer: 'native' | 'js';
  lastSeq: number;
  durableSeq: number;
  segments: number;
  bytesOnDisk: number;
  pendingBytes: number;
  commits: number;
  failedWrites: number;
  /** Median and p99 of one durable write, microseconds (the disk's F). */
  flushP50Us: number;
  flushP99Us: number;
}

/** One lane's log. Single writer; `append` never blocks and never drops: it throws `WalFailedError` once failed. */
export interface WalWriter {
  readonly lane: 'security' | 'observability';
  /** Appends in order and returns the sequence number of the first record. `urgent` commits at once. */
  append(records: readonly WalRecordInput[], urgent: boolean): number;
  /** As `append`, for `count` records laid out as PACKED_HEADER_BYTES says; the bytes are copied before it returns. */
  appendPacked?(packed: Uint8Array, count: number, urgent: boolean): number;
  readonly durableSeq: number;
  /** Resolves once `seq` is durable; rejects with WalFailedError. */
  whenDurable(seq: number): Promise<void>;
  /** Called (coalesced) after durableSeq moved. Returns an unsubscribe. */
  onDurable(listener: (durableSeq: number) => void): () => void;
  stats(): WalStats;
  /** Opaque pointer for the native sensor reader (native-addon/src/wal/appender.h); undefined on the JS writer. */
  readonly nativeHandle?: unknown;
  /** Commits what is pending and closes. */
  close(): Promise<void>;
}

/** A hole that recovery or a reader found. */
export interface WalGap {
  fromSeq: number;
  toSeq: number;
  cause: 'wal_corruption' | 'torn_tail' | 'retention' | 'missing_segment';
  segment: number;
  fromWallNs: bigint;
  toWallNs: bigint;
  detail: string;
}
