/** The exceptions of a policy: what they let pass, who answers for them, until when, and how often that happened. */
import type { PolicyVersionJson } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { count, nsOfMs } from '../ui/format.ts';
import { SafeText } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { useNow } from '../ui/use-now.ts';

export function Exceptions({ exceptions }: { exceptions: PolicyVersionJson['exceptions'] }) {
  const now = useNow();
  if (exceptions.length === 0) return null;
  return (
    <section className="policy-section">
      <h2>{t('policies.exceptions')}</h2>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{t('policies.exceptionWhen')}</th>
            <th scope="col">{t('policies.owner')}</th>
            <th scope="col">{t('exception.reason')}</th>
            <th scope="col">{t('policies.expires')}</th>
            <th scope="col" className="right">
              {t('policies.letPass')}
            </th>
          </tr>
        </thead>
        <tbody>
          {exceptions.map(({ when, owner, reason, expiresMs, hits }, at) => (
            <tr key={at}>
              <td className="mono">
                <SafeText text={when} limit={600} />
              </td>
              <td>
                <SafeText text={owner} limit={100} />
              </td>
              <td>
                <SafeText text={reason} limit={300} />
              </td>
              <td className="nowrap">
                <Ago ns={String(nsOfMs(expiresMs))} />
                {expiresMs < now ? <div className="small">{t('policies.expired')}</div> : null}
              </td>
              <td className="right num">{count(hits)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
