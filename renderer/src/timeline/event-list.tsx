/**
 * The virtual list over the page window. Rows sit at their column index times the row height, so paging in and out
 * never moves what is on screen; only rows that enter above the reader shift the scroll position, by exactly their
 * height.
 */
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { t, tn } from '../i18n/i18n.ts';
import { usePrefs } from '../prefs.ts';
import { openValueMenu, useApp } from '../store.ts';
import { dayOf, nsOfMs } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { columnName, gridOf, timeWidth, isNumber } from './columns.ts';
import { EventRow, rowId } from './event-row.tsx';
import { fieldName } from './fields.ts';
import { holesIn } from './holes.ts';
import { currentRow, listKey } from './list-keys.ts';
import { ListNotice } from './list-notice.tsx';
import { extendMarks, toggleMark } from './marks.ts';
import { MAX_PENDING, indexOf, rowAt } from './page-window.ts';
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
  const { origin, first, rows, atOldest, atNewest } = window_;
  const count = first - origin + rows.length + (atOldest ? 1 : 0);

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

  // Rows that entered above: keep what is being read where it is. Only live rows at the very top may push it down.
  const last = useRef({ origin, atNewest });
  useLayoutEffect(() => {
    const element = scroller.current;
    const entered = last.current.origin - origin;
    const live = last.current.atNewest && element?.scrollTop === 0;
    last.current = { origin, atNewest };
    if (element && entered !== 0 && !live) element.scrollTop += entered * rowPx;
  }, [origin, atNewest, rowPx]);
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
    if (lastShown > first + rows.length - AHEAD_ROWS) void loadOlder();
    if (firstShown < first + AHEAD_ROWS) void loadNewer();
  }, [firstShown, lastShown, first, rows]);

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
  const activeShown = items.some((item) => rowAt(window_, item.index + origin)?.eventId === activeId);

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
        aria-activedescendant={activeId !== undefined && activeShown ? rowId(activeId) : undefined}
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
            const event = rowAt(window_, index);
            if (!event) {
              const end = index === first + rows.length && rows.length > 0;
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
            return (
              <EventRow
                key={event.eventId}
                event={event}
                index={item.index}
                top={item.start - HEAD_PX}
                selected={event.eventId === selected}
                cursor={event.eventId === cursor}
                marked={marked.has(event.eventId)}
                pinned={pins.includes(event.eventId)}
                active={event.eventId === hover || event.eventId === activeId}
                columns={columns}
                relative={relative}
                gap={holes.get(event.eventId)}
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
