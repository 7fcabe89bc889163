/**
 * Container ids from cgroups. A kernel record carries the id (inode) of the process's cgroup v2; its path names the
 * container in a way each engine has of its own.
 *
 * A cgroup not met before is read from /proc/PID/cgroup (one small read, checked against the inode); when that
 * process is gone already, the hierarchy is walked in the background, at most every `walkEveryMs`. Answers, also
 * "none", are cached up to `maxEntries`; the oldest leaves first and is counted.
 *
 * On a host with cgroup v1 only, or in v1's part of a hybrid one, records carry no usable id: only processes of the
 * start-up snapshot get a container id there.
 */
import { readFileSync, statSync } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const HEX_ID = /^[0-9a-f]{64}$/;
/** ENGINE-ID.scope of systemd's cgroup driver; conmon is podman's monitor, which runs outside. */
const SCOPE = /^(?:docker|libpod|crio|cri-containerd|nerdctl)-([0-9a-f]{64})(?:\.scope)?$/;
/** lxc and systemd-nspawn name containers instead of numbering them. */
const NAMED = /^(?:lxc\.payload\.(.+)|machine-(.+)\.scope|systemd-nspawn@(.+)\.service)$/;
const ECS = /^[0-9a-f]{32}-\d+$/;
/** Parents whose child is a container id whatever it looks like. */
const PARENTS = new Set(['lxc', 'lxc.payload', 'buildkit', 'garden']);

let lastPath = '';
let lastId: string | undefined;

/** Container id (or name, where the engine has only that) of a cgroup path; the innermost when nested. */
export function containerIdOfCgroup(path: string): string | undefined {
  // Neighbouring records are mostly of one cgroup.
  if (path !== lastPath) {
    lastId = parseCgroup(path);
    lastPath = path;
  }
  return lastId;
}

function parseCgroup(path: string): string | undefined {
  const parts = path.split('/');
  for (let index = parts.length - 1; index > 0; index--) {
    const part = parts[index] as string;
    const parent = parts[index - 1] as string;
    if (HEX_ID.test(part)) return part;
    const scope = SCOPE.exec(part)?.[1];
    if (scope !== undefined) return scope;
    const colon = part.lastIndexOf(':');
    // containerd's systemd driver without a scope unit: SLICE:ENGINE:ID.
    if (colon > 0 && /:(?:cri-containerd|docker|libpod|nerdctl):/.test(part)) return part.slice(colon + 1);
    const named = NAMED.exec(part);
    if (named !== null) return named[1] ?? named[2] ?? named[3];
    if (parts[1] === 'ecs' && ECS.test(part)) return part;
    if (PARENTS.has(parent) && part !== '') return part;
  }
  return undefined;
}

/** Paths of /proc/PID/cgroup: the v2 one, and all (for v1 hosts, where any hierarchy may name the container). */
export function parseProcCgroup(text: string): { v2: string | undefined; all: string[] } {
  const all: string[] = [];
  let v2: string | undefined;
  for (const line of text.split('\n')) {
    const match = /^(\d+):([^:]*):(\/.*)$/.exec(line);
    if (match === null) continue;
    const path = match[3] as string;
    if (match[1] === '0' && match[2] === '') v2 = path;
    all.push(path);
  }
  return { v2, all };
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Where the v2 hierarchy is mounted: at the root, or under `unified` on hybrid hosts. */
export function findCgroup2(root = '/sys/fs/cgroup'): string | undefined {
  return [root, join(root, 'unified')].find(
    (path) => exists(join(path, 'cgroup.procs')) && exists(join(path, 'cgroup.controllers')),
  );
}

export interface ContainerTableOptions {
  cgroupRoot?: string;
  procRoot?: string;
  maxEntries?: number;
  walkEveryMs?: number;
  /** Directories visited by one walk at most. */
  maxWalk?: number;
}

export class ContainerTable {
  /** Cgroup id to container id; null = known to be none, or not found. */
  readonly #known = new Map<string, string | null>();
  readonly #mount: string | undefined;
  readonly #procRoot: string;
  readonly #maxEntries: number;
  readonly #walkEveryMs: number;
  readonly #maxWalk: number;
  #nextWalkMs = 0;
  #evictions = 0;
  #walks = 0;
  /** Settles when the walk under way, if any, is done. */
  walking: Promise<void> = Promise.resolve();

  constructor(options: ContainerTableOptions = {}) {
    this.#mount = findCgroup2(options.cgroupRoot);
    this.#procRoot = options.procRoot ?? '/proc';
    this.#maxEntries = options.maxEntries ?? 4096;
    this.#walkEveryMs = options.walkEveryMs ?? 10_000;
    this.#maxWalk = options.maxWalk ?? 20_000;
  }

  idOf(cgroupId: string, pid: number): string | undefined {
    const known = this.#known.get(cgroupId);
    if (known !== undefined) return known ?? undefined;
    const path = this.#pathOf(cgroupId, pid);
    const id = path === undefined ? undefined : containerIdOfCgroup(path);
    this.#remember(cgroupId, id ?? null);
    if (path === undefined) this.#scheduleWalk();
    return id;
  }

  stats(): { entries: number; evictions: number; walks: number } {
    return { entries: this.#known.size, evictions: this.#evictions, walks: this.#walks };
  }

  #remember(cgroupId: string, id: string | null): void {
    if (this.#known.size >= this.#maxEntries && !this.#known.has(cgroupId)) {
      const oldest = this.#known.keys().next().value;
      if (oldest !== undefined) this.#known.delete(oldest);
      this.#evictions += 1;
    }
    this.#known.set(cgroupId, id);
  }

  /** Path of the cgroup if `pid` still is in it. */
  #pathOf(cgroupId: string, pid: number): string | undefined {
    if (this.#mount === undefined) return undefined;
    try {
      const { v2 } = parseProcCgroup(readFileSync(`${this.#procRoot}/${pid}/cgroup`, 'utf8'));
      if (v2 === undefined) return undefined;
      const { ino } = statSync(join(this.#mount, v2), { bigint: true });
      return String(ino) === cgroupId ? v2 : undefined;
    } catch {
      return undefined; // Ended meanwhile.
    }
  }

  #scheduleWalk(): void {
    const nowMs = performance.now();
    if (this.#mount === undefined || nowMs < this.#nextWalkMs) return;
    this.#nextWalkMs = nowMs + this.#walkEveryMs;
    this.#walks += 1;
    this.walking = this.#walk(this.#mount).catch(() => undefined);
  }

  async #walk(mount: string): Promise<void> {
    const queue = [''];
    for (let visited = 0; visited < this.#maxWalk; visited++) {
      const path = queue.pop();
      if (path === undefined) return;
      try {
        const id = containerIdOfCgroup(path);
        if (id !== undefined) this.#remember(String((await stat(mount + path, { bigint: true })).ino), id);
        for await (const entry of await opendir(mount + path)) {
          if (entry.isDirectory()) queue.push(`${path}/${entry.name}`);
        }
      } catch {
        // A cgroup that went away during the walk.
      }
    }
  }
}
