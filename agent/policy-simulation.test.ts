import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PolicySimulation } from './api/contract.ts';
import type { SentinelEvent } from './event.ts';
import { openIdentity } from './identity/identity.ts';
import { policyMethods } from './policy-api.ts';
import { policyCompiler } from './policy-compiler.ts';
import { PolicyService } from './policy-service.ts';
import { addSlice, newSimulation, simulateSlice, type SliceRequest } from './policy-simulation.ts';
import { parsePolicies } from './policy/parse.ts';
import { openTimeline, type Timeline } from './store/timeline.ts';
import { TriageIndex, triageEvents } from './triage.ts';

const folder = mkdtempSync(join(tmpdir(), 'sentinel-simulation-'));
const COUNT = 5000;
const NOW = 1_800_000_000_000_000_000n;
let timeline: Timeline;
let triage: TriageIndex;

/** One start every second, back from now: each tenth is nc, each hundredth of those is run by bob. */
function start(index: number): SentinelEvent {
  const name = index % 10 === 0 ? 'nc' : 'ls';
  return {
    eventId: 2 * (COUNT - index),
    type: 'process',
    action: 'exec',
    lane: 'security',
    tsNs: NOW - BigInt(index) * 1_000_000_000n,
    severity: 'info',
    process: {
      pid: 1000 + index,
      startNs: BigInt(index),
      name,
      executable: `/usr/bin/${name}`,
      argv: [name, String(index)],
      user: index % 1000 === 0 ? 'bob' : 'alice',
    },
  };
}

const text = (when: string, more = ''): string =>
  `id: p\nversion: 1\nseverity: low\nwhen: ${when}\naction: kill\n${more}`;
const NC = text('event.action == "exec" && process.name == "nc"');

/** A whole simulation, slice by slice. */
function simulate(request: SliceRequest): PolicySimulation {
  const compile = policyCompiler();
  const load = (source: string) => parsePolicies('p', source, compile).policies[0]!.policy;
  const active = request.activeText === undefined ? undefined : load(request.activeText);
  const simulation = newSimulation(load(request.text), active);
  let before: string | undefined;
  do {
    const slice = simulateSlice(timeline, triage, before === undefined ? request : { ...request, before });
    addSlice(simulation, slice);
    before = slice.older;
  } while (before !== undefined);
  return simulation;
}

beforeAll(() => {
  timeline = openTimeline(join(folder, 'timeline.db'));
  const events = Array.from({ length: COUNT }, (_, index) => start(COUNT - 1 - index));
  timeline.insert(events, { security: COUNT });
  triage = new TriageIndex(timeline);
  const labels = ['false_positive', 'true_positive', 'true_positive', 'benign_true_positive'] as const;
  for (const [at, label] of labels.entries()) {
    const request = { eventIds: [String(2 * (COUNT - at * 10))], label, note: '' };
    const [event] = triageEvents(request, { uid: 0, via: 'unix' }, NOW);
    timeline.insert([{ ...event!, eventId: 2 * (COUNT + 1 + at) }], { security: COUNT + 1 + at });
  }
});
afterAll(() => {
  timeline.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a simulation over the record', () => {
  it('counts what it looked at, what matched, and what people had called it', () => {
    const simulation = simulate({ text: NC });
    expect(simulation).toMatchObject({
      evaluated: COUNT,
      total: COUNT,
      matched: COUNT / 10,
      matchRate: 0.1,
      labels: { truePositive: 2, falsePositive: 1, benign: 1 },
      falsePositiveRate: 0.5,
      recommendedCanaryPercent: 1,
    });
    expect(simulation.examples).toHaveLength(20);
    expect(simulation.examples[0]).toMatchObject({ text: '/usr/bin/nc exec nc 0', label: 'false_positive' });
  });

  it('says what is newly caught and no longer caught against the active version, with examples of both', () => {
    const narrower = text(
      'event.action == "exec" && (process.name == "nc" && user.name == "alice" || process.args.exists(a, a == "7"))',
    );
    const { difference, matched } = simulate({ text: narrower, activeText: NC });
    const bobs = Math.ceil(COUNT / 1000);
    expect(matched).toBe(COUNT / 10 - bobs + 1);
    expect(difference).toMatchObject({ version: 1, newlyCaught: 1, noLongerCaught: bobs });
    expect(difference?.newExamples.map((example) => example.text)).toEqual(['/usr/bin/ls exec ls 7']);
    expect(difference?.lostExamples.map(({ eventId }) => eventId)).toEqual(
      Array.from({ length: bobs }, (_, index) => String(2 * (COUNT - index * 1000))),
    );
  });

  it('looks at the newest part only when asked to, and at whom the policy is about', () => {
    expect(simulate({ text: NC, fromNs: String(NOW - 99_000_000_000n) })).toMatchObject({
      evaluated: 100,
      matched: 10,
    });
    expect(simulate({ text: `${NC}scope: {users: [bob]}\n` }).matched).toBe(Math.ceil(COUNT / 1000));
  });

  it('lets pass what an exception lets pass, until the day it ends', () => {
    const until = (expires: string): string =>
      `${NC}exceptions:\n  - {when: user.name == "alice", owner: o, expires: '${expires}'}\n`;
    expect(simulate({ text: until('2099-01-01') }).matched).toBe(Math.ceil(COUNT / 1000));
    expect(simulate({ text: until('2020-01-01') }).matched).toBe(COUNT / 10);
  });
});

