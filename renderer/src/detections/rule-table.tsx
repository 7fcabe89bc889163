/** Which rules run on this machine, what they look at, and why some cannot. */
import { useState } from 'react';
import type { RuleSummary } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { useApp } from '../store.ts';
import { clauseText } from '../timeline/query-text.ts';
import { runQuery } from '../timeline/timeline-store.ts';
import { count } from '../ui/format.ts';
import { SeverityWord } from '../ui/severity.tsx';
import { SafeText } from '../ui/text.tsx';
import { Value } from '../ui/value.tsx';
import { filterRules } from './group.ts';

const FIRST = 100;

export function RuleTable({ rules }: { rules: readonly RuleSummary[] }) {
  const [wanted, setWanted] = useState('');
  const [all, setAll] = useState(false);
  const indicators = useApp((state) => state.health?.rules.indicators ?? 0);
  const found = filterRules(rules, wanted);
  const disabled = rules.filter((rule) => rule.disabledReason !== undefined).length;
  const shown = all ? found : found.slice(0, FIRST);
  return (
    <section className="rules" aria-labelledby="rules-title">
      <div className="rules-head">
        <h2 id="rules-title">{t('detections.coverage')}</h2>
        <p className="dim num">
          {t('detections.coverageSummary', {
            active: count(rules.length - disabled),
            disabled: count(disabled),
            indicators: count(indicators),
          })}
        </p>
        <input
          type="search"
          className="text-input"
          value={wanted}
          placeholder={t('detections.filter')}
          aria-label={t('detections.filter')}
          onChange={(event) => setWanted(event.target.value)}
        />
      </div>
      <table className="table">
        <thead>
          <tr>
            <th scope="col" className="col-level">
              {t('detections.level')}
            </th>
            <th scope="col">{t('detections.rule')}</th>
            <th scope="col">{t('detections.techniques')}</th>
            <th scope="col">{t('detections.logsource')}</th>
            <th scope="col">{t('detections.source')}</th>
            <th scope="col" className="right">
              {t('detections.hits')}
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((rule) => (
            <tr key={rule.id}>
              <td>
                <SeverityWord severity={rule.level} />
              </td>
              <td>
                {rule.hits > 0 ? (
                  <button
                    type="button"
                    className="link-button"
                    onClick={() => runQuery(clauseText('rule', rule.id))}
                  >
                    <SafeText text={rule.title} limit={200} />
                  </button>
                ) : (
                  <SafeText text={rule.title} limit={200} />
                )}
                {rule.disabledReason === undefined ? null : (
                  <p className="small rule-off">
                    <span className="tag tag-warn">{t('detections.disabled')}</span>{' '}
                    <SafeText text={rule.disabledReason} limit={300} />
                  </p>
                )}
              </td>
              <td className="techniques">
                {rule.attack.map((technique) => (
                  <Value key={technique} value={technique} label="ATT&CK" field="attack" />
                ))}
              </td>
              <td className="mono dim">
                <SafeText text={rule.logsource || rule.type} limit={80} />
              </td>
              <td className="dim">
                <SafeText text={rule.source} limit={80} />
              </td>
              <td className="right num">{count(rule.hits)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {found.length > shown.length ? (
        <button type="button" className="link-button" onClick={() => setAll(true)}>
          {t('list.more', { n: count(found.length - shown.length) })}
        </button>
      ) : null}
    </section>
  );
}
