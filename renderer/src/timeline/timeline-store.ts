/** What the Timeline does: runs queries, follows them live, pages, selects. */
import type { EventJson, EventPage } from '../../../agent/api/contract.ts';
import { AgentError } from '../agent-client.ts';
import { rememberQuery, setPrefs, usePrefs } from '../prefs.ts';
import { agent, navigate, useApp } from '../store.ts';
import {
  PAGE_ROWS,
  appendOlder,
  cursorOf,
  emptyWindow,
  foldRows,
  indexOf,
  openRun,
  openWindow,
  openWindowAt,
  prependNewer,
  receive,
  release,
} from './page-window.ts';
import { type Span, loadOverview } from './overview.ts';
import { endsInPast } from './query-text.ts';
import { useTimeline } from './timeline-state.ts';

const REFRESH_MS = 5000;
/** Counts of the overview are asked for again when so large a share of them is new, or after this time. */
const REFRESH_SHARE = 0.005;
const REFRESH_LATEST_MS = 30_000;

const get = useTimeline.getState;
const set = useTimeline.setState;

/** Everything asked for the current query; aborted when the query changes or the view is left. */
let scope = new AbortController();
let unfollow: (() => void) | undefined;
/** What the overview covers when it is not what the query does. */
let span: Span | undefined;
/** Events since the histogram and facets were last loaded. */
let stale = 0;
let refreshedMs = 0;
/** Asked at the moment rows arrive: enter and leave events get lost when what is under the pointer changes. */
let isHeld: () => boolean = () => false;
let queued: { events: EventJson[]; skipped: number } | undefined;
let frame = 0;

function asAgentError(error: unknown): AgentError {
  if (error instanceof AgentError) return error;
  return new AgentError({
    code: 'internal',
    message: error instanceof Error ? error.message : String(error),
  });
}

function onPage(page: EventPage): void {
  const { window, status } = get();
  // After a reconnect the reader may be deep in the record: count what is new instead of jumping.
  if (status === 'ready' && (isHeld() || !window.atNewest) && window.rows.length > 0) {
    const known = new Set(window.rows.map((row) => row.eventId));
    const top = BigInt(window.rows[0]?.tsNs ?? 0);
    const fresh = page.events.filter((event) => !known.has(event.eventId) && BigInt(event.tsNs) > top);
    // None of the page is known: what lies between it and the rows held was missed.
    const skipped = fresh.length === page.events.length && page.older !== undefined ? 1 : 0;
    set({ window: receive(window, { events: fresh.reverse(), skipped }, true) });
    return;
  }
  set(({ toTop }) => ({
    window: openWindow(page, window),
    status: 'ready',
    error: undefined,
    toTop: toTop + 1,
  }));
  // The search may have run out of time before it found a page.
  if (page.events.length < PAGE_ROWS && page.older !== undefined) void loadOlder();
}

function flush(): void {
  frame = 0;
  const delta = queued;
  queued = undefined;
  if (!delta) return;
  const { window, paused } = get();
  set({ window: receive(window, delta, paused || isHeld()) });
}

function onDelta(delta: { events: EventJson[]; skipped: number }): void {
  stale += delta.events.length + delta.skipped;
  if (queued) {
    queued.events.push(...delta.events);
    const over = queued.events.length - PAGE_ROWS;
    if (over > 0) queued.events.splice(0, over);
    queued.skipped += delta.skipped + Math.max(0, over);
  } else queued = { events: [...delta.events], skipped: delta.skipped };
  if (frame === 0) frame = requestAnimationFrame(flush);
}

function onFailed(error: AgentError): void {
  set({ status: 'failed', error, window: emptyWindow(usePrefs.getState().foldRepeats) });
}

function follow(query: string): void {
  unfollow?.();
  unfollow = agent().subscribe(
    'events.follow',
    { query, limit: PAGE_ROWS },
    { snapshot: onPage, delta: onDelta, failed: onFailed },
  );
}

