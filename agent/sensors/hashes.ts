/**
 * Hashes of executables, made off the hot path: one file at a time on the libuv pool, at low I/O priority.
 *
 * A digest belongs to a file identity (device, inode, mtime, ctime, size). The file is opened through /proc/PID/exe
 * while the process lives, which works for deleted and memfd programs and other mount namespaces, else by its path;
 * the identity of what was opened is compared before and after reading, so a digest is of that identity or there is
 * none. The device is not compared: kernel records give the superblock's, which differs from stat's on btrfs and
 * overlayfs, and the other four name a file well enough.
 *
 * Bounds: `maxEntries` results (least recently used leaves), `maxQueue` files waiting (what comes then is counted and
 * not hashed), `maxBytes` per file. A file that does not answer within STUCK_MS (a dead network or FUSE mount) no
 * longer holds up the others; with MAX_STUCK of those, hashing stops until one answers.
 */
import type { FileIdentity, Hashes, ProcessInfo } from '../event.ts';
import { type CoreAddon, type HashFileResult, loadCore } from '../../native-addon/index.ts';

const STUCK_MS = 30_000;
const MAX_STUCK = 2;
/** Starts of one program that are remembered while its file is hashed. */
const MAX_ASKERS = 256;
/** A file that could not be hashed is tried again after this long: another process may still have it open. */
const RETRY_MS = 30_000;

/** Hashes of a file identity; `identityKey` joins them to the processes that ran it. */
export interface HashRecord extends FileIdentity, Hashes {
  path: string;
  /** Log position of the event that asked first. */
  seq: number;
}

export interface HashRefusal {
  seq: number;
  path: string;
  reason: Extract<HashFileResult, { detail: string }>['refused'];
  detail: string;
}

export interface HasherOptions {
  /** Default: the core addon. When it did not load nothing is hashed, see `disabled`. */
  native?: Pick<CoreAddon, 'hashFile'>;
  /** `seqs`: log positions of all events that asked while the file was hashed, the first included; at most MAX_ASKERS. */
  onHash: (record: HashRecord, seqs: readonly number[]) => void;
  onRefused?: (refusal: HashRefusal) => void;
  /** Default 4,096. */
  maxEntries?: number;
  /** Default 256 MiB. */
  maxBytes?: number;
  /** Default 1,024. */
  maxQueue?: number;
}

export interface HasherStats {
  entries: number;
  queued: number;
  hashed: number;
  hits: number;
  refused: number;
  /** Not hashed because too many waited. */
  skipped: number;
  evictions: number;
}

/** One string per file identity. */
export function identityKey(identity: FileIdentity): string {
  return `${identity.dev}:${identity.inode}:${identity.mtimeNs}:${identity.ctimeNs}:${identity.size}`;
}

interface Job {
  key: string;
  identity: FileIdentity;
  pid: number;
  path: string;
  /** Events that asked, the first included. */
  seqs: number[];
}

export class ExecutableHasher {
  /** Why nothing is hashed; undefined when hashing works. */
  readonly disabled: string | undefined;
  readonly #options: HasherOptions;
  readonly #native: Pick<CoreAddon, 'hashFile'> | undefined;
  /** A number: refused until then (performance.now()). Order is that of last use. */
  readonly #known = new Map<string, Hashes | number>();
  readonly #queue: Job[] = [];
  readonly #waiting = new Map<string, Job>();
  #running = 0;
  #stuck = 0;
  #hashed = 0;
  #hits = 0;
  #refused = 0;
  #skipped = 0;
  #evictions = 0;
  #closed = false;

