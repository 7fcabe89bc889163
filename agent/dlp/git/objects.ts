/**
 * Reads objects of a git repository from its files: loose ones and packs, with alternates. Runs nothing of git's, so no
 * hook, no configured command and no rule about owners comes into play; follows nothing that is not a plain file.
 * Everything has a bound, since whoever owns the repository chose its bytes.
 */
import { constants } from 'node:fs';
import { open, readFile, readdir, type FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { inflate as inflateCallback } from 'node:zlib';
import { promisify } from 'node:util';

const inflate = promisify(inflateCallback) as (bytes: Buffer, options: object) => Promise<Buffer>;

export type GitType = 'commit' | 'tree' | 'blob' | 'tag';
export interface GitObject {
  type: GitType;
  bytes: Buffer;
}

/** The object is larger than may be read. */
export class TooLarge extends Error {}

const TYPES: readonly (GitType | undefined)[] = [undefined, 'commit', 'tree', 'blob', 'tag'];
const OFFSET_DELTA = 6;
const REFERENCE_DELTA = 7;
const MAX_PACKS = 512;
const MAX_ALTERNATES = 8;
const MAX_CHAIN = 4096;
const MAX_BUCKET_BYTES = 8 << 20;
const CACHE_BYTES = 24 << 20;
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

interface Pack {
  index: FileHandle;
  pack: FileHandle;
  packBytes: number;
  fanout: Uint32Array;
}

async function openPlain(path: string): Promise<FileHandle | undefined> {
  const handle = await open(path, FLAGS).catch(() => undefined);
  if (handle === undefined) return undefined;
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  return undefined;
}

/** Less than `length` bytes, or none, where the file has no more: a damaged index points anywhere. */
async function readAt(handle: FileHandle, at: number, length: number): Promise<Buffer> {
  if (!(length > 0) || !Number.isSafeInteger(at + length)) return Buffer.alloc(0);
  const buffer = Buffer.allocUnsafe(length);
  const { bytesRead } = await handle.read(buffer, 0, length, at);
  return buffer.subarray(0, bytesRead);
}

export class GitObjects {
  readonly #folders: string[];
  readonly #maxBytes: number;
  readonly #hashBytes: number;
  #packs: Pack[] | undefined;
  readonly #cache = new Map<string, GitObject>();
  #cached = 0;

  /** `folder`: the repository's `objects`; `maxBytes`: of one object. */
  constructor(folder: string, hashBytes: number, maxBytes: number) {
    this.#folders = [folder];
    this.#hashBytes = hashBytes;
    this.#maxBytes = maxBytes;
  }

  /** Undefined: it is not here, or damaged. @throws TooLarge */
  async read(id: string): Promise<GitObject | undefined> {
    const known = this.#cache.get(id);
    if (known !== undefined) return known;
    const found = await this.#find(id, 0);
    if (found !== undefined && found.type !== 'blob') this.#keep(id, found);
    return found;
  }

  async close(): Promise<void> {
    for (const { index, pack } of this.#packs ?? []) {
      await index.close().catch(() => {});
      await pack.close().catch(() => {});
    }
    this.#packs = [];
  }

  async #find(id: string, depth: number): Promise<GitObject | undefined> {
    if (depth > MAX_CHAIN) return undefined;
    await this.#openPacks();
    for (const pack of this.#packs ?? []) {
      const at = await this.#offsetIn(pack, id);
      if (at !== undefined) return this.#packed(pack, at, depth);
    }
    for (const folder of this.#folders) {
      const handle = await openPlain(join(folder, id.slice(0, 2), id.slice(2)));
      if (handle === undefined) continue;
      try {
        return await this.#loose(handle);
      } finally {
        await handle.close();
      }
    }
    return undefined;
  }

  async #loose(handle: FileHandle): Promise<GitObject | undefined> {
    const { size } = await handle.stat();
    if (size > this.#maxBytes + 65_536) throw new TooLarge();
    const all = await this.#inflate(await readAt(handle, 0, size), this.#maxBytes + 64);
    const end = all?.indexOf(0) ?? -1;
    if (all === undefined || end < 0 || end > 32) return undefined;
    const [type = ''] = all.toString('latin1', 0, end).split(' ');
    return TYPES.includes(type as GitType)
      ? { type: type as GitType, bytes: all.subarray(end + 1) }
      : undefined;
  }

  async #inflate(bytes: Buffer, maxOutputLength: number): Promise<Buffer | undefined> {
    try {
      return await inflate(bytes, { maxOutputLength: Math.max(1, maxOutputLength) });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw new TooLarge();
      return undefined;
    }
  }

  async #openPacks(): Promise<void> {
    if (this.#packs !== undefined) return;
    this.#packs = [];
    for (let at = 0; at < this.#folders.length; at++) {
      const folder = this.#folders[at] as string;
      const alternates = await openPlain(join(folder, 'info', 'alternates'));
      if (alternates !== undefined) {
        const text = (await readAt(alternates, 0, 65_536)).toString();
        await alternates.close();
        for (const line of text.split('\n'))
          if (line !== '' && !line.startsWith('#') && this.#folders.length <= MAX_ALTERNATES)
            this.#folders.push(resolve(folder, line));
      }
      const names = await readdir(join(folder, 'pack')).catch(() => []);
      for (const name of names)
        if (name.endsWith('.idx') && this.#packs.length < MAX_PACKS)
          await this.#openPack(join(folder, 'pack', name.slice(0, -4)));
    }
  }

  async #openPack(path: string): Promise<void> {
    const index = await openPlain(`${path}.idx`);
    const pack = await openPlain(`${path}.pack`);
    const head = index && (await readAt(index, 0, 8 + 1024));
    if (index && pack && head?.length === 1032 && head.readUInt32BE(0) === 0xff744f63) {
      const fanout = new Uint32Array(257);
      for (let at = 0; at < 256; at++) fanout[at + 1] = head.readUInt32BE(8 + 4 * at);
      this.#packs?.push({ index, pack, packBytes: (await pack.stat()).size, fanout });
      return;
    }
    await index?.close();
    await pack?.close();
  }

  async #offsetIn({ index, fanout }: Pack, id: string): Promise<number | undefined> {
    const first = Number.parseInt(id.slice(0, 2), 16);
    const [from = 0, to = 0, all = 0] = [fanout[first], fanout[first + 1], fanout[256]];
    const width = this.#hashBytes;
    if (to <= from || (to - from) * width > MAX_BUCKET_BYTES) return undefined;
    const names = await readAt(index, 1032 + from * width, (to - from) * width);
    const wanted = Buffer.from(id, 'hex');
    let [low, high] = [0, Math.floor(names.length / width)];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = names.compare(wanted, 0, width, middle * width, (middle + 1) * width);
      if (order === 0) return this.#offsetAt(index, all, from + middle);
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return undefined;
  }

  async #offsetAt(index: FileHandle, all: number, at: number): Promise<number | undefined> {
    const offsets = 1032 + all * (this.#hashBytes + 4);
    const short = await readAt(index, offsets + 4 * at, 4);
    if (short.length < 4) return undefined;
    const offset = short.readUInt32BE(0);
    if (offset < 0x80000000) return offset;
    const long = await readAt(index, offsets + 4 * all + 8 * (offset - 0x80000000), 8);
    return long.length < 8 ? undefined : Number(long.readBigUInt64BE(0));
  }

  async #packed(from: Pack, offset: number, depth: number): Promise<GitObject | undefined> {
    const deltas: Buffer[] = [];
    let base: GitObject | undefined;
    for (let at = offset; base === undefined;) {
      if (deltas.length + depth > MAX_CHAIN) return undefined;
      const head = await readAt(from.pack, at, 96);
      let [used, kind, size, shift] = [1, ((head[0] ?? 0) >> 4) & 7, (head[0] ?? 0) & 15, 4];
      for (let byte = head[0] ?? 0; byte & 0x80; shift += 7) {
        byte = head[used++] ?? 0;
        size += (byte & 0x7f) * 2 ** shift;
      }
      if (size > this.#maxBytes) throw new TooLarge();
      if (kind === OFFSET_DELTA) {
        let byte = head[used++] ?? 0;
        let back = byte & 0x7f;
        while (byte & 0x80 && used < 90) {
          byte = head[used++] ?? 0;
          back = (back + 1) * 128 + (byte & 0x7f);
        }
        deltas.push((await this.#inflateAt(from, at + used, size)) ?? Buffer.alloc(0));
        if (back <= 0 || back > at) return undefined;
        at -= back;
      } else if (kind === REFERENCE_DELTA) {
        const id = head.toString('hex', used, used + this.#hashBytes);
        deltas.push((await this.#inflateAt(from, at + used + this.#hashBytes, size)) ?? Buffer.alloc(0));
        base = await this.#find(id, depth + deltas.length);
        if (base === undefined) return undefined;
      } else {
        const type = TYPES[kind];
        const bytes = type && (await this.#inflateAt(from, at + used, size));
        if (type === undefined || bytes === undefined) return undefined;
        base = { type, bytes };
      }
    }
    for (let delta = deltas.pop(); delta !== undefined; delta = deltas.pop()) {
      const bytes = applyDelta(base.bytes, delta, this.#maxBytes);
      if (bytes === undefined) return undefined;
      base = { type: base.type, bytes };
    }
    return base;
  }

  async #inflateAt({ pack, packBytes }: Pack, at: number, size: number): Promise<Buffer | undefined> {
    // What zlib makes of bytes that do not shrink; what follows the stream is ignored.
    const most = size + 5 * (Math.ceil(size / 16_000) + 1) + 64;
    const bytes = await this.#inflate(await readAt(pack, at, Math.min(most, packBytes - at)), size);
    return bytes?.length === size ? bytes : undefined;
  }

  #keep(id: string, object: GitObject): void {
    const { length } = object.bytes;
    if (length > CACHE_BYTES / 8) return;
    for (const [oldest, { bytes }] of this.#cache) {
      if (this.#cached + length <= CACHE_BYTES) break;
      this.#cache.delete(oldest);
      this.#cached -= bytes.length;
    }
    this.#cache.set(id, object);
    this.#cached += length;
  }
}

/** Undefined when the delta does not fit its base. @throws TooLarge */
export function applyDelta(base: Buffer, delta: Buffer, maxBytes: number): Buffer | undefined {
  let at = 0;
  const varint = (): number => {
    let [value, shift, byte] = [0, 0, 0x80];
    while (byte & 0x80 && at < delta.length && shift < 49) {
      byte = delta[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      shift += 7;
    }
    return value;
  };
  if (varint() !== base.length) return undefined;
  const size = varint();
  if (size > maxBytes) throw new TooLarge();
  const result = Buffer.allocUnsafe(size);
  let end = 0;
  while (at < delta.length) {
    const command = delta[at++] ?? 0;
    if (command & 0x80) {
      let [from, length] = [0, 0];
      for (let bit = 0; bit < 4; bit++) if (command & (1 << bit)) from += (delta[at++] ?? 0) * 2 ** (8 * bit);
      for (let bit = 0; bit < 3; bit++)
        if (command & (0x10 << bit)) length += (delta[at++] ?? 0) * 2 ** (8 * bit);
      if (length === 0) length = 0x10000;
      if (from + length > base.length || end + length > size) return undefined;
      base.copy(result, end, from, from + length);
      end += length;
    } else {
      if (command === 0 || at + command > delta.length || end + command > size) return undefined;
      delta.copy(result, end, at, at + command);
      at += command;
      end += command;
    }
  }
  return end === size ? result : undefined;
}

/** A small file of a repository; undefined when it is none or larger. */
export async function readSmall(path: string, maxBytes: number): Promise<string | undefined> {
  const handle = await openPlain(path);
  if (handle === undefined) return undefined;
  try {
    const { size } = await handle.stat();
    return size > maxBytes ? undefined : await readFile(handle, 'utf8');
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}
