/** BLAKE3: the addon's official C when it is loaded (2 to 5 GB/s), else @noble/hashes (about 30 MB/s). */
import { blake3 as noble } from '@noble/hashes/blake3.js';
import { loadCore } from '../../native-addon/index.ts';

const core = loadCore();
const native = core.ok ? core.addon.blake3 : undefined;

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
}

/** 32-byte BLAKE3 of the parts, one after the other; `key` (32 bytes) selects the keyed mode. */
export function blake3(parts: Uint8Array | readonly Uint8Array[], key?: Uint8Array): Buffer {
  const list = parts instanceof Uint8Array ? [parts] : parts;
  if (native !== undefined) return native(concatenated(list), key);
  return blake3Js(list, key);
}

/** Same as `blake3`, always in JavaScript. */
export function blake3Js(parts: readonly Uint8Array[], key?: Uint8Array): Buffer {
  const hash = noble.create(key === undefined ? {} : { key });
  for (const part of parts) hash.update(part);
  return Buffer.from(hash.digest());
}
