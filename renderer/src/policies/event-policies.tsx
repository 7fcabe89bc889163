/** Of one event: which policies decided it, on what grounds, what came of it, and what each of the others says of it. */
import { useState } from 'react';
import type { EventDetail, EventJson, PolicyOutcomeJson } from '../../../agent/api/contract.ts';
import { t, tryMessage } from '../i18n/i18n.ts';
import { agent, navigate } from '../store.ts';
import { sentence } from '../timeline/sentence.ts';
import { LongText, SafeText } from '../ui/text.tsx';
import { useLoad } from '../use-load.ts';
import { ClauseTable } from './clause-table.tsx';
import { isOneOf } from './cut-model.ts';
import { CutOff } from './cut-off.tsx';
import { PolicyExceptionButton } from './policy-except-dialog.tsx';
import { guaranteeText } from './policy-state.tsx';
import './policies.css';

function PolicyLink({ id, title }: { id: string; title: string }) {
  return (
    <button
      type="button"
      className="link-button"
      onClick={() => navigate({ view: 'policies', policy: id, tab: undefined })}
    >
      <SafeText text={title === '' ? id : title} limit={200} />
    </button>
  );
}

function Decided({ event }: { event: EventJson }) {
  const { decision } = event;
  if (!decision) return null;
  const { policyId, policyTitle, policyVersion, effect, guardian, rationale, evidence } = decision;
  return (
    <li className="event-policy">
      <p>
        <LongText text={sentence(event)} />
      </p>
      <p className="dim small">
        <PolicyLink id={policyId} title={policyTitle} /> v{policyVersion} · {guaranteeText(effect.guarantee)}{' '}
        · {tryMessage(`policies.guardian.${guardian}`) ?? guardian} (
        <span className="mono">{effect.mechanism}</span>)
      </p>
      {evidence.includes('late:hash') ? <p className="small">{t('policies.lateHash')}</p> : null}
      <ClauseTable title={t('policies.clauses')} clauses={rationale.clauses} />
      <PolicyExceptionButton id={policyId} eventId={decision.eventId} title={policyTitle || policyId} />
    </li>
  );
}

function Outcome({ outcome }: { outcome: PolicyOutcomeJson }) {
  const { id, title, version, state, action, holds, clauses, nearMisses } = outcome;
  return (
    <li className="event-policy">
      <p>
        <PolicyLink id={id} title={title} />{' '}
        <span className="dim">
          v{version}, {tryMessage(`policies.state.${state}`) ?? state}:
        </span>{' '}
        {holds ? t('policies.whyHolds', { action }) : t('policies.whyNot')}
        {!holds && nearMisses.length > 0 ? (
          <>
            , {t('policies.whyMiss')}{' '}
            <span className="mono">
              <SafeText text={nearMisses.map(({ text }) => text).join(' · ')} limit={400} />
            </span>
          </>
        ) : null}
      </p>
      {holds ? <ClauseTable title={t('policies.clauses')} clauses={clauses} /> : null}
    </li>
  );
}

function Outcomes({ eventId }: { eventId: string }) {
  const { data, error } = useLoad(`outcomes ${eventId}`, (signal) =>
    agent().call('policy.explain', { eventId }, signal),
  );
  if (error) return <p role="alert">{error.message}</p>;
  if (!data) return <p className="dim">{t('common.loading')}</p>;
  return (
    <ul className="event-policies">
      {data.outcomes.map((outcome) => (
        <Outcome key={outcome.hash} outcome={outcome} />
      ))}
    </ul>
  );
}

export function EventPolicies({ detail }: { detail: EventDetail }) {
  const [open, setOpen] = useState(false);
  const { event } = detail;
  const own = event.decision ? [event] : [];
  const decisions = [...own, ...(detail.decisions ?? [])];
  return (
    <section className="detail-section">
      <h3>{t('policies.whyTitle')}</h3>
      {decisions.length === 0 ? <p className="dim">{t('policies.whyNone')}</p> : null}
      <ul className="event-policies">
        {decisions.map((each) => (
          <Decided key={each.eventId} event={each} />
        ))}
      </ul>
      <CutOff of={(cut) => isOneOf(cut, [event.process, ...detail.ancestors])} />
      <button type="button" className="link-button" aria-expanded={open} onClick={() => setOpen(!open)}>
        {t('policies.whyWould')}
      </button>
      {open ? <Outcomes eventId={event.decision?.eventId ?? event.eventId} /> : null}
    </section>
  );
}
