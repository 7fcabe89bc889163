import { chmodSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { clockCheck, kernelCheck, permissionCheck } from './doctor-machine.ts';

const folder = mkdtempSync(join(tmpdir(), 'sentinel-doctor-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('doctor', () => {
  it.each([
    ['6.12.3-cloud-amd64', 'ok'],
    ['6.1.0-18-amd64', 'ok'],
    ['5.11.0', 'ok'],
    ['5.10.0-28-amd64', 'warn'],
    ['4.19.0', 'warn'],
    ['nonsense', 'warn'],
  ])('judges kernel %s: %s', (text, result) => {
    const check = kernelCheck(text);
    expect(check.result).toBe(result);
    expect(check.remedy === undefined).toBe(result === 'ok');
  });

  it('notices a clock that went back behind the record, or behind the program', () => {
    const nowMs = Date.UTC(2026, 10, 21);
    const file = join(folder, 'segment');
    writeFileSync(file, '');
    utimesSync(file, nowMs / 1000, nowMs / 1000);
    expect(clockCheck([folder], nowMs).result).toBe('ok');
    expect(clockCheck([folder, join(folder, 'missing')], nowMs - 3_600_000)).toMatchObject({
      result: 'warn',
      detail: expect.stringContaining('60 minutes ahead'),
      remedy: expect.stringContaining('NTP'),
    });
    expect(clockCheck([], 0).result).toBe('fail');
  });

  it.each([
    [0o700, 'ok'],
    [0o710, 'ok'],
    [0o755, 'warn'],
    [0o777, 'fail'],
    [0o730, 'fail'],
  ])('judges a data folder of mode %o: %s', (mode, result) => {
    chmodSync(folder, mode);
    expect(permissionCheck(folder)?.result).toBe(result);
    chmodSync(folder, 0o700);
  });
});
