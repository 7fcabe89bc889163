/** The events of data loss prevention. None of them holds what was found, only what kind, how often and where. */
import type { GuardedAct } from '../native-addon/index.ts';
import type { ProtectedFile } from './dlp-protected.ts';
import { dlpCount, dlpRuleName } from './dlp-summary.ts';
import type { Destination, Place } from './dlp/destination.ts';
import type { SkipReason } from './dlp-skips.ts';
import type { DlpMatch, FileVerdict } from './dlp/types.ts';
import type { DlpInfo, DlpMatchInfo, DlpSource, SentinelEvent, Severity } from './event.ts';

const MAX_MATCHES = 32;

const OUTWARD: ReadonlySet<string> = new Set<Destination>(['removable', 'network_share', 'git_push']);

const WHERE: Readonly<Record<string, string>> = {
  removable: 'on removable media',
  network_share: 'on a network share',
  git_push: 'in what is pushed with git',
  archive: 'in an archive',
  browser_profile: "in a browser's folder",
  watched: 'in a watched folder',
  local: 'in a file',
};

const SKIPPED: Readonly<Record<SkipReason, string>> = {
  queue_full: 'too many waited',
  gone: 'deleted, replaced or renamed out of sight before it could be done',
  failed: 'the scanner failed',
  too_many_files: 'a folder with more files than are looked at in one was moved',
};

export interface Found {
  verdict: FileVerdict;
  place: Place;
  trigger: string;
  /** What led to it; absent for a scan that somebody asked for. */
  cause?: SentinelEvent;
  inode?: string;
  size?: number;
  sources: readonly DlpSource[];
  nowNs: bigint;
}

function byCertainty(a: DlpMatchInfo, b: DlpMatchInfo): number {
  return b.confidence - a.confidence || b.count - a.count;
}

/**
 * Matches of one kind in one place as one: how often in all, the surest confidence, the first place and its row. A table
 * copied whole is one line, not as many as it has rows.
 */
function folded(matches: readonly DlpMatch[]): DlpMatchInfo[] {
  const found = new Map<string, DlpMatchInfo>();
  for (const match of matches) {
    const { index, rule, kind, type, count, offset, length, confidence } = match;
    const key = JSON.stringify([index, rule, kind, type, match.member]);
    const known = found.get(key);
    if (known === undefined) {
      const info: DlpMatchInfo = { index, rule, kind, type, count, offset, length, confidence };
      if (match.rowRef !== undefined) info.rowRef = match.rowRef;
      if (match.containment !== undefined) info.containment = match.containment;
      if (match.secondaries !== undefined) info.secondaries = [...match.secondaries];
      if (match.member !== undefined) info.member = match.member;
      found.set(key, info);
      continue;
    }
    known.count += count;
    known.confidence = Math.max(known.confidence, confidence);
    if (match.containment !== undefined)
      known.containment = Math.max(known.containment ?? 0, match.containment);
    for (const column of match.secondaries ?? [])
      if (known.secondaries?.includes(column) !== true) (known.secondaries ??= []).push(column);
    if (offset >= known.offset) continue;
    Object.assign(known, { offset, length });
    if (match.rowRef !== undefined) known.rowRef = match.rowRef;
  }
  return [...found.values()];
}

/** The surest of each rule, then the surest of all until the list is full: no rule is left out. */
function listed(matches: readonly DlpMatch[]): DlpMatchInfo[] {
  const sorted = folded(matches).sort(byCertainty);
  const firsts = new Map<string, DlpMatchInfo>();
  for (const match of sorted) {
    const name = dlpRuleName(match);
    if (!firsts.has(name)) firsts.set(name, match);
  }
  const chosen = new Set(firsts.values());
  for (const match of sorted) {
    if (chosen.size >= MAX_MATCHES) break;
    chosen.add(match);
  }
  return sorted.filter((match) => chosen.has(match));
}

/** Findings, listed or not. */
function totalOf(verdict: Pick<FileVerdict, 'matches' | 'unlisted'>): number {
  return verdict.matches.length + (verdict.unlisted ?? 0);
}

function infoOf(found: Found): DlpInfo {
  const { verdict, place, trigger, cause, sources } = found;
  const info: DlpInfo = {
    verdict: verdict.verdict,
    trigger,
    destination: place.destination,
    bytes: verdict.bytes,
    tookMs: Math.round(verdict.tookMs * 1000) / 1000,
    ofEventId: cause?.eventId ?? 0,
    matches: listed(verdict.matches),
    matchesTotal: totalOf(verdict),
  };
  if (place.mount !== undefined) info.mount = place.mount;
  if (verdict.reasonCode !== undefined) info.reasonCode = verdict.reasonCode;
  if (verdict.reason !== undefined) info.reason = verdict.reason;
  if (verdict.members !== undefined) info.members = verdict.members;
  if (sources.length > 0) info.sources = [...sources];
  return info;
}

