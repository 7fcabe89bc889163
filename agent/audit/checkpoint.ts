/**
 * Signed checkpoint of a log's chain. It signs the chain at a commit that is already durable, never its own: whoever
 * holds a later checkpoint can tell that nothing at or before `upToSeq` was edited, removed or cut.
 */
import type { Identity } from '../identity/identity.ts';
import { RecordType, Schema, type WalRecordInput, type WalWriter } from '../wal/types.ts';
import { canonicalBytes } from './canonical.ts';

export interface Checkpoint {
  lane: string;
  upToSeq: number;
  commitNo: number;
  /** Chain value at that commit, hex. */
  chain: string;
  tsNs: bigint;
  keyId: string;
  /** base64 Ed25519 over `checkpointBytes`. */
  signature: string;
}

/** What the signature covers. */
export function checkpointBytes(checkpoint: Omit<Checkpoint, 'signature'>): Buffer {
  return canonicalBytes({
    kind: 'checkpoint',
    lane: checkpoint.lane,
    upToSeq: checkpoint.upToSeq.toString(),
    commitNo: checkpoint.commitNo.toString(),
    chain: checkpoint.chain,
    tsNs: checkpoint.tsNs.toString(),
    keyId: checkpoint.keyId,
  });
}

/** The WAL record of a checkpoint over the durable chain head. */
export function checkpointRecord(
  lane: string,
  head: { seq: number; commitNo: number; chain: string },
  identity: Identity,
  nowNs: bigint,
): WalRecordInput {
  const unsigned = {
    lane,
    upToSeq: head.seq,
    commitNo: head.commitNo,
    chain: head.chain,
    tsNs: nowNs,
    keyId: identity.keyId,
  };
  const signature = identity.sign(checkpointBytes(unsigned));
  const payload = Buffer.from(
    JSON.stringify({
      ...unsigned,
      upToSeq: String(head.seq),
      commitNo: String(head.commitNo),
      tsNs: nowNs.toString(),
      signature,
    }),
    'utf8',
  );
  return { type: RecordType.checkpoint, schema: Schema.jsonV1, wallNs: nowNs, payload };
}

/** Reads a checkpoint record; undefined when the payload is not one. */
export function readCheckpoint(payload: Buffer): Checkpoint | undefined {
  try {
    const json = JSON.parse(payload.toString('utf8')) as Record<string, unknown>;
    const { lane, chain, keyId, signature } = json;
    if (
      typeof lane !== 'string' ||
      typeof chain !== 'string' ||
      typeof keyId !== 'string' ||
      typeof signature !== 'string'
    ) {
      return undefined;
    }
    return {
      lane,
      chain,
      keyId,
      signature,
      upToSeq: Number(json['upToSeq']),
      commitNo: Number(json['commitNo']),
      tsNs: BigInt(String(json['tsNs'])),
    };
  } catch {
    return undefined;
  }
}

/** Signs the durable end of one log whenever it moved since the last time. To be called each second. */
export class Checkpointer {
  readonly #writer: WalWriter;
  readonly #identity: Identity;
  readonly #nowNs: () => bigint;
  /** Last sequence number that needs no further checkpoint: signed, or a checkpoint record itself. */
  #coveredSeq = 0;

  constructor(writer: WalWriter, identity: Identity, nowNs: () => bigint) {
    this.#writer = writer;
    this.#identity = identity;
    this.#nowNs = nowNs;
  }

  /** Appends a checkpoint if there are records that none covers yet. */
  sign(): void {
    const head = this.#writer.chainHead();
    if (head.seq <= this.#coveredSeq) return;
    const record = checkpointRecord(
      this.#writer.lane,
      { seq: head.seq, commitNo: head.commitNo, chain: head.chain.toString('hex') },
      this.#identity,
      this.#nowNs(),
    );
    try {
      const seq = this.#writer.append([record], false);
      // A checkpoint directly behind what it signs must not call for another one.
      this.#coveredSeq = seq === head.seq + 1 ? seq : head.seq;
    } catch {
      // The log has failed or is full; both are alarms of their own, and the next tick tries again.
    }
  }
}
