/** Protected data: what was found where it leaves, what could not be looked at, what was taken away, what is watched. */
import { useEffect, useState } from 'react';
import type { DlpQuarantineJson, DlpScanJson, EventPage, Methods } from '../../../agent/api/contract.ts';
import { t, tn } from '../i18n/i18n.ts';
import { sayAgent } from '../i18n/say-agent.ts';
import { agent, useApp } from '../store.ts';
import { CutOff } from '../policies/cut-off.tsx';
import { Notice } from '../ui/primitives.tsx';
import { SafeText } from '../ui/text.tsx';
import { useLoad } from '../use-load.ts';
import { Hits } from './hits.tsx';
import { Coverage } from './coverage.tsx';
import { useDlp } from './dlp-store.ts';
import { Indexes } from './indexes.tsx';
import { loadHits, type Hits as Groups, type HitsAsked } from './load-hits.ts';
import { QuarantineTable } from './quarantine.tsx';
import { ScanForm } from './scan-form.tsx';
import { Teach } from './teach.tsx';
import { Unscannable } from './unscannable.tsx';
import './dlp.css';

const REFRESH_MS = 3000;
const RUNNING_MS = 500;
/** The newest of what could not be looked at; one more than are shown. */
const UNSCANNABLE = 101;

type State = Methods['dlp.indexes']['result'];

/** What the page is made of; the stories bring their own. */
export interface DlpPageData {
  state: State;
  hits: Groups;
  /** What the hits answer: other words are shown at once, also under the pointer. */
  asked?: string;
  unscannable: EventPage;
  quarantine: DlpQuarantineJson[];
  /** Newest first. */
  scans: DlpScanJson[];
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

function Problems({ problems }: { problems: State['problems'] }) {
  return (
    <div className="dlp-problems" role="alert">
      <h2>{t('dlp.problem')}</h2>
      <ul>
        {problems.map(({ what, remedy }) => (
          <li key={what}>
            <SafeText text={sayAgent(what)} limit={400} />
            {remedy === '' ? null : (
              <div>
                <strong>{t('health.remedy')}:</strong> <SafeText text={sayAgent(remedy)} limit={200} />
              </div>
            )}
          </li>
        ))}
      </ul>
    </div>
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
  const { state, hits, unscannable, quarantine, scans } = data;
  const filter = useDlp((ui) => ui.filter);
  const hasIndex = state.indexes.length + state.ruleFiles.length > 0;
  const hasPast = hits.findings + unscannable.events.length + quarantine.length > 0 || filter !== '';
  return (
    <>
      {hasIndex ? <Summary state={state} /> : null}
      {state.problems.length === 0 ? null : <Problems problems={state.problems} />}
      {hasIndex || state.problems.length > 0 ? null : <Teach />}
      <CutOff />
      {hasIndex || scans.length > 0 ? (
        <ScanForm scans={scans} canScan={privileged} hasIndex={hasIndex} changed={changed} />
      ) : null}
      {hasIndex || hasPast ? (
        <>
          <Hits hits={hits} asked={data.asked ?? ''} />
          <Unscannable page={unscannable} />
          <QuarantineTable entries={quarantine} canAct={privileged} changed={changed} />
        </>
      ) : null}
      {hasIndex ? <Indexes indexes={state.indexes} ruleFiles={state.ruleFiles} /> : null}
      {hasIndex || state.problems.length > 0 ? <Coverage coverage={state.coverage} /> : null}
    </>
  );
}

async function load(asked: HitsAsked, signal: AbortSignal): Promise<DlpPageData> {
  const { filter } = asked;
  const narrow = filter === '' ? {} : { query: filter };
  const [state, hits, unscannable, { entries }, { scans }] = await Promise.all([
    agent().call('dlp.indexes', {}, signal),
    loadHits(asked, signal),
    agent().call('dlp.unscannable', { ...narrow, limit: UNSCANNABLE }, signal),
    agent().call('dlp.quarantine.list', {}, signal),
    agent().call('dlp.scan.list', {}, signal),
  ]);
  return { state, hits, asked: JSON.stringify(asked), unscannable, quarantine: entries, scans };
}

const isOpen = ({ endedMs }: DlpScanJson): boolean => endedMs === undefined;

export function DlpView() {
  const privileged = useApp((state) => state.connection.state === 'open' && state.connection.privileged);
  const { way: by, sort, filter, most } = useDlp();
  const asked: HitsAsked = { by, sort, filter, most };
  // The last answer stays while another filter is asked for.
  const [kept, keep] = useState<DlpPageData>();
  const { data, error, again } = useLoad(
    `dlp ${JSON.stringify(asked)}`,
    async (signal) => {
      const loaded = await load(asked, signal);
      keep(loaded);
      return loaded;
    },
    REFRESH_MS,
  );
  const shown = data ?? kept;
  // While a scan runs, only it is asked for more often.
  const running = shown?.scans.some(isOpen) === true;
  const live = useLoad(
    running ? 'dlp scans' : 'dlp idle',
    async (signal) => (running ? agent().call('dlp.scan.list', {}, signal) : { scans: [] }),
    running ? RUNNING_MS : undefined,
  );
  const ended = running && live.data?.scans.some(isOpen) === false;
  useEffect(() => {
    if (ended) again();
    // `again` is another function at each call.
    // oxlint-disable-next-line react/exhaustive-deps, react/exhaustive-effect-dependencies
  }, [ended]);
  const scans = running ? (live.data?.scans ?? shown.scans) : (shown?.scans ?? []);
  return (
    <div className="page dlp">
      <h1 className="page-title">{t('dlp.title')}</h1>
      {error === undefined ? null : (
        <Notice title={t('dlp.failed')} alert>
          <p>
            <SafeText text={error.message} limit={400} />
          </p>
          <div className="notice-actions">
            <button type="button" className="button" onClick={again}>
              {t('common.retry')}
            </button>
          </div>
        </Notice>
      )}
      {shown === undefined && error === undefined ? <p className="dim">{t('common.loading')}</p> : null}
      {shown ? <DlpPage data={{ ...shown, scans }} privileged={privileged} changed={again} /> : null}
    </div>
  );
}
