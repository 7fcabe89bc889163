/**
 * What the child tells its parent: u32 length of the rest, u8 kind, payload. Kind 1 names the member that follows, 2 is
 * text, 3 text that ends the member, 4 the result as JSON. The parent believes no length beyond MAX_FRAME and nothing
 * after a result.
 */

export const FRAME_MEMBER = 1;
export const FRAME_TEXT = 2;
export const FRAME_LAST = 3;
export const FRAME_RESULT = 4;

export const MAX_FRAME_BYTES = 256 * 1024;
const HEADER_BYTES = 5;

/** Writes one frame's header. */
export function frameHeader(kind: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32LE(length + 1, 0);
  header[4] = kind;
  return header;
}

/** Cuts a stream into frames. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Frames that are whole now. @throws Error for a frame that no child of ours writes. */
  *push(bytes: Buffer): Generator<{ kind: number; payload: Buffer }> {
    let buffer = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (buffer.length >= HEADER_BYTES) {
      const length = buffer.readUInt32LE(0);
      const kind = buffer[4] ?? 0;
      if (length < 1 || length > MAX_FRAME_BYTES || kind < FRAME_MEMBER || kind > FRAME_RESULT)
        throw new Error('not a frame');
      if (buffer.length < 4 + length) break;
      yield { kind, payload: buffer.subarray(HEADER_BYTES, 4 + length) };
      buffer = buffer.subarray(4 + length);
    }
    this.#rest = buffer;
  }
}
