/**
 * Addresses: `#/VIEW?q=QUERY&e=EVENT&tab=TAB`. Everything a person would send to a colleague is in them; how panels
 * are sized is not.
 */
export const VIEWS = ['timeline', 'detections', 'policies', 'dlp', 'health'] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  view: View;
  query: string;
  /** Selected event. */
  eventId: string | undefined;
  tab: string | undefined;
}

export function parseRoute(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const view = VIEWS.find((candidate) => candidate === path) ?? 'timeline';
  const params = new URLSearchParams(search);
  const eventId = params.get('e');
  return {
    view,
    query: params.get('q') ?? '',
    eventId: eventId !== null && /^\d{1,20}$/.test(eventId) ? eventId : undefined,
    tab: params.get('tab') ?? undefined,
  };
}

export function formatRoute(route: Route): string {
  const params = new URLSearchParams();
  if (route.query !== '') params.set('q', route.query);
  if (route.eventId !== undefined) params.set('e', route.eventId);
  if (route.tab !== undefined) params.set('tab', route.tab);
  const search = params.toString();
  return `#/${route.view}${search === '' ? '' : `?${search}`}`;
}
