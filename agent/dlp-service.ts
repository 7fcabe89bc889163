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
import { ProtectedSources } from './dlp-sources.ts';
import { DlpTally } from './dlp-tally.ts';
import { isWritten, WrittenFiles } from './dlp-written.ts';
import { DlpIndexes, type EngineOpener } from './dlp-indexes.ts';
import { destinationOf, type DestinationOptions, type Place } from './dlp/destination.ts';
import { isSettled, lookAt, type Looked } from './dlp/looker.ts';
import { MountTable } from './dlp/mounts.ts';
import { contentIdentity } from './dlp/open-file.ts';
import type { DlpMatch } from './dlp/types.ts';
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

/** Below the deadline of the guard, which then answers as the policy fails. */
const OPEN_DEADLINE_MS = 900;

export class DlpService implements PipelineListener {
  readonly indexes: DlpIndexes;
  readonly mounts: MountTable;
  readonly cache = new VerdictCache();
  readonly sources: ProtectedSources;
  readonly #push: DlpPush;
  readonly #parts: DlpServiceParts;
  readonly #places: DestinationOptions;
  readonly #written: WrittenFiles;
  readonly #tally: DlpTally;
  #listening = false;
  #stopped = false;

  constructor(parts: DlpServiceParts) {
    this.#parts = parts;
    const { settings, dataDir, open, onProblem } = parts;
    this.#tally = new DlpTally(parts.submit, parts.nowNs);
    this.sources = new ProtectedSources(
      (path, options) =>
        this.indexes.using((engine) => lookAt(engine, this.cache, { paths: [path] }, options)),
      () => this.#listen(),
    );
    this.mounts = new MountTable({ loopIsRemovable: settings['dlp.loopIsRemovable'] });
    this.#places = { mounts: this.mounts, watch: settings['dlp.watch'], own: dataDir };
    this.#written = new WrittenFiles({
      settings,
      places: this.#places,
      cache: this.cache,
      sources: this.sources,
      tally: this.#tally,
      using: (work) => this.indexes.using(work),
      report: (looked, cause, sources) =>
        this.report(looked, cause.place, cause.trigger, cause.event, sources),
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
      onSkipped: () => this.#tally.skip('git_push', 'queue_full'),
      onLooked: (verdict) => {
        this.#tally.totals.looked += 1;
        this.#tally.came(verdict.verdict);
        this.#tally.spent({ verdict, cached: false });
      },
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

  get totals(): DlpTally['totals'] {
    return this.#tally.totals;
  }

  get cost(): DlpTally['cost'] {
    return this.#tally.cost;
  }

  get queued(): number {
    return this.#written.waiting;
  }

  get running(): number {
    return this.#written.running;
  }

  get protectedFiles(): number {
    return this.sources.size;
  }

  /** To be called every second. */
  async tick(): Promise<void> {
    if (this.#stopped) return;
    this.#tally.stateSkips();
    await this.indexes.refresh();
  }

  wants(type: EventType, action: string): boolean {
    if (type === 'process') return action === 'exec';
    if (type !== 'file') return false;
    if (isWritten(action) || action === 'mount' || action === 'umount') return true;
    return action === 'open' && this.sources.size > 0;
  }

  onEvent(event: SentinelEvent): void {
    const { file, action } = event;
    if (event.type === 'process') this.#push.started(event);
    if (file === undefined || event.type !== 'file') return;
    if (action === 'mount' || action === 'umount') this.#mounted();
    else if (action === 'open') this.#opened(event);
    else this.#written.add(event);
  }

  async close(): Promise<void> {
    this.#stopped = true;
    this.#push.close();
    this.#parts.listen(undefined);
    await this.#written.close();
    this.#tally.stateSkips(true);
    this.indexes.close();
  }

  /** Looks at a file by itself; undefined when it is gone or there is nothing to look for. */
  async look(
    path: string,
    options: { signal?: AbortSignal; inode?: string; extract?: boolean } = {},
  ): Promise<Looked | undefined> {
    const { settings } = this.#parts;
    const { inode, ...rest } = options;
    const limits = {
      maxBytes: settings['dlp.maxBytes'],
      deadlineMs: settings['dlp.deadlineMs'],
      background: true,
      ...rest,
    };
    const file = inode === undefined ? { paths: [path] } : { paths: [path], inode };
    const looked = await this.indexes.using((engine) => lookAt(engine, this.cache, file, limits));
    if (looked !== undefined) this.#tally.spent(looked);
    return looked;
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
    this.sources.guard(path, verdict);
    const after = fstatSync(fd, { bigint: true });
    if (known === undefined && contentIdentity(after) === identity && isSettled(after.ctimeNs, atMs))
      this.cache.set(identity, verdict);
    const { matches, unlisted = 0 } = verdict;
    // What is not listed counts, as one of those that are.
    return unlisted > 0 && matches[0] ? [...matches, { ...matches[0], count: unlisted }] : matches;
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
