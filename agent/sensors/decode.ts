/**
 * Sensor records to events. Layout, units and limits: native-addon/src/linux/events.h.
 *
 * Never throws on any bytes: a record that is out of bounds, of an unknown version or of an unknown type is
 * `undefined`, and the caller counts it. What a record does not know is absent from the event. `eventId` is 0 until
 * the caller sets it. `process.name` is the file name of the executable on exec and snapshot records and the
 * kernel's comm on others, which know no more; the process tree completes them.
 */
import type { SentinelEvent } from '../event.ts';
import { BODIES } from './decode-bodies.ts';
import { Flag, Header, RECORD_MAX, SN_VERSION, STR_SIZE } from './layout.ts';
import { OPCODES } from './opcodes.ts';
import { beginRecord, cuts } from './record-reader.ts';

/** Length in bytes of the record at `offset`; 0 when there is none that fits. */
export function recordLength(bytes: Buffer, offset: number): number {
  if (offset < 0 || offset + Header.size > bytes.length) return 0;
  const length = bytes.readUInt32LE(offset + Header.len);
  if (length < Header.size || length > RECORD_MAX || length % 8 !== 0) return 0;
  return offset + length > bytes.length ? 0 : length;
}

/** Lane that the record at `offset` belongs to; the offset must be valid. */
export function recordLane(bytes: Buffer, offset: number): 'security' | 'observability' {
  return (bytes.readUInt16LE(offset + Header.flags) & Flag.OBSERVABILITY) === 0
    ? 'security'
    : 'observability';
}

/** CLOCK_BOOTTIME ns at which the record at `offset` was made; the offset must be valid. */
export function recordBootNs(bytes: Buffer, offset: number): bigint {
  return bytes.readBigUInt64LE(offset + Header.ts);
}

/** CPU that the record at `offset` was made on, 0xffff when user space made it; the offset must be valid. */
export function recordCpu(bytes: Buffer, offset: number): number {
  const low = bytes.readUInt32LE(offset + Header.seq);
  const high = bytes.readUInt32LE(offset + Header.seq + 4);
  return low === 0 && high === 0 ? 0xffff : high >>> 16;
}

/** Whether `decodeRecord` would make an event of the record of this length at `offset`, without making it. */
export function isDecodable(bytes: Buffer, offset: number, length: number): boolean {
  if (bytes[offset + Header.ver] !== SN_VERSION) return false;
  const opcode = OPCODES[bytes[offset + Header.type] as number];
  if (opcode === undefined) return false;
  const { size, strings } = BODIES[opcode.body];
  if (length < size) return false;
  let end = size;
  for (let at = strings; at < size; at += STR_SIZE) end += bytes.readUInt16LE(offset + at);
  return end <= length;
}

/** Walks a batch; `onEvent` gets each event with its offset and length. Returns how many decoded and how many not. */
export function decodeBatch(
  bytes: Buffer,
  wallOffsetNs: bigint,
  onEvent: (event: SentinelEvent, offset: number, length: number) => void,
): { decoded: number; rejected: number } {
  let decoded = 0;
  let rejected = 0;
  let offset = 0;
  while (offset < bytes.length) {
    const length = recordLength(bytes, offset);
    if (length === 0) {
      rejected += 1;
      break;
    }
    const event = decodeRecord(bytes, offset, wallOffsetNs);
    if (event === undefined) rejected += 1;
    else {
      decoded += 1;
      onEvent(event, offset, length);
    }
    offset += length;
  }
  return { decoded, rejected };
}

/**
 * Decodes the record at `offset`. `wallOffsetNs` is what turns its CLOCK_BOOTTIME stamp into ns since the epoch.
 * Undefined for anything that is not a whole record of a known version and type.
 */
export function decodeRecord(bytes: Buffer, offset: number, wallOffsetNs: bigint): SentinelEvent | undefined {
  const length = recordLength(bytes, offset);
  if (length === 0 || bytes[offset + Header.ver] !== SN_VERSION) return undefined;
  const opcode = OPCODES[bytes[offset + Header.type] as number];
  if (opcode === undefined) return undefined;
  const body = BODIES[opcode.body];
  if (length < body.size) return undefined;
  const flags = bytes.readUInt16LE(offset + Header.flags);
  const seq = bytes.readBigUInt64LE(offset + Header.seq);
  const event: SentinelEvent = {
    eventId: 0,
    type: opcode.type,
    action: opcode.action,
    lane: (flags & Flag.OBSERVABILITY) === 0 ? 'security' : 'observability',
    tsNs: bytes.readBigUInt64LE(offset + Header.ts) + wallOffsetNs,
    sensorSeq: seq === 0n ? undefined : seq,
    process: undefined,
    file: undefined,
    network: undefined,
    dns: undefined,
    target: undefined,
    details: undefined,
    severity: 'info',
    truncated: undefined,
  };
  beginRecord(offset + length);
  if (!body.decode(bytes, offset, event, flags, opcode)) return undefined;
  event.truncated = cuts();
  return event;
}
