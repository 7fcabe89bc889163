/** Contract: processes and what descends from them. */
import type { ProcessJson, Severity } from './contract-events.ts';

/** Sums over a process and everything that descends from it. */
export interface SubtreeJson {
  processes: number;
  /** Events by type; only types that occur. */
  counts: Record<string, number>;
  severity: Severity;
  detections: number;
  /** False for very large trees: the numbers are then of the processes nearest to the top, so at least these. */
  complete: boolean;
}

export interface TreeNode {
  /** `${pid}-${process.startNs}`: what names a process in `tree.*` and in an event's `ancestry`. */
  entityId: string;
  /** As last seen: user, session, image, arguments; exitCode and exitSignal once it ended. */
  process: ProcessJson;
  /** Wall clock of its first and last record. */
  startNs: string;
  lastNs: string;
  /** Wall clock of its end; absent while it runs or when its end was not seen. */
  endNs?: string;
  /** Direct children on record. */
  children: number;
  /** Its own events by type. */
  counts: Record<string, number>;
  /** Worst of its own events. */
  severity: Severity;
  /** Detections on its own events. */
  detections: number;
  /** True: it has no record of its own; this is what a child says of it. Ask for its children, not for itself. */
  told?: boolean;
  /** With `tree.*`: on the node asked for and on children, not on ancestors. */
  subtree?: SubtreeJson;
}
