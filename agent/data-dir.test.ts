import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lockDataDir, nextEpoch } from './data-dir.ts';

const fresh = (): string => mkdtempSync(join(tmpdir(), 'sentinel-data-'));
const HOLDER = `
  const { lockDataDir } = await import(${JSON.stringify(join(import.meta.dirname, 'data-dir.ts'))});
  globalThis.kept = lockDataDir(process.argv[1]);
  console.log('held');
  setTimeout(() => process.exit(), 20_000);
`;

describe('data folder', () => {
  it('lets one agent in, names it to the second, and frees the folder when it is killed', async () => {
    const directory = fresh();
    const holder = spawn(process.execPath, ['--input-type=module', '-e', HOLDER, directory], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const gone = new Promise((resolve) => holder.once('exit', resolve));
    try {
      await new Promise((resolve) => holder.stdout.once('data', resolve));
      expect(() => lockDataDir(directory)).toThrow(
        expect.objectContaining({
          code: 'in_use',
          message: `another Sentinel agent (pid ${holder.pid}) is using ${directory}`,
        }),
      );
    } finally {
      holder.kill('SIGKILL');
      await gone;
    }
    lockDataDir(directory).release();
  });

  it('says what is wrong with a folder that is a file or below one', () => {
    const file = join(fresh(), 'file');
    writeFileSync(file, '');
    expect(() => lockDataDir(join(file, 'data'))).toThrow(/cannot write to the data folder .*\(ENOTDIR\)/);
    expect(() => lockDataDir(file)).toThrow(/cannot write to the data folder|is not a folder/);
  });

  it.skipIf(process.getuid?.() !== 0)(
    'says what is wrong with one that another user owns (skipped unless root)',
    () => {
      const directory = fresh();
      const script = `
      process.setuid(65534);
      const { lockDataDir } = await import(${JSON.stringify(join(import.meta.dirname, 'data-dir.ts'))});
      try { lockDataDir(process.argv[1]); } catch (error) { console.log(error.message, '|', error.remedy); }
    `;
      const text = execFileSync(process.execPath, ['--input-type=module', '-e', script, directory], {
        encoding: 'utf8',
      });
      expect(text).toMatch(/cannot write to the data folder .*\(EACCES\) \| .*--data/);
    },
  );

  it('never gives the same epoch twice', () => {
    const directory = fresh();
    expect([nextEpoch(directory), nextEpoch(directory), nextEpoch(directory)]).toEqual([1, 2, 3]);
  });
});
