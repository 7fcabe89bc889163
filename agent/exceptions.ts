/**
 * Exceptions that people save from the console: one Sigma filter a file in the data folder, read with the other rules.
 * Saving and removing one is a record of the security log, with the text of the filter.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { ExceptionSummary, TriageDecision } from './api/contract.ts';
import { ApiFailure } from './api/services.ts';
import type { FilterRule } from './detect/filter.ts';
import type { SentinelEvent } from './event.ts';
import { addPerson, nameOf } from './triage.ts';

const NS_PER_MS = 1_000_000n;
const DAY_MS = 86_400_000;
const MAX_DAYS = 366;

/** An exception as people see it. `folder` is where those that can be removed lie. */
export function summaryOf(filter: FilterRule, folder: string, nowMs: number): ExceptionSummary {
  const { id, title, targets, owner, reason, expiresMs, hits, lastHitMs, file } = filter;
  const summary: ExceptionSummary = {
    id,
    title,
    rules: targets === 'any' ? [] : targets,
    owner,
    reason,
    expired: expiresMs !== undefined && nowMs >= expiresMs,
    hits,
    file,
    removable: !relative(folder, file).startsWith('..'),
  };
  if (expiresMs !== undefined) summary.expiresNs = (BigInt(expiresMs) * NS_PER_MS).toString();
  if (lastHitMs !== undefined) summary.lastHitNs = (BigInt(lastHitMs) * NS_PER_MS).toString();
  return summary;
}

/** An id of its own for each exception, so that one rule can have several. */
export function exceptionId(ruleId: string, eventId: string, conditions: unknown): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([ruleId, eventId, conditions]))
    .digest('hex');
  return `exception-${digest.slice(0, 16)}`;
}

/** Throws unless the last day lies ahead, and within a year: what is excepted for good belongs into the rule. */
export function checkExpiry(expires: string, nowMs: number): void {
  const endMs = Date.parse(`${expires}T23:59:59.999Z`);
  if (Number.isNaN(endMs))
    throw new ApiFailure('bad_request', `expires: ${expires} is not a day; write YYYY-MM-DD`);
  if (endMs <= nowMs) throw new ApiFailure('bad_request', `expires: ${expires} is over; choose a later day`);
  if (endMs > nowMs + MAX_DAYS * DAY_MS) {
    throw new ApiFailure(
      'bad_request',
      `expires: ${expires} is more than a year away; choose an earlier day`,
    );
  }
}

/** Writes the filter, whole or not at all. Returns its path. */
export function writeException(folder: string, id: string, yaml: string): string {
  const path = join(folder, `${id}.yml`);
  if (existsSync(path)) throw new ApiFailure('bad_request', 'this very exception is saved already');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o750 });
    const fd = openSync(`${path}.tmp`, 'w', 0o640);
    try {
      writeFileSync(fd, yaml);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(`${path}.tmp`, path);
    syncFolder(folder);
  } catch (error) {
    rmSync(`${path}.tmp`, { force: true });
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new ApiFailure(
      'unavailable',
      `the exception was not saved: ${folder} cannot be written (${code}); free some space or check its permissions`,
    );
  }
  return path;
}

/** Removes the file of an exception. */
export function removeException(path: string): void {
  rmSync(path, { force: true });
  syncFolder(dirname(path));
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The record of somebody saving or removing an exception. */
export function exceptionEvent(
  done: 'saved' | 'removed',
  exception: { id: string; rules: readonly string[]; yaml?: string },
  by: TriageDecision['by'],
  tsNs: bigint,
): SentinelEvent {
  const who = nameOf(by);
  const details: Record<string, string> = { exception: exception.id, done, via: by.via };
  if (exception.yaml !== undefined) details['filter'] = exception.yaml;
  addPerson(details, by);
  return {
    eventId: 0,
    type: 'decision',
    action: 'exception',
    lane: 'security',
    tsNs,
    severity: 'info',
    message: `exception ${exception.id} for rule ${exception.rules.join(', ')} ${done} by ${who}`,
    details,
  };
}
