import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogChecks } from './log-check.ts';
import { type CommandRunner, commandRunner, workerRunner } from './run-command.ts';

let dir = '';
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'sentinel-check-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A program in place of the command. */
function program(source: string): CommandRunner {
  const path = join(dir, 'sentinel.mjs');
  writeFileSync(path, source);
  return commandRunner(path);
}
const report = JSON.stringify({
  ok: false,
  logs: [{ lane: 'security', ok: false, records: 7, findings: [] }],
});

describe('a check of the logs', () => {
  it('hands on the report also when it says that something does not hold, one at a time', async () => {
    const checks = createLogChecks(
      program(`setTimeout(() => { console.log('${report}'); process.exitCode = 1 }, 50)`),
      dir,
      () => 5n,
    );
    expect(checks.start().running).toBe(true);
    expect(checks.start()).toEqual({ running: true, last: undefined, failed: undefined });
    await expect.poll(() => checks.state().running, { timeout: 10_000 }).toBe(false);
    expect(checks.state().last).toMatchObject({ ok: false, atNs: '5', logs: [{ records: 7 }] });
  });
  it('says so when there was no report', async () => {
    const checks = createLogChecks(program(`console.error('no key'); process.exit(2)`), dir, () => 5n);
    checks.start();
    await expect.poll(() => checks.state().running, { timeout: 10_000 }).toBe(false);
    expect(checks.state()).toEqual({ running: false, last: undefined, failed: 'no key' });
  });
  it('runs in a worker where no other program can be run, as in the desktop app', async () => {
    const checks = createLogChecks(workerRunner(), dir, () => 5n);
    checks.start();
    await expect.poll(() => checks.state().running, { timeout: 20_000 }).toBe(false);
    expect(checks.state().failed).toMatch(/no .*(data|logs|key)/i);
    const versions = { ...process.versions };
    Object.defineProperty(process, 'versions', {
      value: { ...versions, electron: '45' },
      configurable: true,
    });
    try {
      const { code, stdout } = await program('process.exit(9)')(['--version']).done;
      expect([code, stdout]).toEqual([0, expect.stringMatching(/^sentinel /)]);
    } finally {
      Object.defineProperty(process, 'versions', { value: versions, configurable: true });
    }
  });
});
