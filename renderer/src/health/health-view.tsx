/** Health: the state in a sentence, what is wrong and what to do, then everything it follows from. */
import { sayState } from '../frame/say-state.ts';
import { t } from '../i18n/i18n.ts';
import { sayAgent } from '../i18n/say-agent.ts';
import { useApp } from '../store.ts';
import { duration, msOf } from '../ui/format.ts';
import { Notice } from '../ui/primitives.tsx';
import { SafeText } from '../ui/text.tsx';
import { ConsoleSection } from './console-section.tsx';
import { DlpSection } from './dlp-section.tsx';
import { DoctorSection } from './doctor-section.tsx';
import { AgentSection, ApiSection, ErrorsSection, HostSection } from './agent-sections.tsx';
import { LatencySection, LaneSection, SinksSection, WalSection } from './record-sections.tsx';
import { RatesSection } from './rates-section.tsx';
import { State } from './section.tsx';
import { SensorSection } from './sensor-section.tsx';
import './health.css';

export function HealthView() {
  const health = useApp((state) => state.health);
  if (!health) {
    return (
      <div className="page">
        <Notice title={t('health.none')} page />
      </div>
    );
  }
  const upMs = msOf(health.nowNs) - msOf(health.startedNs);
  return (
    <div className="page health">
      <header className="health-head">
        <h1 className="page-title">
          <State level={health.level}>
            <SafeText text={sayState(health.sentence)} />
          </State>
        </h1>
        <p className="dim">
          Sentinel <SafeText text={health.version} limit={40} /> · {t('health.uptime')} {duration(upMs)} ·{' '}
          <SafeText text={health.host.hostname} limit={80} />
        </p>
      </header>
      {health.problems.length === 0 ? null : (
        <section className="problems" aria-label={t('health.problems')}>
          <h2>{t('health.problems')}</h2>
          <ul>
            {health.problems.map((problem) => (
              <li key={problem.what} className="problem" data-level={problem.level}>
                <p className="problem-what">
                  <State level={problem.level}>
                    <SafeText text={sayAgent(problem.what)} />
                  </State>
                </p>
                <p>
                  <SafeText text={sayAgent(problem.meaning)} limit={1000} />
                </p>
                <p className="problem-remedy">
                  <strong>{t('health.remedy')}:</strong>{' '}
                  <SafeText text={sayAgent(problem.remedy)} limit={1000} />
                </p>
              </li>
            ))}
          </ul>
        </section>
      )}
      <div className="health-grid">
        <RatesSection health={health} />
        <AgentSection health={health} />
        <ConsoleSection />
        <SensorSection health={health} />
        <WalSection health={health} />
        <LaneSection health={health} />
        <SinksSection health={health} />
        <LatencySection health={health} />
        <ApiSection health={health} />
        <DlpSection health={health} />
        <ErrorsSection health={health} />
        <DoctorSection />
        <HostSection health={health} />
      </div>
    </div>
  );
}
