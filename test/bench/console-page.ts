/**
 * The console in Chromium with Chromium's own instruments: paint and event timing, frame stamps, the heap after a
 * forced collection, what each of its processes used of the processor, and the answers on the WebSocket.
 */
import type { CDPSession, Page } from 'playwright-core';
import { openBrowser } from '../e2e/browser.ts';
import { cpuSeconds } from './agent-under-test.ts';

/** Runs in the page before its own scripts. Event timing below 16 ms is not told by Chromium. */
const INSTRUMENTS = `{
  const bench = { firstRowsMs: 0, frames: [], isCounting: false, inputs: [], lcpMs: 0 };
  const afterFrame = (then) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => then(performance.now());
    port2.postMessage(0);
  });
  const watch = () => {
    if (document.querySelector('.row[data-event]')) afterFrame((now) => { bench.firstRowsMs = now; });
    else requestAnimationFrame(watch);
  };
  requestAnimationFrame(watch);
  bench.isPainted = () => bench.firstRowsMs > 0 && bench.lcpMs > 0;
  new PerformanceObserver((list) => { bench.lcpMs = list.getEntries().at(-1).startTime; })
    .observe({ type: 'largest-contentful-paint', buffered: true });
  new PerformanceObserver((list) => {
    for (const { name, duration, interactionId } of list.getEntries())
      if (interactionId > 0) bench.inputs.push({ name, duration });
  }).observe({ type: 'event', durationThreshold: 16 });
  const count = (now) => {
    if (!bench.isCounting) return;
    bench.frames.push(now);
    requestAnimationFrame(count);
  };
  // What is shown now, to tell it from an answer that comes: the list is emptied between two queries.
  const rows = () => [...document.querySelectorAll('.row[data-event]')];
  bench.age = () => { for (const row of rows()) row.dataset.old = ''; };
  bench.isAnswered = () => {
    const [first] = rows();
    if (first) return first.dataset.old === undefined;
    return document.querySelector('.list-notice:not([role=status])') !== null;
  };
  bench.startFrames = () => { bench.frames = []; bench.isCounting = true; requestAnimationFrame(count); };
  bench.stopFrames = () => { bench.isCounting = false; return bench.frames; };
  // From the next input of a type to the frame after which \`is()\` holds.
  bench.arm = (type, is, limitMs) => {
    bench.answer = new Promise((resolve) => {
      addEventListener(type, (event) => {
        const begun = event.timeStamp;
        const look = () => {
          if (is()) afterFrame((now) => resolve(now - begun));
          else if (performance.now() - begun > limitMs) resolve(Infinity);
          else requestAnimationFrame(look);
        };
        queueMicrotask(look);
      }, { capture: true, once: true });
    });
  };
  window.bench = bench;
}`;

export type InputType = 'keydown' | 'click' | 'pointerup';

/** How long one method took to be answered, as the browser saw it. */
export interface ApiTiming {
  method: string;
  ms: number;
}

export interface ConsolePage {
  readonly page: Page;
  readonly cdp: CDPSession;
  /** Answers since it was last called. */
  apiTimings(): ApiTiming[];
  /** Calls once with the method of the next answer with rows. */
  onRows(listener: (method: string) => void): void;
  complaints(): string[];
  /** Bytes of the JavaScript heap in use after a forced collection, and how many nodes and listeners there are. */
  heap(): Promise<{ bytes: number; nodes: number; listeners: number }>;
  /** Seconds of processor used so far by renderer processes, and by the process that draws. */
  cpu(): Promise<{ renderer: number; gpu: number }>;
  close(): Promise<void>;
}

interface Frame {
  timestamp: number;
  response: { payloadData: string };
}

const ROWS: ReadonlySet<string> = new Set(['events.follow', 'events.query']);

