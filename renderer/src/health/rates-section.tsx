/** How much arrives, now and over the last minutes. */
import type { HealthSnapshot } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { type Trend, useApp } from '../store.ts';
import { count, rate } from '../ui/format.ts';
import { Sparkline } from '../ui/sparkline.tsx';
import { runQuery } from '../timeline/timeline-store.ts';
import { Figure, Section } from './section.tsx';

type TrendKey = Exclude<keyof Trend, 'atMs'>;

export function TrendLine({
  name,
  of,
  show,
  floor,
}: {
  name: string;
  of: TrendKey;
  show: (value: number) => string;
  floor: number;
}) {
  const trend = useApp((state) => state.trend);
  const xs = trend.map((sample) => sample.atMs / 1000);
  const ys = trend.map((sample) => sample[of]);
  const minutes = Math.max(1, Math.round(((xs.at(-1) ?? 0) - (xs[0] ?? 0)) / 60));
  const label = t('health.trend', {
    name,
    now: show(ys.at(-1) ?? 0),
    max: show(ys.reduce((most, value) => Math.max(most, value), 0)),
    minutes,
  });
  return <Sparkline xs={xs} ys={ys} label={label} floor={floor} />;
}

const perSecond = (value: number): string => t('health.perSecond', { n: rate(value) });

export function RatesSection({ health }: { health: HealthSnapshot }) {
  const { rates, totals, gaps24h, shield } = health;
  return (
    <Section title={t('health.rates')}>
      <dl className="figures">
        {(['security', 'observability', 'detections'] as const).map((name) => (
          <Figure
            key={name}
            name={t(`health.rate.${name}`)}
            note={t('health.total', { n: count(totals[name]) })}
            trend={
              <>
                <TrendLine
                  name={t(`health.rate.${name}`)}
                  of={name}
                  show={perSecond}
                  floor={name === 'detections' ? 1 : 10}
                />
              </>
            }
          >
            {perSecond(rates[name])}
          </Figure>
        ))}
        <Figure name={t('health.gaps')}>
          {tn('health.gaps', gaps24h.count, { lost: count(gaps24h.lostRecords) })}
        </Figure>
      </dl>
      {shield && shield.suspicious + shield.malicious > 0 ? (
        <p>
          {t('health.shield', { malicious: count(shield.malicious), suspicious: count(shield.suspicious) })}{' '}
          <button type="button" className="link-button" onClick={() => runQuery('type:shield')}>
            {t('health.shieldShow')}
          </button>
        </p>
      ) : null}
      {totals.rejected > 0 ? <p className="health-warn">{tn('health.rejected', totals.rejected)}</p> : null}
    </Section>
  );
}
