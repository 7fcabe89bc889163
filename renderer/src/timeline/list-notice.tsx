/** What the list says when it has no rows: loading, a failed reading, or nothing that matches. */
import { t } from '../i18n/i18n.ts';
import { CodeLine, Notice } from '../ui/primitives.tsx';
import { timeOf, withoutTime } from './query-text.ts';
import { useTimeline } from './timeline-state.ts';
import { openQuery, runQuery } from './timeline-store.ts';

const EXAMPLES = [
  'has:rule',
  'type:process and action:exec last:1h',
  'type:network and not ip:127.0.0.0/8',
  'file:/etc/*',
];

export function ListNotice() {
  const status = useTimeline((state) => state.status);
  const error = useTimeline((state) => state.error);
  const empty = useTimeline((state) => state.window.rows.length === 0);
  const searching = useTimeline((state) => state.loadingOlder);
  const query = useTimeline((state) => state.query) ?? '';
  if (status === 'failed') {
    const inQuery = error?.code === 'bad_query';
    return (
      <div className="list-notice">
        <Notice title={t(inQuery ? 'list.badQuery' : 'list.failed')} alert>
          <p>{error?.message}</p>
          {inQuery ? null : <p className="dim">{t('list.failedMeaning')}</p>}
          <div className="notice-actions">
            {inQuery ? (
              <button
                type="button"
                className="button"
                onClick={() => document.getElementById('query-input')?.focus()}
              >
                {t('list.editQuery')}
              </button>
            ) : (
              <button type="button" className="button" onClick={() => openQuery(query)}>
                {t('common.retry')}
              </button>
            )}
          </div>
        </Notice>
      </div>
    );
  }
  if (!empty) return null;
  if (status === 'loading' || searching) {
    return (
      <div className="list-notice" role="status">
        <p className="dim list-wait">{searching ? t('list.searching') : t('common.loading')}</p>
      </div>
    );
  }
  return (
    <div className="list-notice">
      {query === '' ? (
        <Notice title={t('list.emptyAll')}>
          <p className="dim">{t('list.emptyAllMeaning')}</p>
          <p>{t('list.emptyTry')}</p>
          <CodeLine code="curl -s https://example.org > /dev/null" />
        </Notice>
      ) : (
        <Notice title={t('list.empty')}>
          <p className="dim">{t('list.emptyQuery')}</p>
          <div className="notice-actions">
            {timeOf(query) === '' ? null : (
              <button type="button" className="button" onClick={() => runQuery(withoutTime(query))}>
                {t('list.emptyWiden')}: {t('time.all')}
              </button>
            )}
            <button type="button" className="button" onClick={() => runQuery('')}>
              {t('query.clear')}
            </button>
          </div>
          <p>{t('list.emptyQueries')}</p>
          <ul>
            {EXAMPLES.map((example) => (
              <li key={example}>
                <button type="button" className="link-button mono" onClick={() => runQuery(example)}>
                  {example}
                </button>
              </li>
            ))}
          </ul>
        </Notice>
      )}
    </div>
  );
}
