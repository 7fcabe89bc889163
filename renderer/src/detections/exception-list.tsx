/** The exceptions of this machine: what they are about, who made them and why, what they hid, and when they end. */
import { useState } from 'react';
import type { ExceptionSummary, RuleSummary } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { agent, useApp } from '../store.ts';
import { useLoad } from '../use-load.ts';
import { absoluteTime, count, dayOf } from '../ui/format.ts';
import { Ago } from '../ui/time.tsx';
import { SafeText } from '../ui/text.tsx';
import { removeException, useExceptions } from './exception-store.ts';
import './exception.css';

const REFRESH_MS = 10_000;

function Row({ exception, rules }: { exception: ExceptionSummary; rules: readonly RuleSummary[] }) {
  const { id, title, owner, reason, expiresNs, expired, hits, lastHitNs, file, removable } = exception;
  const allowed = useApp(({ connection }) => connection.state === 'open' && connection.privileged);
  const busy = useExceptions((state) => state.busy);
  // Asked once more in place: what it would bring back is said there.
  const [sure, setSure] = useState(false);
  const about = exception.rules.map((rule) => rules.find((known) => known.id === rule)?.title ?? rule);
  return (
    <tr>
      <td>
        <p>
          <SafeText text={about.length === 0 ? title : about.join(', ')} limit={200} />
        </p>
        <p className="small dim" title={file}>
          <SafeText text={reason ?? title} limit={300} />
        </p>
      </td>
      <td className="dim">
        <SafeText text={owner ?? t('common.unknown')} limit={60} />
      </td>
      <td className="num nowrap">
        {expiresNs === undefined ? (
          t('exception.never')
        ) : (
          <time title={absoluteTime(expiresNs)}>{dayOf(expiresNs)}</time>
        )}{' '}
        {expired ? <span className="tag tag-warn">{t('exception.expired')}</span> : null}
      </td>
      <td className="right num">{count(hits)}</td>
      <td className="num nowrap">{lastHitNs === undefined ? null : <Ago ns={lastHitNs} />}</td>
      <td className="right">
        {removable && allowed ? (
          <button
            type="button"
            className="button"
            disabled={busy}
            onBlur={() => setSure(false)}
            onClick={() => (sure ? void removeException(id) : setSure(true))}
          >
            {sure ? tn('exception.sure', hits) : t('exception.remove')}
          </button>
        ) : null}
      </td>
    </tr>
  );
}

export function ExceptionList({ rules }: { rules: readonly RuleSummary[] }) {
  const made = useExceptions((state) => state.made);
  const error = useExceptions((state) => state.error);
  const { data } = useLoad(
    'exceptions',
    (signal) => agent().call('exceptions.list', {}, signal),
    REFRESH_MS,
    made,
  );
  const exceptions = data?.exceptions ?? [];
  return (
    <section className="rules exceptions" aria-labelledby="exceptions-title">
      <div className="rules-head">
        <h2 id="exceptions-title">{t('exception.list')}</h2>
        <p className="dim">
          {exceptions.length === 0 ? t('exception.none') : tn('exception.count', exceptions.length)}
        </p>
      </div>
      {error === undefined ? null : (
        <p className="triage-error" role="alert">
          {error}
        </p>
      )}
      {exceptions.length === 0 ? null : (
        <table className="table">
          <thead>
            <tr>
              <th scope="col">{t('exception.about')}</th>
              <th scope="col">{t('exception.owner')}</th>
              <th scope="col">{t('exception.expires')}</th>
              <th scope="col" className="right">
                {t('exception.hits')}
              </th>
              <th scope="col">{t('detections.latest')}</th>
              <th scope="col">
                <span className="visually-hidden">{t('exception.remove')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {exceptions.map((exception) => (
              <Row key={exception.id} exception={exception} rules={rules} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
