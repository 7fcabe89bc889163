/**
 * What is remembered of policies besides their texts: states, history, approvals. One document, signed as a whole by the
 * device key. Versions are told apart by the hash of their text: an edited text is another version, and a draft.
 */
import type { Severity } from '../event.ts';
import type { Approval, Approver, Manifest } from './approval.ts';
import type { Action, PolicyState } from './types.ts';

export interface CanaryWindow {
  /** Milliseconds of canary time at which it began. */
  fromMs: number;
  decided: number;
  falsePositives: number;
}

export interface CanaryRun {
  /** Time it has run, by a clock that nobody can set. */
  observedMs: number;
  /** Newest last; bounded. */
  windows: CanaryWindow[];
}

export interface VersionState {
  id: string;
  version: number;
  hash: string;
  title: string;
  severity: Severity;
  action: Action;
  state: PolicyState;
  sinceMs: number;
  canary?: CanaryRun;
  /** Of the last simulation over the timeline. */
  simulatedMs?: number;
}

export interface Signed {
  manifest: Manifest;
  approvals: Approval[];
}

export interface HistoryEntry {
  seq: number;
  id: string;
  version: number;
  hash: string;
  from: PolicyState | 'none';
  to: PolicyState;
  reason: string;
  by: string;
  tsMs: number;
  /** What allowed it, when approvals were needed. */
  signed?: Signed;
  /** BLAKE3 over the entry before and this one: an entry cannot be taken out. */
  chain: string;
}

export interface LifecycleState {
  format: 1;
  deviceId: string;
  /** Grows with every change. */
  counter: number;
  /** Latest time ever seen: a clock that is set back does not bring back what has expired. */
  clockMs: number;
  versions: VersionState[];
  /** Oldest first; bounded, the chain goes on. */
  history: HistoryEntry[];
  /** Activations and rollbacks of each policy; part of every manifest. */
  activations: Record<string, number>;
  /** Manifests that wait for approvals. */
  pending: Signed[];
  usedNonces: string[];
  approvers: Approver[];
}

export function freshState(deviceId: string): LifecycleState {
  return {
    format: 1,
    deviceId,
    counter: 0,
    clockMs: 0,
    versions: [],
    history: [],
    activations: {},
    pending: [],
    usedNonces: [],
    approvers: [],
  };
}
