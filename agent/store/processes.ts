/**
 * Processes by identity (pid and start): parent, lifetime, worst severity, counts by type. Kept beside the events so
 * that a tree of 50,000 children needs no scan of them. Changes collect in memory and are written once a transaction.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import {
  EVENT_TYPES,
  type ProcessInfo,
  type ProcessKey,
  type ProcessRef,
  type SentinelEvent,
} from '../event.ts';
import { KNOWN_PROCESS } from './snapshot.ts';

const TYPES = EVENT_TYPES.length;

function sameTexts(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  if (a === b) return true;
  if (!a || !b || a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}

function sameParent(a: ProcessRef | undefined, b: ProcessRef | undefined): boolean {
  if (a === b) return true;
  if (!a || !b) return false;
  return (
    a.pid === b.pid &&
    a.startNs === b.startNs &&
    a.name === b.name &&
    a.executable === b.executable &&
    a.cwd === b.cwd &&
    a.uid === b.uid &&
    a.user === b.user &&
    sameTexts(a.argv, b.argv)
  );
}

function sameProcess(a: ProcessInfo, b: ProcessInfo): boolean {
  return (
    a.startNs === b.startNs &&
    a.pid === b.pid &&
    a.ppid === b.ppid &&
    a.parentStartNs === b.parentStartNs &&
    a.name === b.name &&
    a.executable === b.executable &&
    a.cwd === b.cwd &&
    a.uid === b.uid &&
    a.euid === b.euid &&
    a.gid === b.gid &&
    a.loginuid === b.loginuid &&
    a.sessionId === b.sessionId &&
    a.user === b.user &&
    a.integrityLevel === b.integrityLevel &&
    a.cgroupId === b.cgroupId &&
    a.containerId === b.containerId &&
    a.hashes?.sha256 === b.hashes?.sha256 &&
    a.hashes?.blake3 === b.hashes?.blake3 &&
    a.exeIdentity?.inode === b.exeIdentity?.inode &&
    a.exeIdentity?.ctimeNs === b.exeIdentity?.ctimeNs &&
    a.exeIdentity?.mtimeNs === b.exeIdentity?.mtimeNs &&
    a.exeIdentity?.size === b.exeIdentity?.size &&
    a.exeIdentity?.dev === b.exeIdentity?.dev &&
    sameTexts(a.flags, b.flags) &&
    sameTexts(a.argv, b.argv)
  );
}

/** The last snapshot of a process, and what happened to it since the last flush. */
export class KnownProcess {
  readonly process: ProcessInfo;
  readonly parent: ProcessRef | undefined;
  readonly ancestry: readonly string[] | undefined;
  readonly snap: number;
  /** Events by type since the last flush; `dirty` when there are any. */
  readonly counts: number[] = Array.from({ length: TYPES }, () => 0);
  dirty = false;
  /** The process has its row, with its parent in it. */
  settled = false;
  firstTs = 0n;
  lastTs = 0n;
  endTs: bigint | undefined;
  severity = 0;
  /** Detections since the last flush. */
  detections = 0;

  constructor(event: SentinelEvent, process: ProcessInfo, snap: number) {
    this.process = { ...process };
    this.parent = event.parent && { ...event.parent };
    this.ancestry = event.ancestry;
    this.snap = snap;
  }

  /** Whether the event shows the process exactly as this snapshot does. */
  shows(event: SentinelEvent, process: ProcessInfo): boolean {
    return (
      sameProcess(this.process, process) &&
      sameParent(this.parent, event.parent) &&
      sameTexts(this.ancestry, event.ancestry) &&
      !hasStrangers(process)
    );
  }
}

/** Members that the comparison above does not know: such an event gets a snapshot of its own. */
function hasStrangers(process: ProcessInfo): boolean {
  for (const key in process) if (!KNOWN_PROCESS.has(key)) return true;
  return false;
}

const COUNT_COLUMNS = EVENT_TYPES.map((_, index) => `n${index}`);

export class ProcessWriter {
  private readonly upsert: StatementSync;
  /** One for each type of event. */
  private readonly updates: StatementSync[];
  private readonly raiseOne: StatementSync;
  private readonly dirty: KnownProcess[] = [];

