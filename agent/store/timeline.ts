/**
 * The timeline: every event of this machine on disk, found again by query. Built on node:sqlite (schema.ts says how it
 * lies there), synchronous, made to run inside a worker thread: no call holds it much longer than its budget.
 *
 * What is stored is derived: the write-ahead log is the record, and a damaged or deleted timeline is rebuilt from it.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Detection, FileIdentity, GapInfo, Hashes, ProcessKey, SentinelEvent } from '../event.ts';
import { Actions, filledPartitions, type Partition } from './catalog.ts';
import { isCorruption, isWriteFailure, moveAside, openDatabase } from './database.ts';
import { TimelineCorruptError, TimelineWriteError } from './errors.ts';
import { countFacets, type FieldFacet } from './facets.ts';
import { decisionsAbout } from './decisions.ts';
import { foldMatches, type Fold } from './fold.ts';
import { readGaps, summarizeGaps, totalGaps, type GapTotals } from './gaps.ts';
import { countByTime, type HistogramOptions, type TimeHistogram } from './histogram.ts';
import { checkIntegrity } from './integrity.ts';
import { queryPage, type Page, type PageOptions } from './pages.ts';
import { ALL, type QueryNode } from './query-ast.ts';
import { Retention, usedBytes, type RetentionLimits, type RetentionStep } from './retention.ts';
import { finish, goOn, type Slices } from './slices.ts';
import { identityKey } from './snapshot.ts';
import { formatPosition } from './time-order.ts';
import {
  processTree,
  treeAncestors,
  treeChildren,
  type ChildrenPage,
  type ProcessNode,
  type ProcessTree,
  type TreeOptions,
} from './tree.ts';
import { treeOverview, type TreeOverview } from './tree-overview.ts';
import { searchTree, type TreeSearch } from './tree-search.ts';
import { countsByType, recentValues } from './values.ts';
import { eventOf, type Reader } from './view.ts';
import { TimelineWriter, type Cursors } from './writer.ts';
import { unionOf } from './zones.ts';

export interface TimelineOptions {
  /** For the CLI beside a running agent. Writing methods throw. */
  readOnly?: boolean;
  /** Events in one partition, the unit of retention. Default 262,144. */
  partitionRows?: number;
  /** Longest time one partition spans. Default one day. */
  maxPartitionNs?: bigint;
  /** SQLite's page cache. Default 2048. */
  cacheKiB?: number;
}

/*
 * Errors: writing methods throw TimelineWriteError when the disk refuses (nothing was stored), all methods
 * TimelineCorruptError when the file turns out damaged (it was closed and moved aside: open a new one).
 */

/** What is known of a file's bytes. */
export interface FileHash extends FileIdentity {
  path: string;
  sha256: string;
  blake3: string;
}

export interface TimelineCounts {
  events: number;
  byType: Record<string, number>;
  gaps: number;
  partitions: number;
  bytesOnDisk: number;
  oldestNs?: bigint;
  newestNs?: bigint;
}

