/** One policy: what it may do here, its next steps, a trial on the record, its canary, approvals, decisions, text, history. */
import { useState } from 'react';
import type { PolicyOverview, PolicyStep, PolicyVersionJson } from '../../../agent/api/contract.ts';
import { type MessageKey, t } from '../i18n/i18n.ts';
import { agent, navigate } from '../store.ts';
import { count } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { Notice } from '../ui/primitives.tsx';
import { SeverityWord } from '../ui/severity.tsx';
import { SafeText } from '../ui/text.tsx';
import { useLoad } from '../use-load.ts';
import { Approvals } from './policy-approvals.tsx';
import { CutOff } from './cut-off.tsx';
import { Canary } from './policy-canary.tsx';
import { Decisions } from './policy-decisions.tsx';
import { Exceptions } from './policy-exceptions.tsx';
import { History } from './policy-history.tsx';
import { StateTag, guaranteeText } from './policy-state.tsx';
import { PolicyText } from './policy-text.tsx';

const REFRESH_MS = 3000;

/** What can be asked of a policy in each state; the agent refuses the rest with its reason. */
const STEPS: Record<PolicyVersionJson['state'], readonly PolicyStep[]> = {
  draft: ['simulate'],
  simulating: ['canary', 'deprecate'],
  canary: ['activate', 'rollback', 'deprecate'],
  active: ['rollback', 'deprecate'],
  deprecated: ['simulate'],
};

/** What a step will do, said before it is done. */
function meaningOf(
  step: PolicyStep,
  policy: PolicyVersionJson,
  versions: readonly PolicyVersionJson[],
): string {
  if (step !== 'rollback') return t(`policies.step.${step}.meaning` as MessageKey);
  const before = versions.filter(({ version }) => version < policy.version).at(-1);
  return policy.state === 'active' && before
    ? t('policies.step.rollback.toVersion', { from: policy.version, to: before.version })
    : t('policies.step.rollback.meaning');
}

function Steps({
  policy,
  versions,
  steps = STEPS[policy.state],
  title,
  onDone,
}: {
  policy: PolicyVersionJson;
  versions: readonly PolicyVersionJson[];
  steps?: readonly PolicyStep[];
  title: string;
  onDone: () => void;
}) {
  const [failed, setFailed] = useState<string>();
  const take = (step: PolicyStep): void => {
    setFailed(undefined);
    agent()
      .call('policy.step', { id: policy.id, step })
      .catch((error: unknown) => setFailed(error instanceof Error ? error.message : String(error)))
      .finally(onDone);
  };
  return (
    <section className="policy-section">
      <h2>{title}</h2>
      <ul className="policy-steps">
        {steps.map((step) => (
          <li key={step}>
            <button type="button" className="button" onClick={() => take(step)}>
              {t(`policies.step.${step}`)}
            </button>
            <span className="dim">{meaningOf(step, policy, versions)}</span>
          </li>
        ))}
      </ul>
      {failed === undefined ? null : (
        <p className="policy-refused" role="alert">
          <Icon name="warning" /> <SafeText text={failed} limit={400} />
        </p>
      )}
    </section>
  );
}

function Facts({ policy }: { policy: PolicyVersionJson }) {
  const { reach, hits } = policy;
  return (
    <dl className="policy-facts">
      <dt>{t('policies.action')}</dt>
      <dd className="mono">{policy.action}</dd>
      <dt>{t('policies.effect')}</dt>
      <dd>
        {guaranteeText(reach.guarantee)} · {t(`policies.guardian.${reach.guardian}`)} (
        <span className="mono">{reach.mechanism}</span>)
        {reach.reason === '' ? null : (
          <div className="small dim">
            {t('policies.whyNotBetter')} <SafeText text={reach.reason} limit={300} />
          </div>
        )}
      </dd>
      <dt>{t('policies.hits')}</dt>
      <dd className="num">
        {t('policies.hitsSentence', {
          evaluated: count(hits.evaluated),
          matched: count(hits.matched),
          excepted: count(hits.excepted),
          acted: count(hits.acted),
          failed: count(hits.failed),
        })}
      </dd>
      <dt>{t('policies.hash')}</dt>
      <dd className="mono policy-hash">{policy.hash}</dd>
    </dl>
  );
}

export function PolicyPage({
  id,
  overview,
  refreshOverview,
}: {
  id: string;
  overview: PolicyOverview | undefined;
  refreshOverview: () => void;
}) {
  const { data, error, again } = useLoad(
    `policy ${id}`,
    (signal) => agent().call('policy.get', { id }, signal),
    REFRESH_MS,
  );
  const onDone = (): void => {
    again();
    refreshOverview();
  };
  const shown = overview?.policies.findLast((each) => each.id === id) ?? data?.versions.at(-1);
  /** An older version that is in force while the newest is a draft. */
  const standing = data?.versions.find(
    ({ state, hash }) => (state === 'active' || state === 'canary') && hash !== shown?.hash,
  );
  return (
    <div className="page policies">
      <button
        type="button"
        className="link-button"
        onClick={() => navigate({ view: 'policies', policy: undefined })}
      >
        <Icon name="left" /> {t('policies.all')}
      </button>
      {error !== undefined && data === undefined ? (
        <Notice title={t('policies.failed')} alert page>
          <p>{error.message}</p>
        </Notice>
      ) : null}
      {shown && data ? (
        <>
          <h1 className="page-title">
            <SafeText text={shown.title} limit={200} />
          </h1>
          <p className="policy-head">
            <SeverityWord severity={shown.severity} /> <StateTag state={shown.state} />{' '}
            <span className="mono dim">
              {shown.id} v{shown.version}
            </span>
          </p>
          <Facts policy={shown} />
          <CutOff of={({ policyId }) => policyId === id} always={shown.action === 'cut_network'} />
          <Steps policy={shown} versions={data.versions} title={t('policies.steps')} onDone={onDone} />
          {standing ? (
            <Steps
              policy={standing}
              versions={data.versions}
              steps={STEPS[standing.state].filter((step) => step === 'rollback' || step === 'deprecate')}
              title={t('policies.standing', {
                version: standing.version,
                state: t(`policies.state.${standing.state}`),
              })}
              onDone={onDone}
            />
          ) : null}
          {shown.approvalsNeeded > 0 ? (
            <Approvals policy={shown} overview={overview} onDone={onDone} />
          ) : null}
          {shown.canary ? <Canary canary={shown.canary} /> : null}
          <Exceptions exceptions={shown.exceptions} />
          <Decisions id={id} />
          <PolicyText id={id} text={data.text} hash={data.hash} onSaved={onDone} />
          <History history={data.history} />
        </>
      ) : null}
    </div>
  );
}
