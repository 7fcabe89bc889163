import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { destinationOf } from './destination.ts';
import { MountTable } from './mounts.ts';

let sysfs: string;

/** A block device as sysfs shows it: `device` at `folder`, with `removable` in `disk`. */
function block(device: string, folder: string, removable?: string): void {
  const full = join(sysfs, 'devices', folder);
  mkdirSync(full, { recursive: true });
  mkdirSync(join(sysfs, 'dev', 'block'), { recursive: true });
  symlinkSync(full, join(sysfs, 'dev', 'block', device));
  if (removable !== undefined) writeFileSync(join(full, 'removable'), `${removable}\n`);
}

beforeEach(() => {
  sysfs = mkdtempSync(join(tmpdir(), 'sentinel-sysfs-'));
  block('8:0', 'pci0/ata1/block/sda', '0');
  block('8:1', 'pci0/ata1/block/sda/sda1');
  block('8:16', 'pci0/usb2/2-1/block/sdb', '0');
  block('8:17', 'pci0/usb2/2-1/block/sdb/sdb1');
  block('8:32', 'pci0/ata2/block/sdc', '1');
  block('8:33', 'pci0/ata2/block/sdc/sdc1');
  block('7:3', 'virtual/block/loop3', '0');
});
afterEach(() => rmSync(sysfs, { recursive: true }));

const MOUNTS = `22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 8:17 / /media/dev/USB\\040STICK rw shared:1 - vfat /dev/sdb1 rw
31 22 8:33 / /media/disc rw - ext4 /dev/sdc1 rw
32 22 0:55 / /mnt/share rw - nfs4 server:/export rw
33 22 7:3 / /mnt/image rw - ext4 /dev/loop3 rw
34 22 0:60 / /run/user/1000/gvfs rw - fuse.gvfsd-fuse gvfsd-fuse rw
garbage
`;

function table(loopIsRemovable = false): MountTable {
  return new MountTable({ sysfs, mountinfo: () => MOUNTS, loopIsRemovable });
}

describe('mounts that lead off the machine', () => {
  it('are told from disks that stay, each of which is named once', () => {
    const again = MOUNTS.replace('garbage', '35 22 8:1 /home /home rw - ext4 /dev/sda1 rw');
    const staying = (loopIsRemovable: boolean) =>
      new MountTable({ sysfs, mountinfo: () => again, loopIsRemovable })
        .staying()
        .map(({ path, why }) => [path, why]);
    expect(staying(false)).toEqual([
      ['/', 'disk'],
      ['/mnt/image', 'loop'],
    ]);
    expect(staying(true)).toEqual([['/', 'disk']]);
  });

  it('are media that can be pulled out and network file systems, and nothing else', () => {
    expect(
      Object.fromEntries(
        table()
          .leaving()
          .map(({ path, kind, why }) => [path, [kind, why]]),
      ),
    ).toEqual({
      '/media/dev/USB STICK': ['removable', 'usb'],
      '/media/disc': ['removable', 'removable'],
      '/mnt/share': ['network_share', 'nfs4'],
      '/run/user/1000/gvfs': ['network_share', 'fuse.gvfsd-fuse'],
    });
    expect(table(true).find('/mnt/image/x', undefined)?.why).toBe('loop');
  });

  it('are found by device wherever a process sees them, and by path without one', () => {
    const mounts = table();
    expect(mounts.find('/in/a/container/f', '8:17')?.path).toBe('/media/dev/USB STICK');
    expect(mounts.find('/media/disc/f', undefined)?.path).toBe('/media/disc');
    expect(mounts.find('/media/disc2/f', undefined)).toBeUndefined();
    expect(mounts.find('/home/f', '8:1')).toBeUndefined();
  });

  it('are read again when something was mounted, and not for every file', () => {
    let reads = 0;
    const mounts = new MountTable({ sysfs, mountinfo: () => (reads++, MOUNTS), nowMs: () => 0 });
    for (let i = 0; i < 100; i++) mounts.find('/x/y', '8:1');
    expect(reads).toBe(1);
    mounts.changed();
    mounts.find('/x/y', '8:1');
    expect(reads).toBe(2);
  });
});

