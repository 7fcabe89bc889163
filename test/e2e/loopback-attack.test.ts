/**
 * The loopback console under attack, from sockets that speak HTTP and WebSocket badly on purpose: nothing is given away,
 * every refusal is counted where a person can see it, a signed-in page and the recording go on as if nothing happened.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type Socket, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { ApiClient } from '../../agent/api/client.ts';
import { connectAgent } from './agent-client.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import { writeReplayFile } from '../../agent/sensors/replay-file.ts';
import { generateWorkload } from '../../agent/sensors/workload.ts';
import { eventually } from './agent-process.ts';
import { startAgentProcess, type AgentProcess } from './packaged-agent.ts';

/** About half a minute of events at 1,000 a second, so that the attacks fall into the recording. */
const EVENTS = 30_000;
const folder = mkdtempSync(join(tmpdir(), 'sentinel-attack-'));
let agent: AgentProcess;
let api: ApiClient;
let port: number;
let origin: string;
let cookie: string;

beforeAll(async () => {
  const replay = join(folder, 'load.replay');
  writeReplayFile(replay, generateWorkload({ seed: 3, count: EVENTS }));
  agent = await startAgentProcess({
    args: ['--console', 'on', '--sensor', `replay:${replay}?rate=1000`],
    dataDir: join(folder, 'data'),
  });
  api = await connectAgent(dataPaths(agent.dataDir).socket);
  ({ origin } = new URL(agent.consoleUrl!));
  port = Number(new URL(origin).port);
  const answer = await raw(`GET ${pathOf(agent.consoleUrl!)} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  cookie = /set-cookie: ([^;]+)/i.exec(answer)![1]!;
});
afterAll(async () => {
  api.close();
  await agent.stop();
  rmSync(folder, { recursive: true, force: true });
});

const pathOf = (url: string): string => new URL(url).pathname + new URL(url).search;

function open(): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  return socket;
}

/** Everything the server says to these bytes until it closes the connection or is silent for a while. */
async function raw(bytes: string | Buffer, silentMs = 400): Promise<string> {
  const socket = open();
  const chunks: Buffer[] = [];
  await new Promise<void>((done) => {
    let timer = setTimeout(done, 5000);
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      clearTimeout(timer);
      timer = setTimeout(done, silentMs);
    });
    socket.on('close', () => done());
    socket.write(bytes);
  });
  socket.destroy();
  return Buffer.concat(chunks).toString('latin1');
}

const request = (line: string, headers: readonly string[] = [], signedIn = false): string =>
  [line, `Host: 127.0.0.1:${port}`, ...(signedIn ? [`Cookie: ${cookie}`] : []), ...headers, '', ''].join(
    '\r\n',
  );

async function refused(): Promise<Record<string, number>> {
  return (await api.call('health.get', {})).api.refusedByReason ?? {};
}

async function page(): Promise<WebSocket> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/api`, { headers: { Cookie: cookie, Origin: origin } });
  await new Promise((done, fail) => {
    ws.on('open', done);
    ws.on('error', fail);
  });
  ws.on('error', () => {});
  return ws;
}

/** The socket of a signed-in page, to write frames that no library would. */
const wire = (ws: WebSocket): Socket => (ws as unknown as { _socket: Socket })._socket;
const closeCode = (ws: WebSocket): Promise<number> => new Promise((done) => ws.on('close', done));

/** One masked frame (mask 0) with the given first byte. */
function frame(first: number, body: Buffer, declaredBytes = BigInt(body.length)): Buffer {
  const head = Buffer.alloc(14);
  head[0] = first;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(declaredBytes, 2);
  return Buffer.concat([head, body]);
}

function ask(ws: WebSocket, id: number): Promise<string> {
  return new Promise((done) => {
    ws.once('message', (data: Buffer) => done(data.toString().slice(0, 40)));
    ws.send(`{"id":${id},"method":"api.hello","params":{"version":1}}`);
  });
}

describe('requests that no browser sends', () => {
  it('answers no method but GET and HEAD', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'PROPFIND']) {
      const answer = await raw(request(`${method} / HTTP/1.1`, ['X-Secret: echo-me'], true));
      expect([method, answer.slice(0, 12)]).toEqual([method, 'HTTP/1.1 405']);
      expect(answer).not.toContain('echo-me');
    }
    expect(await raw(request('CONNECT evil:1 HTTP/1.1', [], true))).not.toContain(' 200 ');
    const head = await raw(request('HEAD / HTTP/1.1', ['Connection: close'], true));
    expect(head).toMatch(/^HTTP\/1\.1 200 /);
    expect(head.endsWith('\r\n\r\n')).toBe(true);
  });

  it.each([
    '/../../../etc/passwd',
    '/..%2f..%2f..%2fetc%2fpasswd',
    '/%2e%2e/%2e%2e/%2e%2e/etc/passwd',
    '/assets/..%5c..%5cetc%5cpasswd',
    '/assets/%c0%ae%c0%ae/etc/passwd',
    '//etc/passwd',
    '/etc/passwd%00.html',
    '/index.html/../../etc/passwd',
    'http://evil.example/index.html',
    'file:///etc/passwd',
  ])('serves nothing outside its list of files, signed in or not: %s', async (path) => {
    for (const signedIn of [true, false]) {
      const answer = await raw(request(`GET ${path} HTTP/1.1`, ['Connection: close'], signedIn));
      expect(answer).toMatch(signedIn ? /^HTTP\/1\.1 40[04] / : /^HTTP\/1\.1 40[01] /);
      expect(answer).not.toMatch(/root:x|\/bin\/(ba)?sh/);
    }
  });

  it('cannot be made to disagree on where a request ends', async () => {
    const smuggled = 'GET /index.html HTTP/1.1\r\nHost: x\r\n\r\n';
    for (const headers of [
      ['Content-Length: 5', 'Transfer-Encoding: chunked'],
      ['Content-Length: 5', 'Content-Length: 6'],
      ['Transfer-Encoding: chunked, identity'],
      ['Transfer-Encoding : chunked'],
      ['Content-Length: +5'],
      [' Folded: header'],
    ]) {
      const answer = await raw(`${request('GET / HTTP/1.1', headers)}0\r\n\r\n${smuggled}`);
      expect([headers, answer.match(/HTTP\/1\.1 \d+/g)]).toEqual([
        headers,
        [expect.stringMatching(/ 40[01]$/)],
      ]);
    }
    // Pipelined requests without a session get one refusal and a closed door.
    const pipelined = await raw(request('GET / HTTP/1.1').repeat(50));
    expect(pipelined.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 401']);
  });

  it('ends header floods, slow headers and half-open connections', async () => {
    const before = await refused();
    expect(await raw(request('GET / HTTP/1.1', [`X: ${'a'.repeat(1024 * 1024)}`]))).not.toMatch(/ 200 /);
    expect(
      await raw(
        request(
          'GET / HTTP/1.1',
          Array.from({ length: 5000 }, (_, i) => `H${i}: 1`),
        ),
      ),
    ).not.toMatch(/ 200 /);
    const slow = Array.from({ length: 30 }, () => {
      const socket = open();
      socket.resume();
      socket.write('GET / HTTP/1.1\r\n');
      const drip = setInterval(() => socket.write('X: 1\r\n'), 200);
      return new Promise<void>((done) => {
        socket.on('close', () => {
          clearInterval(drip);
          done();
        });
      });
    });
    const half = Array.from({ length: 30 }, () => {
      const socket = open();
      socket.resume();
      socket.end('GET / HT');
      return new Promise<void>((done) => socket.on('close', () => done()));
    });
    await Promise.all([...slow, ...half]);
    expect((await refused())['console_protocol']).toBeGreaterThan(before['console_protocol'] ?? 0);
  });

  it('slows down whoever guesses addresses, and nobody else', async () => {
    const statuses: string[] = [];
    for (let i = 0; i < 60; i++) {
      statuses.push(
        (await raw(request(`GET /sign-in?token=${'A'.repeat(42)}${i % 10} HTTP/1.1`))).slice(9, 12),
      );
    }
    expect(new Set(statuses)).toEqual(new Set(['401', '429']));
    expect(statuses.at(-1)).toBe('429');
    const { url } = await api.call('console.url', {});
    expect(await raw(request(`GET ${pathOf(url)} HTTP/1.1`))).toMatch(/^HTTP\/1\.1 200 /);
    expect((await refused())['console_guessing']).toBeGreaterThan(20);
  });

  it('finds no token where it should not be', async () => {
    const token = new URL(agent.consoleUrl!).searchParams.get('token')!;
    const log = readFileSync(dataPaths(agent.dataDir).log, 'utf8');
    expect(log).not.toContain(token);
    expect(agent.stderr()).not.toContain(token);
    expect(readFileSync(`/proc/${agent.pid}/cmdline`, 'utf8')).not.toContain(token);
    const { url } = await api.call('console.url', {});
    const answer = await raw(request(`GET ${pathOf(url)} HTTP/1.1`));
    expect(answer).toMatch(/referrer-policy: no-referrer/i);
    expect(answer).toMatch(/cache-control: no-store/i);
    expect(answer.split('\r\n\r\n')[1]).not.toContain(new URL(url).searchParams.get('token'));
  });
});

