/** What a reader does with the console, timed: opens it, scrolls, asks, opens details, changes views, brushes. */
import type { Page } from 'playwright-core';
import {
  type ConsolePage,
  framesDuring,
  interactions,
  timeToRows,
  timeUntil,
  waitInPage,
} from './console-page.ts';
import { type Work, mainThreadMs, workDuring } from './console-work.ts';

export interface Paint {
  firstPaintMs: number;
  largestPaintMs: number;
  firstRowsMs: number;
}

/** Loads the console with nothing in Chromium's cache. */
export async function paintOf(console_: ConsolePage, url: string): Promise<Paint> {
  const { page, cdp } = console_;
  await page.goto('about:blank');
  await cdp.send('Network.clearBrowserCache');
  await page.goto(url);
  await waitInPage(page, 'bench.isPainted()');
  // The largest paint is told once it is known that it was: a little later.
  await page.waitForTimeout(300);
  return await page.evaluate<Paint>(
    `({ firstPaintMs: performance.getEntriesByName('first-contentful-paint')[0].startTime,
        largestPaintMs: bench.lcpMs, firstRowsMs: bench.firstRowsMs })`,
  );
}

export interface Scroll extends Work {
  /** Rows of the record that went past. */
  rows: number;
}

async function wheel(page: Page, ms: number): Promise<void> {
  const until = performance.now() + ms;
  for (let n = 0; performance.now() < until; n += 1) {
    // Three strokes down for one up, so that pages come in on both sides.
    await page.mouse.wheel(0, n % 80 < 60 ? 240 : -240);
    await page.waitForTimeout(8);
  }
}

async function keys(page: Page, ms: number): Promise<void> {
  await page.locator('#event-list').focus();
  const until = performance.now() + ms;
  for (let n = 0; performance.now() < until; n += 1) {
    await page.keyboard.press(n % 5 === 0 ? 'PageDown' : 'ArrowDown');
    await page.waitForTimeout(15);
  }
}

async function jump(page: Page, ms: number): Promise<void> {
  const until = performance.now() + ms;
  for (let n = 0; performance.now() < until; n += 1) {
    const to = n % 3 === 2 ? '0' : 'list.scrollHeight';
    await page.evaluate(`{ const list = document.getElementById('event-list'); list.scrollTop = ${to}; }`);
    await page.waitForTimeout(120);
  }
}

const SCROLLS = { wheel, keys, 'scrollbar jumps': jump } as const;

/** Scrolls through the newest pages of everything. */
export async function scroll(
  console_: ConsolePage,
  how: keyof typeof SCROLLS,
  milliseconds: number,
): Promise<Scroll> {
  const { page } = console_;
  await askFor(console_, '');
  await page.locator('#event-list').hover();
  console_.apiTimings();
  const work = await workDuring(console_, () => SCROLLS[how](page, milliseconds));
  const pages = console_.apiTimings().filter(({ method }) => method === 'events.query').length;
  return { ...work, rows: pages * 200 };
}

/** The same wheel on a page of plain text: what this machine can do at most now. */
export async function scrollPlain(console_: ConsolePage, milliseconds: number): Promise<number[]> {
  const page = await console_.page.context().newPage();
  try {
    const lines = Array.from({ length: 3000 }, (_, n) => `<div>line ${n} of a plain page</div>`).join('');
    await page.setContent(`<main style="font:13px/28px monospace">${lines}</main>`);
    await page.mouse.move(400, 400);
    return await framesDuring(page, () => wheel(page, milliseconds));
  } finally {
    await page.close();
  }
}

/** Runs a query from the query bar; the time from Enter to its rows. */
export async function askFor(console_: ConsolePage, query: string): Promise<number> {
  const { page } = console_;
  await page.keyboard.press('Escape');
  await page.locator('#query-input').fill(query);
  return timeToRows(console_, 'keydown', () => page.keyboard.press('Enter'));
}

export interface Step {
  name: string;
  /** From the input to the next frame, as Chromium's event timing tells it; 16 stands for "at most 16". */
  nextFrameMs: number[];
  /** From the input until what was asked for is there. */
  doneMs: number[];
  /** Processor time of the page's main thread meanwhile. */
  workMs: number[];
}

