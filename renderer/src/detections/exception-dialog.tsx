/**
 * Drafts an exception from a rule's match on an event: the narrowest is proposed, every condition can be left out or
 * widened, and what the choice would have hidden of what this machine has recorded is shown before anything is saved.
 */
import { useEffect, useState } from 'react';
import {
  EXCEPTION_MATCHES,
  type EventJson,
  type ExceptionMatch,
  type ExceptionPreview,
} from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { agent, useApp } from '../store.ts';
import { useLoad } from '../use-load.ts';
import { sentence } from '../timeline/sentence.ts';
import { TriageTag } from '../triage/triage-form.tsx';
import { absoluteTime, dayOf, timeOfDay } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { CopyButton, Modal } from '../ui/primitives.tsx';
import { LongText, MiddleEllipsis, SafeText } from '../ui/text.tsx';
import {
  type Draft,
  changedDraft,
  chosenOf,
  draftOf,
  firstDay,
  lastDay,
  suggestedDay,
} from './exception-model.ts';
import { removeException, saveException, useExceptions } from './exception-store.ts';
import './exception.css';

/** Typing settles before the agent is asked again. */
const SETTLE_MS = 250;

function Examples({ title, events }: { title: string; events: readonly EventJson[] }) {
  if (events.length === 0) return null;
  return (
    <details className="exception-examples" open>
      <summary>{title}</summary>
      <ul>
        {events.map((event) => (
          <li key={event.eventId}>
            <time className="num dim" title={absoluteTime(event.tsNs)}>
              {dayOf(event.tsNs)} {timeOfDay(event.tsNs, false)}
            </time>
            <MiddleEllipsis text={sentence(event)} />
          </li>
        ))}
      </ul>
    </details>
  );
}

/** What the chosen conditions would have hidden, in one sentence; what people had called real is said loudly. */
function Effect({ preview, busy }: { preview: ExceptionPreview; busy: boolean }) {
  const { matches, hidden, hiddenLabels, complete, sinceNs, hidesEvent } = preview;
  const real = hiddenLabels.true_positive ?? 0;
  return (
    <div className="exception-effect" role="status" aria-busy={busy} data-busy={busy || undefined}>
      <p>
        <strong className="num">
          {tn('exception.hidden', matches, { hidden })}
          {complete ? '' : '+'}
        </strong>{' '}
        {sinceNs === undefined ? null : (
          <span className="dim">
            {t('exception.since', { day: `${dayOf(sinceNs)} ${timeOfDay(sinceNs, false)}` })}
          </span>
        )}
      </p>
      {hidesEvent ? null : (
        <p className="tag tag-warn">
          <Icon name="warning" /> {t('exception.notThis')}
        </p>
      )}
      {real > 0 ? (
        <p className="tag tag-bad">
          <Icon name="warning" /> {tn('exception.real', real)}
        </p>
      ) : null}
      <p className="notice-actions">
        {(['false_positive', 'benign_true_positive'] as const).map((label) =>
          (hiddenLabels[label] ?? 0) > 0 ? (
            <span key={label} className="num">
              <TriageTag label={label} /> {hiddenLabels[label]}
            </span>
          ) : null,
        )}
      </p>
    </div>
  );
}

