import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ApiClient } from './api/client.ts';
import type { EventJson, PolicyExplanation } from './api/contract.ts';
import { printExplanation } from './cli/policy-explain.ts';
import { decisionToJson, eventToJson } from './event-json.ts';
import type { SentinelEvent } from './event.ts';
import { openIdentity } from './identity/identity.ts';
import { explainPolicy } from './policy-explain.ts';
import { PolicyService } from './policy-service.ts';

const NOW_MS = 1_800_000_000_000;
let dataDir: string;
let asked: unknown[];

const EVENT: SentinelEvent = {
  eventId: 8,
  type: 'process',
  action: 'exec',
  lane: 'security',
  tsNs: BigInt(NOW_MS) * 1_000_000n,
  severity: 'info',
  process: {
    pid: 7,
    startNs: 1n,
    name: 'nc',
    executable: '/usr/bin/nc',
    argv: ['nc', '-e', 'sh'],
    user: 'bob',
  },
};

const FILES: Record<string, string> = {
  holds: 'process.name == "nc" && process.args.exists(a, a == "-e")',
  'misses-one': 'process.name == "nc" && (user.name == "root" || user.name == "alice")',
  'misses-all': 'process.name == "ncat" && user.name == "root"',
  'has-no-field': 'process.name == "nc" && container.id == "x"',
};

function open(): PolicyService {
  return new PolicyService({
    dataDir,
    identity: openIdentity(dataDir),
    enforcer: {
      reach: () => ({ mechanism: 'pidfd_sigkill', guarantee: 'killed after start', reason: 'a test' }),
      apply: () => ({ refused: [] }),
      act: () => ({ state: 'none', mechanism: 'none', guarantee: 'alert only' }),
    },
    rules: { windowMs: 300_000, stableMs: 900_000, falsePositivePercent: 5 },
    clock: { wallMs: () => NOW_MS, monotonicMs: () => 0 },
  });
}

/** The decision of the policy `holds` on the event, as the record has it. */
function decisionOf(policies: PolicyService): EventJson {
  const [served] = policies.engine.match(EVENT)!;
  const decision = policies.engine.decide(served!, EVENT, EVENT.tsNs + 123_000n);
  return {
    ...eventToJson({ ...EVENT, eventId: 10, type: 'decision', action: 'kill', message: 'a decision' }),
    process: undefined,
    decision: decisionToJson(decision),
  } as unknown as EventJson;
}

function explain(
  policies: PolicyService,
  params: { id?: string; eventId?: string },
): Promise<PolicyExplanation> {
  const decision = decisionOf(policies);
  const call = async (method: string, given: unknown): Promise<{ text: string }> => {
    asked.push([method, given]);
    const answer =
      method === 'events.get'
        ? {
            event: eventToJson(EVENT),
            ancestors: [{ pid: 1, startNs: '0', name: 'init' }],
            decisions: [decision],
          }
        : { events: [decision] };
    return { text: JSON.stringify(answer) };
  };
  const settle = async () => ({ security: 0, observability: 0 });
  return explainPolicy({ policies, timeline: { call }, settle }, params);
}

async function printed(explanation: PolicyExplanation, args: string[], eventId?: string): Promise<string> {
  let out = '';
  const client = { call: async () => explanation } as unknown as ApiClient;
  const output = { out: (text: string) => (out += text), err: () => undefined };
  await printExplanation(client, args, eventId, false, output);
  return out;
}

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'sentinel-explain-'));
  mkdirSync(join(dataDir, 'policies'));
  asked = [];
  for (const [id, when] of Object.entries(FILES))
    writeFileSync(
      join(dataDir, 'policies', `${id}.yml`),
      `id: ${id}\nversion: 1\ntitle: T ${id}\nseverity: low\nwhen: event.action == "exec" && ${when}\naction: kill\n`,
    );
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

function simulating(): PolicyService {
  const policies = open();
  policies.step('holds', 'simulate', 'alice');
  return policies;
}

