/**
 * The rows the window holds: a few pages around what is on screen, never the result. Pure data and functions; the
 * virtual list draws row `index` of an endless column whose origin is the newest row known when the window began.
 *
 * Invariants: pages are newest first and contiguous; `first` is the column index of the first row held, so dropping
 * pages on one side moves no row; new rows never enter while `held`. A row stands for one event or for a run of alike
 * ones; MAX_PAGES are held, or more of them, up to MAX_FOLDED_PAGES, while their rows are fewer than those of LEAST_PAGES.
 */
import type { EventJson, EventPage } from '../../../agent/api/contract.ts';
import { type Folding, type RowItem, fold } from './fold.ts';

export const PAGE_ROWS = 200;
export const MAX_PAGES = 4;
const LEAST_PAGES = 3;
const MAX_FOLDED_PAGES = 40;
/** New rows kept ready for when the reader lets go; beyond it they are only counted. */
export const MAX_PENDING = 200;

export interface PageWindow {
  pages: readonly EventPage[];
  /** Column index of the first row held. */
  first: number;
  /** Events held, newest first: the pages flattened once. */
  rows: readonly EventJson[];
  /** The rows they make. */
  items: readonly RowItem[];
  folding: Folding;
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
  items: [],
  folding: { on: true, opened: new Set() },
  atNewest: true,
  atOldest: true,
  pending: [],
  pendingCount: 0,
};

const folded = new WeakMap<EventPage, { folding: Folding; items: readonly RowItem[] }>();

/** The rows of a page; a page is never changed, so they are found once. */
function itemsOf(page: EventPage, folding: Folding): readonly RowItem[] {
  const known = folded.get(page);
  if (known?.folding === folding) return known.items;
  const items = fold(page.events, folding);
  folded.set(page, { folding, items });
  return items;
}

function countItems(pages: readonly EventPage[], folding: Folding): number {
  return pages.reduce((sum, page) => sum + itemsOf(page, folding).length, 0);
}

/** Whether `rest`, what would be left without one page, is still enough. */
function tooMany(pages: readonly EventPage[], rest: readonly EventPage[], folding: Folding): boolean {
  if (pages.length <= MAX_PAGES) return false;
  return pages.length > MAX_FOLDED_PAGES || countItems(rest, folding) >= LEAST_PAGES * PAGE_ROWS;
}

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
    items: pages.flatMap((page) => itemsOf(page, merged.folding)),
    atOldest: pages.at(-1)?.older === undefined,
  };
}

/** A window without rows that folds as `folding` says. */
export function emptyWindow(on: boolean): PageWindow {
  return { ...EMPTY_WINDOW, folding: { on, opened: new Set() } };
}

/** A fresh window on the newest page. */
export function openWindow(page: EventPage, from: PageWindow = EMPTY_WINDOW): PageWindow {
  return make([page], 0, { atNewest: true }, emptyWindow(from.folding.on));
}

/** A window that begins with an event somewhere in the record; what is newer is a page away. */
export function openWindowAt(page: EventPage, from: PageWindow = EMPTY_WINDOW): PageWindow {
  return make([page], 0, { atNewest: false }, emptyWindow(from.folding.on));
}

/** Folds runs of alike rows or does not. */
export function foldRows(window: PageWindow, on: boolean): PageWindow {
  if (window.folding.on === on) return window;
  return make(window.pages, window.first, { folding: { on, opened: new Set() } }, window);
}

/** Shows the run that an event is part of one by one, or as one row again. */
export function openRun(window: PageWindow, eventId: string, open: boolean): PageWindow {
  const item = window.items.find(
    (each) => each.open !== open && each.run?.some((event) => event.eventId === eventId),
  );
  if (!item?.run) return window;
  const held = new Set(window.rows.map((row) => row.eventId));
  const opened = new Set([...window.folding.opened].filter((id) => held.has(id)));
  for (const { eventId: id } of item.run) {
    if (open) opened.add(id);
    else opened.delete(id);
  }
  return make(window.pages, window.first, { folding: { on: true, opened } }, window);
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
  while (tooMany(pages, pages.slice(1), window.folding)) {
    first += countItems(pages.splice(0, 1), window.folding);
    atNewest = false;
  }
  return make(pages, first, { atNewest }, window);
}

/** Adds the page newer than the first. An empty one means the newest was already there. */
export function prependNewer(window: PageWindow, page: EventPage): PageWindow {
  if (page.events.length === 0) return make(window.pages, window.first, { atNewest: true }, window);
  const pages = [page, ...window.pages];
  while (tooMany(pages, pages.slice(0, -1), window.folding)) pages.pop();
  return make(
    pages,
    window.first - countItems([page], window.folding),
    { atNewest: page.newer === undefined },
    window,
  );
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
  const lost = window.pendingCount > window.pending.length;
  const events = [...window.pending, ...(lost ? [] : (top?.events ?? []))].sort(newerFirst);
  if (lost || events.length > PAGE_ROWS * 2) {
    const kept = events.slice(0, PAGE_ROWS);
    const last = kept.at(-1);
    const entered = countItems([{ events: window.pending.slice(0, kept.length) }], window.folding);
    return make([{ events: kept, older: last && cursorOf(last) }], window.first - entered, done, window);
  }
  const page = { ...top, events };
  const before = top ? countItems([top], window.folding) : 0;
  const first = window.first - countItems([page], window.folding) + before;
  return make([page, ...window.pages.slice(1)], first, done, window);
}

/** The row at a column index, or undefined while its page is not held. */
export function rowAt(window: PageWindow, index: number): RowItem | undefined {
  return window.items[index - window.first];
}

/** Column index of the row that shows an event or stands for it, or -1. */
export function indexOf(window: PageWindow, eventId: string): number {
  const at = window.items.findIndex(
    ({ event, run, open }) =>
      event.eventId === eventId || (!open && run?.some((each) => each.eventId === eventId)),
  );
  return at < 0 ? -1 : at + window.first;
}

export function eventOf(window: PageWindow, eventId: string): EventJson | undefined {
  return window.rows.find((row) => row.eventId === eventId);
}
