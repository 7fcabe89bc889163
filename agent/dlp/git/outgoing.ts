/** Which files a push sends: those of commits that the remote does not have, as far as they differ from every parent. */
import { Heap } from './heap.ts';
import { TooLarge, type GitObjects } from './objects.ts';

/** Objects by their names. */
export type ObjectReader = Pick<GitObjects, 'read'>;

export interface OutgoingBlob {
  id: string;
  path: string;
  commit: string;
}

export interface OutgoingLimits {
  /** Commits that are read, and files that are listed. */
  maxCommits: number;
  maxBlobs: number;
  untilMs: number;
}

export interface Outgoing {
  commits: number;
  blobs: OutgoingBlob[];
  /** Why there may be more than is listed; '' when there is not. */
  cut: '' | 'time' | 'too_many_commits' | 'too_many_files' | 'damaged';
}

interface Commit {
  id: string;
  tree: string;
  parents: string[];
  seconds: number;
  hidden: boolean;
  /** Its parents are not met yet. */
  isOpen: boolean;
  /** How many were met before. */
  met: number;
}

const MAX_TREE_DEPTH = 256;
const MAX_TAGS = 16;
const CLOCK_SKEW_S = 86_400;

/** `tips`: what is pushed; `known`: what the remote had. */
export async function outgoingBlobs(
  objects: ObjectReader,
  tips: Iterable<string>,
  known: Iterable<string>,
  limits: OutgoingLimits,
): Promise<Outgoing> {
  const result: Outgoing = { commits: 0, blobs: [], cut: '' };
  const commits = await walk(objects, tips, known, limits, result);
  const seen = new Set<string>();
  for (const commit of commits) {
    if (commit.hidden) continue;
    result.commits += 1;
    const parents: string[] = [];
    for (const id of commit.parents) {
      const parent = await readCommit(objects, id);
      if (parent !== undefined) parents.push(parent.tree);
    }
    const done = await difference(objects, commit, parents, limits, seen, result.blobs);
    if (done === '') continue;
    result.cut ||= done;
    if (done !== 'damaged') break;
  }
  return result;
}

/** The commits that are reached from both sides, each met once. */
class Walk {
  readonly all = new Map<string, Commit>();
  /** The newest first; of the same second the one that was met last. */
  readonly open = new Heap<Commit>((a, b) => a.seconds - b.seconds || a.met - b.met);
  /** Outgoing ones among those that are open. */
  interesting = 0;
  /** Of all that were met as outgoing. */
  oldest = Number.POSITIVE_INFINITY;
  /** A commit that is outgoing cannot be read. */
  damaged = false;
  readonly #objects: ObjectReader;

  constructor(objects: ObjectReader) {
    this.#objects = objects;
  }

  async meet(id: string, hidden: boolean): Promise<void> {
    const met = this.all.get(id);
    if (met !== undefined) {
      if (hidden) this.#hide(met);
      return;
    }
    const commit = await readCommit(this.#objects, id);
    if (commit === undefined) {
      if (!hidden) this.damaged = true;
      return;
    }
    commit.hidden = hidden;
    commit.met = this.all.size;
    this.all.set(id, commit);
    if (!hidden) {
      this.interesting += 1;
      this.oldest = Math.min(this.oldest, commit.seconds);
    }
    this.open.add(commit);
  }

  next(): Commit | undefined {
    const commit = this.open.take();
    if (commit === undefined) return undefined;
    commit.isOpen = false;
    if (!commit.hidden) this.interesting -= 1;
    return commit;
  }

  /** The remote has it, and with it all that was met behind it. */
  #hide(first: Commit): void {
    const behind = [first];
    for (let commit = behind.pop(); commit !== undefined; commit = behind.pop()) {
      if (commit.hidden) continue;
      commit.hidden = true;
      // Its parents are not met yet, and will be as what the remote has.
      if (commit.isOpen) {
        this.interesting -= 1;
        continue;
      }
      for (const id of commit.parents) {
        const parent = this.all.get(id);
        if (parent !== undefined) behind.push(parent);
      }
    }
  }
}

