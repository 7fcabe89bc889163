/**
 * Which numbers may occur in a chunk: a Bloom filter of BLOOM_BYTES, three bits a number. At the 1,000 to 2,000 numbers
 * of a usual chunk it is wrong less than one time in a hundred; it never misses a number that is there.
 */

export const BLOOM_BYTES = 4096;
const BITS = BLOOM_BYTES * 8;
/** Snapshots and actions share the filter with the numbers of texts. */
const SNAPSHOT_OFFSET = 0x4000_0000;
const ACTION_OFFSET = 0x2000_0000;

function mix(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export function addText(bloom: Uint8Array, id: number): void {
  const hash = mix(id);
  const step = ((hash >>> 17) | 1) >>> 0;
  for (let probe = 0; probe < 3; probe += 1) {
    const bit = (hash + probe * step) % BITS;
    bloom[bit >> 3] = (bloom[bit >> 3] ?? 0) | (1 << (bit & 7));
  }
}

export function mayHaveText(bloom: Uint8Array, id: number): boolean {
  const hash = mix(id);
  const step = ((hash >>> 17) | 1) >>> 0;
  for (let probe = 0; probe < 3; probe += 1) {
    const bit = (hash + probe * step) % BITS;
    if (((bloom[bit >> 3] ?? 0) & (1 << (bit & 7))) === 0) return false;
  }
  return true;
}

export function addSnapshot(bloom: Uint8Array, id: number): void {
  addText(bloom, id + SNAPSHOT_OFFSET);
}

export function mayHaveSnapshot(bloom: Uint8Array, id: number): boolean {
  return mayHaveText(bloom, id + SNAPSHOT_OFFSET);
}

export function addAction(bloom: Uint8Array, id: number): void {
  addText(bloom, id + ACTION_OFFSET);
}

export function mayHaveAction(bloom: Uint8Array, id: number): boolean {
  return mayHaveText(bloom, id + ACTION_OFFSET);
}
