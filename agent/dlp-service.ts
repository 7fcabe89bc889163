/**
 * Data loss prevention in a running agent: files that are written, renamed or linked to where data leaves are looked at,
 * and what is found is an event of the security lane with who did it.
 *
 * Nothing here runs on the way of an event: the listener puts a file into a bounded queue, reading and matching happen on
 * other threads, and what comes of it is submitted as an event of its own. While there is no index, nothing is listened
 * to and the engine is not loaded.
 */
import { fstatSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigValues } from './config-options.ts';
import { dlpEvent, skippedEvent } from './dlp-events.ts';
import { dlpRuleName } from './dlp-summary.ts';
import { DlpIndexes, type EngineOpener } from './dlp-indexes.ts';
import { argumentFiles } from './dlp/argument-files.ts';
import { destinationOf, type DestinationOptions, type Place } from './dlp/destination.ts';
import { lookAt, type Looked } from './dlp/looker.ts';
import { MountTable } from './dlp/mounts.ts';
import { ScanQueue, type QueuedFile } from './dlp/queue.ts';
import { ProtectedReads } from './dlp/reads.ts';
import { contentIdentity } from './dlp/open-file.ts';
import type { DlpMatch, FileVerdict } from './dlp/types.ts';
import { VerdictCache } from './dlp/verdict-cache.ts';
import { entityId, type DlpSource, type EventType, type SentinelEvent } from './event.ts';
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
const SKIP_STATED_MS = 5000;
const MAX_ATTEMPTS = 3;
const MAX_PROTECTED = 16_384;
/** For the files that a copy may have come from, so that the event is not late for them. */
const SOURCE_DEADLINE_MS = 200;
const SOURCE_MAX_BYTES = 64 * 1024 * 1024;

const TRIGGERS: Readonly<Record<string, string>> = { write: 'close_write', rename: 'rename', link: 'rename' };

export class DlpService implements PipelineListener {
  readonly indexes: DlpIndexes;
  readonly mounts: MountTable;
  readonly cache = new VerdictCache();
  readonly reads = new ProtectedReads();
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
  /** `device:inode` of files that hold protected data, by the kernel's numbers; oldest leaves. */
  readonly #protected = new Map<string, { path: string; rules: string[] }>();
  readonly #skipped = new Map<string, number>();
  #skippedFromNs = 0n;
  #statedMs = Number.NEGATIVE_INFINITY;
  #running = 0;
  #timer: NodeJS.Timeout | undefined;
  #listening = false;
  #stopped = false;

  constructor(parts: DlpServiceParts) {
    this.#parts = parts;
    const { settings, dataDir, open, onProblem } = parts;
    this.mounts = new MountTable({ loopIsRemovable: settings['dlp.loopIsRemovable'] });
    this.#places = { mounts: this.mounts, watch: settings['dlp.watch'], own: dataDir };
    this.#queue = new ScanQueue({
      maxFiles: settings['dlp.queueFiles'],
      settleMs: SETTLE_MS,
      nowMs: () => performance.now(),
      onSkipped: (file) => this.#skip(file.destination),
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
    return this.#protected.size;
  }

