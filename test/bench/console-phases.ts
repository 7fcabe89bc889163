/** What the console bench measures and how it judges it: at rest, live, and a day of events in minutes. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../../agent/api/client.ts';
import type { AgentProcess } from '../e2e/packaged-agent.ts';
import { cpuMs, cpuSeconds, memoryMb, round } from './agent-under-test.ts';
import { type Endurance, growth, isBounded } from './console-endurance.ts';
import { hiddenCpuPercent } from './console-hidden.ts';
import { type Report, byWork, reportFrames } from './console-judge.ts';
import { type ConsolePage, percentile, waitInPage } from './console-page.ts';
import { type Paint, askFor, paintOf, scroll, scrollPlain, stepTimes } from './console-steps.ts';
import { buildProcesses } from './console-store.ts';
import { treeOfBuild } from './console-tree.ts';
import { mainThreadMs } from './console-work.ts';
import type { Figure } from './figure.ts';

export const LIVE_RATE = 1000;
const INTERACTION_MS = 100;
const QUERIES = [
  'type:network',
  'curl',
  'severity:>=high',
  'image:*/curl and not user:root',
  'type:process and action:exec user:dev',
  'token31337',
  'file:/usr/lib/*',
  'ip:10.1.0.0/16 port:22',
  'not user:root last:1h',
  'cmd:target299',
  'has:rule',
  '',
] as const;

export interface Times {
  rows: number;
  paints: number;
  scrollMs: number;
  queryRounds: number;
  readMs: number;
  turns: number;
  idleMs: number;
  liveMs: number;
  sampleMs: number;
  settleMs: number;
  /** The agent gives back what questions took some seconds after the last. */
  releaseMs: number;
  dayMs: number;
}

export interface Session {
  agent: AgentProcess;
  api: ApiClient;
  end(): Promise<void>;
}

async function address({ api }: Session): Promise<string> {
  return (await api.call('console.url', {})).url;
}

/** Opens the console in a page, with nothing under the pointer: live. */
export async function open(console_: ConsolePage, session: Session): Promise<void> {
  await console_.page.goto(await address(session));
  await waitInPage(console_.page, "document.querySelector('.row[data-event]')");
  await console_.page.locator('.toolbar').hover();
}

interface Cpu {
  renderer: number;
  gpu: number;
  agent: number;
}

/** Percent of a core over `milliseconds`. */
async function cpuOver(console_: ConsolePage, agentPid: number, milliseconds: number): Promise<Cpu> {
  const [before, agentBefore, begun] = [await console_.cpu(), cpuSeconds(agentPid), performance.now()];
  await sleep(milliseconds);
  const [after, agentAfter] = [await console_.cpu(), cpuSeconds(agentPid)];
  const percent = (seconds: number): number => (seconds / ((performance.now() - begun) / 1000)) * 100;
  return {
    renderer: percent(after.renderer - before.renderer),
    gpu: percent(after.gpu - before.gpu),
    agent: percent(agentAfter - agentBefore),
  };
}

