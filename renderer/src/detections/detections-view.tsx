/** What matched, grouped by rule, the worst first; and which rules this machine runs. */
import { t, tn } from '../i18n/i18n.ts';
import { navigate } from '../store.ts';
import { useLoad } from '../use-load.ts';
import { sentence } from '../timeline/sentence.ts';
import { clauseText } from '../timeline/query-text.ts';
import { runQuery } from '../timeline/timeline-store.ts';
import { count } from '../ui/format.ts';
import { Ago } from '../ui/time.tsx';
import { CodeLine, Notice } from '../ui/primitives.tsx';
import { SeverityWord } from '../ui/severity.tsx';
import { MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { Value } from '../ui/value.tsx';
import type { RuleGroup } from './group.ts';
import { RuleTable } from './rule-table.tsx';
import { loadDetections } from './load.ts';
import './detections.css';

const REFRESH_MS = 5000;

function Row({ group }: { group: RuleGroup }) {
  const { latest } = group;
  return (
    <tr>
      <td>
        <SeverityWord severity={group.level} />
      </td>
      <td>
        <button
          type="button"
          className="link-button"
          title={t('detections.open')}
          onClick={() => runQuery(clauseText('rule', group.id))}
        >
          <SafeText text={group.title} limit={200} />
        </button>
        {latest ? (
          <button
            type="button"
            className="sample"
            title={t('detections.sample')}
            onClick={() =>
              navigate({
                view: 'timeline',
                query: clauseText('rule', group.id),
                eventId: latest.eventId,
                tab: 'why',
              })
            }
          >
            <MiddleEllipsis text={sentence(latest)} />
          </button>
        ) : null}
      </td>
      <td className="techniques">
        {group.attack.map((technique) => (
          <Value key={technique} value={technique} label="ATT&CK" field="attack" />
        ))}
      </td>
      <td className="right num">
        {count(group.count)}
        {group.atLeast ? '+' : ''}
      </td>
      <td className="num nowrap">{latest ? <Ago ns={latest.tsNs} /> : null}</td>
    </tr>
  );
}

export function DetectionsView() {
  const { data, error, again } = useLoad('detections', loadDetections, REFRESH_MS);
  const total = data?.groups.reduce((sum, group) => sum + group.count, 0) ?? 0;
  return (
    <div className="page detections">
      <h1 className="page-title">{t('detections.title')}</h1>
      {error === undefined ? null : (
        <Notice title={t('detections.failed')} alert>
          <p>{error.message}</p>
          <div className="notice-actions">
            <button type="button" className="button" onClick={again}>
              {t('common.retry')}
            </button>
          </div>
        </Notice>
      )}
      {data === undefined && error === undefined ? <p className="dim">{t('common.loading')}</p> : null}
      {data && data.groups.length === 0 ? (
        <Notice title={t('detections.none')}>
          <p className="dim">{t('detections.noneMeaning')}</p>
          <p>{t('detections.noneTry')}</p>
          <CodeLine code="cp /bin/true /tmp/.x && /tmp/.x; rm /tmp/.x" />
        </Notice>
      ) : null}
      {data && data.groups.length > 0 ? (
        <>
          <p className="dim">
            {tn('detections.summary', data.groups.length, { events: tn('detections.events', total) })}
          </p>
          <table className="table">
            <thead>
              <tr>
                <th scope="col" className="col-level">
                  {t('detections.level')}
                </th>
                <th scope="col">{t('detections.rule')}</th>
                <th scope="col">{t('detections.techniques')}</th>
                <th scope="col" className="right">
                  {t('detections.count')}
                </th>
                <th scope="col">{t('detections.latest')}</th>
              </tr>
            </thead>
            <tbody>
              {data.groups.map((group) => (
                <Row key={group.id} group={group} />
              ))}
            </tbody>
          </table>
        </>
      ) : null}
      {data ? <RuleTable rules={data.rules} /> : null}
    </div>
  );
}
