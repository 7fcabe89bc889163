/** Who may approve: set once, then exchanged only with the approval of those there are, whose keys overlap for a while. */
import type { PolicyOverview } from './api/contract.ts';
import { approverKeyId, REQUIRED_APPROVALS, type Approver } from './policy/approval.ts';
import { hashText } from './policy/hash.ts';
import type { Lifecycle } from './policy/lifecycle.ts';
import type { LifecycleState, Signed } from './policy/lifecycle-state.ts';
import { PolicyRefusedError } from './policy/refused.ts';

/** Replaced keys count for so long. */
const OVERLAP_MS = 7 * 86_400_000;
const MAX_APPROVERS = 100;

export function approversOf({ approvers }: LifecycleState): PolicyOverview['approvers'] {
  return approvers.map(({ name, key, untilMs }) => ({ name, keyId: approverKeyId(key), untilMs }));
}

/**
 * Sets the approvers, or returns what has to be signed first.
 * @throws SentinelError for a key that is none, PolicyRefusedError for two that are alike
 */
export function setApprovers(
  life: Lifecycle,
  approvers: readonly { name: string; key: string }[],
): Signed | undefined {
  const { state, manifests } = life;
  const named = approvers.map(({ name, key }) => ({ name, key, keyId: approverKeyId(key) }));
  if (
    new Set(named.map(({ keyId }) => keyId)).size < named.length ||
    new Set(named.map(({ name }) => name)).size < named.length
  )
    throw new PolicyRefusedError('two approvers have the same key or name', 'give each their own');
  if (state.approvers.length > 0) {
    const hash = hashText(JSON.stringify(named.map(({ name, keyId }) => [name, keyId])));
    const waiting = state.pending.find(({ manifest }) => manifest.kind === 'approver-rotation');
    if (waiting?.manifest.hash !== hash) return manifests.requestRotation(hash);
    if (manifests.approvedBy(waiting).length < REQUIRED_APPROVALS) return waiting;
    manifests.useRotation(hash);
  }
  const untilMs = life.nowMs() + OVERLAP_MS;
  const keep = new Set(named.map(({ keyId }) => keyId));
  const replaced: Approver[] = state.approvers
    .filter(({ key }) => !keep.has(approverKeyId(key)))
    .map((approver) => ({ ...approver, untilMs: Math.min(approver.untilMs ?? untilMs, untilMs) }));
  state.approvers = [...named.map(({ name, key }) => ({ name, key })), ...replaced].slice(0, MAX_APPROVERS);
  state.counter += 1;
  return undefined;
}
