/**
 * Files that a policy took away, kept until somebody restores or removes them.
 *
 * DATA/quarantine (0700) has a folder for each file: `file` (the file itself, moved where that is possible, else copied
 * and verified by SHA-256 before the original goes) and `meta.json`: what it was, where, why, signed by the device's key.
 * A move keeps owner, mode, times and extended attributes; a copy is given them, and the file's own media may not hold
 * them, so the metadata has owner, mode and times as well.
 *
 * Restoring never overwrites: the name is taken by link(2) or O_EXCL, or it is refused.
 */
import { createHash, randomBytes, type Hash } from 'node:crypto';
import { closeSync, constants, fsyncSync, lstatSync, openSync, readFileSync } from 'node:fs';
import {
  lstat,
  mkdir,
  open,
  readdir,
  link,
  rename,
  rm,
  unlink,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SentinelError } from '../errors.ts';

export interface QuarantineMeta {
  id: string;
  /** Where it was. */
  path: string;
  size: number;
  sha256: string;
  /** Permission bits; owner; times in ns. */
  mode: number;
  uid: number;
  gid: number;
  mtimeNs: string;
  atimeNs: string;
  takenNs: string;
  /** The policy and the event that led to it. */
  policy: string;
  eventId: string;
  /** Rules whose data it holds, and where it was going. */
  rules: string[];
  destination: string;
  /** moved or copied; attributes that its medium or ours could not hold. */
  by: 'move' | 'copy';
  lost: string;
}

export interface QuarantineEntry extends QuarantineMeta {
  /** False: somebody changed the metadata. */
  signed: boolean;
}

export interface QuarantineParts {
  dataDir: string;
  copyAttributes: ((fromFd: number, toFd: number) => string) | undefined;
  sign: (bytes: Uint8Array) => string;
  verify: (bytes: Uint8Array, signature: string) => boolean;
  nowNs: () => bigint;
}

export interface TakeRequest {
  path: string;
  /** It has to be this file still. */
  inode: string | undefined;
  policy: string;
  eventId: string;
  rules: readonly string[];
  destination: string;
}

const ID = /^[0-9a-f]{16}$/;
const CHUNK = 1024 * 1024;

function refused(what: string, remedy: string, cause?: unknown): SentinelError {
  return new SentinelError('quarantine', what, remedy, cause === undefined ? undefined : { cause });
}