export interface Timeline {
  /** Stores events and moves cursors in one transaction. Events that are stored already are ignored. */
  insert(events: readonly SentinelEvent[], cursors: Cursors): void;
  /** Detections that the record at `seq` found about an event; raises its severity. Idempotent by (event, seq). */
  addDetections(eventId: number, detections: readonly Detection[], seq: number): void;
  /** Hashes, joined to processes by the identity of their executable when they are read. */
  addHash(hash: FileHash): void;
  /** Groups writing calls into one transaction. */
  transaction(work: () => void): void;
  query(node: QueryNode, options: PageOptions): Page;
  /** Up to `before` older and `after` newer neighbours with the event between them, newest first. */
  around(eventId: number, before: number, after: number): Page | undefined;
  get(eventId: number): SentinelEvent | undefined;
  histogram(
    node: QueryNode,
    fromNs: bigint,
    toNs: bigint,
    buckets: number,
    options?: HistogramOptions,
  ): TimeHistogram;
  facets(node: QueryNode, fields: readonly string[], top: number, options?: HistogramOptions): FieldFacet[];
  /** The same two in slices: other calls, also writing ones, may come between them. */
  histogramInSlices(node: QueryNode, fromNs: bigint, toNs: bigint, buckets: number): Slices<TimeHistogram>;
  facetsInSlices(node: QueryNode, fields: readonly string[], top: number): Slices<FieldFacet[]>;
  /** All matches put together; `begin` is called again when what is being read is taken away. */
  foldInSlices<T>(node: QueryNode, begin: () => Fold<T>): Slices<T>;
  tree(pid: number, startNs?: bigint, options?: TreeOptions): ProcessTree | undefined;
  /** A process with the sums of its subtree and its ancestors, parent first. */
  ancestors(key: ProcessKey): { node: ProcessNode; ancestors: ProcessNode[] } | undefined;
  /** One page of a process's children, each with the sums of its subtree. */
  children(key: ProcessKey, options?: TreeOptions): ChildrenPage | undefined;
  /** Processes below a process whose events match, with the way down to each. */
  searchTree(key: ProcessKey, node: QueryNode, limit?: number): TreeSearch | undefined;
  /** Where to begin among all processes. */
  treeOverview(): TreeOverview;
  gaps(fromNs: bigint, toNs: bigint, limit: number): GapInfo[];
  gapSummary(sinceNs: bigint): { count: number; lostRecords: number };
  /** By lane, cause, hook and CPU. */
  gapTotals(fromNs: bigint, toNs: bigint): GapTotals[];
  /** Events of type `decision` about that event, or by that policy: newest first. */
  decisions(about: { eventId: number } | { policyId: string }, limit: number): SentinelEvent[];
  counts(): TimelineCounts;
  /** Times of the oldest and the newest event; absent while there is none. */
  bounds(): { oldestNs?: bigint; newestNs?: bigint };
  /** Values of a field for completion. */
  valuesOf(field: string, prefix: string, limit: number): string[];
  /** One slice of retention; call again soon until `done`. */
  prune(limits: RetentionLimits): RetentionStep;
  cursors(): Cursors;
  /** Gives back what SQLite keeps for the next question. */
  releaseMemory(): void;
  /** Problems found, none for a sound database. Reads everything: seconds per million events. */
  integrityCheck(): string[];
  close(): void;
}

const PARTITION_ROWS = 262_144;
const DAY_NS = 86_400_000_000_000n;

/**
 * Opens or creates the timeline at `path`. Throws TimelineCorruptError after moving a damaged file aside, and
 * TimelineOpenError when it cannot be opened at all.
 */
export function openTimeline(path: string, options: TimelineOptions = {}): Timeline {
  const { db } = openDatabase(path, options.readOnly === true, options.cacheKiB ?? 2048);
  return new SqliteTimeline(path, db, options);
}

function boundsOf(partitions: readonly Partition[]): { oldestNs?: bigint; newestNs?: bigint } {
  if (partitions.length === 0) return {};
  const { minTs, maxTs } = unionOf(partitions.map(({ zone }) => zone));
  return { oldestNs: minTs, newestNs: maxTs };
}

class SqliteTimeline implements Timeline {
  private readonly path: string;
  private readonly db: DatabaseSync;
  private readonly readOnly: boolean;
  private readonly reader: Reader;
  private readonly writer: TimelineWriter | undefined;
  private readonly retention: Retention | undefined;

