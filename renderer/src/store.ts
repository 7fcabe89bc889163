/** State that every view shares: the connection, the agent's health and where the reader is. */
import { create } from 'zustand';
import type { HealthSnapshot } from '../../agent/api/contract.ts';
import { type AgentClient, type Connection, createAgentClient } from './agent-client.ts';
import { locale } from './i18n/i18n.ts';
import { type Route, formatRoute, parseRoute } from './router.ts';
import type { Connect } from './transport.ts';
import { consoleCost } from './console-cost.ts';

/** One sample of what Health draws as a line. */
export interface Trend {
  atMs: number;
  security: number;
  observability: number;
  detections: number;
  cpuPercent: number;
  /** Proportional share where it is known, else resident. */
  memoryBytes: number;
  /** Of this page; 0 where the browser does not say. */
  consoleHeapBytes: number;
  /** Share of the time since the last sample in which this page's main thread was held. */
  consoleBusyPercent: number;
}

/** Ten minutes at one sample every two seconds. */
const MAX_TREND = 300;
const TREND_EVERY_MS = 1900;

export interface Overlay {
  palette: boolean;
  keys: boolean;
}

/** The menu on a clicked value: where it was clicked, and what it holds. */
export interface ValueMenuTarget {
  x: number;
  y: number;
  /** Shown name of the field. */
  label: string;
  /** Name in the query language; absent when it cannot be asked for. */
  field?: string;
  value: string;
}

export interface AppState {
  connection: Connection;
  /** Grows with each connection, so that views load again. */
  session: number;
  health: HealthSnapshot | undefined;
  trend: readonly Trend[];
  route: Route;
  overlay: Overlay;
  valueMenu: ValueMenuTarget | undefined;
}

export const useApp = create<AppState>(() => ({
  connection: { state: 'connecting' },
  session: 0,
  health: undefined,
  trend: [],
  route: parseRoute(location.hash),
  overlay: { palette: false, keys: false },
  valueMenu: undefined,
}));

let client: AgentClient | undefined;

/** The one client of this window. */
export function agent(): AgentClient {
  if (!client) throw new Error('the console has not been started');
  return client;
}

function onHealth(health: HealthSnapshot): void {
  const last = useApp.getState().trend.at(-1)?.atMs ?? 0;
  if (Date.now() - last < TREND_EVERY_MS) {
    useApp.setState({ health });
    return;
  }
  const own = consoleCost();
  const sample: Trend = {
    atMs: Date.now(),
    ...health.rates,
    cpuPercent: health.agent.cpuPercent,
    memoryBytes: health.agent.pssBytes ?? health.agent.rssBytes,
    consoleHeapBytes: own.heapBytes,
    consoleBusyPercent: own.busyPercent,
  };
  useApp.setState(({ trend }) => ({ health, trend: [...trend.slice(1 - MAX_TREND), sample] }));
}

/** Connects, and keeps connection, health, page visibility and address in the store from then on. */
export function startApp(connect: Connect): void {
  client = createAgentClient({
    connect,
    locale: locale(),
    onConnection: (connection) =>
      useApp.setState((state) => ({
        connection,
        session: connection.state === 'open' ? state.session + 1 : state.session,
      })),
  });
  client.subscribe('health.watch', {}, { snapshot: onHealth, delta: onHealth });
  document.addEventListener('visibilitychange', () => agent().setActive(!document.hidden));
  window.addEventListener('online', () => agent().retryNow());
  window.addEventListener('hashchange', () => useApp.setState({ route: parseRoute(location.hash) }));
}

/** Changes the address. `replace` for steps that "back" should not stop at. */
export function navigate(change: Partial<Route>, replace = false): void {
  const route = { ...useApp.getState().route, ...change };
  const hash = formatRoute(route);
  if (hash === formatRoute(useApp.getState().route)) return;
  if (replace) history.replaceState(null, '', hash);
  else history.pushState(null, '', hash);
  useApp.setState({ route });
}

export function showOverlay(change: Partial<Overlay>): void {
  useApp.setState(({ overlay }) => ({ overlay: { ...overlay, ...change } }));
}

export function openValueMenu(valueMenu: ValueMenuTarget | undefined): void {
  useApp.setState({ valueMenu });
}