/** Counts what the page asks for and how long answers take. */
function watchSocket(cdp: CDPSession): Pick<ConsolePage, 'apiTimings' | 'onRows'> {
  let listener: ((method: string) => void) | undefined;
  const asked = new Map<number, { method: string; at: number }>();
  let timings: ApiTiming[] = [];
  cdp.on('Network.webSocketFrameSent', ({ timestamp, response }: Frame) => {
    const { id, method } = JSON.parse(response.payloadData) as { id?: number; method?: string };
    if (id !== undefined && method !== undefined) asked.set(id, { method, at: timestamp });
  });
  cdp.on('Network.webSocketFrameReceived', ({ timestamp, response }: Frame) => {
    const id = Number(/^\{"id":(\d+)/.exec(response.payloadData)?.[1] ?? 0);
    const call = asked.get(id);
    if (!call) return;
    asked.delete(id);
    timings.push({ method: call.method, ms: (timestamp - call.at) * 1000 });
    if (!ROWS.has(call.method)) return;
    listener?.(call.method);
    listener = undefined;
  });
  return {
    apiTimings: () => {
      const all = timings;
      timings = [];
      return all;
    },
    onRows: (next) => {
      listener = next;
    },
  };
}

/** Opens a browser with an instrumented page; nothing is loaded yet. */
export async function openConsolePage(): Promise<ConsolePage> {
  const browser = await openBrowser();
  const page = browser.context.pages()[0] ?? (await browser.newPage());
  await browser.context.addInitScript(INSTRUMENTS);
  const cdp = await browser.context.newCDPSession(page);
  await cdp.send('Network.enable');
  // Durations in processor time.
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  const processes = await browser.context.browser()?.newBrowserCDPSession();
  if (!processes) throw new Error('this Chromium does not tell of its processes');
  return {
    page,
    cdp,
    ...watchSocket(cdp),
    complaints: () => browser.complaints(),
    heap: async () => {
      await cdp.send('HeapProfiler.collectGarbage');
      const { usedSize } = await cdp.send('Runtime.getHeapUsage');
      const { metrics } = await cdp.send('Performance.getMetrics');
      const of = (name: string): number => metrics.find((metric) => metric.name === name)?.value ?? 0;
      return { bytes: usedSize, nodes: of('Nodes'), listeners: of('JSEventListeners') };
    },
    cpu: async () => {
      const { processInfo } = await processes.send('SystemInfo.getProcessInfo');
      const of = (type: string): number =>
        processInfo.filter((each) => each.type === type).reduce((sum, each) => sum + cpuSeconds(each.id), 0);
      return { renderer: of('renderer'), gpu: of('GPU') };
    },
    close: () => browser.close(),
  };
}

/** Waits until an expression holds in the page, whose policy forbids Playwright's own way of doing that. */
export async function waitInPage(page: Page, is: string): Promise<void> {
  const until = performance.now() + 20_000;
  // The page may be on its way to another address: asked again there.
  while ((await page.evaluate(`Boolean(${is})`).catch(() => false)) !== true) {
    if (performance.now() > until) throw new Error(`did not happen in the page within 20 s: ${is}`);
    await page.waitForTimeout(20);
  }
}

/** Milliseconds from the next input of this type until `is` (a JavaScript expression) holds and was drawn. */
export async function timeUntil(
  console_: ConsolePage,
  inputType: InputType,
  is: string,
  input: () => Promise<unknown>,
): Promise<number> {
  await console_.page.evaluate(`bench.arm(${JSON.stringify(inputType)}, () => ${is}, 10_000)`);
  await input();
  return Number(await console_.page.evaluate('bench.answer'));
}

/** Durations of the interactions since it was last called: from the input to the next frame, in steps of 8 ms. */
export async function interactions(console_: ConsolePage): Promise<number[]> {
  // Chromium hands entries over in a task of their own after the frame.
  await console_.page.waitForTimeout(60);
  return await console_.page.evaluate<number[]>('bench.inputs.splice(0).map(({ duration }) => duration)');
}

/** Milliseconds from an input that asks for other rows until they are drawn. */
export async function timeToRows(
  console_: ConsolePage,
  inputType: InputType,
  input: () => Promise<unknown>,
): Promise<number> {
  await console_.page.evaluate('bench.age()');
  return timeUntil(console_, inputType, 'bench.isAnswered()', input);
}

/** Times between frames of a page while `work` goes on, ms. */
export async function framesDuring(page: Page, work: () => Promise<unknown>): Promise<number[]> {
  await page.evaluate('bench.startFrames()');
  await work();
  const stamps = await page.evaluate<number[]>('bench.stopFrames()');
  return stamps.slice(1).map((stamp, at) => stamp - (stamps[at] ?? stamp));
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
