/** Pulls bytes and lines out of a stream of pieces. */

export class ByteReader {
  readonly #pieces: AsyncIterator<Buffer> | Iterator<Buffer>;
  #piece: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(bytes: AsyncIterable<Buffer> | Iterable<Buffer>) {
    this.#pieces = Symbol.asyncIterator in bytes ? bytes[Symbol.asyncIterator]() : bytes[Symbol.iterator]();
  }

  async #fill(): Promise<boolean> {
    while (this.#piece.length === 0) {
      if (this.#ended) return false;
      const next = await this.#pieces.next();
      if (next.done) {
        this.#ended = true;
        return false;
      }
      this.#piece = next.value;
    }
    return true;
  }

  /** Between one byte and `most`; undefined at the end. */
  async some(most: number): Promise<Buffer | undefined> {
    if (!(await this.#fill())) return undefined;
    const bytes = this.#piece.subarray(0, most);
    this.#piece = this.#piece.subarray(bytes.length);
    return bytes;
  }

  /** `length` bytes, or what is left. */
  async take(length: number): Promise<Buffer> {
    if (this.#piece.length >= length) return (await this.some(length)) ?? Buffer.alloc(0);
    const pieces: Buffer[] = [];
    let left = length;
    while (left > 0) {
      const bytes = await this.some(left);
      if (!bytes) break;
      pieces.push(bytes);
      left -= bytes.length;
    }
    return Buffer.concat(pieces);
  }

  async skip(length: number): Promise<void> {
    let left = length;
    while (left > 0) {
      const bytes = await this.some(left);
      if (!bytes) return;
      left -= bytes.length;
    }
  }

  /** Up to and with the next line feed, at most `most` bytes; undefined at the end. */
  async line(most: number): Promise<Buffer | undefined> {
    if (!(await this.#fill())) return undefined;
    let end = this.#piece.indexOf(10);
    if (end >= 0 && end < most) return await this.some(end + 1);
    const pieces: Buffer[] = [];
    let length = 0;
    while (length < most && (await this.#fill())) {
      end = this.#piece.indexOf(10);
      const wanted = Math.min(end < 0 ? this.#piece.length : end + 1, most - length);
      pieces.push(this.#piece.subarray(0, wanted));
      this.#piece = this.#piece.subarray(wanted);
      length += wanted;
      if (end >= 0 && pieces.at(-1)?.at(-1) === 10) break;
    }
    return Buffer.concat(pieces);
  }
}
