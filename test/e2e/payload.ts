/** Contents follow from the sequence number, so that a reader can tell a right record from a wrong one. */
export function payloadOf(seq: number): Buffer {
  return Buffer.from(`record ${seq} ${'x'.repeat(seq % 257)}`);
}
