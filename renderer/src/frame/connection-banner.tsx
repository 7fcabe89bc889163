/** Says when the window is not connected, what that means and what to do. Never blocks the view below it. */
import { useEffect, useState } from 'react';
import { t } from '../i18n/i18n.ts';
import { agent, useApp } from '../store.ts';
import { CodeLine } from '../ui/primitives.tsx';

function SecondsLeft({ untilMs }: { untilMs: number }) {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const tick = (): void => setSeconds(Math.max(0, Math.ceil((untilMs - Date.now()) / 1000)));
    const first = setTimeout(tick);
    const timer = setInterval(tick, 500);
    return () => {
      clearTimeout(first);
      clearInterval(timer);
    };
  }, [untilMs]);
  return t('connection.retryIn', { s: seconds });
}

export function ConnectionBanner() {
  const connection = useApp((state) => state.connection);
  const session = useApp((state) => state.session);
  if (connection.state === 'open') return null;
  // The first attempt is quick; a banner that flashes by would only startle.
  if (connection.state === 'connecting' && session === 0) return null;
  if (connection.state === 'refused') {
    return (
      <div className="banner" data-level="failed" role="alert">
        {connection.reason === 'unauthorised' ? (
          <>
            <strong>{t('connection.unauthorised')}</strong>
            <span>{t('connection.unauthorisedDo')}</span>
            <CodeLine code="sentinel console" />
          </>
        ) : (
          <>
            <strong>{t('connection.version')}</strong>
            <button type="button" className="button" onClick={() => location.reload()}>
              {t('connection.reload')}
            </button>
          </>
        )}
      </div>
    );
  }
  return (
    <div className="banner" data-level="degraded" role="status">
      <strong>{t('connection.lost')}</strong>
      <span>
        {connection.state === 'waiting' ? (
          <SecondsLeft key={connection.attempt} untilMs={connection.retryAtMs} />
        ) : (
          t('connection.connecting')
        )}
      </span>
      <span className="dim">{t('connection.lostMeaning')}</span>
      <button type="button" className="button" onClick={() => agent().retryNow()}>
        {t('connection.retryNow')}
      </button>
    </div>
  );
}
