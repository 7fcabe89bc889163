/**
 * The process that holds the kernel's hooks outlives an agent that was killed while a policy fails closed: what it holds
 * goes on enforcing. The next agent of the same data folder ends it once its own hooks enforce.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { CoreAddon } from '../../native-addon/index.ts';
import { startOf } from './running.ts';

const NAME = 'sentinel-hooks';

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
    const startNs = startOf(pid);
    if (startNs !== undefined && core.actOnProcess(pid, startNs, 'kill') === '') ended += 1;
  }
  return ended;
}
