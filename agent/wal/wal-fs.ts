/** The real file system behind the JS writer. */
import { open, statfs, unlink } from 'node:fs/promises';
import type { WalFile, WalFs } from './types.ts';

export const realFs: WalFs = {
  async create(path: string): Promise<WalFile> {
    const handle = await open(path, 'wx', 0o600);
    return {
      async write(bytes, position) {
        let done = 0;
        while (done < bytes.length) {
          const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
          if (bytesWritten === 0) throw Object.assign(new Error('write wrote nothing'), { code: 'EIO' });
          done += bytesWritten;
        }
      },
      datasync: () => handle.datasync(),
      truncate: (bytes) => handle.truncate(bytes),
      close: () => handle.close(),
    };
  },
  async syncDir(dir) {
    const handle = await open(dir, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  unlink,
  async freeBytes(dir) {
    const stats = await statfs(dir);
    return stats.bavail * stats.bsize;
  },
};
