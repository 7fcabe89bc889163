/** Clauses of a condition with what the event had there. */
import type { ClauseOutcomeJson } from '../../../agent/api/contract.ts';
import { t, tryMessage } from '../i18n/i18n.ts';
import { SafeText } from '../ui/text.tsx';

export function ClauseTable({ title, clauses }: { title: string; clauses: readonly ClauseOutcomeJson[] }) {
  if (clauses.length === 0) return null;
  return (
    <table className="table policy-clauses">
      <thead>
        <tr>
          <th scope="col">{title}</th>
          <th scope="col">{t('policies.value')}</th>
          <th scope="col">{t('policies.result')}</th>
        </tr>
      </thead>
      <tbody>
        {clauses.map((clause, at) => (
          <tr key={at}>
            <td className="mono">
              <SafeText text={clause.text} limit={300} />
            </td>
            <td className="mono">
              <SafeText text={clause.value} limit={200} />
            </td>
            <td>{tryMessage(`policies.clause.${clause.result}`) ?? clause.result}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
