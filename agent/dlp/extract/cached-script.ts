/**
 * Runs bundled scripts from what V8 compiled of them when they were built (`build/reader-cache.ts`), including the
 * functions that reading a document needs. A `.cache` file beside a script: u32 CRC of the script, u32 CRC of the rest,
 * V8's data. One that is damaged or belongs to another script, another V8 or other flags is passed over: the script is
 * compiled, which is slower and nothing else. Whoever may write the cache may write the script as well; they lie in one
 * folder.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

const HEADER_BYTES = 8;

export interface LoadedScript {
  script: Script;
  crc: number;
  exports: unknown;
}

/** By path: whatever two scripts share is loaded once. */
export const loadedScripts = new Map<string, LoadedScript>();

function cacheOf(path: string, crc: number): Buffer | undefined {
  try {
    const bytes = readFileSync(`${path}.cache`);
    const data = bytes.subarray(HEADER_BYTES);
    // V8 compares no more than the length of the script, and takes its own data on trust.
    return bytes.readUInt32LE(0) === crc && bytes.readUInt32LE(4) === crc32(data) ? data : undefined;
  } catch {
    return undefined;
  }
}

/** A cache file of a script that has run. */
export function cacheFor({ script, crc }: LoadedScript): Buffer {
  const data = script.createCachedData();
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(crc, 0);
  header.writeUInt32LE(crc32(data), 4);
  return Buffer.concat([header, data]);
}

/** What the script `name` of `directory` exports (CommonJS). */
export function loadScript(directory: string, name: string): unknown {
  const path = join(directory, name);
  const known = loadedScripts.get(path);
  if (known) return known.exports;
  const source = readFileSync(path);
  const crc = crc32(source);
  const cachedData = cacheOf(path, crc);
  const script = new Script(
    `(function (exports, require, module, __filename, __dirname) {${source.toString('utf8')}\n})`,
    { filename: path, ...(cachedData && { cachedData }) },
  );
  const module = { exports: {} as unknown };
  const requireOther = createRequire(path);
  const require = (id: string): unknown =>
    id.startsWith('./') ? loadScript(directory, id.slice(2)) : requireOther(id);
  const run = script.runInThisContext() as (...args: unknown[]) => void;
  run(module.exports, require, module, path, directory);
  loadedScripts.set(path, { script, crc, exports: module.exports });
  return module.exports;
}
