/** What was found, by rule, file or process, each finding one click from the timeline. */
import { useState } from 'react';
import type { EventPage } from '../../../agent/api/contract.ts';
import { ExportButton } from '../export/export-button.tsx';
import { t } from '../i18n/i18n.ts';
import { runQuery } from '../timeline/timeline-store.ts';
import { count } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { MiddleEllipsis } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { MAX_PAGES, useDlp } from './dlp-store.ts';
import { HitEvent } from './hit-event.tsx';
import { groupHits, type HitGroup, type SortKey, sortGroups, type Way, WAYS } from './hits-model.ts';
import { ShareBar } from './share-bar.tsx';
import { useHeld } from './use-held.ts';
import { destinationText, shareText } from './words.ts';

const MAX_SHOWN = 50;
const MORE_GROUPS = 25;
const HITS = 'type:dlp action:match';

function narrowed(filter: string): string {
  return filter === '' ? HITS : `${HITS} and (${filter})`;
}

function Row({ group, way }: { group: HitGroup; way: Way }) {
  const [open, setOpen] = useState(false);
  const [shown, setShown] = useState(MAX_SHOWN);
  const [latest] = group.events;
  if (latest === undefined) return null;
  const destinations = [...new Set(group.events.map((event) => event.dlp?.destination ?? ''))];
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
            <span className={way === 'rule' ? 'ellipsis' : 'ellipsis mono'}>
              {group.title === '' ? t('dlp.hits.unknownProcess') : <MiddleEllipsis text={group.title} />}
            </span>
          </button>
        </td>
        <td className="small">{destinations.map(destinationText).join(', ')}</td>
        <td className="right num">{count(group.files)}</td>
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
          <Ago ns={latest.tsNs} />
        </td>
      </tr>
      {open ? (
        <tr className="dlp-body">
          <td colSpan={7}>
            <ul>
              {group.events.slice(0, shown).map((event) => (
                <HitEvent key={event.eventId} event={event} />
              ))}
            </ul>
            {group.events.length > shown ? (
              <button type="button" className="link-button small" onClick={() => setShown(shown + 200)}>
                {t('dlp.hits.more', { n: count(group.events.length - shown) })}
              </button>
            ) : null}
          </td>
        </tr>
      ) : null}
    </>
  );
}

const COLUMNS: readonly (readonly [key: SortKey | undefined, right: boolean])[] = [
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
        useDlp.setState({ filter: text.trim(), pages: 1 });
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
          if (event.target.value === '') useDlp.setState({ filter: '', pages: 1 });
        }}
      />
      <button type="submit" className="button" disabled={text.trim() === filter}>
        {t('dlp.hits.apply')}
      </button>
    </form>
  );
}

export function Hits({ page, asked }: { page: EventPage; asked: string }) {
  const { way, sort, filter, pages } = useDlp();
  const stamp = `${page.events[0]?.eventId ?? ''} ${page.events.length}`;
  const { shown, waits, release, hold } = useHeld(page, stamp, asked);
  const groups = sortGroups(groupHits(shown.events, way), sort.key, sort.down);
  const [most, setMost] = useState(MORE_GROUPS);
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
                  onClick={() => useDlp.setState({ way: choice })}
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
              <Heads way={way} />
            </thead>
            <tbody>
              {groups.slice(0, most).map((group) => (
                <Row key={`${way} ${group.key}`} group={group} way={way} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {groups.length > most ? (
        <p>
          <button type="button" className="link-button" onClick={() => setMost(most + 4 * MORE_GROUPS)}>
            {t('dlp.hits.more', { n: count(groups.length - most) })}
          </button>
        </p>
      ) : null}
      {shown.older === undefined ? null : (
        <p className="small dim">
          {t('dlp.hits.newest', { n: count(shown.events.length) })}{' '}
          {pages < MAX_PAGES ? (
            <button
              type="button"
              className="link-button"
              onClick={() => useDlp.setState({ pages: pages + 1 })}
            >
              {t('dlp.hits.older')}
            </button>
          ) : null}
        </p>
      )}
    </section>
  );
}