describe('explaining an event', () => {
  it('names every clause with what the event had there, of policies in force or not', async () => {
    const { outcomes } = await explain(simulating(), { eventId: '8' });
    const holds = outcomes.find(({ id }) => id === 'holds');
    expect(holds).toMatchObject({ holds: true, state: 'simulating', nearMisses: [] });
    expect(holds?.clauses).toEqual([
      { text: 'event.action == "exec"', value: 'event.action = "exec"', result: 'true' },
      { text: 'process.name == "nc"', value: 'process.name = "nc"', result: 'true' },
      {
        text: 'process.args.exists(a, a == "-e")',
        value: 'process.args = ["nc","-e","sh"]',
        result: 'true',
      },
    ]);
    const absent = outcomes.find(({ id }) => id === 'has-no-field')?.clauses.at(-1);
    expect(absent).toEqual({
      text: 'container.id == "x"',
      value: 'container.id = (absent)',
      result: 'error',
    });
  });

  it('says of what does not hold which clause alone was in the way, and none where several were', async () => {
    const { outcomes } = await explain(simulating(), { eventId: '8' });
    const misses = (id: string) =>
      outcomes.find((each) => each.id === id)?.nearMisses.map(({ text }) => text);
    expect(misses('misses-one')).toEqual(['user.name == "root"', 'user.name == "alice"']);
    expect(misses('misses-all')).toEqual([]);
    expect(misses('has-no-field')).toEqual(['container.id == "x"']);
  });

  it('puts what holds first, then what misses by least', async () => {
    const { outcomes } = await explain(simulating(), { eventId: '8' });
    const own = outcomes.map(({ id }) => id).filter((id) => Object.hasOwn(FILES, id));
    expect(own).toEqual(['holds', 'has-no-field', 'misses-one', 'misses-all']);
    expect(outcomes[0]?.id).toBe('holds');
  });

  it('gives what decided it with the ancestors; with an id only of that policy', async () => {
    const policies = simulating();
    const all = await explain(policies, { eventId: '8' });
    expect(all.decisions.map(({ decision }) => decision?.policyId)).toEqual(['holds']);
    expect(all.ancestors).toHaveLength(1);
    const other = await explain(policies, { id: 'misses-one', eventId: '8' });
    expect(other.decisions).toEqual([]);
    expect(other.outcomes.map(({ id }) => id)).toEqual(['misses-one']);
  });
});

describe('explaining a policy', () => {
  it('gives its text, its change history with who and why, and its latest decisions', async () => {
    const policies = simulating();
    policies.step('holds', 'canary', 'bob');
    policies.step('holds', 'rollback', 'carol', 'too loud');
    const { policy, decisions, outcomes } = await explain(policies, { id: 'holds' });
    expect(policy?.text).toContain('T holds');
    expect(policy?.history.map(({ from, to, by, reason }) => [from, to, by, reason])).toEqual([
      ['none', 'draft', 'sentinel', 'new text'],
      ['draft', 'simulating', 'alice', 'asked for'],
      ['simulating', 'canary', 'bob', 'asked for'],
      ['canary', 'simulating', 'carol', 'too loud'],
    ]);
    expect(decisions).toHaveLength(1);
    expect(outcomes).toEqual([]);
    expect(asked).toEqual([['events.query', { query: 'type:decision policy:"holds"', limit: 20 }]]);
  });

  it('refuses what names neither, and what there is not', async () => {
    const policies = simulating();
    await expect(explain(policies, {})).rejects.toThrow('say which policy');
    await expect(explain(policies, { id: 'nothing' })).rejects.toThrow('there is no policy nothing');
  });
});

describe('the text of an explanation', () => {
  it('of an event reads the same each time', async () => {
    const explanation = await explain(simulating(), { eventId: '8' });
    const own = explanation.outcomes.filter(({ id }) => Object.hasOwn(FILES, id));
    const lines = (await printed({ ...explanation, outcomes: own }, [], '8')).split('\n');
    expect(lines.slice(lines.indexOf('would say now:'))).toEqual([
      'would say now:',
      '  holds v1 (simulating): kill',
      '    true           event.action == "exec"   (event.action = "exec")',
      '    true           process.name == "nc"   (process.name = "nc")',
      '    true           process.args.exists(a, a == "-e")   (process.args = ["nc","-e","sh"])',
      '  has-no-field v1 (draft): does not hold',
      '    true           event.action == "exec"   (event.action = "exec")',
      '    true           process.name == "nc"   (process.name = "nc")',
      '    error          container.id == "x"   (container.id = (absent))',
      '    all but container.id == "x"',
      '  misses-one v1 (draft): does not hold',
      '    true           event.action == "exec"   (event.action = "exec")',
      '    true           process.name == "nc"   (process.name = "nc")',
      '    false          user.name == "root"   (user.name = "bob")',
      '    false          user.name == "alice"   (user.name = "bob")',
      '    all but user.name == "root" and user.name == "alice"',
      '  misses-all v1 (draft): does not hold',
      '    true           event.action == "exec"   (event.action = "exec")',
      '    false          process.name == "ncat"   (process.name = "nc")',
      '    false          user.name == "root"   (user.name = "bob")',
      '',
    ]);
  });

  it('of a policy tells its history in sentences', async () => {
    const policies = simulating();
    const out = await printed(await explain(policies, { id: 'holds' }), ['holds']);
    expect(out).toContain('history:\n  2027-01-15T08:00:00.000Z  v1  none -> draft: new text, by sentinel\n');
    expect(out).toContain('  2027-01-15T08:00:00.000Z  v1  draft -> simulating: asked for, by alice\n');
    expect(out).toContain('version 1: simulating, killed after start (agent: kill is an act of the agent)');
  });

  it('of the same kind in JSON has the same members, whatever the policy', async () => {
    const policies = simulating();
    const { outcomes } = await explain(policies, { eventId: '8' });
    const members = new Set(outcomes.map((outcome) => Object.keys(outcome).join(' ')));
    expect([...members]).toEqual([
      'id version hash title state action guardian mechanism guarantee holds clauses nearMisses',
    ]);
  });
});
