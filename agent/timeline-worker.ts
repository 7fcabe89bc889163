/**
 * Worker program of the timeline: ingests the logs in short steps and answers queries between them, counts in slices.
 * SQLite is synchronous, so it lives here and never on the thread that decides.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { toApiError } from './api/services.ts';
import { dataPaths } from './data-dir.ts';
import { eventToJson } from './event-json.ts';
import type { SentinelEvent } from './event.ts';
import type { EffectRequest } from './exception-preview.ts';
import type { SliceRequest } from './policy-simulation.ts';
import { RarityFile } from './rarity-file.ts';
import { collectGarbage } from './resident.ts';
import { compileMatcher } from './store/query-match.ts';
import { parseQuery } from './store/query-parser.ts';
import { SLICE_MS, TimelineCounts, type Count } from './timeline-counts.ts';
import { TimelineEngine } from './timeline-engine.ts';
import {
  isCountMethod,
  MAX_SYNC_MS,
  type FromWorker,
  type LanePositions,
  type ToWorker,
  type WorkerOptions,
} from './timeline-messages.ts';
import type { TimelineQueries } from './timeline-queries.ts';

interface Follow {
  id: number;
  limit: number;
  test: (event: SentinelEvent) => boolean;
  events: string[];
  skipped: number;
}

interface Asked extends Count {
  upTo?: LanePositions;
  /** Not brought up to that position for longer than this. */
  syncByMs: number;
  queries?: TimelineQueries;
  goOn?: (ms: number) => string | undefined;
}

/** Between two deliveries to those who follow. */
const FOLLOW_MS = 100;
/** The same while more comes than anybody reads: each delivery draws a whole new screen. */
const FOLLOW_BUSY_MS = 300;
/** About a screen of rows. */
const SCREEN_ROWS = 30;
const STORED_MS = 1000;
const PRUNE_MS = 60_000;
const RARITY_MS = 600_000;
const PRUNE_SLICE_MS = 20;
/** Between attempts to store what could not be stored. */
const RETRY_MS = 2000;
/** After the last question: what answering took is given back. */
const RELEASE_MS = 15_000;
const NS_PER_DAY = 86_400_000_000_000n;

const options = workerData as WorkerOptions;
const port = parentPort;
if (!port) throw new Error('timeline-worker runs as a worker only');
const post = (message: FromWorker): void => port.postMessage(message);

const paths = dataPaths(options.dataDir);
const follows = new Map<number, Follow>();
const rarity = new RarityFile(paths.rarity);
const engine = new TimelineEngine({
  dataDir: options.dataDir,
  processCache: options.processCache,
  rarity: rarity.model,
  onEvent: offer,
  onTrouble: (trouble) => {
    post({ kind: 'trouble', trouble });
    if (trouble) post({ kind: 'problem', code: 'timeline_ingest', message: trouble.what });
  },
});
const cursors = engine.positions();
let durable: LanePositions = { ...cursors };
let pumping = false;
let closing = false;
let reportedRejected = 0;
let followTimer: NodeJS.Timeout | undefined;
let followMs = FOLLOW_MS;
let reportTimer: NodeJS.Timeout | undefined;
let retryTimer: NodeJS.Timeout | undefined;

function offer(event: SentinelEvent): void {
  engine.queries().triage.observe(event);
  for (const follow of follows.values()) {
    if (!follow.test(event)) continue;
    follow.events.push(JSON.stringify(eventToJson(event)));
    if (follow.events.length > follow.limit) {
      follow.events.shift();
      follow.skipped += 1;
    }
    followTimer ??= setTimeout(flushFollows, followMs);
  }
}

function flushFollows(): void {
  followTimer = undefined;
  let most = 0;
  for (const follow of follows.values()) {
    if (follow.events.length === 0 && follow.skipped === 0) continue;
    most = Math.max(most, follow.events.length);
    post({ kind: 'followed', id: follow.id, events: follow.events, skipped: follow.skipped });
    follow.events = [];
    follow.skipped = 0;
  }
  followMs = most > SCREEN_ROWS ? FOLLOW_BUSY_MS : FOLLOW_MS;
}

/** Ingests until caught up, letting messages in between steps. */
function pump(): void {
  if (pumping || closing) return;
  pumping = true;
  const next = (): void => {
    if (closing) return;
    if (engine.step(durable) > 0) {
      reportTimer ??= setTimeout(report, STORED_MS);
      setImmediate(next);
    } else {
      pumping = false;
      if (engine.troubled) retryTimer ??= setTimeout(retry, RETRY_MS);
    }
  };
  setImmediate(next);
}

function retry(): void {
  retryTimer = undefined;
  pump();
}

function raise(positions: LanePositions): void {
  durable = {
    security: Math.max(durable.security, positions.security),
    observability: Math.max(durable.observability, positions.observability),
  };
}

function isStored({ security, observability }: LanePositions): boolean {
  const at = engine.positions();
  return at.security >= security && at.observability >= observability;
}

