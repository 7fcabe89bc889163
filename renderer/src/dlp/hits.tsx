/** What was found, by rule, file or process, each finding one click from the timeline. */
import { useState } from 'react';
import type { EventPage } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { navigate } from '../store.ts';
import { runQuery } from '../timeline/timeline-store.ts';
import { count } from '../ui/format.ts';
import { Notice } from '../ui/primitives.tsx';
import { SeverityGlyph } from '../ui/severity.tsx';
import { MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { groupHits, type HitGroup, type Way, WAYS } from './hits-model.ts';
import { ShareBar } from './share-bar.tsx';
import { destinationText, shareText } from './words.ts';

const MAX_SHOWN = 50;

function Event({ event }: { event: HitGroup['events'][number] }) {
  return (
    <li className="dlp-event">
      <SeverityGlyph severity={event.severity} />
      <button
        type="button"
        className="link-button mono dlp-event-file"
        onClick={() =>
          navigate({ view: 'timeline', query: '', eventId: event.eventId, tab: undefined, around: undefined })
        }
      >
        <MiddleEllipsis text={event.file?.path ?? ''} />
      </button>
      <span className="small">{destinationText(event.dlp?.destination ?? '')}</span>
      <span className="small dim">
        {event.process ? <SafeText text={event.process.name} limit={60} /> : t('dlp.hits.unknownProcess')}
      </span>
      <span className="small num nowrap">
        <Ago ns={event.tsNs} />
      </span>
    </li>
  );
}

function Row({ group, way }: { group: HitGroup; way: Way }) {
  const [open, setOpen] = useState(false);
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
              {group.events.slice(0, MAX_SHOWN).map((event) => (
                <Event key={event.eventId} event={event} />
              ))}
            </ul>
            {group.events.length > MAX_SHOWN ? (
              <p className="small dim">{t('dlp.hits.newest', { n: MAX_SHOWN })}</p>
            ) : null}
          </td>
        </tr>
      ) : null}
    </>
  );
}

export function Hits({ page }: { page: EventPage }) {
  const [way, setWay] = useState<Way>('rule');
  const groups = groupHits(page.events, way);
  return (
    <section className="dlp-section" aria-labelledby="dlp-hits">
      <div className="dlp-head">
        <h2 id="dlp-hits">{t('dlp.hits')}</h2>
        {groups.length === 0 ? null : (
          <>
            <span className="notice-actions" role="group" aria-label={t('dlp.hits.group')}>
              {WAYS.map((choice) => (
                <button
                  key={choice}
                  type="button"
                  className="button"
                  aria-pressed={way === choice}
                  onClick={() => setWay(choice)}
                >
                  {t(`dlp.hits.by.${choice}`)}
                </button>
              ))}
            </span>
            <button type="button" className="link-button" onClick={() => runQuery('type:dlp action:match')}>
              {t('dlp.hits.all')}
            </button>
          </>
        )}
      </div>
      {groups.length === 0 ? (
        <Notice title={t('dlp.hits.none')} />
      ) : (
        <table className="table dlp-table">
          <thead>
            <tr>
              <th scope="col">{t(`dlp.hits.by.${way}`)}</th>
              <th scope="col">{t('dlp.hits.where')}</th>
              <th scope="col" className="right">
                {t('dlp.hits.files')}
              </th>
              <th scope="col" className="right">
                {t('dlp.hits.count')}
              </th>
              <th scope="col" className="right">
                {t('dlp.hits.confidence')}
              </th>
              <th scope="col">{t('dlp.hits.containment')}</th>
              <th scope="col">{t('dlp.hits.last')}</th>
            </tr>
          </thead>
          <tbody>
            {groups.map((group) => (
              <Row key={`${way} ${group.key}`} group={group} way={way} />
            ))}
          </tbody>
        </table>
      )}
      {page.older === undefined ? null : (
        <p className="small dim">{t('dlp.hits.newest', { n: count(page.events.length) })}</p>
      )}
    </section>
  );
}
