/** A real agent and a browser that shows its console: what most tests of the console begin with. */
import type { BrowserContextOptions, Page } from 'playwright-core';
import type { ApiClient } from '../../agent/api/client.ts';
import { connectAgent } from './agent-client.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import { type TestBrowser, openBrowser } from './browser.ts';
import { type AgentProcess, startAgentProcess } from './packaged-agent.ts';

export interface ConsoleSession {
  readonly agent: AgentProcess;
  readonly api: ApiClient;
  readonly browser: TestBrowser;
  readonly page: Page;
  /** Goes to an address within the console. */
  go(hash: string): Promise<void>;
  /** Ends the browser and the agent, and removes what it kept. */
  close(): Promise<void>;
}

export interface ConsoleSettings {
  /** Further arguments of `sentinel run`; by default it watches what the test itself starts. */
  args?: readonly string[];
  /** Starts the agent some other way. */
  start?: () => Promise<AgentProcess>;
  browser?: BrowserContextOptions;
}

/** Starts both and waits until the console shows its list. */
export async function openConsole(settings: ConsoleSettings = {}): Promise<ConsoleSession> {
  const args = settings.args ?? ['--scope', `pid:${process.pid}`, '--console', 'on'];
  const agent = await (settings.start ?? (() => startAgentProcess({ args })))();
  const closers: (() => unknown)[] = [() => agent.remove(), () => agent.stop()];
  const close = async (): Promise<void> => {
    for (const end of closers.splice(0).reverse()) await end();
  };
  try {
    const api = await connectAgent(dataPaths(agent.dataDir).socket);
    closers.push(() => api.close());
    const browser = await openBrowser([], settings.browser);
    closers.push(() => browser.close());
    const page = await browser.newPage();
    page.setDefaultTimeout(20_000);
    await page.goto(agent.consoleUrl!);
    await page.locator('#event-list').waitFor();
    const go = (hash: string): Promise<void> => page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
    return { agent, api, browser, page, go, close };
  } catch (error) {
    await close();
    throw error;
  }
}
