/**
 * Who this device is, and the Ed25519 key that signs its record (RFC 8032, through node:crypto).
 * Files under DATA/keys: `device.key` (PKCS #8 PEM, mode 0600), `device.pub` (SPKI PEM), `device.json` (device id).
 * A key is made once; losing it means new records carry a new key id, and old ones still verify with the old
 * public key.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromSystemError, SentinelError } from '../errors.ts';

export interface Identity {
  readonly deviceId: string;
  /** First 16 hex digits of SHA-256 over the public key's SPKI DER. */
  readonly keyId: string;
  readonly publicKeyPem: string;
  /** Ed25519 signature, base64. */
  sign(bytes: Uint8Array): string;
}

/** Checks a base64 Ed25519 signature by a known key. */
export type SignatureVerifier = (keyId: string, bytes: Uint8Array, signature: string) => boolean;

const RESTORE = 'restore it from a backup, or move it away to start a new identity';

function keyIdOf(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16);
}

function writeAtomically(path: string, content: string, mode: number): void {
  const temporary = `${path}.tmp`;
  writeFileSync(temporary, content, { mode, flush: true });
  chmodSync(temporary, mode);
  renameSync(temporary, path);
}

/**
 * Opens the identity in `dataDir`, making one on first use.
 * @throws SentinelError when the files cannot be read or written, or the key is not an Ed25519 key.
 */
export function openIdentity(dataDir: string): Identity {
  const directory = join(dataDir, 'keys');
  const keyPath = join(directory, 'device.key');
  const idPath = join(directory, 'device.json');
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (!existsSync(keyPath)) {
      const pair = generateKeyPairSync('ed25519');
      writeAtomically(keyPath, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600);
    }
    if (!existsSync(idPath))
      writeAtomically(idPath, `${JSON.stringify({ deviceId: randomUUID() })}\n`, 0o600);
    return readIdentity(keyPath, idPath, join(directory, 'device.pub'));
  } catch (error) {
    throw fromSystemError(error, 'open the device key in', directory);
  }
}

function readIdentity(keyPath: string, idPath: string, publicPath: string): Identity {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(readFileSync(keyPath));
  } catch (error) {
    throw new SentinelError('bad_key', `${keyPath} is not a private key`, RESTORE, { cause: error });
  }
  if (privateKey.asymmetricKeyType !== 'ed25519') {
    const type = privateKey.asymmetricKeyType ?? 'unknown';
    throw new SentinelError('bad_key', `${keyPath} is a key of type ${type}, not ed25519`, RESTORE);
  }
  let deviceId: unknown;
  try {
    deviceId = (JSON.parse(readFileSync(idPath, 'utf8')) as { deviceId?: unknown }).deviceId;
  } catch {
    deviceId = undefined;
  }
  if (typeof deviceId !== 'string' || deviceId === '') {
    throw new SentinelError('bad_identity', `${idPath} holds no deviceId`, RESTORE);
  }
  const publicKey = createPublicKey(privateKey);
  const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  if (!existsSync(publicPath) || readFileSync(publicPath, 'utf8') !== publicKeyPem) {
    writeAtomically(publicPath, publicKeyPem, 0o644);
  }
  return {
    deviceId,
    keyId: keyIdOf(publicKey),
    publicKeyPem,
    sign: (bytes) => sign(null, bytes, privateKey).toString('base64'),
  };
}

/** Checks signatures against public keys in PEM; an unknown key id is never valid. */
export function createVerifier(publicKeyPems: readonly string[]): SignatureVerifier {
  const keys = new Map<string, KeyObject>();
  for (const pem of publicKeyPems) {
    const key = createPublicKey(pem);
    keys.set(keyIdOf(key), key);
  }
  return (keyId, bytes, signature) => {
    const key = keys.get(keyId);
    return key !== undefined && verify(null, bytes, key, Buffer.from(signature, 'base64'));
  };
}
