/** Where a git repository is, what its refs point to and what its remotes are, read from its files. */
import { readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { readSmall } from './objects.ts';

const MAX_REFS = 4096;
const MAX_REF_BYTES = 4096;
const MAX_PACKED_BYTES = 16 << 20;
const MAX_CONFIG_BYTES = 1 << 20;
const MAX_LOG_BYTES = 4 << 20;
/** By how much the time of a file may lie behind the clock. */
const CLOCK_TICK_MS = 20;

export interface Repository {
  gitDir: string;
  /** Of all worktrees: refs, objects and configuration. */
  commonDir: string;
  /** Folder of the checked-out files; the repository's own when it has none. */
  workTree: string;
  /** Lower case `section.subsection.key`, the subsection as written; the last value counts. */
  config: ReadonlyMap<string, string>;
}

/** `root`: '' or a path through which the process's files are seen. */
export async function findRepository(
  root: string,
  folder: string,
  gitDir?: string,
): Promise<Repository | undefined> {
  for (let at = folder; ; at = dirname(at)) {
    const candidates = gitDir === undefined ? [join(at, '.git'), at] : [resolve(folder, gitDir)];
    for (const candidate of candidates) {
      const found = await gitDirAt(root, candidate);
      if (found === undefined) continue;
      const common = (await readSmall(`${root}${found}/commondir`, 4096))?.trim();
      const commonDir = common === undefined ? found : resolve(found, common);
      const config = parseConfig((await readSmall(`${root}${commonDir}/config`, MAX_CONFIG_BYTES)) ?? '');
      const workTree = gitDir === undefined ? at : folder;
      return { gitDir: root + found, commonDir: root + commonDir, workTree, config };
    }
    if (at === '/' || gitDir !== undefined) return undefined;
  }
}

async function gitDirAt(root: string, path: string): Promise<string | undefined> {
  const info = await stat(root + path).catch(() => undefined);
  if (info?.isFile() === true) {
    const to = /^gitdir: (.+)/.exec((await readSmall(root + path, 8192)) ?? '')?.[1];
    return to === undefined ? undefined : gitDirAt(root, resolve(dirname(path), to.trim()));
  }
  if (info?.isDirectory() !== true) return undefined;
  const head = await readSmall(`${root}${path}/HEAD`, MAX_REF_BYTES);
  return head !== undefined && /^(ref: |[0-9a-f]{40})/.test(head) ? path : undefined;
}

/** What counts here of git's configuration: no includes, no conditions. */
export function parseConfig(text: string): Map<string, string> {
  const config = new Map<string, string>();
  let section = '';
  for (const line of text.split('\n')) {
    const head = /^\s*\[([\w.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\]/.exec(line);
    if (head) {
      const [, name = '', sub] = head;
      section =
        sub === undefined ? name.toLowerCase() : `${name.toLowerCase()}.${sub.replace(/\\(.)/g, '$1')}`;
    }
    const pair = /^\s*([A-Za-z][\w-]*)\s*(?:=\s*(.*?))?\s*$/.exec(head ? line.slice(head[0].length) : line);
    if (pair)
      config.set(
        `${section}.${(pair[1] ?? '').toLowerCase()}`,
        (pair[2] ?? 'true').replace(/^"(.*)"$/, '$1'),
      );
  }
  return config;
}

const ID = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

/** All refs below a prefix (`refs/heads/`), by full name. */
export async function refsBelow({ commonDir }: Repository, prefix: string): Promise<Map<string, string>> {
  const refs = new Map<string, string>();
  const packed = (await readSmall(join(commonDir, 'packed-refs'), MAX_PACKED_BYTES)) ?? '';
  for (const line of packed.split('\n')) {
    const [id = '', name = ''] = line.split(' ');
    if (ID.test(id) && name.startsWith(prefix) && refs.size < MAX_REFS) refs.set(name, id);
  }
  const folders = [prefix.replace(/\/$/, '')];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const entries = await readdir(join(commonDir, folder), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const name = `${folder}/${entry.name}`;
      if (entry.isDirectory()) folders.push(name);
      else if (entry.isFile() && refs.size < MAX_REFS) {
        const id = (await readSmall(join(commonDir, name), MAX_REF_BYTES))?.trim() ?? '';
        if (ID.test(id)) refs.set(name, id);
      }
    }
    if (folders.length > MAX_REFS) break;
  }
  return refs;
}

/** The branch that is checked out; undefined when none is. */
export async function currentBranch({ gitDir }: Repository): Promise<string | undefined> {
  const head = await readSmall(join(gitDir, 'HEAD'), MAX_REF_BYTES);
  return /^ref: refs\/heads\/(.+)/.exec(head?.trim() ?? '')?.[1];
}

/** What a name of a commit stands for; what follows a name (`~2`, `^`, `@{1}`) is left out. */
export async function resolveName(repository: Repository, name: string): Promise<string | undefined> {
  const plain = name.replace(/(?:[~^]|@\{).*$/s, '') || 'HEAD';
  if (plain === 'HEAD' || plain === '@') {
    const branch = await currentBranch(repository);
    if (branch !== undefined) return resolveName(repository, `refs/heads/${branch}`);
    const head = (await readSmall(join(repository.gitDir, 'HEAD'), MAX_REF_BYTES))?.trim() ?? '';
    return ID.test(head) ? head : undefined;
  }
  if (ID.test(plain)) return plain;
  const folders = plain.startsWith('refs/') ? [''] : ['refs/heads/', 'refs/tags/', 'refs/', 'refs/remotes/'];
  for (const folder of folders) {
    const full = folder + plain;
    if (full.includes('..')) return undefined;
    const loose = (await readSmall(join(repository.commonDir, full), MAX_REF_BYTES))?.trim() ?? '';
    if (ID.test(loose)) return loose;
    const packed = (await refsBelow(repository, full)).get(full);
    if (packed !== undefined) return packed;
  }
  return undefined;
}

/**
 * What the remote had before a push that began at `sinceMs`: git notes each push in the log of the remote's branch, so
 * that it can be told even when the push was quicker than this.
 */
export async function remoteBefore(
  repository: Repository,
  remote: string,
  sinceMs: number,
): Promise<Set<string>> {
  const had = new Set<string>();
  for (const [name, id] of await refsBelow(repository, `refs/remotes/${remote}/`)) {
    let before = id;
    const path = join(repository.commonDir, 'logs', name);
    const noted = await stat(path).catch(() => undefined);
    // Finer than the seconds inside it.
    const isNewer = noted !== undefined && noted.mtimeMs >= sinceMs - CLOCK_TICK_MS;
    const log = (isNewer ? await readSmall(path, MAX_LOG_BYTES) : undefined) ?? '';
    for (const line of log.trimEnd().split('\n').reverse()) {
      const [, old, seconds] = /^([0-9a-f]+) [0-9a-f]+ .*> (\d+) [+-]\d+\tupdate by push/.exec(line) ?? [];
      if (old === undefined || Number(seconds) < Math.floor(sinceMs / 1000)) break;
      before = old;
    }
    if (ID.test(before) && !/^0+$/.test(before)) had.add(before);
  }
  return had;
}

/** Name and address of where a push goes; without user name, password or query. */
export function remoteOf(
  { config }: Repository,
  branch: string | undefined,
  given: string | undefined,
): { name: string; url: string } {
  const name =
    given ??
    config.get(`branch.${branch ?? ''}.pushremote`) ??
    config.get('remote.pushdefault') ??
    config.get(`branch.${branch ?? ''}.remote`) ??
    'origin';
  const url = config.get(`remote.${name}.pushurl`) ?? config.get(`remote.${name}.url`);
  return url === undefined
    ? { name: given === undefined ? name : withoutCredentials(name), url: withoutCredentials(name) }
    : { name, url: withoutCredentials(url) };
}

export function withoutCredentials(url: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*(?:::[a-z][a-z0-9+.-]*)?:\/\/)(?:[^/]*@)?([^?#]*)/i.exec(url);
  if (scheme) return `${scheme[1]}${scheme[2]}`;
  return url.replace(/^[^/:]*@(?=[^/]*:)/, '').replace(/[?#].*$/s, '');
}
