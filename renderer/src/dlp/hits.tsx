/** What was found, by rule, file or process, each finding one click from the timeline. */
import { useState } from 'react';
import type { DlpGroupJson, DlpGroupSort } from '../../../agent/api/contract.ts';
import { ExportButton } from '../export/export-button.tsx';
import { t, tn } from '../i18n/i18n.ts';
import { agent } from '../store.ts';
import { runQuery } from '../timeline/timeline-store.ts';
import { absoluteTime, count } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { MiddleEllipsis } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { useLoad } from '../use-load.ts';
import { GROUPS, MAX_GROUPS, MORE_GROUPS, useDlp } from './dlp-store.ts';
import { HitEvent } from './hit-event.tsx';
import { groupQuery, groupTitle, isOf, type Way, WAYS } from './hits-model.ts';
import type { Hits as Groups } from './load-hits.ts';
import { ShareBar } from './share-bar.tsx';
import { useHeld } from './use-held.ts';
import { destinationText, shareText } from './words.ts';

/** Findings of an open group: at first, and asked for more; beyond them, the timeline is the place. */
const FINDINGS = 50;
const MORE_FINDINGS = 250;
const HITS = 'type:dlp action:match';

function narrowed(filter: string): string {
  return filter === '' ? HITS : `${HITS} and (${filter})`;
}

/** The newest findings of a group. */
function Findings({ group }: { group: DlpGroupJson }) {
  const filter = useDlp((state) => state.filter);
  const [most, setMost] = useState(FINDINGS);
  const own = groupQuery(group);
  const query = filter === '' ? own : `${own} and (${filter})`;
  const { data, error } = useLoad(
    `dlp findings ${most} ${query}`,
    (signal) => agent().call('dlp.hits', { query, limit: most }, signal),
    undefined,
    group.findings,
  );
  if (error !== undefined && data === undefined) return <p role="alert">{error.message}</p>;
  if (data === undefined) return <p className="dim">{t('common.loading')}</p>;
  const events = data.events.filter((event) => isOf(group, event));
  const left = group.findings - events.length;
  return (
    <>
      <ul>
        {events.map((event) => (
          <HitEvent key={event.eventId} event={event} />
        ))}
      </ul>
      <p className="small dim dlp-findings">
        <span>
          {tn('dlp.hits.findings', group.findings)} <Ago ns={group.firstNs} />
        </span>
        {data.older !== undefined && left > 0 && most < MORE_FINDINGS ? (
          <button type="button" className="link-button" onClick={() => setMost(MORE_FINDINGS)}>
            {t('dlp.hits.more', { n: count(left) })}
          </button>
        ) : null}
        <button type="button" className="link-button" onClick={() => runQuery(`${HITS} and ${query}`)}>
          {t('dlp.hits.all')}
        </button>
      </p>
    </>
  );
}

function Row({ group }: { group: DlpGroupJson }) {
  const [open, setOpen] = useState(false);
  const title = groupTitle(group);
  return (
    <>
      <tr>
        <td>
          <button
            type="button"
            className="link-button dlp-group"
            aria-expanded={open}
            onClick={() => setOpen(!open)}
          >
            <span aria-hidden="true" className="dlp-caret" data-open={open} />
            <span className={group.rule === undefined ? 'ellipsis mono' : 'ellipsis'}>
              {title === '' ? t('dlp.hits.unknownProcess') : <MiddleEllipsis text={title} />}
            </span>
          </button>
        </td>
        <td className="small">{group.destinations.map(destinationText).join(', ')}</td>
        <td className="right num">
          {group.filesAtLeast === true ? '≥ ' : ''}
          {count(group.files)}
        </td>
        <td className="right num">{count(group.hits)}</td>
        <td className="right num">{shareText(group.confidence)}</td>
        <td>
          {group.containment === undefined ? (
            <span className="dim">–</span>
          ) : (
            <ShareBar share={group.containment} label={t('dlp.hits.containment')} />
          )}
        </td>
        <td className="num nowrap">
          <Ago ns={group.lastNs} />
        </td>
      </tr>
      {open ? (
        <tr className="dlp-body">
          <td colSpan={COLUMNS.length}>
            <Findings group={group} />
          </td>
        </tr>
      ) : null}
    </>
  );
}

const COLUMNS: readonly (readonly [key: DlpGroupSort | undefined, right: boolean])[] = [
  ['title', false],
  [undefined, false],
  ['files', true],
  ['hits', true],
  ['confidence', true],
  ['containment', false],
  ['last', false],
];

