/** What a policy would have done with what is on record: progress, figures, and examples one click from the timeline. */
import { useState } from 'react';
import type { PolicyExample, PolicySimulation } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { agent, navigate } from '../store.ts';
import { count, percent } from '../ui/format.ts';
import { MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { useLoad } from '../use-load.ts';

const REFRESH_MS = 1000;
/** Days of the record; 0: all of it. */
const SPANS = [1, 10, 0] as const;

function Examples({ title, examples }: { title: string; examples: readonly PolicyExample[] }) {
  if (examples.length === 0) return null;
  return (
    <>
      <h3>{title}</h3>
      <ul className="policy-decisions">
        {examples.map(({ eventId, tsNs, text, label }) => (
          <li key={eventId} className="policy-decision">
            <span className="dim nowrap">
              <Ago ns={tsNs} />
            </span>
            <button
              type="button"
              className="sample"
              title={t('detections.open')}
              onClick={() => navigate({ view: 'timeline', query: '', eventId, tab: undefined })}
            >
              <MiddleEllipsis text={text} />
            </button>
            {label === undefined ? null : <span className="tag">{t(`triage.label.${label}`)}</span>}
          </li>
        ))}
      </ul>
    </>
  );
}

function Report({ report }: { report: PolicySimulation }) {
  const { labels, difference, falsePositiveRate } = report;
  const labelled = labels.truePositive + labels.falsePositive + labels.benign;
  return (
    <>
      <dl className="policy-facts">
        <dt>{t('policies.evaluated')}</dt>
        <dd className="num">
          {count(report.evaluated)}
          {report.total === undefined ? '' : ` / ${count(report.total)}`}{' '}
          {report.cancelled ? t('policies.stopped') : ''}
        </dd>
        <dt>{t('policies.wouldBe', { action: report.action })}</dt>
        <dd className="num">
          {count(report.matched)} ({percent(report.matchRate * 100)})
        </dd>
        <dt>{t('policies.wrong')}</dt>
        <dd className="num">
          {falsePositiveRate === undefined
            ? t('policies.wrongUnknown')
            : `${percent(falsePositiveRate * 100)} ${tn('policies.ofLabelled', labelled)}`}
        </dd>
        <dt>{t('policies.recommended')}</dt>
        <dd className="num">{percent(report.recommendedCanaryPercent)}</dd>
        {difference ? (
          <>
            <dt>{t('policies.against', { version: difference.version })}</dt>
            <dd className="num">
              {t('policies.difference', {
                more: count(difference.newlyCaught),
                less: count(difference.noLongerCaught),
              })}
            </dd>
          </>
        ) : null}
      </dl>
      <Examples title={t('policies.examples')} examples={report.examples} />
      <Examples title={t('policies.newlyCaught')} examples={difference?.newExamples ?? []} />
      <Examples title={t('policies.noLongerCaught')} examples={difference?.lostExamples ?? []} />
    </>
  );
}

export function Simulation({
  id,
  typed,
}: {
  id: string;
  /** A text that is not saved yet, to try instead of the one that is. */
  typed?: { text: string; hash: string } | undefined;
}) {
  const [failed, setFailed] = useState<string>();
  const { data, again } = useLoad(
    `simulation ${id}`,
    (signal) => agent().call('policy.simulation', { id }, signal),
    REFRESH_MS,
  );
  const report = data?.simulation;
  const running = report !== undefined && !report.done;
  const run = (days: number): void => {
    setFailed(undefined);
    agent()
      .call('policy.run', {
        id,
        ...(days === 0 ? {} : { days }),
        ...(typed === undefined ? {} : { text: typed.text }),
      })
      .catch((error: unknown) => setFailed(error instanceof Error ? error.message : String(error)))
      .finally(again);
  };
  return (
    <section className="policy-section policy-simulation">
      <h2>{t('policies.simulation')}</h2>
      <p className="dim">
        {t('policies.simulationMeaning')} {typed === undefined ? '' : t('policies.simulationTyped')}
      </p>
      <div className="notice-actions">
        {running ? (
          <>
            <progress
              aria-label={t('policies.simulation')}
              value={report.evaluated}
              max={Math.max(1, report.total ?? report.evaluated + 1)}
            />
            <button
              type="button"
              className="button"
              onClick={() =>
                void agent()
                  .call('policy.cancel', { id })
                  .catch(() => undefined)
                  .finally(again)
              }
            >
              {t('export.cancel')}
            </button>
          </>
        ) : (
          SPANS.map((days) => (
            <button key={days} type="button" className="button" onClick={() => run(days)}>
              {days === 0 ? t('policies.tryAll') : tn('policies.try', days)}
            </button>
          ))
        )}
      </div>
      {failed === undefined ? null : (
        <p className="policy-refused" role="alert">
          <SafeText text={failed} limit={400} />
        </p>
      )}
      {report && typed !== undefined && report.hash !== typed.hash ? (
        <p className="dim">{t('policies.simulationOther', { version: report.version })}</p>
      ) : null}
      {report ? <Report report={report} /> : null}
    </section>
  );
}
