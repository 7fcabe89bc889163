/** Scans that were asked for: progress with rate and time left, cancel, and what came of each. */
import type { DlpScanJson } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { runQuery } from '../timeline/timeline-store.ts';
import { bytes, count, duration, micros, nsOfMs } from '../ui/format.ts';
import { Meter } from '../ui/primitives.tsx';
import { MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { Ago } from '../ui/time.tsx';
import { useNow } from '../ui/use-now.ts';
import { scanQuery } from './hits-model.ts';

function progressText(scan: DlpScanJson, nowMs: number): string {
  if (scan.state === 'waiting') return t('dlp.scan.waiting');
  if (scan.state === 'counting') return t('dlp.scan.counting');
  const seconds = Math.max(0.001, (nowMs - scan.startedMs) / 1000);
  const perSecond = scan.bytes / seconds;
  const common = {
    files: count(scan.files),
    bytes: bytes(scan.bytes),
    rate: `${bytes(Math.round(perSecond))}/s`,
    matched: count(scan.matched),
  };
  const { totalFiles, totalBytes } = scan;
  if (totalFiles === undefined || totalBytes === undefined) return t('dlp.scan.runningUnknown', common);
  const leftMs = perSecond > 0 ? ((totalBytes - scan.bytes) / perSecond) * 1000 : 0;
  return t('dlp.scan.running', { ...common, total: count(totalFiles), left: duration(Math.max(0, leftMs)) });
}

function outcomeText(scan: DlpScanJson): string {
  const { files, left, matched, unscannable } = scan;
  const tookMs = (scan.endedMs ?? scan.startedMs) - scan.startedMs;
  if (scan.state === 'failed') return t('dlp.scan.failed', { error: scan.error ?? '' });
  if (scan.state === 'cut') return t('dlp.scan.cut');
  if (scan.state === 'cancelled') return t('dlp.scan.cancelled', { files: count(files), left: count(left) });
  return t('dlp.scan.done', {
    files: count(files),
    bytes: bytes(scan.bytes),
    took: tookMs < 1000 ? micros(tookMs * 1000) : duration(tookMs),
    matched: count(matched),
    unscannable: count(unscannable),
  });
}

function leftText({ left, refused, state }: DlpScanJson): string {
  if (state !== 'done' || left === 0) return '';
  return refused > 0
    ? t('dlp.scan.leftRefused', { n: count(left), refused: count(refused) })
    : t('dlp.scan.left', { n: count(left) });
}

function Scan({ scan, cancel }: { scan: DlpScanJson; cancel: ((id: string) => void) | undefined }) {
  const nowMs = useNow();
  const isOpen = scan.endedMs === undefined;
  const some = scan.matched + scan.unscannable > 0;
  const left = leftText(scan);
  return (
    <li className="dlp-scan-item">
      <div className="dlp-progress-line">
        <span className="mono dlp-scan-name">
          <MiddleEllipsis text={scan.path} />
        </span>
        <span className="small dim nowrap">
          <Ago ns={String(nsOfMs(scan.startedMs))} />
        </span>
        {some ? (
          <button type="button" className="link-button nowrap" onClick={() => runQuery(scanQuery(scan))}>
            {t('dlp.scan.findings')}
          </button>
        ) : null}
        {isOpen && cancel !== undefined ? (
          <button
            type="button"
            className="button"
            aria-label={t('dlp.scan.cancelOf', { path: scan.path })}
            onClick={() => cancel(scan.id)}
          >
            {t('dlp.scan.cancel')}
          </button>
        ) : null}
      </div>
      {isOpen ? (
        <>
          <div className="num small">{progressText(scan, nowMs)}</div>
          {scan.state === 'waiting' ? null : (
            <Meter value={scan.bytes} max={scan.totalBytes ?? 0} label={t('dlp.scan.progress')} budget />
          )}
          {scan.current === undefined ? null : (
            <div className="small dim mono">
              <MiddleEllipsis text={scan.current} />
            </div>
          )}
        </>
      ) : (
        <div className={scan.state === 'cut' || scan.state === 'failed' ? 'small dlp-warn' : 'small'}>
          <SafeText text={outcomeText(scan)} limit={600} /> {left}
          {scan.capped ? ` ${t('dlp.scan.capped')}` : ''}
          {scan.options.containers ? '' : ` ${t('dlp.scan.flat')}`}
        </div>
      )}
    </li>
  );
}

const MAX_SHOWN = 5;

export function ScanList({
  scans,
  cancel,
}: {
  scans: readonly DlpScanJson[];
  cancel: ((id: string) => void) | undefined;
}) {
  const open = scans.filter(({ endedMs }) => endedMs === undefined);
  const shown = [...open.toReversed(), ...scans.filter(({ endedMs }) => endedMs !== undefined)];
  const [latest] = scans;
  return (
    <>
      {/* Said once when it ends, not at each step. */}
      <p className="visually-hidden" role="status">
        {latest?.endedMs === undefined ? '' : `${latest.path}: ${outcomeText(latest)}`}
      </p>
      <ul className="dlp-scans">
        {shown.slice(0, Math.max(MAX_SHOWN, open.length)).map((scan) => (
          <Scan key={scan.id} scan={scan} cancel={cancel} />
        ))}
      </ul>
    </>
  );
}
