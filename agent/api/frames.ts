/**
 * Messages on a byte stream (unix socket, named pipe).
 *
 * Frame: length u32 LE, then that many bytes of UTF-8 JSON. Length is 1 to the receiver's limit; anything else, and
 * text that is not UTF-8, ends the connection: after it nothing on the stream can be trusted to be a frame boundary.
 */
import type { Socket } from 'node:net';
import type { Transport } from './contract.ts';

const HEADER_BYTES = 4;

export function encodeFrame(message: string): Buffer {
  const bytes = Buffer.byteLength(message);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + bytes);
  frame.writeUInt32LE(bytes, 0);
  frame.write(message, HEADER_BYTES, 'utf8');
  return frame;
}

export type FrameFault = 'oversized' | 'malformed';

/** Cuts a stream into messages. Holds at most one incomplete frame, never more than `maxBytes` of it. */
export class FrameDecoder {
  readonly #maxBytes: number;
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #chunks: Buffer[] = [];
  #buffered = 0;
  #need = HEADER_BYTES;
  #inBody = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** True while a frame has begun and not ended. */
  get partial(): boolean {
    return this.#buffered > 0 || this.#inBody;
  }

  /** Calls `onMessage` for each frame that `chunk` completes; returns what is wrong with the stream, if anything. */
  push(chunk: Buffer, onMessage: (message: string) => void): FrameFault | undefined {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    while (this.#buffered >= this.#need) {
      const part = this.#take(this.#need);
      if (!this.#inBody) {
        const length = part.readUInt32LE(0);
        if (length === 0) return 'malformed';
        if (length > this.#maxBytes) return 'oversized';
        this.#need = length;
        this.#inBody = true;
        continue;
      }
      this.#need = HEADER_BYTES;
      this.#inBody = false;
      let message: string;
      try {
        message = this.#utf8.decode(part);
      } catch {
        return 'malformed';
      }
      onMessage(message);
    }
    return undefined;
  }

  #take(bytes: number): Buffer {
    const first = this.#chunks[0]!;
    this.#buffered -= bytes;
    if (first.length > bytes) {
      this.#chunks[0] = first.subarray(bytes);
      return first.subarray(0, bytes);
    }
    if (first.length === bytes) {
      this.#chunks.shift();
      return first;
    }
    const all = Buffer.concat(this.#chunks);
    this.#chunks = all.length > bytes ? [all.subarray(bytes)] : [];
    return all.subarray(0, bytes);
  }
}

export interface StreamLimits {
  maxMessageBytes: number;
  /** How long a frame may take from its first byte to its last. */
  maxFrameMs: number;
  onFault?(fault: FrameFault | 'timeout'): void;
}

/** A Transport over a connected socket. */
export function streamTransport(socket: Socket, limits: StreamLimits): Transport {
  const decoder = new FrameDecoder(limits.maxMessageBytes);
  let deadline: NodeJS.Timeout | undefined;
  const fail = (fault: FrameFault | 'timeout'): void => {
    limits.onFault?.(fault);
    socket.destroy();
  };
  // Errors (reset, broken pipe) are followed by 'close', which is all that matters here.
  socket.on('error', () => {});
  socket.on('close', () => clearTimeout(deadline));
  return {
    send(message) {
      if (!socket.destroyed && socket.writable) socket.write(encodeFrame(message));
    },
    onMessage(listener) {
      socket.on('data', (chunk: Buffer) => {
        if (socket.destroyed) return;
        const fault = decoder.push(chunk, listener);
        if (fault) fail(fault);
        else if (!decoder.partial) {
          clearTimeout(deadline);
          deadline = undefined;
        } else if (!deadline) {
          deadline = setTimeout(() => fail('timeout'), limits.maxFrameMs);
          deadline.unref();
        }
      });
    },
    onClose(listener) {
      socket.on('close', listener);
    },
    close() {
      // What was sent still goes out, but a peer that does not read cannot hold the socket open.
      socket.end();
      const last = setTimeout(() => socket.destroy(), 1000);
      last.unref();
      socket.on('close', () => clearTimeout(last));
    },
    get backlogBytes() {
      return socket.writableLength;
    },
  };
}
