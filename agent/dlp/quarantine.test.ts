import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadCore } from '../../native-addon/index.ts';
import { Quarantine } from './quarantine.ts';

let home: string;
/** On another file system than `home`, where there is one. */
let other: string | undefined;
let quarantine: Quarantine;
const core = loadCore();

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sentinel-quarantine-'));
  mkdirSync(join(home, 'user'));
  other = undefined;
  if (existsSync('/dev/shm') && statSync('/dev/shm').dev !== statSync(home).dev)
    other = mkdtempSync('/dev/shm/sentinel-quarantine-');
  quarantine = new Quarantine({
    dataDir: home,
    copyAttributes: core.ok ? (from, to) => core.addon.copyAttributes(from, to) : undefined,
    sign: (bytes) => `signed ${bytes.length}`,
    verify: (bytes, signature) => signature === `signed ${bytes.length}`,
    nowNs: () => 1_800_000_000_000_000_000n,
  });
});
afterEach(() => {
  rmSync(home, { recursive: true });
  if (other) rmSync(other, { recursive: true });
});

function make(folder: string, name = 'a.csv', content = 'protected'): { path: string; inode: string } {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, 0o640);
  utimesSync(path, 1_600_000_000, 1_600_000_001.5);
  return { path, inode: statSync(path, { bigint: true }).ino.toString() };
}

function take(file: { path: string; inode: string }) {
  return quarantine.take({ ...file, policy: 'p', eventId: '2', rules: ['r'], destination: 'removable' });
}

/** An extended attribute by an independent tool, where it exists and the disk takes one. */
function attribute(path: string, value?: string): string | undefined {
  const script = value
    ? `import os,sys; os.setxattr(sys.argv[1], 'user.note', b'${value}')`
    : "import os,sys; print(os.getxattr(sys.argv[1], 'user.note').decode(), end='')";
  try {
    return execFileSync('python3', ['-c', script, path], { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  } catch {
    return undefined;
  }
}

describe('the quarantine', () => {
  const places = { 'on the same disk': () => join(home, 'user'), 'from another disk': () => other };
  for (const [name, folderOf] of Object.entries(places)) {
    it(`takes a file away and puts it back as it was, ${name}`, async ({ skip }) => {
      const folder = folderOf();
      if (folder === undefined) return skip('there is no second file system here');
      const file = make(folder);
      const noted = attribute(file.path, 'kept') !== undefined;
      const before = statSync(file.path, { bigint: true });
      const entry = await take(file);
      expect(existsSync(file.path)).toBe(false);
      expect(statSync(quarantine.folder).mode & 0o777).toBe(0o700);
      expect(await quarantine.list()).toEqual([entry]);
      expect(entry).toMatchObject({
        by: folder === other ? 'copy' : 'move',
        lost: '',
        signed: true,
        rules: ['r'],
      });
      const restored = await quarantine.restore(entry.id);
      expect(restored).toMatchObject({ restoredTo: file.path, notKept: '' });
      const after = statSync(file.path, { bigint: true });
      expect([after.mode, after.uid, after.gid, after.mtimeNs, after.size]).toEqual([
        before.mode,
        before.uid,
        before.gid,
        before.mtimeNs,
        before.size,
      ]);
      expect(readFileSync(file.path, 'utf8')).toBe('protected');
      if (noted) expect(attribute(file.path)).toBe('kept');
      expect(await quarantine.list()).toEqual([]);
      expect(readdirSync(quarantine.folder)).toEqual([]);
    });

    it(`never overwrites what is there by now, ${name}`, async ({ skip }) => {
      const folder = folderOf();
      if (folder === undefined) return skip('there is no second file system here');
      const file = make(folder);
      const { id } = await take(file);
      writeFileSync(file.path, 'newer');
      await expect(quarantine.restore(id)).rejects.toThrow(/there is something at/);
      expect(readFileSync(file.path, 'utf8')).toBe('newer');
      await quarantine.restore(id, join(folder, 'elsewhere.csv'));
      expect(readFileSync(join(folder, 'elsewhere.csv'), 'utf8')).toBe('protected');
    });
  }

  it('leaves alone what is another file by now, a link, or gone', async () => {
    const folder = join(home, 'user');
    const file = make(folder);
    await expect(take({ ...file, inode: '1' })).rejects.toThrow(/another file by now/);
    symlinkSync(file.path, join(folder, 'link'));
    await expect(take({ path: join(folder, 'link'), inode: file.inode })).rejects.toThrow(
      /could not be opened/,
    );
    await expect(take({ path: join(folder, 'gone'), inode: '1' })).rejects.toThrow(/could not be opened/);
    expect(readFileSync(file.path, 'utf8')).toBe('protected');
    expect(await quarantine.list()).toEqual([]);
  });

  it('does not restore what was changed in the quarantine, nor on metadata that does not verify', async () => {
    const first = await take(make(join(home, 'user')));
    writeFileSync(join(quarantine.folder, first.id, 'file'), 'other');
    await expect(quarantine.restore(first.id)).rejects.toThrow(/not what was taken/);
    const second = await take(make(join(home, 'user'), 'b.csv'));
    const meta = join(quarantine.folder, second.id, 'meta.json');
    writeFileSync(meta, readFileSync(meta, 'utf8').replace('b.csv', '../../etc/cron.d/b'));
    expect((await quarantine.list()).find(({ id }) => id === second.id)?.signed).toBe(false);
    await expect(quarantine.restore(second.id)).rejects.toThrow(/does not verify/);
  });

  it('removes for good, and refuses what it does not have', async () => {
    const entry = await take(make(join(home, 'user')));
    await quarantine.remove(entry.id);
    expect(readdirSync(quarantine.folder)).toEqual([]);
    await expect(quarantine.restore(entry.id)).rejects.toThrow(/there is nothing/);
    await expect(quarantine.remove('../../etc')).rejects.toThrow(/there is nothing/);
  });

  it('keeps another name of the file working', async () => {
    const file = make(join(home, 'user'));
    linkSync(file.path, join(home, 'user', 'second'));
    const { id } = await take(file);
    expect(readFileSync(join(home, 'user', 'second'), 'utf8')).toBe('protected');
    await quarantine.restore(id);
    expect(readFileSync(file.path, 'utf8')).toBe('protected');
  });
});
