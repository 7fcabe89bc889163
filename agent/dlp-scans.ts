/**
 * Looks at folders that somebody asked for, one after the other. Links are not followed, special files are counted. What
 * was asked for is kept in a file, so that a scan which ended with the agent is told as cut, not forgotten.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { lstat, realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { DlpScanJson, DlpScanOptions } from './api/contract-dlp.ts';
import { filesBelow, type LeftOut } from './dlp/files-below.ts';
import type { DlpService } from './dlp-service.ts';
import { SentinelError } from './errors.ts';

interface Run {
  scan: DlpScanJson;
  abort: AbortController;
}

const MAX_RUNS = 20;
const MAX_WAITING = 8;
/** Files of one scan that get an event of their own. */
const MAX_TOLD = 2000;
const MAX_COUNTED = 5_000_000;
const PARALLEL = 2;

const OTHER_PATH = 'name a file or folder that is there';
const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: 'the agent may not open it: run the agent as root, or scan another folder',
  ENOTDIR: 'a part of the path is a file',
  ELOOP: 'its links lead in a circle',
};

export class DlpScans {
  readonly #service: DlpService;
  readonly #file: string | undefined;
  readonly #runs: Run[] = [];
  #running = false;
  #closed = false;

  /** `file` keeps what was asked for. */
  constructor(service: DlpService, file?: string) {
    this.#service = service;
    this.#file = file;
    for (const scan of file === undefined ? [] : readScans(file)) {
      if (scan.endedMs === undefined) cut(scan);
      this.#runs.push({ scan, abort: new AbortController() });
    }
  }