  constructor(options: HasherOptions) {
    this.#options = options;
    this.#native = options.native;
    if (this.#native !== undefined) return;
    const core = loadCore();
    if (core.ok) this.#native = core.addon;
    else this.disabled = core.reason;
  }

  /** Hashes of a file if they are known. */
  get(identity: FileIdentity): Hashes | undefined {
    const key = identityKey(identity);
    const known = this.#known.get(key);
    if (known === undefined || typeof known === 'number') return undefined;
    this.#known.delete(key);
    this.#known.set(key, known);
    return known;
  }

  /** Shows every file whose hashes are known. */
  forEachKnown(visit: (identity: FileIdentity, hashes: Hashes) => void): void {
    for (const [key, hashes] of this.#known) {
      if (typeof hashes === 'number') continue;
      const [dev = '0', inode = '0', mtimeNs = '0', ctimeNs = '0', size = '0'] = key.split(':');
      const times = { mtimeNs: BigInt(mtimeNs), ctimeNs: BigInt(ctimeNs) };
      visit({ dev: Number(dev), inode: BigInt(inode), ...times, size: Number(size) }, hashes);
    }
  }

  /**
   * Hashes of the program of `process`: at once if known, else they are asked for and `onHash` gets them. Undefined
   * also for a process whose record names no file. `seq` is the log position of the event that asks.
   */
  request(process: ProcessInfo, seq: number): Hashes | undefined {
    const identity = process.exeIdentity;
    if (identity === undefined || this.#native === undefined || this.#closed) return undefined;
    const key = identityKey(identity);
    const known = this.#known.get(key);
    if (typeof known === 'number') {
      if (performance.now() < known) return undefined;
      this.#known.delete(key);
    } else if (known !== undefined) {
      this.#hits += 1;
      this.#known.delete(key);
      this.#known.set(key, known);
      return known;
    }
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) {
      if (waiting.seqs.length < MAX_ASKERS) waiting.seqs.push(seq);
      return undefined;
    }
    if (this.#queue.length >= (this.#options.maxQueue ?? 1_024)) {
      this.#skipped += 1;
      return undefined;
    }
    const job = { key, identity, pid: process.pid, path: process.executable ?? '', seqs: [seq] };
    this.#waiting.set(key, job);
    this.#queue.push(job);
    this.#next();
    return undefined;
  }

  stats(): HasherStats {
    return {
      entries: this.#known.size,
      queued: this.#queue.length,
      hashed: this.#hashed,
      hits: this.#hits,
      refused: this.#refused,
      skipped: this.#skipped,
      evictions: this.#evictions,
    };
  }

  /** Asks for nothing more and tells nothing more. */
  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
  }

  #next(): void {
    const native = this.#native;
    if (native === undefined || this.#running - this.#stuck >= 1 || this.#stuck >= MAX_STUCK) return;
    const job = this.#queue.shift();
    if (job === undefined) return;
    this.#running += 1;
    let stuck = false;
    const timer = setTimeout(() => {
      stuck = true;
      this.#stuck += 1;
      this.#next();
    }, STUCK_MS).unref();
    const paths = [`/proc/${job.pid}/exe`];
    if (job.path.startsWith('/')) paths.push(job.path, `/proc/${job.pid}/root${job.path}`);
    const { inode, size, mtimeNs, ctimeNs } = job.identity;
    const expected = { inode: String(inode), size, mtimeNs: String(mtimeNs), ctimeNs: String(ctimeNs) };
    const done = (result: HashFileResult): void => {
      clearTimeout(timer);
      this.#running -= 1;
      if (stuck) this.#stuck -= 1;
      this.#waiting.delete(job.key);
      if (!this.#closed) this.#settle(job, result);
      this.#next();
    };
    native
      .hashFile({ paths, expected, maxBytes: this.#options.maxBytes ?? 256 * 1024 * 1024 })
      .then(done, (error: unknown) => done({ refused: 'io', detail: (error as Error).message }));
  }

  #settle(job: Job, result: HashFileResult): void {
    const { seqs, path, identity } = job;
    const seq = seqs[0] ?? 0;
    if (result.refused !== undefined) {
      this.#refused += 1;
      // The same identity cannot become smaller or regular.
      const final = result.refused === 'too_large' || result.refused === 'not_regular';
      this.#remember(job.key, final ? Infinity : performance.now() + RETRY_MS);
      this.#options.onRefused?.({ seq, path, reason: result.refused, detail: result.detail });
      return;
    }
    const { sha256, blake3 } = result;
    this.#hashed += 1;
    this.#remember(job.key, { sha256, blake3 });
    const { dev, inode, mtimeNs, ctimeNs, size } = identity;
    this.#options.onHash({ seq, path, dev, inode, mtimeNs, ctimeNs, size, sha256, blake3 }, seqs);
  }

  #remember(key: string, hashes: Hashes | number): void {
    if (this.#known.size >= (this.#options.maxEntries ?? 4_096)) {
      const oldest = this.#known.keys().next().value;
      if (oldest !== undefined) this.#known.delete(oldest);
      this.#evictions += 1;
    }
    this.#known.set(key, hashes);
  }
}
