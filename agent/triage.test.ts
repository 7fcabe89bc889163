import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TriageLabel } from './api/contract.ts';
import { openTimeline, type Timeline } from './store/timeline.ts';
import { TriageIndex, triageEvents } from './triage.ts';

const folder = mkdtempSync(join(tmpdir(), 'sentinel-triage-'));
let timeline: Timeline;
let lastId = 1000;

beforeAll(() => {
  timeline = openTimeline(join(folder, 'timeline.db'));
});
afterAll(() => {
  timeline.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Records a decision as the agent would, and tells the indexes. */
function decide(indexes: TriageIndex[], eventId: string, label: TriageLabel, ruleId?: string): void {
  const request = { eventIds: [eventId], label, ruleId, note: '' };
  for (const event of triageEvents(request, { uid: 0, user: 'root', via: 'unix' }, BigInt(lastId) * 1000n)) {
    event.eventId = lastId += 2;
    timeline.insert([event], { security: lastId / 2 });
    for (const index of indexes) index.observe(event);
  }
}

describe('triage', () => {
  it('puts the newest decision in force, for each event and rule, and keeps the history', () => {
    const live = new TriageIndex(timeline);
    decide([live], '8', 'true_positive');
    expect(live.list({}).decisions).toHaveLength(1);
    decide([live], '8', 'false_positive');
    decide([live], '8', 'benign_true_positive', 'rule-a');
    decide([live], '10', 'true_positive');
    decide([live], '10', 'none');
    const short = ({ decisions }: ReturnType<TriageIndex['list']>): string[] =>
      decisions.map(({ eventId, ruleId, label }) => `${eventId} ${ruleId ?? '-'} ${label}`);
    expect(short(live.list({}))).toEqual(['8 rule-a benign_true_positive', '8 - false_positive']);
    expect(short(live.list({ eventIds: ['10'] }))).toEqual([]);
    expect(short(live.list({ eventIds: ['10'], history: true }))).toEqual([
      '10 - none',
      '10 - true_positive',
    ]);
    expect(short(live.list({ ruleId: 'rule-a' }))).toEqual(['8 rule-a benign_true_positive']);
    expect(live.list({ limit: 1 }).more).toBe(true);
    // One that starts later reads the same from the timeline.
    expect(new TriageIndex(timeline).list({ history: true })).toEqual(live.list({ history: true }));
    expect(live.list({}).decisions[1]).toEqual({
      eventId: '8',
      ruleId: undefined,
      label: 'false_positive',
      note: undefined,
      tsNs: '1002000',
      by: { uid: 0, user: 'root', via: 'unix' },
      recordId: '1004',
    });
  });

  it('takes nothing for a decision that is none', () => {
    const index = new TriageIndex(timeline);
    const before = index.list({ history: true }).decisions.length;
    index.observe({
      eventId: 5000,
      type: 'decision',
      action: 'triage',
      lane: 'security',
      tsNs: 1n,
      severity: 'info',
      details: { triage_of: '8', label: 'toString' },
    });
    expect(index.list({ history: true }).decisions).toHaveLength(before);
  });
});
