/**
 * The console in Chromium against the real agent and real events: a workload runs while the page is open, and what it
 * did can be seen, queried, opened and explained. Screenshots of each view go to out/screenshots.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { type TestContext, afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../agent/api/client.ts';
import { connectAgent } from './agent-client.ts';
import { socketPathOf } from '../../agent/api/socket-server.ts';
import { type AgentProcess, projectRoot, startAgentProcess } from './packaged-agent.ts';
import { type TestBrowser, browserPath, openBrowser } from './browser.ts';
import { type TestCgroup, makeCgroup } from './cgroup.ts';
import { type WorkloadResult, runWorkload } from './workload.ts';

const SCREENSHOTS = join(projectRoot, 'out', 'screenshots');
const SIZES = [
  { width: 1440, height: 900 },
  { width: 1024, height: 700 },
];

let cgroup: TestCgroup | undefined;
let agent: AgentProcess;
let api: ApiClient;
let browser: TestBrowser;
let page: Page;
let workload: WorkloadResult | undefined;

const port = (): string => new URL(agent.consoleUrl!).port;
const scope = (): string[] => ['--scope', cgroup ? `cgroup:${cgroup.path}` : `pid:${process.pid}`];

beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  if (!browserPath) return;
  cgroup = makeCgroup();
  agent = await startAgentProcess({ args: [...scope(), '--console', 'on'] });
  api = await connectAgent(socketPathOf(agent.dataDir));
  browser = await openBrowser();
  page = await browser.newPage();
}, 60_000);

afterAll(async () => {
  api?.close();
  await browser?.close();
  await agent?.stop();
  agent?.remove();
  workload?.remove();
  await cgroup?.remove();
});

/** What the workload did; skips the test where the sensor cannot see it. */
function ran(context: TestContext): WorkloadResult {
  if (agent.sensorTier !== 'lsm' && agent.sensorTier !== 'tracepoint') {
    context.skip(`SKIPPED: this machine only allows the ${agent.sensorTier} sensor (needs root and BPF)`);
  }
  if (!workload) throw new Error('the workload did not run');
  return workload;
}

const rows = () => page.locator('#event-list [data-event]');

/** Runs a query as a person would, waits until its rows say what they should, and compares them with the agent's. Returns how many. */
async function query(text: string, ...expected: (string | RegExp)[]): Promise<number> {
  await page.keyboard.press('Escape');
  await page.locator('#query-input').fill(text);
  await page.keyboard.press('Enter');
  await expect.poll(() => new URLSearchParams(page.url().split('?')[1]).get('q')).toBe(text);
  // A text cut in the middle for the eye is whole in the document, in two parts.
  const said = async (): Promise<string> => (await rows().allTextContents()).join('\n');
  for (const each of expected) {
    const matching = typeof each === 'string' ? expect.stringContaining(each) : expect.stringMatching(each);
    await expect.poll(said, { timeout: 10_000 }).toEqual(matching);
  }
  // The rows on screen are the answer, in its order: none left over, none twice.
  const { events } = await api.call('events.query', { query: text, limit: 20 });
  const ids = async (): Promise<(string | null)[]> => {
    const shown = await rows().all();
    return await Promise.all(shown.slice(0, 20).map((row) => row.getAttribute('data-event')));
  };
  await expect.poll(ids).toEqual(events.map((event) => event.eventId));
  return events.length;
}

