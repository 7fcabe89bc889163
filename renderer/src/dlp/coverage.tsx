/** Where files are looked at and why, where not, and what came of it so far. */
import { useEffect, useRef, useState } from 'react';
import type { DlpCoverageJson } from '../../../agent/api/contract.ts';
import { t, tryMessage } from '../i18n/i18n.ts';
import { bytes, count, micros, rate } from '../ui/format.ts';
import { SafeText } from '../ui/text.tsx';
import { destinationText, triggerText } from './words.ts';

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

/** Looks and bytes per second between the last two answers of the agent. */
function useRate(coverage: DlpCoverageJson): { looks: number; bytes: number } {
  const last = useRef<{ atMs: number; looked: number; bytes: number }>(undefined);
  const [now, setNow] = useState({ looks: 0, bytes: 0 });
  useEffect(() => {
    const atMs = performance.now();
    const before = last.current;
    const { looked } = coverage.totals;
    const { bytes: read } = coverage.cost;
    last.current = { atMs, looked, bytes: read };
    if (before === undefined || atMs - before.atMs < 500) return;
    const seconds = (atMs - before.atMs) / 1000;
    const next = {
      looks: Math.max(0, looked - before.looked) / seconds,
      bytes: Math.max(0, read - before.bytes) / seconds,
    };
    setNow((shown) => (shown.looks === next.looks && shown.bytes === next.bytes ? shown : next));
    // Each answer of the agent is an object of its own, also when nothing changed.
  }, [coverage]);
  return now;
}

export function Coverage({ coverage }: { coverage: DlpCoverageJson }) {
  const { mounts, notWatched, watched, queue, totals, cost } = coverage;
  const numbers = Object.fromEntries(Object.entries(totals).map(([name, value]) => [name, count(value)]));
  const now = useRate(coverage);
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
                <li key={`${mount.path} ${mount.source}`}>
                  <span className="mono">
                    <SafeText text={mount.path} limit={200} />
                  </span>{' '}
                  <span className="dim">
                    {destinationText(mount.kind)}: {tryMessage(`dlp.mount.${mount.why}`) ?? mount.why} ·{' '}
                    <SafeText text={`${mount.fileSystem} · ${mount.source}`} limit={120} />
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
        <Fact name={t('dlp.coverage.anywhere')}>{t('dlp.coverage.anywhereIs')}</Fact>
        <Fact name={t('dlp.coverage.not')}>
          {notWatched.length === 0 ? (
            <span className="dim">{t('dlp.coverage.notNone')}</span>
          ) : (
            <ul>
              {notWatched.map(({ path, fileSystem, why }) => (
                <li key={path}>
                  <span className="mono">
                    <SafeText text={path} limit={200} />
                  </span>{' '}
                  <span className="dim">
                    {tryMessage(`dlp.notWatched.${why}`) ?? why} · {fileSystem}
                  </span>
                </li>
              ))}
            </ul>
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
        <Fact name={t('dlp.coverage.cost')}>
          <span className="num">
            {t('dlp.coverage.costOf', {
              bytes: bytes(cost.bytes),
              time: micros(cost.tookMs * 1000),
              looks: rate(now.looks),
              rate: bytes(Math.round(now.bytes)),
            })}
          </span>
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
