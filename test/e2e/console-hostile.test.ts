/**
 * Events whose every string was written by someone who wants more than to be read: markup, terminal escapes, text that
 * reorders or hides, spreadsheet formulae, a megabyte without a break, bytes that are not text. Nothing runs, nothing
 * sticks out of its place, and what is exported does nothing where it is opened.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProcessInfo, SentinelEvent } from '../../agent/event.ts';
import { type TestBrowser, browserPath, openBrowser } from './browser.ts';
import { layoutFaults } from './page-faults.ts';
import { RECORDED, RECORDED_FROM_BOOT_NS, startOnEvents, type Stamped } from './console-record.ts';
import { type AgentProcess, startAgentProcess } from './packaged-agent.ts';

if (browserPath === undefined) console.warn('SKIPPED: hostile events in a browser: no Chromium is installed');

const EVIL: readonly string[] = [
  '<img src=x onerror="globalThis.__ran=1;alert(1)">',
  '"><script>globalThis.__ran=1;alert(2)</script><svg/onload=alert(3)>',
  "javascript:alert(4)//'-alert(5)-'",
  '<iframe srcdoc="<script>parent.__ran=1</script>"></iframe><base href=//evil.example>',
  '\u001B[2J\u001B[31mred\u001B]0;title\u0007\u009B5m',
  '\u001B]8;;http://evil.example\u001B\\click\u001B]8;;\u001B\\',
  'safe\u202Etxt.exe\u2066\u2067mirror\u2069 \u200E\u200F',
  'zero\u200Bwidth\u200Cjoin\u2060er\uFEFF\u00ADsoft\u{E0041}\u3164',
  'مرحبا بالعالم שלום עולם',
  '👩‍👩‍👧‍👦🏳️‍🌈👍🏽 z̷̢̧̛͙͚̬̱̺̻̩͔̰a̴̡̢̛l̶͓͎g̵̛̤o',
  "=cmd|' /C calc'!A0",
  '+HYPERLINK("http://evil.example","x")',
  '-2+3+cmd|x',
  '@SUM(1+9)*cmd',
  '\t=1+1',
  '\r=1+1',
  'one\nFAKE 2026-01-01 root logged in\r\nthree',
  '{{constructor.constructor("alert(6)")()}}${alert(7)}%{8*8}',
  '＝1+1',
  `long ${'A'.repeat(1_000_000)}`,
  'w'.repeat(3000),
  '\uD800 alone \uDFFF',
];

/** What no reader may ever see as it is: it moves, hides or imitates text. */
const RAW =
  /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\u00AD\u061C\u200B\u200C\u200E\u200F\u202A-\u202E\u2060-\u2069\uFEFF]/u;

function hostileEvents(): Stamped[] {
  const events: Stamped[] = [];
  let bootNs = RECORDED_FROM_BOOT_NS;
  EVIL.forEach((text, index) => {
    const clean = text.replaceAll('\0', '');
    const process: ProcessInfo = {
      pid: 60_000 + index * 10,
      tid: 60_000 + index * 10,
      startNs: bootNs,
      ppid: index === 0 ? 1 : 60_000,
      parentStartNs: index === 0 ? 1n : RECORDED_FROM_BOOT_NS,
      name: clean.slice(0, 15),
      executable: `/tmp/${clean}`,
      argv: [clean, clean, `--x=${clean}`],
      cwd: `/${clean}`,
      uid: 0,
      euid: 0,
    };
    const add = (type: SentinelEvent['type'], action: string, rest: Partial<SentinelEvent> = {}): void => {
      bootNs += 1_000_000n;
      events.push({
        event: { eventId: 0, type, action, lane: 'security', tsNs: 0n, severity: 'info', process, ...rest },
        bootNs,
      });
    };
    add('process', 'exec');
    add('file', 'create', { file: { path: `/tmp/${clean}`, op: 'create' } });
    add('file', 'rename', { file: { path: `/srv/${clean}`, op: 'rename', oldPath: clean } });
    add('dns', 'query', { dns: { query: clean.slice(0, 250), recordType: 'A' } });
    add('process', 'exit', { process: { ...process, exitCode: 1 } });
  });
  return events;
}

let browser: TestBrowser;
let page: Page;
let agent: AgentProcess;
const dialogs: string[] = [];

async function go(to: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(to)}`);
}
const timelineOf = (query: string): string =>
  `#/timeline?q=${encodeURIComponent(`${query} ${RECORDED}`.trim())}`;

