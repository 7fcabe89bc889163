/** Packed records (layout at PACKED_HEADER_BYTES in types.ts): how batches cross to a writer in one piece. */
import { UNKNOWN_CPU, padTo, recordBytes } from './format.ts';
import { WalRecordError } from './errors.ts';
import { PACKED_HEADER_BYTES, type WalRecordInput } from './types.ts';

/** Bytes that a record with this payload takes packed. */
export function packedBytes(payloadBytes: number): number {
  return padTo(PACKED_HEADER_BYTES + payloadBytes, 8);
}

/** Writes one packed record and returns the offset after it. */
export function packRecord(target: Buffer, offset: number, record: WalRecordInput): number {
  const { payload } = record;
  target.writeUInt32LE(payload.length, offset);
  target.writeUInt16LE(record.type, offset + 4);
  target.writeUInt16LE(record.schema, offset + 6);
  target.writeUInt16LE(record.flags ?? 0, offset + 8);
  target.writeUInt16LE(record.cpu ?? UNKNOWN_CPU, offset + 10);
  target.writeUInt32LE(0, offset + 12);
  target.writeBigUInt64LE(record.wallNs, offset + 16);
  target.set(payload, offset + PACKED_HEADER_BYTES);
  const end = offset + PACKED_HEADER_BYTES + payload.length;
  const padded = offset + packedBytes(payload.length);
  if (padded > end) target.fill(0, end, padded);
  return padded;
}

/** Reads one packed record; the payload is a view. */
export function unpackRecord(bytes: Buffer, offset: number): WalRecordInput {
  const length = bytes.readUInt32LE(offset);
  const start = offset + PACKED_HEADER_BYTES;
  return {
    type: bytes.readUInt16LE(offset + 4),
    schema: bytes.readUInt16LE(offset + 6),
    flags: bytes.readUInt16LE(offset + 8),
    cpu: bytes.readUInt16LE(offset + 10),
    wallNs: bytes.readBigUInt64LE(offset + 16),
    payload: bytes.subarray(start, start + length),
  };
}

/** Total packed size; throws WalRecordError naming the record that is too large for a segment. */
export function packedSize(records: readonly WalRecordInput[], maxPayloadBytes: number): number {
  let bytes = 0;
  for (let index = 0; index < records.length; index++) {
    const { length } = (records[index] as WalRecordInput).payload;
    if (length > maxPayloadBytes) throw tooLarge(index, length, maxPayloadBytes);
    bytes += packedBytes(length);
  }
  return bytes;
}

/** Checks that `packed` holds `count` whole records and returns the bytes they will take in the log. */
export function storedSizeOfPacked(packed: Buffer, count: number, maxPayloadBytes: number): number {
  let at = 0;
  let stored = 0;
  for (let index = 0; index < count; index++) {
    const length = at + PACKED_HEADER_BYTES <= packed.length ? packed.readUInt32LE(at) : Infinity;
    if (length > maxPayloadBytes && length !== Infinity) throw tooLarge(index, length, maxPayloadBytes);
    at += packedBytes(length);
    stored += recordBytes(length);
  }
  if (at !== packed.length) {
    throw new WalRecordError(`packed records do not add up: ${count} records in ${packed.length} bytes`);
  }
  return stored;
}

export function tooLarge(index: number, length: number, limit: number): WalRecordError {
  return new WalRecordError(
    `record ${index} has a payload of ${length} bytes, the log takes at most ${limit}; cut it and say so in the event`,
  );
}