/** Whether the histogram on screen would look different with what came since. */
function isOverviewOld(): boolean {
  if (stale === 0) return false;
  if (performance.now() - refreshedMs > REFRESH_LATEST_MS) return true;
  const { histogram } = get();
  if (!histogram) return true;
  const counted = histogram.buckets.reduce(
    (sum, { info, low, medium, high, critical }) => sum + info + low + medium + high + critical,
    0,
  );
  return stale >= counted * REFRESH_SHARE;
}

/** Loads histogram and facets again; errors leave what was there and say so in place. */
export async function refreshOverview(facets = true): Promise<void> {
  const { query } = get();
  if (query === undefined) return;
  stale = 0;
  refreshedMs = performance.now();
  await loadOverview(query, facets, scope.signal, span);
}

/** Drops what was asked for before and shows an empty list that is being filled. */
function begin(query: string): AbortSignal {
  scope.abort();
  scope = new AbortController();
  const { signal } = scope;
  unfollow?.();
  unfollow = undefined;
  queued = undefined;
  span = undefined;
  set((state) => ({
    query,
    status: 'loading',
    error: undefined,
    window: emptyWindow(usePrefs.getState().foldRepeats),
    loadingOlder: false,
    loadingNewer: false,
    histogram: state.query === query ? state.histogram : undefined,
    byType: state.query === query ? state.byType : undefined,
    facets: state.query === query ? state.facets : {},
    around: undefined,
    marked: new Map(),
    cursor: undefined,
  }));
  return signal;
}

/** Runs a query afresh: newest page, live if it can be, histogram and facets. */
export function openQuery(query: string): void {
  const signal = begin(query);
  if (endsInPast(query)) {
    agent()
      .call('events.query', { query, limit: PAGE_ROWS }, signal)
      .then(onPage)
      .catch((error: unknown) => {
        if (!signal.aborted) onFailed(asAgentError(error));
      });
  } else follow(query);
  void refreshOverview();
}

/** Shows everything that was recorded just before and after an event, whatever the query asks for. */
async function openAround(eventId: string, rows: number): Promise<void> {
  const signal = begin('');
  try {
    const found = await agent().call('events.around', { eventId, before: rows, after: rows }, signal);
    const event = found.events.find((each) => each.eventId === eventId);
    set(({ toTop, window }) => ({
      window: openWindowAt(found, window),
      status: 'ready',
      around: event,
      cursor: eventId,
      toTop: toTop + 1,
    }));
    const [newest, oldest] = [found.events[0], found.events.at(-1)];
    if (!newest || !oldest) return;
    span = { fromNs: oldest.tsNs, toNs: String(BigInt(newest.tsNs) + 1n) };
    await refreshOverview();
  } catch (error) {
    if (!signal.aborted) onFailed(asAgentError(error));
  }
}

/** Takes up the view; returns what to do when it is left. */
export function enterTimeline(query: string, around: string | undefined, aroundRows: number): () => void {
  if (around === undefined) openQuery(query);
  else void openAround(around, aroundRows);
  const timer = setInterval(() => {
    if (get().around === undefined && !document.hidden && !get().paused && isOverviewOld())
      void refreshOverview(!isHeld());
  }, REFRESH_MS);
  return () => {
    clearInterval(timer);
    scope.abort();
    unfollow?.();
    unfollow = undefined;
  };
}

async function page(params: { before?: string; after?: string }): Promise<EventPage | undefined> {
  const { query } = get();
  const { signal } = scope;
  if (query === undefined) return undefined;
  try {
    const result = await agent().call('events.query', { query, limit: PAGE_ROWS, ...params }, signal);
    return signal.aborted ? undefined : result;
  } catch (error) {
    if (!signal.aborted) set({ error: asAgentError(error) });
    return undefined;
  }
}