/** Ingests up to a position before a query is answered, within bounds. */
function catchUp(upTo: LanePositions | undefined): void {
  if (!upTo) return;
  raise(upTo);
  const deadline = performance.now() + MAX_SYNC_MS;
  while (!isStored(upTo)) if (performance.now() > deadline || engine.step(durable) === 0) return;
}

function report(): void {
  reportTimer = undefined;
  try {
    postStored();
  } catch (error) {
    post({
      kind: 'problem',
      code: 'timeline_read',
      message: `the timeline cannot be read: ${(error as Error).message}`,
    });
  }
}

function postStored(): void {
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  const rejected = engine.rejected - reportedRejected;
  reportedRejected = engine.rejected;
  post({
    kind: 'stored',
    cursors: engine.positions(),
    rejected,
    gaps24h: engine.answer(({ timeline }) => timeline.gapSummary(nowNs - NS_PER_DAY)),
  });
}

/** Retention in slices, with messages and ingestion between them. */
function prune(): void {
  try {
    const { done } = engine.answer(({ timeline }) =>
      timeline.prune({ maxAgeNs: options.maxTimelineAgeNs, maxBytes: options.maxTimelineBytes }),
    );
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

const counts = new TimelineCounts<Asked>({
  goOn: (count) => {
    if (!count.goOn && count.upTo && performance.now() < count.syncByMs) {
      raise(count.upTo);
      if (!isStored(count.upTo) && engine.step(durable) > 0) return undefined;
    }
    return engine.answer(({ queries }) => {
      // Another file is counted from its beginning.
      if (!count.goOn || count.queries !== queries) {
        count.queries = queries;
        count.goOn = queries.answerInSlices(count.method, count.params);
      }
      return count.goOn(SLICE_MS);
    });
  },
  done: (id, text) => post({ kind: 'result', id, text }),
  failed: (id, error) => post({ kind: 'failure', id, error: toApiError(error) }),
});

/** Trying an exception takes the rule engine, which this thread has only from then on. */
async function preview(id: number, request: EffectRequest, upTo: LanePositions | undefined): Promise<void> {
  const { previewException } = await import('./exception-preview.ts');
  if (closing) return;
  answer(id, () => {
    catchUp(upTo);
    return JSON.stringify(
      engine.answer(({ timeline, queries }) => previewException(timeline, queries.triage, request)),
    );
  });
}

/** Likewise the policies. */
async function simulate(id: number, request: SliceRequest, upTo: LanePositions | undefined): Promise<void> {
  const { simulateSlice } = await import('./policy-simulation.ts');
  if (closing) return;
  answer(id, () => {
    catchUp(upTo);
    return JSON.stringify(
      engine.answer(({ timeline, queries }) => simulateSlice(timeline, queries.triage, request)),
    );
  });
}

/** Nobody asks any more. The engine would collect only when more is allocated, which at rest is hours later. */
const releaseTimer = setTimeout(() => {
  try {
    if (!closing) engine.answer(({ timeline }) => timeline.releaseMemory());
  } catch {
    // What is wrong with the timeline is said by whoever asks it.
  }
  collectGarbage();
}, RELEASE_MS);

// An agent at rest sleeps: following and reporting are armed by what was ingested.
const timers = [setInterval(prune, PRUNE_MS), setInterval(() => rarity.save(), RARITY_MS)];

port.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'durable':
      raise(message.durable);
      pump();
      break;
    case 'call': {
      releaseTimer.refresh();
      const { id, method, params, upTo } = message;
      if (method === 'exceptions.effect') {
        void preview(id, params as EffectRequest, upTo);
        break;
      }
      if (method === 'policy.slice') {
        void simulate(id, params as SliceRequest, upTo);
        break;
      }
      if (isCountMethod(method)) {
        counts.add({ id, method, params, upTo, syncByMs: performance.now() + MAX_SYNC_MS });
        break;
      }
      answer(id, () => {
        catchUp(upTo);
        return engine.answer(({ queries }) => queries.answer(method, params));
      });
      break;
    }
    case 'follow':
      releaseTimer.refresh();
      answer(message.id, () => {
        catchUp(message.upTo);
        const test = compileMatcher(parseQuery(message.query));
        const { query, limit } = message;
        const page = engine.answer(({ queries }) => queries.answer('events.query', { query, limit }));
        follows.set(message.id, { id: message.id, limit: message.limit, test, events: [], skipped: 0 });
        return page;
      });
      break;
    case 'cancel':
      counts.cancel(message.id);
      break;
    case 'unfollow':
      follows.delete(message.id);
      break;
    case 'close':
      closing = true;
      counts.clear();
      for (const timer of timers) clearInterval(timer);
      clearTimeout(followTimer);
      clearTimeout(reportTimer);
      clearTimeout(retryTimer);
      clearTimeout(releaseTimer);
      for (let left = 200; left > 0 && engine.step(durable) > 0; left--);
      rarity.save();
      engine.close();
      port.close();
      break;
  }
});

post({ kind: 'ready', cursors, rebuilt: engine.rebuilt });
report();
