import { readFileSync } from 'node:fs';
import { fromSystemError } from '../errors.ts';

/**
 * A file that the command line names. `doing`: "read the public key", for the message.
 * @throws SentinelError that names the file.
 */
export function readText(path: string, doing: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw fromSystemError(error, doing, path);
  }
}
