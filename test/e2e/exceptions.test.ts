/**
 * Exceptions against the real agent and real processes: what a draft says it would have hidden is compared with what was
 * run, and what a saved one then hides with what the rule still finds.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../agent/api/client.ts';
import { connectAgent } from './agent-client.ts';
import type { EventJson, ExceptionPreview } from '../../agent/api/contract.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import { eventually } from './agent-process.ts';
import { startAgentProcess, type AgentProcess } from './packaged-agent.ts';

const RULE = 'e2e-exception-rule';
const folder = mkdtempSync(join(tmpdir(), 'sentinel-exceptions-'));
const dataDir = join(folder, 'data');
const settings = [
  '--console',
  'off',
  '--scope',
  `pid:${process.pid}`,
  '--set',
  `rules.paths=${join(folder, 'rule.yml')}`,
];
let agent: AgentProcess;
let client: ApiClient;
let hits: EventJson[] = [];

/** The words that /bin/echo is run with; the rule is about the first. */
function say(...words: string[]): void {
  execFileSync('/bin/echo', [RULE, ...words], { stdio: 'ignore' });
}
async function found(query: string): Promise<EventJson[]> {
  return (await client.call('events.query', { query, limit: 100 })).events;
}
const lastWord = (event: EventJson): string => event.process?.argv?.at(-1) ?? '';
const matches = (): Promise<EventJson[]> => found(`rule:${RULE}`);
const day = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

async function start(): Promise<void> {
  agent = await startAgentProcess({ dataDir, args: settings });
  client = await connectAgent(dataPaths(dataDir).socket);
}

beforeAll(async () => {
  const rule = {
    title: 'Words of a test',
    id: RULE,
    level: 'medium',
    logsource: { product: 'linux', category: 'process_creation' },
    detection: { words: { 'Image|endswith': '/echo', 'CommandLine|contains': RULE }, condition: 'words' },
  };
  // JSON is YAML.
  writeFileSync(join(folder, 'rule.yml'), JSON.stringify(rule));
  await start();
  for (const word of ['one', 'one', 'two', 'three']) say(word);
  await eventually('the rule matched', async () => {
    hits = await matches();
    return hits.length >= 4 ? true : undefined;
  }).catch(() => undefined);
});
afterAll(async () => {
  client.close();
  await agent.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach((context: TestContext) => {
  if (agent.sensorTier === 'lsm' || agent.sensorTier === 'tracepoint') return;
  context.skip(`SKIPPED: the ${agent.sensorTier} sensor of this machine misses short processes`);
});

const preview = (
  conditions?: ExceptionPreview['conditions'],
  event = hits.find((each) => lastWord(each) === 'one'),
): Promise<ExceptionPreview> =>
  client.call('exceptions.preview', { eventId: event?.eventId ?? '0', ruleId: RULE, conditions });

describe('a drafted exception', () => {
  it('asks for everything first, and tells what it would have hidden', async () => {
    const narrow = await preview();
    const asked = new Map(narrow.candidates.map(({ field, value }) => [field, value]));
    expect(asked.get('CommandLine')).toBe(`/bin/echo ${RULE} one`);
    expect(asked.get('ParentImage')).toBe(hits[0]?.parent?.executable);
    expect(asked.has('User')).toBe(true);
    expect(narrow.conditions).toHaveLength(narrow.candidates.length);
    expect(narrow).toMatchObject({ matches: 4, hidden: 2, complete: true, hidesEvent: true });
    expect(narrow.hiddenExamples.map(lastWord)).toEqual(['one', 'one']);
    expect(narrow.keptExamples.map(lastWord)).toEqual(['three', 'two']);
    // Nothing was saved by asking.
    expect((await client.call('exceptions.list', {})).exceptions).toEqual([]);
  });

  it('hides more when it asks for less, and says what had been called a true positive', async () => {
    const three = hits.find((each) => lastWord(each) === 'three');
    await client.call('triage.set', {
      eventIds: [three?.eventId ?? ''],
      ruleId: RULE,
      label: 'true_positive',
    });
    const wide = await preview([{ field: 'CommandLine', match: 'startswith', value: `/bin/echo ${RULE} t` }]);
    expect(wide).toMatchObject({ hidden: 2, hidesEvent: false, hiddenLabels: { true_positive: 1 } });
    expect(wide.hiddenExamples.map(lastWord)).toEqual(['three', 'two']);
    const all = await preview([{ field: 'Image', match: 'endswith', value: 'echo' }]);
    expect(all).toMatchObject({ hidden: 4, keptExamples: [] });
  });

  it('is refused when it cannot be one', async () => {
    const [{ eventId } = { eventId: '0' }] = hits;
    const conditions = [{ field: 'CommandLine', match: 'is' as const, value: 'something else' }];
    const save = { eventId, ruleId: RULE, conditions, reason: 'why', expires: day(30) };
    await expect(client.call('exceptions.save', save)).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringContaining('would not hide the match'),
    });
    await expect(client.call('exceptions.save', { ...save, expires: day(-2) })).rejects.toMatchObject({
      message: expect.stringContaining('is over'),
    });
    await expect(client.call('exceptions.save', { ...save, expires: day(500) })).rejects.toMatchObject({
      message: expect.stringContaining('more than a year'),
    });
    await expect(
      client.call('exceptions.preview', { eventId, ruleId: 'no-such-rule' }),
    ).rejects.toMatchObject({ code: 'not_found' });
    await expect(
      client.call('exceptions.preview', {
        eventId,
        ruleId: RULE,
        conditions: [conditions[0]!, { ...conditions[0]!, value: 'another' }],
      }),
    ).rejects.toMatchObject({ message: expect.stringContaining('asked for twice') });
    expect(existsSync(dataPaths(dataDir).exceptions)).toBe(false);
  });
});

