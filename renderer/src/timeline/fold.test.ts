import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventJson, EventPage } from '../../../agent/api/contract.ts';
import { MAX_RUN, fold } from './fold.ts';
import {
  EMPTY_WINDOW,
  MAX_PENDING,
  PAGE_ROWS,
  type PageWindow,
  appendOlder,
  cursorOf,
  foldRows,
  indexOf,
  openRun,
  openWindow,
  prependNewer,
  receive,
  release,
  rowAt,
} from './page-window.ts';

const NONE = { on: true, opened: new Set<string>() };
const PROCESS = { pid: 7, startNs: '70', name: 'cc' };

/** The event with number `id`: one opened `path`. */
const opened = (id: number, path: string, rest: Partial<EventJson> = {}): EventJson => ({
  eventId: String(id),
  eventVersion: 1,
  type: 'file',
  action: 'open',
  lane: 'observability',
  tsNs: String(1_700_000_000_000_000_000n + BigInt(id)),
  severity: 'info',
  process: PROCESS,
  file: { path, op: 'open' },
  ...rest,
});
const newestFirst = (paths: readonly string[]): EventJson[] =>
  paths.map((path, at) => opened(at + 1, path)).reverse();
const shape = (items: ReturnType<typeof fold>): string[] =>
  items.map(({ event, run, open }) => `${event.file?.path}${run ? run.length : ''}${open ? '+' : ''}`);

