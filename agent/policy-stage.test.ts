import { describe, expect, it } from 'vitest';
import type { SentinelEvent } from './event.ts';
import { policyCompiler } from './policy-compiler.ts';
import { PolicyStage } from './policy-stage.ts';
import { PolicyEngine, type ServedPolicy } from './policy/engine.ts';
import { sharePercent } from './policy/hash.ts';
import { parsePolicies } from './policy/parse.ts';
import type { Decision, Effect, Enforcer } from './policy/types.ts';

const compile = policyCompiler();
const NOW = 1_800_000_000_000_000_000n;
const KILLED: Effect = { state: 'applied', mechanism: 'pidfd_sigkill', guarantee: 'killed after start' };

function served(more: Partial<ServedPolicy> = {}, text = '', action = 'kill'): ServedPolicy {
  const source = `id: p\nversion: 1\nseverity: low\nwhen: event.action == "exec" && process.name == "bad"\naction: ${action}\n${text}`;
  const loaded = parsePolicies('p.yml', source, compile).policies[0]!;
  return { loaded, state: 'active', mayAct: true, guardian: 'agent', handle: 0, ...more };
}

function exec(eventId: number, name = 'bad'): SentinelEvent {
  return {
    eventId,
    type: 'process',
    action: 'exec',
    lane: 'security',
    tsNs: NOW - 100_000n,
    severity: 'info',
    process: { pid: 7, startNs: 1n, name, user: 'bob' },
  };
}

/** A stage whose log answers when it is told to, and what it did in order. */
function stage(policies: ServedPolicy[], nowMs = 0) {
  const did: string[] = [];
  const decisions: Decision[] = [];
  const waiting: ((aheadOfRecord: boolean) => void)[] = [];
  const canaries: number[] = [];
  const enforcer: Enforcer = {
    reach: () => ({ mechanism: 'pidfd_sigkill', guarantee: 'killed after start', reason: '' }),
    apply: () => ({ refused: [] }),
    act: () => {
      did.push('act');
      return KILLED;
    },
    kernelAct: (event) => {
      const handle = Number(event.details?.['policyHandle'] ?? 0);
      return handle > 0 ? { handle, effect: KILLED, attempted: { ...event, action: 'exec' } } : undefined;
    },
  };
  const engine = new PolicyEngine({ compile, nowMs: () => nowMs, deviceId: 'device' });
  engine.use(policies);
  const made = new PolicyStage({
    engine,
    enforcer,
    quarantine: async () => KILLED,
    recorder: {
      record: (decision) => {
        did.push('record');
        return decisions.push(decision) > 0;
      },
    },
    security: {
      release: (_seq, callback, token) =>
        void waiting.push((aheadOfRecord) => callback({ aheadOfRecord, waitedUs: 0 }, token)),
    },
    nowNs: () => NOW,
    onCanary: (_hash, eventId) => canaries.push(eventId),
    onUnrecorded: () => did.push('unrecorded'),
  });
  return { stage: made, engine, did, decisions, waiting, canaries };
}