describe('a simulation that is asked for', () => {
  /** The methods over a real record; each slice is let go by the test. */
  function served() {
    const dataDir = mkdtempSync(join(folder, 'data-'));
    const policies = new PolicyService({
      dataDir,
      identity: openIdentity(dataDir),
      enforcer: {
        reach: () => ({ mechanism: 'none', guarantee: 'alert only', reason: '' }),
        apply: () => ({ refused: [] }),
        act: () => ({ state: 'none', mechanism: 'none', guarantee: 'alert only' }),
      },
      rules: { windowMs: 300_000, stableMs: 900_000, falsePositivePercent: 5 },
      clock: { wallMs: () => Number(NOW / 1_000_000n), monotonicMs: () => 0 },
    });
    policies.desk.save(NC, undefined);
    const gates: (() => void)[] = [];
    const call = async (_method: string, request: SliceRequest): Promise<{ text: string }> => {
      await new Promise<void>((resolve) => gates.push(resolve));
      const slice = simulateSlice(timeline, triage, request);
      return { text: JSON.stringify(slice) };
    };
    const methods = policyMethods(
      {
        policies,
        timeline: { call },
        record: () => [2],
        settle: async () => ({ security: 0, observability: 0 }),
        refreshDlp: async () => {},
        nowNs: () => NOW,
      },
      () => ({ uid: 0, via: 'unix' }),
    );
    const context = {
      signal: new AbortController().signal,
      peer: { role: 'privileged', transport: 'unix' },
    } as const;
    const now = async () =>
      ((await methods['policy.simulation']({ id: 'p' }, context)) as { simulation: PolicySimulation })
        .simulation;
    return { methods, context, gates, now };
  }
  const SOON = { timeout: 20_000 };

  it('ends at the next slice when it is cancelled, says so, and reads no further', async () => {
    const { methods, context, gates, now } = served();
    await methods['policy.run']({ id: 'p' }, context);
    await expect.poll(() => gates.length, SOON).toBe(1);
    expect(await methods['policy.cancel']({ id: 'p' }, context)).toEqual({ cancelled: true });
    gates[0]!();
    await expect.poll(async () => (await now()).done, SOON).toBe(true);
    expect(gates).toHaveLength(1);
    expect(await methods['policy.cancel']({ id: 'p' }, context)).toEqual({ cancelled: false });
  });

  it('gives way to another one of the same policy, whose figures are not mixed with its own', async () => {
    const { methods, context, gates, now } = served();
    await methods['policy.run']({ id: 'p' }, context);
    await expect.poll(() => gates.length, SOON).toBe(1);
    await methods['policy.run']({ id: 'p', days: 1 }, context);
    await expect.poll(() => gates.length, SOON).toBe(2);
    for (let at = 0; at < gates.length; at += 1) gates[at]!();
    await expect
      .poll(async () => {
        gates.at(-1)!();
        return (await now()).done;
      }, SOON)
      .toBe(true);
    expect((await now()).matched).toBe(COUNT / 10);
  });
});
