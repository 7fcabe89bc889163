/** `--scope`: which processes are watched. A scope that does not exist is refused: watching nothing helps nobody. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SentinelError } from './errors.ts';
import type { SensorScope } from './sensors/types.ts';

/** Where cgroup v2 may be mounted, after the path itself. */
const CGROUP_ROOTS = ['', '/sys/fs/cgroup/unified', '/sys/fs/cgroup'];

/**
 * `host`, `cgroup:PATH` (a directory, or a path below the cgroup v2 mount) or `pid:N`.
 * @throws SentinelError when there is no such cgroup or process.
 */
export function parseScope(text: string): SensorScope {
  if (text.startsWith('cgroup:')) {
    const path = text.slice('cgroup:'.length);
    const found = CGROUP_ROOTS.map((root) => join(root, path)).find((directory) =>
      existsSync(join(directory, 'cgroup.procs')),
    );
    if (found !== undefined) return { kind: 'cgroup', path: found };
    throw new SentinelError(
      'scope',
      `there is no cgroup ${path}, so --scope ${text} would watch nothing`,
      'name a cgroup v2 directory; systemd-cgls lists them',
    );
  }
  if (text.startsWith('pid:')) {
    const pid = Number(text.slice('pid:'.length));
    if (process.platform !== 'linux' || existsSync(`/proc/${pid}`)) return { kind: 'pid', pid };
    throw new SentinelError(
      'scope',
      `there is no process ${pid}, so --scope ${text} would watch nothing`,
      'name one that runs, or leave --scope out',
    );
  }
  return { kind: 'host' };
}
