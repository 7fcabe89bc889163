import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SentinelEvent } from '../event.ts';
import { deviceName } from './block-devices.ts';
import { bytesOfPath, candidatePaths, filesOfFolder } from './locate.ts';
import { openExpected } from './open-file.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'sentinel-locate-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const event = {
  process: { pid: 9 },
  ancestry: ['8-1', '1-1'],
  file: { path: '/priv/stick/a/b.csv', op: 'write', inode: '12', device: '8:17' },
} as unknown as SentinelEvent;

describe('where the file of an event is', () => {
  it('is its path, then what its process and ancestors see, then below the mounts of its device', () => {
    const mounts = [{ path: '/media/usb', fileSystem: 'ext4', source: '', device: '8:17', why: 'usb' }];
    expect(
      candidatePaths('/priv/stick/a/b.csv', event, [{ ...mounts[0]!, kind: 'removable' as const }]),
    ).toEqual([
      '/priv/stick/a/b.csv',
      '/proc/9/root/priv/stick/a/b.csv',
      '/proc/8/root/priv/stick/a/b.csv',
      '/proc/1/root/priv/stick/a/b.csv',
      '/media/usb/stick/a/b.csv',
      '/media/usb/a/b.csv',
      '/media/usb/b.csv',
    ]);
  });

  it('is not a file of the same inode number on another device', async () => {
    const path = join(folder, 'a');
    writeFileSync(path, 'x');
    const { ino, dev } = statSync(path, { bigint: true });
    const inode = ino.toString();
    const opened = await openExpected({ paths: [path], inode, device: deviceName(dev) });
    await opened.handle.close();
    await expect(openExpected({ paths: [path], inode, device: '250:250' })).rejects.toMatchObject({
      code: 'gone',
    });
  });

  it('can have a name that is not UTF-8', async () => {
    const raw = Buffer.concat([Buffer.from(join(folder, 'bad')), Buffer.from([0xff]), Buffer.from('dir')]);
    mkdirSync(raw);
    const file = Buffer.concat([raw, Buffer.from('/'), Buffer.from([0xfe]), Buffer.from('.csv')]);
    writeFileSync(file, 'x');
    expect(bytesOfPath(file.toString())).toEqual(file);
    expect(bytesOfPath(join(folder, 'plain'))).toBeUndefined();
    expect(bytesOfPath(join(folder, 'no\ufffdsuch'))).toBeUndefined();
    const opened = await openExpected({ paths: [file.toString()] });
    expect(opened.size).toBe(1);
    await opened.handle.close();
  });

  it('may be a folder: its plain files, without following links', async () => {
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    writeFileSync(join(folder, 'a/b/c.csv'), 'x');
    writeFileSync(join(folder, 'a/d.csv'), 'x');
    symlinkSync('/etc', join(folder, 'a/etc'));
    const found = await filesOfFolder([join(folder, 'nowhere'), join(folder, 'a')], undefined);
    expect(found?.files.map(({ name }) => name).sort()).toEqual(['b/c.csv', 'd.csv']);
    expect(found?.more).toBe(false);
    expect(await filesOfFolder([join(folder, 'a')], '1')).toBeUndefined();
    expect(await filesOfFolder([join(folder, 'a/d.csv')], undefined)).toBeUndefined();
  });
});
