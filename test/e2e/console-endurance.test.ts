/**
 * A day of events of a quiet workstation, 300,000, pushed through in half a minute while a window in Chromium follows
 * them and is used: the window holds no more at the end than before, the agent keeps every record, and everything that
 * is asked for meanwhile comes.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../agent/api/client.ts';
import { connectAgent } from './agent-client.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import { type ReplayInput, makeReplay } from '../bench/agent-under-test.ts';
import { endure, growth, isBounded } from '../bench/console-endurance.ts';
import { type ConsolePage, openConsolePage, waitInPage } from '../bench/console-page.ts';
import { browserPath } from './browser.ts';
import { type AgentProcess, startAgentProcess } from './packaged-agent.ts';

if (browserPath === undefined)
  console.warn('SKIPPED: a day of events in a browser: no Chromium is installed (apt-get install chromium)');

const RATE = 10_000;
const LOOPS = 15;
/** What passes is some hundred MB as text: a window that kept it would hold far more than this. */
const WINDOW_GROWTH_MB = 2;

let replay: ReplayInput;
let agent: AgentProcess;
let api: ApiClient;
let window_: ConsolePage;

describe.skipIf(browserPath === undefined)('a day of events (needs Chromium)', { timeout: 180_000 }, () => {
  beforeAll(async () => {
    replay = makeReplay(20_000);
    window_ = await openConsolePage();
    agent = await startAgentProcess({
      args: ['--sensor', `replay:${replay.path}?rate=${RATE}&loops=${LOOPS}`, '--console', 'on'],
    });
    api = await connectAgent(dataPaths(agent.dataDir).socket);
    await window_.page.goto(agent.consoleUrl!);
    await waitInPage(window_.page, "document.querySelector('.row[data-event]')");
  }, 60_000);
  afterAll(async () => {
    await window_?.close();
    api?.close();
    await agent?.stop();
    agent?.remove();
    replay?.remove();
  });

  it('leaves the window as it was, and every record in the store', async () => {
    const records = replay.records * LOOPS;
    const day = await endure({
      console: window_,
      api,
      agentPid: agent.pid,
      records,
      sampleMs: 700,
      limitMs: 120_000,
    });
    expect(day.delivered).toBe(records);
    expect(day.heapMb.length).toBeGreaterThanOrEqual(4);
    expect(growth(day.heapMb)).toBeLessThan(WINDOW_GROWTH_MB);
    expect(isBounded(day.agentAnonymousMb), `MB: ${day.agentAnonymousMb.join(' ')}`).toBe(true);
    // Infinity stands for what did not come within ten seconds.
    expect([...day.openMs, ...day.queryMs].every(Number.isFinite)).toBe(true);
    expect(day.health).toMatchObject({
      gaps24h: { lostRecords: 0 },
      totals: { rejected: 0 },
      observabilityLane: { dropped: {} },
    });
    expect(day.health.totals.security).toBeGreaterThanOrEqual(replay.security * LOOPS);
    expect(day.health.totals.observability).toBeGreaterThanOrEqual(records - replay.security * LOOPS);
    expect(window_.complaints()).toEqual([]);
  });
});
