/**
 * A day of events pushed through in minutes while a window follows them and is used: what the window and the agent
 * hold afterwards, whether every record arrived, and how the console answered meanwhile.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../../agent/api/client.ts';
import type { HealthSnapshot } from '../../agent/api/contract.ts';
import { memoryMb } from './agent-under-test.ts';
import { type ConsolePage, percentile, timeToRows, timeUntil, waitInPage } from './console-page.ts';
import { mainThreadMs } from './console-work.ts';

export interface EnduranceOptions {
  console: ConsolePage;
  api: ApiClient;
  agentPid: number;
  /** Records the replay sensor delivers in all. */
  records: number;
  sampleMs: number;
  /** Gives up waiting for the end of the replay. */
  limitMs: number;
  /** Also goes through the tabs of a detail, scrolls and visits every view. */
  isThorough?: boolean;
}

export interface Endurance {
  /** Records the sensor delivered. */
  delivered: number;
  /** After forced collections, in order. */
  heapMb: number[];
  nodes: number[];
  agentAnonymousMb: number[];
  agentPssMb: number[];
  /** From the click until the details are there. */
  openMs: number[];
  /** Processor time of the page's main thread for it. */
  openWorkMs: number[];
  /** From Enter until the rows are there. */
  queryMs: number[];
  /** From the key until the view is there, by view. */
  viewMs: Record<string, number[]>;
  health: HealthSnapshot;
}

type Used = Pick<Endurance, 'openMs' | 'openWorkMs' | 'queryMs' | 'viewMs'>;

/** Also when the replay was over before. */
const LEAST_TURNS = 3;

const delivered = (health: HealthSnapshot): number =>
  health.sensor.hooks.reduce((sum, hook) => sum + (hook.events ?? 0), 0);

const VIEWS = { '2': 'Processes', '3': 'Detections', '4': 'Policies', '5': 'DLP', '6': 'Health' } as const;
const TITLED = "document.querySelector('#content h1')?.textContent.length > 0";

/** Goes through the tabs of an event, scrolls through many, and visits a view and what it shows first. */
async function visit(console_: ConsolePage, turn: number, viewMs: Used['viewMs']): Promise<void> {
  const { page } = console_;
  await page.locator('#event-list').hover({ position: { x: 300, y: 200 } });
  await page.locator('.row[data-event]').nth(2).locator('.row-time').click();
  for (let tab = 0; tab < 4; tab += 1) await page.keyboard.press(']');
  await page.keyboard.press('Escape');
  for (let n = 0; n < 20; n += 1) await page.mouse.wheel(0, 400);
  await page.keyboard.press('Escape');
  await page.evaluate('document.activeElement?.blur()');
  const keys = Object.keys(VIEWS) as (keyof typeof VIEWS)[];
  const key = keys[turn % keys.length]!;
  const isView = `location.hash.startsWith('#/${VIEWS[key].toLowerCase()}') && ${TITLED}`;
  const took = await timeUntil(console_, 'keydown', isView, () => page.keyboard.press(key));
  (viewMs[VIEWS[key]] ??= []).push(took);
  for (const press of ['j', 'Enter', 'Escape']) await page.keyboard.press(press);
  await page.evaluate('document.activeElement?.blur()');
  await page.keyboard.press('1');
  await waitInPage(page, "document.querySelector('.row[data-event]') !== null");
}

/** Opens the newest event and closes it again, then runs a query and goes back to everything, live. */
async function use(console_: ConsolePage, turn: number, found: Used): Promise<void> {
  const { page } = console_;
  const row = page.locator('.row[data-event]').nth(3);
  // Under the pointer nothing moves, so that what is clicked is what was aimed at.
  await page.locator('#event-list').hover({ position: { x: 300, y: 200 } });
  const worked = await mainThreadMs(console_);
  const openMs = await timeUntil(
    console_,
    'click',
    "document.querySelector('.panel-detail .detail-body')?.textContent.length > 0",
    () => row.locator('.row-time').click(),
  );
  found.openMs.push(openMs);
  found.openWorkMs.push((await mainThreadMs(console_)) - worked);
  await page.keyboard.press('Escape');
  await page.locator('#query-input').fill(['type:network', 'curl', 'severity:>=high'][turn % 3] ?? '');
  found.queryMs.push(await timeToRows(console_, 'keydown', () => page.keyboard.press('Enter')));
  await page.locator('#query-input').fill('');
  await page.keyboard.press('Enter');
  // Out of the list, so that it is live again.
  await page.keyboard.press('Escape');
  await page.locator('.toolbar').hover();
  await page.evaluate('document.activeElement?.blur()');
}

/** Uses the console until the replay has ended, and then until everything is stored. */
export async function endure(options: EnduranceOptions): Promise<Endurance> {
  const { console: console_, api, agentPid, records } = options;
  const found: Omit<Endurance, 'health' | 'delivered'> = {
    heapMb: [],
    nodes: [],
    agentAnonymousMb: [],
    agentPssMb: [],
    openMs: [],
    openWorkMs: [],
    queryMs: [],
    viewMs: {},
  };
  const begun = performance.now();
  let health = await api.call('health.get', {});
  for (let turn = 0; turn < LEAST_TURNS || delivered(health) < records; turn += 1) {
    if (performance.now() - begun > options.limitMs) break;
    await use(console_, turn, found);
    if (options.isThorough === true) await visit(console_, turn, found.viewMs);
    await sleep(options.sampleMs);
    const { bytes, nodes } = await console_.heap();
    const { anonymous, pss } = memoryMb(agentPid);
    found.heapMb.push(bytes / 1e6);
    found.nodes.push(nodes);
    found.agentAnonymousMb.push(anonymous);
    found.agentPssMb.push(pss);
    health = await api.call('health.get', {});
  }
  // A first page reflects all that was delivered before it was asked for; health is told of it within a second or two.
  await api.call('events.query', { query: '', limit: 1 });
  const stored = ({ totals }: HealthSnapshot): number => totals.security + totals.observability;
  for (let wait = 0; wait < 50; wait += 1) {
    health = await api.call('health.get', {});
    if (stored(health) >= records) break;
    await sleep(200);
  }
  return { ...found, delivered: delivered(health), health };
}

/** The middle third of a series and its last; the first is warming up. */
function thirds(series: readonly number[]): { middle: readonly number[]; last: readonly number[] } {
  const third = Math.floor(series.length / 3);
  if (third === 0) return { middle: series.slice(0, 1), last: series.slice(-1) };
  return { middle: series.slice(third, -third), last: series.slice(-third) };
}

/** How much the median of a series grew from its middle third to its last. */
export function growth(series: readonly number[]): number {
  const { middle, last } = thirds(series);
  return percentile(last, 0.5) - percentile(middle, 0.5);
}

/**
 * An agent's memory is not collected before it is measured, as the window's is: it goes up and down as it works. What it
 * comes down to must not grow.
 */
export function isBounded(anonymousMb: readonly number[]): boolean {
  const { middle, last } = thirds(anonymousMb);
  return Math.min(...last) <= 1.25 * Math.min(...middle) + 16;
}
