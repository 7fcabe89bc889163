/**
 * Manifests: made here, signed by people, used once. One that was made for another device, policy, text or point in the
 * policy's life, that was used, or whose approvals do not suffice is refused with that reason.
 */
import { randomBytes } from 'node:crypto';
import { checkApprovals, REQUIRED_APPROVALS, type Approval, type Manifest } from './approval.ts';
import type { LifecycleState, Signed, VersionState } from './lifecycle-state.ts';
import { PolicyRefusedError } from './refused.ts';

const MAX_NONCES = 10_000;
const MAX_PENDING = 100;
const MAX_APPROVALS = 20;
const MANIFEST_MS = 7 * 86_400_000;

export class Manifests {
  readonly #state: LifecycleState;
  readonly #nowMs: () => number;
  readonly #changed: () => void;

  constructor(state: LifecycleState, nowMs: () => number, changed: () => void) {
    this.#state = state;
    this.#nowMs = nowMs;
    this.#changed = changed;
  }

  /** A manifest for `version`; the one that waits already, if it is for the same text. */
  request({ id, version, hash }: VersionState): Signed {
    const waiting = this.pendingFor(id);
    if (waiting && waiting.manifest.hash === hash && waiting.manifest.expiresMs > this.#nowMs())
      return waiting;
    this.#state.pending = this.#state.pending.filter((each) => each !== waiting);
    return this.#wait(this.#manifest('policy-activation', id, version, hash));
  }

  pendingFor(id: string): Signed | undefined {
    return this.#state.pending.find(
      ({ manifest }) => manifest.policyId === id && manifest.kind === 'policy-activation',
    );
  }

