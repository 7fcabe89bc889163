import { describe, expect, it } from 'vitest';
import type { EventJson, EventPage } from '../../../agent/api/contract.ts';
import {
  MAX_PAGES,
  MAX_PENDING,
  PAGE_ROWS,
  type PageWindow,
  appendOlder,
  indexOf,
  openWindow,
  prependNewer,
  receive,
  release,
  rowAt,
} from './page-window.ts';

const event = (id: number): EventJson => ({
  eventId: String(id),
  eventVersion: 1,
  type: 'process',
  action: 'exec',
  lane: 'security',
  tsNs: String(1_700_000_000_000_000_000n + BigInt(id)),
  severity: 'info',
});
/** Rows `from` down to `to`, newest first. */
const page = (from: number, to: number, cursors: Partial<EventPage> = {}): EventPage => ({
  events: Array.from({ length: from - to + 1 }, (_, at) => event(from - at)),
  ...cursors,
});
const ids = (window: PageWindow): number[] => window.rows.map((row) => Number(row.eventId));
const contiguous = (window: PageWindow): boolean =>
  ids(window).every((id, at, all) => at === 0 || (all[at - 1] ?? 0) === id + 1);

describe('paging', () => {
  it('holds a few pages only, and dropping one moves no row', () => {
    let window = openWindow(page(10_000, 9801, { older: 'c' }));
    for (let at = 1; at < 12; at += 1) {
      const held = indexOf(window, String(10_000 - at * 200 + 1));
      window = appendOlder(window, page(10_000 - at * 200, 9801 - at * 200, { older: 'c', newer: 'n' }));
      expect(window.pages.length).toBeLessThanOrEqual(MAX_PAGES);
      expect(indexOf(window, String(10_000 - at * 200 + 1))).toBe(held);
      expect(contiguous(window)).toBe(true);
    }
    expect(window.atNewest).toBe(false);
    expect(window.first).toBe(8 * 200);
    expect(window.origin).toBe(0);
    expect(rowAt(window, 0)).toBeUndefined();
    expect(rowAt(window, window.first)?.event.eventId).toBe(String(10_000 - 8 * 200));
  });

  it('comes back to the newest by paging up', () => {
    let window = openWindow(page(1000, 801, { older: 'c' }));
    for (let at = 1; at < 6; at += 1)
      window = appendOlder(window, page(1000 - at * 200 + 0, 801 - at * 200, { older: 'c' }));
    expect(window.atNewest).toBe(false);
    window = prependNewer(window, page(800, 601, { newer: 'n', older: 'c' }));
    window = prependNewer(window, page(1000, 801, { older: 'c' }));
    expect(window.atNewest).toBe(true);
    expect(window.first).toBe(0);
    expect(window.atOldest).toBe(false);
  });

  it('knows both ends of the record', () => {
    const window = openWindow(page(3, 1));
    expect(window.atNewest && window.atOldest).toBe(true);
    expect(prependNewer({ ...window, atNewest: false }, page(0, 1)).atNewest).toBe(true);
    expect(prependNewer({ ...window, atNewest: false }, page(5, 4, { newer: 'n' })).atNewest).toBe(false);
  });
});

describe('new rows', () => {
  const delta = (from: number, to: number, skipped = 0): { events: EventJson[]; skipped: number } => ({
    events: page(to, from).events.reverse(),
    skipped,
  });

  it('enter at the top when nobody holds the list', () => {
    const window = receive(openWindow(page(10, 1)), delta(11, 12), false);
    expect(ids(window).slice(0, 3)).toEqual([12, 11, 10]);
    expect(window.pendingCount).toBe(0);
    expect(window.origin).toBe(-2);
  });

  it('wait while held, and enter in order when let go', () => {
    let window = receive(openWindow(page(10, 1)), delta(11, 12), true);
    window = receive(window, delta(13, 15), true);
    expect(ids(window)[0]).toBe(10);
    expect(window.pendingCount).toBe(5);
    window = release(window);
    expect(ids(window).slice(0, 6)).toEqual([15, 14, 13, 12, 11, 10]);
    expect(window.pendingCount).toBe(0);
  });

  it('are counted but not kept without bound', () => {
    let window = openWindow(page(10, 1));
    for (let at = 0; at < 10; at += 1)
      window = receive(window, delta(11 + at * 100, 110 + at * 100, 50), true);
    expect(window.pending.length).toBe(MAX_PENDING);
    expect(window.pendingCount).toBe(1500);
    const released = release(window);
    expect(ids(released)).toHaveLength(PAGE_ROWS);
    expect(ids(released)[0]).toBe(1010);
    expect(released.pages.at(-1)?.older).toBe('1700000000000000811.811');
    expect(released.atOldest).toBe(false);
  });

  it('never make the window grow past its bound', () => {
    let window = openWindow(page(200, 1));
    for (let at = 0; at < 100; at += 1) window = receive(window, delta(201 + at * 50, 250 + at * 50), false);
    expect(window.rows.length).toBeLessThanOrEqual(PAGE_ROWS * 2);
    expect(ids(window)[0]).toBe(5200);
    expect(contiguous(window)).toBe(true);
  });

  it('late ones find their place by time', () => {
    const late = { ...event(9), eventId: '99' };
    const window = receive(
      openWindow({ events: [event(12), event(8)] }),
      { events: [late], skipped: 0 },
      false,
    );
    expect(ids(window)).toEqual([12, 99, 8]);
  });

  it('only count when the newest page is no longer held', () => {
    const window = receive({ ...openWindow(page(10, 1)), atNewest: false }, delta(11, 11), false);
    expect(window.pendingCount).toBe(1);
    expect(ids(window)[0]).toBe(10);
    expect(release(window)).toBe(window);
  });

  it('that are known already take their old place', () => {
    const better = { ...event(5), severity: 'high' as const };
    const window = receive(openWindow(page(10, 1)), { events: [better], skipped: 0 }, true);
    expect(window.pendingCount).toBe(0);
    expect(rowAt(window, indexOf(window, '5'))?.event.severity).toBe('high');
    expect(ids(window)).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });
});

describe('a search that ran out of time', () => {
  it('goes on from where it stopped', () => {
    const window = appendOlder(openWindow(page(10, 9, { older: 'a' })), { events: [], older: 'b' });
    expect(window.rows).toHaveLength(2);
    expect(window.pages.at(-1)?.older).toBe('b');
    expect(appendOlder(window, { events: [] }).atOldest).toBe(true);
  });
});
