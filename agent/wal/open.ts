/** Opens a lane's log: recovery, then the native writer or the JS one. */
import { loadCore } from '../../native-addon/index.ts';
import { DEFAULT_SEGMENT_BYTES, MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES, PAGE } from './format.ts';
import { WalError } from './errors.ts';
import { JsWalWriter } from './js-writer.ts';
import { NativeWalWriter } from './native-writer.ts';
import { type RecoveryPoint, recover } from './recovery.ts';
import type { WalOptions, WalRecovered, WalWriter } from './types.ts';

const MIB = 1024 * 1024;

/** Options with every default filled in. */
export interface ResolvedOptions extends WalOptions {
  segmentBytes: number;
  maxSegmentAgeMs: number;
  commitWindowMs: number;
  maxPendingBytes: number;
  minFreeBytes: number;
}

/**
 * Recovers the folder and starts a writer on a new segment. Rejects with WalError if the options are wrong, the folder
 * cannot be used or the first segment cannot be created (the message names the step and the system's error).
 */
export async function openWal(options: WalOptions): Promise<{ writer: WalWriter; recovered: WalRecovered }> {
  const resolved = resolve(options);
  const core = options.prefer === 'js' || options.fs !== undefined ? undefined : loadCore();
  if (options.prefer === 'native' && core?.ok !== true) {
    throw new WalError(
      `the native log writer is not there: ${core?.reason ?? 'fs is for the JS writer only'}`,
    );
  }
  let point: RecoveryPoint;
  try {
    point = recover(resolved);
  } catch (error) {
    throw asWalError(options.dir, error);
  }
  for (const gap of point.recovered.gaps) options.onGap?.(gap);
  try {
    const writer =
      core?.ok === true
        ? await NativeWalWriter.open(core.addon, resolved, point)
        : await JsWalWriter.open(resolved, point);
    return { writer, recovered: point.recovered };
  } catch (error) {
    throw asWalError(options.dir, error);
  }
}

function resolve(options: WalOptions): ResolvedOptions {
  const security = options.lane === 'security';
  const resolved: ResolvedOptions = {
    ...options,
    segmentBytes: options.segmentBytes ?? DEFAULT_SEGMENT_BYTES,
    maxSegmentAgeMs: options.maxSegmentAgeMs ?? 3_600_000,
    commitWindowMs: options.commitWindowMs ?? (security ? 5 : 1000),
    maxPendingBytes: options.maxPendingBytes ?? (security ? 16 : 8) * MIB,
    minFreeBytes: options.minFreeBytes ?? (security ? 16 : 256) * MIB,
  };
  const { segmentBytes, deviceId } = resolved;
  if (segmentBytes < MIN_SEGMENT_BYTES || segmentBytes > MAX_SEGMENT_BYTES || segmentBytes % PAGE !== 0) {
    throw new WalError(
      `segmentBytes is ${segmentBytes}: use a multiple of ${PAGE} from ${MIN_SEGMENT_BYTES} to ${MAX_SEGMENT_BYTES}`,
    );
  }
  if (Buffer.byteLength(deviceId) > 64) throw new WalError('deviceId is longer than 64 bytes: shorten it');
  return resolved;
}

function asWalError(dir: string, error: unknown): WalError {
  if (error instanceof WalError) return error;
  const { message } = error as Error;
  return new WalError(
    `cannot open the write-ahead log in ${dir}: ${message}; check that the folder is writable and has space`,
    { cause: error },
  );
}
