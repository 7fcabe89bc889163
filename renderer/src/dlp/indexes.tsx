/** What is looked for: indexes with kind, age, size and who built them. */
import { useState } from 'react';
import type { DlpIndexJson } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { bytes, count, nsOfMs, percent } from '../ui/format.ts';
import { MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { useNow } from '../ui/use-now.ts';

/** What changed in the table since is not found: after a month that is worth a word. */
const OLD_MS = 30 * 86_400_000;
const MAX_SHOWN = 20;

function IndexRow({ index, nowMs }: { index: DlpIndexJson; nowMs: number }) {
  const { format, fields, signature } = index;
  const isOld = nowMs - index.createdMs > OLD_MS;
  return (
    <tr>
      <td>
        <SafeText text={index.name} limit={100} />
        <div className="dim mono dlp-index-file">
          <MiddleEllipsis text={index.file} />
        </div>
      </td>
      <td className="small">
        {tn(`dlp.index.of.${format}`, index.rows)}
        {fields.length === 0 ? null : (
          <div className="dim">
            <SafeText text={fields.map(({ column, type }) => `${column} (${type})`).join(', ')} limit={200} />
          </div>
        )}
      </td>
      <td
        className="right num"
        title={
          format === 'files'
            ? undefined
            : t('dlp.index.prefilter', { share: percent(index.prefilterRate * 100) })
        }
      >
        {count(index.entries)}
      </td>
      <td className="right num">{bytes(index.bytes)}</td>
      <td className={isOld ? 'num nowrap dlp-warn' : 'num nowrap'}>
        <Ago ns={String(nsOfMs(index.createdMs))} />
        {isOld ? <div className="small dlp-wrap">{t('dlp.index.old')}</div> : null}
      </td>
      <td className={signature === 'trusted' ? 'small' : 'small dlp-refused'}>
        {t(`dlp.index.signature.${signature}`)}
        <div className="dim mono">{t('dlp.index.key', { id: index.keyId })}</div>
      </td>
    </tr>
  );
}

export function Indexes({
  indexes,
  ruleFiles,
}: {
  indexes: readonly DlpIndexJson[];
  ruleFiles: readonly string[];
}) {
  const [all, setAll] = useState(false);
  const nowMs = useNow();
  const shown = all ? indexes : indexes.slice(0, MAX_SHOWN);
  return (
    <section className="dlp-section" aria-labelledby="dlp-indexes">
      <h2 id="dlp-indexes">{t('dlp.indexes')}</h2>
      {indexes.length === 0 ? (
        <p className="dim">{t('dlp.indexes.none')}</p>
      ) : (
        <div className="dlp-scroll">
          <table className="table dlp-indexes">
            <thead>
              <tr>
                <th scope="col">{t('dlp.index.name')}</th>
                <th scope="col">{t('dlp.index.protects')}</th>
                <th scope="col" className="right">
                  {t('dlp.index.entries')}
                </th>
                <th scope="col" className="right">
                  {t('dlp.index.size')}
                </th>
                <th scope="col">{t('dlp.index.age')}</th>
                <th scope="col">{t('dlp.index.signature')}</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((index) => (
                <IndexRow key={index.file} index={index} nowMs={nowMs} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {indexes.length > shown.length ? (
        <button type="button" className="link-button" onClick={() => setAll(true)}>
          {t('dlp.indexes.all', { n: count(indexes.length) })}
        </button>
      ) : null}
      {ruleFiles.length === 0 ? null : (
        <p>
          {t('dlp.rules.files')}{' '}
          <span className="mono">
            <SafeText text={ruleFiles.join(', ')} limit={400} />
          </span>
        </p>
      )}
    </section>
  );
}