function Heads({ way }: { way: Way }) {
  const sort = useDlp((state) => state.sort);
  const names = {
    title: t(`dlp.hits.one.${way}`),
    files: t('dlp.hits.files'),
    hits: t('dlp.hits.count'),
    confidence: t('dlp.hits.confidence'),
    containment: t('dlp.hits.containment'),
    last: t('dlp.hits.last'),
  };
  return (
    <tr>
      {COLUMNS.map(([key, right]) =>
        key === undefined ? (
          <th key="where" scope="col">
            {t('dlp.hits.where')}
          </th>
        ) : (
          <th
            key={key}
            scope="col"
            className={right ? 'right' : undefined}
            aria-sort={sort.key !== key ? undefined : sort.down ? 'descending' : 'ascending'}
          >
            <button
              type="button"
              className="dlp-sort"
              onClick={() =>
                useDlp.setState({ sort: { key, down: sort.key === key ? !sort.down : key !== 'title' } })
              }
            >
              {names[key]}
              {sort.key === key ? <Icon name={sort.down ? 'down' : 'up'} /> : null}
            </button>
          </th>
        ),
      )}
    </tr>
  );
}

/** Narrows what is shown, in the language of queries; Enter asks. */
function Filter() {
  const filter = useDlp((state) => state.filter);
  const [text, setText] = useState(filter);
  return (
    <form
      className="dlp-filter"
      onSubmit={(event) => {
        event.preventDefault();
        useDlp.setState({ filter: text.trim(), most: GROUPS });
      }}
    >
      <input
        type="search"
        className="text-input mono"
        aria-label={t('dlp.hits.filter')}
        placeholder="dlp.destination:removable last:7d"
        value={text}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => {
          setText(event.target.value);
          if (event.target.value === '') useDlp.setState({ filter: '', most: GROUPS });
        }}
      />
      <button type="submit" className="button" disabled={text.trim() === filter}>
        {t('dlp.hits.apply')}
      </button>
    </form>
  );
}

/** What the numbers count, and where a bound was met. */
function Sum({ hits }: { hits: Groups }) {
  const { findings, notBeforeNs, noGroup } = hits;
  return (
    <p className="small dim">
      {notBeforeNs === undefined
        ? t('dlp.hits.sum', { findings: tn('dlp.hits.sum.findings', findings), hits: count(hits.hits) })
        : t('dlp.hits.bounded', { n: count(findings), since: absoluteTime(notBeforeNs) })}
      {noGroup === undefined ? null : ` ${t('dlp.hits.noGroup', { n: count(noGroup) })}`}
    </p>
  );
}

export function Hits({ hits, asked }: { hits: Groups; asked: string }) {
  const { way, filter, most } = useDlp();
  const stamp = `${hits.findings} ${hits.hits} ${hits.groups[0]?.lastNs ?? ''}`;
  const { shown, waits, release, hold } = useHeld(hits, stamp, asked);
  const { groups, total } = shown;
  const isEmpty = groups.length === 0;
  return (
    <section className="dlp-section" aria-labelledby="dlp-hits" {...hold}>
      <div className="dlp-head">
        <h2 id="dlp-hits">{t('dlp.hits')}</h2>
        {isEmpty && filter === '' ? null : (
          <>
            <span className="notice-actions" role="group" aria-label={t('dlp.hits.group')}>
              {WAYS.map((choice) => (
                <button
                  key={choice}
                  type="button"
                  className="button"
                  aria-pressed={way === choice}
                  onClick={() => useDlp.setState({ way: choice, most: GROUPS })}
                >
                  {t(`dlp.hits.by.${choice}`)}
                </button>
              ))}
            </span>
            <Filter />
            <button type="button" className="link-button" onClick={() => runQuery(narrowed(filter))}>
              {t('dlp.hits.all')}
            </button>
            <ExportButton of={narrowed(filter)} />
          </>
        )}
        {waits ? (
          <button type="button" className="button dlp-new" onClick={release}>
            <Icon name="up" /> {t('dlp.hits.new')}
          </button>
        ) : null}
      </div>
      {isEmpty ? (
        <p className="dim">{t(filter === '' ? 'dlp.hits.none' : 'dlp.hits.noneFiltered')}</p>
      ) : (
        <div className="dlp-scroll">
          <table className="table dlp-table">
            <thead>
              <Heads way={shown.by} />
            </thead>
            <tbody>
              {groups.map((group) => (
                <Row key={`${shown.by} ${group.key}`} group={group} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {total > groups.length && most < MAX_GROUPS ? (
        <p>
          <button
            type="button"
            className="link-button"
            onClick={() => useDlp.setState({ most: Math.min(MAX_GROUPS, most + MORE_GROUPS) })}
          >
            {t('dlp.hits.more', { n: count(total - groups.length) })}
          </button>
        </p>
      ) : null}
      {isEmpty ? null : <Sum hits={shown} />}
    </section>
  );
}
