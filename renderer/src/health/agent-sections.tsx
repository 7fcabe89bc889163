/** What the agent costs, who is connected, what went wrong, where it runs. */
import type { HealthSnapshot } from '../../../agent/api/contract.ts';
import { t, tn, tryMessage } from '../i18n/i18n.ts';
import { bytes, count, percent } from '../ui/format.ts';
import { Meter } from '../ui/primitives.tsx';
import { SafeText } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { Value } from '../ui/value.tsx';
import { TrendLine } from './rates-section.tsx';
import { Figure, Section } from './section.tsx';

/** The agent's promise: one core's share by rate of events, and its proportional share of memory. */
function cpuBudget(eventsPerSecond: number): number {
  if (eventsPerSecond < 100) return 0.3;
  if (eventsPerSecond <= 1000) return 1;
  return eventsPerSecond <= 10_000 ? 3 : 8;
}
const MEMORY_BUDGET_BYTES = 60_000_000;

export function AgentSection({ health }: { health: HealthSnapshot }) {
  const { agent, rates } = health;
  const cpu = cpuBudget(rates.security + rates.observability);
  return (
    <Section title={t('health.agent')} aside={`pid ${agent.pid}`}>
      <dl className="figures">
        <Figure
          name={t('health.cpu')}
          note={t('health.budget', { n: percent(cpu) })}
          trend={
            <>
              <TrendLine name={t('health.cpu')} of="cpuPercent" show={percent} floor={cpu} />
              <Meter value={agent.cpuPercent} max={cpu} label={t('health.cpu')} budget />
            </>
          }
        >
          {percent(agent.cpuPercent)}
        </Figure>
        <Figure
          name={t('health.memory')}
          note={
            agent.pssBytes === undefined ? undefined : t('health.budget', { n: bytes(MEMORY_BUDGET_BYTES) })
          }
          trend={
            <>
              <TrendLine
                name={t('health.memory')}
                of="memoryBytes"
                show={bytes}
                floor={MEMORY_BUDGET_BYTES}
              />
              {agent.pssBytes === undefined ? null : (
                <Meter value={agent.pssBytes} max={MEMORY_BUDGET_BYTES} label={t('health.memory')} budget />
              )}
            </>
          }
        >
          {bytes(agent.pssBytes ?? agent.rssBytes)}
        </Figure>
        {agent.pssBytes === undefined ? null : (
          <Figure name={t('health.resident')}>{bytes(agent.rssBytes)}</Figure>
        )}
        <Figure name={t('health.heap')}>{bytes(agent.heapBytes)}</Figure>
      </dl>
    </Section>
  );
}

/** Why a request was turned away, in words; the agent's own word for what this console does not know. */
function refusalText(reason: string): string {
  return tryMessage(`health.refused.${reason}`) ?? reason.replaceAll('_', ' ');
}

export function ApiSection({ health }: { health: HealthSnapshot }) {
  const { api, rules } = health;
  const refused = Object.entries(api.refusedByReason ?? {});
  return (
    <Section title={t('health.api')}>
      <dl className="figures">
        <Figure name={t('health.api.clients')}>{count(api.clients)}</Figure>
        <Figure name={t('health.api.shed')}>{count(api.shed)}</Figure>
        <Figure
          name={t('health.api.refused')}
          note={refused.map(([reason, n]) => `${refusalText(reason)} ${count(n)}`).join(', ')}
        >
          {count(api.refused)}
        </Figure>
        {api.lastRefusal === undefined ? null : (
          <Figure
            name={t('health.api.lastRefused')}
            note={
              <>
                <Ago ns={api.lastRefusal.tsNs} /> · {tn('health.api.inMinute', api.lastRefusal.inLastMinute)}
              </>
            }
          >
            {refusalText(api.lastRefusal.reason)}
          </Figure>
        )}
        <Figure name={t('health.rules')}>{count(rules.loaded)}</Figure>
        <Figure name={t('health.rules.indicators')}>{count(rules.indicators)}</Figure>
      </dl>
      {rules.failed.length > 0 ? (
        <details className="health-more">
          <summary>
            {t('health.rules.failed')}: {count(rules.failed.length)}
          </summary>
          <ul>
            {rules.failed.slice(0, 100).map((entry, at) => (
              <li key={at} className="small">
                <span className="mono">
                  <SafeText text={entry.file} />
                </span>
                <span className="dim">
                  {' '}
                  <SafeText text={entry.reason} />
                </span>
              </li>
            ))}
          </ul>
        </details>
      ) : null}
    </Section>
  );
}

export function ErrorsSection({ health }: { health: HealthSnapshot }) {
  const kinds = Object.entries(health.errors).filter(([, n]) => n > 0);
  return (
    <Section title={t('health.errors')}>
      {kinds.length === 0 ? <p className="dim">{t('health.errorsNone')}</p> : null}
      <dl className="figures">
        {kinds
          .sort((a, b) => b[1] - a[1])
          .map(([kind, n]) => (
            <Figure key={kind} name={kind.replaceAll('_', ' ')}>
              {count(n)}
            </Figure>
          ))}
      </dl>
    </Section>
  );
}

export function HostSection({ health }: { health: HealthSnapshot }) {
  const { host } = health;
  const facts: readonly (readonly [string, string])[] = [
    [t('health.host'), host.hostname],
    [t('health.os'), host.os],
    [t('health.kernel'), host.kernel],
    [t('health.device'), host.deviceId],
    [t('health.data'), health.dataDir],
  ];
  return (
    <Section title={t('health.host')}>
      <dl className="figures">
        {facts.map(([name, value]) => (
          <Figure key={name} name={name}>
            <Value value={value} label={name} />
          </Figure>
        ))}
        {health.disk === undefined ? null : (
          <Figure
            name={t('health.disk')}
            note={t('health.diskOf', { n: bytes(health.disk.totalBytes) })}
            trend={
              <Meter
                value={health.disk.totalBytes - health.disk.freeBytes}
                max={health.disk.totalBytes}
                label={t('health.disk')}
              />
            }
          >
            {bytes(health.disk.freeBytes)}
          </Figure>
        )}
      </dl>
    </Section>
  );
}
