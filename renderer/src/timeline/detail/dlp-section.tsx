/** What was found in the file of an event: kinds, places and rows, never the text. */
import type { DlpMatchJson, EventJson } from '../../../../agent/api/contract.ts';
import { ShareBar } from '../../dlp/share-bar.tsx';
import { destinationText, reasonText, shareText } from '../../dlp/words.ts';
import { t } from '../../i18n/i18n.ts';
import { count, micros } from '../../ui/format.ts';
import { LongText, SafeText } from '../../ui/text.tsx';
import { Value } from '../../ui/value.tsx';

const MAX_SHOWN = 12;

function Match({ match }: { match: DlpMatchJson }) {
  const { rowRef, member, secondaries, containment } = match;
  return (
    <li>
      <Value value={match.index} label={t('dlp.index.name')} field="dlp.index" />{' '}
      <Value value={match.rule} label={t('dlp.hits.by.rule')} field="dlp.rule" />{' '}
      <SafeText text={match.type} limit={80} /> <span className="num">×{count(match.count)}</span>{' '}
      <span className="dim num">
        {t('dlp.detail.at', { offset: count(match.offset), length: count(match.length) })}
        {rowRef === undefined ? null : ` · ${t('dlp.detail.row', { ref: rowRef })}`} ·{' '}
        {shareText(match.confidence)}
      </span>
      {member === undefined ? null : (
        <span className="dim">
          {' '}
          <SafeText text={t('dlp.detail.member', { member })} limit={200} />
        </span>
      )}
      {secondaries === undefined || secondaries.length === 0 ? null : (
        <span className="dim">
          {' '}
          + <SafeText text={secondaries.join(', ')} limit={120} />
        </span>
      )}
      {containment === undefined ? null : (
        <div>
          <ShareBar share={containment} label={t('dlp.hits.containment')} />
        </div>
      )}
    </li>
  );
}

export function DlpSection({ event }: { event: EventJson }) {
  const { dlp } = event;
  if (dlp === undefined) return null;
  const more = dlp.matches.length - MAX_SHOWN;
  return (
    <section className="detail-section">
      <h3>
        {t('dlp.detail')}{' '}
        <span className="dimmer num">{t('dlp.detail.took', { took: micros(dlp.tookMs * 1000) })}</span>
      </h3>
      <dl className="facts">
        <dt>{t('dlp.detail.destination')}</dt>
        <dd>
          <Value value={dlp.destination} label={t('dlp.detail.destination')} field="dlp.destination">
            {destinationText(dlp.destination)}
          </Value>{' '}
          {dlp.mount === undefined ? null : (
            <span className="dim mono">
              <SafeText text={dlp.mount} limit={200} />
            </span>
          )}
        </dd>
        {dlp.reasonCode === undefined ? null : (
          <>
            <dt>{t('dlp.detail.reason')}</dt>
            <dd>
              {reasonText(dlp.reasonCode)}{' '}
              <span className="dim">
                <SafeText text={dlp.reason ?? ''} limit={300} />
              </span>
            </dd>
          </>
        )}
        {(dlp.sources ?? []).map((source) => (
          <div key={source.path} className="fact-pair">
            <dt>{t('dlp.detail.sources')}</dt>
            <dd>
              <Value value={source.path} label={t('dlp.detail.sources')} field="dlp.source">
                <LongText text={source.path} />
              </Value>
            </dd>
          </div>
        ))}
      </dl>
      {dlp.matches.length === 0 ? null : (
        <ul className="dlp-matches">
          {dlp.matches.slice(0, MAX_SHOWN).map((match, at) => (
            <Match key={at} match={match} />
          ))}
        </ul>
      )}
      {more > 0 ? <p className="dim">{t('dlp.detail.more', { n: count(more) })}</p> : null}
    </section>
  );
}
