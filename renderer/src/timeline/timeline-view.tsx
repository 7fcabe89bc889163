/** The Timeline: histogram, facets, list, detail. */
import { useEffect } from 'react';
import { t } from '../i18n/i18n.ts';
import { usePrefs } from '../prefs.ts';
import { useApp } from '../store.ts';
import { ResizeHandle } from '../ui/resize-handle.tsx';
import { AroundBanner } from './around-banner.tsx';
import { DetailPanel } from './detail/detail-panel.tsx';
import { EventList } from './event-list.tsx';
import { Facets } from './facets.tsx';
import { Histogram } from './histogram.tsx';
import { PinnedRows } from './pinned-rows.tsx';
import { SelectionBar } from './selection-bar.tsx';
import { enterTimeline } from './timeline-store.ts';
import { Toolbar } from './toolbar.tsx';
import './list.css';
import './timeline.css';

export function TimelineView() {
  const query = useApp((state) => state.route.query);
  const around = useApp((state) => state.route.around);
  const aroundRows = useApp((state) => state.route.aroundRows);
  const eventId = useApp((state) => state.route.eventId);
  const session = useApp((state) => state.session);
  const panels = usePrefs((prefs) => prefs.panels);
  const started = session > 0;
  useEffect(
    () => (started ? enterTimeline(query, around, aroundRows) : undefined),
    [query, around, aroundRows, started],
  );
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
        <div className="list-column">
          <AroundBanner />
          <PinnedRows />
          <EventList />
          <SelectionBar />
        </div>
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
