/** The timeline of a data folder that no agent is using: caught up from its logs if it may be written, else as it is. */
import { dataPaths, lockDataDir, type DataLock } from './data-dir.ts';
import { openTimeline } from './store/timeline.ts';
import { TimelineFeed } from './timeline-feed.ts';
import type { TimelineMethod } from './timeline-messages.ts';
import { openTimelineOrRebuild, positionsOf } from './timeline-open.ts';
import { TimelineQueries } from './timeline-queries.ts';
import { openWalReader } from './wal/reader.ts';

const EVERYTHING = { security: Number.MAX_SAFE_INTEGER, observability: Number.MAX_SAFE_INTEGER };
const PROCESS_CACHE = 32_768;

/** @throws SentinelError, or what the store throws when it is neither writable nor readable. */
export function openOffline(dataDir: string): {
  answer(method: TimelineMethod, params: unknown): string;
  close(): void;
} {
  const paths = dataPaths(dataDir);
  let lock: DataLock | undefined;
  try {
    lock = lockDataDir(dataDir);
  } catch {
    // Not ours to write, or an agent is just starting: what is already stored can still be read.
  }
  const timeline = lock
    ? openTimelineOrRebuild(paths.timeline).timeline
    : openTimeline(paths.timeline, { readOnly: true });
  const cursors = positionsOf(timeline);
  const readers = {
    security: openWalReader(paths.securityLog, { fromSeq: cursors.security + 1 }),
    observability: openWalReader(paths.observabilityLog, { fromSeq: cursors.observability + 1 }),
  };
  if (lock) {
    const feed = new TimelineFeed({ timeline, readers, processCache: PROCESS_CACHE });
    while (feed.step(EVERYTHING) > 0);
  }
  const queries = new TimelineQueries(timeline, readers);
  return {
    answer: (method, params) => queries.answer(method, params),
    close: () => {
      readers.security.close();
      readers.observability.close();
      timeline.close();
      lock?.release();
    },
  };
}
