/**
 * Which indexes are in force: `*.sdlp` of DATA/dlp/indexes and what the settings name. Looked at every few seconds, so
 * that one that is replaced (atomically, as the builder does) takes effect without a restart. Without any, the engine is
 * not even loaded.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describeError, SentinelError } from './errors.ts';
import type { DlpEngine } from './dlp/types.ts';

export interface IndexFile {
  file: string;
  bytes: number;
  changedMs: number;
}

/** What keeps an index or a file of rules from being in force, and what to do about it. */
export interface IndexProblem {
  what: string;
  remedy: string;
}

/** An error as a problem. */
export function indexProblem(error: unknown): IndexProblem {
  return error instanceof SentinelError
    ? { what: error.message, remedy: error.remedy }
    : { what: describeError(error), remedy: '' };
}

/**
 * Opens an engine over what of these index and rule files can be opened, and says what cannot. Without an engine, or when
 * it throws, what was in force stays.
 */
export type EngineOpener = (
  indexes: readonly string[],
  rules: readonly string[],
) => Promise<{ engine?: DlpEngine; problems: readonly IndexProblem[] }>;

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
  #rules: IndexFile[] = [];
  /** Why the newest files are not in force; empty when they are. */
  problems: readonly IndexProblem[] = [];

  constructor(parts: IndexesParts) {
    this.#parts = parts;
  }

  get files(): readonly IndexFile[] {
    return this.#files;
  }

  /** Files with rules that are in force. */
  get rules(): readonly IndexFile[] {
    return this.#rules;
  }

  /** The problems on one line; empty when there are none. */
  get problem(): string {
    return this.problems.map(({ what, remedy }) => (remedy === '' ? what : `${what}; ${remedy}`)).join('; ');
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
    const { files, rules, missing } = this.#list();
    const stamp = [
      ...[...files, ...rules].map(({ file, bytes, changedMs }) => `${file}:${bytes}:${changedMs}`),
      ...missing.map(({ what }) => what),
    ].join('\n');
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    this.#opening = this.#reopen(files, rules, missing).finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  close(): void {
    this.#closed = true;
    this.#engine?.close();
    this.#engine = undefined;
  }

  #list(): { files: IndexFile[]; rules: IndexFile[]; missing: IndexProblem[] } {
    const { folder, more, rules } = this.#parts;
    const missing = [
      ...more.filter((path) => !existsSync(path)).map((path) => notThere('dlp.indexes', path)),
      ...rules.filter((path) => fileAt(path).length === 0).map((path) => notThere('dlp.rules', path)),
    ];
    return {
      files: [folder, ...more].flatMap(indexFiles),
      rules: rules.flatMap((path) => fileAt(path)),
      missing,
    };
  }

  async #reopen(files: IndexFile[], rules: IndexFile[], missing: readonly IndexProblem[]): Promise<void> {
    const { open, onChange, onProblem } = this.#parts;
    const tell = ({ what, remedy }: IndexProblem): void =>
      onProblem(`not in force for protected data: ${remedy === '' ? what : `${what}; ${remedy}`}`);
    let engine: DlpEngine | undefined;
    this.problems = missing;
    missing.forEach(tell);
    if (files.length + rules.length > 0) {
      const opened = await open(
        files.map(({ file }) => file),
        rules.map(({ file }) => file),
      ).catch((error: unknown) => ({ problems: [indexProblem(error)], engine: undefined }));
      this.problems = [...missing, ...opened.problems];
      opened.problems.forEach(tell);
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
    this.#rules = rules;
    if (old !== undefined && this.#users > 0) this.#retired.push(old);
    else old?.close();
    onChange();
  }
}

function notThere(setting: string, path: string): IndexProblem {
  return { what: `${path} of ${setting} is not there`, remedy: `put the file there, or correct ${setting}` };
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
