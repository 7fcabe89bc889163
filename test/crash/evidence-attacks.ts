/** Ways to tamper with an audit bundle, each drawn from a seed, each saying what it touched. */
import { FRAME_HEAD, FrameKind } from '../../agent/audit/bundle-format.ts';
import type { BundleFinding } from '../../agent/audit/bundle-report.ts';
import { RecordType } from '../../agent/wal/types.ts';
import {
  framesOf,
  joined,
  offsetOf,
  recordsIn,
  resealChain,
  resealClosing,
  saltOf,
  sealCommit,
  sealFrame,
  sealRecord,
  type ForgedFrame,
  type RecordPlace,
} from './evidence-forge.ts';

export interface Tampered {
  name: string;
  bytes: Buffer;
  /** Whether a finding places it rightly. */
  placed: (finding: BundleFinding) => boolean;
}

/** mulberry32: the same numbers from the same seed. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

/** `turn`: how often this kind of attack was made before. */
type Attack = (bundle: Buffer, random: (below: number) => number, turn: number) => Omit<Tampered, 'name'>;

const about =
  (...seqs: { lane: string; from: number; to: number }[]) =>
  ({ lane, fromSeq, toSeq }: BundleFinding): boolean =>
    seqs.some(
      (one) =>
        one.lane === lane && fromSeq !== undefined && fromSeq <= one.to && (toSeq ?? fromSeq) >= one.from,
    );

const inFrame =
  (index: number, frames: readonly ForgedFrame[]) =>
  ({ frame, offset }: BundleFinding): boolean => {
    const start = offsetOf(frames, index);
    const end = start + FRAME_HEAD + (frames[index]?.body.length ?? 0);
    return frame === index || (offset >= start && offset < end);
  };

const oneOf = <T>(random: (below: number) => number, list: readonly T[]): T => {
  const found = list[random(list.length)];
  if (found === undefined) throw new Error('nothing to choose from');
  return found;
};

function ordinary(frames: readonly ForgedFrame[]): RecordPlace[] {
  return recordsIn(frames).filter(({ type }) => type === RecordType.event);
}

function commitsOf(frames: readonly ForgedFrame[]): number[] {
  return frames.flatMap(({ kind, body }, index) =>
    kind === FrameKind.commit && body.readUInt32LE(12) > 0 ? [index] : [],
  );
}

/** Records of a commit's frame. */
function span(frames: readonly ForgedFrame[], index: number): { lane: string; from: number; to: number } {
  const records = recordsIn(frames).filter(({ frame }) => frame === index);
  const [first, last] = [records[0], records.at(-1)];
  if (!first || !last) throw new Error('an empty commit');
  return { lane: first.lane, from: first.seq, to: last.seq };
}

/** How much is made to fit after a record was changed. Signatures never are. */
const FITTED = ['frames', 'records', 'commits', 'chain', 'closing', 'all but checkpoints'] as const;

function fit(frames: ForgedFrame[], record: RecordPlace, how: (typeof FITTED)[number]): void {
  const body = frames[record.frame]?.body ?? Buffer.alloc(0);
  const salt = saltOf(frames, record.frame);
  if (how !== 'frames') sealRecord(body, record.at, salt);
  if (how === 'commits') sealCommit(body, salt);
  if (how === 'chain' || how === 'closing') resealChain(frames);
  if (how === 'all but checkpoints') resealChain(frames, false);
  if (how === 'closing' || how === 'all but checkpoints') resealClosing(frames);
}

