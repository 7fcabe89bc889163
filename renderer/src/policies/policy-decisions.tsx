/** The latest decisions of a policy; the clauses of each with the values they saw, and what nearly made the difference. */
import { useState } from 'react';
import type { EventJson } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { agent, navigate } from '../store.ts';
import { clauseText } from '../timeline/query-text.ts';
import { sentence } from '../timeline/sentence.ts';
import { runQuery } from '../timeline/timeline-store.ts';
import { Icon } from '../ui/icon.tsx';
import { MiddleEllipsis } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { useLoad } from '../use-load.ts';
import { ClauseTable } from './clause-table.tsx';
import { PolicyExceptionButton } from './policy-except-dialog.tsx';

const SHOWN = 10;
const REFRESH_MS = 5000;

function Row({ event }: { event: EventJson }) {
  const [open, setOpen] = useState(false);
  const { decision } = event;
  return (
    <li>
      <div className="policy-decision">
        <button
          type="button"
          className="group-toggle link-button"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          <Icon name={open ? 'down' : 'right'} /> <Ago ns={event.tsNs} />
        </button>
        <button
          type="button"
          className="sample"
          title={t('detections.open')}
          onClick={() =>
            navigate({ view: 'timeline', query: '', eventId: decision?.eventId ?? event.eventId, tab: 'why' })
          }
        >
          <MiddleEllipsis text={sentence(event)} />
        </button>
      </div>
      {open && decision ? (
        <>
          <ClauseTable title={t('policies.clauses')} clauses={decision.rationale.clauses} />
          <ClauseTable title={t('policies.nearMisses')} clauses={decision.rationale.nearMisses} />
          <PolicyExceptionButton
            id={decision.policyId}
            eventId={decision.eventId}
            title={decision.policyTitle || decision.policyId}
          />
        </>
      ) : null}
    </li>
  );
}

export function Decisions({ id }: { id: string }) {
  const query = `type:decision and ${clauseText('policy', id)}`;
  const { data } = useLoad(
    `decisions ${id}`,
    (signal) => agent().call('events.query', { query, limit: SHOWN }, signal),
    REFRESH_MS,
  );
  const events = data?.events ?? [];
  return (
    <section className="policy-section">
      <h2>{t('policies.decisions')}</h2>
      {events.length === 0 ? (
        <p className="dim">{t('policies.decisionsNone')}</p>
      ) : (
        <>
          <ul className="policy-decisions">
            {events.map((event) => (
              <Row key={event.eventId} event={event} />
            ))}
          </ul>
          <button type="button" className="link-button" onClick={() => runQuery(query)}>
            {t('policies.decisionsAll')}
          </button>
        </>
      )}
    </section>
  );
}
