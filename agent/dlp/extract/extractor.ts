/**
 * Reads the text out of containers and documents in a child per file: it starts with nothing but the open file, may do
 * nothing but compute, has so much time and memory, and is killed when that is used up. However it ends, the outcome is
 * a sentence, and what was found before it ended stays found.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { UnscannableCode } from '../types.ts';
import { ExtractError } from './extraction.ts';
import { FRAME_LAST, FRAME_MEMBER, FRAME_RESULT, FRAME_TEXT, FrameReader } from './frames.ts';
import { formatsOf } from './formats.ts';
import type { Format } from './identify.ts';
import { withDefaults, type ExtractLimits } from './limits.ts';

export interface ExtractOutcome {
  outcome: 'ok' | 'not_a_container' | UnscannableCode;
  reason?: string;
  members: number;
  /** Of text. */
  bytes: number;
}

/** Takes text; the chunk is wiped once it has returned. Reading waits for it. */
export type OnText = (member: string, chunk: Buffer, last: boolean) => void | Promise<void>;

export interface ExtractorOptions {
  limits?: Partial<ExtractLimits>;
  signal?: AbortSignal | undefined;
  /** The child's program (tests). */
  program?: string;
}

const here = dirname(fileURLToPath(import.meta.url));

/** `dlp-extract.mjs` beside the bundle, else `child.ts` beside this source. */
function childProgram(): string {
  const bundled = join(here, 'dlp-extract.mjs');
  return existsSync(bundled) ? bundled : join(here, 'child.ts');
}

interface ChildResult {
  outcome?: unknown;
  reason?: unknown;
  members?: unknown;
  deferred?: unknown;
}

const CODES: ReadonlySet<unknown> = new Set([
  'ok',
  'encrypted',
  'too_large',
  'ratio',
  'depth',
  'time',
  'malformed',
  'unreadable',
  'changed',
  'unsupported',
]);

function count(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

/** What a child's death means. */
function deathOf(
  code: number | null,
  signal: NodeJS.Signals | null,
  limits: ExtractLimits,
): [UnscannableCode, string] {
  if (signal === 'SIGXCPU') return ['time', `it took more than ${limits.cpuSeconds} s of CPU time to read`];
  if (signal === 'SIGABRT' || signal === 'SIGTRAP' || code === 134)
    return ['too_large', 'reading it takes more memory than it may'];
  if (signal === 'SIGSYS')
    return ['malformed', 'reading it led to a system call that nothing honest makes: the reader was ended'];
  // CPU time runs out with SIGKILL where both limits are the same.
  if (signal === 'SIGKILL')
    return ['time', 'the reader was killed: its CPU time was used up, or memory was short'];
  return ['malformed', `the reader ended with ${signal ?? `code ${code}`}`];
}

interface Run {
  outcome: 'ok' | UnscannableCode;
  reason?: string;
  members: number;
  deferred: number;
}

class Reading {
  readonly #limits: ExtractLimits;
  readonly #onText: OnText;
  readonly #frames = new FrameReader();
  #member = '';
  bytes = 0;
  result: ChildResult | undefined;

  constructor(limits: ExtractLimits, onText: OnText) {
    this.#limits = limits;
    this.#onText = onText;
  }

  async push(bytes: Buffer): Promise<void> {
    for (const { kind, payload } of this.#frames.push(bytes)) {
      if (this.result) throw new Error('not a frame');
      if (kind === FRAME_RESULT) this.result = JSON.parse(payload.toString('utf8')) as ChildResult;
      else if (kind === FRAME_MEMBER) this.#member = payload.toString('utf8');
      else if (kind === FRAME_TEXT || kind === FRAME_LAST) {
        this.bytes += payload.length;
        // The child counts too, but the parent does not take its word for it.
        if (this.bytes > this.#limits.maxOutputBytes) throw new Error('not a frame');
        await this.#onText(this.#member, payload, kind === FRAME_LAST);
        payload.fill(0);
      }
    }
  }
}

/**
 * Frees what was read, which nothing refers to any more. The collector sees small objects only, and would let 64 MiB of
 * such memory wait.
 */
function giveBack({ buffer, byteLength }: Buffer<ArrayBuffer>): void {
  // Small pieces share a buffer with others.
  if (buffer.byteLength === byteLength) buffer.transfer(0);
}

/** One child over the file. */
async function run(
  fd: number,
  mode: '' | 'pdf' | 'only-pdf',
  limits: ExtractLimits,
  reading: Reading,
  deadlineMs: number,
  options: ExtractorOptions,
): Promise<Run> {
  const failed = (outcome: UnscannableCode, reason: string): Run => ({
    outcome,
    reason,
    members: 0,
    deferred: 0,
  });
  // Electron's binary does not run programs (see forge.config.ts), and no other Node is known there.
  if (process.versions['electron'] !== undefined)
    return failed(
      'unsupported',
      'containers are read by the agent that runs as a service or command, not here',
    );
  const child: ChildProcess = spawn(
    process.execPath,
    [
      `--max-old-space-size=${limits.heapMiB}`,
      '--max-semi-space-size=4',
      // Threads that a small file has no use for: they cost more to start than it does to read.
      '--v8-pool-size=1',
      '--disable-sigusr1',
      '--no-warnings',
      options.program ?? childProgram(),
      JSON.stringify(limits),
      mode,
    ],
    {
      cwd: '/',
      env: { UV_THREADPOOL_SIZE: '1', ...nativeDirOf(process.env) },
      stdio: ['ignore', 'pipe', 'ignore', fd],
      windowsHide: true,
    },
  );
  let timedOut = false;
  let cancelled = options.signal?.aborted === true;
  // A child that nobody has waited for yet keeps its number, and Node forgets it with the wait: the right one is killed.
  const kill = (): void => void child.kill('SIGKILL');
  const timer = setTimeout(
    () => {
      timedOut = true;
      kill();
    },
    Math.max(1, deadlineMs - performance.now()),
  );
  const onAbort = (): void => {
    cancelled = true;
    kill();
  };
  options.signal?.addEventListener('abort', onAbort, { once: true });
  if (cancelled) kill();
  const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('error', () => resolve([-1, null]));
    child.once('exit', (code, signal) => resolve([code, signal]));
  });
  let broken: unknown;
  try {
    for await (const bytes of child.stdout as AsyncIterable<Buffer<ArrayBuffer>>) {
      await reading.push(bytes);
      giveBack(bytes);
    }
  } catch (error) {
    broken = error;
    kill();
  }
  const [code, signal] = await ended;
  clearTimeout(timer);
  options.signal?.removeEventListener('abort', onAbort);
  if (cancelled) return failed('unreadable', 'the scan was cancelled before its end');
  if (timedOut) return failed('time', `it took longer than ${limits.wallMs} ms to read`);
  if (broken !== undefined) {
    if (broken instanceof Error && (broken.message === 'not a frame' || broken instanceof SyntaxError))
      return failed('malformed', 'the reader did not keep to its protocol and was ended');
    throw broken;
  }
  const told = reading.result;
  reading.result = undefined;
  if (!told || !CODES.has(told.outcome)) return failed(...deathOf(code, signal, limits));
  return {
    outcome: told.outcome as Run['outcome'],
    ...(typeof told.reason === 'string' && { reason: told.reason.slice(0, 1000) }),
    members: count(told.members),
    deferred: count(told.deferred),
  };
}

