/**
 * Data loss prevention in a running agent: files that are written, renamed or linked to where data leaves are looked at,
 * and what is found is an event of the security lane with who did it.
 *
 * Nothing here runs on the way of an event: the listener puts a file into a bounded queue, reading and matching happen on
 * other threads, and what comes of it is submitted as an event of its own. While there is no index, nothing is listened
 * to and the engine is not loaded.
 */
import { fstatSync } from 'node:fs';
import { join } from 'node:path';
import type { GuardedAct } from '../native-addon/index.ts';
import type { ConfigValues } from './config-options.ts';
import { dlpEvent, openedBy, readEvent } from './dlp-events.ts';
import { DlpPush } from './dlp-push.ts';
import { DlpSkips, type SkipReason } from './dlp-skips.ts';
import { ProtectedSources } from './dlp-sources.ts';
import { DlpIndexes, type EngineOpener } from './dlp-indexes.ts';
import { destinationOf, type DestinationOptions, type Place } from './dlp/destination.ts';
import { isSettled, lookAt, unscannable, type Looked } from './dlp/looker.ts';
import { expectedFile, filesOfFolder } from './dlp/locate.ts';
import { MountTable, hasWeakTimes } from './dlp/mounts.ts';
import { ScanQueue, type QueuedFile } from './dlp/queue.ts';
import { contentIdentity } from './dlp/open-file.ts';
import type { DlpMatch, FileVerdict } from './dlp/types.ts';
import { VerdictCache } from './dlp/verdict-cache.ts';
import type { DlpSource, EventType, SentinelEvent } from './event.ts';
import type { PipelineListener } from './pipeline.ts';

export interface DlpServiceParts {
  dataDir: string;
  settings: ConfigValues;
  open: EngineOpener;
  /** Puts an event on record and before rules and policies. */
  submit: (event: SentinelEvent) => number;
  /** Listens to the pipeline, or ends it. */
  listen: (listener: PipelineListener | undefined) => void;
  nowNs: () => bigint;
  onProblem: (problem: string) => void;
  /** Other indexes or rules are in force. */
  onIndexes?: () => void;
  /** Whether a policy asks who opens protected files: each first open is an event then. */
  wantsReads?: () => boolean;
  /** Adds to an event what is known of its process. */
  complete?: (event: SentinelEvent) => void;
}

interface Cause {
  event: SentinelEvent;
  place: Place;
  trigger: string;
  attempts: number;
}

/** Below the deadline of the guard, which then answers as the policy fails. */
const OPEN_DEADLINE_MS = 900;
const SETTLE_MS = 60;
const PARALLEL = 2;
const MAX_ATTEMPTS = 3;

const TRIGGERS: Readonly<Record<string, string>> = { write: 'close_write', rename: 'rename', link: 'rename' };

export class DlpService implements PipelineListener {
  readonly indexes: DlpIndexes;
  readonly mounts: MountTable;
  readonly cache = new VerdictCache();
  readonly sources: ProtectedSources;
  readonly #push: DlpPush;
  readonly totals = {
    seen: 0,
    looked: 0,
    clean: 0,
    matched: 0,
    unscannable: 0,
    gone: 0,
    skipped: 0,
    cached: 0,
  };
  /** What looking costs, and when it was done last (ns since the epoch; 0: not yet). What the cache knew costs nothing. */
  readonly cost = { bytes: 0, tookMs: 0, lastLookNs: 0n, lastSkippedNs: 0n };
  readonly #parts: DlpServiceParts;
  readonly #places: DestinationOptions;
  readonly #queue: ScanQueue<Cause>;
  readonly #skips: DlpSkips;
  #running = 0;
  #timer: NodeJS.Timeout | undefined;
  #listening = false;
  #stopped = false;

