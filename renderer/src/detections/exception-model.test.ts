import { describe, expect, it } from 'vitest';
import { changedDraft, chosenOf, draftOf, firstDay, lastDay, suggestedDay } from './exception-model.ts';

const CANDIDATES = [
  { field: 'Image', match: 'is' as const, value: '/usr/bin/curl', fromRule: true },
  { field: 'User', match: 'is' as const, value: 'ann', fromRule: false },
];

describe('a draft of an exception', () => {
  it('asks for everything until something is left out', () => {
    const narrow = draftOf(CANDIDATES);
    expect(chosenOf(narrow).map(({ field }) => field)).toEqual(['Image', 'User']);
    expect(chosenOf(changedDraft(narrow, 1, { chosen: false }))).toEqual([
      { field: 'Image', match: 'is', value: '/usr/bin/curl' },
    ]);
    expect(chosenOf(draftOf(CANDIDATES, (each) => each.fromRule))).toHaveLength(1);
  });

  it('never asks for an empty value, which would match anything', () => {
    expect(chosenOf(changedDraft(draftOf(CANDIDATES), 0, { match: 'contains', value: '' }))).toEqual([
      { field: 'User', match: 'is', value: 'ann' },
    ]);
  });

  it('ends within a year', () => {
    const now = Date.parse('2026-12-31T23:59:00Z');
    expect([firstDay(now), suggestedDay(now), lastDay(now)]).toEqual([
      '2026-12-31',
      '2027-03-31',
      '2027-12-31',
    ]);
  });
});