  /** Adds an approval to a manifest that waits. @throws PolicyRefusedError with the reason why it does not count. */
  approve(nonce: string, approval: Approval): Signed {
    const signed = this.#state.pending.find(({ manifest }) => manifest.nonce === nonce);
    if (!signed)
      throw new PolicyRefusedError(
        'replayed manifest: none with this nonce waits for approvals',
        'ask for a new one',
      );
    const all = [...signed.approvals, approval];
    const { refused } = checkApprovals(signed.manifest, all, this.#state.approvers, this.#nowMs());
    const refusal = refused.find(({ keyId }) => keyId === approval.keyId);
    if (refusal)
      throw new PolicyRefusedError(
        `approval refused: ${refusal.reason}`,
        'sign this manifest with another approver’s key',
      );
    if (all.length > MAX_APPROVALS)
      throw new PolicyRefusedError('there are enough approvals', 'activate the policy');
    signed.approvals = all;
    this.#changed();
    return signed;
  }

  approvedBy({ manifest, approvals }: Signed): string[] {
    return checkApprovals(manifest, approvals, this.#state.approvers, this.#nowMs()).approvedBy;
  }

  /** A manifest for another set of approvers, whose hash is `hash`. */
  requestRotation(hash: string): Signed {
    this.#state.pending = this.#state.pending.filter(({ manifest }) => manifest.kind !== 'approver-rotation');
    return this.#wait(this.#manifest('approver-rotation', 'approvers', 0, hash));
  }

  /** Uses up the approvals of a rotation. @throws PolicyRefusedError */
  useRotation(hash: string): void {
    const signed = this.#state.pending.find(({ manifest }) => manifest.kind === 'approver-rotation');
    if (!signed)
      throw new PolicyRefusedError(
        'other approvers need the approval of those there are',
        'ask for it first',
      );
    this.use(signed, 'approver-rotation', hash, 'approvers');
    this.countActivation('approvers');
  }

  #manifest(kind: Manifest['kind'], policyId: string, policyVersion: number, hash: string): Manifest {
    const nowMs = Math.floor(this.#nowMs());
    return {
      kind,
      deviceId: this.#state.deviceId,
      policyId,
      policyVersion,
      hash,
      previousHash: this.#activeHash(policyId),
      activations: this.#state.activations[policyId] ?? 0,
      nonce: randomBytes(16).toString('hex'),
      createdMs: nowMs,
      expiresMs: nowMs + MANIFEST_MS,
    };
  }

  #wait(manifest: Manifest): Signed {
    const signed: Signed = { manifest, approvals: [] };
    this.#state.pending.push(signed);
    if (this.#state.pending.length > MAX_PENDING) this.#state.pending.shift();
    this.#changed();
    return signed;
  }

  #activeHash(id: string): string {
    return (
      this.#state.versions.find((version) => version.id === id && version.state === 'active')?.hash ?? ''
    );
  }

  #checkSigned({ manifest, approvals }: Signed, kind: Manifest['kind'], hash: string, id: string): void {
    const again = 'ask for a new manifest and have it signed';
    if (manifest.kind !== kind || manifest.policyId !== id)
      throw new PolicyRefusedError(`the manifest is about ${manifest.policyId}, not ${id}`, again);
    if (manifest.deviceId !== this.#state.deviceId)
      throw new PolicyRefusedError('the manifest is for another device', again);
    if (this.#state.usedNonces.includes(manifest.nonce))
      throw new PolicyRefusedError('replayed manifest: it was used before', again);
    if (manifest.hash !== hash)
      throw new PolicyRefusedError('changed text: the manifest was signed for another one', again);
    if (
      manifest.activations !== (this.#state.activations[id] ?? 0) ||
      manifest.previousHash !== this.#activeHash(id)
    )
      throw new PolicyRefusedError(
        'replayed manifest: the policy was activated or rolled back since it was made',
        again,
      );
    if (!this.#state.pending.some(({ manifest: { nonce } }) => nonce === manifest.nonce))
      throw new PolicyRefusedError('unknown manifest: this agent did not make it', again);
    if (manifest.expiresMs < this.#nowMs()) throw new PolicyRefusedError('expired manifest', again);
    const { approvedBy, refused } = checkApprovals(manifest, approvals, this.#state.approvers, this.#nowMs());
    if (approvedBy.length >= REQUIRED_APPROVALS) return;
    const reasons = refused.map(({ keyId, reason }) => `${keyId}: ${reason}`).join('; ');
    throw new PolicyRefusedError(
      `${approvedBy.length} of ${REQUIRED_APPROVALS} approvals${reasons === '' ? '' : ` (${reasons})`}`,
      `have it signed with sentinel policy approve ${id} --key FILE`,
    );
  }

  /** Uses up the approvals of a manifest, if it is what it has to be. @throws PolicyRefusedError with the reason */
  use(signed: Signed, kind: Manifest['kind'], hash: string, id: string): void {
    this.#checkSigned(signed, kind, hash, id);
    const { nonce } = signed.manifest;
    this.#state.usedNonces.push(nonce);
    if (this.#state.usedNonces.length > MAX_NONCES) this.#state.usedNonces.shift();
    this.#state.pending = this.#state.pending.filter((each) => each.manifest.nonce !== nonce);
  }

  /** Whether the activation on record of a version was approved, by the approvers of today or of then. */
  holdFor({ hash }: VersionState): boolean {
    const entry = this.#state.history.findLast((each) => each.hash === hash && each.to === 'active');
    const signed = entry?.signed;
    if (
      !entry ||
      !signed ||
      signed.manifest.hash !== hash ||
      signed.manifest.deviceId !== this.#state.deviceId
    )
      return false;
    const { approvedBy } = checkApprovals(
      signed.manifest,
      signed.approvals,
      this.#state.approvers,
      entry.tsMs,
    );
    return approvedBy.length >= REQUIRED_APPROVALS;
  }

  /** Activations and rollbacks are part of every manifest: an older one does not bring back what was taken back. */
  countActivation(id: string): void {
    this.#state.activations[id] = (this.#state.activations[id] ?? 0) + 1;
  }
}
