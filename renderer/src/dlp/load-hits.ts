/** Groups of findings, asked for again only when there are new ones, and never so often that it costs much. */
import type { DlpGroupsJson, DlpGroupSort } from '../../../agent/api/contract.ts';
import { agent, useApp } from '../store.ts';
import type { Way } from './hits-model.ts';

export interface HitsAsked {
  by: Way;
  sort: { key: DlpGroupSort; down: boolean };
  filter: string;
  most: number;
}

/** Groups, and by what they were made. */
export interface Hits extends DlpGroupsJson {
  by: Way;
}

/** Counting takes the agent at most one part in so many of its time. */
const REST = 20;
/** The same when nothing new came: what a query says of time moves on. */
const AGAIN_MS = 60_000;

interface Known {
  key: string;
  latest: string;
  atMs: number;
  tookMs: number;
  hits: Hits;
}

let known: Known | undefined;

export async function loadHits(asked: HitsAsked, signal: AbortSignal): Promise<Hits> {
  const { by, sort, filter, most } = asked;
  const narrow = filter === '' ? {} : { query: filter };
  const key = JSON.stringify([useApp.getState().session, asked]);
  const { events } = await agent().call('dlp.hits', { ...narrow, limit: 1 }, signal);
  const latest = events[0]?.eventId ?? '';
  const beganMs = performance.now();
  if (known?.key === key) {
    const { hits, tookMs, atMs } = known;
    const restMs = known.latest === latest ? AGAIN_MS : Math.min(AGAIN_MS, REST * tookMs);
    if (beganMs < atMs + restMs) return hits;
  }
  const params = { ...narrow, by, sort: sort.key, up: !sort.down, limit: most };
  const hits = { by, ...(await agent().call('dlp.groups', params, signal)) };
  const atMs = performance.now();
  known = { key, latest, atMs, tookMs: atMs - beganMs, hits };
  return hits;
}
