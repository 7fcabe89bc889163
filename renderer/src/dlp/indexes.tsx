/** What is looked for, and where: indexes with age and size, mounts, queue and what was left out. */
import type { DlpCoverageJson, DlpIndexJson } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { bytes, count, nsOfMs } from '../ui/format.ts';
import { SafeText } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { destinationText, triggerText } from './words.ts';

function IndexRow({ index }: { index: DlpIndexJson }) {
  return (
    <tr>
      <td>
        <SafeText text={index.name} limit={100} />
        <div className="small dim mono dlp-path">
          <SafeText text={index.file} limit={300} />
        </div>
      </td>
      <td className="right num">{count(index.rows)}</td>
      <td className="right num">{count(index.entries)}</td>
      <td className="right num">{bytes(index.bytes)}</td>
      <td className="num nowrap">
        <Ago ns={String(nsOfMs(index.createdMs))} />
      </td>
      <td className="small">
        <SafeText
          text={index.fields.map(({ column, type }) => `${column} (${type})`).join(', ')}
          limit={200}
        />
      </td>
      <td className={index.signature === 'trusted' ? 'small' : 'small dlp-refused'}>
        {t(`dlp.index.signature.${index.signature}`)}
        <div className="dim mono">{index.keyId}</div>
      </td>
    </tr>
  );
}

export function Indexes({ indexes }: { indexes: readonly DlpIndexJson[] }) {
  return (
    <section className="dlp-section" aria-labelledby="dlp-indexes">
      <h2 id="dlp-indexes">{t('dlp.indexes')}</h2>
      {indexes.length === 0 ? (
        <p className="dim">{t('dlp.indexes.none')}</p>
      ) : (
        <table className="table">
          <thead>
            <tr>
              <th scope="col">{t('dlp.index.name')}</th>
              <th scope="col" className="right">
                {t('dlp.index.rows')}
              </th>
              <th scope="col" className="right">
                {t('dlp.index.entries')}
              </th>
              <th scope="col" className="right">
                {t('dlp.index.size')}
              </th>
              <th scope="col">{t('dlp.index.age')}</th>
              <th scope="col">{t('dlp.index.fields')}</th>
              <th scope="col">{t('dlp.index.signature')}</th>
            </tr>
          </thead>
          <tbody>
            {indexes.map((index) => (
              <IndexRow key={index.file} index={index} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

export function Coverage({ coverage }: { coverage: DlpCoverageJson }) {
  const { mounts, watched, queue, totals } = coverage;
  const numbers = Object.fromEntries(Object.entries(totals).map(([name, value]) => [name, count(value)]));
  return (
    <section className="dlp-section" aria-labelledby="dlp-coverage">
      <h2 id="dlp-coverage">{t('dlp.coverage')}</h2>
      <dl className="dlp-facts">
        <Fact name={t('dlp.coverage.triggers')}>{coverage.triggers.map(triggerText).join(', ')}</Fact>
        <Fact name={t('dlp.coverage.mounts')}>
          {mounts.length === 0 ? (
            <span className="dim">{t('dlp.coverage.noMounts')}</span>
          ) : (
            <ul>
              {mounts.map((mount) => (
                <li key={mount.path}>
                  <span className="mono">
                    <SafeText text={mount.path} limit={200} />
                  </span>{' '}
                  <span className="dim">
                    {destinationText(mount.kind)} · {mount.fileSystem} · {mount.why}
                  </span>
                </li>
              ))}
            </ul>
          )}
        </Fact>
        <Fact name={t('dlp.coverage.watched')}>
          {watched.length === 0 ? (
            <span className="dim">{t('dlp.coverage.noWatched')}</span>
          ) : (
            <span className="mono">
              <SafeText text={watched.join(', ')} limit={400} />
            </span>
          )}
        </Fact>
        <Fact name={t('dlp.coverage.queue')}>
          <span className="num">
            {t('dlp.coverage.queueOf', {
              waiting: count(queue.waiting),
              max: count(queue.max),
              running: count(queue.running),
            })}
          </span>
        </Fact>
        <Fact name={t('dlp.coverage.looked')}>
          <span className="num">{t('dlp.coverage.lookedOf', numbers)}</span>
        </Fact>
        <Fact name={t('dlp.coverage.skipped')}>
          <span className={totals.skipped > 0 ? 'num dlp-refused' : 'num'}>
            {totals.skipped > 0
              ? t('dlp.coverage.skippedSome', { n: count(totals.skipped) })
              : t('dlp.coverage.skippedNone')}
          </span>
        </Fact>
        <Fact name={t('dlp.coverage.protected')}>
          <span className="num">{count(coverage.protectedFiles)}</span>
        </Fact>
      </dl>
    </section>
  );
}
