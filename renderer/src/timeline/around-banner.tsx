/** Says that the list shows everything around one event, how much of it, and how to go back. */
import { t } from '../i18n/i18n.ts';
import { AROUND_ROWS } from '../router.ts';
import { navigate, useApp } from '../store.ts';
import { absoluteTime } from '../ui/format.ts';
import { useTimeline } from './timeline-state.ts';

export function AroundBanner() {
  const around = useApp((state) => state.route.around);
  const rows = useApp((state) => state.route.aroundRows);
  const query = useApp((state) => state.route.query);
  const event = useTimeline((state) => state.around);
  if (around === undefined) return null;
  return (
    <div className="around" role="status">
      <p>
        {event ? t('around.sentence', { time: absoluteTime(event.tsNs) }) : t('common.loading')}{' '}
        {query === '' ? null : <span className="dim">{t('around.aside')}</span>}
      </p>
      <div className="around-actions" role="group" aria-label={t('around.rows')}>
        {AROUND_ROWS.map((choice) => (
          <button
            key={choice}
            type="button"
            className="button button-quiet num"
            aria-pressed={choice === rows}
            onClick={() => navigate({ aroundRows: choice }, true)}
          >
            ±{choice}
          </button>
        ))}
        <button type="button" className="button" onClick={() => navigate({ around: undefined })}>
          {t(query === '' ? 'around.backAll' : 'around.back')}
        </button>
      </div>
    </div>
  );
}
