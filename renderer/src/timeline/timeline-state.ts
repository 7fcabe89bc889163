/** What the Timeline knows: the rows around the reader, the histogram and facets of the query, and whether it is live. */
import { create } from 'zustand';
import type { EventJson, Facet, Histogram } from '../../../agent/api/contract.ts';
import type { AgentError } from '../agent-client.ts';
import type { TypeLayer } from './histogram-model.ts';
import { EMPTY_WINDOW, type PageWindow } from './page-window.ts';

export interface TimelineState {
  /** The query that `window` answers; undefined before the first. */
  query: string | undefined;
  status: 'loading' | 'ready' | 'failed';
  error: AgentError | undefined;
  window: PageWindow;
  loadingOlder: boolean;
  loadingNewer: boolean;
  /** The reader stopped new rows. */
  paused: boolean;
  histogram: Histogram | undefined;
  /** The same bars divided by type, when that is asked for. */
  byType: readonly TypeLayer[] | undefined;
  histogramError: string | undefined;
  facets: Readonly<Record<string, Facet>>;
  /** The event around which everything is shown, instead of what the query finds. */
  around: EventJson | undefined;
  /** Rows chosen for something to be done with them, by event id. */
  marked: ReadonlyMap<string, EventJson>;
  /** Row the keyboard is on. */
  cursor: string | undefined;
  /** The open menu of a row, and where. */
  rowMenu: { event: EventJson; x: number; y: number } | undefined;
  /** Grows when the list should show its first row. */
  toTop: number;
}

export const useTimeline = create<TimelineState>(() => ({
  query: undefined,
  status: 'loading',
  error: undefined,
  window: EMPTY_WINDOW,
  loadingOlder: false,
  loadingNewer: false,
  paused: false,
  histogram: undefined,
  byType: undefined,
  histogramError: undefined,
  facets: {},
  around: undefined,
  marked: new Map(),
  cursor: undefined,
  rowMenu: undefined,
  toTop: 0,
}));
