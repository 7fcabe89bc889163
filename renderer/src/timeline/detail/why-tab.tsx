/** Which rules matched, which clause of each, on which value, shown inside the value. */
import { Fragment } from 'react';
import type { DetectionJson, EventDetail, EventJson } from '../../../../agent/api/contract.ts';
import { t } from '../../i18n/i18n.ts';
import { SeverityWord } from '../../ui/severity.tsx';
import { LongText, SafeText } from '../../ui/text.tsx';
import { Value } from '../../ui/value.tsx';
import { EventPolicies } from '../../policies/event-policies.tsx';
import { ExceptionButton } from '../../detections/exception-dialog.tsx';
import { Decision, TriageForm } from '../../triage/triage-form.tsx';
import { decisionFor } from '../../triage/decision-for.ts';
import { commandLine } from '../sentence.ts';
import { mark, needlesOf } from './highlight.ts';

function Highlighted({ text, needles }: { text: string; needles: readonly string[] }) {
  return mark(text, needles).map((part, at) =>
    part.marked ? (
      <mark key={at}>
        <SafeText text={part.text} limit={part.text.length} />
      </mark>
    ) : (
      <SafeText key={at} text={part.text} limit={part.text.length} />
    ),
  );
}

function Rule({ detection, event }: { detection: DetectionJson; event: EventJson }) {
  const command = commandLine(event.process?.argv ?? [], 20_000);
  const commandNeedles = detection.clauses
    .filter((clause) => /^CommandLine(\||$)/.test(clause.field))
    .flatMap((clause) => {
      const pieces = needlesOf(clause.field, clause.pattern);
      return pieces.length > 0 ? pieces : [clause.pattern];
    });
  return (
    <section className="rule">
      <h3 className="rule-head">
        <SeverityWord severity={detection.level} />
        <span className="rule-title">
          <SafeText text={detection.title} limit={300} />
        </span>
      </h3>
      <p className="small dim">
        {detection.attack.map((technique) => (
          <span key={technique}>
            <Value value={technique} label="ATT&CK" field="attack" />{' '}
          </span>
        ))}
        <Value value={detection.ruleId} label={t('field.rule')} field="rule">
          <SafeText text={t('detail.why.rule', { id: detection.ruleId, source: detection.source })} />
        </Value>
      </p>
      {commandNeedles.length > 0 && command !== '' ? (
        <p className="command">
          <LongText
            text={command}
            render={(shown) => <Highlighted text={shown} needles={commandNeedles} />}
          />
        </p>
      ) : null}
      <ul className="clauses">
        {detection.clauses.map((clause, at) => (
          <li key={at} className="clause">
            <p className="clause-head">
              <span className="clause-selection">
                <SafeText text={clause.selection} limit={80} />
              </span>
              <span className="mono">
                <SafeText text={clause.field} limit={120} />
              </span>
              <span className="dimmer">{t('detail.why.matched')}</span>
              <code className="mono clause-pattern">
                <SafeText text={clause.pattern} limit={300} />
              </code>
            </p>
            <p className="clause-value mono">
              <LongText
                text={clause.value}
                render={(shown) => (
                  <Highlighted text={shown} needles={needlesOf(clause.field, clause.pattern)} />
                )}
              />
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What was decided about this match, and the means to decide. */
function Triage({ detail, ruleId, title }: { detail: EventDetail; ruleId: string; title: string }) {
  const { eventId } = detail.event;
  const decision = decisionFor(detail.triage ?? [], eventId, ruleId);
  return (
    <section className="detail-section">
      <h3>{t('triage.title')}</h3>
      {decision ? <Decision decision={decision} /> : null}
      <TriageForm target={{ eventIds: [eventId], ruleId }} current={decision?.label} />
      <ExceptionButton eventId={eventId} ruleId={ruleId} title={title} />
    </section>
  );
}

export function WhyTab({ detail }: { detail: EventDetail }) {
  const { event } = detail;
  const detections = event.detections ?? [];
  if (detections.length === 0) {
    return (
      <>
        {event.decision ? null : (
          <div className="quiet">
            <p>{t('detail.why.none')}</p>
            <p className="dim">{t('detail.why.noneMeaning')}</p>
          </div>
        )}
        <EventPolicies detail={detail} />
      </>
    );
  }
  return (
    <>
      {detections.map((detection) => (
        <Fragment key={detection.ruleId}>
          <Rule detection={detection} event={event} />
          <Triage detail={detail} ruleId={detection.ruleId} title={detection.title} />
        </Fragment>
      ))}
      <EventPolicies detail={detail} />
    </>
  );
}
