/** Every step of a policy's life: from, to, why, by whom, and who approved. */
import type { PolicyHistoryJson } from '../../../agent/api/contract.ts';
import { t, tryMessage } from '../i18n/i18n.ts';
import { nsOfMs } from '../ui/format.ts';
import { SafeText } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';

const stateName = (state: string): string => tryMessage(`policies.state.${state}`) ?? state;

export function History({ history }: { history: readonly PolicyHistoryJson[] }) {
  return (
    <section className="policy-section">
      <h2>{t('policies.history')}</h2>
      {history.length === 0 ? <p className="dim">{t('policies.historyNone')}</p> : null}
      <ol className="policy-history" reversed>
        {history.toReversed().map((entry) => (
          <li key={entry.seq}>
            <span className="dim nowrap">
              <Ago ns={String(nsOfMs(entry.tsMs))} />
            </span>
            <span>
              v{entry.version}: {stateName(entry.from)} → <b>{stateName(entry.to)}</b>,{' '}
              <SafeText text={entry.reason} limit={200} />{' '}
              <span className="dim">
                {t('triage.by', { who: entry.by })}
                {entry.approvedBy && entry.approvedBy.length > 0
                  ? ` · ${t('policies.approvedBy', { names: entry.approvedBy.join(', ') })}`
                  : ''}
              </span>
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}
