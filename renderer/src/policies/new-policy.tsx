/** A new policy: begun from a template or a starter, written, saved as a draft. */
import { useState } from 'react';
import type { PolicyTemplateJson } from '../../../agent/api/contract.ts';
import { t, tryMessage } from '../i18n/i18n.ts';
import { agent, navigate } from '../store.ts';
import { Icon } from '../ui/icon.tsx';
import { SafeText } from '../ui/text.tsx';
import { useLoad } from '../use-load.ts';
import { keepDraft, NEW_POLICY, usePolicyDrafts } from './policy-drafts.ts';
import { PolicyEditor } from './policy-editor.tsx';
import { SaveFailure, useSave } from './policy-text.tsx';
import { usePolicyCheck } from './use-policy-check.ts';

/** A starter under an id of its own: the one that came along stays as it is. */
function begun({ kind, text }: PolicyTemplateJson): string {
  return kind === 'starter'
    ? text.replace(/^id:\s*(\S+)$/m, 'id: my-$1').replace(/^version:.*$/m, 'version: 1')
    : text;
}

function Templates({
  kind,
  templates,
}: {
  kind: PolicyTemplateJson['kind'];
  templates: readonly PolicyTemplateJson[];
}) {
  return (
    <>
      <h2>{t(`policies.from.${kind}`)}</h2>
      <ul className="policy-templates">
        {templates
          .filter((template) => template.kind === kind)
          .map((template) => (
            <li key={template.id}>
              <button
                type="button"
                className="link-button"
                onClick={() => keepDraft(NEW_POLICY, { text: begun(template), base: undefined })}
              >
                <SafeText
                  text={tryMessage(`policies.template.${template.id}`) ?? template.title}
                  limit={200}
                />
              </button>
            </li>
          ))}
      </ul>
    </>
  );
}

export function NewPolicy({ onSaved }: { onSaved: () => void }) {
  const text = usePolicyDrafts(({ drafts }) => drafts[NEW_POLICY]?.text) ?? '';
  const [caret, setCaret] = useState<number>();
  const check = usePolicyCheck(text, caret);
  const { data } = useLoad('templates', (signal) => agent().call('policy.templates', {}, signal));
  const { busy, failed, save } = useSave(({ version }) => {
    keepDraft(NEW_POLICY, undefined);
    onSaved();
    navigate({ view: 'policies', policy: version.id, tab: undefined });
  });
  const ready = text !== '' && check?.text === text && check.problems.length === 0 && !busy;
  const submit = (): void => {
    if (ready) save(text, undefined);
  };
  return (
    <div className="page policies">
      <button
        type="button"
        className="link-button"
        onClick={() => navigate({ view: 'policies', policy: undefined, tab: undefined })}
      >
        <Icon name="left" /> {t('policies.all')}
      </button>
      <h1 className="page-title">{t('policies.new')}</h1>
      <p className="dim">{t('policies.newMeaning')}</p>
      <Templates kind="template" templates={data?.templates ?? []} />
      <Templates kind="starter" templates={data?.templates ?? []} />
      <section className="policy-section">
        <h2>{t('policies.text')}</h2>
        <PolicyEditor
          text={text}
          check={check}
          onChange={(typed) => keepDraft(NEW_POLICY, { text: typed, base: undefined })}
          onCaret={setCaret}
          onSave={submit}
        />
        <div className="notice-actions">
          <button type="button" className="button button-primary" disabled={!ready} onClick={submit}>
            {t('policies.save')}
          </button>
          {text === '' ? null : (
            <button type="button" className="button" onClick={() => keepDraft(NEW_POLICY, undefined)}>
              {t('policies.discard')}
            </button>
          )}
        </div>
        <SaveFailure failed={failed} />
      </section>
    </div>
  );
}
