/** Events kept in sight above the list, whatever the query finds. The address names them, so a link carries them. */
import { useState, useEffect } from 'react';
import type { EventJson } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { agent, useApp } from '../store.ts';
import { absoluteTime, dayOf, timeOfDay } from '../ui/format.ts';
import { IconButton } from '../ui/primitives.tsx';
import { SeverityGlyph } from '../ui/severity.tsx';
import { Sentence } from './event-row.tsx';
import { togglePin } from './marks.ts';
import { selectEvent } from './timeline-store.ts';

/** The events of the pins by id; `null` for one that is not in the record. */
function usePinned(pins: readonly string[]): ReadonlyMap<string, EventJson | null> {
  const session = useApp((state) => state.session);
  const [known, setKnown] = useState<ReadonlyMap<string, EventJson | null>>(new Map());
  const wanted = pins.join(',');
  useEffect(() => {
    if (session === 0 || wanted === '') return undefined;
    const abort = new AbortController();
    for (const eventId of wanted.split(',')) {
      agent()
        .call('events.get', { eventId }, abort.signal)
        .then(({ event }) => setKnown((before) => new Map(before).set(eventId, event)))
        .catch(() => {
          if (!abort.signal.aborted) setKnown((before) => new Map(before).set(eventId, null));
        });
    }
    return () => abort.abort();
  }, [session, wanted]);
  return known;
}

function PinnedRow({ eventId, event }: { eventId: string; event: EventJson | null | undefined }) {
  const selected = useApp((state) => state.route.eventId === eventId);
  return (
    <li className="pin" data-selected={selected || undefined}>
      <IconButton icon="pin" label={t('marks.unpin')} pressed onClick={() => togglePin(eventId)} />
      {event ? (
        <button type="button" className="pin-open" onClick={() => selectEvent(eventId)}>
          <time className="row-time num" title={absoluteTime(event.tsNs)}>
            <span className="row-day">{dayOf(event.tsNs).slice(5)} </span>
            {timeOfDay(event.tsNs)}
          </time>
          <SeverityGlyph severity={event.severity} />
          <span className="row-what">
            <Sentence event={event} />
          </span>
        </button>
      ) : (
        <span className="dim">{t(event === null ? 'detail.notFound' : 'common.loading')}</span>
      )}
    </li>
  );
}

export function PinnedRows() {
  const pins = useApp((state) => state.route.pins);
  const known = usePinned(pins);
  if (pins.length === 0) return null;
  return (
    <ul className="pins" aria-label={t('marks.pinned')}>
      {pins.map((eventId) => (
        <PinnedRow key={eventId} eventId={eventId} event={known.get(eventId)} />
      ))}
    </ul>
  );
}
