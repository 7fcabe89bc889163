/** Typed errors that a user may see: what happened, and what to do about it. Never a stack trace. */

export class SentinelError extends Error {
  readonly code: string;
  /** What the person reading it can do. */
  readonly remedy: string;

  constructor(code: string, message: string, remedy = '', options?: ErrorOptions) {
    super(message, options);
    this.name = 'SentinelError';
    this.code = code;
    this.remedy = remedy;
  }
}

/** Wrong words on the command line or in the configuration: exit code 2. */
export class UsageError extends SentinelError {
  constructor(message: string, remedy = '') {
    super('usage', message, remedy);
    this.name = 'UsageError';
  }
}

/** One line for a person, whatever was thrown. */
export function describeError(error: unknown): string {
  if (error instanceof SentinelError)
    return error.remedy ? `${error.message}; ${error.remedy}` : error.message;
  return error instanceof Error ? error.message : String(error);
}

const SYSTEM_REMEDIES: Readonly<Record<string, string>> = {
  EACCES: 'check its permissions, or choose another place with --data',
  EPERM: 'check its permissions, or choose another place with --data',
  EROFS: 'the file system is read-only: choose another place with --data',
  ENOSPC: 'the disk is full: free some space, then start again',
  EDQUOT: 'the disk quota is used up: free some space, then start again',
  ENOTDIR: 'a part of the path is a file: choose another place with --data',
  ENOENT: 'check the path',
  EISDIR: 'name a file, not a folder',
  EMFILE: 'too many open files: raise the limit (ulimit -n)',
};

/** Turns a Node system error about `path` into one a person can act on; other errors pass through. */
export function fromSystemError(error: unknown, doing: string, path: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (error instanceof SentinelError || code === undefined) return error;
  return new SentinelError(
    code.toLowerCase(),
    `cannot ${doing} ${path} (${code})`,
    SYSTEM_REMEDIES[code] ?? '',
    { cause: error },
  );
}

/** Counts every kind of error; the names appear in health. */
export class ErrorCounters {
  readonly #counts = new Map<string, number>();

  count(kind: string, by = 1): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + by);
  }

  snapshot(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
