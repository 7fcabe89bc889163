/** A removable medium: an image with a file system, mounted through a loop device (see `dlp.loopIsRemovable`). */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

/** Makes the folder and mounts an empty stick of 16 MiB there; false where that cannot be done. `umount` ends it. */
export function mountStick(at: string): boolean {
  const image = `${at}.img`;
  mkdirSync(at);
  const steps = [
    ['dd', 'if=/dev/zero', `of=${image}`, 'bs=1M', 'count=16', 'status=none'],
    ['mkfs.ext4', '-q', '-F', image],
    ['mount', '-o', 'loop', image, at],
  ];
  return steps.every(([command = '', ...args]) => spawnSync(command, args, { timeout: 30_000 }).status === 0);
}