/** The one variable that a child needs when the addon lies elsewhere. */
function nativeDirOf(environment: NodeJS.ProcessEnv): Record<string, string> {
  const directory = environment['SENTINEL_NATIVE_DIR'];
  return directory === undefined ? {} : { SENTINEL_NATIVE_DIR: directory };
}

/**
 * Hands over all text inside the file behind `fd` (which stays the caller's), if it is anything but plain. Member '' is
 * the document itself. Throws only what `onText` throws.
 */
export async function extractFd(
  fd: number,
  onText: OnText,
  options: ExtractorOptions = {},
): Promise<ExtractOutcome> {
  const limits = withDefaults(options.limits);
  let formats: Format[];
  try {
    formats = await formatsOf(fd);
  } catch (error) {
    const code = error instanceof ExtractError ? error.code : 'unreadable';
    return { outcome: code, reason: 'the file could not be read', members: 0, bytes: 0 };
  }
  if (formats.length === 0) return { outcome: 'not_a_container', members: 0, bytes: 0 };
  const deadlineMs = performance.now() + limits.wallMs;
  const reading = new Reading(limits, onText);
  let told = await run(fd, formats.includes('pdf') ? 'pdf' : '', limits, reading, deadlineMs, options);
  const { members } = told;
  if (told.outcome !== 'time' && told.deferred > 0) {
    // PDFs inside something else: once more, with the reader of PDFs, for their text alone.
    const first = told;
    told = await run(fd, 'only-pdf', limits, reading, deadlineMs, options);
    if (told.outcome === 'ok' && first.outcome !== 'ok') told = first;
  }
  return {
    outcome: told.outcome,
    ...(told.reason !== undefined && { reason: told.reason }),
    members,
    bytes: reading.bytes,
  };
}

/** The same as a scanner asks for it; a deadline shorter than the limit of time takes its place. */
export function extractorWith(limits: Partial<ExtractLimits> = {}) {
  return (
    fd: number,
    _name: string,
    onText: OnText,
    signal: AbortSignal | undefined,
    deadlineMs?: number,
  ): Promise<ExtractOutcome> => {
    const { wallMs } = withDefaults(limits);
    const own = deadlineMs === undefined || deadlineMs === 0 ? wallMs : Math.min(wallMs, deadlineMs);
    return extractFd(fd, onText, { limits: { ...limits, wallMs: own }, signal });
  };
}
