/** Labels and a note for one or many events, what was decided already, and a way back. */
import { useState } from 'react';
import type { TriageDecision, TriageLabel } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { useApp } from '../store.ts';
import { Ago } from '../ui/time.tsx';
import { SafeText } from '../ui/text.tsx';
import { type Target, decide, keyOf, undoDecision, useTriage } from './triage-store.ts';
import './triage.css';

const LABELS = ['true_positive', 'benign_true_positive', 'false_positive'] as const;

export function TriageTag({ label }: { label: TriageLabel }) {
  return (
    <span className="tag triage-tag" data-label={label}>
      {t(`triage.label.${label}`)}
    </span>
  );
}

export function Decision({ decision }: { decision: TriageDecision }) {
  const { by } = decision;
  const who = by.user ?? (by.uid === undefined ? t('common.unknown') : `uid ${by.uid}`);
  return (
    <p className="triage-decision">
      <TriageTag label={decision.label} />{' '}
      <span className="dim">
        <SafeText text={t('triage.by', { who })} limit={80} /> <Ago ns={decision.tsNs} />
      </span>
      {decision.note === undefined ? null : (
        <span className="triage-note">
          <SafeText text={decision.note} limit={2000} />
        </span>
      )}
    </p>
  );
}

export function TriageForm({ target, current }: { target: Target; current?: TriageLabel }) {
  const [note, setNote] = useState('');
  const busy = useTriage((state) => state.busy);
  const error = useTriage((state) => state.error);
  const undo = useTriage((state) => state.about === keyOf(target) && state.undo.length > 0);
  const decided = useTriage((state) => state.decided);
  const allowed = useApp(({ connection }) => connection.state === 'open' && connection.privileged);
  if (!allowed) return <p className="dim small">{t('triage.notAllowed')}</p>;
  const choose = (label: TriageLabel): void => {
    void decide(target, label, note).then((done) => done && setNote(''));
  };
  return (
    <div className="triage" role="group" aria-label={t('triage.title')}>
      <div className="notice-actions">
        {LABELS.map((label) => (
          <button
            key={label}
            type="button"
            className="button"
            aria-pressed={label === current}
            disabled={busy}
            onClick={() => choose(label)}
          >
            {t(`triage.label.${label}`)}
          </button>
        ))}
        {current === undefined || current === 'none' ? null : (
          <button
            type="button"
            className="button button-quiet"
            disabled={busy}
            onClick={() => choose('none')}
          >
            {t('triage.clear')}
          </button>
        )}
      </div>
      <input
        className="text-input"
        value={note}
        maxLength={2000}
        placeholder={t('triage.note')}
        aria-label={t('triage.note')}
        onChange={(event) => setNote(event.target.value)}
      />
      <p className="small" role="status">
        {busy ? t('triage.busy') : null}
        {error === undefined ? null : <span className="triage-error">{error}</span>}
        {undo && !busy ? (
          <>
            {tn('triage.done', decided)}{' '}
            <button type="button" className="link-button" onClick={() => void undoDecision()}>
              {t('triage.undo')}
            </button>
          </>
        ) : null}
      </p>
    </div>
  );
}