  constructor(path: string, db: DatabaseSync, options: TimelineOptions) {
    this.path = path;
    this.db = db;
    this.readOnly = options.readOnly === true;
    const actions = new Actions(db);
    const selectHash = db.prepare('SELECT sha256, blake3 FROM hash WHERE ident = ?');
    const hashes = (identity: string): Hashes | undefined => {
      const row = selectHash.get(identity) as unknown as Hashes | undefined;
      return row && { sha256: row.sha256, blake3: row.blake3 };
    };
    this.reader = { db, actions, hashes };
    if (this.readOnly) return;
    const writer = new TimelineWriter(
      db,
      actions,
      options.partitionRows ?? PARTITION_ROWS,
      options.maxPartitionNs ?? DAY_NS,
    );
    this.writer = writer;
    this.retention = new Retention(this.reader, writer);
  }

  /** Damage found while working: the file goes aside, the caller opens a new one and rebuilds it. */
  private guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!isCorruption(error)) throw error;
      this.close();
      throw new TimelineCorruptError(this.path, this.readOnly ? undefined : moveAside(this.path), error);
    }
  }

  private write<T>(work: (writer: TimelineWriter) => T): T {
    const { writer } = this;
    if (!writer) throw new TypeError('this timeline was opened for reading only');
    try {
      return this.guard(() => work(writer));
    } catch (error) {
      throw isWriteFailure(error) ? new TimelineWriteError(this.path, error) : error;
    }
  }

  /** One consistent view for all statements of an answer, whatever the agent writes meanwhile. */
  private read<T>(work: () => T): T {
    return this.guard(() => {
      if (this.db.isTransaction) return work();
      this.db.exec('BEGIN');
      try {
        // Another process may have given out new numbers.
        if (this.readOnly) this.reader.actions.reload();
        return work();
      } finally {
        if (this.db.isTransaction) this.db.exec('ROLLBACK');
      }
    });
  }

  insert(events: readonly SentinelEvent[], cursors: Cursors): void {
    this.write((writer) => writer.insert(events, cursors));
  }

  addDetections(eventId: number, detections: readonly Detection[], seq: number): void {
    this.write((writer) => writer.addDetections(eventId, detections, seq));
  }

  addHash(hash: FileHash): void {
    this.write((writer) => writer.addHash(identityKey(hash), hash.path, hash.sha256, hash.blake3));
  }

  transaction(work: () => void): void {
    this.write((writer) => writer.transaction(work));
  }

  query(node: QueryNode, options: PageOptions): Page {
    return this.read(() => queryPage(this.reader, node, options));
  }

  around(eventId: number, before: number, after: number): Page | undefined {
    return this.read(() => {
      const event = eventOf(this.reader, eventId);
      if (!event) return undefined;
      const place = formatPosition({ ts: event.tsNs, id: eventId });
      const none: Page = { events: [], older: place, newer: place, partial: false };
      const older = before > 0 ? queryPage(this.reader, ALL, { limit: before, before: place }) : none;
      const newer = after > 0 ? queryPage(this.reader, ALL, { limit: after, after: place }) : none;
      return {
        events: [...newer.events, event, ...older.events],
        older: older.older,
        newer: newer.newer,
        partial: older.partial || newer.partial,
      };
    });
  }

  get(eventId: number): SentinelEvent | undefined {
    return this.read(() => eventOf(this.reader, eventId));
  }

  histogram(
    node: QueryNode,
    fromNs: bigint,
    toNs: bigint,
    buckets: number,
    options: HistogramOptions = {},
  ): TimeHistogram {
    return this.read(() => finish(countByTime(this.reader, node, fromNs, toNs, buckets, options)));
  }

  facets(
    node: QueryNode,
    fields: readonly string[],
    top: number,
    options: HistogramOptions = {},
  ): FieldFacet[] {
    return this.read(() => finish(countFacets(this.reader, node, fields, top, options)));
  }

  histogramInSlices(node: QueryNode, fromNs: bigint, toNs: bigint, buckets: number): Slices<TimeHistogram> {
    return this.slices(() => countByTime(this.reader, node, fromNs, toNs, buckets));
  }

  facetsInSlices(node: QueryNode, fields: readonly string[], top: number): Slices<FieldFacet[]> {
    return this.slices(() => countFacets(this.reader, node, fields, top));
  }

  foldInSlices<T>(node: QueryNode, begin: () => Fold<T>): Slices<T> {
    return this.slices(() => foldMatches(this.reader, node, begin()));
  }

  /** Each slice sees the record as it is then; when retention takes away what is being read, it is begun again. */
  private slices<T>(begin: () => Generator<void, T>): Slices<T> {
    let work = begin();
    return (ms) => {
      try {
        return this.read(() => goOn(work, ms));
      } catch (error) {
        if (error instanceof TimelineCorruptError) throw error;
        work = begin();
        return { value: this.read(() => finish(work)) };
      }
    };
  }

  tree(pid: number, startNs?: bigint, options: TreeOptions = {}): ProcessTree | undefined {
    return this.read(() => processTree(this.reader, pid, startNs, options));
  }

  ancestors(key: ProcessKey): { node: ProcessNode; ancestors: ProcessNode[] } | undefined {
    return this.read(() => treeAncestors(this.reader, key));
  }

  children(key: ProcessKey, options: TreeOptions = {}): ChildrenPage | undefined {
    return this.read(() => treeChildren(this.reader, key, options));
  }

  searchTree(key: ProcessKey, node: QueryNode, limit?: number): TreeSearch | undefined {
    return this.read(() => searchTree(this.reader, key, node, { limit }));
  }

  treeOverview(): TreeOverview {
    return this.read(() => treeOverview(this.reader));
  }

  gaps(fromNs: bigint, toNs: bigint, limit: number): GapInfo[] {
    return this.read(() => readGaps(this.db, fromNs, toNs, limit));
  }

  gapSummary(sinceNs: bigint): { count: number; lostRecords: number } {
    return this.read(() => summarizeGaps(this.db, sinceNs));
  }

  gapTotals(fromNs: bigint, toNs: bigint): GapTotals[] {
    return this.read(() => totalGaps(this.db, fromNs, toNs));
  }

  decisions(about: { eventId: number } | { policyId: string }, limit: number): SentinelEvent[] {
    return this.read(() =>
      decisionsAbout(this.db, about, limit)
        .map((id) => eventOf(this.reader, id))
        .filter((event) => event !== undefined),
    );
  }

  counts(): TimelineCounts {
    return this.read(() => {
      const partitions = filledPartitions(this.db);
      const gaps = this.db.prepare('SELECT count(*) AS c FROM gap').get() as { c: number };
      const counts: TimelineCounts = {
        events: partitions.reduce((sum, { zone }) => sum + zone.rows, 0),
        byType: countsByType(this.reader),
        gaps: gaps.c,
        partitions: partitions.length,
        bytesOnDisk: usedBytes(this.db),
      };
      return Object.assign(counts, boundsOf(partitions));
    });
  }

  bounds(): { oldestNs?: bigint; newestNs?: bigint } {
    return this.read(() => boundsOf(filledPartitions(this.db)));
  }

  valuesOf(field: string, prefix: string, limit: number): string[] {
    return this.read(() => recentValues(this.reader, field, prefix, limit));
  }

  prune(limits: RetentionLimits): RetentionStep {
    const { retention } = this;
    if (!retention) throw new TypeError('this timeline was opened for reading only');
    return this.guard(() => retention.step(limits));
  }

  cursors(): Cursors {
    return this.read(() => {
      const rows = this.db.prepare("SELECT key, value FROM meta WHERE key LIKE 'cursor.%'").all() as {
        key: string;
        value: number;
      }[];
      return Object.fromEntries(
        rows.map(({ key, value }) => [key.slice('cursor.'.length), value]),
      ) as Cursors;
    });
  }

  releaseMemory(): void {
    this.guard(() => this.db.exec('PRAGMA shrink_memory'));
  }

  integrityCheck(): string[] {
    return this.read(() => checkIntegrity(this.db));
  }

  close(): void {
    if (this.db.isOpen) this.db.close();
  }
}
