/** What the agent and its timeline worker say to each other. Everything here survives structured clone. */
import type { ApiError } from './api/contract.ts';

/** Highest sequence number of each lane that is durable, or that was ingested. */
export interface LanePositions {
  security: number;
  observability: number;
}

/**
 * Not of the contract: `sync` ingests and answers nothing, `events.missing` names those of `eventIds` not stored,
 * `exceptions.effect` says what an exception would hide (params: EffectRequest),
 * `policy.slice` evaluates policies on a part of the record (params: SliceRequest).
 */
export type OwnWorkerMethod = 'sync' | 'events.missing' | 'exceptions.effect' | 'policy.slice';

/** Methods of the Local API that the worker answers, by their contract names, and its own. */
export type WorkerMethod =
  | 'query.check'
  | 'events.query'
  | 'events.histogram'
  | 'events.facets'
  | 'events.get'
  | 'events.around'
  | 'events.gaps'
  | 'gaps.totals'
  | 'process.tree'
  | 'tree.ancestors'
  | 'tree.children'
  | 'tree.overview'
  | 'tree.search'
  | 'events.export'
  | 'triage.list'
  | 'dlp.groups'
  | OwnWorkerMethod;

/** Those that need the store and the logs only; the rest also needs the rule engine or the policies. */
export type TimelineMethod = Exclude<WorkerMethod, 'exceptions.effect' | 'policy.slice'>;

/** Counts around the rows: worked on in slices, between which everything else is answered. */
const COUNT_METHODS = ['events.histogram', 'events.facets', 'dlp.groups'] as const;
export type CountMethod = (typeof COUNT_METHODS)[number];

const COUNTS: ReadonlySet<string> = new Set(COUNT_METHODS);

export function isCountMethod(method: string): method is CountMethod {
  return COUNTS.has(method);
}

export interface WorkerOptions {
  dataDir: string;
  processCache: number;
  maxTimelineBytes: number;
  maxTimelineAgeNs: bigint;
}

/** Why the timeline is behind, and what ends it. The logs are not affected. */
export interface TimelineTrouble {
  what: string;
  remedy: string;
}

export type ToWorker =
  | { kind: 'durable'; durable: LanePositions }
  /** The answer reflects everything up to `upTo` unless ingesting that much takes longer than `MAX_SYNC_MS`. */
  | { kind: 'call'; id: number; method: WorkerMethod; params: unknown; upTo?: LanePositions }
  /** Nobody waits for the answer to this call any more; one that is being worked on in slices is given up. */
  | { kind: 'cancel'; id: number }
  | { kind: 'follow'; id: number; query: string; limit: number; upTo?: LanePositions }
  | { kind: 'unfollow'; id: number }
  | { kind: 'close' };

export type FromWorker =
  | { kind: 'ready'; cursors: LanePositions; rebuilt?: string }
  | {
      kind: 'stored';
      cursors: LanePositions;
      rejected: number;
      gaps24h: { count: number; lostRecords: number };
    }
  /** `text` is the JSON of the result. */
  | { kind: 'result'; id: number; text: string }
  | { kind: 'failure'; id: number; error: ApiError }
  /** Each event as JSON text, oldest first. */
  | { kind: 'followed'; id: number; events: string[]; skipped: number }
  | { kind: 'problem'; code: string; message: string }
  /** The state of ingestion changed. */
  | { kind: 'trouble'; trouble?: TimelineTrouble };

/** Longest a query waits for ingestion to catch up. */
export const MAX_SYNC_MS = 1500;
