/** A look at a folder, asked for here: progress with rate and time left, cancel, and what came of it. */
import { useState } from 'react';
import type { DlpScanJson } from '../../../agent/api/contract.ts';
import { AgentError } from '../agent-client.ts';
import { t } from '../i18n/i18n.ts';
import { agent } from '../store.ts';
import { bytes, count, duration } from '../ui/format.ts';
import { Meter } from '../ui/primitives.tsx';
import { MiddleEllipsis, SafeText } from '../ui/text.tsx';
import { useNow } from '../ui/use-now.ts';

function progressText(scan: DlpScanJson, nowMs: number): string {
  if (scan.state === 'counting') return t('dlp.scan.counting');
  const seconds = Math.max(0.001, (nowMs - scan.startedMs) / 1000);
  const perSecond = scan.bytes / seconds;
  const common = { files: count(scan.files), bytes: bytes(scan.bytes), rate: `${bytes(perSecond)}/s` };
  const { totalFiles, totalBytes } = scan;
  if (totalFiles === undefined || totalBytes === undefined) return t('dlp.scan.runningUnknown', common);
  const leftMs = perSecond > 0 ? ((totalBytes - scan.bytes) / perSecond) * 1000 : 0;
  return t('dlp.scan.running', { ...common, total: count(totalFiles), left: duration(leftMs) });
}

function outcomeText(scan: DlpScanJson): string {
  const { path, files, left, matched, unscannable } = scan;
  if (scan.state === 'failed') return t('dlp.scan.failed', { path, error: scan.error ?? '' });
  if (scan.state === 'cancelled')
    return t('dlp.scan.cancelled', { path, files: count(files), left: count(left) });
  return t('dlp.scan.done', {
    path,
    files: count(files),
    bytes: bytes(scan.bytes),
    took: duration((scan.endedMs ?? scan.startedMs) - scan.startedMs),
    matched: count(matched),
    unscannable: count(unscannable),
  });
}

function Progress({ scan, cancel }: { scan: DlpScanJson; cancel: (() => void) | undefined }) {
  const nowMs = useNow();
  return (
    <div className="dlp-progress">
      <div className="dlp-progress-line">
        <span className="num" role="status">
          {progressText(scan, nowMs)}
        </span>
        {cancel === undefined ? null : (
          <button type="button" className="button" onClick={cancel}>
            {t('dlp.scan.cancel')}
          </button>
        )}
      </div>
      <Meter value={scan.bytes} max={scan.totalBytes ?? 0} label={t('dlp.scan.progress')} budget />
      {scan.current === undefined ? null : (
        <div className="small dim mono">
          <MiddleEllipsis text={scan.current} />
        </div>
      )}
    </div>
  );
}

export function ScanForm({
  scan,
  canScan,
  hasIndex,
  changed,
}: {
  scan: DlpScanJson | undefined;
  canScan: boolean;
  hasIndex: boolean;
  changed: () => void;
}) {
  const [path, setPath] = useState('');
  const [refusal, setRefusal] = useState('');
  const isRunning = scan !== undefined && scan.endedMs === undefined;
  const act = (work: Promise<unknown>): void => {
    setRefusal('');
    work.then(changed, (error: unknown) =>
      setRefusal(error instanceof AgentError ? error.message : String(error)),
    );
  };
  return (
    <section className="dlp-section" aria-labelledby="dlp-scan">
      <h2 id="dlp-scan">{t('dlp.scan')}</h2>
      <form
        className="dlp-scan"
        onSubmit={(event) => {
          event.preventDefault();
          if (path.trim() !== '') act(agent().call('dlp.scan.start', { path: path.trim() }));
        }}
      >
        <label className="dlp-scan-path">
          <span>{t('dlp.scan.path')}</span>
          <input
            type="text"
            className="text-input mono"
            value={path}
            placeholder="/home"
            spellCheck={false}
            autoComplete="off"
            disabled={!canScan}
            onChange={(event) => setPath(event.target.value)}
          />
        </label>
        <button
          type="submit"
          className="button"
          disabled={!canScan || !hasIndex || isRunning || path.trim() === ''}
        >
          {t('dlp.scan.start')}
        </button>
      </form>
      <p className="small dim">
        {!canScan ? t('dlp.scan.notAllowed') : hasIndex ? t('dlp.scan.links') : t('dlp.scan.noIndex')}
      </p>
      {refusal === '' ? null : (
        <p role="alert" className="dlp-refused">
          <SafeText text={refusal} limit={400} />
        </p>
      )}
      {scan === undefined ? null : isRunning ? (
        <Progress
          scan={scan}
          cancel={canScan ? () => act(agent().call('dlp.scan.cancel', { id: scan.id })) : undefined}
        />
      ) : (
        <p role="status">
          <SafeText text={outcomeText(scan)} limit={600} /> {scan.capped ? t('dlp.scan.capped') : null}
        </p>
      )}
    </section>
  );
}
