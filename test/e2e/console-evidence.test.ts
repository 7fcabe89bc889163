/** The evidence for a query, saved from the console of a real agent: it verifies without the agent, and changed it does not. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BundleReport } from '../../agent/audit/bundle-report.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import { walPositionOf } from '../../agent/event.ts';
import { browserPath } from './browser.ts';
import { type ConsoleSession, openConsole } from './console-session.ts';
import { runCli } from './packaged-agent.ts';

if (browserPath === undefined) console.warn('SKIPPED: evidence from a browser: no Chromium is installed');
const MARK = `evidence-e2e-${process.pid}`;
const folder = mkdtempSync(join(tmpdir(), 'sentinel-proof-'));
const query = `cmd:${MARK} and type:process and image:*/echo`;
let session: ConsoleSession;
let bundle: Buffer;

async function verify(bytes: Buffer): Promise<{ code: number; report: BundleReport }> {
  const file = join(folder, 'saved.sab');
  writeFileSync(file, bytes);
  const key = dataPaths(session.agent.dataDir).publicKey;
  const { code, stdout } = await runCli(['audit', 'verify', file, '--key', key, '--json']);
  return { code, report: JSON.parse(stdout) as BundleReport };
}

describe.skipIf(browserPath === undefined)('evidence (needs Chromium)', { timeout: 90_000 }, () => {
  beforeAll(async () => {
    session = await openConsole();
    for (let n = 0; n < 3; n += 1) execFileSync('/bin/sleep', ['0', `0.0${n}`]);
    execFileSync('/bin/echo', [MARK, 'one']);
    execFileSync('/bin/echo', [MARK, 'two']);
  }, 60_000);
  afterAll(async () => {
    await session?.close();
    rmSync(folder, { recursive: true });
  });

  it('is saved for what the query finds, and verifies without the agent', async () => {
    const { api, page } = session;
    await expect
      .poll(async () => (await api.call('events.query', { query })).events.length)
      .toBeGreaterThanOrEqual(2);
    await session.go(`#/timeline?q=${encodeURIComponent(query)}`);
    await page.locator('.row[data-event]').first().waitFor();
    await page.getByRole('button', { name: 'Export', exact: true }).click();
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'With proof' }).click();
    const file = await download;
    expect(file.suggestedFilename()).toMatch(/^sentinel-.*Z\.sab$/);
    bundle = readFileSync(await file.path());
    const { code, report } = await verify(bundle);
    expect([code, report.findings.filter(({ level }) => level === 'error')]).toEqual([0, []]);
    const { events } = await api.call('events.query', { query });
    expect(report.selection).toEqual({ query, records: events.length });
    for (const { eventId } of events) {
      const { lane, seq } = walPositionOf(Number(eventId));
      const held = report.lanes.find((each) => each.lane === lane);
      expect(held?.firstSeq).toBeLessThanOrEqual(seq);
      expect(held?.coveredUpToSeq).toBeGreaterThanOrEqual(seq);
    }
    expect(bundle.includes(MARK)).toBe(true);
    // Nothing of it stays in the data folder.
    await expect.poll(async () => (await api.call('evidence.state', {})).bytes).toBe(0);
  });

  it('does not verify once a byte of it was changed', async () => {
    const at = bundle.indexOf(`${MARK}\0one`) >= 0 ? bundle.indexOf(`${MARK}\0one`) : bundle.indexOf(MARK);
    const changed = Buffer.from(bundle);
    changed[at] = changed[at]! ^ 1;
    const { code, report } = await verify(changed);
    expect([code, report.ok]).toEqual([1, false]);
  });

  it('says what is wrong with a query, and what to do when nothing matches', async () => {
    const { page } = session;
    await page.keyboard.press('Escape');
    await session.go(`#/timeline?q=${encodeURIComponent('cmd:nothing-like-this-ever')}`);
    await page.getByText('No event matches').waitFor();
    await page.getByRole('button', { name: 'Export', exact: true }).click();
    await page.getByRole('button', { name: 'With proof' }).click();
    await expect.poll(() => page.getByRole('alert').innerText()).toContain('no record matches');
    expect(session.browser.complaints()).toEqual([]);
  });
});
