/** What policies took away: put back or removed for good, where it is, without a dialog in between. */
import { useState } from 'react';
import type { DlpQuarantineJson } from '../../../agent/api/contract.ts';
import { AgentError } from '../agent-client.ts';
import { t } from '../i18n/i18n.ts';
import { agent, navigate } from '../store.ts';
import { bytes } from '../ui/format.ts';
import { MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { destinationText } from './words.ts';

function Row({
  entry,
  canAct,
  act,
}: {
  entry: DlpQuarantineJson;
  canAct: boolean;
  act: (work: Promise<string>) => void;
}) {
  const [asked, setAsked] = useState(false);
  const { id, path } = entry;
  const restore = async (): Promise<string> => {
    const { restoredTo, notKept } = await agent().call('dlp.quarantine.restore', { id });
    const lost = notKept === '' ? '' : ` ${t('dlp.quarantine.lost', { lost: notKept })}`;
    return t('dlp.quarantine.restored', { path: restoredTo }) + lost;
  };
  const remove = async (): Promise<string> => {
    await agent().call('dlp.quarantine.remove', { id });
    return t('dlp.quarantine.removed', { path });
  };
  return (
    <tr>
      <td>
        <button
          type="button"
          className="link-button mono dlp-group"
          onClick={() =>
            navigate({
              view: 'timeline',
              query: '',
              eventId: entry.eventId,
              tab: undefined,
              around: undefined,
            })
          }
        >
          <MiddleEllipsis text={path} />
        </button>
        {entry.signed ? null : <div className="small dlp-refused">{t('dlp.quarantine.changed')}</div>}
      </td>
      <td className="small">{destinationText(entry.destination)}</td>
      <td className="small mono">{entry.policy}</td>
      <td className="right num">{bytes(entry.size)}</td>
      <td className="num nowrap">
        <Ago ns={entry.takenNs} />
      </td>
      <td className="dlp-actions">
        {asked ? (
          <>
            <button type="button" className="button button-danger" onClick={() => act(remove())}>
              {t('dlp.quarantine.confirm', { bytes: bytes(entry.size) })}
            </button>{' '}
            <button type="button" className="button" onClick={() => setAsked(false)}>
              {t('dlp.quarantine.keep')}
            </button>
          </>
        ) : (
          <>
            <button
              type="button"
              className="button"
              disabled={!canAct || !entry.signed}
              onClick={() => act(restore())}
            >
              {t('dlp.quarantine.restore')}
            </button>{' '}
            <button type="button" className="button" disabled={!canAct} onClick={() => setAsked(true)}>
              {t('dlp.quarantine.remove')}
            </button>
          </>
        )}
      </td>
    </tr>
  );
}

export function QuarantineTable({
  entries,
  canAct,
  changed,
}: {
  entries: readonly DlpQuarantineJson[];
  canAct: boolean;
  changed: () => void;
}) {
  const [said, setSaid] = useState<{ text: string; refused: boolean }>();
  const act = (work: Promise<string>): void => {
    setSaid(undefined);
    work
      .then(
        (text) => setSaid({ text, refused: false }),
        (error: unknown) => {
          const reason = error instanceof AgentError ? error.message : String(error);
          setSaid({ text: t('dlp.quarantine.refused', { reason }), refused: true });
        },
      )
      .finally(changed);
  };
  return (
    <section className="dlp-section" aria-labelledby="dlp-quarantine">
      <h2 id="dlp-quarantine">{t('dlp.quarantine')}</h2>
      {said === undefined ? null : (
        <p role={said.refused ? 'alert' : 'status'} className={said.refused ? 'dlp-refused' : ''}>
          <SafeText text={said.text} limit={600} />
        </p>
      )}
      {entries.length === 0 ? (
        <p className="dim">
          {t('dlp.quarantine.none')} {t('dlp.quarantine.noneMeaning')}
        </p>
      ) : (
        <table className="table dlp-table">
          <thead>
            <tr>
              <th scope="col">{t('dlp.unscannable.file')}</th>
              <th scope="col">{t('dlp.hits.where')}</th>
              <th scope="col">{t('dlp.quarantine.policy')}</th>
              <th scope="col" className="right">
                {t('dlp.quarantine.size')}
              </th>
              <th scope="col">{t('dlp.quarantine.taken')}</th>
              <th scope="col">
                <span className="visually-hidden">{t('dlp.quarantine.restore')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {entries.map((entry) => (
              <Row key={entry.id} entry={entry} canAct={canAct} act={act} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
