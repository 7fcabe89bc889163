/** The record as it was written, byte by byte, and the decoded event with every unusual character escaped. */
import { useState } from 'react';
import type { EventDetail } from '../../../../agent/api/contract.ts';
import { t } from '../../i18n/i18n.ts';
import { count } from '../../ui/format.ts';
import { CopyButton } from '../../ui/primitives.tsx';
import { exactJson, hexLines } from './hex.ts';

const FIRST_LINES = 64;

export function RawTab({ detail, complete }: { detail: EventDetail; complete: boolean }) {
  const [all, setAll] = useState(false);
  const hex = detail.rawHex;
  const json = exactJson(detail.event);
  const lines = hex === undefined ? [] : hexLines(hex, all ? 4096 : FIRST_LINES);
  return (
    <>
      {hex === undefined && complete ? (
        <div className="quiet">
          <p>{t('detail.raw.none')}</p>
          <p className="dim">{t('detail.raw.noneMeaning')}</p>
        </div>
      ) : null}
      {hex === undefined ? null : (
        <section className="detail-section">
          <h3>
            {t('detail.raw.bytes', { n: count(hex.length / 2) })} <CopyButton text={hex} />
          </h3>
          <pre
            className="hex"
            tabIndex={0}
            role="region"
            aria-label={t('detail.raw.bytes', { n: count(hex.length / 2) })}
          >
            {lines.map((line) => (
              <span key={line.offset} className="hex-line">
                <span className="dimmer">{line.offset}</span> <span>{line.bytes.padEnd(48)}</span>{' '}
                <span className="dim">{line.text}</span>
                {'\n'}
              </span>
            ))}
          </pre>
          {hex.length / 32 > lines.length && !all ? (
            <button type="button" className="link-button small" onClick={() => setAll(true)}>
              {t('common.showAll', { n: count(hex.length / 2) })}
            </button>
          ) : null}
        </section>
      )}
      <section className="detail-section">
        <h3>
          {t('detail.raw.json')} <CopyButton text={json} />
        </h3>
        <pre className="json" tabIndex={0} role="region" aria-label={t('detail.raw.json')}>
          {json.length > 60_000 ? `${json.slice(0, 60_000)}…` : json}
        </pre>
      </section>
    </>
  );
}
