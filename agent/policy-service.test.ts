import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openIdentity } from './identity/identity.ts';
import { PolicyService, type PolicyServiceParts } from './policy-service.ts';
import { approve } from './policy/approval.ts';
import type { Enforcer, KernelSets } from './policy/types.ts';

const MINUTE = 60_000;
let dataDir: string;
let monotonicMs: number;
let applied: KernelSets[];
let refused: { handle: number; reason: string }[];

const enforcer: Enforcer = {
  reach: (_action, guardian) =>
    guardian === 'kernel'
      ? { mechanism: 'exec_sigkill', guarantee: 'killed before its first instruction', reason: 'no LSM here' }
      : { mechanism: 'pidfd_sigkill', guarantee: 'killed after start', reason: 'user space decides' },
  apply: (sets) => {
    applied.push(sets);
    return { refused };
  },
  act: () => ({ state: 'applied', mechanism: 'pidfd_sigkill', guarantee: 'killed after start' }),
};

function open(dlpNames?: PolicyServiceParts['dlpNames']): PolicyService {
  return new PolicyService({
    ...(dlpNames && { dlpNames }),
    dataDir,
    identity: openIdentity(dataDir),
    enforcer,
    rules: { windowMs: 5 * MINUTE, stableMs: 15 * MINUTE, falsePositivePercent: 5 },
    clock: { wallMs: () => 1_800_000_000_000, monotonicMs: () => monotonicMs },
  });
}

function write(path: string): void {
  mkdirSync(join(dataDir, 'policies'), { recursive: true });
  writeFileSync(
    join(dataDir, 'policies', 'p.yml'),
    `id: mine\nversion: 1\nseverity: low\nwhen: process.executable == "${path}"\naction: deny_exec\n`,
  );
}

function activate(policies: PolicyService): void {
  policies.step('mine', 'simulate', 'me');
  policies.step('mine', 'canary', 'me');
  monotonicMs += 16 * MINUTE;
  policies.tick();
}

const mine = (policies: PolicyService) => policies.overview().policies.filter(({ id }) => id === 'mine');

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'sentinel-policies-'));
  monotonicMs = 0;
  applied = [];
  refused = [];
  write('/opt/bad');
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

