/**
 * Drafts an exception of a policy from an event that it decided: the narrowest is proposed, conditions can be left out,
 * and what the choice would let pass of the record is tried before it can be saved.
 */
import { useEffect, useState } from 'react';
import type { PolicyExceptionDraft, PolicySimulation } from '../../../agent/api/contract.ts';
import { firstDay, lastDay, suggestedDay } from '../detections/exception-model.ts';
import { t } from '../i18n/i18n.ts';
import { agent, navigate } from '../store.ts';
import { count } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { Modal } from '../ui/primitives.tsx';
import { MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { useLoad } from '../use-load.ts';
import '../detections/exception.css';

const DAYS = 10;
const SETTLE_MS = 400;
const POLL_MS = 300;

/** Runs the draft over the record; polls until it is done. */
function useTrial(draft: PolicyExceptionDraft | undefined): {
  trial: PolicySimulation | undefined;
  error: string | undefined;
} {
  const [trial, setTrial] = useState<PolicySimulation>();
  const [error, setError] = useState<string>();
  useEffect(() => {
    if (draft === undefined) return undefined;
    const abort = new AbortController();
    const { id, text, hash } = draft;
    const run = async (): Promise<void> => {
      setError(undefined);
      let { simulation } = await agent().call('policy.run', { id, text, days: DAYS }, abort.signal);
      while (!simulation.done && !abort.signal.aborted) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        const now = (await agent().call('policy.simulation', { id }, abort.signal)).simulation;
        // Somebody else tries another text of this policy: theirs is not ours.
        if (now?.hash !== hash) return run();
        simulation = now;
        setTrial(now);
      }
      if (!abort.signal.aborted) setTrial(simulation);
    };
    const timer = setTimeout(() => {
      run().catch((reason: unknown) => {
        if (!abort.signal.aborted) setError(reason instanceof Error ? reason.message : String(reason));
      });
    }, SETTLE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [draft]);
  return { trial: trial?.hash === draft?.hash ? trial : undefined, error };
}

function Effect({ trial }: { trial: PolicySimulation | undefined }) {
  const { difference, matched, done = false } = trial ?? {};
  return (
    <div className="exception-effect" role="status" aria-busy={!done} data-busy={!done || undefined}>
      <p className="num">
        {trial === undefined
          ? t('common.loading')
          : t('policies.exceptEffect', {
              less: count(difference?.noLongerCaught ?? 0),
              still: count(matched ?? 0),
            })}
      </p>
    </div>
  );
}

function Form({ id, eventId, onClose }: { id: string; eventId: string; onClose: () => void }) {
  const [chosen, setChosen] = useState<readonly string[]>();
  const [reason, setReason] = useState('');
  const [openedMs] = useState(() => Date.now());
  const [expires, setExpires] = useState(() => suggestedDay(openedMs));
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<string>();
  const [saved, setSaved] = useState<number>();
  const none = chosen?.length === 0;
  const { data: draft, error } = useLoad(`except ${id} ${eventId} ${JSON.stringify(chosen)}`, (signal) =>
    agent().call(
      'policy.except',
      { id, eventId, ...(chosen === undefined || none ? {} : { conditions: [...chosen] }) },
      signal,
    ),
  );
  const { data: first } = useLoad(`except ${id} ${eventId}`, (signal) =>
    agent().call('policy.except', { id, eventId }, signal),
  );
  const { trial, error: trialError } = useTrial(none ? undefined : draft);
  const conditions = chosen ?? first?.conditions ?? [];
  const problem = failed ?? error?.message ?? trialError;
  const ready =
    draft?.excepts === true &&
    trial?.done === true &&
    !trial.cancelled &&
    !none &&
    reason.trim() !== '' &&
    !busy;
  const save = async (): Promise<void> => {
    setBusy(true);
    setFailed(undefined);
    try {
      const asked = { id, eventId, conditions: [...conditions], reason: reason.trim(), expires };
      const { text, base } = await agent().call('policy.except', asked);
      const { version } = await agent().call('policy.save', { text, base });
      setSaved(version.version);
    } catch (caught) {
      setFailed(caught instanceof Error ? caught.message : String(caught));
    } finally {
      setBusy(false);
    }
  };
  if (saved !== undefined)
    return (
      <div className="modal-body exception" role="status">
        <p>
          <Icon name="check" /> {t('policies.exceptSaved', { version: saved, id })}
        </p>
        <div className="notice-actions">
          <button
            type="button"
            className="button"
            onClick={() => {
              onClose();
              navigate({ view: 'policies', policy: id, tab: undefined, eventId: undefined });
            }}
          >
            {t('policies.openPolicy')}
          </button>
          <button type="button" className="button button-primary" onClick={onClose}>
            {t('common.close')}
          </button>
        </div>
      </div>
    );
  if (!first)
    return (
      <div className="modal-body exception">
        <p role={problem === undefined ? 'status' : 'alert'}>{problem ?? t('common.loading')}</p>
      </div>
    );
  return (
    <form
      className="modal-body exception"
      onSubmit={(event) => {
        event.preventDefault();
        if (ready) void save();
      }}
    >
      <fieldset className="policy-conditions">
        <legend>{t('policies.exceptOf')}</legend>
        {first.candidates.map(({ when }) => (
          <label key={when}>
            <input
              type="checkbox"
              checked={conditions.includes(when)}
              onChange={(event) =>
                setChosen(
                  first.candidates
                    .map((candidate) => candidate.when)
                    .filter((each) => (each === when ? event.target.checked : conditions.includes(each))),
                )
              }
            />{' '}
            <span className="mono">
              <SafeText text={when} limit={600} />
            </span>
          </label>
        ))}
      </fieldset>
      {none ? <p className="tag tag-warn">{t('exception.noCondition')}</p> : <Effect trial={trial} />}
      {draft?.excepts === false ? (
        <p className="tag tag-warn">
          <Icon name="warning" /> {t('policies.exceptUseless')}
        </p>
      ) : null}
      {trial?.difference && trial.difference.lostExamples.length > 0 ? (
        <details className="exception-examples" open>
          <summary>{t('policies.noLongerCaught')}</summary>
          <ul>
            {trial.difference.lostExamples.slice(0, 5).map(({ eventId: at, text }) => (
              <li key={at}>
                <MiddleEllipsis text={text} />
              </li>
            ))}
          </ul>
        </details>
      ) : null}
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
          {t('policies.exceptSave')}
        </button>
      </div>
      <p className="small dim">{t('policies.exceptMeaning')}</p>
      {problem === undefined ? null : (
        <p className="triage-error" role="alert">
          {problem}
        </p>
      )}
    </form>
  );
}

/** Opens the draft of an exception of a policy from an event that it decided. */
export function PolicyExceptionButton({
  id,
  eventId,
  title,
}: {
  id: string;
  eventId: string;
  title: string;
}) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" className="button" onClick={() => setOpen(true)}>
        {t('policies.draftException')}
      </button>
      <Modal title={t('policies.exceptTitle', { policy: title })} open={open} onClose={() => setOpen(false)}>
        <Form id={id} eventId={eventId} onClose={() => setOpen(false)} />
      </Modal>
    </>
  );
}
