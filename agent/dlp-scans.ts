/** Looks at folders that somebody asked for, one at a time. Links are not followed, special files are counted. */
import { randomBytes } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { DlpScanJson } from './api/contract-dlp.ts';
import type { DlpService } from './dlp-service.ts';
import { SentinelError } from './errors.ts';

interface Run {
  scan: DlpScanJson;
  abort: AbortController;
}

const MAX_RUNS = 8;
/** Files of one scan that get an event of their own. */
const MAX_TOLD = 2000;
const MAX_COUNTED = 5_000_000;
const PARALLEL = 2;

export class DlpScans {
  readonly #service: DlpService;
  readonly #runs: Run[] = [];

  constructor(service: DlpService) {
    this.#service = service;
  }

  /** @throws SentinelError when there is nothing to look for, a scan runs already, or the path is not there. */
  async start(path: string): Promise<DlpScanJson> {
    if (this.#service.indexes.engine === undefined)
      throw new SentinelError(
        'no_index',
        'there is no index and no rule to look for',
        'build one with sentinel dlp index build and put it into dlp/indexes of the data folder',
      );
    const busy = this.#runs.at(-1);
    if (busy !== undefined && busy.scan.endedMs === undefined)
      throw new SentinelError('busy', `${busy.scan.path} is being looked at`, 'wait for it, or cancel it');
    const root = resolve(path);
    const stat = await lstat(root).catch((error: unknown) => {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
      throw new SentinelError(
        'bad_path',
        `${root} cannot be looked at (${code})`,
        'name a file or folder that is there',
      );
    });
    const scan: DlpScanJson = {
      id: randomBytes(8).toString('hex'),
      path: root,
      startedMs: Date.now(),
      state: 'counting',
      files: 0,
      bytes: 0,
      matched: 0,
      unscannable: 0,
      left: 0,
      capped: false,
    };
    const run = { scan, abort: new AbortController() };
    this.#runs.push(run);
    if (this.#runs.length > MAX_RUNS) this.#runs.shift();
    void this.#run(run, stat.isDirectory())
      .catch((error: unknown) => {
        scan.state = 'failed';
        scan.error = (error as NodeJS.ErrnoException).code ?? 'the scan failed';
      })
      .finally(() => {
        scan.endedMs = Date.now();
        delete scan.current;
      });
    return { ...scan };
  }

  /** One scan, or the latest; undefined when there is none. */
  progress(id?: string): DlpScanJson | undefined {
    const run = id === undefined ? this.#runs.at(-1) : this.#runs.find(({ scan }) => scan.id === id);
    return run && { ...run.scan };
  }

  /** False when it had ended, or there is none. */
  cancel(id: string): boolean {
    const run = this.#runs.find(({ scan }) => scan.id === id);
    if (run === undefined || run.scan.endedMs !== undefined) return false;
    run.abort.abort();
    return true;
  }

  close(): void {
    for (const { abort } of this.#runs) abort.abort();
  }

  async #run({ scan, abort }: Run, isFolder: boolean): Promise<void> {
    const { signal } = abort;
    let files = 0;
    let bytes = 0;
    for await (const path of isFolder ? walk(scan.path, signal) : [scan.path]) {
      if (++files > MAX_COUNTED) break;
      bytes += (await lstat(path).catch(() => undefined))?.size ?? 0;
    }
    if (!signal.aborted && files <= MAX_COUNTED)
      Object.assign(scan, { totalFiles: files, totalBytes: bytes });
    if (!signal.aborted) scan.state = 'running';
    const each = (isFolder ? walk(scan.path, signal, () => (scan.left += 1)) : list(scan.path))[
      Symbol.asyncIterator
    ]();
    await Promise.all(Array.from({ length: PARALLEL }, () => this.#worker(scan, each, signal)));
    if (signal.aborted) scan.left += Math.max(0, (scan.totalFiles ?? scan.files) - scan.files);
    scan.state = signal.aborted ? 'cancelled' : 'done';
  }

  async #worker(scan: DlpScanJson, files: AsyncIterator<string>, signal: AbortSignal): Promise<void> {
    for (;;) {
      const next = await files.next();
      if (next.done === true || signal.aborted) return;
      scan.current = next.value;
      const looked = await this.#service.look(next.value, { signal });
      if (signal.aborted) return;
      scan.files += 1;
      scan.bytes += looked?.size ?? 0;
      const verdict = looked?.verdict.verdict;
      if (looked === undefined || verdict === 'clean') continue;
      if (verdict === 'match') scan.matched += 1;
      else scan.unscannable += 1;
      if (scan.matched + scan.unscannable > MAX_TOLD) scan.capped = true;
      else this.#service.report(looked, this.#service.placeOf(next.value), 'scan');
    }
  }
}

async function* list(path: string): AsyncGenerator<string> {
  yield path;
}

/** Regular files below a folder; what is no regular file, or cannot be read, is told to `onOther`. */
async function* walk(folder: string, signal: AbortSignal, onOther?: () => void): AsyncGenerator<string> {
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined && !signal.aborted; next = folders.pop()) {
    let entries: AsyncIterable<Dirent>;
    try {
      entries = await opendir(next);
    } catch {
      onOther?.();
      continue;
    }
    for await (const entry of entries) {
      if (signal.aborted) return;
      const path = join(next, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile()) yield path;
      else onOther?.();
    }
  }
}
