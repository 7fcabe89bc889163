/**
 * The virtual list over the page window. Rows sit at their column index times the row height, so paging in and out
 * never moves what is on screen; only rows that enter above the reader shift the scroll position, by exactly their
 * height.
 */
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import type { EventJson } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { usePrefs } from '../prefs.ts';
import { openValueMenu, useApp } from '../store.ts';
import { dayOf, nsOfMs } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { columnName, gridOf, timeWidth, isNumber } from './columns.ts';
import { EventRow, rowId } from './event-row.tsx';
import { fieldName } from './fields.ts';
import type { RowItem } from './fold.ts';
import { holesIn } from './holes.ts';
import { currentRow, listKey } from './list-keys.ts';
import { ListNotice } from './list-notice.tsx';
import { extendMarks, toggleMark } from './marks.ts';
import { MAX_PENDING, type PageWindow, indexOf, rowAt } from './page-window.ts';
import { RowMenu, openRowMenu } from './row-menu.tsx';
import { useTimeline } from './timeline-state.ts';
import {
  loadNewer,
  loadOlder,
  releaseIfIdle,
  selectEvent,
  setHoldProbe,
  showNewest,
} from './timeline-store.ts';

const ROW_PX = { normal: 28, compact: 24 } as const;
/** Height of the sticky heading. */
const HEAD_PX = 28;
/** Rows from the edge of what is held at which the next page is asked for. */
const AHEAD_ROWS = 60;

/** Whether a row shows an event or stands for it. */
function showsEvent(row: RowItem | undefined, eventId: string | undefined): boolean {
  if (!row || eventId === undefined) return false;
  if (row.event.eventId === eventId) return true;
  return !row.open && row.run !== undefined && row.run.some((event) => event.eventId === eventId);
}

function holeBelow(about: readonly EventJson[], holes: ReadonlyMap<string, string>): string | undefined {
  if (holes.size === 0) return undefined;
  return about.map((event) => holes.get(event.eventId)).find((text) => text !== undefined);
}

/** By how many rows what was at `top` rows from the beginning has moved down. */
function movedBy(before: PageWindow, after: PageWindow, top: number): number {
  const event = rowAt(before, top + before.origin)?.event;
  const index = event === undefined ? -1 : indexOf(after, event.eventId);
  return index < 0 ? before.origin - after.origin : index - after.origin - top;
}

function NewPill() {
  const count = useTimeline((state) => state.window.pendingCount);
  const paused = useTimeline((state) => state.paused);
  if (count === 0) return null;
  const text =
    count > MAX_PENDING * 50 ? t('live.newAtLeast', { n: String(MAX_PENDING * 50) }) : tn('live.new', count);
  return (
    <button type="button" className="new-pill" onClick={() => showNewest()}>
      <Icon name="up" /> {text}
      <span className="new-pill-why">{paused ? t('live.paused') : t('live.held')}</span>
    </button>
  );
}

/** The menu of the value under the pointer; elsewhere on a row, or by key, that of the row. */
function menuAt(event: React.MouseEvent): void {
  const target = event.target as HTMLElement;
  const { field, value } = target.closest<HTMLElement>('[data-field]')?.dataset ?? {};
  if (field === undefined || value === undefined) {
    const row = target.closest<HTMLElement>('[data-event]')?.dataset.event;
    const point = row === undefined ? undefined : { x: event.clientX, y: event.clientY };
    if (openRowMenu(row, point)) event.preventDefault();
    return;
  }
  event.preventDefault();
  openValueMenu({ x: event.clientX, y: event.clientY, label: fieldName(field), field, value });
}

