/** The JS writer's segments: preparing the next one, writing commits, leaving a segment that failed. */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { COMMIT_HEAD, HEADER_BYTES, PAGE, encodeHeader, encodeRecord, padTo, sealCommit } from './format.ts';
import { packedBytes, unpackRecord } from './packed.ts';
import type { Block } from './js-writer.ts';
import type { ResolvedOptions } from './open.ts';
import { segmentName } from './segments.ts';
import type { WalChainHead, WalFile, WalFs, WalState } from './types.ts';

const ZERO_CHUNK = Buffer.alloc(256 * 1024);
const PACE_MS = 2;
const RETRY_MS = 1000;

interface Segment {
  file: WalFile;
  path: string;
  number: number;
  /** Bytes used; HEADER_BYTES before the first commit. */
  used: number;
  salt: number;
  fresh: boolean;
  bad: boolean;
  startedMs: number;
}

export class JsSegments {
  state: WalState = 'ok';
  reason = '';
  failedWrites = 0;
  readonly #options: ResolvedOptions;
  readonly #fs: WalFs;
  readonly #onState: (state: WalState, reason: string) => void;
  #number: number;
  #current: Segment | undefined;
  #spare: Promise<Segment | undefined> | undefined;
  #spareReady = false;
  #prepareFailures = 0;
  #consecutiveFailures = 0;
  #hurry = false;
  #closing = false;
  #wakePause: (() => void) | undefined;

  constructor(
    options: ResolvedOptions,
    fs: WalFs,
    firstNumber: number,
    onState: (state: WalState, reason: string) => void,
  ) {
    this.#options = options;
    this.#fs = fs;
    this.#number = firstNumber;
    this.#onState = onState;
  }

  /** Creates the first segment; rejects if that is impossible. */
  async start(): Promise<void> {
    this.#hurry = true;
    this.#current = await this.#create(this.#number);
    this.#hurry = false;
    this.#prepare();
  }

  /** The log is closing: prepare without pauses, wait for space no longer. */
  hurry(): void {
    this.#closing = true;
    this.#hurry = true;
    this.#wakePause?.();
  }

