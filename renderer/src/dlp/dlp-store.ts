/** How the page of protected data is looked at: kept while other views are open. */
import { create } from 'zustand';
import type { SortKey, Way } from './hits-model.ts';

/** One click more shows as many older findings; beyond the last, the timeline is the place. */
export const PAGE = 300;
export const MAX_PAGES = 10;

export const useDlp = create<{
  way: Way;
  sort: { key: SortKey; down: boolean };
  /** Narrows what is found and what could not be looked at, in the language of queries. */
  filter: string;
  pages: number;
  /** What the form of a scan holds. */
  path: string;
  containers: boolean;
  oneFileSystem: boolean;
}>(() => ({
  way: 'rule',
  sort: { key: 'last', down: true },
  filter: '',
  pages: 1,
  path: '',
  containers: true,
  oneFileSystem: true,
}));
