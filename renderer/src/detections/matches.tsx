/** The matches of a group: each a sentence that opens its event, chosen by checkbox, labelled together. */
import { useState } from 'react';
import type { EventJson, TriageDecision } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { entityOf, showProcess } from '../processes/process-store.ts';
import { navigate } from '../store.ts';
import { sentence } from '../timeline/sentence.ts';
import { TriageForm, TriageTag } from '../triage/triage-form.tsx';
import { type Shown, decisionOn, isShown } from './shown.ts';
import { ExceptionButton } from './exception-dialog.tsx';
import { absoluteTime, count, timeOfDay } from '../ui/format.ts';
import { IconButton } from '../ui/primitives.tsx';
import { MiddleEllipsis } from '../ui/text.tsx';

const FIRST = 50;

function Match({
  event,
  query,
  decision,
  chosen,
  onChoose,
}: {
  event: EventJson;
  query: string;
  decision: TriageDecision | undefined;
  chosen: boolean;
  onChoose: () => void;
}) {
  const text = sentence(event);
  return (
    <li className="match">
      <input type="checkbox" checked={chosen} aria-label={t('marks.toggle')} onChange={onChoose} />
      <time className="row-time num" title={absoluteTime(event.tsNs)}>
        {timeOfDay(event.tsNs)}
      </time>
      <button
        type="button"
        className="match-open"
        onClick={() => navigate({ view: 'timeline', query, eventId: event.eventId, tab: 'why' })}
      >
        <MiddleEllipsis text={text} />
      </button>
      {decision ? <TriageTag label={decision.label} /> : <span />}
      {event.process ? (
        <IconButton
          icon="processes"
          label={t('processes.show')}
          onClick={() => event.process && showProcess(entityOf(event.process))}
        />
      ) : null}
    </li>
  );
}

export function Matches({
  events,
  ruleId,
  title = '',
  query,
  decisions,
  show,
}: {
  events: readonly EventJson[];
  /** The decision is about this rule's match, else about the event as a whole. */
  ruleId: string | undefined;
  /** Of that rule. */
  title?: string;
  query: string;
  decisions: readonly TriageDecision[];
  show: Shown;
}) {
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const [all, setAll] = useState(false);
  const wanted = events.filter((event) => isShown(show, decisions, event, ruleId));
  const shown = all ? wanted : wanted.slice(0, FIRST);
  const chosen = shown.filter((event) => !left.has(event.eventId)).map((event) => event.eventId);
  const choose = (eventId: string): void => {
    const next = new Set(left);
    if (!next.delete(eventId)) next.add(eventId);
    setLeft(next);
  };
  return (
    <div className="matches">
      <ul>
        {shown.map((event) => (
          <Match
            key={event.eventId}
            event={event}
            query={query}
            decision={decisionOn(decisions, event, ruleId)}
            chosen={!left.has(event.eventId)}
            onChoose={() => choose(event.eventId)}
          />
        ))}
      </ul>
      {wanted.length > shown.length ? (
        <button type="button" className="link-button" onClick={() => setAll(true)}>
          {t('list.more', { n: count(wanted.length - shown.length) })}
        </button>
      ) : null}
      <p className="small dim">{tn('triage.about', chosen.length)}</p>
      {chosen.length > 0 ? <TriageForm target={{ eventIds: chosen, ruleId }} /> : null}
      {ruleId !== undefined && chosen[0] !== undefined ? (
        <p>
          <ExceptionButton eventId={chosen[0]} ruleId={ruleId} title={title} />
        </p>
      ) : null}
    </div>
  );
}
