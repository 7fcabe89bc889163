/**
 * The indicator files of an agent: loads them into a set, and into a new one when a file changes. The old set answers
 * until the new one is complete; files are read in pieces of 64 KiB, so that loading never holds up decisions.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Detection, Hashes, SentinelEvent, Severity } from '../../event.ts';
import { IndicatorSet } from './indicator-set.ts';
import { readIndicatorFile } from './read.ts';

const EXTENSIONS = /\.(?:csv|txt|ioc|json|stix)$/i;
const MAX_PROBLEMS = 100;

export interface IndicatorOptions {
  /** Files and folders. */
  paths: readonly string[];
  /** Level of a hit whose list names none. */
  level?: Severity;
  /** What does not fit is left out and counted. */
  maxIndicators?: number;
}

export interface IndicatorReport {
  loaded: number;
  duplicates: number;
  /** Left out because the limit was reached. */
  overLimit: number;
  bytes: number;
  files: { file: string; loaded: number; problems: number }[];
  /** The first 100, each with file and line. */
  problems: { file: string; line: number; reason: string }[];
}

export class IndicatorStore {
  #set = new IndicatorSet();
  #stamp = '';
  /** When the first of the indicators in use counts no more. */
  #nextExpiryMs = Infinity;
  #loading: Promise<IndicatorReport> | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #options: Required<IndicatorOptions>;
  report: IndicatorReport = { loaded: 0, duplicates: 0, overLimit: 0, bytes: 0, files: [], problems: [] };

  constructor(options: IndicatorOptions) {
    this.#options = { level: 'high', maxIndicators: 2_000_000, ...options };
  }

  get size(): number {
    return this.#set.size;
  }

  /** The set in use; it is never changed, only replaced. */
  get current(): IndicatorSet {
    return this.#set;
  }

  match(event: SentinelEvent): Detection[] | undefined {
    return this.#set.match(event);
  }

  matchHashes(hashes: Hashes): Detection[] | undefined {
    return this.#set.matchHashes(hashes);
  }

  /** Reads all files anew. Never throws: what cannot be read is in the report. */
  reload(): Promise<IndicatorReport> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  /** Reloads when a file appears, changes or goes, looking every `intervalMs`. */
  watch(intervalMs: number, onReload?: (report: IndicatorReport) => void): void {
    this.stop();
    this.#timer = setInterval(() => void this.#poll(onReload), intervalMs);
    this.#timer.unref();
  }

  /** Ends `watch`. */
  stop(): void {
    clearInterval(this.#timer);
  }

  async #poll(onReload: ((report: IndicatorReport) => void) | undefined): Promise<void> {
    if (this.#loading) return;
    const { stamp } = await this.#files();
    if (stamp === this.#stamp && Date.now() < this.#nextExpiryMs) return;
    const report = await this.reload();
    onReload?.(report);
  }

  async #files(): Promise<{ files: string[]; bytes: number; stamp: string; missing: string[] }> {
    const files: string[] = [];
    const missing: string[] = [];
    const stamps: string[] = [];
    let bytes = 0;
    const visit = async (path: string, given: boolean): Promise<void> => {
      try {
        const info = await stat(path);
        if (info.isDirectory()) {
          for (const name of (await readdir(path)).sort()) await visit(join(path, name), false);
        } else if (info.isFile() && (given || EXTENSIONS.test(path))) {
          files.push(path);
          bytes += info.size;
          stamps.push(`${path}:${info.size}:${info.mtimeMs}:${info.ino}`);
        }
      } catch {
        if (given) missing.push(path);
      }
    };
    for (const path of this.#options.paths) await visit(path, true);
    return { files, bytes, stamp: [...stamps, ...missing].join('\n'), missing };
  }

  async #load(): Promise<IndicatorReport> {
    const { files, bytes, stamp, missing } = await this.#files();
    this.#nextExpiryMs = Infinity;
    const report: IndicatorReport = {
      loaded: 0,
      duplicates: 0,
      overLimit: 0,
      bytes: 0,
      files: [],
      problems: [],
    };
    // A line has about 40 bytes; a guess too low only costs a few copies.
    const set = new IndicatorSet(
      Math.min(this.#options.maxIndicators, Math.ceil(bytes / 40)),
      this.#options.level,
    );
    for (const file of missing) {
      report.problems.push({ file, line: 0, reason: 'cannot be read; check the path and its permissions' });
    }
    for (const file of files) await this.#loadFile(file, set, report);
    report.bytes = set.bytes;
    this.#set = set;
    this.#stamp = stamp;
    this.report = report;
    return report;
  }

  async #loadFile(file: string, set: IndicatorSet, report: IndicatorReport): Promise<void> {
    const entry = { file, loaded: 0, problems: 0 };
    report.files.push(entry);
    const problem = (line: number, reason: string): void => {
      entry.problems += 1;
      if (report.problems.length < MAX_PROBLEMS) report.problems.push({ file, line, reason });
    };
    const id = set.file(file);
    if (id === undefined) {
      problem(0, 'is one file too many; join some lists');
      return;
    }
    try {
      for await (const results of readIndicatorFile(file)) {
        for (const result of results) {
          if ('problem' in result) problem(result.line, result.problem);
          else if (set.size >= this.#options.maxIndicators) report.overLimit += 1;
          else if (set.add(result.indicator, id, result.line, result.level)) {
            report.loaded += 1;
            entry.loaded += 1;
            this.#nextExpiryMs = Math.min(this.#nextExpiryMs, result.expiresMs ?? Infinity);
          } else report.duplicates += 1;
        }
      }
    } catch (error) {
      problem(0, `cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
    }
  }
}
