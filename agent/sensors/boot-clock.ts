/**
 * CLOCK_BOOTTIME for sensors in user space. Node offers only CLOCK_MONOTONIC, which stands still during suspend; the
 * difference is taken from /proc/uptime, whose 10 ms resolution makes anything under 50 ms count as no suspend.
 */
import { readFileSync } from 'node:fs';

const MS = 1_000_000n;

function suspendedNs(): bigint {
  try {
    const seconds = readFileSync('/proc/uptime', 'latin1').split(' ', 1)[0] ?? '';
    const [whole = '0', part = '0'] = seconds.split('.');
    const uptimeNs = BigInt(whole) * 1000n * MS + BigInt(part.padEnd(2, '0').slice(0, 2)) * 10n * MS;
    const difference = uptimeNs - process.hrtime.bigint();
    return difference > 50n * MS ? difference : 0n;
  } catch {
    return 0n;
  }
}

let suspended = suspendedNs();

/** Takes a suspend that happened meanwhile into account; cheap enough for once a second. */
export function refreshBootClock(): void {
  const now = suspendedNs();
  // Re-reading the same suspend time jitters by one tick: only a real change counts, so that time never goes back.
  if (now > suspended + 50n * MS) suspended = now;
}

/** Nanoseconds since boot, suspend included. */
export function bootNowNs(): bigint {
  return process.hrtime.bigint() + suspended;
}

/** What to add to a boot time to get ns since the epoch, to the millisecond. */
export function wallOffsetNs(): bigint {
  return BigInt(Date.now()) * MS - bootNowNs();
}

/** Nanoseconds since the epoch, to the millisecond. */
export function wallNowNs(): bigint {
  return BigInt(Date.now()) * MS;
}
