/**
 * Evidence bundles for whoever asks through the Local API: `sentinel audit export --query` beside the agent, into a file
 * of the data folder that is then read in pieces. One at a time; the file goes once it was read, or with the next one.
 */
import { closeSync, openSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EvidenceState } from './api/contract.ts';
import { ApiFailure } from './api/services.ts';
import type { CommandRunner, RunningCommand } from './run-command.ts';

/** A piece as text fits in an answer. */
const PIECE_BYTES = 2 * 1024 * 1024;
/** What a browser is still handed; a longer span of the record is a matter for the command line. */
const MAX_BYTES = 1024 * 1024 * 1024;
const WATCH_MS = 500;

export interface Evidence {
  start(query: string): EvidenceState;
  state(): EvidenceState;
  /** A piece of the finished bundle. */
  read(offset: number): { base64: string; next?: number };
  /** Ends a running export, forgets a finished one. */
  cancel(): EvidenceState;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

interface Written {
  selection?: { records: number };
}

/** `maxBytes` is for tests. */
export function createEvidence(run: CommandRunner, dataDir: string, maxBytes: number = MAX_BYTES): Evidence {
  const path = join(dataDir, 'evidence-export.sab');
  const partial = `${path}.partial`;
  // Not on the command line: the command would be a record that its own query finds.
  const asked = join(dataDir, 'evidence-export.query');
  let running: RunningCommand | undefined;
  let state: EvidenceState = { running: false, bytes: 0 };
  const clear = (): void => {
    for (const file of [path, partial, asked]) rmSync(file, { force: true });
  };
  clear();

  const now = (): EvidenceState => (running ? { ...state, bytes: sizeOf(partial) } : state);
  const cancel = (): EvidenceState => {
    running?.cancel();
    running = undefined;
    clear();
    state = { running: false, bytes: 0 };
    return state;
  };
  const start = (query: string): EvidenceState => {
    if (running)
      throw new ApiFailure('unavailable', 'a bundle is being written already: wait for it, or cancel it');
    clear();
    writeFileSync(asked, query, { mode: 0o600 });
    const command = run([
      'audit',
      'export',
      '--data',
      dataDir,
      '--query-file',
      asked,
      '--out',
      path,
      '--json',
    ]);
    running = command;
    state = { running: true, query, bytes: 0 };
    let tooLarge = false;
    const watch = setInterval(() => {
      if (sizeOf(partial) <= maxBytes) return;
      tooLarge = true;
      command.cancel();
    }, WATCH_MS);
    void command.done.then(({ code, stdout, stderr }) => {
      clearInterval(watch);
      if (running !== command) return;
      running = undefined;
      const failed = (why: string): void => {
        clear();
        state = { running: false, query, bytes: 0, failed: why };
      };
      const large = `what lies between its records is more than ${maxBytes} bytes: narrow the query, or use sentinel audit export --query`;
      if (tooLarge || sizeOf(path) > maxBytes) failed(large);
      else if (code !== 0) failed(stderr.trim().slice(0, 500) || 'the export ended without saying why');
      else {
        const written = JSON.parse(stdout) as Written;
        state = {
          running: false,
          query,
          bytes: sizeOf(path),
          ready: true,
          records: written.selection?.records ?? 0,
        };
      }
    });
    return now();
  };
  const read = (offset: number): { base64: string; next?: number } => {
    if (!state.ready) throw new ApiFailure('not_found', 'there is no finished bundle: export it first');
    const fd = openSync(path, 'r');
    try {
      const piece = Buffer.alloc(PIECE_BYTES);
      const length = readSync(fd, piece, 0, PIECE_BYTES, offset);
      const next = offset + length;
      const base64 = piece.subarray(0, length).toString('base64');
      return next < state.bytes && length > 0 ? { base64, next } : { base64 };
    } finally {
      closeSync(fd);
    }
  };
  return { start, state: now, read, cancel };
}
