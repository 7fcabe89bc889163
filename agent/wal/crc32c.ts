/** CRC-32C (Castagnoli, reflected 0x82f63b78), native when the addon is loaded, else slicing-by-8. */
import { loadCore } from '../../native-addon/index.ts';

const TABLES: readonly Int32Array[] = buildTables();

function buildTables(): Int32Array[] {
  const tables = Array.from({ length: 8 }, () => new Int32Array(256));
  const first = tables[0] as Int32Array;
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    first[byte] = crc;
  }
  for (let n = 1; n < 8; n++) {
    const previous = tables[n - 1] as Int32Array;
    const table = tables[n] as Int32Array;
    for (let byte = 0; byte < 256; byte++) {
      const crc = previous[byte] as number;
      table[byte] = (crc >>> 8) ^ (first[crc & 0xff] as number);
    }
  }
  return tables;
}

const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

/** Same as `crc32c`, always in JavaScript. */
export function crc32cJs(seed: number, bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = ~seed;
  let at = start;
  const wide = end - 7;
  while (at < wide) {
    const low =
      crc ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24));
    crc =
      (T7[low & 0xff] as number) ^
      (T6[(low >>> 8) & 0xff] as number) ^
      (T5[(low >>> 16) & 0xff] as number) ^
      (T4[low >>> 24] as number) ^
      (T3[bytes[at + 4] as number] as number) ^
      (T2[bytes[at + 5] as number] as number) ^
      (T1[bytes[at + 6] as number] as number) ^
      (T0[bytes[at + 7] as number] as number);
    at += 8;
  }
  while (at < end) crc = (crc >>> 8) ^ (T0[(crc ^ (bytes[at++] as number)) & 0xff] as number);
  return ~crc >>> 0;
}

const core = loadCore();
const native = core.ok ? core.addon.crc32c : undefined;

/**
 * CRC-32C of bytes[start, end), continuing from `seed` (0 for a plain checksum, the segment's salt for its commits).
 * Returns an unsigned 32-bit number.
 */
export function crc32c(seed: number, bytes: Uint8Array, start = 0, end = bytes.length): number {
  // The call into the addon costs about as much as 200 bytes in JavaScript.
  if (native === undefined || end - start < 256) return crc32cJs(seed, bytes, start, end);
  return native(seed, bytes, start, end);
}
