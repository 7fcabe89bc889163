/** Looks at one file: opens what was named, asks the cache, else the engine, and makes sure that it stayed the same. */
import { NotOpened, contentIdentity, openExpected, type ExpectedFile } from './open-file.ts';
import type { DlpEngine, FileVerdict, UnscannableCode } from './types.ts';
import type { VerdictCache } from './verdict-cache.ts';

export interface Looked {
  verdict: FileVerdict;
  /** Of what was opened; absent when nothing could be. */
  key?: string;
  inode?: string;
  identity?: string;
  size?: number;
  cached: boolean;
  /** It was written to while it was read: what was not found may be there now. */
  changed: boolean;
}

export interface LookOptions {
  maxBytes: number;
  deadlineMs: number;
  signal?: AbortSignal;
  /** False: not inside containers, and a clean verdict is not remembered. */
  extract?: boolean;
  /** Nothing waits for what comes of it. */
  background?: boolean;
  /** Not from memory: the file system's times do not tell of every change. */
  fresh?: boolean;
}

/** A clock tick of the kernel, amply: a second change within the same one leaves no trace in the times. */
const TICK_MS = 20;

/** Whether a change after `atMs` would show in the file's times. */
export function isSettled(ctimeNs: bigint, atMs: number): boolean {
  const ageMs = atMs - Number(ctimeNs / 1_000_000n);
  return ageMs > TICK_MS || ageMs < 0;
}

/** Never throws: what cannot be looked at is `unscannable`, with the reason. `undefined`: the file is gone. */
export async function lookAt(
  engine: DlpEngine,
  cache: VerdictCache,
  file: ExpectedFile,
  options: LookOptions,
): Promise<Looked | undefined> {
  const [path = ''] = file.paths;
  let opened;
  try {
    opened = await openExpected(file);
  } catch (error) {
    if (!(error instanceof NotOpened)) return unscannable(path, 'unreadable', 'it cannot be opened');
    return error.code === 'gone' ? undefined : unscannable(path, error.code, error.message);
  }
  const { handle, identity, key, inode, size, ctimeNs } = opened;
  const about = { key, inode, identity, size };
  try {
    const known = options.fresh === true ? undefined : cache.get(identity);
    if (known !== undefined) return { ...about, verdict: { ...known, path }, cached: true, changed: false };
    if (size > options.maxBytes) {
      const [has, most] = [size, options.maxBytes].map((bytes) => bytes.toLocaleString('en'));
      const reason = `it has ${has} bytes; at most ${most} are looked at (dlp.maxBytes)`;
      return { ...about, ...unscannable(path, 'too_large', reason), ...about };
    }
    const atMs = Date.now();
    const verdict = await engine.scanFd(handle.fd, path, options);
    const after = contentIdentity(await handle.stat({ bigint: true }));
    const changed = after !== identity;
    const isWhole = options.extract !== false || verdict.verdict === 'match';
    if (!changed && isWhole && options.signal?.aborted !== true && isSettled(ctimeNs, atMs))
      cache.set(identity, verdict);
    return { ...about, verdict, cached: false, changed };
  } catch {
    // An engine's error may quote what it read: it is not repeated.
    return { ...unscannable(path, 'unreadable', 'the engine could not read it'), ...about };
  } finally {
    await handle.close().catch(() => {});
  }
}

/** A file that was not looked at, and why. */
export function unscannable(path: string, reasonCode: UnscannableCode, reason: string): Looked {
  const nothing = { bytes: 0, tookMs: 0, matches: [] };
  return {
    verdict: { path, verdict: 'unscannable', reasonCode, reason, ...nothing },
    cached: false,
    changed: false,
  };
}