describe('frames that no browser sends', () => {
  it.each([
    ['a gigabyte announced', () => frame(0x81, Buffer.alloc(16), 1n << 30n), 1009],
    ['more than 2^53 bytes announced', () => frame(0x81, Buffer.alloc(16), 1n << 62n), 1009],
    [
      'fragments beyond the limit',
      () =>
        Buffer.concat(
          Array.from({ length: 40 }, (_, i) => frame(i === 0 ? 0x01 : 0x00, Buffer.alloc(8192, 0x20))),
        ),
      1009,
    ],
    ['a compressed bomb', () => frame(0xc1, Buffer.alloc(64)), 1002],
    ['text that is not UTF-8', () => frame(0x81, Buffer.from([0xc3, 0x28])), 1007],
    ['an unmasked frame', () => Buffer.from([0x81, 0x02, 0x7b, 0x7d]), 1002],
    ['an unknown opcode', () => frame(0x83, Buffer.alloc(0)), 1002],
    ['a continuation of nothing', () => frame(0x80, Buffer.alloc(1)), 1002],
    ['a fragmented ping', () => frame(0x09, Buffer.alloc(1)), 1002],
  ])('closes on %s', async (_name, bytes, code) => {
    const ws = await page();
    wire(ws).write(bytes());
    expect(await closeCode(ws)).toBe(code);
  });

  it('takes a message in a thousand fragments, and agrees on no compression', async () => {
    const ws = await page();
    expect(ws.extensions).toBe('');
    const text = Buffer.from(`{"id":1,"method":"api.hello","params":{"version":1}}${' '.repeat(950)}`);
    const answered = new Promise<string>((done) => {
      ws.once('message', (data: Buffer) => done(data.toString()));
    });
    for (const [index, byte] of text.entries()) {
      const isLast = index === text.length - 1;
      wire(ws).write(frame((isLast ? 0x80 : 0) | (index === 0 ? 1 : 0), Buffer.from([byte])));
    }
    expect(await answered).toMatch(/^\{"id":1,"result"/);
    ws.terminate();
  });

  it('answers pings, but no flood of them', async () => {
    const ws = await page();
    const pong = new Promise((done) => ws.once('pong', done));
    ws.ping('x');
    await pong;
    const before = (await refused())['rate'] ?? 0;
    const ended = closeCode(ws);
    const ping = Buffer.from([0x89, 0x81, 0, 0, 0, 0, 0x78]);
    for (let i = 0; i < 2000; i++) wire(ws).write(ping);
    await ended;
    expect((await refused())['rate']).toBeGreaterThan(before);
  });
});

describe('10,000 connections', () => {
  /** Up to 2,000 at once, silent; each lasts until the agent ends it or, if the kernel dropped it, four seconds. */
  const FLOOD = `
const { connect } = require('node:net');
const total = 10000;
let started = 0, opened = 0, ended = 0;
function one() {
  if (started === total) return;
  started++;
  const socket = connect(PORT, '127.0.0.1');
  socket.setTimeout(4000, () => socket.destroy());
  socket.on('connect', () => opened++);
  socket.on('error', () => {});
  socket.resume();
  socket.on('close', () => {
    if (++ended === total) console.log(opened);
    else one();
  });
}
for (let i = 0; i < 2000; i++) one();
`;

  it('are let go of, while a signed-in page is answered and a browser still gets in', async () => {
    const ws = await page();
    const child = spawn(
      'sh',
      [
        '-c',
        'ulimit -n "$(ulimit -Hn)"; exec "$0" -e "$1"',
        process.execPath,
        FLOOD.replace('PORT', String(port)),
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise((done) => child.on('close', done));
    let answered = 0;
    const flood = { isOver: false };
    void ended.then(() => (flood.isOver = true));
    const deadline = setTimeout(() => child.kill('SIGKILL'), 45_000);
    while (!flood.isOver) {
      expect(await ask(ws, ++answered)).toMatch(new RegExp(`^\\{"id":${answered},"result"`));
      await sleep(50);
    }
    clearTimeout(deadline);
    expect(answered).toBeGreaterThan(0);
    expect(Number(said)).toBeGreaterThan(9000);
    const { url } = await api.call('console.url', {});
    expect(await raw(request(`GET ${pathOf(url)} HTTP/1.1`))).toMatch(/^HTTP\/1\.1 200 /);
    ws.terminate();
  }, 60_000);

  it('show in health, with the reason, and left the recording alone', async () => {
    const health = await api.call('health.get', {});
    expect(health.api.refusedByReason!['console_connections']).toBeGreaterThan(5000);
    expect(health.api.lastRefusal).toMatchObject({ reason: expect.any(String) });
    expect(health.problems.map(({ what }) => what).join('\n')).toMatch(
      /requests to the agent were refused within a minute/,
    );
    const last = await eventually(
      'the whole workload was recorded',
      async () => {
        const snapshot = await api.call('health.get', {});
        return snapshot.totals.security + snapshot.totals.observability === EVENTS ? snapshot : undefined;
      },
      90_000,
    );
    expect(last.wal.map(({ state }) => state)).toEqual(['ok', 'ok']);
    expect(last.gaps24h.lostRecords).toBe(0);
    expect(Object.values(last.observabilityLane.dropped).reduce((sum, count) => sum + count, 0)).toBe(0);
  }, 120_000);
});
