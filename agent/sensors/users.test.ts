import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parsePasswd, UserTable } from './users.ts';

const directory = mkdtempSync(join(tmpdir(), 'users-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('UserTable', () => {
  it('agrees with getent on the local users of this machine', () => {
    const table = new UserTable();
    const lines = execFileSync('getent', ['-s', 'files', 'passwd'], { encoding: 'utf8' }).trim().split('\n');
    const seen = new Set<number>();
    for (const line of lines) {
      const [name, , uid] = line.split(':');
      if (seen.has(Number(uid))) continue;
      seen.add(Number(uid));
      expect(table.nameOf(Number(uid))).toBe(name);
    }
    expect(seen.size).toBeGreaterThan(0);
  });

  it('skips lines that are not entries and keeps the first name of a uid', () => {
    const names = parsePasswd(
      'root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\n\n#a:b:5\n+::::::\nx:y:-3:\nq:x:12a:\nz:x:7',
    );
    expect([...names]).toEqual([
      [0, 'root'],
      [7, 'z'],
    ]);
  });

  it('notices a replaced file and survives its absence', () => {
    const path = join(directory, 'passwd');
    const table = new UserTable(path, 0);
    expect(table.nameOf(5)).toBeUndefined();
    writeFileSync(path, 'five:x:5:5::/:/bin/sh\n');
    expect(table.nameOf(5)).toBe('five');
    writeFileSync(`${path}+`, 'other:x:5:5::/:/bin/sh\n');
    renameSync(`${path}+`, path);
    expect(table.nameOf(5)).toBe('other');
    rmSync(path);
    expect(table.nameOf(5)).toBe('other');
  });
});
