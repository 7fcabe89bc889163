/** Public keys given as files to the commands that verify. */
import { createPublicKey } from 'node:crypto';
import { SentinelError } from '../errors.ts';
import { createVerifier, type SignatureVerifier } from '../identity/identity.ts';
import { readText } from './read-text.ts';

/**
 * A verifier that knows the keys in `paths`, each a public key in PEM.
 * @throws SentinelError naming the file that cannot be read or is none.
 */
export function verifierOfFiles(paths: readonly string[]): SignatureVerifier {
  const pems = paths.map((path) => {
    const text = readText(path, 'read the public key');
    try {
      createPublicKey(text);
    } catch (error) {
      throw new SentinelError(
        'bad_key',
        `${path} is not a public key in PEM`,
        'give the device.pub of the device',
        { cause: error },
      );
    }
    return text;
  });
  return createVerifier(pems);
}
