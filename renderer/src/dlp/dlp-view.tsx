/** Protected data: what was found where it leaves, what could not be looked at, what was taken away, what is watched. */
import type { DlpQuarantineJson, DlpScanJson, EventPage, Methods } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { sayAgent } from '../i18n/say-agent.ts';
import { agent, useApp } from '../store.ts';
import { CodeLine, Notice } from '../ui/primitives.tsx';
import { SafeText } from '../ui/text.tsx';
import { useLoad } from '../use-load.ts';
import { Hits } from './hits.tsx';
import { Coverage, Indexes } from './indexes.tsx';
import { QuarantineTable } from './quarantine.tsx';
import { ScanForm } from './scan-form.tsx';
import { Unscannable } from './unscannable.tsx';
import './dlp.css';

const REFRESH_MS = 3000;
const RUNNING_MS = 500;
const PAGE = 300;

type State = Methods['dlp.indexes']['result'];

/** What the page is made of; the stories bring their own. */
export interface DlpPageData {
  state: State;
  hits: EventPage;
  unscannable: EventPage;
  quarantine: DlpQuarantineJson[];
  scan?: DlpScanJson | undefined;
}

function Summary({ state }: { state: State }) {
  const { watching, mounts, reason } = state.coverage;
  if (!watching)
    return <p className="dlp-summary">{t('dlp.notWatching', { reason: sayAgent(reason ?? '') })}</p>;
  return (
    <p className="dlp-summary dim">
      {mounts.length === 0
        ? t('dlp.watchingNone')
        : t('dlp.watching', { mounts: tn('dlp.mounts', mounts.length) })}
    </p>
  );
}

export function DlpPage({
  data,
  privileged,
  changed,
}: {
  data: DlpPageData;
  privileged: boolean;
  changed: () => void;
}) {
  const { state, hits, unscannable, quarantine, scan } = data;
  const hasIndex = state.indexes.length > 0 || state.coverage.watching;
  return (
    <>
      <Summary state={state} />
      {state.problems.length === 0 ? null : (
        <Notice title={t('dlp.problem')} alert>
          <ul>
            {state.problems.map(({ what, remedy }) => (
              <li key={what}>
                <SafeText text={sayAgent(what)} limit={400} />
                {remedy === '' ? null : (
                  <div className="dim">
                    {t('health.remedy')}: <SafeText text={sayAgent(remedy)} limit={200} />
                  </div>
                )}
              </li>
            ))}
          </ul>
        </Notice>
      )}
      {hasIndex ? null : (
        <Notice title={t('dlp.indexes.none')}>
          <p>{t('dlp.teach')}</p>
          <CodeLine code="sentinel dlp index build --schema schema.yml --csv table.csv --out table.sdlp" />
          <p>{t('dlp.teachThen')}</p>
        </Notice>
      )}
      <ScanForm scan={scan} canScan={privileged} hasIndex={hasIndex} changed={changed} />
      <Hits page={hits} />
      <Unscannable page={unscannable} />
      <QuarantineTable entries={quarantine} canAct={privileged} changed={changed} />
      <Indexes indexes={state.indexes} />
      <Coverage coverage={state.coverage} />
    </>
  );
}

async function load(signal: AbortSignal): Promise<DlpPageData> {
  const [state, hits, unscannable, { entries }, { scan }] = await Promise.all([
    agent().call('dlp.indexes', {}, signal),
    agent().call('dlp.hits', { limit: PAGE }, signal),
    agent().call('dlp.unscannable', { limit: PAGE }, signal),
    agent().call('dlp.quarantine.list', {}, signal),
    agent().call('dlp.scan.progress', {}, signal),
  ]);
  return { state, hits, unscannable, quarantine: entries, scan };
}

export function DlpView() {
  const privileged = useApp((state) => state.connection.state === 'open' && state.connection.privileged);
  const { data, error, again } = useLoad('dlp', load, REFRESH_MS);
  // While a scan runs, only it is asked for more often.
  const isRunning = data?.scan !== undefined && data.scan.endedMs === undefined;
  const live = useLoad(
    isRunning ? `dlp scan ${data.scan?.id}` : 'dlp idle',
    async (signal): Promise<{ scan?: DlpScanJson }> =>
      isRunning ? agent().call('dlp.scan.progress', {}, signal) : {},
    isRunning ? RUNNING_MS : undefined,
  );
  const scan = isRunning ? (live.data?.scan ?? data.scan) : data?.scan;
  return (
    <div className="page dlp">
      <h1 className="page-title">{t('dlp.title')}</h1>
      {error === undefined ? null : (
        <Notice title={t('dlp.failed')} alert>
          <p>{error.message}</p>
          <div className="notice-actions">
            <button type="button" className="button" onClick={again}>
              {t('common.retry')}
            </button>
          </div>
        </Notice>
      )}
      {data === undefined && error === undefined ? <p className="dim">{t('common.loading')}</p> : null}
      {data ? <DlpPage data={{ ...data, scan }} privileged={privileged} changed={again} /> : null}
    </div>
  );
}
