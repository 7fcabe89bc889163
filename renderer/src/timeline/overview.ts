/** What stands around the list: counts over time, and the top values of fields. */
import type { Histogram } from '../../../agent/api/contract.ts';
import { AgentError } from '../agent-client.ts';
import { usePrefs } from '../prefs.ts';
import { agent } from '../store.ts';
import { isoOf } from '../ui/format.ts';
import { type TypeLayer, typeLayers } from './histogram-model.ts';
import { addClause } from './query-text.ts';
import { useTimeline } from './timeline-state.ts';

export const FACET_FIELDS = [
  'type',
  'severity',
  'image',
  'user',
  'rule',
  'action',
  'parent',
  'ip',
  'port',
  'lane',
] as const;
const FACET_TOP = 8;
const HISTOGRAM_BUCKETS = 150;
/** Types that get a colour of their own; the rest are one layer. */
const STACKED_TYPES = ['process', 'file', 'network', 'dns', 'memory'] as const;

export interface Span {
  fromNs: string;
  toNs: string;
}

const set = useTimeline.setState;

/** One more histogram for each type, over exactly the same bars. */
async function loadTypes(query: string, whole: Histogram, signal: AbortSignal): Promise<TypeLayer[]> {
  const span = { fromNs: whole.fromNs, toNs: whole.toNs, buckets: whole.buckets.length };
  const found = await Promise.all(
    STACKED_TYPES.map((type) =>
      agent().call('events.histogram', { query: addClause(query, 'type', type), ...span }, signal),
    ),
  );
  return typeLayers(
    whole,
    STACKED_TYPES.map((type, at) => ({ type, histogram: found[at] })),
  );
}

async function loadHistogram(query: string, signal: AbortSignal, span: Span | undefined): Promise<void> {
  try {
    const histogram = await agent().call(
      'events.histogram',
      { query, buckets: HISTOGRAM_BUCKETS, ...span },
      signal,
    );
    const byType =
      usePrefs.getState().stacking === 'type' ? await loadTypes(query, histogram, signal) : undefined;
    set({ histogram, byType, histogramError: undefined });
  } catch (error) {
    if (signal.aborted) return;
    const badQuery = error instanceof AgentError && error.code === 'bad_query';
    // A bad query is said once, where the rows would be.
    const message = error instanceof Error ? error.message : String(error);
    set({ histogram: undefined, byType: undefined, histogramError: badQuery ? undefined : message });
  }
}

async function loadFacets(query: string, signal: AbortSignal): Promise<void> {
  const fields = [...new Set([...usePrefs.getState().facetFields, ...FACET_FIELDS])];
  try {
    const result = await agent().call('events.facets', { query, fields, top: FACET_TOP }, signal);
    set({ facets: Object.fromEntries(result.facets.map((facet) => [facet.field, facet])) });
  } catch {
    // Facets are an aid: the list above them reports what is wrong with the query or the connection.
    if (!signal.aborted) set({ facets: {} });
  }
}

/** Loads histogram and, if wanted, facets; without a span they cover what the query does. */
export async function loadOverview(
  query: string,
  facets: boolean,
  signal: AbortSignal,
  span?: Span,
): Promise<void> {
  const bound = span && `since:${isoOf(span.fromNs)} and until:${isoOf(span.toNs)}`;
  await Promise.all([
    loadHistogram(query, signal, span),
    facets ? loadFacets(bound ?? query, signal) : undefined,
  ]);
}
