/** One row of the list: time, severity, sentence, what matched, who. */
import { Fragment, memo } from 'react';
import type { EventJson } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { absoluteTime, dayOf, timeOfDay } from '../ui/format.ts';
import { SeverityGlyph } from '../ui/severity.tsx';
import { EndEllipsis, MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { type Ask, type Part, describe, verdictOf } from './sentence.ts';

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

function userOf({ process }: EventJson): Ask | undefined {
  if (process?.user !== undefined) return { field: 'user', value: process.user };
  return process?.uid === undefined ? undefined : { field: 'uid', value: String(process.uid) };
}

function pidOf({ process }: EventJson): Ask | undefined {
  return process && { field: 'pid', value: String(process.pid) };
}

export const rowId = (eventId: string): string => `event-${eventId}`;

export const EventRow = memo(function EventRow({
  event,
  index,
  top,
  selected,
  cursor,
  today,
}: {
  event: EventJson;
  index: number;
  top: number;
  selected: boolean;
  cursor: boolean;
  /** Rows of another day show their date. */
  today: string;
}) {
  const verdict = verdictOf(event);
  const [detection, ...more] = event.detections ?? [];
  const day = dayOf(event.tsNs);
  return (
    <div
      id={rowId(event.eventId)}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected}
      className="row"
      data-event={event.eventId}
      data-lane={event.lane}
      data-severity={event.severity}
      data-cursor={cursor || undefined}
      data-gap={event.gap ? '' : undefined}
      style={{ transform: `translateY(${top}px)` }}
    >
      <span role="gridcell" className="row-time num" title={absoluteTime(event.tsNs)}>
        {day === today ? null : <span className="row-day">{day.slice(5)} </span>}
        {timeOfDay(event.tsNs)}
      </span>
      <span role="gridcell" className="row-sev">
        <SeverityGlyph severity={event.severity} />
      </span>
      <span role="gridcell" className="row-what">
        {verdict === undefined ? null : <span className="tag tag-bad">{verdict}</span>}
        <Sentence event={event} />
        {event.synthetic ? (
          <span className="tag" title={t('list.syntheticTitle')}>
            {t('list.synthetic')}
          </span>
        ) : null}
      </span>
      <span role="gridcell" className="row-rule">
        {detection === undefined ? null : (
          <span
            className={`row-rule-name sev-${detection.level}`}
            {...askable({ field: 'rule', value: detection.ruleId })}
          >
            <SafeText text={detection.title} limit={120} />
            {more.length > 0 ? ` ${t('list.more', { n: more.length })}` : ''}
          </span>
        )}
      </span>
      <span role="gridcell" className="row-user" {...askable(userOf(event))}>
        {event.process?.user === undefined ? (
          event.process?.uid
        ) : (
          <SafeText text={event.process.user} limit={40} />
        )}
      </span>
      <span role="gridcell" className="row-pid num" {...askable(pidOf(event))}>
        {event.process?.pid}
      </span>
    </div>
  );
});
