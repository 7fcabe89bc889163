/**
 * The loopback console against a real browser and a real agent: what a page of another origin, a name that resolves to
 * 127.0.0.1 and a client without a session can do, which must be nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { type Server, createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { WebSocket } from 'ws';
import { connectAgent } from './agent-client.ts';
import { WEBSOCKET_PATH } from '../../agent/api/contract.ts';
import { socketPathOf } from '../../agent/api/socket-server.ts';
import { type AgentProcess, runCli, startAgentProcess } from './packaged-agent.ts';
import { type TestBrowser, browserPath, openBrowser } from './browser.ts';
import { makeCgroup, type TestCgroup } from './cgroup.ts';

const REBOUND = 'rebound.test';

let agent: AgentProcess;
let cgroup: TestCgroup | undefined;
let browser: TestBrowser;
let foreign: Server;
let origin: string;
let port: number;

beforeAll(async () => {
  if (!browserPath) console.warn('SKIPPED: needs Chromium (apt-get install chromium)');
  cgroup = makeCgroup();
  const scope = cgroup ? ['--scope', `cgroup:${cgroup.path}`] : [];
  agent = await startAgentProcess({ args: [...scope, '--console', 'on'] });
  const address = new URL(agent.consoleUrl!);
  origin = address.origin;
  port = Number(address.port);
  foreign = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>foreign</title><p>foreign</p>');
  });
  await new Promise<void>((done) => foreign.listen(0, '127.0.0.1', done));
  if (browserPath) browser = await openBrowser(['--host-resolver-rules=MAP *.test 127.0.0.1']);
}, 60_000);

afterAll(async () => {
  await browser?.close();
  foreign?.close();
  await agent?.stop();
  agent?.remove();
  await cgroup?.remove();
});

const foreignUrl = (host: string): string => `http://${host}:${(foreign.address() as AddressInfo).port}/`;

/** Opens an address and waits until it has brought the console: a page may not be closed while it moves on. */
async function signIn(page: Page): Promise<void> {
  await page.goto(await freshUrl());
  await page.waitForURL(`${origin}/`);
  await page.waitForSelector('#root > *');
}

async function freshUrl(): Promise<string> {
  const api = await connectAgent(socketPathOf(agent.dataDir));
  const { url } = await api.call('console.url', {});
  api.close();
  return url;
}

async function refusals(): Promise<Record<string, number>> {
  const api = await connectAgent(socketPathOf(agent.dataDir));
  const health = await api.call('health.get', {});
  api.close();
  return health.api.refusedByReason ?? {};
}

function statusOf(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<number> {
  return new Promise((done, fail) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, path, headers, method, agent: false },
      (response) => {
        response.resume();
        done(response.statusCode!);
      },
    );
    request.on('error', fail);
    request.end();
  });
}

function upgradeStatus(headers: Record<string, string>): Promise<number> {
  return new Promise((done, fail) => {
    const ws = new WebSocket(`ws://127.0.0.1:${port}${WEBSOCKET_PATH}`, { headers });
    ws.on('open', () => {
      ws.terminate();
      done(101);
    });
    ws.on('unexpected-response', (_request, response) => done(response.statusCode ?? 0));
    ws.on('error', fail);
  });
}

describe('clients without a browser', () => {
  it('get nothing without a session, by a foreign name, or from a foreign origin; each is counted', async () => {
    const before = await refusals();
    expect(await statusOf('/')).toBe(401);
    expect(await statusOf('/index.html')).toBe(401);
    expect(await statusOf('/../../etc/passwd')).toBe(401);
    expect(await statusOf('/sign-in?token=guess')).toBe(401);
    expect(await statusOf('/', { Host: `${REBOUND}:${port}` })).toBe(421);
    expect(await statusOf('/', {}, 'POST')).toBe(405);
    expect(await upgradeStatus({})).toBe(403);
    expect(await upgradeStatus({ Origin: 'http://evil.example' })).toBe(403);
    expect(await upgradeStatus({ Origin: origin })).toBe(401);
    expect(await upgradeStatus({ Origin: origin, Host: `${REBOUND}:${port}` })).toBe(421);
    const after = await refusals();
    const grown = Object.fromEntries(
      Object.entries(after).map(([reason, count]) => [reason, count - (before[reason] ?? 0)]),
    );
    expect(grown).toMatchObject({
      console_session: 4,
      console_token: 1,
      console_host: 2,
      console_method: 1,
      console_origin: 2,
    });
  });

  it('cannot use an address twice, and an address asked for on the socket is privileged', async () => {
    const url = new URL(await freshUrl());
    const signIn = url.pathname + url.search;
    const cookie = await new Promise<string>((done, fail) => {
      const request = httpRequest({ host: '127.0.0.1', port, path: signIn, agent: false }, (response) => {
        response.resume();
        done(response.headers['set-cookie']?.[0]?.split(';')[0] ?? '');
      });
      request.on('error', fail);
      request.end();
    });
    expect(cookie).toMatch(/^sentinel_\d+=/);
    expect(await statusOf(signIn)).toBe(401);
    expect(await statusOf('/', { Cookie: cookie })).toBe(200);
    const ws = new WebSocket(`ws://127.0.0.1:${port}${WEBSOCKET_PATH}`, {
      headers: { Cookie: cookie, Origin: origin },
    });
    const answer = await new Promise<unknown>((done, fail) => {
      ws.on('error', fail);
      ws.on('open', () => ws.send('{"id":1,"method":"api.hello","params":{"version":1}}'));
      ws.on('message', (data: Buffer) => done(JSON.parse(data.toString())));
    });
    ws.close();
    expect(answer).toMatchObject({ id: 1, result: { privileged: true } });
  });

  it('find out why a second agent does not start: the port is in use, the data folder has an agent', async () => {
    const data = mkdtempSync(join(tmpdir(), 'sentinel-second-'));
    try {
      const taken = await runCli([
        'run',
        '--data',
        data,
        '--sensor',
        'proc',
        '--console',
        'on',
        '--port',
        String(port),
      ]);
      expect(taken.code).toBe(1);
      expect(taken.stderr).toMatch(new RegExp(`127\\.0\\.0\\.1:${port}.*in use`));
      expect(taken.stderr).toMatch(/another|port 0|free the port/);
      expect(taken.stderr).not.toMatch(/^\s+at /m);
    } finally {
      rmSync(data, { recursive: true, force: true });
    }
    const same = await runCli(['run', '--data', agent.dataDir, '--console', 'off']);
    expect(same.code).toBe(1);
    expect(same.stderr).toContain(agent.dataDir);
    expect(same.stderr).not.toMatch(/^\s+at /m);
    expect(await statusOf('/')).toBe(401);
  });
});