/** Everything that is wrong with the page as it stands. */
async function faults(): Promise<string[]> {
  const found = await layoutFaults(page);
  if (await page.evaluate<boolean>("'__ran' in globalThis")) found.push('a script of the content ran');
  const markup = await page
    .locator('img, iframe, script:not([src]), base, object, embed, a[href^="javascript"], a[href*="evil"]')
    .all();
  for (const element of markup) found.push(`content became markup: ${await element.innerHTML()}`);
  const texts = await page.evaluate<string[]>(`[
    document.body.innerText,
    document.title,
    ...[...document.querySelectorAll('[title], [aria-label]')].flatMap((element) => [
      element.getAttribute('title') ?? '',
      element.getAttribute('aria-label') ?? '',
    ]),
  ]`);
  for (const text of texts) {
    const raw = RAW.exec(text);
    if (!raw) continue;
    const near = JSON.stringify(text.slice(Math.max(0, raw.index - 30), raw.index + 30));
    found.push(`U+${raw[0].codePointAt(0)!.toString(16)} as it is: ${near}`);
  }
  return found;
}

/** The page at this size, with whatever is wrong at each. */
async function faultsAt(where: string): Promise<string[]> {
  const all: string[] = [];
  for (const [width, height] of [
    [1440, 900],
    [1024, 700],
  ] as const) {
    await page.setViewportSize({ width, height });
    await page.waitForTimeout(150);
    all.push(...(await faults()).map((fault) => `${where} at ${width}: ${fault}`));
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  return all;
}

async function exported(format: 'NDJSON' | 'CSV'): Promise<string> {
  await page.getByRole('button', { name: 'Export' }).click();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: format, exact: true }).click();
  const path = join(mkdtempSync(join(tmpdir(), 'sentinel-export-')), 'export');
  await (await download).saveAs(path);
  await page.keyboard.press('Escape');
  return readFileSync(path, 'utf8');
}

/** RFC 4180: cells of each row. */
function csvRows(text: string): string[][] {
  const rows: string[][] = [[]];
  for (const match of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/g)) {
    rows.at(-1)!.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '\r\n') rows.push([]);
    if (match[3] === '') break;
  }
  return rows.filter((row) => row.length > 1);
}

describe.skipIf(browserPath === undefined)('hostile events (needs Chromium)', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    agent = await startOnEvents(mkdtempSync(join(tmpdir(), 'sentinel-hostile-')), hostileEvents());
    browser = await openBrowser([], { acceptDownloads: true });
    page = await browser.newPage();
    page.on('dialog', (dialog) => {
      dialogs.push(dialog.message());
      void dialog.dismiss();
    });
    await page.goto(agent.consoleUrl!);
    await page.locator('#event-list').waitFor();
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await agent?.stop();
    agent?.remove();
  });

  it('are text in every row of the timeline and in the facets', async () => {
    const wrong: string[] = [];
    for (const query of ['', 'type:process', 'type:file', 'type:dns', 'has:rule']) {
      await go(timelineOf(query));
      await page.locator('.row[data-event]').first().waitFor();
      wrong.push(...(await faultsAt(`timeline ${query}`)));
      await page.locator('#event-list').focus();
      await page.keyboard.press('PageDown');
      await page.keyboard.press('PageDown');
      wrong.push(...(await faultsAt(`timeline ${query}, further`)));
    }
    expect(wrong).toEqual([]);
  });

  it('are text in every tab of the detail panel', async () => {
    const wrong: string[] = [];
    await go(timelineOf('action:exec'));
    const rows = page.locator('.row[data-event]');
    await rows.first().waitFor();
    expect(await rows.count()).toBe(EVIL.length);
    await rows.first().click();
    for (let row = 0; row < EVIL.length; row += 1) {
      for (const tab of ['Summary', 'Why', 'Ancestry', 'Fields', 'Raw', 'Proof']) {
        await page.getByRole('tab', { name: tab }).click();
        await page.waitForTimeout(60);
        wrong.push(...(await faults()).map((fault) => `row ${row}, ${tab}: ${fault}`));
      }
      await page.locator('#event-list').focus();
      await page.keyboard.press('j');
    }
    expect([...new Set(wrong)].slice(0, 10)).toEqual([]);
    await page.keyboard.press('Escape');
  });

  it('are text among processes and detections', async () => {
    const wrong: string[] = [];
    await go(timelineOf('action:exec'));
    await page.locator('.row[data-event]').last().click();
    await page.getByRole('tab', { name: 'Summary' }).click();
    await page.getByRole('tabpanel').getByRole('button', { name: 'Process tree' }).click();
    await page.getByRole('treegrid').locator('.tree-row').nth(2).waitFor();
    wrong.push(...(await faultsAt('processes')));
    await go('#/detections');
    await page.locator('.table tbody tr').first().waitFor();
    await page
      .getByRole('button', { expanded: false })
      .filter({ hasText: /World-Writable/ })
      .first()
      .click();
    wrong.push(...(await faultsAt('detections by rule')));
    await page.getByRole('button', { name: 'By process' }).click();
    wrong.push(...(await faultsAt('detections by process')));
    expect(wrong).toEqual([]);
  });

  it('do nothing in a spreadsheet, a terminal or a reader of what was exported', async () => {
    await go(timelineOf(''));
    await page.locator('.row[data-event]').first().waitFor();
    const ndjson = await exported('NDJSON');
    const lines = ndjson.trimEnd().split('\n');
    for (const line of lines) expect(line).not.toMatch(RAW);
    // What the shield found malicious is an event of its own beside what was recorded.
    const types = lines.map((line) => (JSON.parse(line) as { type: string }).type);
    const shield = types.filter((type) => type === 'shield').length;
    expect(shield).toBeGreaterThan(0);
    expect(lines.length - shield).toBe(EVIL.length * 5);
    const csv = await exported('CSV');
    const rows = csvRows(csv);
    expect(rows.length).toBe(1 + lines.length);
    for (const row of rows) {
      expect(row.length).toBe(rows[0]!.length);
      for (const cell of row) expect(cell).not.toMatch(/^\s*[=+\-@＝＋－＠]/u);
    }
    expect(csv).not.toMatch(RAW);
    // What was recorded is still there, character by character.
    expect(ndjson).toContain(JSON.stringify(EVIL[0]));
  });

  it('would be noticed if they were not', async () => {
    const seeds = [
      'document.querySelector("main").append(Object.assign(document.createElement("img"), { alt: "x" }))',
      'document.querySelector(".toolbar").append("a\u202Eb")',
      'document.querySelector(".state").title = "\u001B[31m"',
      'document.querySelector(".toolbar-total").style.minWidth = "3000px"',
      'document.body.append(Object.assign(document.createElement("p"), { innerText: "w".repeat(3000) }))',
    ];
    for (const seed of seeds) {
      await go(timelineOf('type:file'));
      await page.reload();
      await page.locator('.row[data-event]').first().waitFor();
      expect(await faults()).toEqual([]);
      await page.evaluate(seed);
      expect((await faults()).length, seed).toBeGreaterThan(0);
    }
  });

  it('ran nothing, opened nothing and broke no rule of the content security policy', async () => {
    expect(dialogs).toEqual([]);
    expect(browser.context.pages().length).toBeLessThanOrEqual(2);
    expect(browser.complaints()).toEqual([]);
  });
});