describe('repeats as one row', () => {
  it('folds three or more alike and leaves pairs alone', () => {
    const events = newestFirst(['a', 'a', 'b', 'b', 'b', 'd', 'c', 'c', 'c', 'c']);
    expect(shape(fold(events, NONE))).toEqual(['c4', 'd', 'b3', 'a', 'a']);
    expect(shape(fold(events, { ...NONE, on: false }))).toHaveLength(10);
  });

  it('folds what takes turns, each where its newest is, but nothing that is far apart', () => {
    const turns = newestFirst(['a', 'b', 'a', 'b', 'x', 'a', 'b', 'y']);
    expect(shape(fold(turns, NONE))).toEqual(['y', 'b3', 'a3', 'x']);
    const far = newestFirst(['a', '1', '2', '3', '4', 'a', '5', '6', '7', '8', 'a']);
    expect(fold(far, NONE)).toHaveLength(far.length);
  });

  it('moves nothing past what is to be seen by itself', () => {
    const events = newestFirst(['a', 'a', 'a', 'hit', 'a', 'a', 'a']);
    const hit = events.findIndex((event) => event.file?.path === 'hit');
    events[hit] = { ...events[hit]!, severity: 'high' };
    expect(shape(fold(events, NONE))).toEqual(['a3', 'hit', 'a3']);
  });

  it('does not fold over another process, another act, or anything that says more', () => {
    const make = (rest: Partial<EventJson>): EventJson[] => [
      opened(3, 'a'),
      opened(2, 'a', rest),
      opened(1, 'a'),
    ];
    const different: Partial<EventJson>[] = [
      { process: { ...PROCESS, startNs: '71' } },
      { action: 'create' },
      { severity: 'low' },
      { detections: [{ ruleId: 'r', title: 'r', level: 'info', attack: [], source: '', clauses: [] }] },
      { synthetic: true },
      { gap: { lane: 'security', cause: 'ring_full', fromNs: '1', toNs: '2' } },
    ];
    for (const rest of different) expect(fold(make(rest), NONE)).toHaveLength(3);
    expect(fold(make({ file: { path: 'a', op: 'open', bytes: '9' } }), NONE)).toHaveLength(1);
  });

  it('shows a run one by one under its head, and as one row again', () => {
    let window = openWindow({ events: newestFirst(['a', 'b', 'b', 'b', 'b', 'c']) });
    window = openRun(window, '4', true);
    expect(shape([...window.items])).toEqual(['c', 'b4+', 'b+', 'b+', 'b+', 'a']);
    window = openRun(window, '2', false);
    expect(shape([...window.items])).toEqual(['c', 'b4', 'a']);
    expect(indexOf(window, '3')).toBe(1);
  });

  it('a run grows in place when more of the same comes in', () => {
    let window = openWindow({ events: newestFirst(['a', 'b', 'b', 'b']) });
    window = receive(window, { events: [opened(5, 'b'), opened(6, 'b')], skipped: 0 }, false);
    expect(shape([...window.items])).toEqual(['b5', 'a']);
    expect(window.first).toBe(0);
    const late = { ...opened(4, 'b'), severity: 'high' as const };
    window = receive(window, { events: [late], skipped: 0 }, false);
    expect(shape([...window.items])).toEqual(['b', 'b', 'b', 'b', 'b', 'a']);
  });

  it('always holds rows for a screen, whatever repeats', () => {
    const total = 20_000;
    const page = (newest: number): EventPage => {
      const events = Array.from({ length: PAGE_ROWS }, (_, at) => opened(newest - at, 'same'));
      return { events, older: 'o', newer: 'n' };
    };
    let window = openWindow(page(total));
    for (let at = 1; at < 90; at += 1) {
      const held = window.items.at(-1)?.event.eventId ?? '';
      const before = indexOf(window, held);
      window = appendOlder(window, page(total - at * PAGE_ROWS));
      expect(indexOf(window, held)).toBe(before);
      expect(window.rows.length).toBeLessThanOrEqual(40 * PAGE_ROWS);
    }
    expect(window.items.length).toBeGreaterThanOrEqual((40 * PAGE_ROWS) / MAX_RUN);
    expect(window.atNewest).toBe(false);
  });

  it('keeps every event once and in order, and rows where they are, under any paging and live rows', () => {
    const RECORD = 3000;
    const record = (kinds: readonly number[]): EventJson[] =>
      Array.from({ length: RECORD }, (_, at) => opened(at + 1, `f${kinds[at % kinds.length]}`));
    const step = fc.constantFrom('older', 'newer', 'live', 'held', 'open', 'fold');
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 400 }),
        fc.array(step, { maxLength: 40 }),
        (kinds, steps) => {
          const all = record(kinds);
          let stored = 2000;
          const older = (below: number): EventPage => {
            const events = all.slice(Math.max(0, below - 1 - PAGE_ROWS), below - 1).reverse();
            const [first] = events;
            const last = events.at(-1);
            return {
              events,
              ...(first ? { newer: cursorOf(first) } : {}),
              ...(last && last.eventId !== '1' ? { older: cursorOf(last) } : {}),
            };
          };
          const idOf = (cursor: string): number => Number(cursor.split('.')[1]);
          let window: PageWindow = openWindow(older(stored + 1), EMPTY_WINDOW);
          for (const each of steps) {
            const probe = window.items[Math.floor(window.items.length / 2)]?.event.eventId ?? '';
            const at = indexOf(window, probe);
            const cursor = window.pages.at(-1)?.older;
            const newer = window.pages[0]?.newer;
            if (each === 'older' && cursor !== undefined) {
              window = appendOlder(window, older(idOf(cursor)));
              if (indexOf(window, probe) >= 0) expect(indexOf(window, probe)).toBe(at);
            } else if (each === 'newer' && !window.atNewest && newer !== undefined) {
              const from = idOf(newer);
              const events = all.slice(from, Math.min(stored, from + PAGE_ROWS)).reverse();
              const [top] = events;
              const more = top !== undefined && Number(top.eventId) < stored;
              window = prependNewer(window, { events, ...(more ? { newer: cursorOf(top) } : {}) });
              if (indexOf(window, probe) >= 0) expect(indexOf(window, probe)).toBe(at);
            } else if (each === 'live' || each === 'held') {
              const events = all.slice(stored, stored + 30);
              stored += events.length;
              window = receive(window, { events, skipped: 0 }, each === 'held');
              if (each === 'live') window = release(window);
            } else if (each === 'open') window = openRun(window, probe, true);
            else if (each === 'fold') window = foldRows(window, !window.folding.on);

            const ids = window.rows.map((event) => Number(event.eventId));
            expect(ids.every((id, n) => n === 0 || (ids[n - 1] ?? 0) === id + 1)).toBe(true);
            const told = window.items.flatMap(({ event, run, open }) => (run && !open ? run : [event]));
            const order = new Map(window.rows.map((event, n) => [event.eventId, n]));
            const places = told.map((event) => order.get(event.eventId) ?? -1);
            expect(places.toSorted((a, b) => a - b)).toEqual(window.rows.map((_, n) => n));
            const tops = window.items.map(({ event }) => order.get(event.eventId) ?? -1);
            expect(tops).toEqual(tops.toSorted((a, b) => a - b));
            expect(window.pending.length).toBeLessThanOrEqual(MAX_PENDING);
            for (const id of [ids[0], ids.at(-1)]) {
              expect(rowAt(window, indexOf(window, String(id)))).toBeDefined();
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
