/**
 * The console on a record of 10M events (quick: 200k), in Debian's Chromium with Chromium's own instruments, against the
 * agent as it is shipped: first paint, scrolling, queries, interactions, memory and processor over ten minutes live at
 * 1,000 events a second, and a day of events pushed through in minutes. Peer for frames: a page of plain text scrolled
 * in the same way in the same run.
 */
import { spawn } from 'node:child_process';
import { connectAgent } from '../../agent/api/client.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import { browserPath } from '../e2e/browser.ts';
import { startAgentProcess } from '../e2e/packaged-agent.ts';
import { makeReplay, round } from './agent-under-test.ts';
import { endure } from './console-endurance.ts';
import type { Report } from './console-judge.ts';
import { openConsolePage } from './console-page.ts';
import { LIVE_RATE, type Session, type Times, atRest, live, open, reportDay } from './console-phases.ts';
import { type SeededData, seedData } from './console-store.ts';
import type { BenchOptions, Figure } from './figure.ts';

const BENCH = 'console';
/** A workstation in use makes some tens of events a second by day and almost none by night. */
const DAY_EVENTS = 1_500_000;
const FULL: Times = {
  rows: 10_000_000,
  paints: 5,
  scrollMs: 10_000,
  queryRounds: 5,
  readMs: 500,
  turns: 10,
  idleMs: 30_000,
  liveMs: 600_000,
  sampleMs: 10_000,
  settleMs: 15_000,
  releaseMs: 30_000,
  dayMs: 150_000,
};
const QUICK: Times = {
  rows: 50_000,
  paints: 1,
  scrollMs: 500,
  queryRounds: 1,
  readMs: 0,
  turns: 1,
  idleMs: 1200,
  liveMs: 3000,
  sampleMs: 250,
  settleMs: 500,
  releaseMs: 0,
  dayMs: 3000,
};

/** The agent on the data folder. Without a replay it watches a process that sleeps: nothing happens. */
async function startSession(dataDir: string, sensor: string | undefined): Promise<Session> {
  const quiet = sensor === undefined ? spawn('sleep', ['3600'], { stdio: 'ignore' }) : undefined;
  const scope = sensor === undefined ? ['--scope', `pid:${quiet?.pid}`] : ['--sensor', sensor];
  const agent = await startAgentProcess({
    dataDir,
    args: [...scope, '--console', 'on'],
    timeoutMs: 60_000,
  });
  const api = await connectAgent(dataPaths(dataDir).socket);
  return {
    agent,
    api,
    end: async () => {
      api.close();
      await agent.stop();
      quiet?.kill('SIGKILL');
    },
  };
}

async function measure(data: SeededData, times: Times, report: Report): Promise<void> {
  report('events in the record', data.rows, 'events', { note: data.made });
  const console_ = await openConsolePage();
  let session: Session | undefined;
  const during = async (sensor: string | undefined, work: (on: Session) => Promise<void>): Promise<void> => {
    session = await startSession(data.dataDir, sensor);
    const { agent } = session;
    await work(session).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}; the agent said: ${agent.stderr().slice(-500)}`, {
        cause: error,
      });
    });
    await console_.page.goto('about:blank');
    await session.end();
    session = undefined;
  };
  const replay = makeReplay(20_000);
  try {
    await during(undefined, (on) => atRest(console_, on, times, report));
    const needed = ((times.liveMs + 6 * times.settleMs + 4 * times.idleMs) / 1000 + 60) * LIVE_RATE;
    const loops = Math.ceil(needed / replay.records);
    await during(`replay:${replay.path}?rate=${LIVE_RATE}&loops=${loops}`, (on) =>
      live(console_, on, times, report),
    );
    const rate = Math.round(DAY_EVENTS / (FULL.dayMs / 1000));
    const dayLoops = Math.max(1, Math.round((rate * times.dayMs) / 1000 / replay.records));
    const records = dayLoops * replay.records;
    await during(`replay:${replay.path}?rate=${rate}&loops=${dayLoops}`, async (on) => {
      await open(console_, on);
      const { sampleMs } = times;
      const day = await endure({
        console: console_,
        api: on.api,
        agentPid: on.agent.pid,
        records,
        sampleMs: Math.min(sampleMs, 2000),
        limitMs: times.dayMs * 2,
        isThorough: true,
      });
      reportDay(day, records, rate, report);
    });
    const complaints = console_.complaints();
    report('errors in the console of the page', complaints.length, 'errors', {
      budget: 'none',
      ok: complaints.length === 0,
      note: complaints[0],
    });
  } finally {
    replay.remove();
    await console_.close();
    await session?.end();
  }
}

export async function run(options: BenchOptions): Promise<Figure[]> {
  const figures: Figure[] = [];
  const report: Report = (metric, value, unit, more = {}) =>
    void figures.push({
      bench: BENCH,
      metric,
      value: Number.isFinite(value) ? round(value, 2) : -1,
      unit,
      ok: Number.isFinite(value),
      ...more,
    });
  // The whole takes some twenty minutes.
  const tell: Report = (metric, value, unit, more) => {
    report(metric, value, unit, more);
    if (!options.quick) process.stderr.write(`${metric} = ${round(value, 2)} ${unit}\n`);
  };
  if (browserPath === undefined) {
    report('console', 0, '', { ok: false, note: 'not measured: no Chromium (apt-get install chromium)' });
    return figures;
  }
  const times = options.quick ? QUICK : FULL;
  const data = await seedData(times.rows);
  try {
    await measure(data, times, tell);
  } catch (error) {
    // What was measured before is worth having.
    report('console', 0, '', {
      ok: false,
      note: `could not be measured further: ${(error as Error).message}`,
    });
  } finally {
    data.remove();
  }
  return figures;
}
