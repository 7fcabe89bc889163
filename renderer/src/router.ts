/**
 * Addresses: `#/VIEW?q=QUERY&e=EVENT&tab=TAB&around=EVENT&n=ROWS&pin=EVENT,EVENT&p=PROCESS&id=POLICY`. Everything a person would send to a colleague is in them; how panels
 * are sized is not.
 */
export const VIEWS = ['timeline', 'processes', 'detections', 'policies', 'dlp', 'health'] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  view: View;
  query: string;
  /** Selected event. */
  eventId: string | undefined;
  tab: string | undefined;
  /** The list shows everything around this event, whatever the query. */
  around: string | undefined;
  /** How many events on each side of it. */
  aroundRows: number;
  /** Events kept at the top of the list. */
  pins: readonly string[];
  /** The process whose tree is shown: `PID-START`. */
  process: string | undefined;
  /** The policy that is open. */
  policy: string | undefined;
}

export const AROUND_ROWS = [10, 50, 200] as const;
export const DEFAULT_AROUND_ROWS = 50;
export const MAX_PINS = 20;
/** What the agent takes as a policy's id. */
const POLICY_ID = /^[a-z0-9][a-z0-9._-]{0,127}$/i;
const EVENT_ID = /^\d{1,20}$/;

function eventIn(text: string | null): string | undefined {
  return text !== null && EVENT_ID.test(text) ? text : undefined;
}

export function parseRoute(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const view = VIEWS.find((candidate) => candidate === path) ?? 'timeline';
  const params = new URLSearchParams(search);
  const rows = Number(params.get('n'));
  const process = params.get('p');
  const pins = (params.get('pin') ?? '').split(',').filter((id) => EVENT_ID.test(id));
  return {
    view,
    query: params.get('q') ?? '',
    eventId: eventIn(params.get('e')),
    tab: params.get('tab') ?? undefined,
    around: eventIn(params.get('around')),
    aroundRows: AROUND_ROWS.find((choice) => choice === rows) ?? DEFAULT_AROUND_ROWS,
    pins: [...new Set(pins)].slice(0, MAX_PINS),
    process: process !== null && /^\d{1,10}-\d{1,20}$/.test(process) ? process : undefined,
    policy: POLICY_ID.test(params.get('id') ?? '') ? params.get('id')! : undefined,
  };
}

export function formatRoute(route: Route): string {
  const params = new URLSearchParams();
  if (route.query !== '') params.set('q', route.query);
  if (route.eventId !== undefined) params.set('e', route.eventId);
  if (route.tab !== undefined) params.set('tab', route.tab);
  if (route.around !== undefined) {
    params.set('around', route.around);
    if (route.aroundRows !== DEFAULT_AROUND_ROWS) params.set('n', String(route.aroundRows));
  }
  if (route.pins.length > 0) params.set('pin', route.pins.join(','));
  if (route.process !== undefined) params.set('p', route.process);
  if (route.policy !== undefined) params.set('id', route.policy);
  const search = params.toString();
  return `#/${route.view}${search === '' ? '' : `?${search}`}`;
}