  #setState(state: WalState, reason: string): void {
    if (this.state === 'failed' || (this.state === state && this.reason === reason)) return;
    this.state = state;
    this.reason = reason;
    this.#onState(state, reason);
  }

  async #create(number: number): Promise<Segment> {
    const { dir, segmentBytes, minFreeBytes } = this.#options;
    if ((await this.#fs.freeBytes(dir)) < minFreeBytes + segmentBytes) {
      throw Object.assign(new Error('free space: less than the reserve would be left'), { code: 'ENOSPC' });
    }
    const path = join(dir, segmentName(number));
    const file = await this.#fs.create(path);
    try {
      for (let at = 0; at < segmentBytes; at += ZERO_CHUNK.length) {
        await file.write(ZERO_CHUNK.subarray(0, Math.min(ZERO_CHUNK.length, segmentBytes - at)), at);
        if (!this.#hurry && (this.#current?.used ?? 0) < segmentBytes / 2) await this.#pause(PACE_MS);
      }
      await file.datasync();
      await this.#fs.syncDir(dir);
    } catch (error) {
      await file.close().catch(() => undefined);
      await this.#fs.unlink(path).catch(() => undefined);
      throw error;
    }
    return { file, path, number, used: HEADER_BYTES, salt: 0, fresh: true, bad: false, startedMs: 0 };
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wakePause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #prepare(): void {
    this.#number++;
    this.#spareReady = false;
    this.#spare = this.#prepareUntilThere(this.#number);
  }

  /** Undefined if the log closed, or failed, before the segment could be created. */
  async #prepareUntilThere(number: number): Promise<Segment | undefined> {
    for (;;) {
      try {
        const segment = await this.#create(number);
        this.#prepareFailures = 0;
        this.#spareReady = true;
        if (!this.#current?.bad) this.#setState('ok', '');
        return segment;
      } catch (error) {
        this.#prepareFailures++;
        const { code, message } = error as NodeJS.ErrnoException;
        const full = code === 'ENOSPC' || code === 'EDQUOT';
        const reason = `${full ? 'disk_full' : 'no_segment'}: ${message}`;
        // Space comes back; a disk that refuses twice to take a new file while one is needed does not.
        if (!full && this.#prepareFailures >= 2 && this.#hurry) this.#setState('failed', reason);
        else this.#setState('degraded', reason);
        if (this.#closing || this.state === 'failed') return undefined;
        await this.#pause(RETRY_MS);
        if (this.#closing) return undefined;
      }
    }
  }

  /**
   * Makes one commit durable (empty without `block`) and returns the new head, or undefined once the log has failed. A
   * failed write is never repeated on the same segment.
   */
  async commit(
    block: Block | undefined,
    flags: number,
    head: WalChainHead,
  ): Promise<WalChainHead | undefined> {
    const padded = padTo(COMMIT_HEAD + (block?.stored ?? 0), PAGE);
    for (;;) {
      const { segmentBytes, maxSegmentAgeMs } = this.#options;
      let segment = this.#current as Segment;
      const full = segment.used + padded > segmentBytes;
      const old = block !== undefined && performance.now() - segment.startedMs > maxSegmentAgeMs;
      if (segment.bad || (!segment.fresh && (full || old))) {
        const next = await this.#switch(segment);
        if (next === undefined) {
          this.#setState('failed', this.reason || 'closed before it could be written');
          return undefined;
        }
        segment = next;
      }
      try {
        return await this.#write(segment, block, flags, head, padded);
      } catch (error) {
        segment.bad = true;
        this.failedWrites++;
        const reason = `write_failed: ${(error as Error).message}`;
        if (++this.#consecutiveFailures >= 2) {
          this.#setState('failed', reason);
          return undefined;
        }
        this.#setState('degraded', reason);
      }
    }
  }

  async #write(
    segment: Segment,
    block: Block | undefined,
    flags: number,
    head: WalChainHead,
    padded: number,
  ): Promise<WalChainHead> {
    // The header of a new segment and its first commit go out in one write.
    const room = segment.fresh ? HEADER_BYTES : 0;
    const bytes = Buffer.alloc(room + padded);
    const commit = bytes.subarray(room);
    const wallNs = BigInt(Date.now()) * 1_000_000n;
    const commitNo = head.commitNo + 1;
    const baseSeq = block?.baseSeq ?? head.seq + 1;
    if (segment.fresh) {
      segment.salt = randomInt(1, 0x1_0000_0000);
      const { lane, epoch, deviceId, segmentBytes } = this.#options;
      encodeHeader({
        lane,
        segmentBytes,
        segment: segment.number,
        baseSeq,
        firstCommit: commitNo,
        epoch,
        wallNs,
        salt: segment.salt,
        prevChain: head.chain,
        deviceId,
      }).copy(bytes);
    }
    const count = block?.count ?? 0;
    if (block) encodeBlock(commit, block, segment.salt);
    const bodyBytes = block?.stored ?? 0;
    const chain = sealCommit(
      commit,
      { commitNo, baseSeq, count, bodyBytes, flags, wallNs },
      head.chain,
      segment.salt,
    );
    await segment.file.write(bytes, segment.used - room);
    await segment.file.datasync();
    if (segment.fresh) segment.startedMs = performance.now();
    segment.fresh = false;
    segment.used += padded;
    this.#consecutiveFailures = 0;
    return { seq: head.seq + count, commitNo, chain };
  }

  async #switch(from: Segment): Promise<Segment | undefined> {
    if (!this.#spareReady) {
      this.#hurry = true;
      this.#wakePause?.();
    }
    const next = await this.#spare;
    this.#hurry = this.#closing;
    if (next === undefined) return undefined;
    if (from.bad) await from.file.close().catch(() => undefined);
    else await sealAndClose(from);
    this.#current = next;
    this.#prepare();
    return next;
  }

  async close(): Promise<void> {
    this.hurry();
    const spare = await this.#spare;
    if (spare) await this.#discard(spare);
    const segment = this.#current;
    this.#current = undefined;
    if (segment === undefined) return;
    if (segment.bad) await segment.file.close().catch(() => undefined);
    else if (segment.fresh) await this.#discard(segment);
    else await sealAndClose(segment);
  }

  async #discard(segment: Segment): Promise<void> {
    await segment.file.close().catch(() => undefined);
    await this.#fs.unlink(segment.path).catch(() => undefined);
  }
}

function encodeBlock(commit: Buffer, block: Block, salt: number): void {
  let seq = block.baseSeq;
  let to = COMMIT_HEAD;
  for (let at = 0; at < block.used;) {
    const record = unpackRecord(block.packed, at);
    to = encodeRecord(commit, to, record, seq++, salt);
    at += packedBytes(record.payload.length);
  }
}

/** Gives the unused zeros back; only space is lost if that fails. */
async function sealAndClose(segment: Segment): Promise<void> {
  await segment.file.truncate(segment.used).catch(() => undefined);
  await segment.file.close().catch(() => undefined);
}
