import { expect, it } from 'vitest';
import type { EventJson, TriageDecision } from '../../../agent/api/contract.ts';
import { SHOWN, isShown } from './shown.ts';

const event: EventJson = {
  eventId: '4',
  eventVersion: 1,
  type: 'process',
  action: 'exec',
  lane: 'security',
  tsNs: '4',
  severity: 'high',
  detections: ['a', 'b'].map((ruleId) => ({
    ruleId,
    title: ruleId,
    level: 'high',
    attack: [],
    source: 'bundled',
    clauses: [],
  })),
};
const about = (ruleId: string | undefined, label: TriageDecision['label']): TriageDecision => ({
  eventId: '4',
  ...(ruleId === undefined ? {} : { ruleId }),
  label,
  tsNs: '5',
  by: { via: 'unix' },
  recordId: '6',
});
const shownAs = (decisions: readonly TriageDecision[], ruleId?: string): string[] =>
  SHOWN.filter((show) => isShown(show, decisions, event, ruleId));

it('shows a match by the label of its own rule, an event by any, and takes back what was taken back', () => {
  expect(shownAs([], 'a')).toEqual(['all', 'open']);
  const own = [about('a', 'false_positive')];
  expect(shownAs(own, 'a')).toEqual(['all', 'false_positive']);
  expect(shownAs(own, 'b')).toEqual(['all', 'open']);
  expect(shownAs(own)).toEqual(['all', 'false_positive']);
  expect(shownAs([about(undefined, 'true_positive')], 'b')).toEqual(['all', 'true_positive']);
  expect(shownAs([about('a', 'none')], 'a')).toEqual(['all', 'open']);
});