const ATTACKS: Readonly<Record<string, Attack>> = {
  'a byte changed': (bundle, random) => {
    const frames = framesOf(bundle);
    const bytes = Buffer.from(bundle);
    const at = random(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    let index = 0;
    while (offsetOf(frames, index + 1) <= at) index += 1;
    return { bytes, placed: inFrame(index, frames) };
  },
  'the checksum of a frame changed': (bundle, random) => {
    const frames = framesOf(bundle);
    const bytes = Buffer.from(bundle);
    const index = random(frames.length);
    const at = offsetOf(frames, index) + 4 + random(4);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    return { bytes, placed: inFrame(index, frames) };
  },
  'a byte of a commit changed, its frame fitted': (bundle, random) => {
    const frames = framesOf(bundle);
    const index = oneOf(random, commitsOf(frames));
    const where = span(frames, index);
    const body = frames[index]?.body ?? Buffer.alloc(0);
    // The checksum of the commit itself, every other time: nothing else covers it.
    const at = random(2) === 0 ? random(4) : random(body.length);
    body[at] = (body[at] ?? 0) ^ (1 << random(8));
    return { bytes: joined(frames), placed: about(where) };
  },
  'a record edited': (bundle, random, turn) => {
    const frames = framesOf(bundle);
    const how = FITTED[turn % FITTED.length] ?? 'frames';
    const record = oneOf(random, ordinary(frames));
    const body = frames[record.frame]?.body ?? Buffer.alloc(0);
    const at = record.at + 32 + random(body.readUInt32LE(record.at + 4));
    body[at] = (body[at] ?? 0) ^ (1 << random(8));
    fit(frames, record, how);
    const exact = how === 'frames';
    const where = { lane: record.lane, from: record.seq, to: record.seq };
    return {
      bytes: joined(frames),
      placed: (finding) => about(where)(finding) && (!exact || finding.kind === 'record_damaged'),
    };
  },
  'a record behind the last checkpoint edited, the chain fitted': (bundle, random) => {
    const frames = framesOf(bundle);
    const lane = oneOf(random, ['security', 'observability']);
    const record = ordinary(frames).findLast((one) => one.lane === lane);
    if (!record) throw new Error('no record');
    const body = frames[record.frame]?.body ?? Buffer.alloc(0);
    body[record.at + 40] = (body[record.at + 40] ?? 0) ^ 1;
    fit(frames, record, 'chain');
    return { bytes: joined(frames), placed: about({ lane, from: record.seq, to: record.seq }) };
  },
  'the checksum of a record changed, all else fitted': (bundle, random) => {
    const frames = framesOf(bundle);
    const record = oneOf(random, ordinary(frames));
    const body = frames[record.frame]?.body ?? Buffer.alloc(0);
    body[record.at] = (body[record.at] ?? 0) ^ 1;
    resealChain(frames);
    resealClosing(frames);
    const where = { lane: record.lane, from: record.seq, to: record.seq };
    return {
      bytes: joined(frames),
      placed: (finding) => about(where)(finding) && finding.kind === 'record_damaged',
    };
  },
  'a record numbered otherwise, all else fitted': (bundle, random) => {
    const frames = framesOf(bundle);
    const record = oneOf(random, ordinary(frames));
    const body = frames[record.frame]?.body ?? Buffer.alloc(0);
    body.writeBigUInt64LE(BigInt(record.seq + 1 + random(5)), record.at + 8);
    sealRecord(body, record.at, saltOf(frames, record.frame));
    resealChain(frames);
    resealClosing(frames);
    const where = { lane: record.lane, from: record.seq, to: record.seq };
    return {
      bytes: joined(frames),
      placed: (finding) => about(where)(finding) && finding.kind === 'record_damaged',
    };
  },
  'a record deleted from its commit': (bundle, random) => {
    const frames = framesOf(bundle);
    const record = oneOf(random, ordinary(frames));
    const frame = frames[record.frame];
    if (!frame) throw new Error('no frame');
    const { body } = frame;
    const how = oneOf(random, ['frames', 'commits', 'chain', 'closing'] as const);
    frame.body = Buffer.concat([body.subarray(0, record.at), body.subarray(record.at + record.length)]);
    frame.body.writeUInt32LE(body.readUInt32LE(8) - record.length, 8);
    frame.body.writeUInt32LE(body.readUInt32LE(12) - 1, 12);
    if (how !== 'frames') sealCommit(frame.body, saltOf(frames, record.frame));
    if (how === 'chain' || how === 'closing') resealChain(frames);
    if (how === 'closing') resealClosing(frames);
    return { bytes: joined(frames), placed: about({ ...record, from: record.seq, to: record.seq }) };
  },
  'two records of a commit exchanged': (bundle, random) => {
    const frames = framesOf(bundle);
    const records = ordinary(frames);
    const pairs = records.flatMap((record, index) => {
      const next = records[index + 1];
      return next?.frame === record.frame ? [[record, next] as const] : [];
    });
    const [a, b] = oneOf(random, pairs);
    const frame = frames[a.frame];
    if (!frame) throw new Error('no frame');
    const { body } = frame;
    frame.body = Buffer.concat([
      body.subarray(0, a.at),
      body.subarray(b.at, b.at + b.length),
      body.subarray(a.at, a.at + a.length),
      body.subarray(b.at + b.length),
    ]);
    if (random(2) === 0) {
      resealChain(frames);
      resealClosing(frames);
    }
    return { bytes: joined(frames), placed: about({ lane: a.lane, from: a.seq, to: b.seq }) };
  },
  'a frame deleted': (bundle, random) => {
    const frames = framesOf(bundle);
    const index = 1 + random(frames.length - 2);
    const kept = frames.filter((_, at) => at !== index);
    const isCommit =
      frames[index]?.kind === FrameKind.commit && (frames[index]?.body.readUInt32LE(12) ?? 0) > 0;
    if (random(2) === 0) resealClosing(kept);
    else return { bytes: joined(kept), placed: ({ frame }) => frame === index };
    const placed = isCommit
      ? about(span(frames, index))
      : ({ frame }: BundleFinding) => frame !== undefined && frame >= index - 1;
    return { bytes: joined(kept), placed };
  },
  'an empty commit deleted, all else fitted': (bundle, random) => {
    const frames = framesOf(bundle);
    const empty = frames.flatMap(({ kind, body }, index) =>
      kind === FrameKind.commit &&
      body.readUInt32LE(12) === 0 &&
      frames[index + 1]?.kind === FrameKind.segment
        ? [index]
        : [],
    );
    const index = oneOf(random, empty.slice(0, 1));
    const commitNo = Number(frames[index]?.body.readBigUInt64LE(16));
    const kept = frames.filter((_, at) => at !== index);
    resealChain(kept);
    resealClosing(kept);
    return {
      bytes: joined(kept),
      placed: (finding) => finding.kind === 'commit_missing' && finding.commitNo === commitNo,
    };
  },
  'commits deleted, the rest renumbered and fitted': (bundle, random) => {
    const frames = framesOf(bundle);
    const index = oneOf(random, commitsOf(frames).slice(1, -1));
    const where = span(frames, index);
    const kept = frames.filter((_, at) => at !== index);
    resealChain(kept);
    resealClosing(kept);
    return { bytes: joined(kept), placed: about(where) };
  },
  'two frames exchanged': (bundle, random) => {
    const frames = framesOf(bundle);
    const a = 1 + random(frames.length - 3);
    const b = a + 1 + random(frames.length - 2 - a);
    const order = frames.with(a, frames[b] as ForgedFrame).with(b, frames[a] as ForgedFrame);
    const fitted = random(2) === 0;
    if (fitted) order.forEach((frame, index) => (frame.number = index));
    const bytes = joined(order);
    return {
      bytes,
      placed: ({ frame = -1, offset }) =>
        (frame >= a && frame <= b) || (offset >= offsetOf(order, a) && offset <= offsetOf(order, b + 1)),
    };
  },
  'a frame put in twice': (bundle, random) => {
    const frames = framesOf(bundle);
    const from = 1 + random(frames.length - 2);
    const to = 1 + random(frames.length - 1);
    const copy = { ...(frames[from] as ForgedFrame) };
    const more = frames.toSpliced(to, 0, copy);
    if (random(2) === 0) resealClosing(more);
    return {
      bytes: joined(more),
      placed: ({ frame = -1, offset }) => frame === to || frame === from || offset >= offsetOf(more, to),
    };
  },
  'bytes put in': (bundle, random) => {
    const at = random(bundle.length);
    const frames = framesOf(bundle);
    let index = 0;
    while (offsetOf(frames, index + 1) <= at) index += 1;
    const noise = Buffer.from(Array.from({ length: 1 + random(300) }, () => random(256)));
    const bytes = Buffer.concat([bundle.subarray(0, at), noise, bundle.subarray(at)]);
    return { bytes, placed: inFrame(index, frames) };
  },
  'bytes taken out': (bundle, random) => {
    const at = random(bundle.length - 1);
    const end = Math.min(bundle.length, at + 1 + random(3000));
    const frames = framesOf(bundle);
    let index = 0;
    while (offsetOf(frames, index + 1) <= at) index += 1;
    const bytes = Buffer.concat([bundle.subarray(0, at), bundle.subarray(end)]);
    return {
      bytes,
      placed: ({ frame, offset }) =>
        frame === index || frame === index + 1 || (offset >= offsetOf(frames, index) && offset <= at),
    };
  },
  'the end cut off': (bundle, random) => {
    const at = 1 + random(bundle.length - 1);
    return { bytes: bundle.subarray(0, at), placed: ({ kind, offset }) => kind === 'cut' && offset === at };
  },
  'the end cut off between frames, the closing kept and fitted': (bundle, random) => {
    const frames = framesOf(bundle);
    const commits = commitsOf(frames);
    const index = oneOf(random, commits.slice(1));
    const { lane, from } = span(frames, index);
    const closing = frames.at(-1) as ForgedFrame;
    const kept = [...frames.slice(0, index), closing];
    resealClosing(kept);
    return {
      bytes: joined(kept),
      placed: (finding) => finding.kind === 'closing_invalid' || about({ lane, from, to: from })(finding),
    };
  },
  'bytes behind the end': (bundle, random) => ({
    bytes: Buffer.concat([bundle, Buffer.alloc(1 + random(500), 7)]),
    placed: ({ kind, offset }) => kind === 'trailing_bytes' && offset === bundle.length,
  }),
  'the text of a policy changed': (bundle, random) => {
    const frames = framesOf(bundle);
    const index = frames.findIndex(({ kind }) => kind === FrameKind.policy);
    const frame = frames[index] as ForgedFrame;
    frame.body = Buffer.from(frame.body.toString().replace('deny', oneOf(random, ['pass', 'warn', 'none'])));
    if (random(2) === 0) resealClosing(frames);
    return {
      bytes: joined(frames),
      placed: (finding) => finding.kind === 'policy_changed' && finding.frame === index,
    };
  },
  'the opening changed': (bundle, random) => {
    const frames = framesOf(bundle);
    const frame = frames[0] as ForgedFrame;
    const text = frame.body.toString();
    const at = text.indexOf('"createdNs":"') + 15 + random(8);
    frame.body = Buffer.from(
      `${text.slice(0, at)}${(Number(text.charAt(at)) + 1) % 10}${text.slice(at + 1)}`,
    );
    const fitted = random(2) === 0;
    if (fitted) resealClosing(frames);
    const placed = ({ frame: number, kind }: BundleFinding): boolean =>
      fitted ? kind === 'closing_invalid' : number === 0 && kind === 'piece_changed';
    return { bytes: joined(frames), placed };
  },
  'the reserved bytes of a frame changed, its checksum fitted': (bundle, random) => {
    const frames = framesOf(bundle);
    const index = random(frames.length);
    const bytes = Buffer.from(bundle);
    const at = offsetOf(frames, index) + 18 + random(2);
    bytes[at] = 1 + random(255);
    sealFrame(bytes, offsetOf(frames, index));
    return { bytes, placed: inFrame(index, frames) };
  },
};

export const ATTACK_KINDS = Object.keys(ATTACKS).length;

/** `count` tampered bundles, each kind of attack in turn. */
export function* tamperings(bundle: Buffer, count: number, seed: number): Iterable<Tampered> {
  const names = Object.keys(ATTACKS);
  for (let index = 0; index < count; index++) {
    const name = names[index % names.length] as string;
    const made = (ATTACKS[name] as Attack)(
      bundle,
      randomFrom(seed * 100_003 + index),
      Math.floor(index / names.length),
    );
    yield { name: `${name} (${index})`, ...made };
  }
}
