/**
 * What `git push` sends: when it starts, the files of the commits that the remote does not have yet are looked at, out of
 * the repository's own objects. Nothing of git's is run and nothing is held back: what is found is told after the fact.
 */
import { constants, readFileSync, readlinkSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { GitObjects, TooLarge, type GitObject } from './dlp/git/objects.ts';
import { outgoingBlobs, type Outgoing } from './dlp/git/outgoing.ts';
import { pushCommand, type PushCommand } from './dlp/git/push-command.ts';
import {
  currentBranch,
  findRepository,
  refsBelow,
  remoteBefore,
  remoteOf,
  resolveName,
  type Repository,
} from './dlp/git/repository.ts';
import { unscannable, type Looked } from './dlp/looker.ts';
import type { DlpEngine, FileVerdict, UnscannableCode } from './dlp/types.ts';
import { entityId, type SentinelEvent } from './event.ts';

export interface DlpPushParts {
  dataDir: string;
  /** Of all files of a push, and of one. */
  maxBytes: number;
  deadlineMs: number;
  using: <T>(work: (engine: DlpEngine) => Promise<T>) => Promise<T | undefined>;
  report: (looked: Looked, cause: SentinelEvent, details: Record<string, string>) => void;
  onSkipped: () => void;
  onLooked: (verdict: FileVerdict) => void;
}

const MAX_WAITING = 16;
const MAX_KNOWN = 512;
const MAX_COMMITS = 20_000;
const MAX_FILES = 10_000;
const MAX_MATCHES = 100;
/** Of blobs that were clean under the indexes in force. */
const MAX_CLEAN = 65_536;
const O_TMPFILE = 0o20200000;

const CUTS: Readonly<Record<Exclude<Outgoing['cut'], ''>, [UnscannableCode, string]>> = {
  time: ['time', 'looking at what is pushed took longer than it may'],
  too_many_commits: ['too_large', `more than ${MAX_COMMITS} commits are pushed`],
  too_many_files: ['too_large', `more than ${MAX_FILES} files are pushed`],
  damaged: ['malformed', 'some objects of the repository are not there or cannot be read'],
};

interface Push {
  event: SentinelEvent;
  command: PushCommand;
}

export class DlpPush {
  readonly #parts: DlpPushParts;
  readonly #waiting: Push[] = [];
  /** Entity ids of what pushes, so that what it starts is not taken for another push. */
  readonly #known = new Set<string>();
  readonly #clean = new Set<string>();
  #running = false;
  #closed = false;

  constructor(parts: DlpPushParts) {
    this.#parts = parts;
  }

  /** A program was started. */
  started(event: SentinelEvent): void {
    const { process } = event;
    if (process?.argv === undefined || process.cwd === undefined) return;
    const command = pushCommand(process.argv, process.cwd);
    if (command === undefined) return;
    const own = entityId(process);
    if (this.#known.has(own) || event.ancestry?.some((id) => this.#known.has(id)) === true) return;
    this.#known.add(own);
    if (this.#known.size > MAX_KNOWN) this.#known.delete(this.#known.values().next().value as string);
    if (this.#waiting.length >= MAX_WAITING) {
      this.#parts.onSkipped();
      return;
    }
    this.#waiting.push({ event, command });
    void this.#next();
  }

  /** Other indexes are in force. */
  forget(): void {
    this.#clean.clear();
  }

  close(): void {
    this.#closed = true;
    this.#waiting.length = 0;
  }

  async #next(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    for (let push = this.#waiting.shift(); push !== undefined; push = this.#waiting.shift())
      await this.#look(push).catch(() => this.#parts.onSkipped());
    this.#running = false;
  }

  async #look({ event, command }: Push): Promise<void> {
    const untilMs = performance.now() + this.#parts.deadlineMs;
    const root = rootOf(event);
    const gitDir = command.gitDir ?? environmentOf(event, 'GIT_DIR');
    const repository = await findRepository(root, command.folder, gitDir);
    // git itself says that there is none, and pushes nothing.
    if (repository === undefined) return;
    const branch = await currentBranch(repository);
    const remote = remoteOf(repository, branch, command.remote);
    const details = { remote: remote.name, url: remote.url, repository: repository.workTree };
    const format = repository.config.get('extensions.objectformat') ?? 'sha1';
    if (repository.config.get('extensions.refstorage') === 'reftable') {
      this.#unscannable(event, details, repository, 'unsupported', 'its branches are kept in a reftable');
      return;
    }
    const known = await remoteBefore(repository, remote.name, Number(event.tsNs / 1_000_000n));
    const tips = await tipsOf(repository, command);
    const { maxBytes } = this.#parts;
    const objects = new GitObjects(
      join(repository.commonDir, 'objects'),
      format === 'sha256' ? 32 : 20,
      maxBytes,
    );
    try {
      const limits = { maxCommits: MAX_COMMITS, maxBlobs: MAX_FILES, untilMs };
      const outgoing = await outgoingBlobs(objects, tips, known, limits);
      const cut = await this.#blobs(event, repository, details, objects, outgoing, untilMs);
      const reason = cut ?? (outgoing.cut === '' ? undefined : CUTS[outgoing.cut]);
      if (reason !== undefined) this.#unscannable(event, details, repository, ...reason);
    } finally {
      await objects.close();
    }
  }

  /** Undefined when all could be looked at. */
  async #blobs(
    event: SentinelEvent,
    repository: Repository,
    details: Record<string, string>,
    objects: GitObjects,
    outgoing: Outgoing,
    untilMs: number,
  ): Promise<[UnscannableCode, string] | undefined> {
    const { maxBytes } = this.#parts;
    let left = maxBytes;
    let matches = 0;
    for (const { id, path, commit } of outgoing.blobs) {
      if (this.#closed) return undefined;
      if (this.#clean.has(id)) continue;
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0) return CUTS.time;
      const about = { ...details, commit, blob: id };
      const name = join(repository.workTree, path);
      let object: GitObject | undefined;
      try {
        object = await objects.read(id);
      } catch (error) {
        if (!(error instanceof TooLarge)) throw error;
        this.#told(
          event,
          about,
          unscannable(name, 'too_large', `at most ${maxBytes} bytes are looked at (dlp.maxBytes)`),
        );
        continue;
      }
      if (object?.type !== 'blob') {
        this.#told(event, about, unscannable(name, 'malformed', 'the object is not there or cannot be read'));
        continue;
      }
      left -= object.bytes.length;
      if (left < 0) return ['too_large', `more than ${maxBytes} bytes are pushed (dlp.maxBytes)`];
      const verdict = await this.#scan(object.bytes, name, leftMs);
      if (verdict === undefined) return undefined;
      if (verdict.verdict === 'clean') {
        if (this.#clean.size >= MAX_CLEAN) this.#clean.clear();
        this.#clean.add(id);
        this.#parts.onLooked(verdict);
        continue;
      }
      matches += 1;
      if (matches > MAX_MATCHES)
        return ['too_large', `only the first ${MAX_MATCHES} files with findings are listed`];
      this.#told(event, about, { verdict, size: verdict.bytes, cached: false, changed: false });
    }
    return undefined;
  }

  async #scan(bytes: Buffer, name: string, deadlineMs: number): Promise<FileVerdict | undefined> {
    const file = await unnamedFile(this.#parts.dataDir);
    try {
      await file.write(bytes, 0, bytes.length, 0);
      const { maxBytes } = this.#parts;
      return await this.#parts.using((engine) =>
        engine.scanFd(file.fd, name, { maxBytes, deadlineMs, background: true }),
      );
    } finally {
      await file.close();
    }
  }

  #told(event: SentinelEvent, details: Record<string, string>, looked: Looked): void {
    this.#parts.onLooked(looked.verdict);
    this.#parts.report(looked, event, details);
  }

  #unscannable(
    event: SentinelEvent,
    details: Record<string, string>,
    { workTree }: Repository,
    code: UnscannableCode,
    reason: string,
  ): void {
    this.#told(event, details, unscannable(workTree, code, reason));
  }
}