export async function atRest(
  console_: ConsolePage,
  session: Session,
  times: Times,
  report: Report,
): Promise<void> {
  const paints: (Paint & { workMs: number })[] = [];
  for (let n = 0; n < times.paints; n += 1) {
    const before = (await console_.cpu()).renderer * 1000 + cpuMs(session.agent.pid);
    const paint = await paintOf(console_, await address(session));
    const after = (await console_.cpu()).renderer * 1000 + cpuMs(session.agent.pid);
    paints.push({ ...paint, workMs: after - before });
  }
  const median = (of: (paint: Paint & { workMs: number }) => number): number =>
    percentile(paints.map(of), 0.5);
  const paint = (metric: string, value: number): void =>
    report(
      metric,
      value,
      'ms',
      byWork(
        { budget: '< 1,000 ms', ok: value < 1000, note: 'empty cache, new session' },
        median((each) => each.workMs),
        1000,
      ),
    );
  paint(
    'first contentful paint',
    median((each) => each.firstPaintMs),
  );
  paint(
    'largest contentful paint',
    median((each) => each.largestPaintMs),
  );
  paint(
    'first rows on screen',
    median((each) => each.firstRowsMs),
  );

  const plain = await scrollPlain(console_, times.scrollMs);
  const peerWorst = Math.max(...plain);
  for (const how of ['wheel', 'keys', 'scrollbar jumps'] as const) {
    const { frames, frameWorkMs, longestTaskMs, rows } = await scroll(console_, how, times.scrollMs);
    const worst = Math.max(...frames);
    const p99 = percentile(frames, 0.99);
    const peer = (value: number, own: number): Partial<Figure> => ({
      peer: `plain page, wheel (${round(value)} ms)`,
      ratio: round(own / value, 2),
    });
    report(`scrolling by ${how}, frame p99`, p99, 'ms', peer(percentile(plain, 0.99), p99));
    const seen = `${frames.length} frames, ${rows} rows loaded, longest task ${round(longestTaskMs)} ms`;
    reportFrames(
      `scrolling by ${how}`,
      worst,
      frameWorkMs,
      { ...peer(peerWorst, worst), note: seen },
      report,
    );
  }

  console_.apiTimings();
  const asked: number[] = [];
  const askedWork: number[] = [];
  for (let n = 0; n < times.queryRounds; n += 1) {
    for (const query of QUERIES) {
      const { pid } = session.agent;
      const before = (await mainThreadMs(console_)) + cpuMs(pid);
      // What the agent does after the rows is for the counts around them.
      let agentMs = cpuMs(pid);
      console_.onRows(() => (agentMs = cpuMs(pid)));
      asked.push(await askFor(console_, query));
      askedWork.push((await mainThreadMs(console_)) + agentMs - before);
      // A person reads before asking again; the histogram and the facets arrive meanwhile.
      await sleep(times.readMs);
    }
  }
  report(
    'query, Enter to rows, p50',
    percentile(asked, 0.5),
    'ms',
    byWork(
      {
        budget: '< 100 ms',
        ok: percentile(asked, 0.5) < INTERACTION_MS,
        note: `${asked.length} queries of ${QUERIES.length} kinds`,
      },
      percentile(askedWork, 0.5),
      INTERACTION_MS,
    ),
  );
  report('query, Enter to rows, p95', percentile(asked, 0.95), 'ms', {
    note: `processor time of page and agent: p50 ${round(percentile(askedWork, 0.5))}, p95 ${round(percentile(askedWork, 0.95))} ms`,
  });
  const answers = Map.groupBy(console_.apiTimings(), ({ method }) => method);
  for (const method of ['events.follow', 'events.histogram', 'events.facets']) {
    const took = (answers.get(method) ?? []).map(({ ms }) => ms);
    report(`answer to ${method}, p95`, percentile(took, 0.95), 'ms', {
      note: `p50 ${round(percentile(took, 0.5))} ms, ${took.length} calls, as the browser saw them`,
    });
  }

  const share = times.turns < 5 ? 0.5 : 0.95;
  for (const { name, nextFrameMs, doneMs, workMs } of await stepTimes(console_, times.turns)) {
    report(
      `${name}, input to next frame, worst`,
      Math.max(...nextFrameMs),
      'ms',
      byWork(
        {
          budget: `p95 < ${INTERACTION_MS} ms`,
          ok: percentile(nextFrameMs, share) < INTERACTION_MS,
          note: `event timing; until it was there: p50 ${round(percentile(doneMs, 0.5))}, worst ${round(Math.max(...doneMs))} ms, work p50 ${round(percentile(workMs, 0.5))} ms`,
        },
        percentile(workMs, share),
        INTERACTION_MS,
      ),
    );
  }

  await treeOfBuild(console_, buildProcesses(times.rows), times.scrollMs, report);

  await open(console_, session);
  await sleep(times.settleMs);
  const idle = await cpuOver(console_, session.agent.pid, times.idleMs);
  report('renderer CPU, idle', idle.renderer, '% of a core', {
    budget: '< 1 %',
    ok: idle.renderer < 1,
    note: `Chromium's drawing process ${round(idle.gpu, 2)} %, the agent ${round(idle.agent, 2)} %`,
  });
}

