/** Saves what the current query finds as a file: choice of format, progress with rate and time left, cancel. */
import { Popover } from 'radix-ui';
import { t, tn } from '../i18n/i18n.ts';
import { useApp } from '../store.ts';
import { bytes, count, duration, micros } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { shellCommand } from '../timeline/detail/copy-as.ts';
import { menuHost } from '../ui/menu-host.ts';
import { CodeLine } from '../ui/primitives.tsx';
import { SafeText } from '../ui/text.tsx';
import { type ExportState, cancelExport, startEvidence, startExport, useExport } from './export-store.ts';
import './export.css';

const FORMATS = ['ndjson', 'csv'] as const;

function span(ms: number): string {
  return ms < 60_000 ? micros(ms * 1000) : duration(ms);
}

/** "12,000 of about 50,000 events, 4,100/s, 9 s left" */
function progressText(job: ExportState): string {
  const rate = job.tookMs > 0 ? (job.events / job.tookMs) * 1000 : 0;
  const parts = [
    job.format === 'sab' && job.events === 0
      ? t('export.gathering')
      : job.total === undefined
        ? tn('export.events', job.events)
        : t(job.totalApproximate ? 'export.ofAbout' : 'export.of', {
            n: count(job.events),
            total: count(job.total),
          }),
    bytes(job.bytes),
  ];
  if (rate > 0 && job.status === 'running' && job.format !== 'sab') {
    parts.push(t('health.perSecond', { n: count(Math.round(rate)) }));
    if (job.total !== undefined) {
      parts.push(t('export.left', { time: span((Math.max(0, job.total - job.events) / rate) * 1000) }));
    }
  }
  return parts.join(' · ');
}

function Progress({ job }: { job: ExportState }) {
  if (job.status === 'idle') return null;
  const known = job.total !== undefined && job.total > 0;
  return (
    <div className="export-job" role="status">
      {job.status === 'running' ? (
        <progress
          aria-label={t('export.label')}
          {...(known ? { max: job.total, value: Math.min(job.events, job.total ?? 0) } : {})}
        />
      ) : null}
      <p className="num">{progressText(job)}</p>
      {job.status === 'done' ? (
        <p>
          {t('export.done', { time: span(job.tookMs) })} <span className="mono">{job.file}</span>
        </p>
      ) : null}
      {job.status === 'cancelled' ? <p>{t('export.cancelled')}</p> : null}
      {job.status === 'failed' ? (
        <p role="alert">
          {t('export.failed')} {job.error}
        </p>
      ) : null}
      {job.status === 'running' ? (
        <button type="button" className="button" onClick={cancelExport}>
          {t('export.cancel')}
        </button>
      ) : null}
    </div>
  );
}

/** `of`: the query whose events are saved; that of the timeline by default. */
export function ExportButton({ of }: { of?: string }) {
  const asked = useApp((state) => state.route.query);
  const query = of ?? asked;
  const hostname = useApp((state) => state.health?.host.hostname ?? 'host');
  const dataDir = useApp((state) => state.health?.dataDir);
  const job = useExport();
  const allowed = useApp(({ connection }) => connection.state === 'open' && connection.privileged);
  const running = job.status === 'running';
  const dataArgs = dataDir === undefined ? [] : ['--data', dataDir];
  return (
    <Popover.Root>
      <Popover.Trigger className="button button-quiet">
        <Icon name="download" /> {t('export.label')}
        {running && job.total ? (
          <span className="num dim">{Math.min(99, Math.floor((job.events / job.total) * 100))} %</span>
        ) : null}
      </Popover.Trigger>
      <Popover.Portal container={menuHost()}>
        <Popover.Content className="menu export" align="end" sideOffset={4} aria-label={t('export.label')}>
          <p>{t(query === '' ? 'export.whatAll' : 'export.what')}</p>
          {query === '' ? null : (
            <p className="mono saved-query">
              <SafeText text={query} limit={200} />
            </p>
          )}
          <div className="notice-actions">
            {FORMATS.map((format) => (
              <button
                key={format}
                type="button"
                className="button"
                disabled={running}
                onClick={() => void startExport(query, format, hostname)}
              >
                {format.toUpperCase()}
              </button>
            ))}
            <button
              type="button"
              className="button"
              disabled={running || !allowed}
              aria-describedby="export-proof"
              onClick={() => void startEvidence(query, hostname)}
            >
              {t('export.proof')}
            </button>
          </div>
          <p className="dim small">{t('export.inert')}</p>
          <p className="dim small" id="export-proof">
            {t(allowed ? 'export.proofWhy' : 'export.proofNotAllowed')}
          </p>
          <CodeLine
            code={shellCommand([
              'sentinel',
              'audit',
              'export',
              ...dataArgs,
              '--query',
              query,
              '--out',
              'record.sab',
            ])}
          />
          <CodeLine code="sentinel audit verify record.sab" />
          <Progress job={job} />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