describe.skipIf(browserPath === undefined)('hostile processes (needs Chromium)', { timeout: 120_000 }, () => {
  it('with bytes that are no text and a megabyte of arguments are rows like any other', async () => {
    const watching = await startAgentProcess({ args: ['--scope', `pid:${process.pid}`, '--console', 'on'] });
    const window = await openBrowser();
    try {
      page = await window.newPage();
      page.on('dialog', (dialog) => {
        dialogs.push(dialog.message());
        void dialog.dismiss();
      });
      await page.goto(watching.consoleUrl!);
      await page.locator('#event-list').waitFor();
      await go(`#/timeline?q=${encodeURIComponent('action:exec')}`);
      const mark = `hostile-${process.pid}`;
      // Node passes strings as UTF-8; the shell makes the bytes.
      execFileSync('/bin/sh', ['-c', `exec /bin/echo ${mark}-bytes "$(printf '\\377\\376\\303\\050')"`]);
      const big = spawnSync('/bin/sh', [
        '-c',
        `exec /bin/echo ${mark}-big ${Array.from({ length: 10 }, () => `"$0"`).join(' ')}`,
        'B'.repeat(100_000),
      ]);
      expect(big.stdout.length).toBeGreaterThan(1_000_000);
      const rows = page.locator('.row[data-event]');
      await rows
        .filter({ hasText: `ran /bin/echo ${mark}-bytes` })
        .first()
        .waitFor();
      const row = rows.filter({ hasText: `ran /bin/echo ${mark}-big` }).first();
      await row.waitFor();
      const wrong = await faultsAt('live timeline');
      await row.click();
      await page.getByRole('tab', { name: 'Summary' }).click();
      // What was cut says so, with the length that it had.
      await page
        .getByText(/1,000,\d{3}|1,0\d\d,\d{3}|1 MB|1\.0 MB/)
        .first()
        .waitFor();
      wrong.push(...(await faultsAt('detail of a megabyte')));
      expect(wrong).toEqual([]);
      expect(dialogs).toEqual([]);
      expect(window.complaints()).toEqual([]);
    } finally {
      await window.close();
      await watching.stop();
      watching.remove();
    }
  });
});
