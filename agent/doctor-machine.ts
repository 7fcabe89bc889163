/** What `sentinel doctor` asks the machine itself: kernel, clock, and who can read the data folder. */
import { readdirSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import type { DoctorCheck } from './api/contract.ts';

export type Check = DoctorCheck;

/** The ring buffer came with 5.8, fd-based links and BTF tracepoints as used here with 5.11. */
const MIN_KERNEL = [5, 11] as const;
/** Nothing of this program existed before. */
const RELEASED_MS = Date.UTC(2026, 0, 1);
/** Another clock (a server, a virtual machine's host) may be this far off without harm. */
const CLOCK_SLACK_MS = 5 * 60_000;

/** Judges a kernel release such as 6.1.0-18-amd64. */
export function kernelCheck(text = release()): Check {
  const [major = 0, minor = 0] = text.split('.').map((part) => Number.parseInt(part, 10));
  const isNewEnough = major > MIN_KERNEL[0] || (major === MIN_KERNEL[0] && minor >= MIN_KERNEL[1]);
  if (isNewEnough) return { name: 'kernel', result: 'ok', detail: text };
  return {
    name: 'kernel',
    result: 'warn',
    detail: `${text}: older than ${MIN_KERNEL.join('.')}, the fallback sensor will be used`,
    remedy: 'use a newer kernel; Debian 12 has one',
  };
}

function newestMs(folder: string): number {
  let newest = 0;
  try {
    for (const name of readdirSync(folder)) newest = Math.max(newest, statSync(join(folder, name)).mtimeMs);
  } catch {
    // Not there yet, or not ours to read: nothing to compare with.
  }
  return newest;
}

/** The wall clock against what is known to lie in the past: this program, and what was recorded last. */
export function clockCheck(folders: readonly string[], nowMs = Date.now()): Check {
  const shown = new Date(nowMs).toISOString();
  const remedy = 'set the clock and keep it by NTP: timedatectl set-ntp true';
  if (nowMs < RELEASED_MS)
    return { name: 'clock', result: 'fail', detail: `${shown} lies before this program existed`, remedy };
  const aheadMs = Math.max(0, ...folders.map(newestMs)) - nowMs;
  if (aheadMs > CLOCK_SLACK_MS) {
    const detail = `${shown}: the last record is ${Math.round(aheadMs / 60_000)} minutes ahead of it`;
    return { name: 'clock', result: 'warn', detail, remedy };
  }
  return { name: 'clock', result: 'ok', detail: shown };
}

/** Others must not list the data folder; the group may pass through it (docs/adr/0009). */
export function permissionCheck(dataDir: string): Check | undefined {
  if (process.platform === 'win32') return undefined;
  const stat = statSync(dataDir, { throwIfNoEntry: false });
  if (!stat) return undefined;
  const mode = (stat.mode & 0o7777).toString(8).padStart(4, '0');
  const detail = `${dataDir} is ${mode}, owned by uid ${stat.uid}`;
  if ((stat.mode & 0o022) !== 0) {
    return {
      name: 'permissions',
      result: 'fail',
      detail: `${detail}: others may put files of theirs in it`,
      remedy: `chmod go-w ${dataDir}`,
    };
  }
  if ((stat.mode & 0o005) !== 0) {
    return {
      name: 'permissions',
      result: 'warn',
      detail: `${detail}: others see what lies in it`,
      remedy: `chmod o-rx ${dataDir}`,
    };
  }
  return { name: 'permissions', result: 'ok', detail };
}
