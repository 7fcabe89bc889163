/**
 * Puts decisions on record: one record each in the security log, committed at once, and before the first decision of a
 * policy text in this run the text itself, so that the log alone says what was decided by what.
 */
import { decisionRecord, policyTextRecord } from './audit/decision.ts';
import type { SecurityLane } from './lanes/security.ts';
import { canonicalText } from './policy/hash.ts';
import type { Decision, DecisionRecorder } from './policy/types.ts';
import type { WalRecordInput } from './wal/types.ts';

/** Policy texts remembered as written in this run; when full all are forgotten, and a text may be written twice. */
const MAX_KNOWN_TEXTS = 4096;

export class LogDecisionRecorder implements DecisionRecorder {
  /** Decisions the log took, and those it could not take (they are in the gap it states). */
  recorded = 0;
  refused = 0;
  readonly #lane: Pick<SecurityLane, 'append'>;
  readonly #textOf: (hash: string) => string | undefined;
  readonly #written = new Set<string>();

  /** `textOf` gives the text of a policy by its hash. */
  constructor(lane: Pick<SecurityLane, 'append'>, textOf: (hash: string) => string | undefined) {
    this.#lane = lane;
    this.#textOf = textOf;
  }

  record(decision: Decision): boolean {
    return this.append(decision) !== 0;
  }

  /** As `record`; returns the sequence number of the decision's record, 0 when the log has failed. */
  append(decision: Decision): number {
    const { policyHash, tsNs } = decision;
    const records: WalRecordInput[] = [];
    if (!this.#written.has(policyHash)) {
      const text = this.#textOf(policyHash);
      if (text !== undefined) records.push(policyTextRecord(policyHash, canonicalText(text), tsNs));
    }
    records.push(decisionRecord(decision, tsNs));
    const first = this.#lane.append(records, true);
    if (first === 0) {
      this.refused += 1;
      return 0;
    }
    if (records.length > 1) {
      if (this.#written.size >= MAX_KNOWN_TEXTS) this.#written.clear();
      this.#written.add(policyHash);
    }
    this.recorded += 1;
    return first + records.length - 1;
  }
}
