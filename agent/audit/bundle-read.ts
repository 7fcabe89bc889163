/** Reads the frames of an audit bundle one after the other, and finds the next whole one after damage. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { FRAME_HEAD, FRAME_MAGIC, frameCrc, MAX_BODY } from './bundle-format.ts';

export interface Frame {
  ok: true;
  offset: number;
  number: number;
  kind: number;
  body: Buffer;
}

/** Bytes from `offset` to `end` that are no frame. */
export interface Damage {
  ok: false;
  offset: number;
  end: number;
  detail: string;
}

const WINDOW = 1024 * 1024;
/** Bytes checked while looking for the next frame, for each byte of the file: bounds what a made-up file can cost. */
const MAX_WORK = 4;

export class FrameReader {
  readonly size: number;
  readonly #fd: number;
  #at = 0;
  #work = 0;

  /** Throws what the system says when the file cannot be opened. */
  constructor(path: string) {
    this.#fd = openSync(path, 'r');
    this.size = fstatSync(this.#fd).size;
  }

  #read(offset: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.size - offset)));
    let have = 0;
    while (have < bytes.length) {
      const got = readSync(this.#fd, bytes, have, bytes.length - have, offset + have);
      if (got === 0) break;
      have += got;
    }
    return bytes.subarray(0, have);
  }

  /** The next frame or the next stretch of damage; undefined at the end of the file. */
  next(): Frame | Damage | undefined {
    if (this.#at >= this.size) return undefined;
    const offset = this.#at;
    const frame = this.#frameAt(offset);
    if (typeof frame !== 'string') {
      this.#at = offset + FRAME_HEAD + frame.body.length;
      return frame;
    }
    const end = this.#resume(offset + 1);
    this.#at = end;
    return { ok: false, offset, end, detail: frame };
  }

  /** The frame at `offset`, or why there is none. */
  #frameAt(offset: number): Frame | string {
    const head = this.#read(offset, FRAME_HEAD);
    if (head.length < FRAME_HEAD) return 'the file ends inside the head of a frame';
    if (!head.subarray(0, 4).equals(FRAME_MAGIC)) return 'no frame begins here';
    if (head.readUInt16LE(18) !== 0) return 'the head of the frame is not as it was written';
    const length = head.readUInt32LE(8);
    if (length > MAX_BODY || offset + FRAME_HEAD + length > this.size)
      return 'the file ends inside this frame, or its length is wrong';
    const body = this.#read(offset + FRAME_HEAD, length);
    this.#work += length;
    if (frameCrc(head, body) !== head.readUInt32LE(4)) return 'the checksum of the frame is wrong';
    return { ok: true, offset, number: head.readUInt32LE(12), kind: head.readUInt16LE(16), body };
  }

  /** Where the next whole frame begins, from `offset` on; the end of the file if there is none. */
  #resume(offset: number): number {
    const limit = this.#work + MAX_WORK * this.size;
    for (let at = offset; at + FRAME_HEAD <= this.size;) {
      const window = this.#read(at, WINDOW + FRAME_MAGIC.length - 1);
      for (
        let found = window.indexOf(FRAME_MAGIC);
        found >= 0;
        found = window.indexOf(FRAME_MAGIC, found + 1)
      ) {
        if (this.#work > limit) return this.size;
        if (typeof this.#frameAt(at + found) !== 'string') return at + found;
      }
      at += WINDOW;
    }
    return this.size;
  }

  close(): void {
    closeSync(this.#fd);
  }
}