describe.skipIf(!browserPath)(
  'a browser that is signed in (skipped: needs Chromium)',
  { timeout: 60_000 },
  () => {
    it('shows the console, keeps it over a reload, and breaks none of its own rules', async () => {
      const page = await browser.newPage();
      await signIn(page);
      await page.reload();
      await page.waitForSelector('#root > *');
      expect(browser.complaints()).toEqual([]);
      // The secret is out of reach of scripts, and the token out of the address.
      expect(await page.evaluate('document.cookie')).toBe('');
      await page.close();
    });

    // Another port of the same host is the same site: the cookie is sent with its requests, so the rest has to hold.
    it.each(['127.0.0.1', 'foreign.test'])(
      'does not let a page of %s read, frame, load or connect',
      async (host) => {
        const signedIn = await browser.newPage();
        await signIn(signedIn);
        const page = await browser.newPage();
        await page.goto(foreignUrl(host));
        const attack = `(async () => {
      const outcome = {};
      const target = ${JSON.stringify(origin)};
      const loads = (element) => new Promise((done) => {
        element.onload = () => done('loaded');
        element.onerror = () => done('failed');
        document.body.append(element);
      });
      outcome.read = await fetch(target + '/', { credentials: 'include' }).then(() => 'read', () => 'failed');
      outcome.opaque = await fetch(target + '/', { credentials: 'include', mode: 'no-cors' }).then(() => 'loaded', () => 'failed');
      outcome.socket = await new Promise((done) => {
        const ws = new WebSocket(target.replace('http', 'ws') + '${WEBSOCKET_PATH}');
        ws.onopen = () => done('open');
        ws.onerror = () => done('failed');
      });
      outcome.script = await loads(Object.assign(document.createElement('script'), { src: target + '/' }));
      outcome.image = await loads(Object.assign(document.createElement('img'), { src: target + '/' }));
      await loads(Object.assign(document.createElement('iframe'), { src: target + '/' }));
      const opened = window.open(target + '/');
      await new Promise((done) => setTimeout(done, 500));
      try { outcome.opened = opened && opened.document.title ? 'read' : 'blocked'; } catch { outcome.opened = 'blocked'; }
      opened?.close();
      return outcome;
    })()`;
        expect(await page.evaluate(attack)).toEqual({
          read: 'failed',
          opaque: 'failed',
          socket: 'failed',
          script: 'failed',
          image: 'failed',
          opened: 'blocked',
        });
        expect(page.frames().filter((frame) => frame.url().startsWith(origin))).toEqual([]);
        browser.complaints();
        await page.close();
        await signedIn.close();
      },
    );

    it('answers nothing under a name that was rebound to loopback', async () => {
      const page = await browser.newPage();
      const answer = await page.goto(`http://${REBOUND}:${port}/`);
      expect(answer!.status()).toBe(421);
      const token = new URL(await freshUrl()).search;
      expect((await page.goto(`http://${REBOUND}:${port}/sign-in${token}`))!.status()).toBe(421);
      // The token was not spent on it.
      expect((await page.goto(`${origin}/sign-in${token}`))!.status()).toBe(200);
      await page.waitForURL(`${origin}/`);
      browser.complaints();
      await page.close();
    });

    it('opens an address from a link on another site, although its cookie is SameSite=Strict', async () => {
      const page = await browser.newPage();
      await browser.context.clearCookies();
      await page.goto(foreignUrl('foreign.test'));
      await page.evaluate(`location.href = ${JSON.stringify(await freshUrl())}`);
      await page.waitForURL(`${origin}/`);
      await page.waitForSelector('#root > *');
      expect(browser.complaints()).toEqual([]);
      await page.close();
    });
  },
);
