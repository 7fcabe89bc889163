/**
 * What a reader does with the Timeline in a browser, against a real agent: columns, pins, choosing rows, looking around
 * an event, the histogram, facets of any field, saved searches, and the hole that a stopped agent leaves in the record.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../agent/api/client.ts';
import { connectAgent } from './agent-client.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import { listSegments } from '../../agent/wal/segments.ts';
import { socketPathOf } from '../../agent/api/socket-server.ts';
import { type TestBrowser, browserPath, openBrowser } from './browser.ts';
import { type AgentProcess, startAgentProcess } from './packaged-agent.ts';

if (browserPath === undefined) console.warn('SKIPPED: the timeline in a browser: no Chromium is installed');
const MARK = `timeline-e2e-${process.pid}`;
const RUNS = 12;
/** Two header copies of a page each come first. */
const SEGMENT_DATA_OFFSET = 8192;
const args = ['--scope', `pid:${process.pid}`, '--console', 'on'];

let agent: AgentProcess;
let api: ApiClient;
let browser: TestBrowser;
let page: Page;

const rows = (text: string) =>
  page.locator('.row[data-event]').filter({ hasText: new RegExp(`${text}(?!\\d)`) });
const header = () => page.locator('.list-head [role=columnheader]').allInnerTexts();
const params = (): URLSearchParams => new URLSearchParams(page.url().split('?')[1]);
const run = (name: string): Buffer => execFileSync('/bin/echo', [`${MARK}-${name}`, 'two words']);

async function go(query: string, rest = ''): Promise<void> {
  await page.evaluate(
    `location.hash = ${JSON.stringify(`#/timeline?q=${encodeURIComponent(query)}${rest}`)}`,
  );
}
const runsQuery = `cmd:${MARK}-run and action:exec`;
async function showRuns(): Promise<void> {
  await go(runsQuery);
  await rows(`${MARK}-run-${RUNS - 1}`)
    .first()
    .waitFor();
  await expect.poll(() => rows(`${MARK}-run`).count()).toBe(RUNS);
}
/** Chooses an item of the Display menu and closes it. */
async function display(role: 'menuitemradio' | 'menuitemcheckbox', name: string): Promise<void> {
  await page.getByRole('button', { name: 'Display' }).click();
  await page.getByRole(role, { name, exact: true }).click();
  await page.keyboard.press('Escape');
}
/** Freezes the agent this test started, and lets it go on. */
const frozen = {
  stop: (): boolean => process.kill(agent.pid, 'SIGSTOP'),
  go: (): boolean => process.kill(agent.pid, 'SIGCONT'),
};
const clipboard = async (): Promise<string> => String(await page.evaluate('navigator.clipboard.readText()'));

