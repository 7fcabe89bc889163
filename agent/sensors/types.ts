/** What a sensor is to the rest of the agent: batches of raw records in, status out. */

import type { BpfAddon, BpfHandle } from '../../native-addon/index.ts';

export const SENSOR_TIERS = ['lsm', 'tracepoint', 'proc-connector', 'proc-poll', 'replay'] as const;
export type SensorTier = (typeof SENSOR_TIERS)[number];

/** Raw records back to back (8-aligned, layout in native-addon/src/linux/events.h), all of one lane. */
export interface SensorBatch {
  lane: 'security' | 'observability';
  bytes: Buffer;
  count: number;
  /** WAL sequence number of the first record if the native reader already appended it, else 0. */
  firstSeq: number;
  /** Add to a record's CLOCK_BOOTTIME `ts` to get ns since the epoch. */
  wallOffsetNs: bigint;
}

/** Records the kernel or the sensor could not deliver: becomes an IntegrityGap. Counts are deltas, not totals. */
export interface SensorLoss {
  lane: 'security' | 'observability';
  cause: 'ring_full' | 'rate_limit' | 'sensor_blind' | 'hook_missed' | 'netlink_overrun';
  hook: string;
  cpu?: number;
  count?: number;
  fromNs: bigint;
  toNs: bigint;
  detail?: string;
}

export interface HookStatus {
  /** Program name, for example sched_process_exec. */
  name: string;
  attach: string;
  state: 'active' | 'replaced' | 'missing';
  /** What stands in, or why it is missing. */
  detail?: string;
  /** Records emitted and lost since start. */
  events: number;
  lost: number;
}

/** Something this tier cannot see, in words for a person, with the remedy if there is one. */
export interface BlindSpot {
  what: string;
  why: string;
  remedy?: string;
}

export interface SensorStatus {
  tier: SensorTier;
  hooks: HookStatus[];
  blindSpots: BlindSpot[];
  /** Bytes used and size of each ring. */
  rings: { name: string; usedBytes: number; sizeBytes: number; lost: number }[];
}

export interface SensorSink {
  /** Called on the main thread; the buffer belongs to the callee. */
  onBatch(batch: SensorBatch): void;
  onLoss(loss: SensorLoss): void;
}

/** host | cgroup:PATH | pid:N (that process and its descendants). */
export type SensorScope = { kind: 'host' } | { kind: 'cgroup'; path: string } | { kind: 'pid'; pid: number };

export interface Sensor {
  readonly tier: SensorTier;
  /** The loaded eBPF object, for whoever enforces through it; absent on other tiers. */
  readonly kernel?: { addon: BpfAddon; handle: BpfHandle };
  /** Wall-clock ns from which on nothing goes unnoticed, when that is before `start` resolves. */
  readonly watchingSinceNs?: bigint;
  /** Starts delivering, primed with a snapshot of the processes that already run. */
  start(sink: SensorSink): Promise<void>;
  status(): SensorStatus;
  /** Delivers what is still in the rings, then stops. */
  stop(): Promise<void>;
}
