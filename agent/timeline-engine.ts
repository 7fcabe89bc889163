/**
 * The timeline with what feeds it and what answers from it. Trouble does not end it: what a full disk refuses is
 * stored once there is room, and a file that turns out damaged is set aside and made again from the logs.
 */
import { dataPaths } from './data-dir.ts';
import type { SentinelEvent } from './event.ts';
import type { RarityModel } from './detect/rarity.ts';
import { TimelineCorruptError } from './store/errors.ts';
import type { Timeline } from './store/timeline.ts';
import { TimelineFeed } from './timeline-feed.ts';
import type { LanePositions, TimelineTrouble } from './timeline-messages.ts';
import { openTimelineOrRebuild, positionsOf } from './timeline-open.ts';
import { TimelineQueries } from './timeline-queries.ts';
import { openWalReader, type WalReader } from './wal/reader.ts';

export interface EngineOptions {
  dataDir: string;
  processCache: number;
  rarity?: RarityModel;
  /** Called with each event stored, for live views. */
  onEvent?: (event: SentinelEvent) => void;
  /** Called when ingestion meets trouble, and with undefined when it is over. */
  onTrouble?: (trouble: TimelineTrouble | undefined) => void;
}

interface Parts {
  timeline: Timeline;
  readers: { security: WalReader; observability: WalReader };
  feed: TimelineFeed;
  queries: TimelineQueries;
}

const REBUILDING = 'nothing; the logs hold everything and the damaged file is kept beside the new one';
const REFUSED =
  'free some disk space or correct the permissions of the data folder; the logs keep what the timeline lacks and it catches up by itself';

export class TimelineEngine {
  /** Message about a file that was set aside at the start. */
  readonly rebuilt: string | undefined;
  readonly #options: EngineOptions;
  /** Undefined after damage, until a new file could be made. */
  #parts: Parts | undefined;
  #rejected = 0;
  #trouble: TimelineTrouble | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    const { parts, rebuilt } = this.#open();
    this.#parts = parts;
    this.rebuilt = rebuilt;
    if (rebuilt !== undefined) this.#tell({ what: rebuilt, remedy: REBUILDING });
  }

  #open(): { parts: Parts; rebuilt?: string } {
    const { dataDir, processCache, rarity, onEvent } = this.#options;
    const paths = dataPaths(dataDir);
    const { timeline, rebuilt } = openTimelineOrRebuild(paths.timeline);
    const at = positionsOf(timeline);
    const readers = {
      security: openWalReader(paths.securityLog, { fromSeq: at.security + 1 }),
      observability: openWalReader(paths.observabilityLog, { fromSeq: at.observability + 1 }),
    };
    const feed = new TimelineFeed({ timeline, readers, processCache, rarity, onEvent });
    return { parts: { timeline, readers, feed, queries: new TimelineQueries(timeline, readers) }, rebuilt };
  }

  #tell(trouble: TimelineTrouble | undefined): void {
    if (trouble?.what === this.#trouble?.what) return;
    this.#trouble = trouble;
    this.#options.onTrouble?.(trouble);
  }

  #live(): Parts {
    this.#parts ??= this.#open().parts;
    return this.#parts;
  }

  /** What answers now; another one after damage. Throws what opening the timeline throws. */
  queries(): TimelineQueries {
    return this.#live().queries;
  }

  /** Records that could not be taken, since the start. */
  get rejected(): number {
    return this.#rejected + (this.#parts?.feed.rejected ?? 0);
  }

  /** Whether ingestion failed and is to be tried again, by the next step. */
  get troubled(): boolean {
    return this.#trouble !== undefined;
  }

  positions(): LanePositions {
    return this.answer(({ timeline }) => positionsOf(timeline));
  }

  /** Ingests one chunk. Returns how many records it took: 0 when caught up or in trouble. */
  step(durable: LanePositions): number {
    try {
      const taken = this.#live().feed.step(durable);
      if (taken === 0) this.#tell(undefined);
      return taken;
    } catch (error) {
      if (error instanceof TimelineCorruptError) this.#startOver(error);
      else this.#tell({ what: (error as Error).message, remedy: REFUSED });
      return 0;
    }
  }

  /** Runs `work` on the timeline; when that finds damage, once more on the one made in its place. */
  answer<T>(work: (parts: { timeline: Timeline; queries: TimelineQueries }) => T): T {
    try {
      return work(this.#live());
    } catch (error) {
      if (!(error instanceof TimelineCorruptError)) throw error;
      this.#startOver(error);
      return work(this.#live());
    }
  }

  #startOver(error: TimelineCorruptError): void {
    this.#rejected += this.#parts?.feed.rejected ?? 0;
    this.close();
    this.#parts = undefined;
    this.#tell({ what: `${error.message}; it is being made again from the logs`, remedy: REBUILDING });
  }

  close(): void {
    if (!this.#parts) return;
    const { readers, timeline } = this.#parts;
    readers.security.close();
    readers.observability.close();
    timeline.close();
  }
}