describe('the policy stage', () => {
  it('acts once the record is durable, and records what came of it', () => {
    const { stage: policies, did, decisions, waiting } = stage([served()]);
    policies.onEvent(exec(2), 1);
    expect(did).toEqual([]);
    waiting[0]!(false);
    expect(did).toEqual(['act', 'record']);
    expect(decisions[0]).toMatchObject({
      policyId: 'p',
      eventId: 2,
      wouldBe: false,
      effect: KILLED,
      aheadOfRecord: false,
      latencyNs: { eventToDecision: 100_000, decisionToEffect: 0 },
      rationale: { clauses: [{ result: 'true' }, { result: 'true', value: 'process.name = "bad"' }] },
    });
  });

  it('says so when it had to act before the record', () => {
    const { stage: policies, decisions, waiting } = stage([served()]);
    policies.onEvent(exec(2), 1);
    waiting[0]!(true);
    expect(decisions[0]?.aheadOfRecord).toBe(true);
  });

  it('does nothing about other events, and nothing at all while it only simulates', () => {
    const { stage: policies, did, decisions, waiting } = stage([served({ state: 'simulating' })]);
    policies.onEvent(exec(2, 'good'), 1);
    policies.onEvent({ ...exec(4), action: 'exit' }, 2);
    expect(did).toEqual([]);
    policies.onEvent(exec(6), 3);
    expect([did, waiting.length, decisions[0]?.wouldBe]).toEqual([['record'], 0, true]);
  });

  it('acts as a canary on exactly the events whose hash is in its share', () => {
    const {
      stage: policies,
      decisions,
      waiting,
      canaries,
    } = stage([served({ state: 'canary' }, 'canaryPercent: 30\n')]);
    for (let id = 1; id <= 2000; id++) policies.onEvent(exec(id), id);
    for (const release of waiting) release(false);
    const acted = decisions.filter(({ wouldBe }) => !wouldBe).map(({ eventId }) => eventId);
    expect(acted).toEqual(
      Array.from({ length: 2000 }, (_, index) => index + 1).filter((id) => sharePercent(id) < 30),
    );
    expect(acted.length).toBeGreaterThan(500);
    expect(acted.length).toBeLessThan(700);
    expect(canaries).toHaveLength(2000);
  });

  it('leaves alone what an exception lets pass, counts it, and no longer once the exception is over', () => {
    const text = 'exceptions:\n  - {when: \'user.name == "bob"\', owner: me, expires: 2027-01-01}\n';
    const before = stage([served({}, text)], Date.parse('2026-06-01'));
    before.stage.onEvent(exec(2), 1);
    expect(before.waiting).toEqual([]);
    const { hash } = served({}, text).loaded.policy;
    expect(before.engine.counters(hash)).toMatchObject({ matched: 0, excepted: 1, exceptionHits: [1] });
    const after = stage([served({}, text)], Date.parse('2027-06-01'));
    after.stage.onEvent(exec(2), 1);
    expect(after.waiting).toHaveLength(1);
  });

  it('records an act of the kernel as the decision of its policy, and does not act again', () => {
    const policy = served({ guardian: 'kernel', handle: 3 }, '', 'deny_exec');
    const { stage: policies, did, decisions } = stage([policy]);
    policies.onEvent(exec(2), 1);
    policies.onEvent({ ...exec(4), action: 'deny_exec', details: { policyHandle: '3' } }, 2);
    policies.onEvent({ ...exec(6), action: 'deny_exec', details: { policyHandle: '9' } }, 3);
    expect(did).toEqual(['record']);
    expect(decisions[0]).toMatchObject({ eventId: 4, guardian: 'kernel', wouldBe: false });
    // Its clauses are about what was attempted.
    expect(decisions[0]?.rationale.clauses.map(({ result }) => result)).toEqual(
      policy.loaded.policy.when.split(' && ').map(() => 'true'),
    );
  });
});

describe('a hash that comes after the start', () => {
  const HASHES = { sha256: 'a'.repeat(64), blake3: 'b'.repeat(64) };
  const byHash = `id: h\nversion: 1\nseverity: low\nwhen: process.hash.sha256 == "${HASHES.sha256}" || process.name == "bad"\naction: kill\n`;
  const policy = (): ServedPolicy => ({
    loaded: parsePolicies('p.yml', byHash, compile).policies[0]!,
    state: 'active',
    mayAct: true,
    guardian: 'agent',
    handle: 0,
  });
  const start = (seq: number, name: string): SentinelEvent => {
    const event = exec(seq, name);
    event.process!.exeIdentity = {} as never;
    return event;
  };

  it('has the decision taken again: the process is ended, and the record says why only now', () => {
    const { stage: made, waiting, decisions, did } = stage([policy()]);
    made.onEvent(start(2, 'good'), 2);
    expect(waiting).toHaveLength(0);
    made.lateHashes(HASHES, [2]);
    waiting[0]!(false);
    expect(did).toEqual(['act', 'record']);
    expect(decisions[0]).toMatchObject({
      eventId: 2,
      evidence: ['late:hash'],
      effect: { guarantee: 'killed after start' },
    });
    expect(decisions[0]?.rationale.clauses[0]).toMatchObject({ result: 'true' });
    made.lateHashes(HASHES, [2]);
    expect(waiting).toHaveLength(1);
  });

  it('does not decide again what was decided at the start, nor for another hash', () => {
    const { stage: made, waiting } = stage([policy()]);
    made.onEvent(start(2, 'bad'), 2);
    made.onEvent(start(4, 'good'), 4);
    expect(waiting).toHaveLength(1);
    made.lateHashes(HASHES, [2]);
    made.lateHashes({ ...HASHES, sha256: 'c'.repeat(64) }, [4]);
    expect(waiting).toHaveLength(1);
  });

  it('is awaited for a bounded number of starts; those forgotten are counted', () => {
    const { stage: made } = stage([policy()]);
    for (let seq = 1; seq <= 5000; seq += 1) made.onEvent(start(seq, 'good'), seq);
    expect(made.forgotten).toBe(5000 - 4096);
  });
});
