/** What the Local API says of versions, histories and manifests. */
import type { PolicyHistoryJson, PolicyPendingJson, PolicyVersionJson } from './api/contract.ts';
import { REQUIRED_APPROVALS } from './policy/approval.ts';
import type { CanaryRules } from './policy/canary.ts';
import { needsApprovals, type PolicyCounters } from './policy/engine.ts';
import type { HistoryEntry, Signed, VersionState } from './policy/lifecycle-state.ts';
import type { Policy, PolicyReach } from './policy/types.ts';

const NO_TEXT: PolicyReach = {
  guardian: 'agent',
  mechanism: 'none',
  guarantee: 'alert only',
  reason: 'its text is not there',
};
const NO_HITS = { evaluated: 0, matched: 0, excepted: 0, acted: 0, failed: 0 };

/** What is known of a version besides its state; without its text it can do nothing. */
export interface KnownOfVersion {
  policy: Policy | undefined;
  reach: PolicyReach | undefined;
  counters: PolicyCounters | undefined;
  inFiles: boolean;
  rules: CanaryRules;
}

export function versionJson(version: VersionState, known: KnownOfVersion): PolicyVersionJson {
  const { id, version: number, hash, title, action, state, sinceMs, canary } = version;
  const { policy, reach = NO_TEXT, counters, inFiles, rules } = known;
  const severity = policy?.severity ?? version.severity;
  return {
    id,
    version: number,
    hash,
    title,
    severity,
    action,
    state,
    sinceMs,
    inFiles,
    reach,
    approvalsNeeded: needsApprovals(severity) ? REQUIRED_APPROVALS : 0,
    hits: counters
      ? { ...counters, exceptionHits: [...counters.exceptionHits] }
      : { ...NO_HITS, exceptionHits: [] },
    exceptions: (policy?.exceptions ?? []).map((exception, index) => ({
      ...exception,
      hits: counters?.exceptionHits[index] ?? 0,
    })),
    ...(canary && state === 'canary' ? { canary: { ...rules, ...structuredClone(canary) } } : {}),
  };
}

export function pendingJson({ manifest }: Signed, approvedBy: string[]): PolicyPendingJson {
  return { manifest, approvedBy, needed: REQUIRED_APPROVALS };
}

export function historyJson(
  entry: HistoryEntry,
  approvedBy: (signed: Signed) => string[],
): PolicyHistoryJson {
  const { signed, chain: _chain, ...told } = entry;
  return signed ? { ...told, approvedBy: approvedBy(signed) } : told;
}