  /** @throws SentinelError when there is nothing to look for, too many wait, or the path is not there. */
  async start(path: string, options: Partial<DlpScanOptions> = {}): Promise<DlpScanJson> {
    if (this.#service.indexes.engine === undefined)
      throw new SentinelError(
        'no_index',
        'there is no index and no rule to look for',
        'build one with sentinel dlp index build and put it into dlp/indexes of the data folder',
      );
    // A link that somebody names is followed, those below are not.
    const root = await realpath(resolve(path)).catch((error: unknown) => {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
      throw new SentinelError(
        'bad_path',
        `${path} cannot be looked at (${code})`,
        REMEDIES[code] ?? OTHER_PATH,
      );
    });
    const open = this.#runs.filter(({ scan }) => scan.endedMs === undefined);
    if (open.some(({ scan }) => scan.path === root))
      throw new SentinelError('busy', `${root} is being looked at`, 'wait for it, or cancel it');
    if (open.length > MAX_WAITING)
      throw new SentinelError('busy', `${open.length - 1} scans wait already`, 'cancel one, or wait');
    const scan: DlpScanJson = {
      id: randomBytes(8).toString('hex'),
      path: root,
      options: { containers: true, oneFileSystem: true, ...options },
      startedMs: Date.now(),
      state: 'waiting',
      files: 0,
      bytes: 0,
      matched: 0,
      unscannable: 0,
      left: 0,
      refused: 0,
      capped: false,
    };
    this.#runs.push({ scan, abort: new AbortController() });
    if (this.#runs.length > MAX_RUNS) this.#runs.shift();
    this.#keep();
    this.#next();
    return copyOf(scan);
  }

  /** One scan, or the latest; undefined when there is none. */
  progress(id?: string): DlpScanJson | undefined {
    const run = id === undefined ? this.#runs.at(-1) : this.#runs.find(({ scan }) => scan.id === id);
    return run && copyOf(run.scan);
  }

  /** Newest first. */
  list(): DlpScanJson[] {
    return this.#runs.map(({ scan }) => copyOf(scan)).reverse();
  }

  /** False when it had ended, or there is none. */
  cancel(id: string): boolean {
    const run = this.#runs.find(({ scan }) => scan.id === id);
    if (run === undefined || run.scan.endedMs !== undefined) return false;
    run.abort.abort();
    if (run.scan.state === 'waiting') {
      Object.assign(run.scan, { state: 'cancelled', endedMs: Date.now() });
      this.#keep();
    }
    return true;
  }

  /** What has not ended is told as cut. */
  close(): void {
    this.#closed = true;
    const open = this.#runs.filter(({ scan }) => scan.endedMs === undefined);
    for (const { abort, scan } of open) {
      abort.abort();
      cut(scan);
    }
    if (open.length > 0) this.#keep();
  }

  #next(): void {
    const run =
      this.#running || this.#closed ? undefined : this.#runs.find(({ scan }) => scan.state === 'waiting');
    if (run === undefined) return;
    const { scan } = run;
    this.#running = true;
    Object.assign(scan, { state: 'counting', startedMs: Date.now() });
    void this.#run(run)
      .catch((error: unknown) => {
        scan.state = 'failed';
        scan.error = (error as NodeJS.ErrnoException).code ?? 'the scan failed';
      })
      .finally(() => {
        this.#running = false;
        if (this.#closed) return;
        scan.endedMs = Date.now();
        delete scan.current;
        this.#keep();
        this.#next();
      });
  }

  async #run({ scan, abort }: Run): Promise<void> {
    const { signal } = abort;
    const { oneFileSystem } = scan.options;
    let files = 0;
    let bytes = 0;
    for await (const path of filesBelow(scan.path, { oneFileSystem, signal })) {
      if (++files > MAX_COUNTED) break;
      bytes += (await lstat(path).catch(() => undefined))?.size ?? 0;
    }
    if (!signal.aborted && files <= MAX_COUNTED)
      Object.assign(scan, { totalFiles: files, totalBytes: bytes });
    if (!signal.aborted) scan.state = 'running';
    const onLeft = (why: LeftOut): void => {
      scan.left += 1;
      if (why === 'refused') scan.refused += 1;
    };
    const each = filesBelow(scan.path, { oneFileSystem, signal, onLeft });
    await Promise.all(Array.from({ length: PARALLEL }, () => this.#worker(scan, each, signal)));
    if (signal.aborted) scan.left += Math.max(0, (scan.totalFiles ?? scan.files) - scan.files);
    if (!this.#closed) scan.state = signal.aborted ? 'cancelled' : 'done';
  }

  async #worker(scan: DlpScanJson, files: AsyncGenerator<string>, signal: AbortSignal): Promise<void> {
    for (;;) {
      const next = await files.next();
      if (next.done === true || signal.aborted) return;
      scan.current = next.value;
      const looked = await this.#service.look(next.value, { signal, extract: scan.options.containers });
      if (signal.aborted) return;
      // Gone since it was listed, or nothing is looked for any more: not looked at, so not clean.
      if (looked === undefined) {
        scan.left += 1;
        continue;
      }
      scan.files += 1;
      scan.bytes += looked.size ?? 0;
      const { verdict } = looked.verdict;
      if (verdict === 'clean') continue;
      if (verdict === 'match') scan.matched += 1;
      else scan.unscannable += 1;
      if (scan.matched + scan.unscannable > MAX_TOLD) scan.capped = true;
      else this.#service.report(looked, this.#service.placeOf(next.value), 'scan');
    }
  }

  /** What cannot be kept costs the history, not the scan. */
  #keep(): void {
    if (this.#file === undefined) return;
    try {
      const text = JSON.stringify(this.#runs.map(({ scan }) => scan));
      writeFileSync(`${this.#file}.tmp`, text, { mode: 0o600 });
      renameSync(`${this.#file}.tmp`, this.#file);
    } catch {
      return;
    }
  }
}

function cut(scan: DlpScanJson): void {
  Object.assign(scan, { state: 'cut', endedMs: Date.now() });
  delete scan.current;
}

function copyOf(scan: DlpScanJson): DlpScanJson {
  return { ...scan, options: { ...scan.options } };
}

function readScans(file: string): DlpScanJson[] {
  try {
    const scans = JSON.parse(readFileSync(file, 'utf8')) as DlpScanJson[];
    return scans.filter(({ id, path, state }) => [id, path, state].every((text) => typeof text === 'string'));
  } catch {
    return [];
  }
}
