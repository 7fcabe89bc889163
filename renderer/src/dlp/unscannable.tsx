/** Files that could not be looked at, and what was left out: never silently clean. */
import type { EventPage } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { sayAgent } from '../i18n/say-agent.ts';
import { MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { showEvent } from './hit-event.tsx';
import { destinationText, reasonText } from './words.ts';

const MAX_SHOWN = 100;

export function Unscannable({ page }: { page: EventPage }) {
  return (
    <section className="dlp-section" aria-labelledby="dlp-unscannable">
      <h2 id="dlp-unscannable">{t('dlp.unscannable')}</h2>
      {page.events.length === 0 ? (
        <p className="dim">{t('dlp.unscannable.none')}</p>
      ) : (
        <table className="table dlp-table">
          <thead>
            <tr>
              <th scope="col">{t('dlp.unscannable.file')}</th>
              <th scope="col">{t('dlp.unscannable.reason')}</th>
              <th scope="col">{t('dlp.hits.where')}</th>
              <th scope="col">{t('dlp.hits.last')}</th>
            </tr>
          </thead>
          <tbody>
            {page.events.slice(0, MAX_SHOWN).map((event) => (
              <tr key={event.eventId}>
                <td>
                  <button
                    type="button"
                    className="link-button mono dlp-group"
                    onClick={() => showEvent(event.eventId)}
                  >
                    <MiddleEllipsis text={event.file?.path ?? event.message ?? ''} />
                  </button>
                </td>
                <td>
                  {reasonText(event.dlp?.reasonCode)}{' '}
                  <span className="small dim">
                    <SafeText text={sayAgent(event.dlp?.reason ?? '')} limit={160} />
                  </span>
                </td>
                <td className="small">{destinationText(event.dlp?.destination ?? '')}</td>
                <td className="num nowrap">
                  <Ago ns={event.tsNs} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {page.events.length > MAX_SHOWN ? (
        <p className="small dim">{t('dlp.hits.newest', { n: MAX_SHOWN })}</p>
      ) : null}
    </section>
  );
}
