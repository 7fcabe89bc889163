/**
 * The agent's own log: one JSON object a line (pino), rotated by size. Never secrets, never matched DLP text; values
 * that come from watched programs do not belong here.
 */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { pino } from 'pino';

export interface Log {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** Appends to `path`; when it would pass `maxBytes`, moves it to path.1 (and .1 to .2 …), keeping `maxFiles`. */
export class RotatingFile {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #maxFiles: number;
  #fd: number;
  #size: number;
  /** Lines that could not be written; logging never throws. */
  lost = 0;

  constructor(path: string, maxBytes: number, maxFiles: number) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#maxFiles = maxFiles;
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
    this.#fd = openSync(path, 'a', 0o640);
    this.#size = fstatSync(this.#fd).size;
  }

  write(line: string): void {
    try {
      const bytes = Buffer.from(line, 'utf8');
      if (this.#size > 0 && this.#size + bytes.length > this.#maxBytes) this.#rotate();
      writeSync(this.#fd, bytes);
      this.#size += bytes.length;
    } catch {
      this.lost += 1;
    }
  }

  #rotate(): void {
    rmSync(`${this.#path}.${this.#maxFiles}`, { force: true });
    for (let index = this.#maxFiles - 1; index >= 0; index--) {
      const from = index === 0 ? this.#path : `${this.#path}.${index}`;
      try {
        renameSync(from, `${this.#path}.${index + 1}`);
      } catch {
        // A rotated file that is not there needs no move.
      }
    }
    // Opened before the old one is closed: if this fails, the next line must not go to a descriptor that by then may be
    // somebody else's.
    const next = openSync(this.#path, 'a', 0o640);
    closeSync(this.#fd);
    this.#fd = next;
    this.#size = fstatSync(next).size;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

export function createLog(stream: { write(line: string): void }, level: string): Log {
  return pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
}
