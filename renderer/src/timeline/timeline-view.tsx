/** The Timeline: histogram, facets, list, detail. */
import { useEffect } from 'react';
import { t } from '../i18n/i18n.ts';
import { usePrefs } from '../prefs.ts';
import { useApp } from '../store.ts';
import { ResizeHandle } from '../ui/resize-handle.tsx';
import { DetailPanel } from './detail/detail-panel.tsx';
import { EventList } from './event-list.tsx';
import { Facets } from './facets.tsx';
import { Histogram } from './histogram.tsx';
import { enterTimeline } from './timeline-store.ts';
import { Toolbar } from './toolbar.tsx';
import './timeline.css';

export function TimelineView() {
  const query = useApp((state) => state.route.query);
  const eventId = useApp((state) => state.route.eventId);
  const session = useApp((state) => state.session);
  const panels = usePrefs((prefs) => prefs.panels);
  const started = session > 0;
  useEffect(() => (started ? enterTimeline(query) : undefined), [query, started]);
  return (
    <div className="timeline">
      <h1 className="visually-hidden">{t('nav.timeline')}</h1>
      <Toolbar />
      <Histogram />
      <div className="panels">
        {panels.facets.open ? (
          <>
            <div className="panel-facets" style={{ width: panels.facets.size }}>
              <Facets />
            </div>
            <ResizeHandle panel="facets" side="left" label={t('facets.label')} />
          </>
        ) : null}
        <EventList />
        {eventId === undefined ? null : (
          <>
            <ResizeHandle panel="detail" side="right" label={t('detail.label')} />
            <div className="panel-detail" style={{ width: panels.detail.size }}>
              <DetailPanel key={eventId} eventId={eventId} />
            </div>
          </>
        )}
      </div>
    </div>
  );
}
