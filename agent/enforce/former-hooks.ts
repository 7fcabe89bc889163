/**
 * The process that holds the kernel's hooks outlives an agent that was killed while a policy fails closed: what it holds
 * goes on enforcing. The next agent of the same data folder ends it once its own hooks enforce.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { CoreAddon } from '../../native-addon/index.ts';

const NAME = 'sentinel-hooks';
/** A clock tick of /proc in ns. */
const TICK_NS = 10_000_000n;

/** Pids of the holders that carry `tag`. */
export function holdersOf(tag: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0)
    .filter((pid) => {
      try {
        const [name, , , last] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return name === NAME && last === tag;
      } catch {
        return false; // It ended.
      }
    });
}

/** Ends the holders that carry `tag`, but for our own. Returns how many. */
export function endFormerHolders(core: Pick<CoreAddon, 'actOnProcess'>, tag: string, own: number): number {
  let ended = 0;
  for (const pid of holdersOf(tag)) {
    if (pid === own) continue;
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop()?.split(' ') ?? [];
      if (core.actOnProcess(pid, BigInt(fields[19] ?? 0) * TICK_NS, 'kill') === '') ended += 1;
    } catch {
      // It ended by itself.
    }
  }
  return ended;
}
