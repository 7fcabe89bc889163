/**
 * Worker program of the timeline: ingests the logs in short steps and answers queries between them. SQLite is
 * synchronous, so it lives here and never on the thread that decides.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { toApiError } from './api/services.ts';
import { dataPaths } from './data-dir.ts';
import { eventToJson } from './event-json.ts';
import type { SentinelEvent } from './event.ts';
import { RarityFile } from './rarity-file.ts';
import { compileMatcher } from './store/query-match.ts';
import { parseQuery } from './store/query-parser.ts';
import { openTimelineOrRebuild, positionsOf } from './timeline-open.ts';
import { TimelineFeed } from './timeline-feed.ts';
import {
  MAX_SYNC_MS,
  type FromWorker,
  type LanePositions,
  type ToWorker,
  type WorkerOptions,
} from './timeline-messages.ts';
import { TimelineQueries } from './timeline-queries.ts';
import { openWalReader } from './wal/reader.ts';

interface Follow {
  id: number;
  limit: number;
  test: (event: SentinelEvent) => boolean;
  events: string[];
  skipped: number;
}

const FOLLOW_MS = 100;
const STORED_MS = 1000;
const PRUNE_MS = 60_000;
const RARITY_MS = 600_000;
const PRUNE_SLICE_MS = 20;
const NS_PER_DAY = 86_400_000_000_000n;

const options = workerData as WorkerOptions;
const port = parentPort;
if (!port) throw new Error('timeline-worker runs as a worker only');
const post = (message: FromWorker): void => port.postMessage(message);

const paths = dataPaths(options.dataDir);
const { timeline, rebuilt } = openTimelineOrRebuild(paths.timeline);
const cursors = positionsOf(timeline);
const readers = {
  security: openWalReader(paths.securityLog, { fromSeq: cursors.security + 1 }),
  observability: openWalReader(paths.observabilityLog, { fromSeq: cursors.observability + 1 }),
};
const follows = new Map<number, Follow>();
const rarity = new RarityFile(paths.rarity);
const feed = new TimelineFeed({
  timeline,
  readers,
  processCache: options.processCache,
  rarity: rarity.model,
  onEvent: offer,
});
const queries = new TimelineQueries(timeline, readers);
let durable: LanePositions = { ...cursors };
let pumping = false;
let closing = false;
let reportedRejected = 0;
let followTimer: NodeJS.Timeout | undefined;
let reportTimer: NodeJS.Timeout | undefined;

function offer(event: SentinelEvent): void {
  queries.triage.observe(event);
  for (const follow of follows.values()) {
    if (!follow.test(event)) continue;
    follow.events.push(JSON.stringify(eventToJson(event)));
    if (follow.events.length > follow.limit) {
      follow.events.shift();
      follow.skipped += 1;
    }
    followTimer ??= setTimeout(flushFollows, FOLLOW_MS);
  }
}

function flushFollows(): void {
  followTimer = undefined;
  for (const follow of follows.values()) {
    if (follow.events.length === 0 && follow.skipped === 0) continue;
    post({ kind: 'followed', id: follow.id, events: follow.events, skipped: follow.skipped });
    follow.events = [];
    follow.skipped = 0;
  }
}

function step(): number {
  try {
    return feed.step(durable);
  } catch (error) {
    post({
      kind: 'problem',
      code: 'timeline_ingest',
      message: `the timeline could not take new records: ${(error as Error).message}`,
    });
    return 0;
  }
}

/** Ingests until caught up, letting messages in between steps. */
function pump(): void {
  if (pumping || closing) return;
  pumping = true;
  const next = (): void => {
    if (closing) return;
    if (step() > 0) {
      reportTimer ??= setTimeout(report, STORED_MS);
      setImmediate(next);
    } else pumping = false;
  };
  setImmediate(next);
}

function raise(positions: LanePositions): void {
  durable = {
    security: Math.max(durable.security, positions.security),
    observability: Math.max(durable.observability, positions.observability),
  };
}

/** Ingests up to a position before a query is answered, within bounds. */
function catchUp(upTo: LanePositions | undefined): void {
  if (!upTo) return;
  raise(upTo);
  const deadline = performance.now() + MAX_SYNC_MS;
  for (;;) {
    const at = positionsOf(timeline);
    if (at.security >= upTo.security && at.observability >= upTo.observability) return;
    if (performance.now() > deadline || step() === 0) return;
  }
}

function report(): void {
  reportTimer = undefined;
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  const rejected = feed.rejected - reportedRejected;
  reportedRejected = feed.rejected;
  post({
    kind: 'stored',
    cursors: positionsOf(timeline),
    rejected,
    gaps24h: timeline.gapSummary(nowNs - NS_PER_DAY),
  });
}

/** Retention in slices, with messages and ingestion between them. */
function prune(): void {
  try {
    const { done } = timeline.prune({
      maxAgeNs: options.maxTimelineAgeNs,
      maxBytes: options.maxTimelineBytes,
    });
    if (!done && !closing) setTimeout(prune, PRUNE_SLICE_MS);
  } catch (error) {
    post({
      kind: 'problem',
      code: 'timeline_prune',
      message: `old events could not be removed: ${(error as Error).message}`,
    });
  }
}

function answer(id: number, work: () => string): void {
  try {
    post({ kind: 'result', id, text: work() });
  } catch (error) {
    post({ kind: 'failure', id, error: toApiError(error) });
  }
}

// An agent at rest sleeps: following and reporting are armed by what was ingested.
const timers = [setInterval(prune, PRUNE_MS), setInterval(() => rarity.save(), RARITY_MS)];

port.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'durable':
      raise(message.durable);
      pump();
      break;
    case 'call':
      answer(message.id, () => {
        catchUp(message.upTo);
        return queries.answer(message.method, message.params);
      });
      break;
    case 'follow':
      answer(message.id, () => {
        catchUp(message.upTo);
        const test = compileMatcher(parseQuery(message.query));
        const page = queries.answer('events.query', { query: message.query, limit: message.limit });
        follows.set(message.id, { id: message.id, limit: message.limit, test, events: [], skipped: 0 });
        return page;
      });
      break;
    case 'unfollow':
      follows.delete(message.id);
      break;
    case 'close':
      closing = true;
      for (const timer of timers) clearInterval(timer);
      clearTimeout(followTimer);
      clearTimeout(reportTimer);
      for (let left = 200; left > 0 && step() > 0; left--);
      rarity.save();
      readers.security.close();
      readers.observability.close();
      timeline.close();
      port.close();
      break;
  }
});

post({ kind: 'ready', cursors, rebuilt });
report();
