/** What a sensor in user space leaves out: the scope of agent/sensors/types.ts applied to events. */
import type { SentinelEvent } from '../event.ts';
import type { SensorScope } from './types.ts';

const MAX_MEMBERS = 65_536;

export type ScopeFilter =
  | { kind: 'host' }
  | { kind: 'cgroup'; path: string; members: Set<number> }
  | { kind: 'pid'; root: number; members: Set<number> };

export function scopeFilter(scope: SensorScope): ScopeFilter {
  if (scope.kind === 'host') return { kind: 'host' };
  if (scope.kind === 'cgroup') {
    const path = `/${scope.path.replace(/^\/sys\/fs\/cgroup(?:\/unified)?/, '').replace(/^\/+|\/+$/g, '')}`;
    return { kind: 'cgroup', path, members: new Set() };
  }
  return { kind: 'pid', root: scope.pid, members: new Set([scope.pid]) };
}

/**
 * Whether `event` is of a process in scope. Must see forks and exits in order: a child of a member is a member until
 * it ends. Events without a process are in scope of the whole host only.
 */
export function inScope(filter: ScopeFilter, event: SentinelEvent): boolean {
  if (filter.kind === 'host') return true;
  const info = event.process;
  if (info === undefined || info.pid === 0) return false;
  const { members } = filter;
  const begins = event.action === 'fork' || event.action === 'snapshot' || event.action === 'exec';
  if (begins && !members.has(info.pid) && members.size < MAX_MEMBERS && belongs(filter, event))
    members.add(info.pid);
  if (!members.has(info.pid)) return false;
  if (event.action === 'exit' && !(filter.kind === 'pid' && info.pid === filter.root))
    members.delete(info.pid);
  return true;
}

function belongs(filter: Exclude<ScopeFilter, { kind: 'host' }>, event: SentinelEvent): boolean {
  const ppid = event.process?.ppid;
  if (filter.kind === 'pid') return ppid !== undefined && filter.members.has(ppid);
  const path = event.details?.['cgroup'];
  if (path === undefined) return filter.path === '/' || (ppid !== undefined && filter.members.has(ppid));
  return path === filter.path || path.startsWith(filter.path === '/' ? '/' : `${filter.path}/`);
}
