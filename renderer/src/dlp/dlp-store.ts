/** How the page of protected data is looked at: kept while other views are open. */
import { create } from 'zustand';
import type { DlpGroupSort } from '../../../agent/api/contract.ts';
import type { Way } from './hits-model.ts';

/** Groups that are shown at first, and with each click more; beyond the last, narrowing is the way. */
export const GROUPS = 25;
export const MORE_GROUPS = 100;
export const MAX_GROUPS = 1000;

export const useDlp = create<{
  way: Way;
  sort: { key: DlpGroupSort; down: boolean };
  /** Narrows what is found and what could not be looked at, in the language of queries. */
  filter: string;
  /** How many groups are shown. */
  most: number;
  /** What the form of a scan holds. */
  path: string;
  containers: boolean;
  oneFileSystem: boolean;
}>(() => ({
  way: 'rule',
  sort: { key: 'last', down: true },
  filter: '',
  most: GROUPS,
  path: '',
  containers: true,
  oneFileSystem: true,
}));