export async function live(
  console_: ConsolePage,
  session: Session,
  times: Times,
  report: Report,
): Promise<void> {
  const { pid } = session.agent;
  await console_.page.goto('about:blank');
  await sleep(times.settleMs);
  const closed = await cpuOver(console_, pid, times.idleMs);
  const closedMemory = memoryMb(pid);
  await open(console_, session);
  await sleep(times.settleMs);
  const watching = await cpuOver(console_, pid, times.idleMs);
  report(`renderer CPU, live at ${LIVE_RATE} events/s`, watching.renderer, '% of a core', {
    note: `Chromium's drawing process ${round(watching.gpu, 2)} %`,
  });
  report(`agent CPU, console open, ${LIVE_RATE} events/s`, watching.agent, '% of a core', {
    peer: `the same with it closed (${round(closed.agent, 2)} %)`,
    ratio: round(watching.agent / closed.agent, 2),
  });

  const heap: number[] = [];
  const nodes: number[] = [];
  for (const begun = performance.now(); performance.now() - begun < times.liveMs;) {
    await sleep(times.sampleMs);
    const sample = await console_.heap();
    heap.push(sample.bytes / 1e6);
    nodes.push(sample.nodes);
  }
  const seconds = Math.round(times.liveMs / 1000);
  report(`heap after ${seconds} s live at ${LIVE_RATE} events/s`, heap.at(-1) ?? 0, 'MB', {
    budget: 'flat: grows less than 1 MB from the middle third to the last',
    ok: growth(heap) < 1,
    note: `after forced collections: least ${round(Math.min(...heap), 2)}, most ${round(Math.max(...heap), 2)}, growth ${round(growth(heap), 2)} MB; ${nodes.at(-1)} nodes, growth ${round(growth(nodes))}`,
  });
  const openMemory = memoryMb(pid);
  report('agent PSS, console open', openMemory.pss, 'MB', {
    peer: `with it closed (${round(closedMemory.pss)} MB)`,
    ratio: round(openMemory.pss / closedMemory.pss, 2),
    note: `anonymous ${round(openMemory.anonymous)} MB, closed ${round(closedMemory.anonymous)} MB`,
  });

  await console_.page.goto('about:blank');
  await sleep(times.releaseMs);
  const after = memoryMb(pid);
  report('agent PSS, console closed again', after.pss, 'MB', {
    peer: `before it was opened (${round(closedMemory.pss)} MB)`,
    ratio: round(after.pss / closedMemory.pss, 2),
    note: `anonymous ${round(after.anonymous)} MB, ${times.releaseMs / 1000} s later`,
  });
  const hidden = await hiddenCpuPercent(await address(session), Math.max(1500, times.settleMs), times.idleMs);
  report(`renderer CPU, tab hidden, ${LIVE_RATE} events/s`, hidden, '% of a core', {
    budget: '< 1 %',
    ok: hidden < 1,
  });
}

export function reportDay(day: Endurance, expected: number, rate: number, report: Report): void {
  const { health, heapMb, agentAnonymousMb, agentPssMb, openMs, openWorkMs, queryMs, viewMs } = day;
  const lost = expected - health.totals.security - health.totals.observability;
  report('a day of events, records that did not arrive', Math.max(0, lost), 'records', {
    budget: 'none, and no gap',
    ok: lost <= 0 && health.gaps24h.lostRecords === 0 && health.totals.rejected === 0,
    note: `${day.delivered} delivered at ${rate} a second, ${health.gaps24h.lostRecords} lost in gaps, ${health.totals.detections} matches of rules`,
  });
  report('a day of events, heap of the window', heapMb.at(-1) ?? 0, 'MB', {
    budget: 'flat: grows less than 1 MB from the middle third to the last',
    ok: growth(heapMb) < 1,
    note: `most ${round(Math.max(...heapMb), 2)}, growth ${round(growth(heapMb), 2)} MB in ${heapMb.length} samples; ${day.nodes.at(-1)} nodes`,
  });
  report('a day of events, anonymous memory of the agent', agentAnonymousMb.at(-1) ?? 0, 'MB', {
    budget: 'flat: the least of the last third at most 1.25x that of the middle one plus 16 MB',
    ok: isBounded(agentAnonymousMb),
    note: `growth ${round(growth(agentAnonymousMb))}, most ${round(Math.max(...agentAnonymousMb))}; PSS ${round(agentPssMb.at(-1) ?? 0)}, most ${round(Math.max(...agentPssMb))} MB`,
  });
  report(
    'a day of events, opening an event, p95',
    percentile(openMs, 0.95),
    'ms',
    byWork(
      {
        budget: '< 100 ms',
        ok: percentile(openMs, 0.95) < INTERACTION_MS,
        note: `query to rows: p50 ${round(percentile(queryMs, 0.5))}, p95 ${round(percentile(queryMs, 0.95))} ms`,
      },
      percentile(openWorkMs, 0.95),
      INTERACTION_MS,
    ),
  );
  for (const [view, took] of Object.entries(viewMs)) {
    report(`a day of events, switching to ${view}, p50`, percentile(took, 0.5), 'ms', {
      note: `worst ${round(Math.max(...took))} ms of ${took.length}`,
    });
  }
}
