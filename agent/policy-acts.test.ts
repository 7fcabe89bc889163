import { describe, expect, it } from 'vitest';
import type { SentinelEvent } from './event.ts';
import { PolicyActs } from './policy-acts.ts';
import type { Decision } from './policy/types.ts';

const DECISION = {
  policyId: 'p',
  policyTitle: 'P',
  policyHash: 'h',
  severity: 'low',
  action: 'kill',
  guardian: 'agent',
  wouldBe: false,
  eventId: 1,
  effect: { state: 'applied', mechanism: 'pidfd_sigkill', guarantee: 'killed after start' },
} as unknown as Decision;
const run = (program: string): SentinelEvent =>
  ({ process: { executable: program, argv: [program, '-x'] } }) as unknown as SentinelEvent;

describe('acts of policies', () => {
  it('are told once with a count while the same happens again, and anew after a minute', () => {
    let nowMs = 1000;
    const acts = new PolicyActs(() => nowMs);
    for (let n = 1; n <= 500; n += 1) acts.note({ ...DECISION, eventId: n }, run('/tmp/x'));
    expect(acts.latest()).toMatchObject({ total: 500, untold: 0, acts: [{ count: 500, eventId: '500' }] });
    nowMs += 60_000;
    acts.note(DECISION, run('/tmp/x'));
    expect(acts.latest().acts.map(({ count }) => count)).toEqual([500, 1]);
  });

  it('are few when many different things happen at once; the others are counted', () => {
    let nowMs = 0;
    const acts = new PolicyActs(() => nowMs);
    for (let n = 0; n < 100; n += 1) acts.note(DECISION, run(`/tmp/${n}`));
    const { acts: told, untold } = acts.latest();
    expect(told.length).toBeLessThan(10);
    expect(told.length + untold).toBe(100);
    for (nowMs = 60_000; nowMs < 6_000_000; nowMs += 60_000) acts.note(DECISION, run(`/tmp/${nowMs}`));
    expect(acts.latest().acts.length).toBeLessThan(20);
  });

  it('leave out what nothing was done about, and carry no character that a screen would obey', () => {
    const acts = new PolicyActs(() => 0);
    acts.note({ ...DECISION, wouldBe: true }, run('/a'));
    acts.note({ ...DECISION, action: 'alert' }, run('/a'));
    acts.note({ ...DECISION, effect: { ...DECISION.effect, state: 'none' } }, run('/a'));
    expect(acts.latest()).toEqual({ acts: [], total: 0, untold: 0 });
    acts.note(DECISION, run('/tmp/\u001b[2J\u202egpj.exe'));
    expect(acts.latest().acts[0]?.program).toBe('/tmp/\\x1b[2J\\u{202e}gpj.exe');
  });
});