describe('media in disguise', () => {
  const found = (mountinfo: string, path: string, device?: string) =>
    new MountTable({ sysfs, mountinfo: () => mountinfo }).find(path, device);

  it('are found below encrypted and logical volumes, images and layers', () => {
    block('252:1', 'virtual/block/dm-1', '0');
    block('252:0', 'virtual/block/dm-0', '0');
    for (const [above, below, device] of [
      ['dm-1', 'dm-0', '252:0'],
      ['dm-0', 'sdb1', '8:17'],
    ] as const) {
      const folder = join(sysfs, 'devices', 'virtual/block', above, 'slaves', below);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'dev'), `${device}\n`);
    }
    mkdirSync(join(sysfs, 'devices/virtual/block/loop3/loop'));
    writeFileSync(join(sysfs, 'devices/virtual/block/loop3/loop/backing_file'), '/media/stick/vault.img\n');
    const mounts = `30 22 8:17 / /media/stick rw - vfat /dev/sdb1 rw
31 22 252:1 / /media/secret rw - ext4 /dev/mapper/secret rw
32 22 7:3 / /mnt/vault rw - ext4 /dev/loop3 rw
33 22 0:70 / /merged rw - overlay overlay rw,lowerdir=/lower,upperdir=/media/stick/up,workdir=/media/stick/w
34 22 0:71 / /merged2 rw - overlay overlay rw,lowerdir=/media/stick,upperdir=/home/up,workdir=/home/w
35 22 0:72 / /home/a/clear rw - fuse.gocryptfs /media/stick/cipher rw
36 22 0:73 / /home/a/other rw - fuse.gocryptfs /home/a/cipher rw
`;
    expect(found(mounts, '/media/secret/f', '252:1')).toMatchObject({ kind: 'removable', why: 'usb' });
    expect(found(mounts, '/mnt/vault/f', '7:3')).toMatchObject({ why: 'image on a medium' });
    expect(found(mounts, '/merged/f', '0:70')).toMatchObject({ why: 'overlay on usb' });
    expect(found(mounts, '/merged2/f', '0:71')).toBeUndefined();
    expect(found(mounts, '/home/a/clear/f', '0:72')).toMatchObject({ why: 'fuse.gocryptfs on usb' });
    expect(found(mounts, '/home/a/other/f', '0:73')).toBeUndefined();
  });

  it('are told by what a file system in user space names as its source', () => {
    const at = (type: string, source: string) =>
      found(`30 22 0:70 / /x rw - ${type} ${source} rw\n`, '/x/f', '0:70')?.kind;
    for (const source of [
      'host:/srv',
      'me@host:',
      'me@host:dir',
      '//server/share',
      'curlftpfs#ftp://h/',
      'nas:~',
    ])
      expect([source, at('fuse', source)]).toEqual([source, 'network_share']);
    expect(at('fuse.simple-mtpfs', 'simple-mtpfs')).toBe('removable');
    for (const source of ['/home/a', 'portal', '/dev/fuse', 'lxcfs', 'mergerfs', 'a:b'])
      expect([source, at('fuse.some', source)]).toEqual([source, undefined]);
  });

  it('are known for a while after they were unmounted, and where only another mount namespace has them', () => {
    let text = MOUNTS;
    let nowMs = 0;
    const mounts = new MountTable({ sysfs, mountinfo: () => text, nowMs: () => nowMs });
    const stick = mounts.find('/media/disc/f', '8:33')!;
    expect(mounts.isMounted(stick)).toBe(true);
    text = '22 1 8:1 / / rw - ext4 /dev/sda1 rw\n';
    rmSync(join(sysfs, 'dev', 'block', '8:33'));
    mounts.changed();
    expect(mounts.find('/media/disc/f', '8:33')?.path).toBe('/media/disc');
    expect(mounts.isMounted(stick)).toBe(false);
    nowMs = 60_000;
    expect(mounts.find('/media/disc/f', '8:33')).toBeUndefined();
    expect(mounts.find('/in/another/namespace', '8:17')).toMatchObject({ path: '', why: 'usb' });
  });

  it('do not lend their path to a file of another device', () => {
    const text = `${MOUNTS}40 22 8:17 / /home/a/bound rw - vfat /dev/sdb1 rw\n`;
    expect(found(text, '/media/disc/f', '8:1')).toBeUndefined();
    expect(found(text, '/home/a/bound/f', '8:17')?.path).toBe('/home/a/bound');
  });
});

describe('destinations', () => {
  const at = (path: string, device?: string) =>
    destinationOf(path, device, { mounts: table(), watch: ['/srv/outbox'], own: '/var/lib/sentinel' })
      ?.destination;

  it('say where data goes', () => {
    expect(at('/media/disc/a.csv')).toBe('removable');
    expect(at('/mnt/share/a.zip')).toBe('network_share');
    expect(at('/srv/outbox/a.csv')).toBe('watched');
    expect(at('/home/a/b.tar.gz')).toBe('archive');
    expect(at('/home/a/.mozilla/firefox/x.default/upload.csv')).toBe('browser_profile');
  });

  it('leave out what stays, what browsers write for themselves, and the folder of the agent', () => {
    expect(at('/home/a/b.csv')).toBeUndefined();
    expect(at('/srv/outbox2/b.csv')).toBeUndefined();
    expect(at('/home/a/.config/google-chrome/Default/Cache/data_0')).toBeUndefined();
    expect(at('/home/a/.mozilla/firefox/x.default/places.sqlite-wal')).toBeUndefined();
    expect(at('/var/lib/sentinel/quarantine/x.zip')).toBeUndefined();
  });
});