async function screenshot(name: string): Promise<void> {
  for (const size of SIZES) {
    await page.setViewportSize(size);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(150);
      await page.screenshot({
        path: join(SCREENSHOTS, `${name}-${colorScheme}-${size.width}x${size.height}.png`),
      });
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize(SIZES[0]!);
}

if (!browserPath) console.warn('SKIPPED: the console needs Chromium (apt-get install chromium)');

describe.skipIf(!browserPath)('the console (skipped: needs Chromium)', { timeout: 90_000 }, () => {
  it('opens from the printed address and says what the agent says of itself', async () => {
    await page.goto(agent.consoleUrl!);
    await page.waitForURL((url) => url.pathname === '/');
    const { sentence } = await api.call('health.get', {});
    await expect.poll(() => page.locator('.state-text').textContent()).toBe(sentence);
    expect(await page.title()).toBe('Timeline · Sentinel');
    expect(browser.complaints()).toEqual([]);
  });

  it('shows what happens while it is open, without being asked', async (context) => {
    await page.mouse.move(700, 20);
    const before = await rows().count();
    workload = await runWorkload(cgroup?.path);
    ran(context);
    await rows().filter({ hasText: 'emoji' }).first().waitFor({ timeout: 15_000 });
    expect(await rows().count()).toBeGreaterThan(before);
  });

  it('finds the download: the command, the connection, the file', async (context) => {
    const work = ran(context);
    const url = `http://127.0.0.1:${work.port}/${work.token}`;
    const connection = new RegExp(`curl ?connected to ?127\\.0\\.0\\.1:${work.port}`);
    const found = await query(`pid:${work.pid('curl')}`, url, connection, join(work.dir, 'page.html'));
    expect(found).toBeGreaterThan(4);
  });

  it('finds the pipeline, the compiler and the program it made', async (context) => {
    const work = ran(context);
    expect(await query(`pid:${work.pid('sort')} action:exec`, /bash.*sort/)).toBe(1);
    expect(await query(`pid:${work.pid('head')} action:exec`, 'head -n 1')).toBe(1);
    // One compiler run for each of the three programs.
    expect(await query('image:*/cc1 action:exec', 'hello.c')).toBe(3);
    expect(await query(`image:${join(work.dir, 'hello')} action:exec`, './hello')).toBe(1);
  });

  it('finds the program that ran from memory, the debugger, and the renamed file', async (context) => {
    const work = ran(context);
    expect(await query(`pid:${work.pid('memfd')} action:exec`, /innocent --flag[\s\S]*memfd/)).toBe(2);
    expect(await query(`pid:${work.pid('memfd')} type:memory`, 'payload')).toBe(1);
    await query(`pid:${work.pid('tracer')} action:ptrace`, `(${work.pid('tracee')})`);
    const renamed = join(work.dir, 'renamed.txt');
    expect(await query(`file:${renamed} action:rename`, /notes\.txt.*renamed\.txt/)).toBe(1);
  });

  it('explains one event: summary, ancestry, fields, the record as written, its proof', async (context) => {
    const work = ran(context);
    await query(`pid:${work.pid('curl')} action:exec`, work.token);
    await rows().first().click();
    const detail = page.locator('aside.detail');
    await detail.waitFor();
    const tab = async (name: string): Promise<string> => {
      await detail.getByRole('tab', { name }).click();
      await page.waitForTimeout(200);
      return await detail.innerText();
    };
    expect(await tab('Ancestry')).toContain('bash');
    const fields = await tab('Fields');
    expect(fields).toContain(work.dir);
    expect(fields).toContain('/usr/bin/curl');
    expect(await tab('Raw')).toMatch(/[0-9a-f]{2}/);
    expect(await tab('Proof')).toMatch(/\d/);
    await tab('Summary');
    await screenshot('timeline-detail');
    // The address alone brings the same event back.
    await page.reload();
    await detail.getByText('curl').first().waitFor();
    await page.keyboard.press('Escape');
  });

  it('shows the agent as it is in Health, and fits both sizes in both themes', async () => {
    await page.goto(`${new URL(page.url()).origin}/#/timeline`);
    await page.waitForTimeout(500);
    expect(await page.locator('body').innerText()).not.toMatch(/NaN|undefined|\[object/);
    await screenshot('timeline');
    await page.goto(`${new URL(page.url()).origin}/#/detections`);
    await page.waitForTimeout(500);
    await screenshot('detections');
    await page.goto(`${new URL(page.url()).origin}/#/health`);
    await page.getByText('Write-ahead log').waitFor();
    const text = await page.locator('body').innerText();
    expect(text).not.toMatch(/NaN|undefined|\[object/);
    const health = await api.call('health.get', {});
    expect(text).toContain(health.dataDir);
    expect(text).toContain(health.host.kernel);
    await screenshot('health');
    for (const size of SIZES) {
      await page.setViewportSize(size);
      const overflow = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
      expect(overflow).toBeLessThanOrEqual(0);
    }
    await page.setViewportSize(SIZES[0]!);
    expect(browser.complaints()).toEqual([]);
  });

  it('says when the agent is gone, and that its session ended with it', async () => {
    const at = port();
    const { dataDir } = agent;
    api.close();
    expect(await agent.stop()).toBe(0);
    await page.locator('.banner[data-level=degraded]').waitFor();
    agent = await startAgentProcess({ dataDir, args: [...scope(), '--console', 'on', '--port', at] });
    expect(port()).toBe(at);
    await page.locator('.banner[data-level=failed]').waitFor({ timeout: 30_000 });
    expect(await page.locator('.banner').innerText()).toContain('sentinel console');
    api = await connectAgent(socketPathOf(agent.dataDir));
    const { url } = await api.call('console.url', {});
    await page.goto(url);
    await page.waitForURL((address) => address.pathname === '/');
    await page.locator('.state[data-level]').waitFor();
  });
});
