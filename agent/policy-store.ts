/**
 * Where policies live. DATA/policies/*.yml are texts, anybody's to edit; DATA/policy-state holds what counts:
 *
 *   state.json      {payload, keyId, signature}: the lifecycle as JSON text, Ed25519 by the device key over its bytes
 *   texts/HASH.yml  canonical text of every version that is or was in force, named by its BLAKE3
 *
 * Both are replaced as a whole and synced. A state that does not verify, or is another device's, counts for nothing: all
 * policies are drafts then, and the file is kept beside.
 */
import { createPublicKey, verify } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fromSystemError } from './errors.ts';
import type { Identity } from './identity/identity.ts';
import { hashText } from './policy/hash.ts';
import { freshState, type LifecycleState } from './policy/lifecycle-state.ts';
import { MAX_FILE_BYTES } from './policy/parse.ts';

const MAX_STATE_BYTES = 64 * 1024 * 1024;
const MAX_FILES = 2000;

/** Where a user's policies are. */
export function policiesFolder(dataDir: string): string {
  return join(dataDir, 'policies');
}

function stateFile(dataDir: string): string {
  return join(dataDir, 'policy-state', 'state.json');
}

/** A text file of a folder, or why it could not be read. */
export interface PolicyFile {
  file: string;
  text?: string;
  problem?: string;
}

/** All policy files below one folder, by name; not those in folders below. */
export function readPolicyFolder(folder: string): PolicyFile[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => /\.ya?ml$/.test(name) && !name.startsWith('.'));
  return names
    .sort()
    .slice(0, MAX_FILES)
    .map((name) => readPolicyFile(join(folder, name)));
}

/** Reads one file; what is too large is not read at all. */
export function readPolicyFile(file: string): PolicyFile {
  try {
    const { size } = statSync(file);
    if (size > MAX_FILE_BYTES)
      return { file, problem: `the file has ${size} bytes; ${MAX_FILE_BYTES} are allowed` };
    return { file, text: readFileSync(file, 'utf8') };
  } catch (error) {
    return { file, problem: `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})` };
  }
}

export class PolicyStore {
  readonly #dataDir: string;
  readonly #identity: Identity;

  constructor(dataDir: string, identity: Identity) {
    this.#dataDir = dataDir;
    this.#identity = identity;
  }

  /** The state on disk, or a fresh one with the reason why. */
  load(): { state: LifecycleState; problem?: string } {
    const path = stateFile(this.#dataDir);
    const fresh = freshState(this.#identity.deviceId);
    let text: string;
    try {
      if (statSync(path).size > MAX_STATE_BYTES) throw new Error('it is too large');
      text = readFileSync(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { state: fresh };
      return this.#refused(path, (error as Error).message);
    }
    try {
      const { payload, keyId, signature } = JSON.parse(text) as Record<string, unknown>;
      if (typeof payload !== 'string' || typeof signature !== 'string')
        throw new Error('it is not a signed state');
      const key = createPublicKey(this.#identity.publicKeyPem);
      if (
        keyId !== this.#identity.keyId ||
        !verify(null, signedBytes(payload), key, Buffer.from(signature, 'base64'))
      )
        throw new Error('its signature does not hold');
      const state = JSON.parse(payload) as LifecycleState;
      if (state.format !== 1) throw new Error(`its format ${String(state.format)} is not known`);
      if (state.deviceId !== this.#identity.deviceId) throw new Error('it belongs to another device');
      return { state };
    } catch (error) {
      return this.#refused(path, (error as Error).message);
    }
  }

  #refused(path: string, why: string): { state: LifecycleState; problem: string } {
    try {
      renameSync(path, `${path}.refused`);
    } catch {
      // It stays and is refused again; a save replaces it.
    }
    return {
      state: freshState(this.#identity.deviceId),
      problem: `${path} was not used: ${why}. All policies are drafts; the file is kept as state.json.refused`,
    };
  }

  /** @throws SentinelError when the disk refuses; the state before stays. */
  save(state: LifecycleState): void {
    const payload = JSON.stringify(state);
    const { keyId } = this.#identity;
    replaceFile(
      stateFile(this.#dataDir),
      JSON.stringify({ payload, keyId, signature: this.#identity.sign(signedBytes(payload)) }),
    );
  }

  /** Keeps the text of a version that is to be in force. */
  keepText(hash: string, text: string): void {
    const path = join(this.#dataDir, 'policy-state', 'texts', `${hash}.yml`);
    if (!existsSync(path)) replaceFile(path, text);
  }

  /** A kept text; undefined if it is not there or is not what its name says. */
  keptText(hash: string): { file: string; text: string } | undefined {
    const file = join(this.#dataDir, 'policy-state', 'texts', `${hash}.yml`);
    const { text } = readPolicyFile(file);
    return text !== undefined && hashText(text) === hash ? { file, text } : undefined;
  }
}

function signedBytes(payload: string): Buffer {
  return Buffer.from(`sentinel policy state\n${payload}`, 'utf8');
}

/** Writes a file as a whole, or not at all, and syncs it. @throws SentinelError when the disk refuses. */
export function replaceFile(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const temporary = `${path}.tmp`;
    const fd = openSync(temporary, 'w', 0o600);
    try {
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
    const folder = openSync(dirname(path), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (error) {
    throw fromSystemError(error, 'write', path);
  }
}