describe('policies of a data folder', () => {
  it('come with starters, all of them drafts that no guardian knows of', () => {
    const { policies, problems } = open().overview();
    expect(policies.length).toBeGreaterThan(5);
    expect(new Set(policies.map(({ state }) => state))).toEqual(new Set(['draft']));
    expect(problems).toEqual([]);
    expect(applied.flatMap((sets) => [...sets.executables, ...sets.destinations, ...sets.opens])).toEqual([]);
  });

  it('are given to the kernel when they are active and not before', () => {
    const policies = open();
    policies.step('mine', 'simulate', 'me');
    policies.step('mine', 'canary', 'me');
    expect(applied.at(-1)?.executables).toEqual([]);
    monotonicMs += 16 * MINUTE;
    policies.tick();
    expect(applied.at(-1)?.executables).toMatchObject([
      { by: 'path', value: '/opt/bad', policy: { policyId: 'mine' } },
    ]);
    expect(applied.at(-1)?.executables[0]?.policy.handle).toBeGreaterThan(0);
    policies.step('mine', 'rollback', 'me');
    expect(applied.at(-1)?.executables).toEqual([]);
  });

  it('are the agent’s when the kernel refuses them, with its reason', () => {
    refused = [{ handle: 1, reason: 'protected' }];
    const policies = open();
    activate(policies);
    expect(mine(policies)[0]?.reach).toMatchObject({
      guardian: 'agent',
      guarantee: 'killed after start',
      reason: 'protected',
    });
    expect(policies.engine.hasPoliciesFor('process', 'exec')).toBe(true);
  });

  it('are as they were after a restart, from the text that was in force', () => {
    activate(open());
    write('/opt/other');
    const again = open();
    expect(mine(again).map(({ state }) => state)).toEqual(['active', 'draft']);
    expect(applied.at(-1)?.executables).toMatchObject([{ value: '/opt/bad' }]);
  });

  it('are drafts again when a kept text was exchanged, and say so', () => {
    const policies = open();
    activate(policies);
    const { hash } = mine(policies)[0]!;
    const kept = join(dataDir, 'policy-state', 'texts', `${hash}.yml`);
    writeFileSync(kept, readFileSync(kept, 'utf8').replace('/opt/bad', '/'));
    rmSync(join(dataDir, 'policies', 'p.yml'));
    const again = open();
    expect(applied.at(-1)?.executables).toEqual([]);
    expect(again.overview().notices.join()).toContain('is lost; it is a draft again');
  });

  it.each([
    ['garbage', () => 'garbage'],
    ['another state', (text: string) => text.replace('simulating', 'active')],
    [
      'the state of another device',
      (text: string) => text.replace(/\\"deviceId\\":\\"[^"]*\\"/, '\\"deviceId\\":\\"x\\"'),
    ],
    ['a signature of nobody', (text: string) => text.replace(/"signature":"[^"]*"/, '"signature":""')],
  ])('are all drafts after the state file was replaced by %s, which is kept', (_name, change) => {
    open().step('mine', 'simulate', 'me');
    const path = join(dataDir, 'policy-state', 'state.json');
    writeFileSync(path, change(readFileSync(path, 'utf8')));
    const again = open();
    expect(mine(again).map(({ state }) => state)).toEqual(['draft']);
    expect(again.overview().notices.join()).toContain('was not used');
    expect(readFileSync(`${path}.refused`, 'utf8')).not.toBe('');
  });

  it('do not change when the disk refuses the new state', () => {
    const policies = open();
    policies.step('mine', 'simulate', 'me');
    rmSync(join(dataDir, 'policy-state'), { recursive: true });
    writeFileSync(join(dataDir, 'policy-state'), 'a file where the folder was');
    expect(() => policies.step('mine', 'canary', 'me')).toThrow('policy-state');
    expect(mine(policies).map(({ state }) => state)).toEqual(['simulating']);
    monotonicMs += MINUTE;
    policies.tick();
    expect(mine(policies).map(({ state }) => state)).toEqual(['simulating']);
  });
});

describe('approvers', () => {
  const DAY = 86_400_000;
  const people = (prefix: string) =>
    Array.from({ length: 5 }, (_, index) => {
      const { publicKey, privateKey } = generateKeyPairSync('ed25519');
      return {
        name: `${prefix} ${index}`,
        key: publicKey.export({ type: 'spki', format: 'pem' }) as string,
        secret: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      };
    });
  const named = (set: ReturnType<typeof people>) => set.map(({ name, key }) => ({ name, key }));
  const old = people('old');
  const young = people('young');

  function rotated(): PolicyService {
    const policies = open();
    expect(policies.setApprovers(named(old))).toBeUndefined();
    const pending = policies.setApprovers(named(young))!;
    expect(pending).toMatchObject({ needed: 3, approvedBy: [], manifest: { kind: 'approver-rotation' } });
    for (const [given, { secret }] of old.slice(0, 3).entries()) {
      expect(policies.setApprovers(named(young))?.approvedBy).toHaveLength(given);
      expect(policies.approvers().map(({ name }) => name)).toEqual(old.map(({ name }) => name));
      policies.approve(pending.manifest.nonce, approve(pending.manifest, secret));
    }
    expect(policies.setApprovers(named(young))).toBeUndefined();
    return policies;
  }

  function ask(policies: PolicyService): { by: (secret: string) => string[] } {
    policies.step('mine', 'simulate', 'me');
    const { manifest } = policies.request('mine');
    return { by: (secret) => policies.approve(manifest.nonce, approve(manifest, secret)).approvedBy };
  }

  it('are exchanged with three approvals of those before, whose keys count for seven days more', () => {
    const policies = rotated();
    expect(policies.approvers().map(({ name, untilMs }) => [name, untilMs !== undefined])).toEqual([
      ...young.map(({ name }) => [name, false]),
      ...old.map(({ name }) => [name, true]),
    ]);
    monotonicMs += 7 * DAY - MINUTE;
    const asked = ask(policies);
    expect(asked.by(old[0]!.secret)).toEqual(['old 0']);
    expect(asked.by(young[0]!.secret)).toEqual(['old 0', 'young 0']);
    monotonicMs += 2 * MINUTE;
    expect(() => asked.by(old[1]!.secret)).toThrow('it was replaced and its overlap is over');
    // What the replaced key had signed does not count any more either.
    expect(asked.by(young[1]!.secret)).toEqual(['young 0', 'young 1']);
  });

  it('stay exchanged after a restart, and neither a set clock nor another rotation lengthens the overlap', () => {
    rotated();
    const policies = open();
    const until = policies.approvers().find(({ name }) => name === 'old 0')?.untilMs;
    expect(until).toBeDefined();
    const newest = people('newest');
    const pending = policies.setApprovers(named(newest))!;
    monotonicMs += DAY;
    for (const { secret } of young.slice(0, 3))
      policies.approve(pending.manifest.nonce, approve(pending.manifest, secret));
    policies.setApprovers(named(newest));
    expect(policies.approvers().find(({ name }) => name === 'old 0')?.untilMs).toBe(until);
  });

  it('are not exchanged with the approvals of another set than the one that was signed', () => {
    const policies = open();
    policies.setApprovers(named(old));
    const { manifest } = policies.setApprovers(named(young))!;
    for (const { secret } of old.slice(0, 3)) policies.approve(manifest.nonce, approve(manifest, secret));
    const other = named([...young.slice(0, 4), people('intruder')[0]!]);
    expect(policies.setApprovers(other)?.approvedBy).toEqual([]);
    expect(policies.approvers().map(({ name }) => name)).toEqual(old.map(({ name }) => name));
  });

  it('do not begin to act while they name an index or rule that nothing has', () => {
    const names = { indexes: ['customers'], rules: ['iban', 'cards'] };
    const policies = open(() => names);
    const text = (severity: string): string =>
      `id: mine\nversion: 1\nseverity: ${severity}\nwhen: >-\n  event.type == "dlp" &&\n  "costumers" in dlp.index\naction: alert\n`;
    const file = join(dataDir, 'policies', 'p.yml');
    writeFileSync(file, text('low'));
    policies.reload();
    // Saved, tried and warned of, but no more.
    expect(policies.overview().warnings).toMatchObject([{ file, line: 6, column: 3, id: 'mine' }]);
    policies.step('mine', 'simulate', 'me');
    const refusal = `${file}:6:3: when: no index in force is called "costumers", so this does not hold`;
    const refuses = (work: () => void): void => {
      expect(work).toThrow(refusal);
      expect(work).toThrow(
        expect.objectContaining({
          remedy:
            'did you mean customers? in force: customers; correct the name, or put the index or rule in force first',
        }),
      );
    };
    refuses(() => policies.step('mine', 'canary', 'me'));
    expect(mine(policies).map(({ state }) => state)).toEqual(['simulating']);
    // It is there, goes, and comes back: what was stable meanwhile waits for it, told once.
    names.indexes.push('costumers');
    policies.step('mine', 'canary', 'me');
    names.indexes.pop();
    monotonicMs += 16 * MINUTE;
    policies.tick();
    policies.tick();
    refuses(() => policies.step('mine', 'activate', 'me'));
    expect(mine(policies).map(({ state }) => state)).toEqual(['canary']);
    expect(policies.overview().notices.filter((notice) => notice.includes('stays a canary'))).toHaveLength(1);
    names.indexes.push('costumers');
    policies.tick();
    expect(mine(policies).map(({ state }) => state)).toEqual(['active']);
    // What acts goes on acting, also over a restart before the indexes are open.
    names.indexes.length = 0;
    expect(mine(open(() => names)).map(({ state }) => state)).toEqual(['active']);
    names.indexes.push('customers');
    writeFileSync(file, text('high').replace('mine', 'other'));
    policies.reload();
    refuses(() => policies.request('other'));
  });
});
