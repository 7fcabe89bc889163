/** The process tree of a build: opened, read to its end, scrolled, children of children opened. */
import { round } from './agent-under-test.ts';
import { MAKE_ENTITY, directChildren } from './build-events.ts';
import { type Report, reportFrames } from './console-judge.ts';
import { type ConsolePage, percentile, timeUntil, waitInPage } from './console-page.ts';
import { type Work, workDuring } from './console-work.ts';

interface TreeTimes {
  /** From the address until its rows are there. */
  openMs: number;
  /** Until all direct children of make were read, and how many rows there were. */
  readMs: number;
  rows: number;
  opening: Work;
  reading: Work;
  scrolling: Work;
  /** Opening the children of children, one after the other. */
  expanding: Work;
  expandMs: number[];
}

const GRID = "document.getElementById('process-tree')";
const rowCount = `Number(${GRID}?.getAttribute('aria-rowcount') ?? 0)`;

/** Opens the tree of the build, reads it to its end, scrolls and opens parts of it. */
async function treeTimes(console_: ConsolePage, count: number, milliseconds: number): Promise<TreeTimes> {
  const { page } = console_;
  const direct = directChildren(count);
  let openMs = 0;
  const opening = await workDuring(console_, async () => {
    const begun = performance.now();
    await page.evaluate(`location.hash = '#/processes?p=${MAKE_ENTITY}'`);
    await waitInPage(
      page,
      `${rowCount} > 3 && document.querySelector('.row[data-alike], .row[data-process]')`,
    );
    openMs = performance.now() - begun;
    await page.waitForTimeout(1000);
  });
  await page.getByLabel('Alike as one').uncheck();
  await page.locator('#process-tree').focus();
  let readMs = 0;
  const reading = await workDuring(console_, async () => {
    const begun = performance.now();
    while (Number(await page.evaluate(rowCount)) < direct) {
      if (performance.now() - begun > 120_000) throw new Error('the children of the build did not come');
      await page.keyboard.press('End');
      await page.waitForTimeout(30);
    }
    readMs = performance.now() - begun;
  });
  const rows = Number(await page.evaluate(rowCount));
  const scrolling = await workDuring(console_, async () => {
    await page.locator('#process-tree').hover();
    const until = performance.now() + milliseconds;
    for (let n = 0; performance.now() < until; n += 1) {
      if (n % 60 === 59) await page.evaluate(`${GRID}.scrollTop = ${GRID}.scrollHeight * ${(n % 7) / 7}`);
      await page.mouse.wheel(0, n % 4 === 3 ? -240 : 240);
      await page.waitForTimeout(8);
    }
  });
  const expandMs: number[] = [];
  const expanding = await workDuring(console_, async () => {
    await page.locator('#process-tree').focus();
    await page.keyboard.press('Home');
    const shells = page.locator('.row[data-process][aria-expanded=false]');
    for (let n = 0; n < 10; n += 1) {
      await shells.nth(0).waitFor();
      const shell = await shells.nth(0).getAttribute('data-process');
      await shells.nth(0).click({ position: { x: 200, y: 10 } });
      const isOpen = `document.querySelector('.row[data-process="${shell}"]')?.getAttribute('aria-expanded') === 'true'`;
      expandMs.push(await timeUntil(console_, 'keydown', isOpen, () => page.keyboard.press('ArrowRight')));
    }
  });
  return { openMs, readMs, rows, opening, reading, scrolling, expanding, expandMs };
}

/** Measures it and says what it took. */
export async function treeOfBuild(
  console_: ConsolePage,
  count: number,
  scrollMs: number,
  report: Report,
): Promise<void> {
  const tree = await treeTimes(console_, count, scrollMs);
  const of = `tree of a build of ${count} processes`;
  report(`${of}, until its rows are there`, tree.openMs, 'ms', {
    note: `all ${tree.rows} rows read in ${round(tree.readMs)} ms; opening one more: p50 ${round(percentile(tree.expandMs, 0.5))}, worst ${round(Math.max(...tree.expandMs))} ms`,
  });
  for (const [what, work] of [
    ['opening', tree.opening],
    ['reading all children', tree.reading],
    ['scrolling', tree.scrolling],
    ['opening children', tree.expanding],
  ] as const) {
    const { frames, frameWorkMs, longestTaskMs } = work;
    const note = `${frames.length} frames, longest task ${round(longestTaskMs)} ms`;
    reportFrames(`${of}, ${what}`, Math.max(...frames), frameWorkMs, { note }, report);
  }
}
