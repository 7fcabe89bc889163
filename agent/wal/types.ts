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
  /** Reserved. The idle commit that shrinks the torn-tail ambiguity carries no record at all (format.ts). */
  noop: 8,
  /** Payload: what a policy decided about an event, JSON (audit/decision.ts). */
  decision: 9,
  /** Payload: the text of a policy that decisions refer to by its hash, JSON {hash, text} (audit/decision.ts). */
  policy: 10,
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
  /** Median and p99 of one durable write of at most 64 KiB among the last 512, microseconds (the disk's F). */
  flushP50Us: number;
  flushP99Us: number;
  /** Why the state is not ok: disk_full, disk_low, write_failed, … with the system's words; empty when ok. */
  reason: string;
  /** Appends refused because the disk was slower than the arrivals (or the log had failed), and their records. */
  refusedAppends: number;
  refusedRecords: number;
  /** Writes bypass the page cache (O_DIRECT|O_DSYNC); false on the plain write + fdatasync path. */
  directIo: boolean;
  segmentBytes: number;
}

/** The newest durable position: what an audit checkpoint signs. `chain` is BLAKE3, 32 bytes. */
export interface WalChainHead {
  /** Last durable record; 0 before the first. */
  seq: number;
  commitNo: number;
  chain: Buffer;
}

/**
 * One lane's log. Single writer. `append` never waits for the disk and never drops in silence: it throws
 * `WalFailedError` once the log has failed and `WalFullError` while `maxPendingBytes` wait for a slow disk; in both
 * cases none of the records was accepted and the caller accounts for them.
 */
export interface WalWriter {
  readonly lane: 'security' | 'observability';
  /** Appends in order and returns the sequence number of the first record. `urgent` commits at once. */
  append(records: readonly WalRecordInput[], urgent: boolean): number;
  /** As `append`, for `count` records laid out as PACKED_HEADER_BYTES says; the bytes are copied before it returns. */
  appendPacked?(packed: Uint8Array, count: number, urgent: boolean): number;
  /** Commits what waits for its window at once, as if it had been urgent: somebody waits for it. */
  commitNow(): void;
  readonly durableSeq: number;
  /** Resolves once `seq` is durable; rejects with WalFailedError. */
  whenDurable(seq: number): Promise<void>;
  /**
   * Called after durableSeq moved, coalesced: at once for commits that held urgent records, otherwise at most every
   * 20 ms. Returns an unsubscribe.
   */
  onDurable(listener: (durableSeq: number) => void): () => void;
  /** Called when the state changes; `reason` as in WalStats. Returns an unsubscribe. */
  onState(listener: (state: WalState, reason: string) => void): () => void;
  stats(): WalStats;
  /** The durable end of the hash chain, for a checkpoint that is then appended as a record. */
  chainHead(): WalChainHead;
  /** Opaque pointer for the native sensor reader (native-addon/src/wal/appender.h); undefined on the JS writer. */
  readonly nativeHandle?: unknown;
  /** Commits what is pending, marks the log as cleanly closed and closes it. Rejects if that could not be made durable. */
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

export interface WalOptions {
  /** Folder of this lane's segments, for example DATA/wal/security. Created if missing. */
  dir: string;
  lane: 'security' | 'observability';
  /** At most 64 bytes of UTF-8. */
  deviceId: string;
  /** Number of this run of the agent; a header field, so that records tell which run wrote them. */
  epoch: number;
  /** Size of a segment, a multiple of 4096 and at least 64 KiB. Default 16 MiB. */
  segmentBytes?: number;
  /** A segment older than this is left at the next commit. Default 1 h. */
  maxSegmentAgeMs?: number;
  /** Longest time a record that is not urgent waits for its commit. Default 5 (security), 1000 (observability). */
  commitWindowMs?: number;
  /** Bound on bytes not yet durable. Default 16 MiB (security), 8 MiB (observability). */
  maxPendingBytes?: number;
  /**
   * Free bytes of the file system below which no further segment is started: the lane with the higher threshold
   * stops first. Default 16 MiB (security), 256 MiB (observability).
   */
  minFreeBytes?: number;
  /** Default native when the addon is there. `native` without the addon throws. */
  prefer?: 'native' | 'js';
  /** Native writer only: false forces plain write + fdatasync. Default: tried, given up where refused. */
  directIo?: boolean;
  /**
   * A sequence number known from elsewhere to have been handed out (a cursor, the previous writer of this process).
   * If the files end before it, the missing range comes back as a gap and its numbers are not used again.
   */
  witnessSeq?: number;
  /** File system of the JS writer, for fault injection. */
  fs?: WalFs;
  onState?: (state: WalState, reason: string) => void;
  /** Called for each gap in `recovered.gaps`, before openWal resolves. */
  onGap?: (gap: WalGap) => void;
}

/** What recovery found in the folder. */
export interface WalRecovered {
  /** Last sequence number in the files (or witnessSeq if higher); 0 for an empty folder. */
  lastSeq: number;
  lastCommitNo: number;
  /** Hex of the chain after the last commit. */
  lastChain: string;
  /** Wall clock of the last commit, 0 for an empty folder. */
  lastWallNs: bigint;
  /** Holes in what the last run wrote: to be recorded as signed gaps. */
  gaps: WalGap[];
  /** Bytes after the last valid commit that hold something (a torn write). */
  truncatedBytes: number;
  /** The last run ended with close(). */
  cleanShutdown: boolean;
  segments: number;
}

/** The few file operations of the JS writer. Each rejects with a NodeJS.ErrnoException. */
export interface WalFile {
  /** Writes all bytes at the position. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  datasync(): Promise<void>;
  truncate(bytes: number): Promise<void>;
  close(): Promise<void>;
}

export interface WalFs {
  /** Creates the file; it must not exist. */
  create(path: string): Promise<WalFile>;
  syncDir(dir: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Free bytes of the file system that holds dir. */
  freeBytes(dir: string): Promise<number>;
}
