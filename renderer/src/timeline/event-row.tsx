/** One row of the list: time, severity, sentence, and the columns chosen. */
import { Fragment, memo } from 'react';
import type { EventJson } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { absoluteTime, count, dayOf, timeOfDay } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { IconButton } from '../ui/primitives.tsx';
import { SeverityGlyph } from '../ui/severity.tsx';
import { EndEllipsis, MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { entityOf } from '../processes/process-store.ts';
import { TagBadges } from '../processes/tags.tsx';
import { cellOf, isNumber } from './columns.ts';
import { toggleMark, togglePin } from './marks.ts';
import { type Ask, type Part, describe, verdictOf } from './sentence.ts';
import { showAround, toggleRun } from './timeline-store.ts';

/** Marks what the context menu of a row can ask for. */
function askable(what: Ask | undefined): Record<string, string> {
  return what ? { 'data-field': what.field, 'data-value': what.value } : {};
}

function SentencePart({ part }: { part: Part }) {
  switch (part.kind) {
    case 'actor':
      return (
        <span className="say-actor" {...askable(part.ask)}>
          <EndEllipsis text={part.text} />
        </span>
      );
    case 'object':
      return (
        <span className="say-object" {...askable(part.ask)}>
          <MiddleEllipsis text={part.text} />
        </span>
      );
    case 'note':
      return (
        <span className="say-note">
          <SafeText text={part.text} limit={80} />
        </span>
      );
    default:
      return <span className="say-word">{part.text}</span>;
  }
}

export function Sentence({ event }: { event: EventJson }) {
  // The spaces are for those who hear or copy the sentence; on screen the parts are set apart by the layout.
  return describe(event).map((part, at) => (
    <Fragment key={at}>
      {at === 0 ? null : ' '}
      <SentencePart part={part} />
    </Fragment>
  ));
}

export const rowId = (eventId: string): string => `event-${eventId}`;

function RuleCell({ event }: { event: EventJson }) {
  const [detection, ...more] = event.detections ?? [];
  if (!detection) return <span role="gridcell" className="cell" />;
  return (
    <span role="gridcell" className="cell cell-menu" {...askable({ field: 'rule', value: detection.ruleId })}>
      <span className={`sev-${detection.level}`}>
        <SafeText text={detection.title} limit={120} />
        {more.length > 0 ? ` ${t('list.more', { n: more.length })}` : ''}
      </span>
    </span>
  );
}

function Cell({ event, field }: { event: EventJson; field: string }) {
  if (field === 'rule') return <RuleCell event={event} />;
  const cell = cellOf(event, field);
  const className = `cell cell-menu${isNumber(field) ? ' cell-number num' : ''}`;
  if (!cell) return <span role="gridcell" className="cell" />;
  return (
    <span role="gridcell" className={className} {...askable(cell)}>
      {cell.value.includes('/') ? (
        <MiddleEllipsis text={cell.value} />
      ) : (
        <SafeText text={cell.value} limit={120} />
      )}
    </span>
  );
}

function When({ event, today, relative }: { event: EventJson; today: string; relative: boolean }) {
  const day = dayOf(event.tsNs);
  return (
    <span role="gridcell" className="row-time num" title={absoluteTime(event.tsNs)}>
      {relative ? (
        <Ago ns={event.tsNs} />
      ) : (
        <>
          {day === today ? null : <span className="row-day">{day.slice(5)} </span>}
          {timeOfDay(event.tsNs)}
        </>
      )}
    </span>
  );
}

/** What a key can do to the row, for the hand that is on the mouse. */
function Actions({ eventId, marked, pinned }: { eventId: string; marked: boolean; pinned: boolean }) {
  return (
    <span className="row-actions" role="gridcell">
      <IconButton
        icon="mark"
        label={`${t('marks.toggle')} (x)`}
        pressed={marked}
        onClick={() => toggleMark(eventId)}
      />
      <IconButton
        icon="pin"
        label={`${t(pinned ? 'marks.unpin' : 'marks.pin')} (b)`}
        pressed={pinned}
        onClick={() => togglePin(eventId)}
      />
      <IconButton icon="around" label={`${t('around.show')} (a)`} onClick={() => showAround(eventId)} />
    </span>
  );
}

/** How often, and from when to when; shows them one by one and back. */
function Repeats({ run, open }: { run: readonly EventJson[]; open: boolean }) {
  const [newest] = run;
  const oldest = run.at(-1);
  if (!newest || !oldest) return null;
  const span = t('list.repeats', {
    n: count(run.length),
    from: timeOfDay(oldest.tsNs),
    to: timeOfDay(newest.tsNs),
  });
  return (
    <button
      type="button"
      className="tag row-repeats num"
      tabIndex={-1}
      title={`${span}. ${t(open ? 'list.repeatsFold' : 'list.repeatsOpen')}`}
      aria-label={span}
      aria-expanded={open}
      onClick={() => toggleRun(newest.eventId, !open)}
    >
      × {count(run.length)} <Icon name={open ? 'down' : 'right'} />
    </button>
  );
}

export interface RowProps {
  event: EventJson;
  /** All the events the row stands for, or heads when they are shown one by one. */
  run: readonly EventJson[] | undefined;
  /** Part of a run that is shown one by one. */
  open: boolean;
  index: number;
  top: number;
  selected: boolean;
  cursor: boolean;
  marked: boolean;
  pinned: boolean;
  /** Under the pointer or the keyboard: what can be done with it is shown. */
  active: boolean;
  /** Fields of the query language. */
  columns: readonly string[];
  relative: boolean;
  /** A hole in the record just before (below) this row. */
  gap: string | undefined;
  /** Rows of another day show their date. */
  today: string;
}

export const EventRow = memo(function EventRow(props: RowProps) {
  const {
    event,
    run,
    open,
    index,
    top,
    selected,
    cursor,
    marked,
    pinned,
    active,
    columns,
    relative,
    gap,
    today,
  } = props;
  const verdict = verdictOf(event);
  return (
    <div
      id={rowId(event.eventId)}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected || marked}
      className="row"
      data-event={event.eventId}
      data-lane={event.lane}
      data-severity={event.severity}
      data-cursor={cursor || undefined}
      data-marked={marked || undefined}
      data-gap={event.gap ? '' : undefined}
      data-run={run ? run.length : open ? '' : undefined}
      style={{ transform: `translateY(${top}px)` }}
    >
      <When event={event} today={today} relative={relative} />
      <span role="gridcell" className="row-sev">
        <SeverityGlyph severity={event.severity} />
      </span>
      <span role="gridcell" className="row-what">
        {pinned ? <Icon name="pin" /> : null}
        {event.decision ? <Icon name="policies" /> : null}
        {event.gap ? <Icon name="gap" /> : null}
        {verdict === undefined ? null : <span className="tag tag-bad">{verdict}</span>}
        <Sentence event={event} />
        <TagBadges entityId={event.process && entityOf(event.process)} />
        {run ? <Repeats run={run} open={open} /> : null}
        {event.synthetic ? (
          <span className="tag" title={t('list.syntheticTitle')}>
            {t('list.synthetic')}
          </span>
        ) : null}
      </span>
      {columns.map((field) => (
        <Cell key={field} event={event} field={field} />
      ))}
      {active ? <Actions eventId={event.eventId} marked={marked} pinned={pinned} /> : null}
      {gap === undefined ? null : (
        <span role="gridcell" className="row-hole" title={gap}>
          <span className="visually-hidden">{gap}</span>
        </span>
      )}
      {gap === undefined ? null : (
        <span className="row-hole-label" title={gap} aria-hidden="true">
          {gap}
        </span>
      )}
    </div>
  );
});
