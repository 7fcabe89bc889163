/**
 * Runs a `sentinel` command beside the agent: in a process of its own at low priority, so that the thread that decides
 * never reads a segment; in a worker thread inside the desktop app, whose binary runs no other program.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import { workerFile } from './resources.ts';

const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
const MAX_MS = 3_600_000;
/** MiB of JavaScript objects; a segment is a buffer outside of it. */
const WORKER_HEAP_MB = 256;

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunningCommand {
  /** Never rejects: what went wrong is a result with a code other than 0. */
  readonly done: Promise<CommandResult>;
  cancel(): void;
}

/** Starts a command by its words. */
export type CommandRunner = (words: readonly string[]) => RunningCommand;

/** `script`: what node is to run. */
function processRunner(script: string): CommandRunner {
  return (words) => {
    const options = { maxBuffer: MAX_OUTPUT_BYTES, timeout: MAX_MS, killSignal: 'SIGKILL' as const };
    let cancel = (): void => undefined;
    const done = new Promise<CommandResult>((resolve) => {
      const child = execFile(process.execPath, [script, ...words], options, (error, stdout, stderr) => {
        const code = child.exitCode ?? 1;
        resolve({ code, stdout, stderr: stderr === '' && error && code !== 0 ? error.message : stderr });
      });
      if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
      cancel = () => void child.kill('SIGKILL');
    });
    return { done, cancel };
  };
}

/** Runs commands in worker threads of this process. */
export function workerRunner(file: string = workerFile('command-worker')): CommandRunner {
  return (words) => {
    const worker = new Worker(file, {
      workerData: [...words],
      resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB },
    });
    const timer = setTimeout(() => void worker.terminate(), MAX_MS);
    const done = new Promise<CommandResult>((resolve) => {
      worker.once('message', (result: CommandResult) => {
        resolve(result);
        void worker.terminate();
      });
      worker.once('error', (error) => resolve({ code: 1, stdout: '', stderr: String(error) }));
      worker.once('exit', () => {
        clearTimeout(timer);
        resolve({ code: 1, stdout: '', stderr: 'it was ended' });
      });
    });
    return { done, cancel: () => void worker.terminate() };
  };
}

/** How this process can run commands. `script`: what it was started with itself. */
export function commandRunner(script: string | undefined): CommandRunner {
  const isOwn = process.versions.electron === undefined && script !== undefined && existsSync(script);
  return isOwn && /(sentinel\.mjs|main\.ts)$/.test(script) ? processRunner(script) : workerRunner();
}
