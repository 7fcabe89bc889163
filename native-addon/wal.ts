/** Types of the addon's WAL writer; the code is in src/wal/. */

/** What the native WAL writer needs to start; agent/wal/types.ts explains the fields of the same name. */
export interface NativeWalOptions {
  dir: string;
  deviceId: string;
  /** 1 security, 2 observability. */
  lane: number;
  epoch: number;
  segmentBytes: number;
  maxSegmentAgeMs: number;
  commitWindowMs: number;
  maxPendingBytes: number;
  minFreeBytes: number;
  directIo: boolean;
  /** Number of the segment to start, and the numbers its first record and commit get. */
  segment: number;
  nextSeq: number;
  nextCommit: number;
  /** Chain before nextCommit, 32 bytes. */
  chain: Uint8Array;
}

export interface NativeWalStats {
  /** 0 ok, 1 degraded, 2 failed. */
  state: number;
  reason: string;
  lastSeq: number;
  durableSeq: number;
  commits: number;
  failedWrites: number;
  pendingBytes: number;
  segment: number;
  segmentUsed: number;
  refusedAppends: number;
  refusedRecords: number;
  flushP50Us: number;
  flushP99Us: number;
  directIo: boolean;
}

export interface NativeWal {
  /** Creates the first segment; rejects with {errno}. */
  open(): Promise<void>;
  /** False if what was pending could not be made durable. */
  close(): Promise<boolean>;
  /** `bytes` of `packed` hold `count` packed records. Returns the first sequence number, 0 if refused. None, but urgent: commits now. */
  append(packed: Uint8Array, bytes: number, count: number, urgent: boolean): number;
  durable(): number;
  /** Notify as soon as this sequence number is durable; 0: nobody waits. */
  waitFor(seq: number): void;
  /** Notify of all commits (see WalWriter.onDurable). */
  listen(on: boolean): void;
  /** Whether the open log keeps the process running. */
  keepAlive(on: boolean): void;
  /** Counts changes of state or reason; look at stats() when it moved. */
  stateChanges(): number;
  stats(): NativeWalStats;
  head(): { seq: number; commitNo: number; chain: Buffer };
  /** External<swal_appender>, see src/wal/appender.h. */
  appender(): unknown;
}