describe.skipIf(browserPath === undefined)('the timeline (needs Chromium)', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    agent = await startAgentProcess({ args });
    api = await connectAgent(socketPathOf(agent.dataDir));
    browser = await openBrowser();
    page = await browser.newPage();
    await browser.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.goto(agent.consoleUrl!);
    await page.locator('#event-list').waitFor();
    for (let n = 0; n < RUNS; n += 1) run(`run-${n}`);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    api?.close();
    await agent?.stop();
    agent?.remove();
  });

  it('says where the matches end, and where the record begins', async () => {
    await showRuns();
    await page.getByText('No earlier matches').waitFor();
    expect(await page.getByText('The record begins here').count()).toBe(0);
    await go('');
    await page.locator('#event-list').focus();
    await expect
      .poll(
        async () => {
          await page.keyboard.press('End');
          return page.getByText('The record begins here').count();
        },
        { timeout: 20_000, interval: 150 },
      )
      .toBe(1);
  });

  it('shows the columns a reader wants, any field among them, and remembers', async () => {
    await showRuns();
    await display('menuitemcheckbox', 'Parent');
    await expect.poll(header).toContain('Parent');
    const parent = await rows(`${MARK}-run-0`).locator('[data-field="parent.name"]').last().innerText();
    const { events } = await api.call('events.query', { query: runsQuery, limit: 1 });
    expect(parent).toBe(events[0]?.parent?.name);
    await rows(`${MARK}-run-0`).locator('[data-field=pid]').click();
    await page.getByRole('menuitem', { name: 'Hide this column' }).click();
    await expect.poll(header).not.toContain('PID');
    await rows(`${MARK}-run-1`).click();
    await page.getByRole('tab', { name: 'Fields' }).click();
    await page.locator('.field', { hasText: 'process.gid' }).locator('.value').click();
    await page.getByRole('menuitem', { name: 'Show as a column' }).click();
    await expect.poll(header).toContain('gid');
    await page.keyboard.press('Escape');
    await page.reload();
    await expect.poll(header).toContain('gid');
    await page.getByRole('button', { name: 'Display' }).click();
    await page.getByRole('menuitem', { name: 'The usual columns' }).click();
    await page.keyboard.press('Escape');
    await expect.poll(header).toContain('PID');
  });

  it('tells time as the moment or as how long ago, and the moment on hover either way', async () => {
    await showRuns();
    const time = rows(`${MARK}-run-2`).locator('.row-time');
    expect(await time.innerText()).toMatch(/^\d\d:\d\d:\d\d\.\d{3}$/);
    await display('menuitemradio', 'relative');
    await expect.poll(() => time.innerText()).toMatch(/ago|now/);
    expect(await time.getAttribute('title')).toMatch(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9}/);
    await display('menuitemradio', 'absolute');
  });

  it('chooses several rows and copies exactly those, oldest first', async () => {
    await showRuns();
    await rows(`${MARK}-run-7`).click({ modifiers: ['Control'] });
    await rows(`${MARK}-run-4`).click({ modifiers: ['Shift'] });
    await page.getByText('4 rows chosen').waitFor();
    await rows(`${MARK}-run-9`).click({ modifiers: ['Control'] });
    await page.getByRole('button', { name: 'Copy as NDJSON' }).click();
    await expect.poll(clipboard).toContain(`${MARK}-run-9`);
    const lines = (await clipboard()).trimEnd().split('\n');
    const copied = lines.map((line) => (JSON.parse(line) as { process: { argv: string[] } }).process.argv[1]);
    expect(copied).toEqual([4, 5, 6, 7, 9].map((n) => `${MARK}-run-${n}`));
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('.selection-bar').count()).toBe(0);
    await page.locator('#event-list').focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('x');
    await page.keyboard.press('Shift+ArrowDown');
    await page.keyboard.press('Shift+ArrowDown');
    await page.getByText('3 rows chosen').waitFor();
    await page.keyboard.press('Escape');
  });

  it('keeps a pinned event in sight whatever the query, and in the address', async () => {
    await showRuns();
    await page.locator('#event-list').focus();
    await rows(`${MARK}-run-3`).click();
    await page.keyboard.press('b');
    const pin = page.locator('.pins .pin');
    await pin.filter({ hasText: `${MARK}-run-3` }).waitFor();
    const id = params().get('pin');
    expect(id).toBe(params().get('e'));
    await page.keyboard.press('Escape');
    await go('type:network', `&pin=${id}`);
    await pin.filter({ hasText: `${MARK}-run-3` }).waitFor();
    await page.reload();
    await pin.filter({ hasText: `${MARK}-run-3` }).waitFor();
    await pin.getByRole('button', { name: 'Unpin' }).click();
    await expect.poll(() => page.locator('.pins').count()).toBe(0);
  });

  it('shows everything around an event, unfiltered, as the agent has it, and comes back to the query', async () => {
    await showRuns();
    await rows(`${MARK}-run-5`).click();
    await page.keyboard.press('a');
    await page.getByText('Everything recorded around').waitFor();
    const eventId = params().get('around')!;
    const selected = page.locator(`.row[data-event="${eventId}"][aria-selected=true]`);
    await selected.waitFor();
    await page.getByRole('button', { name: '±10', exact: true }).click();
    await selected.waitFor();
    const around = await api.call('events.around', { eventId, before: 10, after: 10 });
    // Its neighbours too, which the query does not find; several that are alike are one row, under the id of one of them.
    const at = around.events.findIndex((event) => event.eventId === eventId);
    for (const side of [around.events.slice(0, at), around.events.slice(at + 1)]) {
      const any = side.map(({ eventId: near }) => `.row[data-event="${near}"]`).join(', ');
      await page.locator(any).first().waitFor();
    }
    expect(around.events.some((event) => event.action !== 'exec')).toBe(true);
    await page.getByRole('button', { name: 'Back to the query' }).click();
    await expect.poll(() => params().get('around')).toBe(null);
    expect(params().get('q')).toBe(runsQuery);
    await expect.poll(() => page.locator('.row[data-event]').count()).toBe(RUNS);
    await page.keyboard.press('Escape');
  });

  it('divides the histogram by type, and zooms by keyboard and by brush', async () => {
    await go('');
    await display('menuitemradio', 'type');
    const histogram = page.locator('.histogram');
    await histogram.hover({ position: { x: 300, y: 30 } });
    await histogram.focus();
    for (const key of ['Home', 'Shift+End']) await page.keyboard.press(key);
    await expect.poll(() => page.locator('.histogram-tip').innerText()).toMatch(/process/);
    await page.keyboard.press('Enter');
    await expect.poll(() => params().get('q')).toMatch(/^since:\S+Z and until:\S+Z$/);
    const narrow = params().get('q');
    await expect.poll(() => page.locator('.toolbar-total').innerText()).toMatch(/event/);
    const box = (await histogram.boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.2, box.y + 30);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 30, { steps: 5 });
    await page.mouse.up();
    await expect.poll(() => params().get('q')).not.toBe(narrow);
    await page.goBack();
    await expect.poll(() => params().get('q')).toBe(narrow);
    await display('menuitemradio', 'severity');
  });

  it('counts the values of any field', async () => {
    await showRuns();
    await page.getByLabel('Count another field…').selectOption('cwd');
    const facet = page.locator('.facet', { hasText: 'Working directory' });
    await facet.locator('.facet-value').first().waitFor();
    const { facets } = await api.call('events.facets', { query: runsQuery, fields: ['cwd'], top: 8 });
    expect(await facet.locator('.facet-count').allInnerTexts()).toEqual(
      facets[0]!.values.map((value) => String(value.count)),
    );
    await facet.locator('.facet-pick').first().click();
    await expect.poll(() => params().get('q')).toContain('and cwd:');
    await facet.getByRole('button', { name: 'Stop counting' }).click();
    await expect.poll(() => facet.count()).toBe(0);
  });

  it('saves a query under a name, runs it from there and from the palette, and forgets it', async () => {
    await showRuns();
    const star = page.getByRole('button', { name: 'Saved searches' });
    await star.click();
    await page.getByPlaceholder('Name for this query').fill('My runs');
    await page.keyboard.press('Enter');
    await page.locator('.saved-item', { hasText: 'My runs' }).waitFor();
    const { items } = await api.call('saved.list', { kind: 'search' });
    expect(items.map(({ name, value }) => [name, JSON.parse(value)])).toEqual([
      ['My runs', { query: runsQuery }],
    ]);
    await page.keyboard.press('Escape');
    await go('');
    await page.reload();
    await page.locator('#event-list').waitFor();
    await page.waitForTimeout(300);
    await page.keyboard.press('Control+k');
    await page.keyboard.type('my runs');
    await page.keyboard.press('Enter');
    await expect.poll(() => params().get('q')).toBe(runsQuery);
    await star.click();
    await page.getByRole('button', { name: 'Remove “My runs”' }).click();
    await page.getByText('No saved searches yet').waitFor();
    await page.keyboard.press('Escape');
  });

  it('exports what the query finds, inert in a spreadsheet, and can be stopped', async () => {
    execFileSync('/bin/echo', [`${MARK}-evil`, '=HYPERLINK("http://127.0.0.1/")', '\u001B[31m']);
    await go(`cmd:${MARK}-evil and action:exec`);
    await rows(`${MARK}-evil`).first().waitFor();
    const exportButton = page.getByRole('button', { name: 'Export', exact: true });
    const saved = async (format: string): Promise<string> => {
      const download = page.waitForEvent('download');
      await page.getByRole('button', { name: format, exact: true }).click();
      const file = await download;
      expect(file.suggestedFilename()).toMatch(
        new RegExp(`^sentinel-.*-\\d{8}T\\d{6}Z\\.${format.toLowerCase()}$`),
      );
      return readFileSync(await file.path(), 'utf8');
    };
    await exportButton.click();
    const lines = (await saved('NDJSON')).trimEnd().split('\n');
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain('\u001B');
    expect((JSON.parse(lines[0]!) as { process: { argv: string[] } }).process.argv[2]).toContain(
      '=HYPERLINK',
    );
    await page.getByText('1 of 1 events').waitFor();
    const csv = await saved('CSV');
    expect(csv.trimEnd().split('\r\n')).toHaveLength(2);
    expect(csv).not.toMatch(/(^|,|"|\n)[=+@]/);
    await page.keyboard.press('Escape');
    // A slow line: the answer to the first piece is what is waited for when it is stopped.
    await go('');
    await exportButton.click();
    frozen.stop();
    await page.getByRole('button', { name: 'NDJSON', exact: true }).click();
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    frozen.go();
    await page.getByText('Stopped. Nothing was saved.').waitFor();
    await page.keyboard.press('Escape');
  });

  it('shows the hole a stopped agent left, between the rows on its sides, whatever the query', async () => {
    expect(browser.complaints()).toEqual([]);
    api.close();
    await agent.stop();
    agent = await startAgentProcess({ dataDir: agent.dataDir, args });
    api = await connectAgent(socketPathOf(agent.dataDir));
    await page.goto((await api.call('console.url', {})).url);
    await page.locator('#event-list').waitFor();
    run('run-after');
    await go(runsQuery);
    await rows(`${MARK}-run-after`).first().waitFor();
    const hole = rows(`${MARK}-run-after`).first().locator('.row-hole');
    await expect.poll(() => hole.innerText()).toContain('agent was not running');
  });

  it('verifies the logs from the proof of a record, and finds a byte that was changed', async () => {
    await rows(`${MARK}-run-after`).first().click();
    await page.getByRole('tab', { name: 'Proof' }).click();
    const verdict = page.locator('.verify-verdict');
    await page.getByRole('button', { name: 'Verify now' }).click();
    await expect.poll(() => verdict.innerText(), { timeout: 30_000 }).toContain('Both logs hold');
    // The signature over a record follows it by up to two seconds: a check before that says so, a later one finds it.
    await expect
      .poll(
        async () => {
          const isCovered = await page.getByText('vouched for by a signature that holds').isVisible();
          if (!isCovered) await page.getByRole('button', { name: 'Verify now' }).click();
          await verdict.waitFor();
          return isCovered;
        },
        { timeout: 60_000, interval: 2000 },
      )
      .toBe(true);
    const [segment] = listSegments(dataPaths(agent.dataDir).securityLog);
    const file = openSync(segment!.path, 'r+');
    const byte = Buffer.alloc(1);
    const at = SEGMENT_DATA_OFFSET + 200;
    readSync(file, byte, 0, 1, at);
    writeSync(file, Buffer.from([byte[0]! ^ 1]), 0, 1, at);
    await page.getByRole('button', { name: 'Verify now' }).click();
    await expect.poll(() => verdict.innerText(), { timeout: 30_000 }).toContain('do not hold');
    expect(await page.locator('.verify').innerText()).toContain(`segment ${segment!.number}`);
    writeSync(file, byte, 0, 1, at);
    closeSync(file);
  });
});
