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
export const MAX_PENDING = PAGE_ROWS;

export interface PageWindow {
  pages: readonly EventPage[];
  /** Column index of the first row held. */
  first: number;
  /** Rows held, newest first: the pages flattened once. */
  rows: readonly EventJson[];
  /** Column index that is drawn at the top: the lowest `first` there has been. */
  origin: number;
  /** True when older rows were let go to make room for live ones: there is no cursor to page on from here. */
  cutTail: boolean;
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
  cutTail: false,
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
    atOldest: !merged.cutTail && pages.at(-1)?.older === undefined,
  };
}

/** A fresh window on the newest page, or on the page around an event. */
export function openWindow(page: EventPage, atNewest = page.newer === undefined): PageWindow {
  return make([page], 0, { atNewest }, EMPTY_WINDOW);
}

/** Adds the page older than the last; lets go of the newest beyond the bound. */
export function appendOlder(window: PageWindow, page: EventPage): PageWindow {
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
  const tooMany = pages.length > MAX_PAGES;
  while (pages.length > MAX_PAGES) pages.pop();
  const rest = { atNewest: page.newer === undefined, cutTail: window.cutTail && !tooMany };
  return make(pages, window.first - page.events.length, rest, window);
}

const newerFirst = (a: EventJson, b: EventJson): number => {
  const byTime = BigInt(b.tsNs) - BigInt(a.tsNs);
  if (byTime !== 0n) return byTime > 0n ? 1 : -1;
  return Number(b.eventId) - Number(a.eventId);
};

/**
 * Takes what a subscription delivered (oldest first). Held: it waits. Otherwise it enters at the top. `reopen` asks
 * for a fresh window, because more came than is kept.
 */
export function receive(
  window: PageWindow,
  delta: { events: readonly EventJson[]; skipped: number },
  held: boolean,
): { window: PageWindow; reopen: boolean } {
  if (delta.events.length === 0 && delta.skipped === 0) return { window, reopen: false };
  const arrived = delta.events.length + delta.skipped;
  const pending = [...delta.events].reverse().concat(window.pending);
  const next: PageWindow = {
    ...window,
    pending: pending.slice(0, MAX_PENDING),
    pendingCount: window.pendingCount + arrived,
  };
  if (held || !window.atNewest) return { window: next, reopen: false };
  return release(next);
}

/** Lets waiting rows in, at the cost of the oldest ones when live rows would outgrow the window. */
export function release(window: PageWindow): { window: PageWindow; reopen: boolean } {
  if (window.pendingCount === 0) return { window, reopen: false };
  if (!window.atNewest) return { window, reopen: true };
  const [top] = window.pages;
  const lost = window.pendingCount > window.pending.length;
  const head = [...window.pending, ...(lost ? [] : (top?.events.slice(0, 32) ?? []))].sort(newerFirst);
  const events = lost ? head : head.concat(top?.events.slice(32) ?? []);
  const done = { pending: [], pendingCount: 0 };
  const first = window.first - window.pending.length;
  if (lost || events.length > PAGE_ROWS * 2) {
    const page: EventPage = { events: events.slice(0, PAGE_ROWS) };
    return { window: make([page], first, { ...done, cutTail: true }, window), reopen: false };
  }
  return {
    window: make([{ ...top, events }, ...window.pages.slice(1)], first, done, window),
    reopen: false,
  };
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
