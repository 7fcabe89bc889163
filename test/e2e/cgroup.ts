/** A cgroup of the test's own, so that an agent under test sees the test's processes and nothing else. */
import { spawnSync } from 'node:child_process';
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

/** A script for /bin/sh, whose process enters the group before anything else. */
export function entering(group: TestCgroup, script: string): string {
  return `echo $$ > ${group.path}/cgroup.procs; ${script}`;
}

/** Runs commands in the group, through a shell that stays their parent; its pid. Throws unless they succeed. */
export function runIn(group: TestCgroup, commands: string): number {
  const script = entering(group, `${commands}; exit $?`);
  const { status, pid, stderr } = spawnSync('/bin/sh', ['-c', script], { encoding: 'utf8', timeout: 60_000 });
  if (status !== 0) throw new Error(`${commands} ended with ${status}: ${stderr}`);
  return pid;
}

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