  constructor(parts: DlpServiceParts) {
    this.#parts = parts;
    const { settings, dataDir, open, onProblem } = parts;
    this.#skips = new DlpSkips(parts.submit, parts.nowNs);
    this.sources = new ProtectedSources(
      (path, options) =>
        this.indexes.using((engine) => lookAt(engine, this.cache, { paths: [path] }, options)),
      () => this.#listen(),
    );
    this.mounts = new MountTable({ loopIsRemovable: settings['dlp.loopIsRemovable'] });
    this.#places = { mounts: this.mounts, watch: settings['dlp.watch'], own: dataDir };
    this.#queue = new ScanQueue({
      maxFiles: settings['dlp.queueFiles'],
      settleMs: SETTLE_MS,
      nowMs: () => performance.now(),
      onSkipped: (file) => this.#skip(file.destination, 'queue_full'),
    });
    this.#push = new DlpPush({
      dataDir,
      maxBytes: settings['dlp.maxBytes'],
      deadlineMs: settings['dlp.deadlineMs'],
      using: (work) => this.indexes.using(work),
      report: (looked, cause, details) =>
        this.report(
          looked,
          { destination: 'git_push', details },
          'push',
          cause,
          this.sources.reads.near(cause),
        ),
      onSkipped: () => this.#skip('git_push', 'queue_full'),
      onLooked: (verdict) => this.#count(verdict),
    });
    this.indexes = new DlpIndexes({
      folder: join(dataDir, 'dlp', 'indexes'),
      more: settings['dlp.indexes'],
      rules: settings['dlp.rules'],
      open,
      onProblem,
      onChange: () => this.#indexesChanged(),
    });
  }

  get queued(): number {
    return this.#queue.size;
  }

  get running(): number {
    return this.#running;
  }

  get protectedFiles(): number {
    return this.sources.size;
  }

  /** To be called every second. */
  async tick(): Promise<void> {
    if (this.#stopped) return;
    this.#skips.state();
    await this.indexes.refresh();
  }

  wants(type: EventType, action: string): boolean {
    if (type === 'process') return action === 'exec';
    if (type !== 'file') return false;
    if (action in TRIGGERS || action === 'mount' || action === 'umount') return true;
    return action === 'open' && this.sources.size > 0;
  }

  onEvent(event: SentinelEvent): void {
    const { file, action } = event;
    if (event.type === 'process') this.#push.started(event);
    if (file === undefined || event.type !== 'file') return;
    if (action === 'mount' || action === 'umount') this.#mounted();
    else if (action === 'open') this.#opened(event);
    else this.#written(event);
  }

  async close(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#push.close();
    this.#parts.listen(undefined);
    this.#skips.state(true);
    for (let waited = 0; this.#running > 0 && waited < 200; waited++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    this.indexes.close();
  }

  /** Looks at a file by itself; undefined when it is gone or there is nothing to look for. */
  async look(
    path: string,
    options: { signal?: AbortSignal; inode?: string; extract?: boolean } = {},
  ): Promise<Looked | undefined> {
    const { settings } = this.#parts;
    const { inode, ...rest } = options;
    const limits = { maxBytes: settings['dlp.maxBytes'], deadlineMs: settings['dlp.deadlineMs'], ...rest };
    const file = inode === undefined ? { paths: [path] } : { paths: [path], inode };
    const looked = await this.indexes.using((engine) => lookAt(engine, this.cache, file, limits));
    this.#account(looked);
    return looked;
  }

  #account(looked: Looked | undefined): void {
    if (looked === undefined) return;
    this.cost.lastLookNs = this.#parts.nowNs();
    if (looked.cached) return;
    this.cost.bytes += looked.verdict.bytes;
    this.cost.tookMs += looked.verdict.tookMs;
  }

  /**
   * Looks into a file that somebody waits to open. Undefined when there is nothing to look for or it cannot be looked at.
   * The descriptor stays the caller's.
   */
  async lookInto(fd: number, path: string): Promise<readonly DlpMatch[] | undefined> {
    const { settings } = this.#parts;
    const identity = contentIdentity(fstatSync(fd, { bigint: true }));
    const known = this.cache.get(identity);
    const atMs = Date.now();
    const options = { maxBytes: settings['dlp.maxBytes'], deadlineMs: OPEN_DEADLINE_MS };
    const verdict = known ?? (await this.indexes.using((engine) => engine.scanFd(fd, path, options)));
    if (verdict === undefined || verdict.verdict === 'unscannable') return undefined;
    this.sources.guard(path, verdict.matches);
    const after = fstatSync(fd, { bigint: true });
    if (known === undefined && contentIdentity(after) === identity && isSettled(after.ctimeNs, atMs))
      this.cache.set(identity, verdict);
    return verdict.matches;
  }

  /** Where a file lies, as far as data that leaves is concerned. */
  placeOf(path: string): Place {
    return destinationOf(path, undefined, this.#places) ?? { destination: 'local' };
  }

  /** Puts what was found on record, and remembers the file. */
  report(
    looked: Looked,
    place: Place,
    trigger: string,
    cause?: SentinelEvent,
    sources: DlpSource[] = [],
  ): SentinelEvent {
    const { verdict, inode, size } = looked;
    if (verdict.verdict === 'match') this.sources.remember(looked);
    const found = { verdict, place, trigger, sources, nowNs: this.#parts.nowNs() };
    const event = dlpEvent({
      ...found,
      ...(cause === undefined ? {} : { cause }),
      ...(inode === undefined ? {} : { inode }),
      ...(size === undefined ? {} : { size }),
    });
    this.#parts.submit(event);
    return event;
  }

  /** Who opened a file in a guarded folder was cut off from the network first, or why not; on record, for policies. */
  cutOff(act: GuardedAct): void {
    const { path, handle, outcome, error } = act;
    const by = openedBy(act, this.#parts.nowNs());
    this.#parts.complete?.(by);
    const found = this.sources.openedGuarded(by, path);
    const event = readEvent(found, by, path, this.placeOf(path), this.#parts.nowNs());
    event.details = { policyHandle: String(handle), mechanism: 'cgroup_cut', outcome };
    if (error !== '') event.details['error'] = error;
    this.#parts.submit(event);
  }

  #opened(event: SentinelEvent): void {
    const found = this.sources.opened(event);
    if (found === undefined || this.#parts.wantsReads?.() !== true) return;
    const path = event.file?.path ?? found.path;
    this.#parts.submit(readEvent(found, event, path, this.placeOf(path), this.#parts.nowNs()));
  }

  /** At once: it may be gone again before something is written. */
  #mounted(): void {
    this.mounts.changed();
    this.mounts.leaving();
  }

  #written(event: SentinelEvent): void {
    const file = event.file as NonNullable<SentinelEvent['file']>;
    const place = destinationOf(file.path, file.device, this.#places);
    if (place === undefined) return;
    this.totals.seen += 1;
    const cause = { event, place, trigger: TRIGGERS[event.action] ?? event.action, attempts: 0 };
    this.#enqueue(keyOf(file, place), cause);
  }

  #enqueue(key: string, cause: Cause): void {
    const { file } = cause.event;
    const version = file?.identity ? `${file.identity.mtimeNs}:${file.identity.size}` : `${cause.event.tsNs}`;
    this.#queue.add({ key, version, destination: cause.place.destination, cause });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#stopped || this.#timer !== undefined || this.#running >= PARALLEL) return;
    const dueMs = this.#queue.dueInMs();
    if (dueMs === undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, Math.ceil(dueMs));
  }

  #pump(): void {
    while (this.#running < PARALLEL && !this.#stopped) {
      const file = this.#queue.take();
      if (file === undefined) break;
      this.#running += 1;
      void this.#scan(file)
        .catch(() => this.#skip(file.destination, 'failed'))
        .finally(() => {
          this.#running -= 1;
          this.#schedule();
        });
    }
    this.#schedule();
  }

  async #scan(file: QueuedFile<Cause>): Promise<void> {
    const { event, place, trigger, attempts } = file.cause;
    const { path } = event.file as NonNullable<SentinelEvent['file']>;
    const { settings } = this.#parts;
    const options = {
      maxBytes: settings['dlp.maxBytes'],
      deadlineMs: settings['dlp.deadlineMs'],
      fresh: trigger === 'close_write' && place.medium !== undefined && hasWeakTimes(place.medium),
    };
    const expected = expectedFile(event, this.mounts);
    const looked = await this.indexes.using((engine) => lookAt(engine, this.cache, expected, options));
    this.#account(looked);
    const special = looked?.verdict.reasonCode === 'special_file';
    // What was written and closed was a plain file.
    if (looked === undefined || (special && trigger === 'close_write')) {
      this.#gone(file.cause);
      return;
    }
    if (special) {
      // A link, a pipe: nothing of its own is in it.
      await this.#folder(file.cause, expected.paths);
      return;
    }
    this.totals.looked += 1;
    if (looked.cached) this.totals.cached += 1;
    const { verdict } = looked;
    if (looked.changed && verdict.verdict === 'clean') {
      if (attempts + 1 < MAX_ATTEMPTS) {
        this.#enqueue(file.key, { ...file.cause, attempts: attempts + 1 });
        return;
      }
      Object.assign(verdict, {
        verdict: 'unscannable',
        reasonCode: 'changed',
        reason: 'it was written to all the time',
      });
    }
    if (verdict.verdict === 'clean') this.totals.clean += 1;
    else if (verdict.verdict === 'match') {
      this.totals.matched += 1;
      this.report(looked, place, trigger, event, await this.sources.of(event, path, verdict));
    } else {
      this.totals.unscannable += 1;
      this.report(looked, place, trigger, event, this.sources.reads.near(event));
    }
  }

  #gone({ event, place, trigger }: Cause): void {
    this.totals.gone += 1;
    if (place.medium === undefined) return;
    this.mounts.changed();
    if (this.mounts.isMounted(place.medium)) {
      this.#skip(place.destination, 'gone');
      return;
    }
    const path = event.file?.path ?? '';
    const reason = 'the medium was unmounted before it could be done';
    this.totals.unscannable += 1;
    const looked = unscannable(path, 'unmounted', reason);
    this.report(looked, place, trigger, event, this.sources.reads.near(event));
  }

  #count(verdict: FileVerdict): void {
    this.totals.looked += 1;
    if (verdict.verdict === 'clean') this.totals.clean += 1;
    else if (verdict.verdict === 'match') this.totals.matched += 1;
    else this.totals.unscannable += 1;
    this.#account({ verdict, cached: false, changed: false });
  }

  #skip(destination: string, reason: SkipReason): void {
    if (reason !== 'gone') {
      this.totals.skipped += 1;
      this.cost.lastSkippedNs = this.#parts.nowNs();
    }
    this.#skips.add(destination, reason);
  }

  /** Looks at the files of a folder that was moved. */
  async #folder(cause: Cause, paths: readonly string[]): Promise<void> {
    const { event, place } = cause;
    const folder = event.file as NonNullable<SentinelEvent['file']>;
    const found = await filesOfFolder(paths, folder.inode);
    if (found === undefined) return;
    for (const { name, stat } of found.files) {
      // What lies on a medium already was looked at when it was written.
      if (place.medium !== undefined && this.cache.get(contentIdentity(stat)) !== undefined) continue;
      const file = { path: `${folder.path}/${name}`, op: folder.op, inode: stat.ino.toString() };
      const at = folder.device === undefined ? file : { ...file, device: folder.device };
      const from = folder.oldPath === undefined ? at : { ...at, oldPath: `${folder.oldPath}/${name}` };
      this.totals.seen += 1;
      this.#enqueue(keyOf(from, place), { ...cause, event: { ...event, file: from }, attempts: 0 });
    }
    if (found.more) this.#skip(place.destination, 'too_many_files');
  }

  #indexesChanged(): void {
    this.cache.forget();
    this.#push.forget();
    this.#parts.onIndexes?.();
    this.sources.clear();
    const wanted = this.indexes.engine !== undefined;
    if (wanted) this.#listen();
    else if (this.#listening) this.#parts.listen(undefined);
    this.#listening = wanted;
  }

  /** Again also when what is wanted changed. */
  #listen(): void {
    if (!this.#stopped && this.indexes.engine !== undefined) this.#parts.listen(this);
  }
}

/** Not every record names the device. */
function keyOf(file: NonNullable<SentinelEvent['file']>, { medium }: Place): string {
  return `${file.device ?? medium?.device ?? ''}:${file.inode ?? file.path}`;
}