/** Newest first; those that the remote has are hidden. */
async function walk(
  objects: ObjectReader,
  tips: Iterable<string>,
  known: Iterable<string>,
  limits: OutgoingLimits,
  result: Outgoing,
): Promise<Commit[]> {
  const found = new Walk(objects);
  for (const id of known) await found.meet(id, true);
  for (const id of tips) await found.meet(id, false);
  // What the remote has may still turn out to reach what was taken for outgoing, clocks that are off included.
  for (let first = found.open.first; first !== undefined; first = found.open.first) {
    if (found.interesting === 0 && first.seconds < found.oldest - CLOCK_SKEW_S) break;
    if (found.all.size > limits.maxCommits || performance.now() > limits.untilMs) {
      result.cut ||= found.all.size > limits.maxCommits ? 'too_many_commits' : 'time';
      break;
    }
    const { parents, hidden } = found.next() as Commit;
    for (const parent of parents) await found.meet(parent, hidden);
  }
  if (found.damaged) result.cut ||= 'damaged';
  return [...found.all.values()].sort((a, b) => b.seconds - a.seconds);
}

async function readCommit(objects: ObjectReader, id: string, tags = 0): Promise<Commit | undefined> {
  const object = await objects.read(id).catch(() => undefined);
  if (object === undefined) return undefined;
  const text = object.bytes.toString('latin1', 0, Math.min(object.bytes.length, 1 << 20));
  const head = text.slice(0, text.indexOf('\n\n') + 1 || undefined);
  if (object.type === 'tag') {
    const to = /^object ([0-9a-f]+)$/m.exec(head)?.[1];
    return to === undefined || tags > MAX_TAGS ? undefined : readCommit(objects, to, tags + 1);
  }
  const tree = /^tree ([0-9a-f]+)$/m.exec(head)?.[1];
  if (object.type !== 'commit' || tree === undefined) return undefined;
  const parents = [...head.matchAll(/^parent ([0-9a-f]+)$/gm)].map(([, parent = '']) => parent);
  const seconds = Number(/^committer .*> (\d+) [+-]\d+$/m.exec(head)?.[1] ?? 0);
  return { id, tree, parents, seconds, hidden: false, isOpen: true, met: 0 };
}

/** Adds the files of a commit that no parent has at their place. '' or why it stopped. */
async function difference(
  objects: ObjectReader,
  commit: Commit,
  parents: readonly string[],
  limits: OutgoingLimits,
  seen: Set<string>,
  blobs: OutgoingBlob[],
): Promise<Outgoing['cut']> {
  let cut: Outgoing['cut'] = '';
  const open: { tree: string; against: readonly string[]; path: string; depth: number }[] = [
    { tree: commit.tree, against: parents, path: '', depth: 0 },
  ];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { tree, against, path, depth } = next;
    if (against.includes(tree)) continue;
    if (performance.now() > limits.untilMs) return 'time';
    const entries = await readTree(objects, tree);
    if (entries === undefined) {
      cut = 'damaged';
      continue;
    }
    const others: Map<string, Entry>[] = [];
    for (const each of against) others.push((await readTree(objects, each)) ?? new Map<string, Entry>());
    for (const [name, entry] of entries) {
      if (others.some((other) => other.get(name)?.id === entry.id)) continue;
      if (entry.isTree) {
        const below = others.flatMap((other) => (other.get(name)?.isTree ? [other.get(name)?.id ?? ''] : []));
        if (depth < MAX_TREE_DEPTH)
          open.push({ tree: entry.id, against: below, path: `${path}${name}/`, depth: depth + 1 });
        else cut = 'too_many_files';
      } else if (entry.isFile && !seen.has(entry.id)) {
        if (blobs.length >= limits.maxBlobs) return 'too_many_files';
        seen.add(entry.id);
        blobs.push({ id: entry.id, path: path + name, commit: commit.id });
      }
    }
  }
  return cut;
}

interface Entry {
  id: string;
  isTree: boolean;
  isFile: boolean;
}

async function readTree(objects: ObjectReader, id: string): Promise<Map<string, Entry> | undefined> {
  let object;
  try {
    object = await objects.read(id);
  } catch (error) {
    if (error instanceof TooLarge) return undefined;
    throw error;
  }
  if (object?.type !== 'tree') return undefined;
  const { bytes } = object;
  const width = id.length / 2;
  const entries = new Map<string, Entry>();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const end = bytes.indexOf(0, space);
    if (space < 0 || end < 0 || end + width >= bytes.length + 1) return undefined;
    const mode = bytes.toString('latin1', at, space);
    const hash = bytes.toString('hex', end + 1, end + 1 + width);
    entries.set(bytes.toString('utf8', space + 1, end), {
      id: hash,
      isTree: mode === '40000',
      isFile: mode.startsWith('100'),
    });
    at = end + 1 + width;
  }
  return entries;
}
