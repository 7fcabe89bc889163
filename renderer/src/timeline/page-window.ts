/**
 * The rows the window holds: a few pages around what is on screen, never the result. Pure data and functions; the
 * virtual list draws row `index` of an endless column whose origin is the newest row known when the window began.
 *
 * Invariants: pages are newest first and contiguous; `first` is the column index of the first row held, so dropping
 * pages on one side moves no row; at most MAX_PAGES are held; new rows never enter while `held`.
 */
import type { EventJson, EventPage } from '../../../agent/api/contract.ts';

export const PAGE_ROWS = 200;
export const MAX_PAGES = 4;
/** New rows kept ready for when the reader lets go; beyond it they are only counted. */
export const MAX_PENDING = 200;

export interface PageWindow {
  pages: readonly EventPage[];
  /** Column index of the first row held. */
  first: number;
  /** Rows held, newest first: the pages flattened once. */
  rows: readonly EventJson[];
  /** Column index that is drawn at the top: the lowest `first` there has been. */
  origin: number;
  /** True when the first page held is the newest there is. */
  atNewest: boolean;
  /** True when the last page held ends where the record begins. */
  atOldest: boolean;
  /** Events that came since and are not shown, newest first. */
  pending: readonly EventJson[];
  /** How many came since, including those no longer kept in `pending`. */
  pendingCount: number;
}

export const EMPTY_WINDOW: PageWindow = {
  pages: [],
  first: 0,
  origin: 0,
  rows: [],
  atNewest: true,
  atOldest: true,
  pending: [],
  pendingCount: 0,
};

function make(
  pages: readonly EventPage[],
  first: number,
  rest: Partial<PageWindow>,
  from: PageWindow,
): PageWindow {
  const merged = { ...from, ...rest };
  return {
    ...merged,
    pages,
    first,
    origin: merged.atNewest ? first : Math.min(from.origin, first),
    rows: pages.length === 1 ? (pages[0]?.events ?? []) : pages.flatMap((page) => page.events),
    atOldest: pages.at(-1)?.older === undefined,
  };
}

/** A fresh window on the newest page. */
export function openWindow(page: EventPage): PageWindow {
  return make([page], 0, { atNewest: true }, EMPTY_WINDOW);
}

/** A window that begins with an event somewhere in the record; what is newer is a page away. */
export function openWindowAt(page: EventPage): PageWindow {
  return make([page], 0, { atNewest: false }, EMPTY_WINDOW);
}

/** The cursor that pages away from an event it is exclusive of; the contract says how it is made. */
export function cursorOf(event: EventJson): string {
  return `${event.tsNs}.${event.eventId}`;
}

/**
 * Adds the page older than the last; lets go of the newest beyond the bound. An empty page with a cursor means that
 * the search ran out of time there: only the place to go on from changes.
 */
export function appendOlder(window: PageWindow, page: EventPage): PageWindow {
  const last = window.pages.at(-1);
  if (page.events.length === 0 && last) {
    return make([...window.pages.slice(0, -1), { ...last, older: page.older }], window.first, {}, window);
  }
  const pages = [...window.pages, page];
  let { first, atNewest } = window;
  while (pages.length > MAX_PAGES) {
    first += pages.shift()?.events.length ?? 0;
    atNewest = false;
  }
  return make(pages, first, { atNewest }, window);
}

/** Adds the page newer than the first. An empty one means the newest was already there. */
export function prependNewer(window: PageWindow, page: EventPage): PageWindow {
  if (page.events.length === 0) return make(window.pages, window.first, { atNewest: true }, window);
  const pages = [page, ...window.pages];
  while (pages.length > MAX_PAGES) pages.pop();
  return make(pages, window.first - page.events.length, { atNewest: page.newer === undefined }, window);
}

const newerFirst = (a: EventJson, b: EventJson): number => {
  const byTime = BigInt(b.tsNs) - BigInt(a.tsNs);
  if (byTime !== 0n) return byTime > 0n ? 1 : -1;
  return Number(b.eventId) - Number(a.eventId);
};

/** Rows that came again with more known about them (a detection, a hash) take the place of what was shown. */
function replaceKnown(
  window: PageWindow,
  events: readonly EventJson[],
): { window: PageWindow; fresh: EventJson[] } {
  const again = new Map<string, EventJson>();
  const held = new Set(window.rows.map((row) => row.eventId));
  const fresh: EventJson[] = [];
  for (const event of events) {
    if (held.has(event.eventId)) again.set(event.eventId, event);
    else fresh.push(event);
  }
  if (again.size === 0) return { window, fresh };
  const pages = window.pages.map((page) =>
    page.events.some((row) => again.has(row.eventId))
      ? { ...page, events: page.events.map((row) => again.get(row.eventId) ?? row) }
      : page,
  );
  return { window: make(pages, window.first, {}, window), fresh };
}

/** Takes what a subscription delivered (oldest first). Held: new rows wait. Otherwise they enter at the top. */
export function receive(
  window: PageWindow,
  delta: { events: readonly EventJson[]; skipped: number },
  held: boolean,
): PageWindow {
  const known = replaceKnown(window, delta.events);
  const arrived = known.fresh.length + delta.skipped;
  if (arrived === 0) return known.window;
  const next: PageWindow = {
    ...known.window,
    pending: [...known.fresh].reverse().concat(window.pending).slice(0, MAX_PENDING),
    pendingCount: window.pendingCount + arrived,
  };
  return held || !window.atNewest ? next : release(next);
}

/**
 * Lets waiting rows in, at the cost of the oldest ones when live rows would outgrow the window. Only for a window at
 * the newest page; elsewhere the newest must be opened afresh.
 */
export function release(window: PageWindow): PageWindow {
  if (window.pendingCount === 0 || !window.atNewest) return window;
  const [top] = window.pages;
  const done = { pending: [], pendingCount: 0 };
  const first = window.first - window.pending.length;
  const lost = window.pendingCount > window.pending.length;
  const events = [...window.pending, ...(lost ? [] : (top?.events ?? []))].sort(newerFirst);
  if (lost || events.length > PAGE_ROWS * 2) {
    const kept = events.slice(0, PAGE_ROWS);
    const last = kept.at(-1);
    return make([{ events: kept, older: last && cursorOf(last) }], first, done, window);
  }
  return make([{ ...top, events }, ...window.pages.slice(1)], first, done, window);
}

/** The row at a column index, or undefined while its page is not held. */
export function rowAt(window: PageWindow, index: number): EventJson | undefined {
  return window.rows[index - window.first];
}

/** Column index of an event, or -1. */
export function indexOf(window: PageWindow, eventId: string): number {
  const at = window.rows.findIndex((row) => row.eventId === eventId);
  return at < 0 ? -1 : at + window.first;
}