describe('a saved exception', () => {
  let id = '';

  it('hides what it said and nothing else, and is a record of the log', async () => {
    const { conditions } = await preview();
    const event = hits.find((each) => lastWord(each) === 'one');
    const request = { eventId: event?.eventId ?? '', ruleId: RULE, conditions };
    const before = (await client.call('rules.list', {})).rules.find((rule) => rule.id === RULE)?.hits;
    const { exception } = await client.call('exceptions.save', {
      ...request,
      reason: 'known *words* \u202e',
      expires: day(30),
    });
    id = exception.id;
    expect(exception).toMatchObject({ rules: [RULE], expired: false, hits: 0, removable: true });
    expect((await client.call('rules.list', {})).rules.find((rule) => rule.id === RULE)?.hits).toBe(before);
    say('one');
    say('four');
    await eventually('the rule goes on', async () => {
      const now = await matches();
      return now.some((each) => lastWord(each) === 'four') ? now : undefined;
    });
    expect(await matches()).toHaveLength(5);
    // The event itself is in the record.
    expect(await found('action:exec and cmd:"echo e2e-exception-rule one"')).toHaveLength(3);
    const [listed] = (await client.call('exceptions.list', {})).exceptions;
    expect(listed).toMatchObject({ id, hits: 1, reason: 'known *words* \u202e' });
    const [record] = await found('type:decision action:exception');
    expect(record).toMatchObject({ lane: 'security', details: { exception: id, done: 'saved' } });
    expect(record?.details?.['filter']).toContain(RULE);
    await expect(
      client.call('exceptions.save', { ...request, reason: 'again', expires: day(30) }),
    ).rejects.toMatchObject({ message: expect.stringContaining('saved already') });
  });

  it('outlives the agent, and ends when it is removed', async () => {
    client.close();
    expect(await agent.stop()).toBe(0);
    await start();
    say('one');
    say('five');
    await eventually('the rule goes on', async () =>
      (await matches()).some((each) => lastWord(each) === 'five') ? true : undefined,
    );
    expect((await matches()).filter((each) => lastWord(each) === 'one')).toHaveLength(2);
    expect(await client.call('exceptions.remove', { id })).toEqual({ removed: true });
    expect(await client.call('exceptions.remove', { id })).toEqual({ removed: false });
    expect(readdirSync(dataPaths(dataDir).exceptions)).toEqual([]);
    say('one');
    await eventually('the rule matches again', async () =>
      (await matches()).filter((each) => lastWord(each) === 'one').length === 3 ? true : undefined,
    );
  });
});
