/**
 * Files that were written, renamed or linked to where data leaves: each waits until its writer leaves it alone, is looked
 * at, and what was found is told. Two at once, so that a large one does not hold up all others.
 */
import type { ConfigValues } from './config-options.ts';
import type { ProtectedSources } from './dlp-sources.ts';
import type { DlpTally } from './dlp-tally.ts';
import { destinationOf, type DestinationOptions, type Place } from './dlp/destination.ts';
import { expectedFile, filesOfFolder } from './dlp/locate.ts';
import { lookAt, unscannable, type Looked } from './dlp/looker.ts';
import { hasWeakTimes } from './dlp/mounts.ts';
import { contentIdentity } from './dlp/open-file.ts';
import { ScanQueue, type QueuedFile } from './dlp/queue.ts';
import type { DlpEngine } from './dlp/types.ts';
import type { VerdictCache } from './dlp/verdict-cache.ts';
import type { DlpSource, SentinelEvent } from './event.ts';

/** Why a file is looked at. */
export interface Cause {
  event: SentinelEvent;
  place: Place;
  trigger: string;
  attempts: number;
}

export interface WrittenFilesParts {
  settings: ConfigValues;
  places: DestinationOptions;
  cache: VerdictCache;
  sources: ProtectedSources;
  tally: DlpTally;
  /** Undefined when nothing is looked for any more. */
  using: <T>(work: (engine: DlpEngine) => Promise<T>) => Promise<T | undefined>;
  report: (looked: Looked, cause: Cause, sources: DlpSource[]) => void;
}

const SETTLE_MS = 60;
const PARALLEL = 2;
const MAX_ATTEMPTS = 3;
const CLOSE_POLL_MS = 10;
const CLOSE_POLLS = 200;

const TRIGGERS: Readonly<Record<string, string>> = { write: 'close_write', rename: 'rename', link: 'rename' };

/** Whether an action of a file can bring data to where it leaves. */
export function isWritten(action: string): boolean {
  return action in TRIGGERS;
}

export class WrittenFiles {
  readonly #parts: WrittenFilesParts;
  readonly #queue: ScanQueue<Cause>;
  #running = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(parts: WrittenFilesParts) {
    this.#parts = parts;
    this.#queue = new ScanQueue({
      maxFiles: parts.settings['dlp.queueFiles'],
      settleMs: SETTLE_MS,
      nowMs: () => performance.now(),
      onSkipped: (file) => parts.tally.skip(file.destination, 'queue_full'),
    });
  }

  get waiting(): number {
    return this.#queue.size;
  }

  get running(): number {
    return this.#running;
  }

  /** Waits for what is being looked at, within bounds; what waits is not looked at. */
  async close(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (let polls = 0; this.#running > 0 && polls < CLOSE_POLLS; polls++)
      await new Promise((resolve) => setTimeout(resolve, CLOSE_POLL_MS));
  }

  /** A file was written, renamed or linked; nothing becomes of it unless it is where data leaves. */
  add(event: SentinelEvent): void {
    const file = event.file as NonNullable<SentinelEvent['file']>;
    const place = destinationOf(file.path, file.device, this.#parts.places);
    if (place === undefined) return;
    this.#parts.tally.totals.seen += 1;
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
        .catch(() => this.#parts.tally.skip(file.destination, 'failed'))
        .finally(() => {
          this.#running -= 1;
          // At once: a timer for each of many small files takes longer than looking at them.
          this.#pump();
        });
    }
    this.#schedule();
  }

  async #scan(file: QueuedFile<Cause>): Promise<void> {
    const { event, place, trigger, attempts } = file.cause;
    const { path } = event.file as NonNullable<SentinelEvent['file']>;
    const { settings, places, cache, sources, tally } = this.#parts;
    const options = {
      maxBytes: settings['dlp.maxBytes'],
      deadlineMs: settings['dlp.deadlineMs'],
      background: true,
      fresh: trigger === 'close_write' && place.medium !== undefined && hasWeakTimes(place.medium),
    };
    const expected = expectedFile(event, places.mounts);
    const looked = await this.#parts.using((engine) => lookAt(engine, cache, expected, options));
    if (looked !== undefined) tally.spent(looked);
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
    tally.totals.looked += 1;
    if (looked.cached) tally.totals.cached += 1;
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
    tally.came(verdict.verdict);
    if (verdict.verdict === 'match')
      this.#parts.report(looked, file.cause, await sources.of(event, path, verdict));
    else if (verdict.verdict === 'unscannable')
      this.#parts.report(looked, file.cause, sources.reads.near(event));
  }

  #gone(cause: Cause): void {
    const { event, place } = cause;
    const { places, sources, tally } = this.#parts;
    tally.totals.gone += 1;
    if (place.medium === undefined) return;
    places.mounts.changed();
    if (places.mounts.isMounted(place.medium)) {
      tally.skip(place.destination, 'gone');
      return;
    }
    const reason = 'the medium was unmounted before it could be done';
    const looked = unscannable(event.file?.path ?? '', 'unmounted', reason);
    tally.came('unscannable');
    this.#parts.report(looked, cause, sources.reads.near(event));
  }

  /** Looks at the files of a folder that was moved. */
  async #folder(cause: Cause, paths: readonly string[]): Promise<void> {
    const { event, place } = cause;
    const { cache, tally } = this.#parts;
    const folder = event.file as NonNullable<SentinelEvent['file']>;
    const found = await filesOfFolder(paths, folder.inode);
    if (found === undefined) return;
    for (const { name, stat } of found.files) {
      // What lies on a medium already was looked at when it was written.
      if (place.medium !== undefined && cache.get(contentIdentity(stat)) !== undefined) continue;
      const file = { path: `${folder.path}/${name}`, op: folder.op, inode: stat.ino.toString() };
      const at = folder.device === undefined ? file : { ...file, device: folder.device };
      const from = folder.oldPath === undefined ? at : { ...at, oldPath: `${folder.oldPath}/${name}` };
      tally.totals.seen += 1;
      this.#enqueue(keyOf(from, place), { ...cause, event: { ...event, file: from }, attempts: 0 });
    }
    if (found.more) tally.skip(place.destination, 'too_many_files');
  }
}

/** Not every record names the device. */
function keyOf(file: NonNullable<SentinelEvent['file']>, { medium }: Place): string {
  return `${file.device ?? medium?.device ?? ''}:${file.inode ?? file.path}`;
}
