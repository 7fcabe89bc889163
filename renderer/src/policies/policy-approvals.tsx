/** Who has approved what would become active, by key, and how the others do it. */
import { useState } from 'react';
import type { PolicyOverview, PolicyVersionJson } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { agent } from '../store.ts';
import { nsOfMs } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { CodeLine } from '../ui/primitives.tsx';
import { SafeText } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';

export function Approvals({
  policy,
  overview,
  onDone,
}: {
  policy: PolicyVersionJson;
  overview: PolicyOverview | undefined;
  onDone: () => void;
}) {
  const [failed, setFailed] = useState<string>();
  const pending = overview?.pending.find(({ manifest }) => manifest.policyId === policy.id);
  const approvers = overview?.approvers ?? [];
  const ask = (): void => {
    setFailed(undefined);
    agent()
      .call('policy.request', { id: policy.id })
      .catch((error: unknown) => setFailed(error instanceof Error ? error.message : String(error)))
      .finally(onDone);
  };
  return (
    <section className="policy-section">
      <h2>{t('policies.approvals')}</h2>
      <p className="dim">{t('policies.approvalsMeaning', { n: policy.approvalsNeeded })}</p>
      {approvers.length === 0 ? <p>{t('policies.noApprovers')}</p> : null}
      <ul className="policy-approvers">
        {approvers.map(({ name, keyId }) => {
          const done = pending?.approvedBy.some((by) => by === name || by === keyId) ?? false;
          return (
            <li key={keyId} data-done={done || undefined}>
              <Icon name={done ? 'check' : 'clock'} /> <SafeText text={name} limit={80} />{' '}
              <span className="mono dim">{keyId.slice(0, 16)}</span>{' '}
              <span className="small dim">{t(done ? 'policies.approved' : 'policies.notApproved')}</span>
            </li>
          );
        })}
      </ul>
      {pending ? (
        <>
          <p>
            {t('policies.approvalCount', { n: pending.approvedBy.length, needed: pending.needed })} ·{' '}
            <span className="dim">
              {t('policies.expires')} <Ago ns={String(nsOfMs(pending.manifest.expiresMs))} />
            </span>
          </p>
          <CodeLine code={`sentinel policy approve ${policy.id} --key FILE`} />
        </>
      ) : (
        <button type="button" className="button" onClick={ask}>
          {t('policies.ask')}
        </button>
      )}
      {failed === undefined ? null : (
        <p className="policy-refused" role="alert">
          <Icon name="warning" /> <SafeText text={failed} limit={400} />
        </p>
      )}
    </section>
  );
}