/** Loads rows until some come: a search in a large record answers in steps of limited time. */
export async function loadOlder(): Promise<void> {
  const { loadingOlder, status } = get();
  const { signal } = scope;
  if (loadingOlder || status !== 'ready') return;
  let older = get().window.pages.at(-1)?.older;
  if (older === undefined) return;
  set({ loadingOlder: true });
  while (older !== undefined) {
    const result = await page({ before: older });
    if (signal.aborted) return;
    older = result?.events.length === 0 ? result.older : undefined;
    if (result) set((state) => ({ window: appendOlder(state.window, result) }));
  }
  set({ loadingOlder: false });
}

export async function loadNewer(): Promise<void> {
  const { window, loadingNewer, status } = get();
  const newer = window.pages[0]?.newer;
  if (loadingNewer || status !== 'ready' || window.atNewest || newer === undefined) return;
  set({ loadingNewer: true });
  const result = await page({ after: newer });
  set((state) => ({
    loadingNewer: false,
    window: result ? prependNewer(state.window, result) : state.window,
  }));
}

/**
 * Brings an event into the list that the address named but the newest page does not hold: the list then begins with
 * it. What the reader selected by hand is in the list already and is left alone.
 */
export async function reveal(event: EventJson): Promise<void> {
  const { window, cursor, status, query } = get();
  if (status !== 'ready' || cursor !== undefined || indexOf(window, event.eventId) >= 0) return;
  set({ cursor: event.eventId });
  const result = await page({ before: cursorOf({ ...event, eventId: String(BigInt(event.eventId) + 1n) }) });
  if (!result || result.events.length === 0 || get().query !== query) return;
  set({ window: openWindowAt(result, get().window), toTop: get().toTop + 1 });
}

/** Shows the newest rows now, wherever the reader is. */
export function showNewest(): void {
  const { window, query } = get();
  if (useApp.getState().route.around !== undefined) navigate({ around: undefined });
  else if (window.atNewest) set(({ toTop }) => ({ window: release(window), toTop: toTop + 1 }));
  else if (query !== undefined) openQuery(query);
}

/** Says how to tell that the list is being read: new rows wait meanwhile. */
export function setHoldProbe(probe: () => boolean): void {
  isHeld = probe;
}

/** The reader may have let go: waiting rows enter if so. */
export function releaseIfIdle(): void {
  const { window, paused } = get();
  if (window.pendingCount > 0 && !paused && !isHeld()) set({ window: release(window) });
}

export function setPaused(paused: boolean): void {
  set({ paused });
  if (!paused && get().window.pendingCount > 0) showNewest();
}

/** Shows repeats as one row, or every row. */
export function setFolding(on: boolean): void {
  setPrefs({ foldRepeats: on });
  set(({ window }) => ({ window: foldRows(window, on) }));
}

/** Shows the run that a row stands for one by one, or as one row again. */
export function toggleRun(eventId: string, open: boolean): void {
  set(({ window }) => ({ window: openRun(window, eventId, open) }));
}

/** Goes to the timeline with a query; the address is the truth, the view follows it. */
export function runQuery(query: string): void {
  const text = query.trim();
  rememberQuery(text);
  const { route } = useApp.getState();
  if (route.view === 'timeline' && route.query === text && route.around === undefined) openQuery(text);
  else navigate({ view: 'timeline', query: text, eventId: undefined, tab: undefined, around: undefined });
}

/** Selects an event; steps between events do not pile up in the history. */
export function selectEvent(eventId: string | undefined): void {
  const { route } = useApp.getState();
  set({ cursor: eventId ?? get().cursor });
  navigate(
    { eventId, tab: eventId === undefined ? undefined : route.tab },
    route.eventId !== undefined && eventId !== undefined,
  );
}

/** Shows what was recorded around an event, unfiltered; "back" returns to the query. */
export function showAround(eventId: string): void {
  navigate({ view: 'timeline', around: eventId, eventId });
}