const INCLUDE = 'Only events with this';
const EXCLUDE = 'Leave these out';
const DETAIL = "document.querySelector('.panel-detail .detail-body')?.textContent.length > 0";
const shown = (title: string): string =>
  `document.querySelector('h1')?.textContent === ${JSON.stringify(title)}`;

/** One of each; `turn` says which row or bar, so that no two are the same. */
function stepsOf(
  console_: ConsolePage,
  turn: number,
): Record<string, { before: () => Promise<unknown>; act: () => Promise<number> }> {
  const { page } = console_;
  const key = (name: string, is: string) => (): Promise<number> =>
    timeUntil(console_, 'keydown', is, () => page.keyboard.press(name));
  const fresh = (): Promise<unknown> => askFor(console_, '');
  const nothing = (): Promise<void> => Promise.resolve();
  const row = (n: number) => page.locator('.row[data-event]').nth(n);
  const other = `document.querySelector('.panel-detail .detail') !== bench.detail && ${DETAIL}`;
  const openMenu = async (): Promise<void> => {
    await askFor(console_, 'type:file');
    await row(2 + turn)
      .locator('.say-actor[data-field]')
      .first()
      .click({ button: 'right' });
    await page.getByRole('menuitem', { name: INCLUDE }).waitFor();
  };
  const choose = (name: string) => (): Promise<number> =>
    timeToRows(console_, 'click', () => page.getByRole('menuitem', { name, exact: true }).click());
  return {
    'open an event': {
      before: fresh,
      act: () =>
        timeUntil(console_, 'click', DETAIL, () =>
          row(1 + turn)
            .locator('.row-time')
            .click(),
        ),
    },
    'next event': {
      before: () => page.evaluate("bench.detail = document.querySelector('.panel-detail .detail')"),
      act: key('j', other),
    },
    'next tab': { before: nothing, act: key(']', DETAIL) },
    'switch to health': { before: nothing, act: key('6', "document.querySelector('.health-grid') !== null") },
    'switch to detections': { before: nothing, act: key('3', shown('Detections')) },
    'switch to processes': { before: nothing, act: key('2', shown('Processes')) },
    'switch to timeline': {
      before: nothing,
      act: key('1', "document.querySelector('.row[data-event]') !== null"),
    },
    include: { before: openMenu, act: choose(INCLUDE) },
    exclude: { before: openMenu, act: choose(EXCLUDE) },
    'brush the histogram': {
      before: async () => {
        await fresh();
        await page.locator('.histogram[role=slider]').waitFor();
        const box = (await page.locator('.histogram').boundingBox())!;
        await page.mouse.move(box.x + box.width * (0.2 + turn / 50), box.y + 30);
        await page.mouse.down();
        await page.mouse.move(box.x + box.width * (0.5 + turn / 50), box.y + 30, { steps: 8 });
      },
      act: () => timeToRows(console_, 'pointerup', () => page.mouse.up()),
    },
    'type in the query bar': {
      before: () => page.locator('#query-input').fill(''),
      act: key('i', "document.getElementById('query-input').value === 'i'"),
    },
    'open the palette': {
      before: () => page.keyboard.press('Escape'),
      act: key('Control+k', "document.getElementById('palette-list') !== null"),
    },
  };
}

/** Does each step `turns` times. */
export async function stepTimes(console_: ConsolePage, turns: number): Promise<Step[]> {
  const steps = new Map<string, Step>();
  for (let turn = 0; turn < turns; turn += 1) {
    for (const [name, { before, act }] of Object.entries(stepsOf(console_, turn))) {
      await before();
      await interactions(console_);
      const worked = await mainThreadMs(console_);
      const doneMs = await act();
      const step = steps.get(name) ?? { name, nextFrameMs: [], doneMs: [], workMs: [] };
      steps.set(name, step);
      step.doneMs.push(doneMs);
      step.workMs.push((await mainThreadMs(console_)) - worked);
      step.nextFrameMs.push(Math.max(16, ...(await interactions(console_))));
    }
    await console_.page.keyboard.press('Escape');
  }
  return [...steps.values()];
}
