/**
 * Builds an index from a table. The new file grows under another name in the same folder and takes the old one's place
 * only when it is whole, signed and on the disk: whatever ends the build, the index in force stays in force. A build
 * that was killed leaves a file beside it, which the next one removes.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { NativeBuildReport } from '../../native-addon/dlp.ts';
import { loadDlp } from '../../native-addon/index.ts';
import { fromSystemError, SentinelError } from '../errors.ts';
import { printable } from '../printable.ts';
import { startBuilding, type Building } from './building.ts';
import { signHeader } from './index-header.ts';
import type { IndexSchema } from './schema.ts';

export interface BuildIndexOptions {
  schema: IndexSchema;
  csvPath: string;
  outPath: string;
  key: Buffer;
  signer: { keyId: string; sign(bytes: Uint8Array): string };
  /** A bad value ends the build. */
  strict: boolean;
  signal?: AbortSignal;
  onProgress?: (progress: BuildProgress) => void;
}

export interface BuildProgress {
  rows: number;
  bytesRead: number;
  totalBytes: number;
  /** 0 to 1. */
  done: number;
}

export type BuildReport = Omit<NativeBuildReport, 'error' | 'remedy'> & { bytes: number };

const PROGRESS_MS = 200;
const PARTITIONS = 128;
/** Reading takes most of the time, sorting the rest. */
const READING_SHARE = 0.75;
const DATE_ORDERS = { auto: 0, 'day-first': 1, 'month-first': 2 } as const;

/** A named file that must be there and regular. */
function openTable(path: string): number {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw fromSystemError(error, 'read the table', path);
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new SentinelError(
    'not_a_file',
    `${path} is not a regular file`,
    'the table is read twice, so write it to a file first',
  );
}

/**
 * Builds `outPath`.
 * @throws SentinelError that names line and column, or what the system refused. The old index is then unchanged.
 */
export async function buildIndex(options: BuildIndexOptions): Promise<BuildReport> {
  const native = loadDlp();
  if (!native.ok)
    throw new SentinelError(
      'no_scanner',
      `the DLP scanner is not available: ${native.reason}`,
      'run npm run build',
    );
  const { schema, csvPath, signer } = options;
  const outPath = resolve(options.outPath);
  const csvFd = openTable(csvPath);
  let building: Building | undefined;
  try {
    building = startBuilding(outPath);
    const outFd = building.fd;
    const { fields, secondary, withinTokens, sameRow, name } = schema;
    const build = native.addon.buildIndex({
      csvFd,
      outFd,
      tempDir: dirname(outPath),
      strict: options.strict,
      delimiter: schema.delimiter,
      createdMs: Date.now(),
      key: options.key,
      salt: randomBytes(32),
      schema: { name, fields, secondary, withinTokens, sameRow, dates: DATE_ORDERS[schema.dates] },
    });
    const onAbort = (): void => build.cancel();
    options.signal?.addEventListener('abort', onAbort, { once: true });
    if (options.signal?.aborted) onAbort();
    const timer = setInterval(() => {
      const { rows, bytesRead, totalBytes, partitions } = build.progress();
      const read = totalBytes > 0 ? bytesRead / totalBytes : 1;
      const done = READING_SHARE * read + (1 - READING_SHARE) * (partitions / PARTITIONS);
      options.onProgress?.({ rows, bytesRead, totalBytes, done });
    }, PROGRESS_MS);
    const { error, remedy, ...report } = await build.done.finally(() => {
      clearInterval(timer);
      options.signal?.removeEventListener('abort', onAbort);
    });
    if (error) throw new BuildRefused(`${csvPath}: ${printable(error)}`, printable(remedy), report);
    const header = Buffer.alloc(256);
    readSync(outFd, header, 0, header.length, 0);
    const signed = signHeader(header, signer);
    native.addon.sealIndexHeader(signed, options.key);
    writeSync(outFd, signed, 0, signed.length, 0);
    const bytes = fstatSync(outFd).size;
    building.put();
    return { ...report, bytes };
  } catch (error) {
    building?.discard();
    throw fromSystemError(error, 'write the index', outPath);
  } finally {
    closeSync(csvFd);
    if (building) closeSync(building.fd);
  }
}

/** No index was made; what was read until then is told all the same. */
export class BuildRefused extends SentinelError {
  readonly report: Omit<NativeBuildReport, 'error' | 'remedy'>;

  constructor(message: string, remedy: string, report: Omit<NativeBuildReport, 'error' | 'remedy'>) {
    super('build_refused', message, remedy);
    this.report = report;
  }
}
