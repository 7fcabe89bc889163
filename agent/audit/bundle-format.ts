/**
 * SAB1: one file that proves what a device recorded, to somebody who has neither the device nor its agent.
 *
 * ## Layout
 * All integers are little-endian. The file is a row of frames and nothing else:
 *
 *   frame = 20-byte head | body
 *       0  4  magic "SABF"
 *       4  4  crc32c of everything after this field up to the end of the body
 *       8  4  length of the body
 *      12  4  number of the frame: 0, 1, 2 …
 *      16  2  kind
 *      18  2  zero
 *   file  = opening | key… | for each lane: (segment | commit…)… | policy… | closing
 *
 *   opening 1  JSON: format, version, deviceId, createdNs, agentVersion, lanes, range (when not everything), selection
 *              (the records a query found)
 *   key     2  public key of the device, PEM
 *   segment 3  first header copy of a log segment (4096 bytes, wal/format.ts), then the 32-byte chain value before the
 *              first commit that follows here
 *   commit  4  a commit of that segment as it lies in the log, without the zeros that pad it to a page
 *   policy  5  JSON {hash, text}: the canonical text whose BLAKE3 is `hash`
 *   closing 6  JSON {statement, keyId, signature}. `statement` is JSON text: the number of frames, the BLAKE3 of the body
 *              of each frame that is not a commit, and for each lane its first and last numbers and the chain at its
 *              end. The signature is Ed25519 by the device over `closingBytes`
 *
 * ## Limits
 * A body is at most MAX_BODY bytes. A file holds at most 2^32 frames. Segments are not compressed here; zstd does well.
 *
 * ## Invariants
 * 1. Commits are copied byte for byte: their chain, their records' checksums and the checkpoints inside stay valid.
 * 2. Within a lane commit numbers and record numbers ascend by one, from the first that is here. What is missing in
 *    between was missing in the log, and a signed gap in this file says so.
 * 3. Everything that is not in the chain of a lane (keys, headers, policies, the opening) is in the signed closing.
 * 4. The closing is the last frame: a file without one was cut.
 */
import { canonicalBytes } from './canonical.ts';
import { crc32c } from '../wal/crc32c.ts';

export const FRAME_HEAD = 20;
export const MAX_BODY = 64 * 1024 * 1024;
export const FRAME_MAGIC: Buffer = Buffer.from('SABF', 'latin1');
export const FORMAT = 'sentinel-audit-bundle';
export const FORMAT_VERSION = 1;

export const FrameKind = { opening: 1, key: 2, segment: 3, commit: 4, policy: 5, closing: 6 } as const;

/** First frame. */
export interface Opening {
  format: string;
  version: number;
  deviceId: string;
  createdNs: string;
  agentVersion: string;
  lanes: string[];
  /** Times between which records were asked for; whole commits, up to the checkpoint that covers them. */
  range?: { sinceNs?: string; untilNs?: string };
  /** The records a query found: whole commits from the first to the last of each lane are here. */
  selection?: Selection;
}

/** What a query found. `records` of a lane: numbers and spans, "3-7,9". */
export interface Selection {
  query: string;
  records: number;
  /** Times of the oldest and the newest. */
  sinceNs: string;
  untilNs: string;
  lanes: Record<string, { first: number; last: number; records: string }>;
}

/** What the closing says of a lane. Numbers are 0 for a lane without commits. */
export interface LaneSummary {
  segments: number;
  commits: number;
  records: number;
  firstSeq: number;
  lastSeq: number;
  firstCommit: number;
  lastCommit: number;
  /** Chain after the last commit, hex. */
  chain: string;
}

/** A gap about the range that was stated only after it: its signed record, as it is in the log behind what is here. */
export interface LaterGap {
  /** Number and time of the record that states it. */
  seq: number;
  statedNs: string;
  /** JSON text of the record. */
  payload: string;
}

export interface ClosingStatement {
  frames: number;
  /** Frames that are not commits: number of the frame, BLAKE3 of its body, hex. */
  pieces: { frame: number; blake3: string }[];
  lanes: Record<string, LaneSummary>;
  /** Policies that decisions name and whose text was not to be had. */
  unknownPolicies: string[];
  /** With a range: gaps in it that were stated later. Absent in bundles of earlier versions and of everything. */
  laterGaps?: LaterGap[];
}

export interface Closing {
  statement: string;
  keyId: string;
  signature: string;
}

/** What the signature of the closing covers. */
export function closingBytes(statement: string, keyId: string): Buffer {
  return canonicalBytes({ kind: 'audit_bundle', keyId, statement });
}

/** The 20 bytes in front of `body`. */
export function frameHead(number: number, kind: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(FRAME_HEAD);
  FRAME_MAGIC.copy(head, 0);
  head.writeUInt32LE(body.length, 8);
  head.writeUInt32LE(number, 12);
  head.writeUInt16LE(kind, 16);
  head.writeUInt32LE(frameCrc(head, body), 4);
  return head;
}

/** Checksum of a frame as its head and body are. */
export function frameCrc(head: Buffer, body: Uint8Array): number {
  const bytes = Buffer.concat([head.subarray(8, FRAME_HEAD), body]);
  return crc32c(0, bytes, 0, bytes.length);
}
