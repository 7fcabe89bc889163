/** A cgroup of the test's own, so that an agent under test sees the test's processes and nothing else. */
import { mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface TestCgroup {
  readonly path: string;
  /** cgroup v2 id: the inode of the folder. */
  readonly id: string;
  remove(): Promise<void>;
}

let made = 0;

/** Undefined where cgroup v2 is not mounted or we may not make groups in it. */
export function makeCgroup(): TestCgroup | undefined {
  const mount = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .find((fields) => fields[2] === 'cgroup2')?.[1];
  if (mount === undefined) return undefined;
  const path = join(mount, `sentinel-test-${process.pid}-${++made}`);
  try {
    mkdirSync(path);
  } catch {
    return undefined;
  }
  return {
    path,
    id: String(statSync(path, { bigint: true }).ino),
    async remove() {
      // Its last processes may still be going.
      for (let attempt = 0; attempt < 50; attempt++) {
        try {
          rmdirSync(path);
          return;
        } catch {
          await sleep(100);
        }
      }
      console.warn(`could not remove ${path}: processes are left in it`);
    },
  };
}