function syncFolder(path: string): void {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Copies what `from` holds to `to` (absent: only reads it) and returns its SHA-256. */
async function copyHashed(from: FileHandle, to: FileHandle | undefined): Promise<string> {
  const hash: Hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(CHUNK);
  for (let at = 0; ;) {
    const { bytesRead } = await from.read(buffer, 0, CHUNK, at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    if (to !== undefined) await to.write(buffer, 0, bytesRead, at);
    at += bytesRead;
  }
  buffer.fill(0);
  return hash.digest('hex');
}

export class Quarantine {
  readonly folder: string;
  readonly #parts: QuarantineParts;

  constructor(parts: QuarantineParts) {
    this.#parts = parts;
    this.folder = join(parts.dataDir, 'quarantine');
  }

  /**
   * Takes a file away.
   * @throws SentinelError when it is not that file any more, or cannot be moved; it is then where it was.
   */
  async take(request: TakeRequest): Promise<QuarantineEntry> {
    const { path, inode } = request;
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const source = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
      (error: unknown) => {
        throw refused(`${path} could not be opened (${codeOf(error)})`, 'it may be gone already', error);
      },
    );
    const id = randomBytes(8).toString('hex');
    const home = join(this.folder, id);
    try {
      const stat = await source.stat({ bigint: true });
      if (!stat.isFile() || (inode !== undefined && stat.ino.toString() !== inode))
        throw refused(`${path} is another file by now`, 'nothing was moved');
      await mkdir(home, { mode: 0o700 });
      const kept = join(home, 'file');
      const meta: QuarantineMeta = {
        id,
        path,
        size: Number(stat.size),
        sha256: '',
        mode: Number(stat.mode & 0o7777n),
        uid: Number(stat.uid),
        gid: Number(stat.gid),
        mtimeNs: stat.mtimeNs.toString(),
        atimeNs: stat.atimeNs.toString(),
        takenNs: this.#parts.nowNs().toString(),
        policy: request.policy,
        eventId: request.eventId,
        rules: [...request.rules],
        destination: request.destination,
        by: 'copy',
        lost: '',
      };
      if (!(await this.#moved(source, stat, meta, kept))) await this.#copied(source, stat, meta, kept);
      return { ...meta, signed: true };
    } catch (error) {
      // Nothing of ours is left when the file stayed where it was.
      if (!(await exists(join(home, 'file')))) await rm(home, { recursive: true, force: true });
      if (error instanceof SentinelError) throw error;
      throw refused(
        `${path} could not be moved away (${codeOf(error)})`,
        'look at the disk of the data folder',
        error,
      );
    } finally {
      await source.close();
    }
  }

  /** What is kept, newest first. Folders without readable metadata are told as such by their id. */
  async list(): Promise<QuarantineEntry[]> {
    const names = await readdir(this.folder).catch(() => []);
    const found = names.filter((name) => ID.test(name)).flatMap((id) => this.#read(id) ?? []);
    return found.sort((a, b) => (BigInt(a.takenNs) < BigInt(b.takenNs) ? 1 : -1));
  }

  /** @throws SentinelError when there is no such entry. */
  get(id: string): QuarantineEntry {
    const entry = ID.test(id) ? this.#read(id) : undefined;
    if (entry === undefined)
      throw refused(`there is nothing ${id} in the quarantine`, 'see sentinel dlp quarantine list');
    return entry;
  }

  /**
   * Puts a file back where it was, or at `to`.
   * @throws SentinelError when something is there, or the file is not what was taken; it then stays in the quarantine.
   */
  async restore(id: string, to?: string): Promise<QuarantineEntry & { restoredTo: string; notKept: string }> {
    const entry = this.get(id);
    if (!entry.signed)
      throw refused(`the metadata of ${id} does not verify`, `look at ${join(this.folder, id)} by hand`);
    const target = to ?? entry.path;
    const kept = join(this.folder, id, 'file');
    const source = await open(kept, constants.O_RDONLY | constants.O_NOFOLLOW);
    let notKept = '';
    try {
      if ((await copyHashed(source, undefined)) !== entry.sha256)
        throw refused(`the kept file ${id} is not what was taken`, `look at ${kept} by hand`);
      try {
        await link(kept, target);
      } catch (error) {
        const code = codeOf(error);
        if (code === 'EEXIST')
          throw refused(`there is something at ${target}`, 'name another place with --to');
        if (code === 'ENOENT')
          throw refused(
            `there is no folder ${dirname(target)}`,
            'mount or make it, or name another place with --to',
          );
        notKept = await this.#copyTo(source, entry, target);
      }
    } finally {
      await source.close();
    }
    await rm(join(this.folder, id), { recursive: true });
    return { ...entry, restoredTo: target, notKept };
  }

  /** Removes a file for good. @throws SentinelError when there is no such entry. */
  async remove(id: string): Promise<QuarantineEntry> {
    const entry = this.get(id);
    await rm(join(this.folder, id), { recursive: true });
    return entry;
  }

  /** Moves it, when it lies on our disk; false when it does not. On failure it is put back. */
  async #moved(
    source: FileHandle,
    stat: { ino: bigint },
    meta: QuarantineMeta,
    kept: string,
  ): Promise<boolean> {
    const { path } = meta;
    try {
      await rename(path, kept);
    } catch (error) {
      if (codeOf(error) === 'EXDEV') return false;
      throw error;
    }
    try {
      if (lstatSync(kept, { bigint: true }).ino !== stat.ino)
        throw refused(`${path} was replaced while it was moved`, 'nothing was moved');
      meta.by = 'move';
      meta.sha256 = await copyHashed(source, undefined);
      await this.#writeMeta(dirname(kept), meta);
      return true;
    } catch (error) {
      // Unless somebody has taken its name; then it stays where it is, and the error says so.
      await link(kept, path).then(
        () => unlink(kept),
        () => {},
      );
      throw error;
    }
  }

  /** Copies it, verifies the copy, writes down what it is, and only then removes it from where it was. */
  async #copied(
    source: FileHandle,
    stat: { ino: bigint; dev: bigint },
    meta: QuarantineMeta,
    kept: string,
  ): Promise<void> {
    const { path } = meta;
    const copy = await open(kept, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    let done = false;
    try {
      meta.sha256 = await copyHashed(source, copy);
      meta.lost = this.#parts.copyAttributes?.(source.fd, copy.fd) ?? 'extended attributes';
      await copy.sync();
      if ((await copyHashed(copy, undefined)) !== meta.sha256)
        throw refused(`the copy of ${path} differs`, 'nothing was moved');
      await this.#writeMeta(dirname(kept), meta);
      const now = await lstat(path, { bigint: true });
      if (now.ino !== stat.ino || now.dev !== stat.dev)
        throw refused(`${path} was replaced while it was copied`, 'nothing was moved');
      await unlink(path);
      done = true;
    } finally {
      await copy.close();
      if (!done) await unlink(kept).catch(() => {});
    }
  }

  async #copyTo(source: FileHandle, entry: QuarantineMeta, target: string): Promise<string> {
    let copy: FileHandle;
    try {
      copy = await open(target, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'EEXIST') throw refused(`there is something at ${target}`, 'name another place with --to');
      throw refused(`${target} cannot be made (${code})`, 'name another place with --to', error);
    }
    let done = false;
    try {
      const sha256 = await copyHashed(source, copy);
      const lost = this.#parts.copyAttributes?.(source.fd, copy.fd) ?? 'extended attributes';
      await copy.sync();
      if (sha256 !== entry.sha256 || (await copyHashed(copy, undefined)) !== sha256)
        throw refused(`the copy at ${target} differs`, 'it was removed; the file is still in the quarantine');
      done = true;
      return lost;
    } finally {
      await copy.close();
      if (!done) await unlink(target).catch(() => {});
    }
  }

  async #writeMeta(home: string, meta: QuarantineMeta): Promise<void> {
    const text = JSON.stringify(meta);
    const signature = this.#parts.sign(Buffer.from(text, 'utf8'));
    const path = join(home, 'meta.json');
    await writeFile(`${path}.tmp`, `${text}\n${signature}\n`, { mode: 0o600, flush: true });
    await rename(`${path}.tmp`, path);
    syncFolder(home);
  }

  #read(id: string): QuarantineEntry | undefined {
    try {
      const [text = '', signature = ''] = readFileSync(join(this.folder, id, 'meta.json'), 'utf8').split(
        '\n',
      );
      const meta = JSON.parse(text) as QuarantineMeta;
      if (meta.id !== id || typeof meta.path !== 'string') return undefined;
      return { ...meta, signed: this.#parts.verify(Buffer.from(text, 'utf8'), signature) };
    } catch {
      return undefined;
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
}
