/** Whether protected data is looked for, what came of it and what it costs. */
import type { HealthSnapshot } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { navigate } from '../store.ts';
import { bytes, count, micros, nsOfMs } from '../ui/format.ts';
import { Meter } from '../ui/primitives.tsx';
import { Ago } from '../ui/time.tsx';
import { Figure, Section, State } from './section.tsx';

export function DlpSection({ health }: { health: HealthSnapshot }) {
  const { dlp } = health;
  if (dlp === undefined) return null;
  const { totals, queue, state, problems } = dlp;
  const level = state === 'failed' ? 'failed' : problems.length > 0 ? 'degraded' : 'ok';
  const said = t(`health.dlp.${state}`);
  const open = (): void => {
    const none = { query: '', eventId: undefined, tab: undefined, around: undefined };
    navigate({ view: 'dlp', ...none });
  };
  return (
    <Section
      title={t('dlp.title')}
      aside={
        <button type="button" className="link-button" onClick={open}>
          {t('health.dlp.open')}
        </button>
      }
    >
      {state === 'off' ? (
        <p className="dim">{said}</p>
      ) : (
        <p>
          <State level={level}>{said}</State>
        </p>
      )}
      {state === 'off' ? null : (
        <dl className="figures">
          <Figure
            name={t('health.dlp.inForce')}
            note={
              dlp.oldestMs === undefined ? undefined : (
                <>
                  {t('health.dlp.oldest')} <Ago ns={String(nsOfMs(dlp.oldestMs))} />
                </>
              )
            }
          >
            {[
              tn('health.dlp.indexes', dlp.indexes),
              ...(dlp.ruleFiles > 0 ? [tn('health.dlp.rules', dlp.ruleFiles)] : []),
            ].join(', ')}
          </Figure>
          <Figure
            name={t('health.dlp.queue')}
            note={t('health.dlp.queueOf', { n: count(queue.max) })}
            trend={<Meter value={queue.waiting} max={queue.max} label={t('health.dlp.queue')} />}
          >
            {count(queue.waiting + queue.running)}
          </Figure>
          <Figure
            name={t('health.dlp.looked')}
            note={t('health.dlp.cost', { bytes: bytes(dlp.bytes), time: micros(dlp.tookMs * 1000) })}
          >
            {count(totals.looked)}
          </Figure>
          <Figure name={t('health.dlp.matched')}>{count(totals.matched)}</Figure>
          <Figure name={t('dlp.unscannable')}>{count(totals.unscannable)}</Figure>
          <Figure
            name={t('health.dlp.skipped')}
            note={dlp.lastSkippedNs === undefined ? undefined : <Ago ns={dlp.lastSkippedNs} />}
          >
            {count(totals.skipped)}
          </Figure>
          <Figure name={t('health.dlp.lastLook')}>
            {dlp.lastLookNs === undefined ? t('health.dlp.never') : <Ago ns={dlp.lastLookNs} />}
          </Figure>
        </dl>
      )}
    </Section>
  );
}
