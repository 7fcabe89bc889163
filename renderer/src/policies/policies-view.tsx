/** Policies: what each is, how far it has come, what it did; and the page of the one the address names. */
import type { PolicyOverview, PolicyProblemJson, PolicyVersionJson } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { agent, navigate, useApp } from '../store.ts';
import { count, nsOfMs } from '../ui/format.ts';
import { FailureNotice } from '../ui/failure-notice.tsx';
import { CodeLine, Notice } from '../ui/primitives.tsx';
import { SeverityWord } from '../ui/severity.tsx';
import { SafeText } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { useLoad } from '../use-load.ts';
import { CutOff } from './cut-off.tsx';
import { NewPolicy } from './new-policy.tsx';
import { PolicyPage } from './policy-page.tsx';
import { StateTag, guaranteeText } from './policy-state.tsx';
import './policies.css';

const REFRESH_MS = 3000;

function Row({ policy }: { policy: PolicyVersionJson }) {
  const { hits } = policy;
  return (
    <tr>
      <td>
        <SeverityWord severity={policy.severity} />
      </td>
      <td>
        <button
          type="button"
          className="link-button policy-title"
          onClick={() => navigate({ view: 'policies', policy: policy.id, tab: undefined })}
        >
          <SafeText text={policy.title} limit={200} />
        </button>
        <div className="small dim mono">
          {policy.id} v{policy.version}
        </div>
      </td>
      <td>
        <StateTag state={policy.state} />
        {policy.inFiles ? null : <div className="small dim">{t('policies.notInFiles')}</div>}
      </td>
      <td className="small">{guaranteeText(policy.reach.guarantee)}</td>
      <td className="right num">{count(hits.matched)}</td>
      <td className="right num">{count(hits.acted)}</td>
      <td className="num nowrap">
        {hits.lastMatchMs === undefined ? (
          <span className="dim">{t('policies.never')}</span>
        ) : (
          <Ago ns={String(nsOfMs(hits.lastMatchMs))} />
        )}
      </td>
    </tr>
  );
}

function Table({ policies }: { policies: readonly PolicyVersionJson[] }) {
  return (
    <table className="table">
      <thead>
        <tr>
          <th scope="col" className="col-level">
            {t('detections.level')}
          </th>
          <th scope="col">{t('policies.policy')}</th>
          <th scope="col">{t('policies.state')}</th>
          <th scope="col">{t('policies.effect')}</th>
          <th scope="col" className="right">
            {t('policies.matched')}
          </th>
          <th scope="col" className="right">
            {t('policies.acted')}
          </th>
          <th scope="col">{t('policies.lastUsed')}</th>
        </tr>
      </thead>
      <tbody>
        {policies.map((policy) => (
          <Row key={policy.hash} policy={policy} />
        ))}
      </tbody>
    </table>
  );
}

function Problems({ problems }: { problems: readonly PolicyProblemJson[] }) {
  if (problems.length === 0) return null;
  return (
    <section className="policy-section">
      <h2>{t('policies.problems')}</h2>
      <p className="dim">{t('policies.problemsMeaning')}</p>
      <ul className="policy-problems">
        {problems.map((problem, at) => (
          <li key={at}>
            <span className="mono">
              {problem.file}:{problem.line}:{problem.column}
            </span>{' '}
            <SafeText text={problem.message} limit={300} />{' '}
            <span className="dim">
              <SafeText text={problem.remedy} limit={300} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Overview({ data }: { data: PolicyOverview }) {
  const acting = data.policies.filter(({ state }) => state === 'active' || state === 'canary').length;
  return (
    <>
      <p className="dim policy-summary">
        {tn('policies.count', data.policies.length)} ·{' '}
        {acting === 0 ? t('policies.onlyWatching') : tn('policies.acting', acting)}
      </p>
      <CutOff />
      {data.policies.length === 0 ? (
        <Notice title={t('policies.none')}>
          <p className="dim">{t('policies.noneMeaning')}</p>
          <CodeLine code="sentinel policy validate policies/" />
        </Notice>
      ) : (
        <Table policies={data.policies} />
      )}
      <Problems problems={[...data.problems, ...data.warnings]} />
      {data.notices.length === 0 ? null : (
        <section className="policy-section">
          <h2>{t('policies.notices')}</h2>
          <ul className="policy-problems">
            {data.notices.map((notice, at) => (
              <li key={at}>
                <SafeText text={notice} limit={300} />
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

export function PoliciesView() {
  const open = useApp((state) => state.route.policy);
  const tab = useApp((state) => state.route.tab);
  const { data, error, again } = useLoad(
    'policies',
    (signal) => agent().call('policy.list', {}, signal),
    REFRESH_MS,
  );
  if (tab === 'new' && open === undefined) return <NewPolicy onSaved={again} />;
  if (open !== undefined) return <PolicyPage key={open} id={open} overview={data} refreshOverview={again} />;
  return (
    <div className="page policies">
      <div className="policy-list-head">
        <h1 className="page-title">{t('nav.policies')}</h1>
        <button
          type="button"
          className="button"
          onClick={() => navigate({ view: 'policies', policy: undefined, tab: 'new' })}
        >
          {t('policies.new')}
        </button>
      </div>
      {error === undefined ? null : (
        <FailureNotice title={t('policies.failed')} message={error.message} again={again} />
      )}
      {data === undefined && error === undefined ? <p className="dim">{t('common.loading')}</p> : null}
      {data ? <Overview data={data} /> : null}
    </div>
  );
}