export function EventList() {
  const scroller = useRef<HTMLDivElement>(null);
  const window_ = useTimeline((state) => state.window);
  const cursor = useTimeline((state) => state.cursor);
  const toTop = useTimeline((state) => state.toTop);
  const query = useTimeline((state) => state.query);
  const loadingOlder = useTimeline((state) => state.loadingOlder);
  const selected = useApp((state) => state.route.eventId);
  const pins = useApp((state) => state.route.pins);
  const marked = useTimeline((state) => state.marked);
  const gaps = useTimeline((state) => state.histogram?.gaps);
  const columns = usePrefs((prefs) => prefs.columns);
  const relative = usePrefs((prefs) => prefs.timeStyle === 'relative');
  const [hover, setHover] = useState<string>();
  const rowPx = ROW_PX[usePrefs((prefs) => prefs.density)];
  const list = useRef<HTMLDivElement>(null);
  const { origin, first, rows, atOldest } = window_;
  const held = window_.items.length;
  const count = first - origin + held + (atOldest ? 1 : 0);

  // Its functions change what they answer without changing identity; nothing here memoises over them.
  // oxlint-disable-next-line react/incompatible-library
  const virtualizer = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowPx,
    overscan: 8,
    scrollMargin: HEAD_PX,
    scrollPaddingStart: HEAD_PX,
    useFlushSync: false,
  });
  useEffect(() => virtualizer.measure(), [virtualizer, rowPx]);

  // Rows that entered, were folded or unfolded above: keep what is being read where it is. Only live rows at the very
  // top may push it down.
  const last = useRef(window_);
  useLayoutEffect(() => {
    const element = scroller.current;
    const before = last.current;
    last.current = window_;
    if (!element || before === window_ || (before.atNewest && element.scrollTop === 0)) return;
    element.scrollTop += movedBy(before, window_, Math.floor(element.scrollTop / rowPx)) * rowPx;
  }, [window_, rowPx]);
  useLayoutEffect(() => {
    if (scroller.current) scroller.current.scrollTop = 0;
  }, [toTop]);

  useEffect(() => {
    setHoldProbe(() => {
      const element = list.current;
      if (!element) return false;
      const read = element.matches(':hover') || element.contains(document.activeElement);
      return read || (scroller.current?.scrollTop ?? 0) > 0;
    });
    return () => setHoldProbe(() => false);
  }, []);
  const items = virtualizer.getVirtualItems();
  const firstShown = (items[0]?.index ?? 0) + origin;
  const lastShown = (items.at(-1)?.index ?? 0) + origin;
  useEffect(() => {
    if (rows.length === 0) return;
    // With few rows held, less ahead: loading both ways in turn would push each other's pages out.
    const spare = Math.max(0, Math.floor((held - (lastShown - firstShown)) / 3));
    const ahead = Math.max(1, Math.min(AHEAD_ROWS, spare));
    if (lastShown >= first + held - ahead) void loadOlder();
    if (firstShown < first + ahead) void loadNewer();
  }, [firstShown, lastShown, first, held, rows]);

  // The cursor is always on screen, whoever moved it.
  useEffect(() => {
    const { window: held } = useTimeline.getState();
    const index = cursor === undefined ? -1 : indexOf(held, cursor);
    if (index >= 0) virtualizer.scrollToIndex(index - held.origin);
  }, [cursor, virtualizer]);
  const holes = useMemo(() => holesIn(rows, gaps ?? []), [rows, gaps]);
  const today = dayOf(String(nsOfMs(Date.now())));
  const [newest, oldest] = [rows[0], rows.at(-1)];
  const dated = [newest, oldest].some((event) => event !== undefined && dayOf(event.tsNs) !== today);
  const activeId = cursor ?? selected;
  const activeShown = items.some((item) => showsEvent(rowAt(window_, item.index + origin), activeId));
  const activeRow =
    activeId === undefined ? undefined : rowAt(window_, indexOf(window_, activeId))?.event.eventId;

  return (
    <div ref={list} className="list" onPointerLeave={() => setTimeout(releaseIfIdle)}>
      <NewPill />
      <div
        ref={scroller}
        className="list-scroll"
        role="grid"
        id="event-list"
        tabIndex={0}
        aria-label={t('list.label')}
        aria-rowcount={-1}
        aria-colcount={3 + columns.length}
        aria-multiselectable
        style={
          {
            '--grid': gridOf(columns, relative, dated),
            '--time': `${timeWidth(relative, dated)}px`,
          } as React.CSSProperties
        }
        aria-activedescendant={activeRow !== undefined && activeShown ? rowId(activeRow) : undefined}
        onScroll={releaseIfIdle}
        onBlur={() => setTimeout(releaseIfIdle)}
        onKeyDown={(event) => {
          const pageRows = Math.floor((scroller.current?.clientHeight ?? 400) / rowPx) - 2;
          if (listKey(event.nativeEvent, pageRows)) event.preventDefault();
        }}
        onContextMenu={menuAt}
        onPointerOver={(event) =>
          setHover((event.target as HTMLElement).closest<HTMLElement>('[data-event]')?.dataset.event)
        }
        onPointerLeave={() => setHover(undefined)}
        // Shift extends the choice of rows, not of text.
        onMouseDown={(event) => event.shiftKey && event.preventDefault()}
        onClick={(event) => {
          const target = event.target as HTMLElement;
          const eventId = target.closest<HTMLElement>('[data-event]')?.dataset.event;
          if (eventId === undefined || target.closest('button')) return;
          if (event.shiftKey) extendMarks(currentRow(), eventId);
          else if (event.ctrlKey || event.metaKey) toggleMark(eventId);
          else if (target.closest('.cell-menu')) menuAt(event);
          else selectEvent(eventId);
        }}
      >
        <div role="row" className="list-head" aria-rowindex={1}>
          <span role="columnheader">{t('list.time')}</span>
          <span role="columnheader">
            <span className="visually-hidden">{t('list.severity')}</span>
          </span>
          <span role="columnheader">{t('list.what')}</span>
          {columns.map((field) => (
            <span key={field} role="columnheader" className={isNumber(field) ? 'cell right' : 'cell'}>
              {columnName(field)}
            </span>
          ))}
        </div>
        <div role="rowgroup" className="list-body" style={{ height: virtualizer.getTotalSize() }}>
          {items.map((item) => {
            const index = item.index + origin;
            const row = rowAt(window_, index);
            if (!row) {
              const end = index === first + held && held > 0;
              return (
                <div
                  // Not the index alone: an event may have that number as its id.
                  key={`blank-${item.key}`}
                  role="row"
                  className="row row-blank"
                  style={{ transform: `translateY(${item.start - HEAD_PX}px)` }}
                >
                  <span role="gridcell">{end ? t(query === '' ? 'list.end' : 'list.endQuery') : ''}</span>
                </div>
              );
            }
            const { event } = row;
            const about = row.run && !row.open ? row.run : [event];
            return (
              <EventRow
                key={event.eventId}
                event={event}
                run={row.run}
                open={row.open}
                index={item.index}
                top={item.start - HEAD_PX}
                selected={showsEvent(row, selected)}
                cursor={showsEvent(row, cursor)}
                marked={about.every((each) => marked.has(each.eventId))}
                pinned={about.some((each) => pins.includes(each.eventId))}
                active={event.eventId === hover || showsEvent(row, activeId)}
                columns={columns}
                relative={relative}
                gap={holeBelow(about, holes)}
                today={today}
              />
            );
          })}
        </div>
      </div>
      {loadingOlder ? (
        <div className="list-loading" role="status">
          {t('list.loadingOlder')}
        </div>
      ) : null}
      <ListNotice />
      <RowMenu />
    </div>
  );
}
