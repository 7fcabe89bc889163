/** Facts about the machine that stay the same while the agent runs. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname, release, type as osType } from 'node:os';

export interface HostInfo {
  hostname: string;
  kernel: string;
  os: string;
  /** Changes at every boot: /proc/sys/kernel/random/boot_id, else one of this run. */
  bootId: string;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

export function hostInfo(): HostInfo {
  const pretty = /^PRETTY_NAME="?([^"\n]+)/m.exec(read('/etc/os-release') ?? '')?.[1];
  return {
    hostname: hostname(),
    kernel: release(),
    os: pretty ?? osType(),
    bootId: read('/proc/sys/kernel/random/boot_id') ?? randomUUID(),
  };
}

const START_WALL_NS = BigInt(Math.round(performance.timeOrigin * 1e6));

/** Wall clock in ns since the epoch with microsecond steps; follows clock steps within a second (see `resync`). */
let wallBaseNs = START_WALL_NS;

export function wallNowNs(): bigint {
  return wallBaseNs + BigInt(Math.round(performance.now() * 1e6));
}

/** Adopts the system clock again; returns by how many ns it had moved against the monotonic clock. */
export function resyncWallClock(): bigint {
  const stepNs = BigInt(Date.now()) * 1_000_000n - wallNowNs();
  if (stepNs > 2_000_000n || stepNs < -2_000_000n) {
    wallBaseNs += stepNs;
    return stepNs;
  }
  return 0n;
}