/** Without a name, so that nothing of it is left whatever happens; in memory where that can be. */
async function unnamedFile(dataDir: string): Promise<FileHandle> {
  const flags = constants.O_RDWR | O_TMPFILE;
  return open('/dev/shm', flags, 0o600).catch(() => open(dataDir, flags, 0o600));
}

async function tipsOf(repository: Repository, command: PushCommand): Promise<Set<string>> {
  const tips = new Set<string>();
  const add = async (name: string): Promise<void> => {
    const id = await resolveName(repository, name);
    if (id !== undefined) tips.add(id);
  };
  for (const refspec of command.refspecs) {
    const from = refspec.replace(/^\+/, '').split(':')[0] ?? '';
    if (from.includes('*'))
      for (const id of (await refsBelow(repository, from.slice(0, from.indexOf('*')))).values()) tips.add(id);
    // `:` alone is all that match; an empty source deletes.
    else if (refspec === ':' || refspec === '+:')
      for (const id of (await refsBelow(repository, 'refs/heads/')).values()) tips.add(id);
    else if (from === 'tag') continue;
    else if (from !== '') await add(from);
  }
  const all = command.all || repository.config.get('push.default') === 'matching';
  if (all && command.refspecs.length === 0)
    for (const id of (await refsBelow(repository, 'refs/heads/')).values()) tips.add(id);
  if (command.tags) for (const id of (await refsBelow(repository, 'refs/tags/')).values()) tips.add(id);
  if (command.refspecs.length === 0) await add('HEAD');
  return tips;
}

/** Through what the process's files are seen: '' when it sees them as we do. */
function rootOf(event: SentinelEvent): string {
  const own = viewOf('self');
  const pids = [
    event.process?.pid,
    ...(event.ancestry ?? []).slice(0, 8).map((id) => Number.parseInt(id, 10)),
  ];
  const view = pids[0] === undefined ? undefined : viewOf(String(pids[0]));
  if (view === undefined || view === own) return '';
  // The one that will be there longest.
  const alike = pids.filter((pid) => pid !== undefined && viewOf(String(pid)) === view);
  return `/proc/${alike.at(-1)}/root`;
}

function viewOf(pid: string): string | undefined {
  try {
    return `${readlinkSync(`/proc/${pid}/ns/mnt`)} ${readlinkSync(`/proc/${pid}/root`)}`;
  } catch {
    return undefined;
  }
}

function environmentOf({ process }: SentinelEvent, name: string): string | undefined {
  try {
    const entries = readFileSync(`/proc/${process?.pid}/environ`, 'utf8').split('\0');
    return entries.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) || undefined;
  } catch {
    return undefined;
  }
}
