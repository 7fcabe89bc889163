/**
 * Flags of V8 for a program that stays on somebody's machine: a small heap that is collected often, by one helper
 * thread. Under 10,000 events/s this costs no CPU, and memory stays flat (test/bench, footprint).
 *
 * Most of them are read when the engine starts, so `sentinel run` replaces itself by the same program with the flags
 * on its command line. NODE_OPTIONS would do as well, but every child would inherit them.
 */
import { setFlagsFromString } from 'node:v8';

const V8_FLAGS = [
  '--max-semi-space-size=1',
  '--optimize-for-size',
  '--no-parallel-scavenge',
  // After each burst of work it would collect everything, every few seconds: at 1,000 events/s a sixth of all CPU, and
  // the heap is no smaller for it.
  '--no-memory-reducer',
  '--expose-gc',
];
/** The number of helper threads is an option of Node, not of V8. */
export const RESIDENT_FLAGS: readonly string[] = [...V8_FLAGS, '--v8-pool-size=1'];

interface Runtime {
  execve?: unknown;
  execArgv: readonly string[];
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
}

/**
 * Arguments to start `program` anew with the flags; undefined when they are there already or it cannot be done: no
 * execve (Windows, older Node), a parent that talks to us over a channel, or a debugger attached to this process.
 */
export function residentArguments(program: string, runtime: Runtime = process): string[] | undefined {
  const { execve, execArgv, argv, env } = runtime;
  if (typeof execve !== 'function' || env['NODE_CHANNEL_FD'] !== undefined) return undefined;
  if (execArgv.includes('--v8-pool-size=1') || execArgv.some((flag) => flag.startsWith('--inspect')))
    return undefined;
  return [argv[0] as string, ...RESIDENT_FLAGS, ...execArgv, program, ...argv.slice(2)];
}

/**
 * Replaces this program by itself with the flags: same process id, same streams. Returns only if that is not needed or
 * not possible; what can still be changed then is the heap as it grows, and that of threads started later.
 */
export function becomeResident(program: string): void {
  const again = residentArguments(program);
  try {
    if (again) process.execve?.(process.execPath, again);
  } catch {
    // Not allowed here: the agent runs all the same, a little larger.
  }
  for (const flag of V8_FLAGS) setFlagsFromString(flag);
}

/** Collects what starting left behind; a no-op where the collector cannot be called. */
export function collectGarbage(): void {
  (globalThis as { gc?: () => void }).gc?.();
}
