/** Verifies the logs through the agent, now, and says what that means for this record. */
import { useEffect, useState } from 'react';
import type { LogCheckState, Proof } from '../../../../agent/api/contract.ts';
import { t } from '../../i18n/i18n.ts';
import { agent, useApp } from '../../store.ts';
import { absoluteTime, count, micros } from '../../ui/format.ts';
import { Icon } from '../../ui/icon.tsx';
import { SafeText } from '../../ui/text.tsx';

const POLL_MS = 400;

function Result({ state, proof }: { state: LogCheckState; proof: Proof }) {
  const { last, failed } = state;
  if (failed !== undefined) {
    return (
      <p role="alert">
        {t('verify.failed')} <SafeText text={failed} limit={500} />
      </p>
    );
  }
  if (!last) return null;
  const log = last.logs.find(({ lane }) => lane === proof.lane);
  const errors = last.logs.flatMap(({ findings }) => findings.filter(({ level }) => level === 'error'));
  const sum = (of: 'records' | 'commits' | 'findingCount'): string =>
    count(last.logs.reduce((total, each) => total + each[of], 0));
  const covered = log !== undefined && log.coveredUpToSeq >= Number(proof.seq);
  return (
    <div className="verify" data-ok={last.ok} role="status">
      <p className="verify-verdict">
        <Icon name={last.ok ? 'check' : 'warning'} />{' '}
        {last.ok
          ? t('verify.ok', { records: sum('records'), commits: sum('commits') })
          : t('verify.bad', { n: sum('findingCount') })}
      </p>
      {errors.slice(0, 10).map((finding, at) => (
        <p key={at} className="small">
          {t('verify.finding', {
            segment: finding.segment,
            offset: count(finding.offset),
            detail: finding.detail,
          })}
        </p>
      ))}
      {last.ok && log ? (
        <p>{t(covered ? 'verify.covered' : 'verify.notCovered', { seq: count(log.coveredUpToSeq) })}</p>
      ) : null}
      <p className="dimmer small">
        {t('verify.when', { time: absoluteTime(last.atNs), took: micros(last.tookMs * 1000) })}
      </p>
    </div>
  );
}

export function VerifyLog({ proof }: { proof: Proof }) {
  const [state, setState] = useState<LogCheckState>();
  const allowed = useApp(({ connection }) => connection.state === 'open');
  const running = state?.running === true;
  useEffect(() => {
    if (!running) return undefined;
    const abort = new AbortController();
    const timer = setInterval(() => {
      agent()
        .call('log.check', { start: false }, abort.signal)
        .then(setState)
        .catch((error: unknown) => {
          if (!abort.signal.aborted) setState({ running: false, failed: String(error) });
        });
    }, POLL_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [running]);
  const start = (): void => {
    agent()
      .call('log.check', { start: true })
      .then(setState)
      .catch((error: unknown) => {
        setState({ running: false, failed: error instanceof Error ? error.message : String(error) });
      });
  };
  return (
    <section className="detail-section">
      <p className="dim">{t(allowed ? 'verify.what' : 'verify.notAllowed')}</p>
      {allowed ? (
        <button type="button" className="button" disabled={running} onClick={start}>
          {t(running ? 'verify.running' : 'verify.button')}
        </button>
      ) : null}
      {state && !running ? <Result state={state} proof={proof} /> : null}
    </section>
  );
}
