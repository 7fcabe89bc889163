/** What matched, grouped by rule, the worst first; and which rules this machine runs. */
import { useState } from 'react';
import type { TriageDecision } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { entityOf, showProcess } from '../processes/process-store.ts';
import { navigate, useApp } from '../store.ts';
import { useLoad } from '../use-load.ts';
import { commandLine, sentence } from '../timeline/sentence.ts';
import { clauseText } from '../timeline/query-text.ts';
import { runQuery } from '../timeline/timeline-store.ts';
import { count } from '../ui/format.ts';
import { Ago } from '../ui/time.tsx';
import { FailureNotice } from '../ui/failure-notice.tsx';
import { CodeLine, Notice } from '../ui/primitives.tsx';
import { SeverityWord } from '../ui/severity.tsx';
import { MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { Value } from '../ui/value.tsx';
import { useTriage } from '../triage/triage-store.ts';
import { Icon } from '../ui/icon.tsx';
import type { ChainGroup, RuleGroup } from './group.ts';
import { SHOWN, type Shown, isShown } from './shown.ts';
import { ExceptionList } from './exception-list.tsx';
import { AttackMatrix } from './matrix.tsx';
import { Matches } from './matches.tsx';
import { RuleTable } from './rule-table.tsx';
import { MAX_PAGES, loadDetections } from './load.ts';
import './detections.css';

const REFRESH_MS = 5000;

interface Listed {
  decisions: readonly TriageDecision[];
  show: Shown;
}

const WAYS = ['rule', 'chain'] as const;

function Toggle({
  open,
  onClick,
  children,
}: {
  open: boolean;
  onClick: () => void;
  children: React.ReactNode;
}) {
  return (
    <button type="button" className="group-toggle link-button" aria-expanded={open} onClick={onClick}>
      <Icon name={open ? 'down' : 'right'} /> {children}
    </button>
  );
}

function Row({ group, decisions, show }: { group: RuleGroup } & Listed) {
  const { latest } = group;
  const [open, setOpen] = useState(false);
  const query = clauseText('rule', group.id);
  return (
    <>
      <tr>
        <td>
          <SeverityWord severity={group.level} />
        </td>
        <td>
          <Toggle open={open} onClick={() => setOpen(!open)}>
            <SafeText text={group.title} limit={200} />
          </Toggle>
          {latest && !open ? (
            <button
              type="button"
              className="sample"
              title={t('detections.sample')}
              onClick={() => navigate({ view: 'timeline', query, eventId: latest.eventId, tab: 'why' })}
            >
              <MiddleEllipsis text={sentence(latest)} />
            </button>
          ) : null}
        </td>
        <td className="techniques">
          {group.attack.map((technique) => (
            <Value key={technique} value={technique} label="ATT&CK" field="attack" />
          ))}
        </td>
        <td className="right num">{count(group.open)}</td>
        <td className="right num">
          <button
            type="button"
            className="link-button"
            title={t('detections.open')}
            onClick={() => runQuery(query)}
          >
            {count(group.count)}
            {group.atLeast ? '+' : ''}
          </button>
        </td>
        <td className="num nowrap">{latest ? <Ago ns={latest.tsNs} /> : null}</td>
      </tr>
      {open ? (
        <tr className="group-body">
          <td />
          <td colSpan={5}>
            <Matches
              events={group.events}
              ruleId={group.id}
              title={group.title}
              query={query}
              decisions={decisions}
              show={show}
            />
          </td>
        </tr>
      ) : null}
    </>
  );
}

function ChainRow({ group, decisions, show }: { group: ChainGroup } & Listed) {
  const [open, setOpen] = useState(false);
  const { process } = group;
  const command = commandLine(process.argv ?? [], 400);
  return (
    <>
      <tr>
        <td>
          <SeverityWord severity={group.level} />
        </td>
        <td>
          <Toggle open={open} onClick={() => setOpen(!open)}>
            <SafeText text={`${process.name || t('common.unknown')} ${process.pid}`} limit={100} />
          </Toggle>
          <button
            type="button"
            className="sample"
            title={t('processes.show')}
            onClick={() => showProcess(entityOf(process))}
          >
            <MiddleEllipsis text={command === '' ? (process.executable ?? t('processes.show')) : command} />
          </button>
        </td>
        <td>
          <SafeText text={group.rules.join(', ')} limit={160} />
        </td>
        <td className="right num">{count(group.open)}</td>
        <td className="right num">{count(group.events.length)}</td>
        <td className="num nowrap">
          <Ago ns={group.latest.tsNs} />
        </td>
      </tr>
      {open ? (
        <tr className="group-body">
          <td />
          <td colSpan={5}>
            <Matches
              events={group.events}
              ruleId={undefined}
              query="has:rule"
              decisions={decisions}
              show={show}
            />
          </td>
        </tr>
      ) : null}
    </>
  );
}

export function DetectionsView() {
  const made = useTriage((state) => state.made);
  const tab = useApp((state) => state.route.tab);
  const words = (tab ?? '').split('.');
  const by = WAYS.find((way) => way === words[0]) ?? 'rule';
  const show = SHOWN.find((each) => each === words[1]) ?? 'all';
  const go = (way: string, what: Shown): void => navigate({ tab: `${way}.${what}` }, true);
  const [pages, setPages] = useState(1);
  // Older pages are read by hand, and all of them again only when asked: a refresh every few seconds is for the newest.
  const { data, error, again } = useLoad(
    'detections',
    (signal) => loadDetections(pages, signal),
    pages === 1 ? REFRESH_MS : undefined,
    made * MAX_PAGES + pages,
  );
  const total = data?.groups.reduce((sum, group) => sum + group.count, 0) ?? 0;
  const decisions = data?.decisions ?? [];
  const listed: Listed = { decisions, show };
  const groups = (data?.groups ?? []).filter((group) =>
    group.events.some((event) => isShown(show, decisions, event, group.id)),
  );
  const chains = (data?.chains ?? []).filter((group) =>
    group.events.some((event) => isShown(show, decisions, event, undefined)),
  );
  const none = (by === 'rule' ? groups : chains).length === 0;
  return (
    <div className="page detections">
      <h1 className="page-title">{t('detections.title')}</h1>
      {error === undefined ? null : (
        <FailureNotice title={t('detections.failed')} message={error.message} again={again} />
      )}
      {data === undefined && error === undefined ? <p className="dim">{t('common.loading')}</p> : null}
      {data && data.groups.length === 0 ? (
        <Notice title={t('detections.none')}>
          <p className="dim">{t('detections.noneMeaning')}</p>
          <p>{t('detections.noneTry')}</p>
          <CodeLine code="cp /bin/true /tmp/.x && /tmp/.x; rm /tmp/.x" />
        </Notice>
      ) : null}
      {data && data.groups.length > 0 ? (
        <>
          <div className="detections-bar">
            <p className="dim">
              {tn('detections.summary', data.groups.length, { events: tn('detections.events', total) })}
            </p>
            <span className="notice-actions" role="group" aria-label={t('detections.by')}>
              {WAYS.map((choice) => (
                <button
                  key={choice}
                  type="button"
                  className="button"
                  aria-pressed={by === choice}
                  onClick={() => go(choice, show)}
                >
                  {t(`detections.by.${choice}`)}
                </button>
              ))}
            </span>
            <label className="tree-choice">
              {t('detections.show')}
              <select value={show} onChange={(event) => go(by, event.target.value as Shown)}>
                {SHOWN.map((each) => (
                  <option key={each} value={each}>
                    {each === 'all' || each === 'open'
                      ? t(`detections.show.${each}`)
                      : t(`triage.label.${each}`)}
                  </option>
                ))}
              </select>
            </label>
          </div>
          <table className="table">
            <thead>
              <tr>
                <th scope="col" className="col-level">
                  {t('detections.level')}
                </th>
                <th scope="col">{t(by === 'rule' ? 'detections.rule' : 'processes.process')}</th>
                <th scope="col">{t(by === 'rule' ? 'detections.techniques' : 'detections.rule')}</th>
                <th scope="col" className="right">
                  {t('detections.undecided')}
                </th>
                <th scope="col" className="right">
                  {t('detections.count')}
                </th>
                <th scope="col">{t('detections.latest')}</th>
              </tr>
            </thead>
            <tbody>
              {by === 'rule'
                ? groups.map((group) => <Row key={group.id} group={group} {...listed} />)
                : chains.map((group) => <ChainRow key={group.id} group={group} {...listed} />)}
            </tbody>
          </table>
          {none ? <p className="dim">{t('detections.noneShown')}</p> : null}
          <p className="detections-read dim small" role="status">
            {t(data.more ? 'detections.read' : 'detections.readAll', { n: count(data.read) })}{' '}
            {data.more && pages < MAX_PAGES ? (
              <button type="button" className="button" onClick={() => setPages(pages + 1)}>
                {t('detections.older')}
              </button>
            ) : null}
          </p>
        </>
      ) : null}
      {data ? <AttackMatrix rules={data.rules} counts={data.techniques} /> : null}
      {data ? <ExceptionList rules={data.rules} /> : null}
      {data ? <RuleTable rules={data.rules} /> : null}
    </div>
  );
}
