/** Whether a block device can be pulled out, from sysfs. */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface BlockOptions {
  sysfs: string;
  /** Images on loop devices count as media. */
  loop: boolean;
  /** Whether a file lies on a medium or share: an image there is on it too. */
  leaves: (path: string) => boolean;
}

/** Devices below devices (encrypted volumes on partitions on disks). */
const MAX_DEPTH = 6;

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

/** '' or what says so: usb, card, removable, loop; through encrypted, logical and joined volumes. */
export function removableBy(device: string, options: BlockOptions, depth = 0): string {
  let folder: string;
  try {
    folder = realpathSync(join(options.sysfs, 'dev', 'block', device));
  } catch {
    return '';
  }
  if (/\/loop\d+(\/|$)/.test(folder)) {
    if (options.loop) return 'loop';
    const image = text(join(folder, 'loop', 'backing_file'));
    return image !== '' && options.leaves(image) ? 'image on a medium' : '';
  }
  if (/\/usb\d*\//.test(folder)) return 'usb';
  if (/\/mmc\d+\//.test(folder) && !/boot\d?$/.test(folder)) return 'card';
  // A partition has no `removable` of its own; the disk above it has, or the bus that it is plugged into.
  for (let each = folder; each.startsWith(`${options.sysfs}/`); each = dirname(each))
    if (/^(1|removable)$/.test(text(join(each, 'removable')))) return 'removable';
  if (depth >= MAX_DEPTH) return '';
  for (const below of lower(folder)) {
    const why = removableBy(text(join(folder, 'slaves', below, 'dev')), options, depth + 1);
    if (why !== '') return why;
  }
  return '';
}

function lower(folder: string): string[] {
  try {
    return readdirSync(join(folder, 'slaves'));
  } catch {
    return [];
  }
}

/** Device number of a file system that hides it behind one of its own (btrfs). */
export function deviceOfSource(source: string): string | undefined {
  if (!source.startsWith('/dev/')) return undefined;
  try {
    return deviceName(statSync(source, { bigint: true }).rdev);
  } catch {
    return undefined;
  }
}

/** major:minor, as the kernel's records and mountinfo name a device. */
export function deviceName(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}
