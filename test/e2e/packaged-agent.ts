/** Runs the built agent as its users do, `node out/agent/sentinel.mjs run`, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const projectRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const bundle = join(projectRoot, 'out', 'agent', 'sentinel.mjs');

export interface CliResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface AgentProcess {
  readonly pid: number;
  readonly consoleUrl: string | undefined;
  readonly sensorTier: string;
  readonly dataDir: string;
  /** Everything the agent has said on stderr. */
  stderr(): string;
  /** `sentinel COMMAND … --data DIR` against this agent. */
  cli(...args: string[]): Promise<CliResult>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** Removes the data folder. */
  remove(): void;
}

export interface AgentOptions {
  /** Further arguments of `sentinel run`. */
  args?: readonly string[];
  /** A folder of an earlier run; a fresh one otherwise. */
  dataDir?: string;
  timeoutMs?: number;
  /** Added to this process's environment. */
  env?: Readonly<Record<string, string>>;
}

/** Runs the `sentinel` command once. */
export function runCli(args: readonly string[], timeoutMs = 30_000): Promise<CliResult> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [bundle, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const output: [Buffer[], Buffer[]] = [[], []];
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => output[0].push(chunk));
    child.stderr.on('data', (chunk: Buffer) => output[1].push(chunk));
    child.on('error', fail);
    child.on('close', (code) => {
      clearTimeout(timer);
      const [stdout, stderr] = output.map((chunks) => Buffer.concat(chunks).toString()) as [string, string];
      done({ code: code ?? -1, stdout, stderr });
    });
  });
}

/** Starts an agent and waits until it serves. Throws with what it said if it ends or takes too long. */
export async function startAgentProcess(options: AgentOptions = {}): Promise<AgentProcess> {
  if (!existsSync(bundle)) throw new Error(`${bundle} is missing: run \`node build/bootstrap.mjs\` first`);
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'sentinel-e2e-'));
  const readyFile = join(dataDir, 'ready.json');
  rmSync(readyFile, { force: true });
  const args = [bundle, 'run', '--data', dataDir, '--ready-file', readyFile, ...(options.args ?? [])];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-64 * 1024);
  });
  const exited = new Promise<number | null>((done) => child.on('close', done));
  const ready = await waitForReady(child, readyFile, options.timeoutMs ?? 30_000, () => said);
  return {
    pid: ready.pid,
    consoleUrl: ready.consoleUrl,
    sensorTier: ready.sensorTier,
    dataDir,
    stderr: () => said,
    cli: (...words) => runCli([...words, '--data', dataDir]),
    stop: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
      const code = await exited;
      clearTimeout(timer);
      return code;
    },
    remove: () => rmSync(dataDir, { recursive: true, force: true }),
  };
}

interface Ready {
  pid: number;
  consoleUrl?: string;
  sensorTier: string;
}

async function waitForReady(
  child: ChildProcess,
  readyFile: string,
  timeoutMs: number,
  said: () => string,
): Promise<Ready> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    if (existsSync(readyFile)) return JSON.parse(readFileSync(readyFile, 'utf8')) as Ready;
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`the agent ended (${child.exitCode ?? child.signalCode}) before it served:\n${said()}`);
    }
    await sleep(25);
  }
  child.kill('SIGKILL');
  throw new Error(`the agent did not serve within ${timeoutMs} ms:\n${said()}`);
}
