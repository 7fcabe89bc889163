/** What the machine allows, asked when the view opens: what is missing first, with what to do about it. */
import type { DoctorCheck } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { sayAgent } from '../i18n/say-agent.ts';
import { agent } from '../store.ts';
import { useLoad } from '../use-load.ts';
import { count } from '../ui/format.ts';
import { SafeText } from '../ui/text.tsx';
import { Section, State } from './section.tsx';

const LEVEL = { ok: 'ok', warn: 'degraded', fail: 'failed' } as const;
const ORDER: readonly DoctorCheck['result'][] = ['fail', 'warn', 'ok'];

export function DoctorSection() {
  const { data, error, again } = useLoad('doctor', (signal) => agent().call('doctor.check', {}, signal));
  const checks = (data?.checks ?? []).toSorted((a, b) => ORDER.indexOf(a.result) - ORDER.indexOf(b.result));
  const wrong = checks.filter(({ result }) => result !== 'ok').length;
  const all = count(checks.length);
  return (
    <Section
      title={t('health.doctor')}
      aside={
        <>
          {data === undefined
            ? t('common.loading')
            : wrong === 0
              ? t('health.doctor.allOk', { all })
              : tn('health.doctor.summary', wrong, { all })}{' '}
          <button type="button" className="link-button" onClick={again}>
            {t('health.doctor.again')}
          </button>
        </>
      }
    >
      {error ? (
        <p className="health-warn" role="alert">
          {t('health.doctor.failed')} {error.message}
        </p>
      ) : null}
      <ul className="blind">
        {checks.map((check) => (
          <li key={check.name}>
            <State level={LEVEL[check.result]}>
              <SafeText text={sayAgent(check.name)} limit={80} />
            </State>
            <p className="small dim">
              <SafeText text={sayAgent(check.detail)} limit={400} />
              {check.remedy === undefined ? null : (
                <>
                  {' '}
                  <strong>{t('health.remedy')}:</strong>{' '}
                  <SafeText text={sayAgent(check.remedy)} limit={400} />
                </>
              )}
            </p>
          </li>
        ))}
      </ul>
    </Section>
  );
}
