/**
 * Keys of indexes: 32 random bytes, as 64 hex digits in a file of mode 0600. Whoever has the key and the index can try
 * values against it, so the file is not for anybody else's eyes.
 */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fromSystemError, SentinelError } from '../errors.ts';

/** Where a device keeps its own key. */
export function defaultKeyPath(dataDir: string): string {
  return join(dataDir, 'keys', 'dlp.key');
}

/**
 * Reads a key file.
 * @throws SentinelError when it cannot be read, others may read it, or it holds no key.
 */
export function readKey(path: string): Buffer {
  let text: string;
  try {
    const stat = statSync(path);
    if (process.platform !== 'win32' && (stat.mode & 0o077) !== 0) {
      throw new SentinelError(
        'open_key',
        `others may read the key file ${path} (mode ${(stat.mode & 0o777).toString(8)})`,
        `chmod 600 ${path}`,
      );
    }
    text = readFileSync(path, 'latin1').trim();
  } catch (error) {
    throw fromSystemError(error, 'read the key file', path);
  }
  if (!/^[0-9a-fA-F]{64}$/.test(text))
    throw new SentinelError(
      'bad_key',
      `${path} is no key file`,
      'it holds 64 hex digits; sentinel dlp index build makes one',
    );
  return Buffer.from(text, 'hex');
}

/** Reads the key, or makes one where there is none. */
export function readOrMakeKey(path: string): Buffer {
  if (existsSync(path)) return readKey(path);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const fd = openSync(path, 'wx', 0o600);
    try {
      chmodSync(path, 0o600);
      writeSync(fd, `${randomBytes(32).toString('hex')}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    // Another build made it a moment ago.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw fromSystemError(error, 'make the key file', path);
  }
  return readKey(path);
}
