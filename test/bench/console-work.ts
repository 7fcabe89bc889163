/**
 * What the page worked, in processor time: that does not grow when the machine is busy with other things. A frame is
 * late by our doing when the main thread worked longer than a frame may take since the frame before it.
 */
import type { ConsolePage } from './console-page.ts';
import { framesDuring } from './console-page.ts';

interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  /** Microseconds. */
  ts: number;
  tdur?: number;
  args?: { name?: string };
}

export interface Work {
  /** Milliseconds on the clock between frames. */
  frames: number[];
  /** Most processor time of the main thread between two frames, ms. */
  frameWorkMs: number;
  /** Longest task of the main thread in processor time, ms. */
  longestTaskMs: number;
}

/** Most work between two of the moments, and the longest single task. */
function workBetween(tasks: readonly TraceEvent[], moments: readonly number[]): Omit<Work, 'frames'> {
  let longestTaskMs = 0;
  let frameWorkMs = 0;
  let at = 0;
  let work = 0;
  for (const { ts, tdur = 0 } of tasks.toSorted((a, b) => a.ts - b.ts)) {
    while (at < moments.length && (moments[at] ?? 0) <= ts) {
      work = 0;
      at += 1;
    }
    work += tdur / 1000;
    // The task that draws the frame begins before the moment that tells of it, and counts to the time before.
    frameWorkMs = Math.max(frameWorkMs, work);
    longestTaskMs = Math.max(longestTaskMs, tdur / 1000);
  }
  return { frameWorkMs, longestTaskMs };
}

/** Frames and work of the page while `act` goes on, as Chromium's tracing tells it. */
export async function workDuring(console_: ConsolePage, act: () => Promise<unknown>): Promise<Work> {
  const { cdp, page } = console_;
  const events: TraceEvent[] = [];
  const collect = ({ value }: { value: unknown[] }): unknown => events.push(...(value as TraceEvent[]));
  cdp.on('Tracing.dataCollected', collect);
  await cdp.send('Tracing.start', {
    categories: '-*,devtools.timeline,disabled-by-default-devtools.timeline,__metadata',
  });
  const frames = await framesDuring(page, act);
  const complete = new Promise((done) => cdp.once('Tracing.tracingComplete', done));
  await cdp.send('Tracing.end');
  await complete;
  cdp.off('Tracing.dataCollected', collect);
  const main = new Set(
    events
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .map(({ pid, tid }) => `${pid}.${tid}`),
  );
  // Several pages may have run: the one that was busy is ours.
  const ofPage = Map.groupBy(
    events.filter(({ pid, tid }) => main.has(`${pid}.${tid}`)),
    ({ pid }) => pid,
  );
  const found = [...ofPage.values()].map((own) => {
    const moments = own.filter(({ name }) => name === 'FireAnimationFrame').map(({ ts }) => ts);
    const tasks = own.filter(({ name }) => name === 'RunTask');
    return workBetween(
      tasks,
      moments.sort((a, b) => a - b),
    );
  });
  return {
    frames,
    frameWorkMs: Math.max(0, ...found.map(({ frameWorkMs }) => frameWorkMs)),
    longestTaskMs: Math.max(0, ...found.map(({ longestTaskMs }) => longestTaskMs)),
  };
}

/** Processor time of the page's main thread since it was opened, ms. */
export async function mainThreadMs({ cdp }: ConsolePage): Promise<number> {
  const { metrics } = await cdp.send('Performance.getMetrics');
  return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0) * 1000;
}
