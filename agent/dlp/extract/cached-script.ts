/**
 * Runs bundled scripts from what V8 compiled of them when they were built (`build/reader-cache.ts`), including the
 * functions that reading a document needs. A `.cache` file beside a script: u32 CRC of the script, then V8's data. One
 * that belongs to another script, another V8 or other flags is passed over: the script is compiled, which is slower and
 * nothing else. Whoever may write the cache may write the script as well; they lie in one folder.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

/** In front of V8's data. */
export const CACHE_HEADER_BYTES = 4;

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
    return bytes.readUInt32LE(0) === crc ? bytes.subarray(CACHE_HEADER_BYTES) : undefined;
  } catch {
    return undefined;
  }
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
