import { generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { approve, type Approver } from './approval.ts';
import { Lifecycle } from './lifecycle.ts';
import { freshState, type LifecycleState, type Signed } from './lifecycle-state.ts';
import { expressionCompiler } from './expression.ts';
import { parsePolicies } from './parse.ts';
import type { Policy } from './types.ts';

const compile = expressionCompiler((pattern) => new RegExp(pattern, 'u'));
const MINUTE = 60_000;
const RULES = { windowMs: 5 * MINUTE, stableMs: 60 * MINUTE, falsePositivePercent: 5 };

function policy(id: string, severity: string, version = 1, path = '/tmp/'): Policy {
  const text = `id: ${id}\nversion: ${version}\nseverity: ${severity}\nwhen: process.executable.startsWith("${path}")\naction: deny_exec\n`;
  return parsePolicies('p.yml', text, compile).policies[0]!.policy;
}

const KEYS = Array.from({ length: 6 }, () => generateKeyPairSync('ed25519'));
const PRIVATE = KEYS.map(({ privateKey }) => privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
const APPROVERS: Approver[] = KEYS.slice(0, 5).map(({ publicKey }, index) => ({
  name: `approver ${index}`,
  key: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
}));

let wallMs: number;
let monotonicMs: number;
const clock = { wallMs: () => wallMs, monotonicMs: () => monotonicMs };
const pass = (ms: number): void => {
  wallMs += ms;
  monotonicMs += ms;
};

function begin(state: LifecycleState = { ...freshState('device'), approvers: APPROVERS }): Lifecycle {
  return new Lifecycle(state, RULES, clock);
}

/** A high policy as far as it gets without approvals. */
function highCanary(): { life: Lifecycle; high: Policy } {
  const life = begin();
  const high = policy('high', 'high');
  life.sync([high], []);
  life.simulate('high', 'me');
  life.canary('high', 'me');
  return { life, high };
}

function sign(life: Lifecycle, signed: Signed, ...who: number[]): void {
  for (const index of who)
    life.manifests.approve(signed.manifest.nonce, approve(signed.manifest, PRIVATE[index]!));
}

const stateOf = (life: Lifecycle, id: string): string => life.target(id).state;

beforeEach(() => {
  wallMs = 1_800_000_000_000;
  monotonicMs = 1000;
});

describe('a policy of low severity', () => {
  it('goes through its states, is active after its stable period and leaves a history', () => {
    const life = begin();
    life.sync([policy('low', 'low')], []);
    expect(() => life.activate('low', 'me')).toThrow('only a canary becomes active');
    expect(() => life.canary('low', 'me')).toThrow('cannot become canary');
    life.simulate('low', 'me');
    life.canary('low', 'me');
    expect(() => life.activate('low', 'me')).toThrow('needs 60 more minutes');
    for (let minute = 0; minute < 61; minute++) {
      pass(MINUTE);
      life.tick();
    }
    expect(stateOf(life, 'low')).toBe('active');
    expect(life.state.history.map(({ from, to }) => `${from} ${to}`)).toEqual([
      'none draft',
      'draft simulating',
      'simulating canary',
      'canary active',
    ]);
  });

  it('is not activated sooner by a clock that is set forward', () => {
    const life = begin();
    life.sync([policy('low', 'low')], []);
    life.simulate('low', 'me');
    life.canary('low', 'me');
    wallMs += 365 * 86_400_000;
    pass(MINUTE);
    life.tick();
    expect(stateOf(life, 'low')).toBe('canary');
  });

  it('is rolled back after three windows in a row with too many false positives, and not after two', () => {
    const life = begin();
    const low = policy('low', 'low');
    life.sync([low], []);
    life.simulate('low', 'me');
    life.canary('low', 'me');
    for (let window = 0; window < 3; window++) {
      for (let each = 0; each < 10; each++) life.canaries.decided(low.hash, window * 100 + each);
      life.canaries.labelled(window * 100, true);
      expect(stateOf(life, 'low')).toBe('canary');
      pass(5 * MINUTE);
      life.tick();
    }
    expect(stateOf(life, 'low')).toBe('simulating');
    expect(life.state.history.at(-1)?.reason).toContain('3 consecutive windows');
  });

  it('stays a canary when a good window comes between, or a label is taken back', () => {
    const life = begin();
    const low = policy('low', 'low');
    life.sync([low], []);
    life.simulate('low', 'me');
    life.canary('low', 'me');
    for (const [window, bad] of [true, true, false, true, true].entries()) {
      life.canaries.decided(low.hash, window);
      life.canaries.labelled(window, true);
      if (!bad) life.canaries.labelled(window, false);
      pass(5 * MINUTE);
      life.tick();
    }
    expect(stateOf(life, 'low')).toBe('canary');
  });
});

describe('an edited text', () => {
  it('is a draft, and what was in force stays', () => {
    const life = begin();
    const first = policy('low', 'low');
    life.sync([first], []);
    life.simulate('low', 'me');
    life.canary('low', 'me');
    pass(61 * MINUTE);
    life.tick();
    const edited = policy('low', 'low', 1, '/');
    expect(life.sync([edited], [first]).join()).toContain('the edited text is a draft');
    expect(stateOf(life, 'low')).toBe('draft');
    expect(life.inForce('low')).toMatchObject({ hash: first.hash, state: 'active' });
  });

  it('replaces the version before when it becomes active, and gives way again on rollback', () => {
    const life = begin();
    const first = policy('low', 'low');
    const second = policy('low', 'low', 2, '/var/tmp/');
    for (const text of [first, second]) {
      life.sync([text], [first]);
      life.simulate('low', 'me');
      life.canary('low', 'me');
      pass(61 * MINUTE);
      life.tick();
    }
    expect(life.versionsOf('low').map(({ state }) => state)).toEqual(['deprecated', 'active']);
    life.rollback('low', 'too strict', 'me');
    expect(life.versionsOf('low').map(({ state }) => state)).toEqual(['active', 'simulating']);
  });
});

describe('a policy of high severity becomes active with three approvals', () => {
  it('of three people', () => {
    const { life } = highCanary();
    sign(life, life.request('high'), 0, 2, 4);
    expect(life.activate('high', 'me').state).toBe('active');
    expect(life.state.history.at(-1)?.reason).toBe('approved: approver 0, approver 2, approver 4');
  });

  it('and stays active when its state is loaded again', () => {
    const { life, high } = highCanary();
    sign(life, life.request('high'), 0, 1, 2);
    life.activate('high', 'me');
    const again = begin(JSON.parse(JSON.stringify(life.state)) as LifecycleState);
    expect(again.sync([high], [high])).toEqual([]);
    expect(stateOf(again, 'high')).toBe('active');
  });
});

describe('a policy of high severity does not become active', () => {
  it('by being asked for, or by two approvals', () => {
    const { life } = highCanary();
    expect(() => life.activate('high', 'root')).toThrow('needs 3 approvals');
    sign(life, life.request('high'), 0, 1);
    expect(() => life.activate('high', 'root')).toThrow('2 of 3 approvals');
    expect(stateOf(life, 'high')).toBe('canary');
  });

  it('by time, however much passes and wherever the clock is set', () => {
    const { life } = highCanary();
    for (let day = 0; day < 30; day++) {
      pass(86_400_000);
      life.tick();
    }
    wallMs = 0;
    life.tick();
    expect(stateOf(life, 'high')).toBe('canary');
  });

  it('by the key of somebody who is no approver, or the same approver three times', () => {
    const { life } = highCanary();
    const signed = life.request('high');
    expect(() => sign(life, signed, 5)).toThrow('wrong key');
    sign(life, signed, 0);
    expect(() => sign(life, signed, 0)).toThrow('same approver twice');
  });

  it('by a signature over something else', () => {
    const { life } = highCanary();
    const { manifest } = life.request('high');
    const other = approve({ ...manifest, hash: 'f'.repeat(64) }, PRIVATE[0]!);
    expect(() => life.manifests.approve(manifest.nonce, other)).toThrow('wrong signature');
    const longer = { ...approve(manifest, PRIVATE[0]!), expiresMs: manifest.expiresMs + 1 };
    expect(() => life.manifests.approve(manifest.nonce, longer)).toThrow('wrong signature');
  });

  it('by approvals for the text before an edit', () => {
    const { life, high } = highCanary();
    sign(life, life.request('high'), 0, 1, 2);
    const edited = policy('high', 'high', 1, '/');
    life.sync([edited], [high]);
    life.simulate('high', 'me');
    life.canary('high', 'me');
    expect(() => life.activate('high', 'me')).toThrow('changed text');
  });

  it('by a manifest that was used, after a rollback', () => {
    const { life } = highCanary();
    const signed = life.request('high');
    sign(life, signed, 0, 1, 2);
    life.activate('high', 'me');
    life.rollback('high', 'too strict', 'me');
    life.canary('high', 'me');
    expect(() => life.activate('high', 'me', signed)).toThrow('replayed manifest');
    life.state.usedNonces.length = 0;
    life.state.pending.push(signed);
    expect(() => life.activate('high', 'me', signed)).toThrow('activated or rolled back since');
  });

  it('by a manifest of another device or another policy', () => {
    const { life } = highCanary();
    const { manifest } = life.request('high');
    for (const changed of [{ deviceId: 'other' }, { policyId: 'low' }, { nonce: 'made up' }]) {
      const forged = { ...manifest, ...changed };
      const approvals = [0, 1, 2].map((index) => approve(forged, PRIVATE[index]!));
      expect(() => life.activate('high', 'me', { manifest: forged, approvals })).toThrow(
        /another device|is about|unknown manifest/,
      );
    }
  });

  it('by approvals that are over, also when the clock is set back or the agent starts anew', () => {
    const { life, high } = highCanary();
    sign(life, life.request('high'), 0, 1, 2);
    pass(8 * 86_400_000);
    expect(() => life.activate('high', 'me')).toThrow('expired');
    wallMs -= 9 * 86_400_000;
    expect(() => life.activate('high', 'me')).toThrow('expired');
    life.simulate.call(life, (life.sync([high, policy('other', 'low')], []), 'other'), 'me');
    const again = begin(JSON.parse(JSON.stringify(life.state)) as LifecycleState);
    again.sync([high], [high]);
    expect(() => again.activate('high', 'me')).toThrow('expired');
  });

  it('by a state that says so without the approvals', () => {
    const { life, high } = highCanary();
    const state = JSON.parse(JSON.stringify(life.state)) as LifecycleState;
    for (const version of state.versions) version.state = 'active';
    const forged = begin(state);
    expect(forged.sync([high], [high]).join()).toContain('without valid approvals');
    expect(stateOf(forged, 'high')).toBe('draft');
  });

  it('by a stored severity that is lower than that of its text', () => {
    const { life, high } = highCanary();
    const state = JSON.parse(JSON.stringify(life.state)) as LifecycleState;
    for (const version of state.versions) version.severity = 'low';
    const forged = begin(state);
    forged.sync([high], [high]);
    pass(120 * MINUTE);
    forged.tick();
    expect(stateOf(forged, 'high')).toBe('canary');
  });

  it('by rolling back to an earlier version that was high', () => {
    const { life, high } = highCanary();
    sign(life, life.request('high'), 0, 1, 2);
    life.activate('high', 'me');
    const second = policy('high', 'high', 2, '/var/tmp/');
    life.sync([second], [high]);
    life.simulate('high', 'me');
    life.canary('high', 'me');
    sign(life, life.request('high'), 1, 2, 3);
    life.activate('high', 'me');
    life.rollback('high', 'too strict', 'me');
    expect(life.versionsOf('high').map(({ state }) => state)).toEqual(['canary', 'simulating']);
  });
});
