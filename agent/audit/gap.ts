/** IntegrityGap: a hole in the record, stated, signed and stored as a record of the security lane. */
import { gapFromJson, gapToJson } from '../event-json.ts';
import type { GapInfo } from '../event.ts';
import type { Identity, SignatureVerifier } from '../identity/identity.ts';
import { RecordType, Schema, type WalRecordInput } from '../wal/types.ts';
import { canonicalBytes } from './canonical.ts';

function gapBytes(gap: GapInfo, keyId: string): Buffer {
  return canonicalBytes({
    kind: 'integrity_gap',
    keyId,
    lane: gap.lane,
    cause: gap.cause,
    count: gap.count?.toString(),
    hook: gap.hook,
    cpu: gap.cpu?.toString(),
    fromNs: gap.fromNs.toString(),
    toNs: gap.toNs.toString(),
    fromSeq: gap.fromSeq?.toString(),
    toSeq: gap.toSeq?.toString(),
    detail: gap.detail,
  });
}

/** The signed WAL record of a gap. `nowNs` is when it is written. */
export function gapRecord(gap: GapInfo, identity: Identity, nowNs: bigint): WalRecordInput {
  const signed: GapInfo = { ...gap, signature: identity.sign(gapBytes(gap, identity.keyId)) };
  const payload = Buffer.from(JSON.stringify({ ...gapToJson(signed), keyId: identity.keyId }), 'utf8');
  return { type: RecordType.gap, schema: Schema.jsonV1, wallNs: nowNs, payload };
}

/** Reads a gap record. Throws SyntaxError on a payload that is not JSON. */
export function readGap(payload: Buffer): GapInfo {
  return gapFromJson(JSON.parse(payload.toString('utf8')) as Record<string, unknown>);
}

/** Whether a gap record's signature holds. False on a payload that is not a gap. */
export function verifyGap(payload: Buffer, verifier: SignatureVerifier): boolean {
  try {
    const json = JSON.parse(payload.toString('utf8')) as Record<string, unknown>;
    const gap = gapFromJson(json);
    const keyId = typeof json['keyId'] === 'string' ? json['keyId'] : '';
    return gap.signature !== undefined && verifier(keyId, gapBytes(gap, keyId), gap.signature);
  } catch {
    return false;
  }
}
