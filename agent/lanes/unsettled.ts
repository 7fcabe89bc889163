/** Batches a log has taken and not yet made durable: a ring of (last sequence number, bytes). */
export class UnsettledBatches {
  bytes = 0;
  private seqs = new Float64Array(64);
  private sizes = new Float64Array(64);
  private head = 0;
  private count = 0;

  push(lastSeq: number, bytes: number): void {
    const capacity = this.seqs.length;
    if (this.count === capacity) this.grow();
    const at = (this.head + this.count) & (this.seqs.length - 1);
    this.seqs[at] = lastSeq;
    this.sizes[at] = bytes;
    this.count += 1;
    this.bytes += bytes;
  }

  /** Forgets everything up to `durableSeq`. */
  settle(durableSeq: number): void {
    const mask = this.seqs.length - 1;
    while (this.count > 0 && (this.seqs[this.head] ?? 0) <= durableSeq) {
      this.bytes -= this.sizes[this.head] ?? 0;
      this.head = (this.head + 1) & mask;
      this.count -= 1;
    }
  }

  private grow(): void {
    const capacity = this.seqs.length;
    const seqs = new Float64Array(capacity * 2);
    const sizes = new Float64Array(capacity * 2);
    for (let i = 0; i < this.count; i += 1) {
      seqs[i] = this.seqs[(this.head + i) & (capacity - 1)] ?? 0;
      sizes[i] = this.sizes[(this.head + i) & (capacity - 1)] ?? 0;
    }
    this.seqs = seqs;
    this.sizes = sizes;
    this.head = 0;
  }
}
