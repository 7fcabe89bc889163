/** The text of a policy as one edits it: what it would change, a trial of it on the record, and saving it as a draft. */
import { useState } from 'react';
import type { Methods } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { agent } from '../store.ts';
import { Icon } from '../ui/icon.tsx';
import { CopyButton } from '../ui/primitives.tsx';
import { SafeText } from '../ui/text.tsx';
import { PolicyDifference } from './policy-difference.tsx';
import { keepDraft, usePolicyDrafts } from './policy-drafts.ts';
import { PolicyEditor } from './policy-editor.tsx';
import { Simulation } from './policy-simulation.tsx';
import { guaranteeText } from './policy-state.tsx';
import { usePolicyCheck, type PolicyCheck } from './use-policy-check.ts';

/** What the text would come to on this machine, once it is valid. */
function Reach({ check }: { check: PolicyCheck }) {
  const [policy] = check.policies;
  if (!policy || check.policies.length > 1) return null;
  return (
    <p className="dim">
      {t('policies.wouldCome')} {guaranteeText(policy.reach.guarantee)} ·{' '}
      {t(`policies.guardian.${policy.reach.guardian}`)}
      {policy.reach.reason === '' ? null : (
        <>
          {' '}
          (<SafeText text={policy.reach.reason} limit={300} />)
        </>
      )}
    </p>
  );
}

/** A save: what came of the last one, and whether one is under way. */
export function useSave(onSaved: (saved: Methods['policy.save']['result']) => void) {
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<string>();
  const save = (text: string, base: string | undefined): void => {
    if (busy) return;
    setBusy(true);
    setFailed(undefined);
    agent()
      .call('policy.save', base === undefined ? { text } : { text, base })
      .then(onSaved)
      .catch((error: unknown) => setFailed(error instanceof Error ? error.message : String(error)))
      .finally(() => setBusy(false));
  };
  return { busy, failed, save };
}

export function SaveFailure({ failed }: { failed: string | undefined }) {
  if (failed === undefined) return null;
  return (
    <p className="policy-refused" role="alert">
      <Icon name="warning" /> <SafeText text={failed} limit={400} />
    </p>
  );
}

export function PolicyText({
  id,
  text,
  hash,
  onSaved,
}: {
  id: string;
  /** What the files hold now, and its hash. */
  text: string;
  hash: string;
  onSaved: () => void;
}) {
  const draft = usePolicyDrafts(({ drafts }) => drafts[id]);
  const [caret, setCaret] = useState<number>();
  const [compared, setCompared] = useState(false);
  const [saved, setSaved] = useState<number>();
  const now = draft?.text ?? text;
  const check = usePolicyCheck(now, caret);
  const changed = draft !== undefined && draft.text !== text;
  const { busy, failed, save } = useSave(({ version }) => {
    keepDraft(id, undefined);
    setSaved(version.version);
    onSaved();
  });
  const current = check?.text === now;
  const other = check?.policies.find((policy) => policy.id !== id)?.id;
  const ready = changed && current && check.problems.length === 0 && other === undefined && !busy;
  const submit = (): void => {
    if (ready) save(now, draft.base);
  };
  const meanwhile = changed && draft.base !== hash;
  return (
    <>
      <section className="policy-section">
        <h2>{t('policies.text')}</h2>
        <p className="dim">{t('policies.textMeaning')}</p>
        {meanwhile ? (
          <div className="policy-meanwhile" role="status">
            <p>{t('policies.meanwhile')}</p>
            <div className="notice-actions">
              <button type="button" className="button" onClick={() => keepDraft(id, undefined)}>
                {t('policies.takeTheirs')}
              </button>
              <button
                type="button"
                className="button"
                onClick={() => keepDraft(id, { text: now, base: hash })}
              >
                {t('policies.keepMine')}
              </button>
            </div>
          </div>
        ) : null}
        <PolicyEditor
          text={now}
          check={check}
          onChange={(typed) => {
            setSaved(undefined);
            keepDraft(id, { text: typed, base: draft?.base ?? hash });
          }}
          onCaret={setCaret}
          onSave={submit}
        />
        {other === undefined ? null : <p role="alert">{t('policies.otherId', { id: other })}</p>}
        {current && changed ? <Reach check={check} /> : null}
        <div className="notice-actions">
          <button type="button" className="button button-primary" disabled={!ready} onClick={submit}>
            {t('policies.save')}
          </button>
          <button
            type="button"
            className="button"
            aria-pressed={compared}
            onClick={() => setCompared(!compared)}
          >
            {t('policies.compare')}
          </button>
          <CopyButton text={now} label={t('policies.copyText')} words />
          {changed ? (
            <button type="button" className="button" onClick={() => keepDraft(id, undefined)}>
              {t('policies.revert')}
            </button>
          ) : null}
        </div>
        <p role="status">
          {saved === undefined ? null : (
            <>
              <Icon name="check" /> {t('policies.saved', { version: saved })}
            </>
          )}
        </p>
        <SaveFailure failed={failed} />
        {compared ? <PolicyDifference id={id} text={now} /> : null}
      </section>
      <Simulation id={id} typed={ready ? { text: now, hash: check.policies[0]?.hash ?? '' } : undefined} />
    </>
  );
}
