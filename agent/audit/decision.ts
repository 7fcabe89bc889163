/**
 * Records of decisions, and of the policy texts they refer to. Both are records of the security log, so the chain and
 * its signed checkpoints cover them.
 *
 *   decision  JSON of DecisionInfo (event-json.ts); the record's time is when it was decided
 *   policy    JSON {hash, text}: the canonical text whose BLAKE3 is `hash`, written before the first decision with it
 *
 * Limits: MAX_CLAUSES clauses and near misses each, MAX_TEXT characters of each text and value; what is cut ends in "…".
 */
import { decisionFromJson, decisionToJson } from '../event-json.ts';
import type { ClauseOutcome, DecisionInfo } from '../event.ts';
import { RecordType, Schema, type WalRecordInput } from '../wal/types.ts';

const MAX_CLAUSES = 64;
const MAX_EVIDENCE = 256;
const MAX_TEXT = 512;

function cut(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`;
}

function bounded(clauses: readonly ClauseOutcome[]): ClauseOutcome[] {
  return clauses
    .slice(0, MAX_CLAUSES)
    .map(({ text, value, result }) => ({ text: cut(text), value: cut(value), result }));
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value), 'utf8');
}

/** The WAL record of a decision made at `tsNs`. */
export function decisionRecord(decision: DecisionInfo, tsNs: bigint): WalRecordInput {
  const { rationale, evidence, effect } = decision;
  const kept: DecisionInfo = {
    ...decision,
    policyTitle: cut(decision.policyTitle),
    evidence: evidence.slice(0, MAX_EVIDENCE),
    effect: effect.error === undefined ? effect : { ...effect, error: cut(effect.error) },
    rationale: { clauses: bounded(rationale.clauses), nearMisses: bounded(rationale.nearMisses) },
  };
  const payload = json(decisionToJson(kept));
  return { type: RecordType.decision, schema: Schema.jsonV1, wallNs: tsNs, payload };
}

/** Reads a decision record. Throws SyntaxError or TypeError on a payload that is not one. */
export function readDecision(payload: Buffer): DecisionInfo {
  return decisionFromJson(JSON.parse(payload.toString('utf8')) as Record<string, unknown>);
}

/** Evidence of a decision that was taken again because the executable's hash became known only after the start. */
export const LATE_HASH = 'late:hash';

/** What a decision says in one line. */
export function decisionMessage(decision: DecisionInfo): string {
  const late = decision.evidence.includes(LATE_HASH) ? '; the hash was known only after the start' : '';
  return `${outcome(decision)}${late}`;
}

function outcome({ action, wouldBe, policyTitle, policyId, effect }: DecisionInfo): string {
  const name = policyTitle === '' ? policyId : `${policyTitle} (${policyId})`;
  if (wouldBe) return `${name} would ${action}; nothing was done`;
  if (effect.state === 'failed') return `${name}: ${action} failed${effect.error ? `: ${effect.error}` : ''}`;
  if (effect.state === 'none') return `${name}: ${action}${effect.error ? `: ${effect.error}` : ''}`;
  return `${name}: ${action}, ${effect.guarantee}`;
}

/** The WAL record of a policy's canonical text. */
export function policyTextRecord(hash: string, text: string, tsNs: bigint): WalRecordInput {
  return { type: RecordType.policy, schema: Schema.jsonV1, wallNs: tsNs, payload: json({ hash, text }) };
}

/** Reads a policy text record; undefined on a payload that is not one. */
export function readPolicyText(payload: Buffer): { hash: string; text: string } | undefined {
  try {
    const { hash, text } = JSON.parse(payload.toString('utf8')) as Record<string, unknown>;
    return typeof hash === 'string' && typeof text === 'string' ? { hash, text } : undefined;
  } catch {
    return undefined;
  }
}
