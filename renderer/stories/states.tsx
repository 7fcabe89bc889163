/** The states every view has to have, made by the parts that the product shows them with. */
import type { HealthLevel, HealthSnapshot } from '../../agent/api/contract.ts';
import { fakeHealth } from '../dev/fake-health.ts';
import { AgentError, type Connection } from '../src/agent-client.ts';
import { ConnectionBanner, NotYetConnected } from '../src/frame/connection-banner.tsx';
import { StateSentence } from '../src/frame/state-sentence.tsx';
import { HealthView } from '../src/health/health-view.tsx';
import { CutOff } from '../src/policies/cut-off.tsx';
import { useApp } from '../src/store.ts';
import { ListNotice } from '../src/timeline/list-notice.tsx';
import { DLP_STATES } from './dlp-states.tsx';
import { type TimelineState, useTimeline } from '../src/timeline/timeline-state.ts';

const OPEN: Connection = { state: 'open', agentVersion: '0.1.0', privileged: true };
const LOST: Connection = { state: 'waiting', attempt: 3, retryAtMs: 0 };
const STARTED_MS = Date.now() - 3_600_000;

interface State {
  name: string;
  connection?: Connection;
  health?: HealthSnapshot;
  timeline?: Partial<TimelineState>;
  show: React.ComponentType;
}

function SentenceAndHealth() {
  return (
    <>
      <StateSentence />
      <HealthView />
    </>
  );
}

const health = (level: HealthLevel): HealthSnapshot => fakeHealth(level, STARTED_MS, 48_000, 40);

/** Two processes that a policy cut off from the network, one of them with a path that is too long. */
function withCuts(sound: HealthSnapshot): HealthSnapshot {
  const cut = {
    pid: 4711,
    name: '/usr/bin/python3',
    entityId: '4711-1234560000000',
    policyId: 'customers-stay-here',
    policyHash: '0a1b',
    path: '/srv/share/customers.csv',
    sinceMs: Date.now() - 95_000,
    untilMs: Date.now() + 1_700_000,
  };
  const path = `/srv/share/${'a folder with a long name/'.repeat(8)}customers.csv`;
  return {
    ...sound,
    enforcement: {
      generation: 3,
      policies: 1,
      reach: [],
      kernelActs: 2,
      agentActs: { applied: 0, failed: 0, spared: 0 },
      troubles: [],
      cut: [cut, { ...cut, pid: 90_210, name: '/usr/bin/rsync', entityId: '90210-1', path }],
      cutsLost: 1,
    },
  };
}

/** The views share one store, as in the product: one state is shown at a time. */
export const STATES: readonly State[] = [
  { name: 'loading', timeline: { status: 'loading', query: '' }, show: ListNotice },
  { name: 'empty', timeline: { status: 'ready', query: '' }, show: ListNotice },
  { name: 'no-match', timeline: { status: 'ready', query: 'image:*/curl last:15m' }, show: ListNotice },
  {
    name: 'query-error',
    timeline: {
      status: 'failed',
      query: 'imge:x',
      error: new AgentError({ code: 'bad_query', message: 'there is no field "imge"; did you mean image?' }),
    },
    show: ListNotice,
  },
  {
    name: 'error',
    timeline: {
      status: 'failed',
      query: '',
      error: new AgentError({ code: 'unavailable', message: 'the timeline is being rebuilt from the logs' }),
    },
    show: ListNotice,
  },
  { name: 'disconnected', connection: LOST, health: health('ok'), show: ConnectionBanner },
  { name: 'never-connected', connection: LOST, show: NotYetConnected },
  {
    name: 'no-permission',
    connection: { state: 'refused', reason: 'unauthorised' },
    show: NotYetConnected,
  },
  { name: 'another-version', connection: { state: 'refused', reason: 'version' }, show: ConnectionBanner },
  { name: 'recording', health: health('ok'), show: SentenceAndHealth },
  { name: 'degraded', health: health('degraded'), show: SentenceAndHealth },
  { name: 'failed', health: health('failed'), show: SentenceAndHealth },
  { name: 'cut-off', health: withCuts(health('ok')), show: CutOff },
  ...DLP_STATES,
];

/** The state of that name, with the stores as it needs them; undefined for a name there is none of. */
export function prepare(name: string | null): State | undefined {
  const state = STATES.find((candidate) => candidate.name === name);
  if (!state) return undefined;
  useApp.setState({ connection: state.connection ?? OPEN, health: state.health });
  useTimeline.setState({ error: undefined, ...state.timeline });
  return state;
}
