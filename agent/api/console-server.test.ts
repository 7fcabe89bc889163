import { connect } from 'node:net';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ask, get, openConsole, pathOf, signIn, startConsole } from './console-test-kit.ts';

describe('signing in', () => {
  it('exchanges the printed address for a cookie, once', async () => {
    const { console, refusals } = await startConsole();
    const { url } = console.issueUrl({ role: 'read' });
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/sign-in\?token=[\w-]{43}$/);
    const first = await get(console, pathOf(url));
    expect(first.status).toBe(200);
    expect(first.headers['set-cookie']).toEqual([
      expect.stringMatching(/^sentinel_\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/),
    ]);
    const again = await get(console, pathOf(url));
    expect([again.status, again.headers['set-cookie']]).toEqual([401, undefined]);
    expect(refusals()).toEqual({ console_token: 1 });
    const cookie = first.headers['set-cookie']![0]!.split(';')[0]!;
    const page = await get(console, '/', { Cookie: cookie });
    expect([page.status, page.body]).toEqual([200, '<!doctype html><p>console']);
    // Reloads work, and so does going back to the address in the same browser.
    expect((await get(console, '/', { Cookie: cookie })).status).toBe(200);
    expect((await get(console, pathOf(url), { Cookie: cookie })).status).toBe(200);
  });

  it('refuses wrong, missing, expired and looked-ahead tokens', async () => {
    let nowMs = 0;
    const { console, refusals } = await startConsole({ nowMs: () => nowMs, tokenLifeMs: 1000 });
    const token = pathOf(console.issueUrl({ role: 'read' }).url);
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
    expect((await get(console, pathOf(console.issueUrl({ role: 'read' }).url))).status).toBe(200);
  });

  it('ends a session that was not used, and knows no session of another agent', async () => {
    let nowMs = 0;
    const { console } = await startConsole({ nowMs: () => nowMs, sessionIdleMs: 1000 });
    const cookie = await signIn(console);
    nowMs = 900;
    expect((await get(console, '/', { Cookie: cookie })).status).toBe(200);
    nowMs = 1800;
    expect((await get(console, '/', { Cookie: cookie })).status).toBe(200);
    nowMs = 2800;
    expect((await get(console, '/', { Cookie: cookie })).status).toBe(401);
    const other = await startConsole();
    const value = cookie.split('=')[1]!;
    const renamed = { Cookie: `sentinel_${other.console.port}=${value}` };
    expect((await get(other.console, '/', renamed)).status).toBe(401);
  });

  it('bounds outstanding addresses: the oldest stops working', async () => {
    const { console } = await startConsole();
    const { url } = console.issueUrl({ role: 'read' });
    const urls = Array.from({ length: 40 }, () => console.issueUrl({ role: 'read' }).url);
    expect((await get(console, pathOf(url))).status).toBe(401);
    expect((await get(console, pathOf(urls.at(-1)!))).status).toBe(200);
  });

  it('gives a session the role of its address', async () => {
    const { console } = await startConsole();
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
    const { console, refusals } = await startConsole();
    for (const path of ['/', '/index.html', '/assets/index-AbCd1234.js', '/nope']) {
      const answer = await get(console, path);
      expect(answer.status).toBe(401);
      expect(answer.body).not.toContain('console</p>');
    }
    expect(refusals()).toEqual({ console_session: 4 });
  });

  it('carries strict headers, on refusals too', async () => {
    const { console } = await startConsole();
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
    const { console } = await startConsole();
    const cookie = await signIn(console);
    const answer = await get(console, path, { Cookie: cookie });
    expect(answer.status).toBe(404);
    expect(answer.body).not.toMatch(/secret|root:|not served/);
  });

  it('answers no path but its own (fuzz)', async () => {
    const { console } = await startConsole();
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
    const { console } = await startConsole();
    const cookie = await signIn(console);
    expect((await get(console, '/', { Cookie: cookie }, method)).status).toBe(405);
  });

  it.each(['evil.example', 'evil.example:80', '127.0.0.1', 'localhost', '127.0.0.1.evil.example', '[::1]'])(
    'answers to no other name: Host %j',
    async (host) => {
      const { console } = await startConsole();
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
    const { console } = await startConsole();
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

  it('survives arbitrary bytes (fuzz)', async () => {
    const { console, server } = await startConsole();
    const cookie = await signIn(console);
    const line = fc.constantFrom(
      'GET / HTTP/1.1\r\n',
      'GET /api HTTP/1.1\r\n',
      `Host: 127.0.0.1:${console.port}\r\n`,
      `Cookie: ${cookie}\r\n`,
      `Origin: ${console.origin}\r\n`,
      'Connection: Upgrade\r\n',
      'Upgrade: websocket\r\n',
      'Sec-WebSocket-Version: 13\r\n',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Content-Length: 99\r\n',
      '\r\n',
    );
    const bytes = fc.oneof(
      { weight: 4, arbitrary: line.map((text) => Buffer.from(text)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }).map((raw) => Buffer.from(raw)) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { minLength: 1, maxLength: 16 }), async (chunks) => {
        await new Promise<void>((done) => {
          const socket = connect(console.port, '127.0.0.1', () => {
            for (const chunk of chunks) socket.write(chunk);
            setTimeout(() => socket.destroy(), 10);
          });
          socket.on('error', () => {});
          socket.on('close', () => done());
          socket.resume();
        });
      }),
      { numRuns: 150 },
    );
    expect((await get(console, '/', { Cookie: cookie })).status).toBe(200);
    await expect.poll(() => server.counters.clients).toBe(0);
  });

  it('says which port is taken and what to do', async () => {
    const { console } = await startConsole();
    const failure = startConsole({ port: console.port });
    await expect(failure).rejects.toMatchObject({
      code: 'port_in_use',
      message: expect.stringContaining(String(console.port)),
      remedy: expect.stringContaining('port'),
    });
  });

  it('says that the console was not built', async () => {
    await expect(startConsole({ folder: '/nonexistent' })).rejects.toMatchObject({
      code: 'console_files',
      remedy: expect.stringContaining('build'),
    });
  });
});
