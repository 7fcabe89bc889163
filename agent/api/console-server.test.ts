import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type ConsoleServer, type ConsoleServerOptions, startConsoleServer } from './console-server.ts';
import { WEBSOCKET_PATH } from './contract.ts';
import { event, fakeServices } from './fake-services.ts';
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

async function start(options: Partial<ConsoleServerOptions> & { limits?: Partial<ApiLimits> } = {}) {
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
function get(
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

const pathOf = (url: string): string => new URL(url).pathname + new URL(url).search;

async function signIn(console: ConsoleServer, role?: Role): Promise<string> {
  const answer = await get(console, pathOf(role ? console.issueUrl(role).url : console.url));
  expect(answer.status).toBe(200);
  return answer.headers['set-cookie']![0]!.split(';')[0]!;
}

/** Opens a WebSocket; resolves to it or to the HTTP status it was refused with. */
function open(console: ConsoleServer, headers: Record<string, string>, path = WEBSOCKET_PATH) {
  return new Promise<WebSocket | number>((done, fail) => {
    const ws = new WebSocket(`ws://127.0.0.1:${console.port}${path}`, { headers });
    closers.push(() => ws.terminate());
    ws.on('open', () => done(ws));
    ws.on('unexpected-response', (_request, response) => done(response.statusCode ?? 0));
    ws.on('error', fail);
  });
}

async function openConsole(console: ConsoleServer, role?: Role): Promise<WebSocket> {
  const cookie = await signIn(console, role);
  const ws = await open(console, { Cookie: cookie, Origin: console.origin });
  if (typeof ws === 'number') throw new Error(`refused with ${ws}`);
  return ws;
}

function ask(ws: WebSocket, message: unknown): Promise<Record<string, never>> {
  return new Promise((done) => {
    ws.once('message', (data: Buffer) => done(JSON.parse(data.toString()) as Record<string, never>));
    ws.send(typeof message === 'string' ? message : JSON.stringify(message));
  });
}

describe('signing in', () => {
  it('exchanges the printed address for a cookie, once', async () => {
    const { console, refusals } = await start();
    expect(console.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/sign-in\?token=[\w-]{43}$/);
    const first = await get(console, pathOf(console.url));
    expect(first.status).toBe(200);
    expect(first.headers['set-cookie']).toEqual([
      expect.stringMatching(/^sentinel_\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/),
    ]);
    const again = await get(console, pathOf(console.url));
    expect([again.status, again.headers['set-cookie']]).toEqual([401, undefined]);
    expect(refusals()).toEqual({ console_token: 1 });
    const cookie = first.headers['set-cookie']![0]!.split(';')[0]!;
    const page = await get(console, '/', { Cookie: cookie });
    expect([page.status, page.body]).toEqual([200, '<!doctype html><p>console']);
    // Reloads work, and so does going back to the address in the same browser.
    expect((await get(console, '/', { Cookie: cookie })).status).toBe(200);
    expect((await get(console, pathOf(console.url), { Cookie: cookie })).status).toBe(200);
  });

  it('refuses wrong, missing, expired and looked-ahead tokens', async () => {
    let nowMs = 0;
    const { console, refusals } = await start({ nowMs: () => nowMs, tokenLifeMs: 1000 });
    const token = pathOf(console.url);
    for (const path of [
      '/sign-in',
      '/sign-in?token=',
      '/sign-in?token=AAAA',
      `/sign-in?token=${'A'.repeat(43)}`,
      `${token}x`,
      `${token}&x=1`,
      `/sign-in?x=1&${token.split('?')[1]}`,
    ]) {
      expect([path, (await get(console, path)).status]).toEqual([path, 401]);
    }
    expect((await get(console, token, { 'Sec-Purpose': 'prefetch;prerender' })).status).toBe(401);
    expect((await get(console, token, {}, 'HEAD')).status).toBe(401);
    expect(refusals()).toEqual({ console_token: 9 });
    nowMs = 1000;
    expect((await get(console, token)).status).toBe(401);
    expect((await get(console, pathOf(console.issueUrl('read').url))).status).toBe(200);
  });

  it('ends a session that was not used, and knows no session of another agent', async () => {
    let nowMs = 0;
    const { console } = await start({ nowMs: () => nowMs, sessionIdleMs: 1000 });
    const cookie = await signIn(console);
    nowMs = 900;
    expect((await get(console, '/', { Cookie: cookie })).status).toBe(200);
    nowMs = 1800;
    expect((await get(console, '/', { Cookie: cookie })).status).toBe(200);
    nowMs = 2800;
    expect((await get(console, '/', { Cookie: cookie })).status).toBe(401);
    const other = await start();
    const value = cookie.split('=')[1]!;
    const renamed = { Cookie: `sentinel_${other.console.port}=${value}` };
    expect((await get(other.console, '/', renamed)).status).toBe(401);
  });

  it('bounds outstanding addresses: the oldest stops working', async () => {
    const { console } = await start();
    const urls = Array.from({ length: 40 }, () => console.issueUrl('read').url);
    expect((await get(console, pathOf(console.url))).status).toBe(401);
    expect((await get(console, pathOf(urls.at(-1)!))).status).toBe(200);
  });

  it('gives a session the role of its address', async () => {
    const { console } = await start();
    const reader = await openConsole(console);
    const owner = await openConsole(console, 'privileged');
    const hello = { id: 1, method: 'api.hello', params: { version: 1 } };
    expect(await ask(reader, hello)).toMatchObject({ result: { privileged: false } });
    expect(await ask(owner, hello)).toMatchObject({ result: { privileged: true } });
    const reload = { id: 2, method: 'rules.reload' };
    expect(await ask(reader, reload)).toMatchObject({ error: { code: 'forbidden' } });
    expect(await ask(owner, reload)).toMatchObject({ result: { loaded: 3 } });
    // Not even a privileged page mints addresses.
    expect(await ask(owner, { id: 3, method: 'console.url' })).toMatchObject({
      error: { code: 'forbidden' },
    });
  });
});

describe('what is served', () => {
  it('is nothing without a session', async () => {
    const { console, refusals } = await start();
    for (const path of ['/', '/index.html', '/assets/index-AbCd1234.js', '/nope']) {
      const answer = await get(console, path);
      expect(answer.status).toBe(401);
      expect(answer.body).not.toContain('console</p>');
    }
    expect(refusals()).toEqual({ console_session: 4 });
  });

  it('carries strict headers, on refusals too', async () => {
    const { console } = await start();
    const cookie = await signIn(console);
    for (const answer of [
      await get(console, '/', { Cookie: cookie }),
      await get(console, '/assets/index-AbCd1234.js', { Cookie: cookie }),
      await get(console, '/'),
      await get(console, '/nope', { Cookie: cookie }),
      await get(console, '/sign-in'),
    ]) {
      const csp = answer.headers['content-security-policy'] as string;
      for (const directive of [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
      ]) {
        expect(csp.split('; ')).toContain(directive);
      }
      expect(csp).not.toMatch(/unsafe|\*|https?:/);
      expect(answer.headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
      });
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
    const script = await get(console, '/assets/index-AbCd1234.js', { Cookie: cookie });
    expect(script.headers['content-type']).toBe('text/javascript; charset=utf-8');
  });

  it.each([
    '/../secret.html',
    '/..%2fsecret.html',
    '/%2e%2e/secret.html',
    '/assets/../../secret.html',
    '/assets/..\\..\\secret.html',
    '//etc/passwd',
    '/etc/passwd',
    '/passwd.html',
    '/notes.txt',
    '/assets',
    '/assets/',
    '/index.html%00',
    '/index.html/',
    'http://127.0.0.1/secret.html',
    '*',
  ])('never leaves its list of files: %s', async (path) => {
    const { console } = await start();
    const cookie = await signIn(console);
    const answer = await get(console, path, { Cookie: cookie });
    expect(answer.status).toBe(404);
    expect(answer.body).not.toMatch(/secret|root:|not served/);
  });

  it('answers no path but its own (fuzz)', async () => {
    const { console } = await start();
    const cookie = await signIn(console);
    const known = new Set(['/', '/index.html', '/assets/index-AbCd1234.js', '/sign-in']);
    const piece = fc.constantFrom(
      '..',
      '.',
      '%2e',
      '%2f',
      '/',
      '\\',
      'assets',
      'secret.html',
      '%00',
      '?',
      '#',
      ';',
    );
    const path = fc.array(piece, { maxLength: 8 }).map((pieces) => `/${pieces.join('')}`);
    await fc.assert(
      fc.asyncProperty(path, async (each) => {
        const answer = await get(console, each, { Cookie: cookie });
        if (!known.has(each.split('?', 1)[0]!)) expect(answer.status).toBe(404);
        expect(answer.body).not.toContain('secret');
      }),
      { numRuns: 150 },
    );
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'])('does not answer %s', async (method) => {
    const { console } = await start();
    const cookie = await signIn(console);
    expect((await get(console, '/', { Cookie: cookie }, method)).status).toBe(405);
  });

  it.each(['evil.example', 'evil.example:80', '127.0.0.1', 'localhost', '127.0.0.1.evil.example', '[::1]'])(
    'answers to no other name: Host %j',
    async (host) => {
      const { console } = await start();
      const cookie = await signIn(console);
      const answer = await get(console, '/', { Cookie: cookie, Host: host });
      expect([400, 421]).toContain(answer.status);
      expect(answer.body).not.toContain('console</p>');
      const ours = `127.0.0.1:${console.port}`;
      expect((await get(console, '/', { Cookie: cookie, Host: ours })).status).toBe(200);
      const named = `localhost:${console.port}`;
      expect((await get(console, '/', { Cookie: cookie, Host: named })).status).toBe(200);
    },
  );

  it('answers neither without a Host nor with a second one', async () => {
    const { console } = await start();
    const cookie = await signIn(console);
    const ours = `Host: 127.0.0.1:${console.port}`;
    const statusOf = (lines: string[]): Promise<string> =>
      new Promise((done) => {
        let text = '';
        const socket = connect(console.port, '127.0.0.1');
        socket.on('data', (chunk) => (text += chunk.toString()));
        socket.on('close', () => done(text.split(' ')[1] ?? ''));
        socket.write(`GET / HTTP/1.1\r\nConnection: close\r\nCookie: ${cookie}\r\n${lines.join('')}\r\n`);
      });
    expect(await statusOf([`${ours}\r\n`])).toBe('200');
    expect(await statusOf([])).toBe('400');
    expect(await statusOf(['Host: evil.example\r\n', `${ours}\r\n`])).toBe('421');
  });

  it('says which port is taken and what to do', async () => {
    const { console } = await start();
    const failure = start({ port: console.port });
    await expect(failure).rejects.toMatchObject({
      code: 'port_in_use',
      message: expect.stringContaining(String(console.port)),
      remedy: expect.stringContaining('port'),
    });
  });

  it('says that the console was not built', async () => {
    await expect(start({ folder: '/nonexistent' })).rejects.toMatchObject({
      code: 'console_files',
      remedy: expect.stringContaining('build'),
    });
  });
});

describe('the WebSocket', () => {
  it('needs our Origin, our Host and a session', async () => {
    const { console, refusals } = await start();
    const cookie = await signIn(console);
    const origin = console.origin;
    expect(await open(console, { Cookie: cookie })).toBe(403);
    for (const foreign of [
      'http://evil.example',
      'null',
      `https://127.0.0.1:${console.port}`,
      `http://127.0.0.1:${console.port + 1}`,
      `http://127.0.0.1:${console.port}.evil.example`,
      `http://localhost:${console.port}`,
      'file://',
    ]) {
      expect([foreign, await open(console, { Cookie: cookie, Origin: foreign })]).toEqual([foreign, 403]);
    }
    expect(refusals()).toEqual({ console_origin: 8 });
    expect(await open(console, { Origin: origin })).toBe(401);
    expect(await open(console, { Origin: origin, Cookie: `${cookie}x` })).toBe(401);
    const rebound = `http://evil.example:${console.port}`;
    const host = `evil.example:${console.port}`;
    expect(await open(console, { Cookie: cookie, Origin: rebound, Host: host })).toBe(421);
    expect(await open(console, { Cookie: cookie, Origin: origin }, '/other')).toBe(404);
    expect(refusals()).toEqual({ console_host: 1, console_origin: 8, console_path: 1, console_session: 2 });
    expect(await open(console, { Cookie: cookie, Origin: origin })).toBeInstanceOf(WebSocket);
  });

  it('serves the contract and lets go when the page leaves', async () => {
    const { console, server, services } = await start({ limits: { followIntervalMs: 5 } });
    const ws = await openConsole(console);
    const messages: Record<string, unknown>[] = [];
    ws.on('message', (data: Buffer) => messages.push(JSON.parse(data.toString()) as Record<string, unknown>));
    ws.send('{"id":1,"method":"events.follow","params":{"query":"*"}}');
    await expect.poll(() => messages.length).toBe(2);
    services.emit([event(2)]);
    await expect.poll(() => messages.at(-1)).toMatchObject({ subscription: 1, seq: 2 });
    expect([services.followers(), server.counters.clients]).toEqual([1, 1]);
    ws.terminate();
    await expect.poll(() => server.counters.clients).toBe(0);
    expect(services.followers()).toBe(0);
  });

  it('cuts off oversized, binary and broken messages', async () => {
    const { console, refusals } = await start();
    const closed = (ws: WebSocket): Promise<number> =>
      new Promise((done) => ws.on('close', (code) => done(code)));
    const large = await openConsole(console, 'read');
    large.send('x'.repeat(300 * 1024));
    expect(await closed(large)).toBe(1009);
    const binary = await openConsole(console, 'read');
    binary.send(Buffer.from([1, 2, 3]));
    expect(await closed(binary)).toBe(1003);
    const broken = await openConsole(console, 'read');
    broken.on('error', () => {});
    (broken as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(
      Buffer.from([0xff, 0xff]),
    );
    expect(await closed(broken)).toBe(1002);
    expect(refusals()).toEqual({ console_protocol: 1, malformed: 1, oversized: 1 });
    expect(await ask(await openConsole(console, 'read'), '{"id":1,')).toMatchObject({ id: 0 });
  });

  it('sheds a page that stops reading while another keeps its events', async () => {
    const { console, server, services } = await start({ limits: { followIntervalMs: 1 } });
    const slow = await openConsole(console, 'read');
    const fast = await openConsole(console, 'read');
    for (const ws of [slow, fast]) ws.send('{"id":1,"method":"events.follow","params":{"query":"*"}}');
    await expect.poll(() => services.followers()).toBe(2);
    (slow as unknown as { _socket: { pause(): void } })._socket.pause();
    let newest = '';
    fast.on('message', (data: Buffer) => {
      newest = /"eventId":"(\d+)"(?!.*"eventId")/.exec(data.toString())?.[1] ?? newest;
    });
    let sent = 0;
    for (let burst = 0; server.counters.shed === 0 && burst < 150; burst++) {
      services.emit(Array.from({ length: 20 }, () => event(++sent, 'x'.repeat(10_000))));
      await sleep(2);
    }
    expect([server.counters.shed, services.followers()]).toEqual([1, 1]);
    await expect.poll(() => newest).toBe(String(sent));
  });

  it('drops a browser that answers no ping', async () => {
    const { console, server } = await start({ pingIntervalMs: 50 });
    const ws = await openConsole(console, 'read');
    await sleep(200);
    expect(server.counters.clients).toBe(1);
    (ws as unknown as { _socket: { pause(): void } })._socket.pause();
    await expect.poll(() => server.counters.clients).toBe(0);
  });

  it('survives 10,000 connections: a signed-in page is not disturbed, a browser still gets in', async () => {
    const { console, refusals } = await start({ maxConnections: 64 });
    const ws = await openConsole(console, 'read');
    let done = 0;
    const attempt = (sits: boolean): Promise<void> =>
      new Promise((next) => {
        const socket = connect(console.port, '127.0.0.1');
        socket.on('error', () => {});
        socket.on('close', () => {
          done++;
          next();
        });
        socket.resume();
        // Most just sit there: the server has to make them leave.
        if (!sits) socket.on('connect', () => socket.destroy());
      });
    const workers = Array.from({ length: 200 }, async (_, worker) => {
      for (let i = 0; i < 50; i++) await attempt((worker + i) % 10 !== 0);
    });
    for (let i = 0; i < 5; i++) {
      expect(await ask(ws, { id: i + 1, method: 'health.get' })).toMatchObject({ id: i + 1 });
      await openConsole(console, 'read');
    }
    await Promise.all(workers);
    expect(done).toBe(10_000);
    expect(refusals()['console_connections']).toBeGreaterThan(1000);
    expect(await ask(ws, { id: 99, method: 'health.get' })).toMatchObject({ id: 99 });
    await openConsole(console, 'read');
  }, 60_000);
});