function Conditions({ draft, onChange }: { draft: Draft; onChange: (draft: Draft) => void }) {
  return (
    <table className="exception-conditions">
      <caption className="visually-hidden">{t('exception.conditions')}</caption>
      <tbody>
        {draft.map((row, at) => {
          const change = (with_: Partial<Draft[number]>): void => onChange(changedDraft(draft, at, with_));
          return (
            <tr key={row.field} data-off={!row.chosen || undefined}>
              <td>
                <label>
                  <input
                    type="checkbox"
                    checked={row.chosen}
                    onChange={(event) => change({ chosen: event.target.checked })}
                  />{' '}
                  <span className="mono">{row.field}</span>
                </label>
                {row.fromRule ? <span className="tag">{t('exception.fromRule')}</span> : null}
              </td>
              <td>
                <select
                  value={row.match}
                  aria-label={t('exception.how', { field: row.field })}
                  disabled={!row.chosen}
                  onChange={(event) => change({ match: event.target.value as ExceptionMatch })}
                >
                  {EXCEPTION_MATCHES.map((match) => (
                    <option key={match} value={match}>
                      {t(`exception.match.${match}`)}
                    </option>
                  ))}
                </select>
              </td>
              <td>
                <input
                  className="text-input mono"
                  value={row.value}
                  maxLength={4096}
                  dir="ltr"
                  aria-label={t('exception.value', { field: row.field })}
                  disabled={!row.chosen}
                  onChange={(event) => change({ value: event.target.value })}
                />
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Saved({ onClose }: { onClose: () => void }) {
  const saved = useExceptions((state) => state.saved);
  const busy = useExceptions((state) => state.busy);
  if (!saved) return null;
  return (
    <div className="modal-body exception" role="status">
      <p>
        <Icon name="check" />{' '}
        {t('exception.saved', { day: saved.expiresNs === undefined ? '' : dayOf(saved.expiresNs) })}
      </p>
      <p className="dim small mono">
        <SafeText text={saved.file} limit={300} />
      </p>
      <div className="notice-actions">
        <button
          type="button"
          className="button"
          disabled={busy}
          onClick={() => void removeException(saved.id).then((done) => done && onClose())}
        >
          {t('triage.undo')}
        </button>
        <button type="button" className="button button-primary" onClick={onClose}>
          {t('common.close')}
        </button>
      </div>
    </div>
  );
}

function Form({ eventId, ruleId }: { eventId: string; ruleId: string }) {
  const [draft, setDraft] = useState<Draft | undefined>(undefined);
  const [asked, setAsked] = useState<string | undefined>(undefined);
  const [reason, setReason] = useState('');
  const [openedMs] = useState(() => Date.now());
  const [expires, setExpires] = useState(() => suggestedDay(openedMs));
  const busy = useExceptions((state) => state.busy);
  const failure = useExceptions((state) => state.error);
  const first = useLoad(`${eventId} ${ruleId}`, (signal) =>
    agent().call('exceptions.preview', { eventId, ruleId }, signal),
  );
  const { data: latest, error } = useLoad(`${eventId} ${ruleId} ${asked ?? ''}`, async (signal) =>
    asked === undefined || asked === '[]'
      ? undefined
      : agent().call('exceptions.preview', { eventId, ruleId, conditions: JSON.parse(asked) }, signal),
  );
  const rows = draft ?? (first.data && draftOf(first.data.candidates));
  const chosen = JSON.stringify(rows ? chosenOf(rows) : []);
  useEffect(() => {
    if (draft === undefined) return undefined;
    const timer = setTimeout(() => setAsked(chosen), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [draft, chosen]);
  const preview = asked === undefined ? first.data : (latest ?? first.data);
  const current = preview !== undefined && JSON.stringify(preview.conditions) === chosen;
  const problem = first.error ?? error;
  if (first.data === undefined || rows === undefined || preview === undefined) {
    return (
      <div className="modal-body exception">
        <p role={problem ? 'alert' : 'status'}>{problem?.message ?? t('common.loading')}</p>
      </div>
    );
  }
  const ready = current && preview.hidesEvent && reason.trim() !== '' && expires !== '' && !busy;
  return (
    <form
      className="modal-body exception"
      onSubmit={(event) => {
        event.preventDefault();
        if (!ready) return;
        void saveException({ eventId, ruleId, conditions: chosenOf(rows), reason: reason.trim(), expires });
      }}
    >
      <div className="exception-head">
        <h3>{t('exception.when')}</h3>
        <span className="notice-actions">
          <button type="button" className="button" onClick={() => setDraft(draftOf(first.data!.candidates))}>
            {t('exception.narrowest')}
          </button>
          <button
            type="button"
            className="button"
            onClick={() => setDraft(draftOf(first.data!.candidates, (each) => each.fromRule))}
          >
            {t('exception.ruleOnly')}
          </button>
        </span>
      </div>
      <Conditions draft={rows} onChange={setDraft} />
      {chosen === '[]' ? <p className="tag tag-warn">{t('exception.noCondition')}</p> : null}
      {error ? (
        <p className="triage-error" role="alert">
          {error.message}
        </p>
      ) : (
        <Effect preview={preview} busy={!current} />
      )}
      <Examples title={t('exception.hiddenExamples')} events={preview.hiddenExamples} />
      <Examples title={t('exception.keptExamples')} events={preview.keptExamples} />
      <details className="exception-examples">
        <summary>{t('exception.filter')}</summary>
        <pre className="mono">
          <LongText text={preview.yaml} />
        </pre>
        <CopyButton text={preview.yaml} words />
      </details>
      <div className="exception-save">
        <label className="exception-reason">
          {t('exception.reason')}
          <input
            className="text-input"
            value={reason}
            maxLength={500}
            onChange={(event) => setReason(event.target.value)}
          />
        </label>
        <label>
          {t('exception.expires')}
          <input
            type="date"
            className="text-input"
            value={expires}
            min={firstDay(openedMs)}
            max={lastDay(openedMs)}
            onChange={(event) => setExpires(event.target.value)}
          />
        </label>
        <button type="submit" className="button button-primary" disabled={!ready}>
          {t('exception.save')}
        </button>
      </div>
      <p className="small dim">{t('exception.meaning')}</p>
      {failure === undefined ? null : (
        <p className="triage-error" role="alert">
          {failure}
        </p>
      )}
    </form>
  );
}

/** Opens the draft of an exception; absent for those who may not change anything. */
export function ExceptionButton({
  eventId,
  ruleId,
  title,
}: {
  eventId: string;
  ruleId: string;
  title: string;
}) {
  const [open, setOpen] = useState(false);
  const saved = useExceptions((state) => state.saved);
  const allowed = useApp(({ connection }) => connection.state === 'open' && connection.privileged);
  if (!allowed) return null;
  const show = (next: boolean): void => {
    useExceptions.setState({ saved: undefined, error: undefined });
    setOpen(next);
  };
  return (
    <>
      <button type="button" className="button" onClick={() => show(true)}>
        {t('exception.draft')}
      </button>
      <Modal title={t('exception.title', { rule: title })} open={open} onClose={() => show(false)}>
        {saved ? <Saved onClose={() => show(false)} /> : <Form eventId={eventId} ruleId={ruleId} />}
      </Modal>
    </>
  );
}
