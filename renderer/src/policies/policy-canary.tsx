/** A canary: what its windows decided, how much of it people called wrong, and when it ends. */
import type { PolicyVersionJson } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { count, percent } from '../ui/format.ts';

const MINUTE_MS = 60_000;

/** Events decided in each window; the wrong ones stand out by colour, hatching and number. */
export function Canary({ canary }: { canary: NonNullable<PolicyVersionJson['canary']> }) {
  const { windows, windowMs, observedMs, stableMs, falsePositivePercent } = canary;
  const most = Math.max(1, ...windows.map(({ decided }) => decided));
  const minutes = (ms: number): string => count(Math.floor(ms / MINUTE_MS));
  return (
    <section className="policy-section">
      <h2>{t('policies.canary')}</h2>
      <p className="dim">{t('policies.canaryMeaning')}</p>
      <p>
        {t('policies.canaryTime', { ran: minutes(observedMs), stable: minutes(stableMs) })}{' '}
        {t('policies.canaryLimit', { share: percent(falsePositivePercent) })}
      </p>
      <ol className="canary">
        {windows.map(({ fromMs, decided, falsePositives }) => {
          const share = decided === 0 ? 0 : (100 * falsePositives) / decided;
          const title = t('policies.window', {
            time: t('policies.windowTime', { from: minutes(fromMs), to: minutes(fromMs + windowMs) }),
            decided: count(decided),
            wrong: count(falsePositives),
            share: percent(share),
          });
          return (
            <li key={fromMs} title={title} data-over={share > falsePositivePercent || undefined}>
              <span className="visually-hidden">{title}</span>
              <span className="canary-bar" style={{ height: `${(100 * decided) / most}%` }}>
                <span className="canary-wrong" style={{ height: `${share}%` }} />
              </span>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
