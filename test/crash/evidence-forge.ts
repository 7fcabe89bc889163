/** Takes an audit bundle apart and puts it together again, with as much of it fitted as somebody without the key can. */
import { crc32c } from '../../agent/wal/crc32c.ts';
import { COMMIT_HEAD, PAGE, chainAfter, padTo, recordBytes } from '../../agent/wal/format.ts';
import { blake3 } from '../../agent/wal/blake3.ts';
import { RecordType } from '../../agent/wal/types.ts';
import { FRAME_HEAD, FrameKind, frameCrc, frameHead } from '../../agent/audit/bundle-format.ts';

export interface ForgedFrame {
  number: number;
  kind: number;
  body: Buffer;
}

/** The frames of a sound bundle. */
export function framesOf(bytes: Buffer): ForgedFrame[] {
  const frames: ForgedFrame[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32LE(at + 8);
    const body = Buffer.from(bytes.subarray(at + FRAME_HEAD, at + FRAME_HEAD + length));
    frames.push({ number: bytes.readUInt32LE(at + 12), kind: bytes.readUInt16LE(at + 16), body });
    at += FRAME_HEAD + length;
  }
  return frames;
}

/** The bytes of a bundle with checksums of frames that fit. */
export function joined(frames: readonly ForgedFrame[]): Buffer {
  return Buffer.concat(frames.flatMap(({ number, kind, body }) => [frameHead(number, kind, body), body]));
}

/** What the frames hold, by record. */
export interface RecordPlace {
  frame: number;
  lane: string;
  commitNo: number;
  seq: number;
  /** Inside the body of the frame. */
  at: number;
  length: number;
  type: number;
}

const laneOf = (segment: Buffer): string => (segment.readUInt32LE(16) === 1 ? 'security' : 'observability');

/** Every record of a bundle. */
export function recordsIn(frames: readonly ForgedFrame[]): RecordPlace[] {
  const places: RecordPlace[] = [];
  let lane = '';
  frames.forEach(({ kind, body }, frame) => {
    if (kind === FrameKind.segment) lane = laneOf(body);
    if (kind !== FrameKind.commit) return;
    const commitNo = Number(body.readBigUInt64LE(16));
    for (let at = COMMIT_HEAD; at < body.length;) {
      const length = recordBytes(body.readUInt32LE(at + 4));
      const seq = Number(body.readBigUInt64LE(at + 8));
      places.push({ frame, lane, commitNo, seq, at, length, type: body.readUInt16LE(at + 24) });
      at += length;
    }
  });
  return places;
}

/** Salt of the segment that frame `index` belongs to. */
export function saltOf(frames: readonly ForgedFrame[], index: number): number {
  for (let at = index; at >= 0; at--) {
    const frame = frames[at];
    if (frame?.kind === FrameKind.segment) return frame.body.readUInt32LE(64);
  }
  throw new Error('no segment in front of this frame');
}

export function sealRecord(body: Buffer, at: number, salt: number): void {
  body.writeUInt32LE(crc32c(salt, body, at + 4, at + 32 + body.readUInt32LE(at + 4)), at);
}

export function sealCommit(body: Buffer, salt: number): void {
  const padded = Buffer.alloc(padTo(body.length, PAGE));
  body.copy(padded);
  body.writeUInt32LE(crc32c(salt, padded, 4, padded.length), 0);
}

/** The chain made to fit whatever was changed; with `checkpoints` those name it, and their signatures no longer hold. */
export function resealChain(frames: readonly ForgedFrame[], checkpoints = true): void {
  let chain: Buffer = Buffer.alloc(32);
  let salt = 0;
  let lane = '';
  let chains = new Map<string, string>();
  for (const { kind, body } of frames) {
    if (kind === FrameKind.segment) {
      salt = body.readUInt32LE(64);
      if (laneOf(body) !== lane) {
        lane = laneOf(body);
        chains = new Map();
        chain = Buffer.from(body.subarray(PAGE));
      } else chain.copy(body, PAGE);
      chain.copy(body, 72);
      body.writeUInt32LE(0, 12);
      body.writeUInt32LE(crc32c(0, body, 0, PAGE), 12);
    }
    if (kind !== FrameKind.commit) continue;
    for (let at = COMMIT_HEAD; at < body.length; at += recordBytes(body.readUInt32LE(at + 4))) {
      if (!checkpoints || body.readUInt16LE(at + 24) !== RecordType.checkpoint) continue;
      const payload = body.subarray(at + 32, at + 32 + body.readUInt32LE(at + 4));
      const { chain: old, commitNo } = JSON.parse(payload.toString()) as { chain: string; commitNo: string };
      payload.write(chains.get(commitNo) ?? old, payload.indexOf(old), 'latin1');
      sealRecord(body, at, salt);
    }
    chain = chainAfter(chain, body, 0, body.length - COMMIT_HEAD);
    chain.copy(body, 32);
    sealCommit(body, salt);
    chains.set(body.readBigUInt64LE(16).toString(), chain.toString('hex'));
  }
}

/** Frames numbered again, and a closing that names what is there now, with the signature it had. */
export function resealClosing(frames: ForgedFrame[]): void {
  frames.forEach((frame, index) => (frame.number = index));
  const closing = frames.at(-1);
  if (closing?.kind !== FrameKind.closing) return;
  const outer = JSON.parse(closing.body.toString()) as { statement: string };
  const statement = JSON.parse(outer.statement) as {
    frames: number;
    pieces: { frame: number; blake3: string }[];
    lanes: Record<string, Record<string, number | string>>;
  };
  statement.frames = frames.length;
  statement.pieces = frames.flatMap(({ number, kind, body }) =>
    kind === FrameKind.commit || kind === FrameKind.closing
      ? []
      : [{ frame: number, blake3: blake3(body).toString('hex') }],
  );
  for (const lane of Object.values(statement.lanes))
    Object.assign(lane, { segments: 0, commits: 0, records: 0, firstSeq: 0, firstCommit: 0 });
  let lane: Record<string, number | string> = {};
  for (const { kind, body } of frames) {
    if (kind === FrameKind.segment) {
      lane = statement.lanes[laneOf(body)] ?? {};
      lane['segments'] = Number(lane['segments']) + 1;
    }
    if (kind !== FrameKind.commit) continue;
    const [commitNo, baseSeq] = [Number(body.readBigUInt64LE(16)), Number(body.readBigUInt64LE(24))];
    const count = body.readUInt32LE(12);
    if (lane['commits'] === 0) Object.assign(lane, { firstSeq: baseSeq, firstCommit: commitNo });
    lane['commits'] = Number(lane['commits']) + 1;
    lane['records'] = Number(lane['records']) + count;
    Object.assign(lane, { lastSeq: baseSeq + count - 1, lastCommit: commitNo });
    lane['chain'] = body.toString('hex', 32, 64);
  }
  closing.body = Buffer.from(JSON.stringify({ ...outer, statement: JSON.stringify(statement) }));
}

/** Where frame `index` begins. */
export function offsetOf(frames: readonly ForgedFrame[], index: number): number {
  return frames.slice(0, index).reduce((sum, { body }) => sum + FRAME_HEAD + body.length, 0);
}

/** Fits the checksum of the frame at `offset` to its bytes. */
export function sealFrame(bytes: Buffer, offset: number): void {
  const end = offset + FRAME_HEAD + bytes.readUInt32LE(offset + 8);
  const head = bytes.subarray(offset, offset + FRAME_HEAD);
  bytes.writeUInt32LE(frameCrc(head, bytes.subarray(offset + FRAME_HEAD, end)), offset + 4);
}
