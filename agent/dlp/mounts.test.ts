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
