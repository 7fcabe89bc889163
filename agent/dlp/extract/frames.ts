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

/**
 * Cuts a stream into frames. What is cut across two pieces is put together in one buffer that stays: a payload is good
 * until the next piece.
 */
export class FrameReader {
  readonly #held = Buffer.alloc(MAX_FRAME_BYTES + HEADER_BYTES);
  #length = 0;

  /** Frames that are whole now. @throws Error for a frame that no child of ours writes. */
  *push(bytes: Buffer): Generator<{ kind: number; payload: Buffer }> {
    let at = 0;
    while (at < bytes.length) {
      if (this.#length === 0) {
        const size = frameSize(bytes, at, bytes.length);
        if (size > 0 && size <= bytes.length - at) {
          yield frameAt(bytes, at, size);
          at += size;
          continue;
        }
      }
      // The header first: what follows is as long as it says.
      const known = frameSize(this.#held, 0, this.#length);
      const wanted = (known > 0 ? known : HEADER_BYTES) - this.#length;
      const taken = bytes.copy(this.#held, this.#length, at, Math.min(bytes.length, at + wanted));
      this.#length += taken;
      at += taken;
      const size = frameSize(this.#held, 0, this.#length);
      if (size === 0 || size > this.#length) continue;
      this.#length = 0;
      yield frameAt(this.#held, 0, size);
    }
  }
}

/** Bytes of the frame at `at`, its header included; 0 while that is not whole. */
function frameSize(bytes: Buffer, at: number, end: number): number {
  if (end - at < HEADER_BYTES) return 0;
  const length = bytes.readUInt32LE(at);
  const kind = bytes[at + 4] ?? 0;
  if (length < 1 || length > MAX_FRAME_BYTES || kind < FRAME_MEMBER || kind > FRAME_RESULT)
    throw new Error('not a frame');
  return 4 + length;
}

function frameAt(bytes: Buffer, at: number, size: number): { kind: number; payload: Buffer } {
  return { kind: bytes[at + 4] ?? 0, payload: bytes.subarray(at + HEADER_BYTES, at + size) };
}
