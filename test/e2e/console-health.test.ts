/** Health in a browser, against a real agent: what it says is what the agent, the machine and `sentinel doctor` say. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../agent/api/client.ts';
import { connectAgent } from './agent-client.ts';
import type { DoctorCheck } from '../../agent/api/contract.ts';
import { socketPathOf } from '../../agent/api/socket-server.ts';
import { type TestBrowser, browserPath, openBrowser } from './browser.ts';
import { type AgentProcess, startAgentProcess } from './packaged-agent.ts';

if (browserPath === undefined) console.warn('SKIPPED: health in a browser: no Chromium is installed');

let agent: AgentProcess;
let api: ApiClient;
let browser: TestBrowser;
let page: Page;

const section = (title: string) =>
  page.locator('.health-section').filter({ has: page.getByRole('heading', { name: title, level: 2 }) });
/** What stands beside a name in a section. */
const figure = (title: string, name: string) =>
  section(title)
    .locator('.figure')
    .filter({ has: page.locator('dt', { hasText: new RegExp(`^${name}$`) }) });

describe.skipIf(browserPath === undefined)('health (needs Chromium)', () => {
  beforeAll(async () => {
    agent = await startAgentProcess({ args: ['--scope', `pid:${process.pid}`, '--console', 'on'] });
    api = await connectAgent(socketPathOf(agent.dataDir));
    browser = await openBrowser();
    page = await browser.newPage();
    await page.goto(agent.consoleUrl!);
    await page.locator('.state').waitFor();
    await page.evaluate("location.hash = '#/health'");
    await page.getByRole('heading', { name: 'Write-ahead log' }).waitFor();
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    api?.close();
    await agent?.stop();
    agent?.remove();
  });

  it('says the state in the one sentence that the agent and its command say', async () => {
    const { sentence, problems } = await api.call('health.get', {});
    const said = await agent.cli('status');
    expect(said.stdout).toContain(sentence);
    await expect.poll(() => page.locator('h1').innerText()).toBe(sentence);
    expect(await page.locator('.problem').count()).toBe(problems.length);
    for (const { remedy } of problems) await page.getByText(remedy.split('\n')[0]!).first().waitFor();
  });

  it('shows every hook with its state, and the blind spots', async () => {
    const { sensor } = await api.call('health.get', {});
    const rows = section('Sensor').locator('tbody tr');
    expect(await rows.count()).toBe(sensor.hooks.length);
    for (const hook of sensor.hooks) {
      const row = rows.filter({ has: page.getByText(hook.name, { exact: true }) });
      expect(await row.first().innerText(), hook.name).toContain(hook.state);
    }
    for (const { what } of sensor.blindSpots) {
      expect(await section('Sensor').innerText()).toContain(what.slice(0, 60));
    }
  });

  it('asks the machine what `sentinel doctor` asks it, and says what to do', async () => {
    const { stdout } = await agent.cli('doctor', '--json');
    const checks = (JSON.parse(stdout) as { checks: DoctorCheck[] }).checks.filter(
      ({ name }) => name !== 'agent',
    );
    const doctor = section('What this machine allows');
    await doctor.locator('li').first().waitFor();
    expect(await doctor.locator('li').count()).toBe(checks.length);
    const text = await doctor.innerText();
    for (const { name, remedy } of checks) {
      expect(text).toContain(name);
      if (remedy !== undefined) expect(text).toContain(remedy);
    }
  });

  it('shows what agent and console cost', async () => {
    await expect.poll(() => figure('Agent', 'Memory').innerText()).toMatch(/\d+ MB/);
    await expect.poll(() => figure('This console', 'Script memory').innerText()).toMatch(/[1-9][\d.]* MB/);
    await expect.poll(() => figure('This console', 'Main thread').innerText()).toMatch(/\d %/);
    expect(await section('Agent').getByRole('img').count()).toBeGreaterThanOrEqual(2);
    expect(await figure('Machine', 'Free').innerText()).toMatch(/[GT]B/);
  });

  it('says who was turned away last, and why', async () => {
    const { origin } = new URL(agent.consoleUrl!);
    const foreign = await fetch(`${origin}/api`, {
      headers: { host: new URL(origin).host, origin: 'http://evil.example' },
    });
    expect(foreign.status).toBeGreaterThanOrEqual(400);
    const { api: counted } = await api.call('health.get', {});
    expect(counted.lastRefusal).toBeDefined();
    const last = figure('Local API', 'Last refused');
    await last.waitFor();
    expect(await last.innerText()).toMatch(/origin|session|method/);
    await expect.poll(() => figure('Local API', 'Refused').innerText()).toContain(String(counted.refused));
  });

  it('speaks Spanish without a word of the English table left', async () => {
    await page.evaluate(`{
      const prefs = JSON.parse(localStorage.getItem('sentinel.console') ?? '{}');
      localStorage.setItem('sentinel.console', JSON.stringify({ ...prefs, locale: 'es' }));
      location.reload();
    }`);
    await page.getByRole('heading', { name: 'Esta consola' }).waitFor();
    const headings = await page.locator('.health-section h2').allInnerTexts();
    for (const english of ['Rates', 'Agent', 'Sensor', 'Latency', 'Machine', 'Sinks'])
      expect(headings.filter((heading) => heading === english && english !== 'Sensor')).toEqual([]);
    expect(await page.evaluate('document.documentElement.lang')).toBe('es');
  });
});
