/**
 * Standard input as a file. Containers are read from several places, which a pipe does not allow, so what comes is kept
 * in a file that has no name any more when the first byte arrives and is gone with the process.
 */
import { closeSync, fstatSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromSystemError } from '../errors.ts';

/**
 * A descriptor with all of standard input, to be closed by the caller; standard input itself if it is a file. Once
 * cancelled it holds what had come.
 * @throws SentinelError when it cannot be kept.
 */
export async function openStandardInput(signal?: AbortSignal): Promise<number> {
  if (fstatSync(0).isFile()) return 0;
  const directory = mkdtempSync(join(tmpdir(), 'sentinel-stdin-'));
  let fd: number | undefined;
  const stop = (): void => void process.stdin.destroy();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    fd = openSync(join(directory, 'stdin'), 'wx+', 0o600);
    rmSync(directory, { recursive: true });
    for await (const piece of process.stdin as AsyncIterable<Buffer>) {
      for (let at = 0; at < piece.length;) at += writeSync(fd, piece, at);
      piece.fill(0);
    }
    return fd;
  } catch (error) {
    if (fd !== undefined && signal?.aborted === true) return fd;
    if (fd !== undefined) closeSync(fd);
    rmSync(directory, { recursive: true, force: true });
    throw fromSystemError(error, 'keep standard input in', tmpdir());
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