  constructor(db: DatabaseSync) {
    const columns =
      'start, pid, pstart, ppid, first_ts, last_ts, end_ts, exit_code, exit_signal, sev, det, part, snap, ' +
      COUNT_COLUMNS.join(', ');
    const marks = Array.from({ length: 13 + TYPES }, () => '?').join(', ');
    const sums = COUNT_COLUMNS.map((name) => `${name} = ${name} + excluded.${name}`).join(', ');
    this.updates = COUNT_COLUMNS.map((name) =>
      db.prepare(
        `UPDATE process SET first_ts = min(first_ts, ?), last_ts = max(last_ts, ?), sev = max(sev, ?), part = ?, snap = ?,
           info = NULL, ${name} = ${name} + ? WHERE start = ? AND pid = ?`,
      ),
    );
    this.raiseOne = db.prepare(
      'UPDATE process SET sev = max(sev, ?), det = det + ? WHERE start = ? AND pid = ?',
    );
    this.upsert = db.prepare(
      `INSERT INTO process(${columns}) VALUES (${marks}) ON CONFLICT(start, pid) DO UPDATE SET
        pstart = coalesce(excluded.pstart, pstart), ppid = coalesce(excluded.ppid, ppid),
        first_ts = min(first_ts, excluded.first_ts), last_ts = max(last_ts, excluded.last_ts),
        end_ts = coalesce(excluded.end_ts, end_ts), exit_code = coalesce(excluded.exit_code, exit_code),
        exit_signal = coalesce(excluded.exit_signal, exit_signal), sev = max(sev, excluded.sev), det = det + excluded.det,
        part = excluded.part, snap = excluded.snap, info = NULL, ${sums}`,
    );
  }

  /** Counts one event for its process. */
  touch(known: KnownProcess, event: SentinelEvent, type: number, severity: number, detections: number): void {
    const { counts } = known;
    if (!known.dirty) {
      known.dirty = true;
      known.firstTs = event.tsNs;
      known.lastTs = event.tsNs;
      known.severity = severity;
      this.dirty.push(known);
    }
    counts[type] = (counts[type] ?? 0) + 1;
    known.detections += detections;
    if (event.tsNs < known.firstTs) known.firstTs = event.tsNs;
    if (event.tsNs > known.lastTs) known.lastTs = event.tsNs;
    if (severity > known.severity) known.severity = severity;
    if (event.type === 'process' && event.action === 'exit') {
      known.endTs = event.tsNs;
      known.process.exitCode = event.process?.exitCode;
      known.process.exitSignal = event.process?.exitSignal;
    }
  }

  flush(partition: number): void {
    for (const known of this.dirty) {
      if (known.settled && known.endTs === undefined) this.update(known, partition);
      else this.insert(known, partition);
      known.counts.fill(0);
      known.detections = 0;
      known.dirty = false;
      known.settled = true;
    }
    this.dirty.length = 0;
  }

  private insert(known: KnownProcess, partition: number): void {
    const { process, endTs } = known;
    const parentStart = process.parentStartNs ?? known.parent?.startNs;
    this.upsert.run(
      BigInt.asIntN(64, process.startNs),
      process.pid,
      parentStart === undefined ? null : BigInt.asIntN(64, parentStart),
      process.ppid ?? known.parent?.pid ?? null,
      known.firstTs,
      known.lastTs,
      endTs ?? null,
      endTs === undefined ? null : (process.exitCode ?? null),
      endTs === undefined ? null : (process.exitSignal ?? null),
      known.severity,
      known.detections,
      partition,
      known.snap,
      ...known.counts,
    );
  }

  /** Much the most frequent: a process that is known did one kind of thing. */
  private update(known: KnownProcess, partition: number): void {
    const { process, firstTs, lastTs, severity, snap } = known;
    const start = BigInt.asIntN(64, process.startNs);
    for (let type = 0; type < TYPES; type += 1) {
      const count = known.counts[type] ?? 0;
      if (count === 0) continue;
      this.updates[type]?.run(firstTs, lastTs, severity, partition, snap, count, start, process.pid);
    }
    if (known.detections > 0) this.raiseOne.run(severity, known.detections, start, process.pid);
  }

  /** Detections that came late. */
  raise(process: ProcessKey | undefined, severity: number, detections: number): void {
    if (!process) return;
    this.raiseOne.run(severity, detections, BigInt.asIntN(64, process.startNs), process.pid);
  }

  discard(): void {
    this.dirty.length = 0;
  }
}
