/**
 * Says when the window is not connected, what that means and what to do. Before there was a first connection it is
 * all there is to show; later it stands above what had arrived and never blocks it.
 */
import { useEffect, useState } from 'react';
import { t } from '../i18n/i18n.ts';
import { agent, useApp } from '../store.ts';
import { CodeLine, Notice } from '../ui/primitives.tsx';

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

function Refusal({ reason }: { reason: 'unauthorised' | 'version' }) {
  if (reason === 'unauthorised') {
    return (
      <>
        <p>{t('connection.unauthorisedDo')}</p>
        <CodeLine code="sentinel console" />
      </>
    );
  }
  return (
    <button type="button" className="button" onClick={() => location.reload()}>
      {t('connection.reload')}
    </button>
  );
}

function Waiting() {
  const connection = useApp((state) => state.connection);
  return (
    <>
      <p>
        {connection.state === 'waiting' ? (
          <SecondsLeft key={connection.attempt} untilMs={connection.retryAtMs} />
        ) : (
          t('connection.connecting')
        )}
      </p>
      <button type="button" className="button" onClick={() => agent().retryNow()}>
        {t('connection.retryNow')}
      </button>
    </>
  );
}

const refusalTitle = (reason: 'unauthorised' | 'version'): string =>
  t(reason === 'unauthorised' ? 'connection.unauthorised' : 'connection.version');

/** Stands in for every view until the first connection; undefined once there was one. */
export function NotYetConnected() {
  const connection = useApp((state) => state.connection);
  if (connection.state === 'refused') {
    return (
      <div className="page">
        <Notice title={refusalTitle(connection.reason)} alert page>
          <Refusal reason={connection.reason} />
        </Notice>
      </div>
    );
  }
  // The first attempt is quick; a notice that flashes by would only startle.
  if (connection.state === 'connecting') return <div className="page" />;
  return (
    <div className="page">
      <Notice title={t('connection.lost')} alert page>
        <p>{t('connection.neverMeaning')}</p>
        <Waiting />
      </Notice>
    </div>
  );
}

export function ConnectionBanner() {
  const connection = useApp((state) => state.connection);
  if (connection.state === 'open') return null;
  if (connection.state === 'refused') {
    return (
      <div className="banner" data-level="failed" role="alert">
        <strong>{refusalTitle(connection.reason)}</strong>
        <Refusal reason={connection.reason} />
      </div>
    );
  }
  return (
    <div className="banner" data-level="degraded" role="status">
      <strong>{t('connection.lost')}</strong>
      <span className="dim">{t('connection.lostMeaning')}</span>
      <Waiting />
    </div>
  );
}
