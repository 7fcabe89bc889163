/** A console server with a small built console, and clients that say exactly what they are told to. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import { WebSocket } from 'ws';
import { type ConsoleServer, type ConsoleServerOptions, startConsoleServer } from './console-server.ts';
import { WEBSOCKET_PATH } from './contract.ts';
import { fakeServices } from './fake-services.ts';
import type { ApiLimits } from './limits.ts';
import { createApiServer } from './server.ts';
import type { Role } from './services.ts';

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  while (closers.length > 0) await closers.pop()!();
});

function builtConsole(): string {
  const parent = mkdtempSync(join(tmpdir(), 'sentinel-console-'));
  const folder = join(parent, 'renderer');
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(join(parent, 'secret.html'), 'secret');
  writeFileSync(join(folder, 'index.html'), '<!doctype html><p>console');
  writeFileSync(join(folder, 'assets', 'index-AbCd1234.js'), 'export {}');
  writeFileSync(join(folder, 'notes.txt'), 'not served');
  symlinkSync('/etc/passwd', join(folder, 'passwd.html'));
  closers.push(() => rmSync(parent, { recursive: true, force: true }));
  return folder;
}

export async function startConsole(
  options: Partial<ConsoleServerOptions> & { limits?: Partial<ApiLimits> } = {},
) {
  const services = fakeServices();
  const server = createApiServer({ services, version: '1.2.3', limits: options.limits });
  const console = await startConsoleServer({ server, folder: builtConsole(), ...options });
  closers.push(async () => {
    server.close();
    await console.close();
  });
  const refusals = (): Record<string, number> => server.counters.snapshot().refusedByReason;
  return { services, server, console, refusals };
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** Sends the path exactly as given: no client that would clean it up first. */
export function get(
  console: ConsoleServer,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Answer> {
  return new Promise((done, fail) => {
    const target = { host: '127.0.0.1', port: console.port, path, method, headers, agent: false };
    const request = httpRequest(target, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        done({
          status: response.statusCode!,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    request.on('error', fail);
    request.end();
  });
}

export const pathOf = (url: string): string => new URL(url).pathname + new URL(url).search;

export async function signIn(console: ConsoleServer, role?: Role): Promise<string> {
  const answer = await get(console, pathOf(console.issueUrl({ role: role ?? 'read' }).url));
  expect(answer.status).toBe(200);
  return answer.headers['set-cookie']![0]!.split(';')[0]!;
}

/** Opens a WebSocket; resolves to it or to the HTTP status it was refused with. */
export function open(console: ConsoleServer, headers: Record<string, string>, path = WEBSOCKET_PATH) {
  return new Promise<WebSocket | number>((done, fail) => {
    const ws = new WebSocket(`ws://127.0.0.1:${console.port}${path}`, { headers });
    closers.push(() => ws.terminate());
    ws.on('open', () => done(ws));
    ws.on('unexpected-response', (_request, response) => done(response.statusCode ?? 0));
    ws.on('error', fail);
  });
}

export async function openConsole(console: ConsoleServer, role?: Role): Promise<WebSocket> {
  const cookie = await signIn(console, role);
  const ws = await open(console, { Cookie: cookie, Origin: console.origin });
  if (typeof ws === 'number') throw new Error(`refused with ${ws}`);
  return ws;
}

export function ask(ws: WebSocket, message: unknown): Promise<Record<string, never>> {
  return new Promise((done) => {
    ws.once('message', (data: Buffer) => done(JSON.parse(data.toString()) as Record<string, never>));
    ws.send(typeof message === 'string' ? message : JSON.stringify(message));
  });
}