/** A match or a file that could not be looked at. */
export function dlpEvent(found: Found): SentinelEvent {
  const { verdict, place, cause, nowNs } = found;
  const dlp = infoOf(found);
  const where = WHERE[place.destination] ?? place.destination;
  const isMatch = verdict.verdict === 'match';
  const rules = [...new Set(dlp.matches.map(dlpRuleName))].join(', ');
  let severity: Severity = OUTWARD.has(place.destination) ? 'high' : 'medium';
  if (!isMatch) severity = OUTWARD.has(place.destination) ? 'medium' : 'low';
  if (found.trigger === 'scan') severity = isMatch ? 'low' : 'info';
  const event: SentinelEvent = {
    eventId: 0,
    type: 'dlp',
    action: verdict.verdict,
    lane: 'security',
    tsNs: nowNs,
    severity,
    file: { path: verdict.path, op: cause?.action ?? 'scan', bytes: found.size ?? verdict.bytes },
    message: isMatch
      ? `protected data ${where}: ${rules} (${dlpCount(dlp)})`
      : `a file ${where} could not be looked at: ${verdict.reason ?? verdict.reasonCode ?? 'unknown reason'}`,
    dlp,
  };
  const file = event.file as NonNullable<SentinelEvent['file']>;
  if (place.details !== undefined) event.details = place.details;
  if (found.inode !== undefined) file.inode = found.inode;
  if (cause !== undefined) copyProcess(cause, event);
  return event;
}

/** What to remember of a file in which something was found. */
export function protectedFile(
  path: string,
  verdict: Pick<FileVerdict, 'matches' | 'unlisted'>,
): ProtectedFile {
  return { path, matches: listed(verdict.matches), total: totalOf(verdict) };
}

/** An open as the guard of files tells it. */
export function openedBy({ pid, startNs, path, executable }: GuardedAct, nowNs: bigint): SentinelEvent {
  const name = executable.slice(executable.lastIndexOf('/') + 1);
  const process = { pid, startNs, name, ...(executable !== '' && { executable }) };
  const file = { path, op: 'open' };
  const common = { eventId: 0, lane: 'security', severity: 'info', tsNs: nowNs } as const;
  return { ...common, type: 'file', action: 'open', process, file };
}

/** A process opened a file that is known to hold protected data. The process is the one of `by`. */
export function readEvent(
  { matches, total }: ProtectedFile,
  by: SentinelEvent,
  path: string,
  place: Place,
  nowNs: bigint,
): SentinelEvent {
  const rules = [...new Set(matches.map(dlpRuleName))].join(', ');
  const event: SentinelEvent = {
    eventId: 0,
    type: 'dlp',
    action: 'read',
    lane: 'security',
    tsNs: nowNs,
    severity: 'low',
    file: { path, op: 'open' },
    message: `a file with protected data was opened: ${rules}`,
    dlp: {
      verdict: 'match',
      trigger: 'open',
      destination: place.destination,
      bytes: 0,
      tookMs: 0,
      ofEventId: by.eventId,
      matches: [...matches],
      matchesTotal: total,
      ...(place.mount !== undefined && { mount: place.mount }),
    },
  };
  copyProcess(by, event);
  return event;
}

/** Who did it, from one event to another. */
export function copyProcess(from: SentinelEvent, to: SentinelEvent): void {
  if (from.process) to.process = from.process;
  if (from.parent) to.parent = from.parent;
  if (from.ancestry) to.ancestry = from.ancestry;
  if (from.file?.oldPath !== undefined && to.file !== undefined) to.file.oldPath = from.file.oldPath;
}

/** Files that should have been looked at and were not: how many, of which destination, why. */
export function skippedEvent(
  reason: SkipReason,
  counts: ReadonlyMap<string, number>,
  fromNs: bigint,
  nowNs: bigint,
): SentinelEvent {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const details: Record<string, string> = { fromNs: fromNs.toString(), toNs: nowNs.toString() };
  for (const [what, count] of counts) details[`skipped.${what}`] = String(count);
  const why = SKIPPED[reason];
  const [worst = [...counts.keys()][0] ?? 'local'] = [...OUTWARD].filter((destination) =>
    counts.has(destination),
  );
  return {
    eventId: 0,
    type: 'dlp',
    action: 'skipped',
    lane: 'security',
    tsNs: nowNs,
    severity: reason === 'gone' ? 'low' : OUTWARD.has(worst) ? 'high' : 'medium',
    message: `${total} ${total === 1 ? 'file was' : 'files were'} not looked at: ${why}`,
    details,
    dlp: {
      verdict: 'skipped',
      trigger: 'close_write',
      destination: worst,
      reasonCode: reason,
      reason: why,
      bytes: 0,
      tookMs: 0,
      ofEventId: 0,
      matches: [],
      matchesTotal: 0,
    },
  };
}
