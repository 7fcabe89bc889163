/**
 * Approvals: a manifest says exactly what is to be allowed, and people sign it with Ed25519 keys that the agent knows.
 *
 * A manifest names the device, the policy, the hash of its text, what it replaces and how often the policy was activated
 * before, has a nonce and an end. So it cannot be used for another text, on another device, a second time, or to bring
 * back what was rolled back. A signature covers the manifest and the approver's own end of validity.
 */
import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { SentinelError } from '../errors.ts';

export const REQUIRED_APPROVALS = 3;

export interface Manifest {
  kind: 'policy-activation' | 'approver-rotation';
  deviceId: string;
  policyId: string;
  policyVersion: number;
  /** BLAKE3 of the policy's canonical text, or of the new set of approvers. */
  hash: string;
  /** Hash of the text that is active now; empty for none. */
  previousHash: string;
  /** How often something of this policy was activated before. */
  activations: number;
  nonce: string;
  createdMs: number;
  expiresMs: number;
}

export interface Approval {
  /** First 16 hex digits of SHA-256 over the public key's SPKI DER. */
  keyId: string;
  /** When this approval ends, at the latest with the manifest. */
  expiresMs: number;
  /** base64 Ed25519 over `approvalBytes`. */
  signature: string;
}

export interface Approver {
  name: string;
  /** SPKI PEM. */
  key: string;
  /** A replaced key counts until then; absent: without end. */
  untilMs?: number;
}

export interface Refusal {
  keyId: string;
  reason: string;
}

export interface ApprovalCheck {
  /** Names of the approvers whose approval counts. */
  approvedBy: string[];
  refused: Refusal[];
}

/** What an approver signs. Numbers as decimal text, so that their format never matters. */
export function approvalBytes(manifest: Manifest, keyId: string, expiresMs: number): Buffer {
  const members: Record<string, string> = {
    kind: manifest.kind,
    deviceId: manifest.deviceId,
    policyId: manifest.policyId,
    policyVersion: String(manifest.policyVersion),
    hash: manifest.hash,
    previousHash: manifest.previousHash,
    activations: String(manifest.activations),
    nonce: manifest.nonce,
    createdMs: String(manifest.createdMs),
    expiresMs: String(manifest.expiresMs),
    approverKeyId: keyId,
    approvalExpiresMs: String(expiresMs),
  };
  return Buffer.from(
    JSON.stringify(
      Object.keys(members)
        .sort()
        .map((key) => [key, members[key]]),
    ),
    'utf8',
  );
}

function keyIdOf(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16);
}

/** Key id of a public key. @throws SentinelError when it is not an Ed25519 key in PEM. */
export function approverKeyId(pem: string): string {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return keyIdOf(key);
  } catch {
    // Said below, for every kind of wrong key alike.
  }
  throw new SentinelError(
    'bad_key',
    'this is not an Ed25519 public key in PEM',
    'export it with openssl pkey -pubout',
  );
}

/** Signs a manifest. @throws SentinelError when `pem` is not an Ed25519 private key. */
export function approve(manifest: Manifest, pem: string, expiresMs = manifest.expiresMs): Approval {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new SentinelError(
      'bad_key',
      'this is not a private key in PEM',
      'make one with openssl genpkey -algorithm ed25519',
    );
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    const type = key.asymmetricKeyType ?? 'unknown';
    throw new SentinelError(
      'bad_key',
      `this is a key of type ${type}, not ed25519`,
      'make one with openssl genpkey -algorithm ed25519',
    );
  }
  const keyId = keyIdOf(createPublicKey(key));
  return {
    keyId,
    expiresMs,
    signature: sign(null, approvalBytes(manifest, keyId, expiresMs), key).toString('base64'),
  };
}

/** Which approvals count: known key, right signature, not over, each person once. */
export function checkApprovals(
  manifest: Manifest,
  approvals: readonly Approval[],
  approvers: readonly Approver[],
  nowMs: number,
): ApprovalCheck {
  const known = new Map(approvers.map((approver) => [approverKeyId(approver.key), approver] as const));
  const result: ApprovalCheck = { approvedBy: [], refused: [] };
  for (const { keyId, expiresMs, signature } of approvals.slice(0, 100)) {
    const refuse = (reason: string): void => void result.refused.push({ keyId, reason });
    const approver = known.get(keyId);
    if (!approver) refuse('wrong key: no configured approver has it');
    else if (approver.untilMs !== undefined && nowMs > approver.untilMs)
      refuse('wrong key: it was replaced and its overlap is over');
    else if (!signatureHolds(manifest, approver.key, keyId, expiresMs, signature))
      refuse('wrong signature: it is not over this manifest, or not by this key');
    else if (nowMs > Math.min(expiresMs, manifest.expiresMs)) refuse('expired approval');
    else if (result.approvedBy.includes(approver.name)) refuse(`same approver twice: ${approver.name}`);
    else result.approvedBy.push(approver.name);
  }
  return result;
}

function signatureHolds(
  manifest: Manifest,
  pem: string,
  keyId: string,
  expiresMs: number,
  signature: string,
): boolean {
  try {
    const bytes = approvalBytes(manifest, keyId, expiresMs);
    return verify(null, bytes, createPublicKey(pem), Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}
