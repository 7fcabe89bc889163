import { expect, it } from 'vitest';
import type { PolicyActJson } from '../../../agent/api/contract.ts';
import { STAY_MS, toldActs } from './act-model.ts';

const act = (id: string, lastMs: number): PolicyActJson => ({ id, lastMs }) as PolicyActJson;
const ids = (told: ReturnType<typeof toldActs>): string[] => told.acts.map(({ id }) => id);

it('tells the newest few since the page was opened, and how many wait behind them', () => {
  const acts = ['a', 'b', 'c', 'd', 'e'].map((id, at) => act(id, 100 + at));
  expect(ids(toldActs(acts, 0, new Set(), 200))).toEqual(['e', 'd', 'c']);
  expect(toldActs(acts, 0, new Set(), 200).more).toBe(2);
  expect(ids(toldActs(acts, 104, new Set(), 200))).toEqual(['e']);
});

it('tells nothing that was dismissed, and nothing for ever', () => {
  const acts = [act('a', 100), act('b', 200)];
  expect(ids(toldActs(acts, 0, new Set(['b']), 300))).toEqual(['a']);
  expect(toldActs(acts, 0, new Set(), 200 + STAY_MS)).toEqual({ acts: [], more: 0 });
});
