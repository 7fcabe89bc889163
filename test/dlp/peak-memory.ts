/** How much memory a process and its children have at most, as the kernel tells it. */
import { readdirSync, readFileSync } from 'node:fs';

interface Peaks {
  /** VmHWM of the process, KiB. */
  own: number;
  /** The largest VmHWM of a child, KiB. */
  child: number;
  /**
   * The largest sum at one moment, KiB: what the process has then and what each child had at most until then. Pages of
   * files count once, with the parent: a child runs the same program.
   */
  together: number;
}

function statusOf(pid: number): { now: number; peak: number; file: number } {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const field = (name: string): number =>
      Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)?.[1] ?? 0);
    return { now: field('VmRSS'), peak: field('VmHWM'), file: field('RssFile') };
  } catch {
    return { now: 0, peak: 0, file: 0 };
  }
}

/** Children that run a program of their own already: before that a child's memory is its parent's. */
function childrenOf(pid: number, program: RegExp): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').split(' '))
      .filter((child) => child !== '' && program.test(readFileSync(`/proc/${child}/cmdline`, 'latin1')))
      .map(Number);
  } catch {
    return [];
  }
}

/** Watches until stopped. Peaks only grow while a process lives, so little is missed between two looks. */
export function watchMemory(pid: number, program: RegExp): { take(): Peaks; stop(): void } {
  let peaks: Peaks = { own: 0, child: 0, together: 0 };
  const look = (): void => {
    const { now, peak: own } = statusOf(pid);
    let together = now;
    for (const child of childrenOf(pid, program)) {
      const { peak, file } = statusOf(child);
      peaks.child = Math.max(peaks.child, peak);
      together += Math.max(0, peak - file);
    }
    peaks.own = Math.max(peaks.own, own);
    peaks.together = Math.max(peaks.together, together);
  };
  const timer = setInterval(look, 5);
  return {
    /** What was seen since the last call. */
    take() {
      look();
      const seen = peaks;
      peaks = { own: 0, child: 0, together: 0 };
      return seen;
    },
    stop: () => clearInterval(timer),
  };
}
