/** Runs wal-floor.c: what one durable 4 KiB write takes on this disk and kernel, without any log around it. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Latency {
  /** Microseconds. */
  p50: number;
  p99: number;
}

export interface Floor {
  /** F: syncs one after the other. */
  sync(count: number): Promise<Latency>;
  /** CPU of one core, per cent, of `perSecond` syncs a second. */
  cpu(perSecond: number, forMs: number): Promise<number>;
  /** Arrival to durable with one thread that syncs whatever has arrived. */
  load(perSecond: number, forMs: number): Promise<Latency>;
}

export function percentiles(samples: number[]): Latency {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

/** Median of each figure; undefined without any. */
export function medianOf(all: readonly (Latency | undefined)[]): Latency | undefined {
  const there = all.filter((one) => one !== undefined);
  if (there.length === 0) return undefined;
  return {
    p50: percentiles(there.map(({ p50 }) => p50)).p50,
    p99: percentiles(there.map(({ p99 }) => p99)).p50,
  };
}

/** Compiles the program into `dir`, which also holds the file it writes; undefined without a compiler. */
export async function buildFloor(dir: string): Promise<Floor | undefined> {
  const binary = join(dir, 'floor');
  try {
    await run('gcc', ['-O2', '-pthread', '-o', binary, join(import.meta.dirname, 'wal-floor.c')]);
  } catch {
    return undefined;
  }
  const figures = async (mode: string, ...args: number[]): Promise<number[]> => {
    const words = args.map((arg) => String(Math.round(arg)));
    const { stdout } = await run(binary, [mode, join(dir, 'floor.dat'), ...words], { timeout: 60_000 });
    return stdout.trim().split(' ').map(Number);
  };
  const latency = async (mode: string, ...args: number[]): Promise<Latency> => {
    const [p50 = 0, p99 = 0] = await figures(mode, ...args);
    return { p50, p99 };
  };
  return {
    sync: (count) => latency('sync', count),
    load: (perSecond, forMs) => latency('load', perSecond, forMs),
    // Half of the time it only sleeps, for comparison.
    cpu: async (perSecond, forMs) => (await figures('cpu', perSecond, 2 * forMs))[0] ?? 0,
  };
}