  /** To be called every second. */
  async tick(): Promise<void> {
    if (this.#stopped) return;
    this.#stateSkipped();
    await this.indexes.refresh();
  }

  wants(type: EventType, action: string): boolean {
    if (type !== 'file') return false;
    if (action in TRIGGERS || action === 'mount' || action === 'umount') return true;
    return action === 'open' && this.#protected.size > 0;
  }

  onEvent(event: SentinelEvent): void {
    const { file, action } = event;
    if (file === undefined) return;
    if (action === 'mount' || action === 'umount') this.mounts.changed();
    else if (action === 'open') this.#opened(event);
    else this.#written(event);
  }

  async close(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#parts.listen(undefined);
    this.#stateSkipped(true);
    for (let waited = 0; this.#running > 0 && waited < 200; waited++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    this.indexes.close();
  }

  /** Looks at a file by itself; undefined when it is gone or there is nothing to look for. */
  async look(
    path: string,
    options: { signal?: AbortSignal; inode?: string } = {},
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
    const options = { maxBytes: settings['dlp.maxBytes'], deadlineMs: OPEN_DEADLINE_MS };
    const verdict = known ?? (await this.indexes.using((engine) => engine.scanFd(fd, path, options)));
    if (verdict === undefined || verdict.verdict === 'unscannable') return undefined;
    if (known === undefined && contentIdentity(fstatSync(fd, { bigint: true })) === identity)
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
    if (verdict.verdict === 'match') this.#remember(looked);
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

  #written(event: SentinelEvent): void {
    const file = event.file as NonNullable<SentinelEvent['file']>;
    const place = destinationOf(file.path, file.device, this.#places);
    if (place === undefined) return;
    this.totals.seen += 1;
    const cause = { event, place, trigger: TRIGGERS[event.action] ?? event.action, attempts: 0 };
    this.#enqueue(`${file.device ?? ''}:${file.inode ?? file.path}`, cause);
  }

  #enqueue(key: string, cause: Cause): void {
    const { file } = cause.event;
    const version = file?.identity ? `${file.identity.mtimeNs}:${file.identity.size}` : `${cause.event.tsNs}`;
    this.#queue.add({ key, version, destination: cause.place.destination, cause });
    this.#schedule();
  }

  #opened(event: SentinelEvent): void {
    const { file } = event;
    const found = this.#protected.get(`${file?.device ?? ''}:${file?.inode ?? ''}`);
    if (found !== undefined && file !== undefined) this.reads.add(event, file.path, found.rules);
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
        .catch(() => this.#skip(file.destination))
        .finally(() => {
          this.#running -= 1;
          this.#schedule();
        });
    }
    this.#schedule();
  }

  async #scan(file: QueuedFile<Cause>): Promise<void> {
    const { event, place, trigger, attempts } = file.cause;
    const { path, inode } = event.file as NonNullable<SentinelEvent['file']>;
    const paths = [path];
    // The process may have a root of its own.
    if (event.process !== undefined) paths.push(`/proc/${event.process.pid}/root${path}`);
    const { settings } = this.#parts;
    const options = { maxBytes: settings['dlp.maxBytes'], deadlineMs: settings['dlp.deadlineMs'] };
    const expected = inode === undefined ? { paths } : { paths, inode };
    const looked = await this.indexes.using((engine) => lookAt(engine, this.cache, expected, options));
    this.#account(looked);
    if (looked === undefined) {
      this.totals.gone += 1;
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
      this.report(looked, place, trigger, event, await this.#sources(event, path, verdict));
    } else {
      this.totals.unscannable += 1;
      this.report(looked, place, trigger, event, this.reads.near(event));
    }
  }

  /** Protected files that were opened before; where no open was recorded, those that the arguments name. */
  async #sources(event: SentinelEvent, written: string, verdict: FileVerdict): Promise<DlpSource[]> {
    const known = this.reads.near(event);
    if (known.length > 0 || event.process === undefined) return known;
    const candidates = argumentFiles(event, written);
    if (event.file?.oldPath !== undefined) candidates.push(event.file.oldPath);
    // A plain file was not copied from inside a container, as a rule; looking there takes a process of its own.
    const extract = verdict.members !== undefined;
    const options = { maxBytes: SOURCE_MAX_BYTES, deadlineMs: SOURCE_DEADLINE_MS, extract };
    const found: DlpSource[] = [];
    for (const path of candidates) {
      const looked = await this.indexes.using((engine) =>
        lookAt(engine, this.cache, { paths: [path] }, options),
      );
      if (looked?.verdict.verdict !== 'match') continue;
      this.#remember(looked);
      const { process, tsNs } = event;
      found.push({
        path,
        rules: rulesOf(looked.verdict),
        entityId: entityId(process),
        name: process.name,
        tsNs,
      });
    }
    return found;
  }

  /** The kernel's records name a file by its superblock's device and its inode. */
  #remember({ verdict, inode }: Looked): void {
    const stat =
      inode === undefined ? undefined : statSync(verdict.path, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined || stat.ino.toString() !== inode) return;
    const { dev } = stat;
    const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
    const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
    const key = `${major}:${minor}:${inode}`;
    this.#protected.delete(key);
    this.#protected.set(key, { path: verdict.path, rules: rulesOf(verdict) });
    if (this.#protected.size > MAX_PROTECTED)
      this.#protected.delete(this.#protected.keys().next().value as string);
    if (this.#protected.size === 1) this.#listen();
  }

  #indexesChanged(): void {
    this.cache.forget();
    this.#parts.onIndexes?.();
    this.#protected.clear();
    const wanted = this.indexes.engine !== undefined;
    if (wanted) this.#listen();
    else if (this.#listening) this.#parts.listen(undefined);
    this.#listening = wanted;
  }

  /** Again also when what is wanted changed. */
  #listen(): void {
    if (!this.#stopped && this.indexes.engine !== undefined) this.#parts.listen(this);
  }

  #skip(destination: string): void {
    if (this.#skipped.size === 0) this.#skippedFromNs = this.#parts.nowNs();
    this.#skipped.set(destination, (this.#skipped.get(destination) ?? 0) + 1);
    this.totals.skipped += 1;
    this.cost.lastSkippedNs = this.#parts.nowNs();
  }

  /** What was not looked at is on record, at most every few seconds. */
  #stateSkipped(now = false): void {
    if (this.#skipped.size === 0) return;
    const nowMs = performance.now();
    if (!now && nowMs - this.#statedMs < SKIP_STATED_MS) return;
    this.#statedMs = nowMs;
    this.#parts.submit(skippedEvent(this.#skipped, this.#skippedFromNs, this.#parts.nowNs()));
    this.#skipped.clear();
  }
}

function rulesOf(verdict: FileVerdict): string[] {
  return [...new Set(verdict.matches.map(dlpRuleName))];
}
