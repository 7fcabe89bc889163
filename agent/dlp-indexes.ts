/**
 * Which indexes are in force: `*.sdlp` of DATA/dlp/indexes and what the settings name. Looked at every few seconds, so
 * that one that is replaced (atomically, as the builder does) takes effect without a restart. Without any, the engine is
 * not even loaded.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describeError } from './errors.ts';
import type { DlpEngine } from './dlp/types.ts';

export interface IndexFile {
  file: string;
  bytes: number;
  changedMs: number;
}

/**
 * Opens an engine over what of these index and rule files can be opened, and says what cannot. Without an engine, or when
 * it throws, what was in force stays.
 */
export type EngineOpener = (
  indexes: readonly string[],
  rules: readonly string[],
) => Promise<{ engine?: DlpEngine; problems: readonly string[] }>;

export interface IndexesParts {
  folder: string;
  /** More index files or folders. */
  more: readonly string[];
  rules: readonly string[];
  open: EngineOpener;
  /** Other indexes are in force. */
  onChange: () => void;
  onProblem: (problem: string) => void;
}

export class DlpIndexes {
  readonly #parts: IndexesParts;
  #engine: DlpEngine | undefined;
  #files: IndexFile[] = [];
  #stamp = '';
  #opening: Promise<void> | undefined;
  #users = 0;
  #retired: DlpEngine[] = [];
  #closed = false;
  /** Why the newest files are not in force; empty when they are. */
  problem = '';

  constructor(parts: IndexesParts) {
    this.#parts = parts;
  }

  get files(): readonly IndexFile[] {
    return this.#files;
  }

  /** The engine in force; undefined while there is no index and no rule. */
  get engine(): DlpEngine | undefined {
    return this.#engine;
  }

  /** Uses the engine; it is not closed before `work` ends. */
  async using<T>(work: (engine: DlpEngine) => Promise<T>): Promise<T | undefined> {
    const engine = this.#engine;
    if (engine === undefined) return undefined;
    this.#users += 1;
    try {
      return await work(engine);
    } finally {
      this.#users -= 1;
      if (this.#users === 0) for (const old of this.#retired.splice(0)) old.close();
    }
  }

  /** Looks whether the files changed, and opens them anew if so. */
  async refresh(): Promise<void> {
    if (this.#opening !== undefined) return this.#opening;
    const { files, rules } = this.#list();
    const stamp = [...files, ...rules]
      .map(({ file, bytes, changedMs }) => `${file}:${bytes}:${changedMs}`)
      .join('\n');
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    this.#opening = this.#reopen(files, rules).finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  close(): void {
    this.#closed = true;
    this.#engine?.close();
    this.#engine = undefined;
  }

  #list(): { files: IndexFile[]; rules: IndexFile[] } {
    const { folder, more, rules } = this.#parts;
    return { files: [folder, ...more].flatMap(indexFiles), rules: rules.flatMap((path) => fileAt(path)) };
  }

  async #reopen(files: IndexFile[], rules: IndexFile[]): Promise<void> {
    const { open, onChange, onProblem } = this.#parts;
    let engine: DlpEngine | undefined;
    this.problem = '';
    if (files.length + rules.length > 0) {
      const opened = await open(
        files.map(({ file }) => file),
        rules.map(({ file }) => file),
      ).catch((error: unknown) => ({ problems: [describeError(error)], engine: undefined }));
      this.problem = opened.problems.join('; ');
      for (const problem of opened.problems) onProblem(`not in force for protected data: ${problem}`);
      engine = opened.engine;
      if (engine === undefined) return;
    }
    if (this.#closed) {
      engine?.close();
      return;
    }
    const old = this.#engine;
    this.#engine = engine;
    this.#files = files;
    if (old !== undefined && this.#users > 0) this.#retired.push(old);
    else old?.close();
    onChange();
  }
}

function fileAt(file: string): IndexFile[] {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat?.isFile() ? [{ file, bytes: stat.size, changedMs: stat.mtimeMs }] : [];
}

function indexFiles(path: string): IndexFile[] {
  if (path.endsWith('.sdlp')) return fileAt(path);
  try {
    const names = readdirSync(path).filter((name) => name.endsWith('.sdlp') && !name.startsWith('.'));
    return names.sort().flatMap((name) => fileAt(join(path, name)));
  } catch {
    return [];
  }
}
