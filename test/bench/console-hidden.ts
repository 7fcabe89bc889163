/**
 * The console in a tab that is really hidden. Playwright makes every page it drives believe that it is seen, so this
 * Chromium is driven by the few commands of the DevTools protocol that are needed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { browserPath } from '../e2e/browser.ts';
import { cpuSeconds } from './agent-under-test.ts';

const START_MS = 20_000;

interface Answer {
  id?: number;
  result?: unknown;
  error?: { message: string };
}

type Send = <T>(method: string, params?: object, sessionId?: string) => Promise<T>;

async function connect(profile: string): Promise<{ socket: WebSocket; send: Send }> {
  const portFile = join(profile, 'DevToolsActivePort');
  const until = performance.now() + START_MS;
  while (!existsSync(portFile) || !readFileSync(portFile, 'utf8').includes('\n')) {
    if (performance.now() > until) throw new Error('Chromium did not start');
    await sleep(50);
  }
  const [port, path] = readFileSync(portFile, 'utf8').split('\n');
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
  await once(socket, 'open');
  const waiting = new Map<number, (answer: Answer) => void>();
  socket.on('message', (data: Buffer) => {
    const answer = JSON.parse(data.toString()) as Answer;
    waiting.get(answer.id ?? 0)?.(answer);
    waiting.delete(answer.id ?? 0);
  });
  let last = 0;
  const send: Send = async <T>(method: string, params = {}, sessionId?: string): Promise<T> => {
    last += 1;
    const id = last;
    const answered = new Promise<Answer>((done) => waiting.set(id, done));
    socket.send(JSON.stringify({ id, method, params, sessionId }));
    const { result, error } = await answered;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result as T;
  };
  return { socket, send };
}

/** Percent of a core that all renderer processes use while the console at `url` is behind another tab. */
export async function hiddenCpuPercent(url: string, settleMs: number, milliseconds: number): Promise<number> {
  const profile = mkdtempSync(join(tmpdir(), 'sentinel-chromium-'));
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-sync'];
  const chromium = spawn(
    browserPath!,
    [...flags, '--remote-debugging-port=0', `--user-data-dir=${profile}`, url],
    { stdio: 'ignore' },
  );
  const ended = once(chromium, 'exit');
  try {
    const { socket, send } = await connect(profile);
    const { targetInfos } = await send<{ targetInfos: { type: string; targetId: string }[] }>(
      'Target.getTargets',
    );
    const targetId = targetInfos.find(({ type }) => type === 'page')?.targetId;
    const { sessionId } = await send<{ sessionId: string }>('Target.attachToTarget', {
      targetId,
      flatten: true,
    });
    const evaluate = async (expression: string): Promise<unknown> =>
      (await send<{ result: { value?: unknown } }>('Runtime.evaluate', { expression }, sessionId)).result
        .value;
    const until = performance.now() + START_MS;
    const hasRows = "document.querySelector('.row[data-event]') !== null";
    // While it goes from the one-time address to the page there is none to ask.
    while ((await evaluate(hasRows).catch(() => false)) !== true) {
      if (performance.now() > until) throw new Error('the console did not show rows');
      await sleep(100);
    }
    await send('Target.createTarget', { url: 'about:blank' });
    await sleep(settleMs);
    if ((await evaluate('document.visibilityState')) !== 'hidden') throw new Error('the tab is not hidden');
    const renderers = async (): Promise<number> => {
      const { processInfo } = await send<{ processInfo: { type: string; id: number }[] }>(
        'SystemInfo.getProcessInfo',
      );
      return processInfo
        .filter(({ type }) => type === 'renderer')
        .reduce((sum, { id }) => sum + cpuSeconds(id), 0);
    };
    const before = await renderers();
    const begun = performance.now();
    await sleep(milliseconds);
    const used = (await renderers()) - before;
    socket.close();
    return (used / ((performance.now() - begun) / 1000)) * 100;
  } finally {
    chromium.kill('SIGTERM');
    await Promise.race([ended, sleep(5000)]);
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
