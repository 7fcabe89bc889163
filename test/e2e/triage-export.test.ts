/**
 * Triage, saved searches and export against the real agent: what was decided is in the log and outlives the agent; what
 * is exported is exactly what the query finds; the command line says the same with and without an agent.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../agent/api/client.ts';
import { connectAgent } from './agent-client.ts';
import type { EventJson } from '../../agent/api/contract.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import { writeReplayFile } from '../../agent/sensors/replay-file.ts';
import { generateWorkload } from '../../agent/sensors/workload.ts';
import { allEvents, eventually } from './agent-process.ts';
import { runCli, startAgentProcess, type AgentProcess } from './packaged-agent.ts';

const EVENTS = 3000;
const folder = mkdtempSync(join(tmpdir(), 'sentinel-triage-'));
const dataDir = join(folder, 'data');
const replay = join(folder, 'workload.bin');
/** For later runs: one event. */
const little = join(folder, 'little.bin');
let agent: AgentProcess;
let client: ApiClient;

async function start(file: string): Promise<void> {
  agent = await startAgentProcess({ dataDir, args: ['--console', 'off', '--sensor', `replay:${file}`] });
  client = await connectAgent(dataPaths(dataDir).socket);
}

beforeAll(async () => {
  writeReplayFile(replay, generateWorkload({ count: EVENTS, seed: 7 }));
  writeReplayFile(little, generateWorkload({ count: 1, seed: 8 }));
  await start(replay);
  await eventually('the workload is stored', async () => {
    const { total = 0 } = await client.call('events.export', { query: '', format: 'csv', limit: 1 });
    return total >= EVENTS ? true : undefined;
  });
});
afterAll(async () => {
  client.close();
  await agent.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('triage', () => {
  it('is a signed-for record of the log, shown with its event, and outlives the agent', async () => {
    const [first, second] = (await client.call('events.query', { query: 'type:process', limit: 2 })).events;
    const eventIds = [first!.eventId, second!.eventId];
    const note = 'known backup job \u202e=cmd';
    const { decisions } = await client.call('triage.set', { eventIds, label: 'false_positive', note });
    expect(decisions).toHaveLength(2);
    expect(decisions[0]).toMatchObject({
      eventId: eventIds[0],
      label: 'false_positive',
      note,
      by: { uid: process.getuid?.(), via: 'unix' },
    });
    await client.call('triage.set', { eventIds: [eventIds[1]!], label: 'none' });
    const check = async (): Promise<void> => {
      const { decisions: inForce } = await client.call('triage.list', { eventIds });
      expect(inForce.map(({ eventId, label }) => [eventId, label])).toEqual([
        [eventIds[0], 'false_positive'],
      ]);
      expect((await client.call('triage.list', { history: true })).decisions).toHaveLength(3);
      const detail = await client.call('events.get', { eventId: eventIds[0]! });
      expect(detail.triage?.[0]).toMatchObject({ label: 'false_positive', note });
      // The decision is itself an event with a place in the chain.
      const record = await client.call('events.get', { eventId: decisions[0]!.recordId });
      expect(record.event).toMatchObject({ type: 'decision', action: 'triage', lane: 'security' });
      expect(Buffer.from(record.rawHex ?? '', 'hex').toString()).toContain('"label":"false_positive"');
      expect(record.proof?.chain).toMatch(/^[0-9a-f]{64}$/);
    };
    await check();
    client.close();
    expect(await agent.stop()).toBe(0);
    rmSync(dataPaths(dataDir).timeline, { force: true });
    await start(little);
    await check();
  });

  it('refuses what is not there, and what is not a label', async () => {
    await expect(
      client.call('triage.set', { eventIds: ['999999998'], label: 'true_positive' }),
    ).rejects.toMatchObject({ code: 'not_found', message: expect.stringContaining('nothing was labelled') });
    await expect(
      client.call('triage.set', { eventIds: ['2'], label: 'nonsense' as 'none' }),
    ).rejects.toMatchObject({ code: 'bad_request', message: expect.stringContaining('true_positive') });
  });
});

describe('saved items', () => {
  it('are kept by the agent, with who saved them', async () => {
    const search = { kind: 'search', name: 'shells', value: '{"query":"name:sh"}' };
    await client.call('saved.put', search);
    const { items } = await client.call('saved.list', { kind: 'search' });
    expect(items).toMatchObject([{ ...search, by: { uid: process.getuid?.(), via: 'unix' } }]);
    expect(await client.call('saved.delete', { kind: 'search', name: 'shells' })).toEqual({ removed: true });
    await expect(client.call('saved.put', { ...search, kind: 'Bad Kind' })).rejects.toMatchObject({
      code: 'bad_request',
    });
  });
});

describe('export', () => {
  const query = 'type:process action:exec';

  it('holds exactly what the query finds, in pieces, newest first', async () => {
    const expected = (await allEvents(client, query)).reverse();
    expect(expected.length).toBeGreaterThan(100);
    const lines: EventJson[] = [];
    let before: string | undefined;
    let total: number | undefined;
    do {
      const piece = await client.call('events.export', { query, format: 'ndjson', limit: 37, before });
      total ??= piece.total;
      const texts = piece.text.split('\n').slice(0, -1);
      expect(texts).toHaveLength(piece.events);
      lines.push(...texts.map((text) => JSON.parse(text) as EventJson));
      before = piece.older;
    } while (before !== undefined);
    expect(lines).toEqual(expected);
    expect(total).toBe(expected.length);
  });

  it('is the same by `sentinel events --csv`, with the agent and without', async () => {
    const args = [query, '--csv', '--all', '--columns', 'eventId,process.pid'];
    const online = await agent.cli('events', ...args);
    expect(online).toMatchObject({ code: 0, stderr: '' });
    const expected = (await allEvents(client, query)).reverse();
    expect(online.stdout.split('\r\n')).toEqual([
      'eventId,process.pid',
      ...expected.map(({ eventId, process }) => `${eventId},${process?.pid}`),
      '',
    ]);
    client.close();
    expect(await agent.stop()).toBe(0);
    const offline = await runCli(['events', ...args, '--data', dataDir]);
    expect(offline).toEqual(online);
    expect((await runCli(['events', '--csv', '--json', '--data', dataDir])).code).toBe(2);
    expect((await runCli(['events', '--columns', 'x', '--data', dataDir])).code).toBe(2);
    const bad = await runCli(['events', '--csv', '--columns', 'a b', '--data', dataDir]);
    expect([bad.code, bad.stderr.includes('columns')]).toEqual([2, true]);
    await start(little);
  });
});
