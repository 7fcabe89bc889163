import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogChecks, verifyCommand } from './log-check.ts';

let dir = '';
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'sentinel-check-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A program in place of the command. */
function program(source: string): string[] {
  const path = join(dir, 'program.mjs');
  writeFileSync(path, source);
  return [path];
}
const report = JSON.stringify({
  ok: false,
  logs: [{ lane: 'security', ok: false, records: 7, findings: [] }],
});

describe('a check of the logs', () => {
  it('hands on the report also when it says that something does not hold, one at a time', async () => {
    const checks = createLogChecks(
      program(`setTimeout(() => { console.log('${report}'); process.exitCode = 1 }, 50)`),
      () => 5n,
    );
    expect(checks.start().running).toBe(true);
    expect(checks.start()).toEqual({ running: true, last: undefined, failed: undefined });
    await expect.poll(() => checks.state().running, { timeout: 10_000 }).toBe(false);
    expect(checks.state().last).toMatchObject({ ok: false, atNs: '5', logs: [{ records: 7 }] });
  });
  it('says so when there was no report', async () => {
    const checks = createLogChecks(program(`console.error('no key'); process.exit(2)`), () => 5n);
    checks.start();
    await expect.poll(() => checks.state().running, { timeout: 10_000 }).toBe(false);
    expect(checks.state()).toEqual({ running: false, last: undefined, failed: 'no key' });
  });
  it('is refused with what to do instead where it cannot be run', () => {
    expect(verifyCommand(join(dir, 'absent.mjs'), dir)).toBeUndefined();
    expect(() => createLogChecks(undefined, () => 5n).start()).toThrow(/sentinel wal verify/);
  });
});
